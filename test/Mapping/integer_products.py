#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compares products of integers with ONNX Runtime, element by element.

usage: integer_products.py CIMC WORKDIR [--only NAME]

Every case is run at the nn level and compiled and run on the chip (--precision
float). Integers must be equal; what DynamicQuantizeLinear makes of floats, too,
up to the last bits of the scale's product.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper
import onnxruntime

RANDOM = np.random.default_rng(20261121)


def integers(shape, dtype):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max + 1, shape).astype(dtype)


def product(op, a, b, zero_a=None, zero_b=None, constant="b", types=(np.uint8, np.int8), **attributes):
    """One node. `constant` names the operands (a, b, x and w, the zero points) that are initializers."""
    feeds, initializers, names = {}, {}, []
    for name, shape, dtype in (("a", a, types[0]), ("b", b, types[1]), ("x", zero_a, types[0]), ("w", zero_b, types[1])):
        if shape is None:
            names.append("")
            continue
        names.append(name)
        (initializers if name in constant else feeds)[name] = integers(shape, dtype)
    return [helper.make_node(op, names, ["y"], **attributes)], feeds, initializers


def dynamic(rows, weights, zero):
    """What onnxruntime.quantization.quantize_dynamic makes of a product with constant weights and a bias."""
    nodes = [helper.make_node("DynamicQuantizeLinear", ["v"], ["q", "s", "z"]),
             helper.make_node("MatMulInteger", ["q", "b", "z"] + (["w"] if zero else []), ["i"]),
             helper.make_node("Cast", ["i"], ["f"], to=onnx.TensorProto.FLOAT),
             helper.make_node("Mul", ["s", "t"], ["st"]), helper.make_node("Mul", ["f", "st"], ["m"]),
             helper.make_node("Add", ["m", "bias"], ["y"])]
    dtype = np.uint8 if zero else np.int8
    initializers = {"b": integers(weights, dtype), "t": np.float32(0.01),
                    "bias": RANDOM.standard_normal(weights[1]).astype(np.float32)}
    if zero:
        initializers["w"] = np.uint8(131)
    return nodes, {"v": RANDOM.standard_normal((*rows, weights[0])).astype(np.float32)}, initializers


CASES = {
    "matmul": lambda: product("MatMulInteger", (4, 9), (9, 6)),
    "matmul_zero": lambda: product("MatMulInteger", (4, 9), (9, 6), ()),
    "matmul_zero_constant": lambda: product("MatMulInteger", (4, 9), (9, 6), (), (), constant="bxw"),
    "matmul_columns": lambda: product("MatMulInteger", (2, 4, 9), (9, 6), (), (6,), constant="bw",
                                      types=(np.uint8, np.uint8)),
    "matmul_left": lambda: product("MatMulInteger", (4, 9), (9, 6), (), (), constant="ax"),
    "matmul_large": lambda: product("MatMulInteger", (3, 700), (700, 130), (), constant="b"),
    "matmul_computed": lambda: product("MatMulInteger", (4, 9), (9, 6), (), (6,), constant=""),
    "matmul_computed_long": lambda: product("MatMulInteger", (2, 3, 300), (2, 300, 5), (), (), constant="",
                                            types=(np.uint8, np.uint8)),
    "matmul_computed_signed": lambda: product("MatMulInteger", (3, 70), (70, 5), constant="", types=(np.int8, np.int8)),
    "conv": lambda: product("ConvInteger", (2, 3, 7, 5), (4, 3, 3, 3), (), pads=[1, 0, 1, 2]),
    "conv_zero_constant": lambda: product("ConvInteger", (1, 3, 7, 5), (4, 3, 3, 2), (), (), constant="bxw",
                                          pads=[1, 1, 1, 1], types=(np.uint8, np.uint8)),
    "conv_strided": lambda: product("ConvInteger", (1, 4, 9, 8), (6, 4, 3, 2), (), strides=[2, 1]),
    "conv_groups": lambda: product("ConvInteger", (1, 4, 6, 6), (6, 2, 3, 3), (), group=2, pads=[1, 1, 1, 1],
                                   dilations=[2, 1]),
    "conv_depthwise": lambda: product("ConvInteger", (1, 4, 6, 6), (4, 1, 3, 3), (), group=4, pads=[1, 1, 1, 1]),
    "conv_line": lambda: product("ConvInteger", (2, 3, 12), (5, 3, 4), (), pads=[2, 1]),
    "conv_computed": lambda: product("ConvInteger", (2, 4, 6, 5), (6, 2, 3, 3), (), (), constant="", group=2,
                                     pads=[1, 1, 1, 1], strides=[1, 2]),
    "dynamic": lambda: dynamic((5,), (16, 7), False),
    "dynamic_batch": lambda: dynamic((2, 5), (40, 12), True),
}


def check(cimc, folder, case):
    nodes, feeds, initializers = case
    value = lambda name, array: helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
    graph = helper.make_graph(nodes, "graph", [value(*item) for item in feeds.items()], [onnx.ValueInfoProto(name="y")],
                              [numpy_helper.from_array(np.asarray(array), name) for name, array in initializers.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "in").mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    for name, array in feeds.items():
        np.save(folder / "in" / f"{name}.npy", array)
    want = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)[0]
    for level in ("nn", "isa"):
        done = subprocess.run([cimc, "run", str(folder / "model.onnx"), "--level", level, "--precision", "float",
                               "--input", str(folder / "in"), "--output", str(folder / level)],
                              capture_output=True, text=True)
        if done.returncode:
            return f"{level}: exit code {done.returncode}: {done.stderr.strip()[:300]}"
        got = np.load(folder / level / "y.npy")
        if got.shape != want.shape or got.dtype != want.dtype:
            return f"{level}: {got.dtype}{got.shape}, not {want.dtype}{want.shape}"
        same = got == want if want.dtype == np.int32 else np.isclose(got, want, rtol=1e-6, atol=1e-6)
        if not same.all():
            return f"{level}: {(~same).sum()} of {same.size} differ, by {np.abs(got.astype(float) - want).max()}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cimc")
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    failed = 0
    names = [name for name in CASES if options.only in name]
    for name in names:
        problem = check(options.cimc, options.workdir / name, CASES[name]())
        if problem:
            failed += 1
            print(f"{name}: {problem}")
    print(f"{failed} of {len(names)} cases differ" if failed else f"all {len(names)} cases agree")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
