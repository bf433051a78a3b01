# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: warning_models.py DIR: networks and calibration samples with something wrong."""
import pathlib
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

folder = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(0)
# All positive, so that large inputs drive clip and tanh to their upper ends.
weights = np.abs(rng.normal(size=(16, 8)) / 10).astype(np.float32)
bias = rng.normal(size=8).astype(np.float32)
last = rng.normal(size=(8, 4)).astype(np.float32)


def save(name, nodes, constants, inputs=("x",)):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(i, onnx.TensorProto.FLOAT, [1, 16 if i == "x" else 8]) for i in inputs],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), folder / f"{name}.onnx")


def node(op, inputs, output, name=None, **attributes):
    return helper.make_node(op, inputs, [output], name or output, **attributes)


def dense(name, w=weights, b=bias, middle=(("Clip", "clip", ("c", "low", "high")),)):
    save(name, [node("Gemm", ["x", "w", "b"], "c", "fc"),
                *[node(op, list(inputs), title) for op, title, inputs in middle],
                node("MatMul", [middle[-1][1], "l"], "y", "last")],
         {"w": w, "b": b, "l": last, "low": 0, "high": 6})


dense("plain")
dense("tanh", middle=(("Tanh", "tanh", ("c",)),))
dense("dead", w=weights * (np.arange(8) != 3), b=bias * (np.arange(8) != 3))
dense("bias", w=weights * 1e-6, b=bias * 1e6)
mask = np.where(np.arange(8) % 2, 0, -1e9).astype(np.float32)
save("mask", [node("Gemm", ["x", "w", "b"], "c", "fc"), node("Add", ["c", "mask"], "m"),
              node("Softmax", ["m"], "y", axis=-1)], {"w": weights, "b": bias}, ("x", "mask"))
save("constant", [node("Gemm", ["x", "w", "b"], "c", "fc"), node("Add", ["c", "mask"], "m"),
                  node("Softmax", ["m"], "y", axis=-1)], {"w": weights, "b": bias, "mask": mask[None]})
samples = rng.uniform(size=(64, 1, 16)).astype(np.float32)
samples[:, 0, 0], samples[:, 0, 1] = 0, 1
np.save(folder / "plain.npy", samples)
np.save(folder / "ten.npy", samples[:10])
np.save(folder / "growing.npy", samples * np.where(np.arange(64) < 40, 1, 3).astype(np.float32)[:, None, None])
np.save(folder / "pixels.npy", samples * np.float32(255))
(folder / "mask").mkdir()
np.save(folder / "mask" / "x.npy", samples)
np.save(folder / "mask" / "mask.npy", np.broadcast_to(mask, (64, 1, 8)))
