#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Float products on the arrays, at every level, for awkward shapes.

usage: wide_weighted.py convolutions|batches|products|extremes|recurrent [--chip NAME] [--ranged]

Writes one ONNX model of many independent nodes, runs it with --precision float
at the levels nn, cim, sched and isa, and prints what was compared. cim, sched
and isa must agree bit by bit; they must agree with nn (fp32) within the bound of
rule R13, and within rtol 1e-3, atol 1e-7 but for sums that nearly cancel.

With --ranged the model is compiled for int8 without calibration (rule R14), and
all levels must agree bit by bit in the sums that have integer weights; the
others, depthwise and with weights on the left, are those of --precision float.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Model:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.inputs, self.outputs, self.constants, self.feeds = [], [], [], [], {}
        # (output, largest |x|, largest |w|, products in a sum), for the bound
        self.sums = {}
        # Outputs that are computed in float also where weights can be integers.
        self.floats = set()

    def input(self, shape, scale=1.0):
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        self.feeds[name] = (self.random.standard_normal(shape) * scale).astype(np.float32)
        return name

    def constant(self, array):
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def weights(self, shape):
        # Columns of very different size: every one has its own unit.
        w = self.random.standard_normal(shape)
        return (w * 10.0 ** self.random.uniform(-3, 3, (shape[0],) + (1,) * (len(shape) - 1))).astype(np.float32)

    def node(self, op, operands, terms, x, w, **attributes):
        name = f"y{len(self.outputs)}"
        self.nodes.append(helper.make_node(op, operands, [name], name=f"{op}_{name}", **attributes))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        self.sums[name] = (np.abs(self.feeds[x]).max(), w, terms)

    def conv(self, x_shape, outputs, kernel, group=1, bias=True, **attributes):
        x = self.input(x_shape)
        w = self.weights((outputs, x_shape[1] // group) + tuple(kernel))
        operands = [x, self.constant(w)]
        if bias:
            operands.append(self.constant(self.random.standard_normal(outputs)))
        per_column = np.abs(w).reshape(outputs, -1).max(1).reshape((outputs,) + (1,) * len(kernel))
        if group == x_shape[1] > 1:
            self.floats.add(f"y{len(self.outputs)}")
        self.node("Conv", operands, int(np.prod(w.shape[1:])), x, per_column, kernel_shape=kernel, group=group,
                  **attributes)

    def matmul(self, x_shape, k, n):
        x = self.input(x_shape)
        w = np.ascontiguousarray(self.weights((n, k)).T)
        self.node("MatMul", [x, self.constant(w)], k, x, np.abs(w).max(0))

    def write(self, path):
        graph = helper.make_graph(self.nodes, "wide", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


def convolutions(m):
    for size in ((1, 1), (2, 3), (7, 5)):
        m.conv((1, 3) + size, 5, (1, 1))
    m.conv((1, 3, 7, 6), 43, (3, 3), pads=[1, 1, 1, 1])  # two tiles of columns on a card
    m.conv((1, 17, 8, 7), 4, (3, 2), strides=[2, 3], pads=[0, 1, 2, 0])
    m.conv((1, 2, 9, 9), 3, (3, 3), dilations=[2, 3], pads=[2, 3, 2, 3], bias=False)
    m.conv((1, 60, 5, 4), 6, (3, 3), pads=[1, 1, 1, 1])  # several tiles of rows
    m.conv((1, 6, 5, 7), 6, (3, 3), group=6, pads=[1, 1, 1, 1])
    m.conv((1, 4, 5, 7), 8, (3, 3), group=4, strides=[2, 2])
    m.conv((1, 6, 5, 3), 9, (2, 2), group=3)
    m.conv((1, 5, 11), 7, (3,), strides=[2], pads=[2, 0])


def batches(m):
    m.conv((3, 4, 5, 6), 5, (3, 3), pads=[1, 1, 1, 1])
    m.conv((2, 3, 7, 4), 4, (2, 3), strides=[3, 2], pads=[0, 2, 1, 1])
    m.conv((2, 6, 5, 5), 6, (3, 3), group=6, dilations=[2, 1], pads=[2, 0, 1, 0])
    m.conv((4, 3, 6), 5, (3,), pads=[1, 1])
    m.conv((3, 4, 2, 2), 3, (1, 1))
    m.conv((1, 2, 4, 5, 6), 3, (2, 3, 3), pads=[0, 1, 1, 1, 1, 0])
    m.conv((2, 4, 5, 4, 3), 6, (3, 2, 1), group=2, strides=[2, 1, 2], dilations=[1, 2, 1], pads=[1, 0, 0, 2, 1, 0])
    m.conv((2, 3, 3, 3, 3), 3, (3, 3, 3), group=3, pads=[1] * 6)


def products(m):
    for rows, k, n in ((1, 1, 1), (5, 3, 2), (4, 63, 64), (3, 65, 43), (2, 401, 7)):
        m.matmul((rows, k), k, n)
    m.matmul((2, 3, 10), 10, 4)
    m.matmul((2, 2, 3, 10), 10, 4)
    m.floats.add(f"y{len(m.outputs)}")
    m.matmul((6,), 6, 5)
    for w_shape, x_shape in (((5, 7), (7, 3)), ((5, 7), (7,)), ((1, 4, 6), (3, 6, 2)), ((6,), (2, 6, 4))):
        x = m.input(x_shape)
        w = m.random.standard_normal(w_shape).astype(np.float32)
        m.floats.add(f"y{len(m.outputs)}")
        m.node("MatMul", [m.constant(w), x], w_shape[-1], x, np.abs(w).max())
    x = m.input((3, 8))
    w = m.random.standard_normal(8).astype(np.float32)
    m.floats.add(f"y{len(m.outputs)}")
    m.node("MatMul", [x, m.constant(w)], 8, x, np.abs(w).max())
    x = m.input((8, 3))
    w = m.random.standard_normal((5, 8)).astype(np.float32)
    m.node("Gemm", [x, m.constant(w), m.constant(m.random.standard_normal(5))], 8, x, np.abs(w).max(), transA=1,
           transB=1)


def extremes(m):
    m.matmul((4, 8), 8, 5)
    x = m.feeds["x0"]
    x[0] = 0  # a row of zeros
    x[1] *= 1e-38  # units at the end of the range
    x[2] *= 1e18
    x[3, 0] = 1e-30  # digits far below the unit
    m.matmul((3, 8), 8, 5)
    m.feeds["x1"][1, 2] = np.inf
    m.feeds["x1"][2, 3] = np.nan
    # Small integers are exact.
    x = m.input((4, 9))
    m.feeds[x] = m.random.integers(-50, 50, (4, 9)).astype(np.float32)
    w = m.random.integers(-50, 50, (9, 6))
    m.node("MatMul", [x, m.constant(w)], 0, x, np.abs(w).max(0))


def recurrent(m):
    for op, gates, batch, attributes in (("LSTM", 4, 1, {}), ("GRU", 3, 1, {"linear_before_reset": 1}),
                                         ("GRU", 3, 2, {}), ("RNN", 1, 2, {}), ("LSTM", 4, 1, {"direction": "reverse"})):
        x = m.input((5, batch, 7))
        names = [x] + [m.constant(m.random.standard_normal(shape) / 3)
                       for shape in ((1, gates * 6, 7), (1, gates * 6, 6), (1, 2 * gates * 6))]
        m.node(op, names, 0, x, 1, hidden_size=6, **attributes)


def compare(name, expected, actual, bound):
    """Counts of elements beyond the bound and beyond the usual tolerance."""
    finite = np.isfinite(expected)
    error = np.abs(np.where(finite, actual - expected, 0))
    beyond = (error > bound) | (np.isnan(actual) & finite)
    usual = error > 1e-7 + 1e-3 * np.abs(np.where(finite, expected, 0))
    return int(beyond.sum()), int(usual.sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["convolutions", "batches", "products", "extremes", "recurrent"])
    parser.add_argument("--ranged", action="store_true")
    parser.add_argument("--chip", default="card")
    args = parser.parse_args()
    model = Model(7)
    globals()[args.what](model)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model.write(folder / "model.onnx")
        command = ["cimc", "run", str(folder / "model.onnx"), "--chip", args.chip, "--precision", "float"]
        if args.ranged:
            subprocess.run(["cimc", "compile", folder / "model.onnx", "--to", "qnn", "-o", folder / "model.mlir"],
                           check=True)
            command = ["cimc", "run", str(folder / "model.mlir"), "--chip", args.chip]
        for name, value in model.feeds.items():
            np.save(folder / f"{name}.npy", value)
            command += ["--input", f"{name}={folder / name}.npy"]
        for level in ("nn", "cim", "sched", "isa"):
            out = folder / level
            out.mkdir()
            done = subprocess.run(command + ["--level", level, "--output", str(out)], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{level}: exit code {done.returncode}\n{done.stderr}")
            results[level] = {p.stem: np.load(p) for p in out.glob("*.npy")}
    elements = beyond = usual = 0
    different = []
    for name, expected in sorted(results["nn"].items()):
        for level in ("sched", "isa"):
            if results[level][name].tobytes() != results["cim"][name].tobytes():
                different.append(f"{level} {name}")
        if args.ranged and name not in model.floats:
            elements += expected.size
            if expected.tobytes() != results["isa"][name].tobytes():
                different.append(f"nn {name}")
            continue
        x, w, terms = model.sums[name]
        # R13, and the rounding of fp32 sums at nn.
        with np.errstate(invalid="ignore"):
            scale = np.float64(x) * w * (2.0**-20 * terms + 2.0**-23 * terms**2)
        bound = np.where(np.isfinite(scale), scale, np.inf) + 1e-6 * np.abs(np.nan_to_num(expected))
        if terms == 0:
            bound = np.zeros(())
        b, u = compare(name, expected.astype(np.float64), results["isa"][name].astype(np.float64), bound)
        if b:
            different.append(f"{name}: {b} of {expected.size} elements beyond the bound")
        elements, beyond, usual = elements + expected.size, beyond + b, usual + u
    print(f"{elements} elements of {len(model.outputs)} sums: {beyond} beyond the bound, "
          f"{'few' if usual * 1000 <= elements else usual} beyond rtol 1e-3, levels "
          f"{'equal' if not different else 'DIFFERENT: ' + ', '.join(different)}")
    if args.what == "extremes":
        y = results["isa"]["y1"]
        print("not finite:", np.isnan(y[0]).any(), np.isnan(y[1]).all(), np.isnan(y[2]).all())
    sys.exit(1 if different or elements == 0 else 0)


if __name__ == "__main__":
    main()
