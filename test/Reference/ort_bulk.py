# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compares integer operators of ONNX models with ONNX Runtime's kernels, many
elements at a time, a good part of them exact rounding ties.

usage: ort_bulk.py CIMC WORKDIR [--elements N] [--cases N] [--seed N] [--size N]

Round after round one ONNX model with 42 random nodes, three of each operator,
is run by ONNX Runtime and by `CIMC run --level nn`; every element must have the
same bits. Two of three are made so that sums before rounding often end in
exactly .5. Ties are counted by computing these sums exactly, and those that
saturate are not counted. Rounds end when there are enough elements and cases.
ort_equality.py has the odd shapes and parameters; this one has the numbers.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ONNX_TYPES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int32": TensorProto.INT32,
              "float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}
MS = "com.microsoft"


def ties(exact, zero, dtype):
    """Elements whose exact value is halfway between integers and in range."""
    info = np.iinfo(dtype)
    return int(np.count_nonzero((np.abs(exact - np.trunc(exact)) == .5) & (exact + zero > info.min)
                                & (exact + zero < info.max)))


class Round:
    """The nodes of one model, with their inputs and the ties in their outputs."""

    def __init__(self, rng, size):
        self.rng, self.size = rng, size
        self.nodes, self.constants, self.inputs, self.outputs, self.kinds, self.tied = [], [], {}, [], [], []

    def dtype(self):
        return np.dtype([np.int8, np.uint8][self.rng.integers(2)])

    def zero(self, dtype, near=False):
        info = np.iinfo(dtype)
        if near:  # the middle of the range, so that little saturates
            return int((info.min + info.max + 1) // 2 + self.rng.integers(-9, 10))
        return int(self.rng.integers(info.min, info.max + 1))

    def scale(self, low=-6, high=1):
        return float(np.float32(2.0 ** self.rng.uniform(low, high)))

    def values(self, shape, dtype, around=None, spread=None):
        info = np.iinfo(dtype)
        low, high = info.min, info.max
        if around is not None:
            low, high = max(low, around - spread), min(high, around + spread)
        return self.rng.integers(low, high + 1, shape).astype(dtype)

    def constant(self, value, dtype):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def pair(self, scale, zero, dtype):
        return [self.constant(scale, np.float32), self.constant(zero, dtype)]

    def input(self, array):
        name = f"x{len(self.inputs)}"
        self.inputs[name] = array
        return name

    def add(self, kind, inputs, dtype, tied=0, domain="", **attributes):
        name = f"y{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        self.outputs.append(helper.make_tensor_value_info(name, ONNX_TYPES[np.dtype(dtype).name], None))
        self.kinds.append(kind)
        self.tied.append(tied)

    # The operators. `tie`: sums end in .5 where they can.

    def sums(self, tie, depth):
        """Types and parameters of a sum of products, its inputs' spreads."""
        x = self.dtype() if not tie else np.dtype(np.uint8)
        w = np.dtype(np.int8)
        zx, zy = self.zero(x, tie), self.zero(x, tie)
        if tie:
            sx, sw = 2.0 ** -int(self.rng.integers(1, 5)), 2.0 ** -int(self.rng.integers(1, 5))
            return x, w, zx, zy, sx, sw, sx * sw * 2, 5, 3
        sx, sw = self.scale(), self.scale()
        return x, w, zx, zy, sx, sw, sx * sw * 40 * depth ** .5, 300, 300

    def conv(self, tie):
        c, h = 8, 32
        m = max(1, self.size // (h * h))
        x, w, zx, zy, sx, sw, sy, dx, dw = self.sums(tie, c)
        a = self.values([1, c, h, h], x, zx, dx)
        b = self.values([m, c, 3, 3], w, 0, dw)
        bias = self.rng.integers(-20, 21, m).astype(np.int32)
        scales = np.full(m, sw, np.float32) * (1 if tie else self.rng.uniform(.25, 1, m).astype(np.float32))
        tied = 0
        if tie:
            exact = exact_conv(a.astype(np.float32) - zx, b.astype(np.float32), bias.astype(np.float32))
            tied = ties(exact.astype(np.float64) / 2, zy, x)
        self.add("QLinearConv", [self.input(a), *self.pair(sx, zx, x), self.constant(b, w),
                                 self.constant(scales, np.float32), self.constant(np.zeros(m), w),
                                 *self.pair(sy, zy, x), self.constant(bias, np.int32)], x, tied, pads=[1, 1, 1, 1])

    def matmul(self, tie):
        k, n = 24, 64
        m = max(1, self.size // n)
        _, w, zx, _, sx, sw, sy, dx, dw = self.sums(tie, k)
        x = np.dtype(np.uint8)
        zx, zy = self.zero(x, True), self.zero(x, tie)
        a, b = self.values([m, k], x, zx, dx), self.values([k, n], w, 0, dw)
        tied = ties((a.astype(np.float64) - zx) @ b / 2, zy, x) if tie else 0
        self.add("QLinearMatMul", [self.input(a), *self.pair(sx, zx, x), self.constant(b, w), *self.pair(sw, 0, w),
                                   *self.pair(sy, zy, x)], x, tied)

    def gemm(self, tie):
        k, n = 24, 64
        m = max(1, self.size // n)
        x, w, zx, zy, sx, sw, sy, dx, dw = self.sums(tie, k)
        a, b = self.values([m, k], x, zx, dx), self.values([k, n], w, 0, dw)
        bias = self.rng.integers(-20, 21, n).astype(np.int32)
        tied = ties(((a.astype(np.float64) - zx) @ b + bias) / 2, zy, x) if tie else 0
        self.add("QGemm", [self.input(a), *self.pair(sx, zx, x), self.constant(b, w), *self.pair(sw, 0, w),
                           self.constant(bias, np.int32), *self.pair(sy, zy, x)], x, tied, MS)

    def shapes(self):
        c, w = 32, 32
        full = [max(1, self.size // (c * w)), c, w]
        other = [full, [c, 1], [w], [], [1, c, w]][self.rng.integers(5)]
        return (full, other) if self.rng.integers(2) else (other, full)

    def binary(self, kind, tie):
        x = self.dtype()
        za, zb, zy = self.zero(x, tie), self.zero(x, tie), self.zero(x, tie)
        shape_a, shape_b = self.shapes()
        spread = (60 if kind == "QLinearAdd" else 13) if tie else None
        a, b = self.values(shape_a, x, za if tie else None, spread), self.values(shape_b, x, zb if tie else None, spread)
        sa, sb, sy = self.scale(), self.scale(), self.scale()
        tied = 0
        if tie and kind == "QLinearAdd":
            sa = sb = 2.0 ** -int(self.rng.integers(1, 5))
            sy = 2 * sa
            tied = ties((a.astype(np.float64) - za + b - zb) / 2, zy, x)
        elif tie:
            sa, sb = 2.0 ** -int(self.rng.integers(1, 5)), 2.0 ** -int(self.rng.integers(1, 5))
            sy = 2 * sa * sb
            tied = ties((a.astype(np.float64) - za) * (b.astype(np.float64) - zb) / 2, zy, x)
        self.add(kind, [self.input(a), *self.pair(sa, za, x), self.input(b), *self.pair(sb, zb, x),
                        *self.pair(sy, zy, x)], x, tied, MS)

    def addition(self, tie):
        self.binary("QLinearAdd", tie)

    def product(self, tie):
        self.binary("QLinearMul", tie)

    def moved(self, tie, count):
        """Tensors that go through R4 into another scale."""
        x = self.dtype()
        zy, sy, parts, tied = self.zero(x, tie), self.scale(), [], []
        for _ in range(count):
            z = self.zero(x, tie)
            s = sy
            if tie:
                sy = 2.0 ** round(np.log2(sy))
                s = sy / 2
            elif self.rng.integers(2):
                s = self.scale()
            parts.append((self.values([1, self.size // 64 // count, 64], x), s, z))
            tied.append((parts[-1][0].astype(np.float64) - z) * .5)
        return x, zy, sy, parts, tied

    def concat(self, tie):
        x, zy, sy, parts, exact = self.moved(tie, 2)
        names = self.pair(sy, zy, x)
        for array, s, z in parts:
            names += [self.input(array), *self.pair(s, z, x)]
        self.add("QLinearConcat", names, x, sum(ties(e, zy, x) for e in exact) if tie else 0, MS, axis=1)

    def where(self, tie):
        x, zy, sy, parts, exact = self.moved(tie, 2)
        condition = self.rng.integers(0, 2, parts[0][0].shape).astype(bool)
        names = [self.input(condition)]
        for array, s, z in parts:
            names += [self.input(array), *self.pair(s, z, x)]
        self.add("QLinearWhere", names + self.pair(sy, zy, x), x,
                 ties(np.where(condition, *exact), zy, x) if tie else 0, MS)

    def global_average(self, tie):
        x = self.dtype()
        zx, zy, sx = self.zero(x, tie), self.zero(x, tie), self.scale()
        sy = sx * float(2.0 ** self.rng.uniform(-2, 0))
        if tie:
            sx = 2.0 ** -int(self.rng.integers(1, 5))
            sy = sx / 2
        a = self.values([1, max(1, self.size // 8), 2, 2], x, zx if tie else None, 60)
        tied = ties((a.astype(np.float64) - zx).sum((2, 3)) / 2, zy, x) if tie else 0
        self.add("QLinearGlobalAveragePool", [self.input(a), *self.pair(sx, zx, x), *self.pair(sy, zy, x)], x, tied, MS,
                 channels_last=0)

    def average(self, tie):
        x = self.dtype()
        zx, zy, sx = self.zero(x, tie), self.zero(x, tie), self.scale()
        sy = sx * float(2.0 ** self.rng.uniform(-2, 1))
        if tie:
            sx = 2.0 ** -int(self.rng.integers(1, 5))
            sy = sx / 2
        a = self.values([1, max(1, self.size // 1024), 64, 64], x, zx if tie else None, 60)
        tied = 0
        if tie:
            sums = (a.astype(np.float64) - zx).reshape(1, a.shape[1], 32, 2, 32, 2).sum((3, 5))
            tied = ties(sums / 2, zy, x)
        self.add("QLinearAveragePool", [self.input(a), *self.pair(sx, zx, x), *self.pair(sy, zy, x)], x, tied, MS,
                 kernel_shape=[2, 2], strides=[2, 2])

    def softmax(self, tie):
        x = self.dtype()
        a = self.values([max(1, self.size // 1024), 256], x)
        zy = self.zero(x)
        self.add("QLinearSoftmax", [self.input(a), *self.pair(self.scale(-5, 0), self.zero(x), x),
                                    *self.pair([2.0 ** -8, .0041][self.rng.integers(2)], zy, x)], x, 0, MS, axis=1, opset=13)

    def sigmoid(self, tie):
        x = self.dtype()
        a = self.values([max(1, self.size // 1024), 256], x)
        self.add("QLinearSigmoid", [self.input(a), *self.pair(self.scale(), self.zero(x), x),
                                    *self.pair(2.0 ** -8 if tie else self.scale(-9, -6), self.zero(x), x)], x, 0, MS)

    def leaky(self, tie):
        x = self.dtype()
        zx, zy, s = self.zero(x, tie), self.zero(x, tie), self.scale()
        a = self.values([max(1, self.size // 1024), 256], x)
        tied = 0
        if tie:
            s = 2.0 ** -int(self.rng.integers(1, 5))
            real = a.astype(np.float64) - zx
            tied = ties(np.where(real < 0, real / 2, real), zy, x)
        self.add("QLinearLeakyRelu", [self.input(a), *self.pair(s, zx, x), *self.pair(s if tie else self.scale(), zy, x)],
                 x, tied, MS, alpha=.5 if tie else .17)

    def matmul_integer(self, tie):
        k, n = 24, 64
        x = self.dtype()
        a, b = self.values([max(1, self.size // 1024), k], x), self.values([k, n], np.dtype(np.int8))
        self.add("MatMulInteger", [self.input(a), self.constant(b, np.int8), self.constant(self.zero(x), x),
                                   self.constant(self.zero(np.int8), np.int8)], np.int32)

    def dynamic(self, tie):
        k, n = 24, 64
        a = self.rng.normal(size=[max(1, self.size // 1024), k]).astype(np.float32)
        b = self.values([k, n], np.dtype(np.int8))
        self.add("DynamicQuantizeMatMul", [self.input(a), self.constant(b, np.int8),
                                           self.constant(self.scale(), np.float32), self.constant(0, np.int8)],
                 np.float32, 0, MS)

    KINDS = [conv, matmul, gemm, addition, product, concat, where, global_average, average, softmax, sigmoid, leaky,
             matmul_integer, dynamic]

    def model(self):
        inputs = [helper.make_tensor_value_info(name, ONNX_TYPES[a.dtype.name], a.shape) for name, a in self.inputs.items()]
        graph = helper.make_graph(self.nodes, "g", inputs, self.outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], ir_version=8)


def run_onnx(model, inputs):
    options = ort.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, inputs)


def exact_conv(x, w, bias):
    """In fp32, exact as long as sums are below 2^24."""
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])], "g",
                              [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape)
                               for n, a in (("x", x), ("w", w), ("b", bias))],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return run_onnx(model, {"x": x, "w": w, "b": bias})[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cimc")
    parser.add_argument("workdir")
    parser.add_argument("--elements", type=float, default=1e6, help="at least so many are compared")
    parser.add_argument("--cases", type=int, default=42, help="at least so many nodes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=1 << 16, help="elements of a large result")
    args = parser.parse_args()
    # Emptied for every case, so it is a folder of its own.
    args.workdir = os.path.join(args.workdir, "case")
    cases, compared, tied = 0, collections.Counter(), collections.Counter()
    number = 0
    while sum(compared.values()) < args.elements or cases < args.cases:
        rng = np.random.default_rng([args.seed, number])
        number += 1
        one = Round(rng, args.size)
        for make in Round.KINDS:
            for tie in (True, True, False):
                make(one, tie)
        shutil.rmtree(args.workdir, ignore_errors=True)
        os.makedirs(os.path.join(args.workdir, "out"))
        model = one.model()
        path = os.path.join(args.workdir, "model.onnx")
        onnx.save(model, path)
        command = [args.cimc, "run", path, "--level", "nn", "--precision", "float", "--json",
                   "--output", os.path.join(args.workdir, "out")]
        for name, array in one.inputs.items():
            np.save(os.path.join(args.workdir, name + ".npy"), array)
            command += ["--input", f"{name}={os.path.join(args.workdir, name + '.npy')}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"seed {args.seed}, round {number - 1}: {' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
        files = {o["name"]: o["file"] for o in json.loads(done.stdout)["outputs"]}
        for output, kind, ties_here, expected in zip(one.outputs, one.kinds, one.tied, run_onnx(model, one.inputs)):
            got = np.load(files[output.name])
            if got.dtype != expected.dtype or got.size != expected.size:
                sys.exit(f"{kind}: {got.dtype}{got.shape}, but ONNX Runtime gives {expected.dtype}{expected.shape}")
            bits = f"u{got.dtype.itemsize}"
            bad = np.count_nonzero(got.reshape(expected.shape).view(bits) != np.ascontiguousarray(expected).view(bits))
            if bad:
                sys.exit(f"seed {args.seed}, round {number - 1}, {kind} {output.name}: {bad} of {got.size} elements differ")
            cases += 1
            compared[kind] += got.size
            tied[kind] += ties_here
    total, ties_all = sum(compared.values()), sum(tied.values())
    for kind in compared:
        print(f"{kind}: {compared[kind]} elements, {tied[kind]} ties")
    if ties_all < total / 5:
        sys.exit(f"only {ties_all} of {total} elements are ties")
    print(f"all {total} elements of {cases} cases agree, {ties_all} of them ties")


if __name__ == "__main__":
    main()
