# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compares the nn level's integer operations with ONNX Runtime's kernels.

usage: ort_equality.py CIMC WORKDIR [--cases N] [--seed N] [--only KIND]

Random operations are written twice: as an ONNX model for ONNX Runtime and as
one function of an .mlir file, which `CIMC run --level nn` evaluates. Every
element must agree. Half of the cases have power-of-two scales, so that exact
ties are common. The input values, shapes and parameters are seeded.
"""

import argparse
import collections
import math
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    np.dtype(np.int8): ("i8", TensorProto.INT8),
    np.dtype(np.uint8): ("u8", TensorProto.UINT8),
    np.dtype(np.int32): ("i32", TensorProto.INT32),
}
AWKWARD = [1, 2, 3, 5, 7, 8, 9, 13, 16, 17]


class Quant:
    """A scale and a zero point, or arrays of them along an axis."""

    def __init__(self, dtype, scale, zero, axis=None):
        self.dtype = np.dtype(dtype)
        self.scale = np.asarray(scale, np.float32)
        self.zero = np.asarray(zero, self.dtype)
        self.axis = axis

    def mlir(self):
        kind = TYPES[self.dtype][0]
        if self.axis is None:
            return f"!quant.uniform<{kind}:f32, {float(self.scale):.17e}:{int(self.zero)}>"
        pairs = ", ".join(
            f"{float(s):.17e}:{int(z)}" for s, z in zip(self.scale.ravel(), self.zero.ravel()))
        return f"!quant.uniform<{kind}:f32:{self.axis}, {{{pairs}}}>"


def tensor_type(shape, quant):
    return "tensor<" + "".join(f"{n}x" for n in shape) + quant.mlir() + ">"


def dense(array):
    """A constant's attribute, of signless integers."""
    array = np.ascontiguousarray(array)
    kind = {1: "i8", 4: "i32"}[array.dtype.itemsize]
    shape = "".join(f"{n}x" for n in array.shape)
    text = str(array.astype(f"i{array.dtype.itemsize}").ravel().tolist())
    if array.ndim > 1 or array.size > 64:
        text = '"0x' + array.tobytes().hex().upper() + '"'
        if array.size == 1:
            text = str(int(array.ravel()[0]) if kind == "i32" else int(array.view(np.int8).ravel()[0]))
    if kind == "i8" and array.ndim == 1 and array.size <= 64:
        text = str(array.view(np.int8).tolist())
    return f"dense<{text}> : tensor<{shape}{kind}>"


