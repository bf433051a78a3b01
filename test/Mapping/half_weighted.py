#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""QDQ models with inputs of 16 bits (rule R15): nn, cim, sched and isa agree bit
by bit, and the integers are those of ONNX Runtime but for what its fp32 sums
round otherwise, which is never more than one step. ONNX Runtime computes what
is written only with its optimizations off: with them 1.31 takes pairs of 16
bits away.

usage: half_weighted.py FOLDER [--cimc CIMC] [--seed N]
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
# Coarse enough that a step in the middle of the network is at most one here.
LAST_STEP = 0.0005
TYPES = {"u16": (np.uint16, TensorProto.UINT16, 0, 65535), "i16": (np.int16, TensorProto.INT16, -32768, 32767)}


class Model:
    def __init__(self, shape, rng):
        self.nodes, self.values, self.rng, self.shape = [], [], rng, shape

    def constant(self, array, name):
        name = f"{name}{len(self.values)}"
        self.values.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, kind, inputs, **attributes):
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def pair(self, x, kind, scale, zero):
        dtype = TYPES[kind][0]
        p = [self.constant(np.float32(scale), "s"), self.constant(dtype(zero), "z")]
        return self.add("DequantizeLinear", [self.add("QuantizeLinear", [x, *p]), *p])

    def weights(self, shape, axis):
        w = self.rng.integers(-127, 128, shape).astype(np.int8)
        scale = (self.rng.uniform(0.5, 2, shape[axis]) / 500).astype(np.float32)
        return self.add("DequantizeLinear", [self.constant(w, "w"), self.constant(scale, "s"),
                                             self.constant(np.zeros(shape[axis], np.int8), "z")], axis=axis)

    def bias(self, n):
        return self.constant(self.rng.standard_normal(n).astype(np.float32), "b")

    def write(self, path, y):
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
                                  [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], self.values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


def network(rng, kind, zero):
    """Convolutions with stride, padding, groups and dilation, a pool and a
    product behind a flattened map; all behind pairs of 16 bits, and a last pair."""
    m = Model([1, 3, 9, 8], rng)
    x = m.pair("x", kind, 0.0002, zero)
    x = m.add("Conv", [x, m.weights((8, 3, 3, 3), 0), m.bias(8)], pads=[1, 1, 1, 1])
    x = m.pair(m.add("Relu", [x]), kind, 0.0003, zero)
    x = m.add("MaxPool", [x], kernel_shape=[2, 2], strides=[1, 1])
    x = m.add("Conv", [x, m.weights((6, 4, 3, 2), 0), m.bias(6)], strides=[2, 1], group=2, dilations=[1, 2])
    x = m.pair(x, kind, 0.0005, zero)
    x = m.add("Flatten", [x])
    x = m.add("MatMul", [x, m.weights((6 * 3 * 5, 10), 1)])
    return m, m.pair(m.add("Tanh", [x]), kind, LAST_STEP, zero)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    args.folder.mkdir(parents=True, exist_ok=True)
    for kind, zero in (("i16", 0), ("i16", -321), ("u16", 0), ("u16", 32771), ("u16", 9)):
        path = args.folder / f"{kind}_{zero}.onnx"
        model, y = network(rng, kind, zero)
        model.write(path, y)
        samples = args.folder / "x.npy"
        np.save(samples, rng.standard_normal((4, 1, 3, 9, 8)).astype(np.float32))
        for chip in ("card", "wearable"):
            done = subprocess.run([sys.executable, HERE.parent / "models/levels.py", path, "--input", f"x={samples}",
                                   "--chip", chip, "--cimc", args.cimc], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{path.stem} on {chip}: {done.stdout}{done.stderr}")
        out = args.folder / path.stem
        out.mkdir(exist_ok=True)
        subprocess.run([args.cimc, "run", path, "--input", f"x={samples}", "--output", out], check=True,
                       capture_output=True)
        got = np.load(out / f"{y}.npy").reshape(-1)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(path), options)
        expected = np.concatenate([session.run(None, {"x": s})[0].reshape(-1) for s in np.load(samples)])
        steps = np.rint((got.astype(np.float64) - expected) / LAST_STEP).astype(int)
        other = np.count_nonzero(steps)
        print(f"{kind} {zero}: levels equal; of {steps.size} integers {'few' if other * 10 < steps.size else other} "
              f"are not ONNX Runtime's, {'none' if np.abs(steps).max() <= 1 else np.abs(steps).max()} by more than 1")


if __name__ == "__main__":
    main()
