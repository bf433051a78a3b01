# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Operators of opsets 1 to 6, whose forms were others, against NumPy at the nn level.

usage: early_opsets.py CIMC WORKDIR
"""

import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

RNG = np.random.default_rng(6)


def reals(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def constant(*values, dtype=np.float32):
    return np.array(values, dtype)


x, row, channel = reals(2, 3, 4), reals(4), reals(3)
image = reals(1, 2, 2, 3)
mean, variance = reals(2), np.abs(reals(2)) + 1

# name, opset, operator, inputs, initializers behind them, attributes, expected
CASES = [
    ("add", 6, "Add", [x, x + 1], [], {}, x + x + 1),
    ("add last axes", 6, "Add", [x, row], [], {"broadcast": 1}, x + row),
    ("sub axis", 1, "Sub", [x, channel], [], {"broadcast": 1, "axis": 1, "consumed_inputs": [0, 0]},
     x - channel[:, None]),
    ("mul negative axis", 6, "Mul", [x, channel], [], {"broadcast": 1, "axis": -2}, x * channel[:, None]),
    ("div axes", 6, "Div", [x, x[0] + 9], [], {"broadcast": 1, "axis": 1}, x / (x[0] + 9)),
    ("pow", 1, "Pow", [np.abs(x), channel], [], {"broadcast": 1, "axis": 1}, np.abs(x) ** channel[:, None]),
    ("greater", 1, "Greater", [x, channel], [], {"broadcast": 1, "axis": 1}, x > channel[:, None]),
    ("and", 1, "And", [x > 0, row > 0], [], {"broadcast": 1}, (x > 0) & (row > 0)),
    ("prelu", 6, "PRelu", [x, channel], [], {}, np.where(x >= 0, x, x * channel[:, None])),
    ("selu", 1, "Selu", [x], [], {}, np.where(x > 0, 1.0507 * x, 1.0507 * 1.6732 * np.expm1(x))),
    ("cast", 1, "Cast", [x * 3], [], {"to": "INT32"}, (x * 3).astype(np.int32)),
    ("reshape", 1, "Reshape", [x], [], {"shape": [0, -1]}, x.reshape(2, 12)),
    ("concat", 1, "Concat", [x, x], [], {}, np.concatenate([x, x], 1)),
    ("pad", 1, "Pad", [x], [], {"paddings": [0, 1, 0, 1, 0, 2], "value": 7.0},
     np.pad(x, [(0, 1), (1, 0), (0, 2)], constant_values=7)),
    ("tile", 1, "Tile", [x], [constant(3), constant(1)], {}, np.tile(x, (1, 3, 1))),
    ("upsample", 1, "Upsample", [image], [], {"height_scale": 2.0, "width_scale": 3.0, "mode": "nearest"},
     image.repeat(2, 2).repeat(3, 3)),
    ("batch norm", 6, "BatchNormalization", [image], [mean, mean + 1, mean, variance], {"is_test": 1, "epsilon": 0.0},
     (image - mean[:, None, None]) / np.sqrt(variance)[:, None, None] * mean[:, None, None] + (mean + 1)[:, None, None]),
    ("dropout", 6, "Dropout", [x], [], {"is_test": 1, "ratio": 0.5}, x),
    ("lp pool", 1, "GlobalLpPool", [image], [], {"p": 2.0}, np.sqrt((image ** 2).sum((2, 3), keepdims=True))),
    ("not", 1, "Not", [x > 0], [], {}, ~(x > 0)),
    ("clip", 6, "Clip", [x], [], {"min": -0.5}, np.maximum(x, -0.5)),
    ("gemm", 6, "Gemm", [x[0]], [reals(4, 5), reals(5)], {"broadcast": 1}, None),
]

# The message and exit code of what is wrong.
WRONG = [
    ("no broadcast", 6, "Add", [x, row], {}, 3,
     "operands of shapes 2x3x4 and 4 need the attribute broadcast before opset 7"),
    ("axis", 6, "Add", [x, x[0]], {"broadcast": 1, "axis": 2}, 3,
     "the axes of 3x4 are not among those of 2x3x4 from axis 2 on"),
    ("type name", 1, "Cast", [x], {"to": "INT3"}, 3, "there is no element type 'INT3'"),
    ("exponent", 1, "GlobalLpPool", [image], {"p": 2.5}, 4, "p is 2.5; whole numbers of at least 1 are supported"),
    ("tiles", 1, "Tile", [x, constant(3, 4), constant(1)], {}, 3,
     "there are 2 repeats and 1 axes; before opset 6 there is one of each"),
    ("later operator", 6, "Sin", [x], {}, 4, "needs opset 7 or later"),
]


def model(name, opset, op, inputs, initializers, attributes, kind):
    names = ["x%d" % i for i in range(len(inputs))] + ["w%d" % i for i in range(len(initializers))]
    values = [helper.make_tensor_value_info("x%d" % i, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
              for i, a in enumerate(inputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)], "g", values,
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(a, "w%d" % i) for i, a in enumerate(initializers)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)


def main():
    cimc, work = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    path = os.path.join(work, "model.onnx")
    for name, opset, op, inputs, initializers, attributes, expected in CASES:
        if expected is None:
            expected = inputs[0] @ initializers[0] + initializers[1]
        kind = {"f": onnx.TensorProto.FLOAT, "i": onnx.TensorProto.INT32,
                "b": onnx.TensorProto.BOOL}[expected.dtype.kind]
        onnx.save(model(name, opset, op, inputs, initializers, attributes, kind), path)
        command = [cimc, "run", path, "--level", "nn", "--output", work]
        for i, array in enumerate(inputs):
            np.save(os.path.join(work, "x%d.npy" % i), array)
            command += ["--input", "x%d=%s/x%d.npy" % (i, work, i)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit("%s: exit code %d: %s" % (name, done.returncode, done.stderr))
        got = np.load(os.path.join(work, "y.npy"))
        if got.shape != expected.shape or not np.allclose(got, expected, rtol=1e-4, atol=1e-5):
            sys.exit("%s: got %s, expected %s" % (name, got, expected))
    for name, opset, op, inputs, attributes, code, message in WRONG:
        onnx.save(model(name, opset, op, inputs[:1], inputs[1:], attributes, onnx.TensorProto.FLOAT), path)
        done = subprocess.run([cimc, "compile", path, "--to", "import", "-o", os.devnull], capture_output=True, text=True)
        if done.returncode != code or message not in done.stderr:
            sys.exit("%s: exit code %d: %s" % (name, done.returncode, done.stderr))
    print("%d cases agree, %d messages" % (len(CASES), len(WRONG)))


if __name__ == "__main__":
    main()