class Case:
    """One operation: its inputs, its ONNX node and its nn operation."""

    def __init__(self, kind, rng, ties):
        self.kind, self.rng, self.ties = kind, rng, ties
        self.inputs, self.initializers, self.constants = [], [], []

    # Random parameters.
    def scale(self, low=-8, high=1):
        if self.ties:
            return float(2.0 ** self.rng.integers(low, high))
        return float(np.float32(2.0 ** self.rng.uniform(low, high)))

    def dtype(self):
        return [np.int8, np.uint8][self.rng.integers(2)]

    def quant(self, dtype, scale=None):
        info = np.iinfo(dtype)
        zero = self.rng.integers(info.min, info.max + 1)
        if self.rng.integers(2):
            zero |= 1  # odd zero points separate the rounding orders
        return Quant(dtype, self.scale() if scale is None else scale, zero)

    def values(self, shape, dtype):
        info = np.iinfo(dtype)
        if self.rng.integers(4) == 0:  # both ends only
            return self.rng.choice([info.min, info.max], shape).astype(dtype)
        return self.rng.integers(info.min, info.max + 1, shape).astype(dtype)

    def input(self, shape, quant):
        array = self.values(shape, quant.dtype)
        self.inputs.append((array, quant))
        return array

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def finish(self, node, mnemonic, attributes, result_quant, operands=None):
        """`operands` are (array, Quant) constants after the inputs."""
        self.node, self.mnemonic, self.attributes = node, mnemonic, attributes
        self.result_quant = result_quant
        self.operands = operands or []
        self.expected = self.run_onnx()
        return self

    def run_onnx(self):
        dtype = TYPES[self.result_quant.dtype][1]
        graph = helper.make_graph(
            [self.node], "g",
            [helper.make_tensor_value_info(f"x{i}", TYPES[a.dtype][1], a.shape)
             for i, (a, _) in enumerate(self.inputs)],
            [helper.make_tensor_value_info("y", dtype, None)], self.initializers)
        model = helper.make_model(graph, opset_imports=[
            helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
        options = ort.SessionOptions()
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {f"x{i}": a for i, (a, _) in enumerate(self.inputs)})[0]

    def mlir(self, first, result):
        """The lines of this case; its inputs are %first, %first+1, ..."""
        lines, names, types = [], [], []
        for i, (array, quant) in enumerate(self.inputs):
            names.append(f"%a{first + i}")
            types.append(tensor_type(array.shape, quant))
        for i, (array, quant) in enumerate(self.operands):
            name = f"%c{result}_{i}"
            kind = tensor_type(array.shape, quant)
            lines.append(f"    {name} = nn.constant {dense(array)} : {kind}")
            names.append(name)
            types.append(kind)
        out = tensor_type(self.expected.shape, self.result_quant)
        lines.append(f"    %r{result} = nn.{self.mnemonic} {', '.join(names)} "
                     f"{{{', '.join(self.attributes)}}} : ({', '.join(types)}) -> {out}")
        return lines, out


def array_attr(name, values):
    return f"{name} = array<i64{': ' if len(values) else ''}{', '.join(str(int(v)) for v in values)}>"


def conv(case, depthwise=False):
    rng = case.rng
    spatial = int(rng.integers(1, 3)) if not depthwise else 2
    n = int(rng.integers(1, 3))
    group = int(rng.choice([1, 1, 2, 3]))
    channels = int(rng.choice([1, 2, 3, 8, 17, 61] if group == 1 else [1, 2, 4])) * group
    outputs = int(rng.choice([1, 2, 3, 8, 9])) * group
    if depthwise:
        group = channels = int(rng.choice(AWKWARD))
        outputs = channels * int(rng.choice([1, 1, 2]))
    kernel = [int(rng.choice([1, 2, 3, 3, 5])) for _ in range(spatial)]
    strides = [int(rng.integers(1, 4)) for _ in range(spatial)]
    dilations = [int(rng.choice([1, 1, 2])) for _ in range(spatial)]
    pads = [int(rng.integers(0, k + 1)) for k in kernel + kernel]
    image = [int(rng.choice([7, 8, 9, 13])) + (k - 1) * d for k, d in zip(kernel, dilations)]
    # int8 inputs with uint8 weights are not a combination of the kernels.
    xtype, wtype = [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)][rng.integers(3)]
    xq, yq = case.quant(xtype), case.quant(xtype)
    weight = case.values([outputs, channels // group] + kernel, wtype)
    if rng.integers(2):
        low = -20 if not case.ties else -10
        scales = [case.scale(low, 0) for _ in range(outputs)]
        zeros = np.zeros(outputs, wtype) if rng.integers(2) else case.values([outputs], wtype)
        wq = Quant(wtype, scales, zeros, 0)
        weight[int(rng.integers(outputs))] = 0
    else:
        wq = case.quant(wtype)
    depth = channels // group * math.prod(kernel)
    yq.scale = np.float32(2.0 ** math.ceil(math.log2(float(xq.scale) * float(np.max(wq.scale)) * 40 * math.sqrt(depth)))
                          * (1 if case.ties else rng.uniform(.6, 1.2)))
    case.input([n, channels] + image, xq)
    limit = 2 ** int(rng.choice([4, 15, 24, 30]))
    bias = rng.integers(-limit, limit + 1, outputs).astype(np.int32)
    names = ["x0", case.constant("xs", xq.scale), case.constant("xz", xq.zero), case.constant("w", weight),
             case.constant("ws", wq.scale), case.constant("wz", wq.zero), case.constant("ys", yq.scale),
             case.constant("yz", yq.zero)]
    operands = [(weight, wq)]
    if rng.integers(3):
        names.append(case.constant("b", bias))
        operands.append((bias, Quant(np.int32, np.float32(1.0), 0)))
    node = helper.make_node("QLinearConv", names, ["y"], strides=strides, pads=pads, dilations=dilations,
                            group=group, kernel_shape=kernel)
    return case.finish(node, "conv", [array_attr("strides", strides), array_attr("pads", pads),
                                      array_attr("dilations", dilations), f"group = {group} : i64"], yq, operands)


def depthwise_conv(case):
    return conv(case, depthwise=True)


def matmul(case):
    rng = case.rng
    m, k, n = (int(rng.choice(AWKWARD)), int(rng.choice([1, 2, 31, 64, 257, 519, 1000])), int(rng.choice(AWKWARD)))
    batch = [[], [2], [2, 3]][rng.integers(3)]
    aq, yq = case.quant(np.uint8), case.quant(np.uint8)
    wtype = case.dtype()
    bq = case.quant(wtype)
    shape = [k, n]
    activation = rng.integers(2)
    if activation:
        shape = batch + shape
    elif rng.integers(2):
        bq = Quant(wtype, [case.scale(-12, 0) for _ in range(n)], np.zeros(n, wtype), 1)
    yq.scale = np.float32(2.0 ** math.ceil(math.log2(float(aq.scale) * float(np.max(bq.scale)) * 40 * math.sqrt(k))))
    case.input(batch + [m, k], aq)
    operands = []
    if activation:
        case.input(shape, bq)
        b = "x1"
    else:
        weight = case.values(shape, wtype)
        b = case.constant("b", weight)
        operands = [(weight, bq)]
    node = helper.make_node("QLinearMatMul", [
        "x0", case.constant("as", aq.scale), case.constant("az", aq.zero), b, case.constant("bs", bq.scale),
        case.constant("bz", bq.zero), case.constant("ys", yq.scale), case.constant("yz", yq.zero)], ["y"])
    return case.finish(node, "matmul", [], yq, operands)


def broadcast_shapes(rng):
    full = [int(rng.choice([1, 2, 3])), int(rng.choice(AWKWARD)), int(rng.choice(AWKWARD)), int(rng.choice(AWKWARD))]
    other = list(full)
    kind = rng.integers(6)
    if kind == 1:
        other = [1, full[1], 1, 1]
    elif kind == 2:
        other = [full[3]]
    elif kind == 3:
        other = []
    elif kind == 4:
        other = [1 if rng.integers(2) else n for n in full]
    elif kind == 5:
        full[2] = full[3] = 1
        other = [1, full[1], 1, 1]
    return (full, other) if rng.integers(2) else (other, full)


def binary(case, op, mnemonic):
    rng = case.rng
    dtype = case.dtype()
    shape_a, shape_b = broadcast_shapes(rng)
    aq, bq, cq = case.quant(dtype), case.quant(dtype), case.quant(dtype)
    if case.ties:
        # k / 2^j moved by a few ulps separates the orders of operations.
        for q in (aq, bq):
            scale = np.float32(int(rng.integers(1, 16)) / 2.0 ** int(rng.integers(3, 9)))
            for _ in range(int(rng.integers(0, 4))):
                scale = np.nextafter(scale, np.float32(rng.choice([0.0, 9.0])), dtype=np.float32)
            q.scale = scale
        cq.scale = np.float32(2.0 ** rng.integers(-6, 0))
    if op == "QLinearMul" and rng.integers(4):
        cq.scale = np.float32(float(aq.scale) * float(bq.scale) * (64 if case.ties else 91.7))
    case.input(shape_a, aq)
    case.input(shape_b, bq)
    names = ["x0", case.constant("as", aq.scale), case.constant("az", aq.zero), "x1", case.constant("bs", bq.scale),
             case.constant("bz", bq.zero), case.constant("cs", cq.scale), case.constant("cz", cq.zero)]
    return case.finish(helper.make_node(op, names, ["y"], domain="com.microsoft"), mnemonic, [], cq)


def add(case):
    return binary(case, "QLinearAdd", "add")


def mul(case):
    return binary(case, "QLinearMul", "mul")


def activation_params(case):
    dtype = case.dtype()
    return case.quant(dtype), case.quant(dtype)


def quant_names(case, xq, yq):
    return ["x0", case.constant("xs", xq.scale), case.constant("xz", xq.zero), case.constant("ys", yq.scale),
            case.constant("yz", yq.zero)]


def global_average_pool(case):
    rng = case.rng
    xq, yq = activation_params(case)
    yq.scale = np.float32(float(xq.scale) * 2.0 ** -int(rng.integers(0, 4)))
    case.input([int(rng.choice([1, 2])), int(rng.choice(AWKWARD)), int(rng.choice(AWKWARD)),
                int(rng.choice(AWKWARD))], xq)
    node = helper.make_node("QLinearGlobalAveragePool", quant_names(case, xq, yq), ["y"], domain="com.microsoft",
                            channels_last=0)
    return case.finish(node, "global_avg_pool", [], yq)


def average_pool(case):
    rng = case.rng
    xq, yq = activation_params(case)
    yq.scale = np.float32(float(xq.scale) * float(2.0 ** -rng.integers(0, 3) if case.ties else rng.uniform(.3, 1.5)))
    kernel = [int(rng.choice([1, 2, 3, 4, 7])) for _ in range(2)]
    strides = [int(rng.integers(1, 4)) for _ in range(2)]
    pads = [int(rng.integers(0, k)) for k in kernel + kernel]
    image = [int(rng.choice([7, 8, 9, 13])) for _ in kernel]
    ceil, include = int(rng.integers(2)), int(rng.integers(2))
    if rng.integers(4) == 0:  # the window is the image: the rule of the global average
        kernel, pads = image, [0, 0, 0, 0]
    case.input([1, int(rng.choice(AWKWARD)), *image], xq)
    node = helper.make_node("QLinearAveragePool", quant_names(case, xq, yq), ["y"], domain="com.microsoft",
                            kernel_shape=kernel, strides=strides, pads=pads, ceil_mode=ceil,
                            count_include_pad=include)
    flags = ["ceil_mode"] * ceil + ["count_include_pad"] * include
    return case.finish(node, "avg_pool", [array_attr("kernel", kernel), array_attr("strides", strides),
                                          array_attr("pads", pads), array_attr("dilations", [1, 1])] + flags, yq)


def max_pool(case):
    rng = case.rng
    xq, _ = activation_params(case)
    kernel = [int(rng.choice([1, 2, 3])) for _ in range(2)]
    strides = [int(rng.integers(1, 4)) for _ in range(2)]
    dilations = [int(rng.choice([1, 2])) for _ in range(2)]
    pads = [int(rng.integers(0, k)) for k in kernel + kernel]
    ceil = int(rng.integers(2))
    case.input([1, int(rng.choice(AWKWARD)), 9, 13], xq)
    node = helper.make_node("MaxPool", ["x0"], ["y"], kernel_shape=kernel, strides=strides, pads=pads,
                            dilations=dilations, ceil_mode=ceil)
    return case.finish(node, "max_pool", [array_attr("kernel", kernel), array_attr("strides", strides),
                                          array_attr("pads", pads), array_attr("dilations", dilations)]
                       + ["ceil_mode"] * ceil, xq)


def all_codes(case, quant):
    """Every value of the type once."""
    info = np.iinfo(quant.dtype)
    array = np.arange(info.min, info.max + 1).astype(quant.dtype).reshape(2, 128)
    case.inputs.append((array, quant))


def sigmoid(case):
    xq, yq = activation_params(case)
    yq.scale = np.float32(2.0 ** -8 if case.ties else case.rng.uniform(.002, .01))
    all_codes(case, xq)
    node = helper.make_node("QLinearSigmoid", quant_names(case, xq, yq), ["y"], domain="com.microsoft")
    return case.finish(node, "sigmoid", [], yq)


def leaky_relu(case):
    xq, yq = activation_params(case)
    alpha = float(np.float32(2.0 ** -case.rng.integers(1, 4) if case.ties else case.rng.uniform(0.01, 0.5)))
    all_codes(case, xq)
    node = helper.make_node("QLinearLeakyRelu", quant_names(case, xq, yq), ["y"], domain="com.microsoft", alpha=alpha)
    return case.finish(node, "leaky_relu", [f"alpha = {alpha:.17e} : f32"], yq)


def softmax(case):
    rng = case.rng
    xq, yq = activation_params(case)
    yq.scale = np.float32(rng.choice([2.0 ** -8, 2.0 ** -7, .05, .0041, 1.5]))
    shape = [int(rng.choice([1, 2, 5])), int(rng.choice(AWKWARD)), int(rng.choice([1, 2, 10, 100, 1000]))]
    axis = int(rng.integers(3))
    case.input(shape, xq)
    node = helper.make_node("QLinearSoftmax", quant_names(case, xq, yq), ["y"], domain="com.microsoft", axis=axis,
                            opset=13)
    return case.finish(node, "softmax", [f"axis = {axis} : i64"], yq)


def concat(case):
    rng = case.rng
    dtype = case.dtype()
    yq = case.quant(dtype)
    axis = int(rng.integers(4))
    shape = [int(rng.choice([1, 2, 3])) for _ in range(3)] + [int(rng.choice(AWKWARD))]
    names = [case.constant("ys", yq.scale), case.constant("yz", yq.zero)]
    for i in range(int(rng.integers(1, 4))):
        q = case.quant(dtype, yq.scale * np.float32(rng.choice([.5, 1.0, 1.5]))) if rng.integers(3) else yq
        case.input([int(rng.choice(AWKWARD)) if j == axis else n for j, n in enumerate(shape)], q)
        names += [f"x{i}", case.constant(f"s{i}", q.scale), case.constant(f"z{i}", q.zero)]
    node = helper.make_node("QLinearConcat", names, ["y"], domain="com.microsoft", axis=axis)
    return case.finish(node, "concat", [f"axis = {axis} : i64"], yq)


KINDS = {f.__name__: f for f in (conv, depthwise_conv, matmul, add, mul, global_average_pool, average_pool, max_pool,
                                 sigmoid, leaky_relu, softmax, concat)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cimc")
    parser.add_argument("workdir")
    parser.add_argument("--cases", type=int, default=30, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(KINDS))
    args = parser.parse_args()

    cases = []
    for number, (kind, make) in enumerate(KINDS.items()):
        for i in range(args.cases if args.only in (None, kind) else 0):
            rng = np.random.default_rng([args.seed, number, i])
            cases.append(make(Case(kind, rng, ties=i % 2 == 0)))

    os.makedirs(args.workdir, exist_ok=True)
    inputs = os.path.join(args.workdir, "inputs")
    outputs = os.path.join(args.workdir, "outputs")
    for folder in (inputs, outputs):
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))
    body, arguments, results = [], [], []
    for number, case in enumerate(cases):
        lines, out = case.mlir(len(arguments), number)
        for array, quant in case.inputs:
            np.save(os.path.join(inputs, f"input_{len(arguments)}.npy"), array)
            arguments.append(f"%a{len(arguments)}: {tensor_type(array.shape, quant)}")
        body += lines
        results.append(out)
    path = os.path.join(args.workdir, "cases.mlir")
    with open(path, "w") as file:
        file.write("func.func @main({}) -> ({}) {{\n".format(",\n    ".join(arguments), ",\n    ".join(results)))
        file.write("\n".join(body))
        file.write("\n    return {} : {}\n}}\n".format(", ".join(f"%r{i}" for i in range(len(cases))),
                                                      ", ".join(results)))
    command = [args.cimc, "run", path, "--level", "nn", "--input", inputs, "--output", outputs]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")

    compared, tied, wrong = collections.Counter(), collections.Counter(), collections.Counter()
    for number, case in enumerate(cases):
        got = np.load(os.path.join(outputs, f"output_{number}.npy"))
        if got.shape != case.expected.shape or got.dtype != case.expected.dtype:
            sys.exit(f"case {number} ({case.kind}): {got.dtype}{got.shape}, but ONNX Runtime gives "
                     f"{case.expected.dtype}{case.expected.shape}")
        bad = int((got != case.expected).sum())
        compared[case.kind] += got.size
        tied[case.kind] += got.size if case.ties else 0
        wrong[case.kind] += bad
        if bad:
            where = tuple(int(v) for v in np.argwhere(got != case.expected)[0])
            print(f"case {number} ({case.kind}): {bad} of {got.size} differ, first at {where}: "
                  f"{got[where]}, but ONNX Runtime gives {case.expected[where]}")
    for kind in compared:
        print(f"{kind}: {compared[kind]} elements, {tied[kind]} with forced ties, {wrong[kind]} differ")
    total, ties, bad = (sum(c.values()) for c in (compared, tied, wrong))
    if total == 0 or ties < total / 5:
        sys.exit(f"only {total} elements were compared, {ties} of them with forced ties")
    if bad:
        sys.exit(f"{bad} of {total} elements differ")
    print(f"all {total} elements agree")


if __name__ == "__main__":
    main()
