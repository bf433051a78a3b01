#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Trains the handwritten-digits network that the project ships.

Data: the 1,797 real 8x8 digits inside scikit-learn (Debian python3-sklearn),
values 0 to 16. The network is a small CNN (two 3x3 convolutions with ReLU and
max pooling, one fully connected layer), trained with plain NumPy so that
nothing but Debian packages is needed and the result is the same everywhere.

Writes next to this script (arrays have a leading axis of samples):
  digits.onnx              the network, float, opset 13, input 1x1x8x8
  digits_calibration.npy   64 training images, for choosing ranges
  digits_samples.npy       10 test images, one of each digit
  digits_test.npz          the 360 test images and labels

usage: train_digits.py [OUTPUT_DIRECTORY]
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

EPOCHS, BATCH, RATE = 60, 32, 2e-3


def patches(x):
    """[N, C, H, W] padded by one -> [N, H, W, C * 9], kernel innermost."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    n, c, h, w = x.shape
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


def unpatches(g, shape):
    """The adjoint of `patches`."""
    n, c, h, w = shape
    g = g.reshape(n, h, w, c, 3, 3)
    out = np.zeros((n, c, h + 2, w + 2), g.dtype)
    for i in range(3):
        for j in range(3):
            out[:, :, i:i + h, j:j + w] += g[:, :, :, :, i, j].transpose(0, 3, 1, 2)
    return out[:, :, 1:-1, 1:-1]


def pool(x):
    """2x2 maximum and where it was."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
    arg = blocks.argmax(-1)
    return np.take_along_axis(blocks, arg[..., None], -1)[..., 0], arg


def unpool(g, arg, shape):
    n, c, h, w = shape
    blocks = np.zeros((n, c, h // 2, w // 2, 4), g.dtype)
    np.put_along_axis(blocks, arg[..., None], g[..., None], -1)
    return blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(shape)


class Network:
    def __init__(self, rng):
        def he(*shape):
            return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)

        self.p = {"w1": he(8, 1, 3, 3), "b1": np.zeros(8, np.float32),
                  "w2": he(16, 8, 3, 3), "b2": np.zeros(16, np.float32),
                  "w3": he(10, 64), "b3": np.zeros(10, np.float32)}

    def forward(self, x):
        p, t = self.p, {}
        t["x"], t["c1"] = x, patches(x)
        a = (t["c1"] @ p["w1"].reshape(8, -1).T + p["b1"]).transpose(0, 3, 1, 2)
        t["a1"] = np.maximum(a, 0)
        t["p1"], t["m1"] = pool(t["a1"])
        t["c2"] = patches(t["p1"])
        a = (t["c2"] @ p["w2"].reshape(16, -1).T + p["b2"]).transpose(0, 3, 1, 2)
        t["a2"] = np.maximum(a, 0)
        t["p2"], t["m2"] = pool(t["a2"])
        t["f"] = t["p2"].reshape(len(x), -1)
        return t["f"] @ p["w3"].T + p["b3"], t

    def gradients(self, x, y):
        logits, t = self.forward(x)
        e = np.exp(logits - logits.max(1, keepdims=True))
        d = e / e.sum(1, keepdims=True)
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        p, g = self.p, {}
        g["w3"], g["b3"] = d.T @ t["f"], d.sum(0)
        d = unpool((d @ p["w3"]).reshape(t["p2"].shape), t["m2"], t["a2"].shape) * (t["a2"] > 0)
        d = d.transpose(0, 2, 3, 1)
        g["w2"] = np.einsum("nhwo,nhwk->ok", d, t["c2"]).reshape(p["w2"].shape)
        g["b2"] = d.sum((0, 1, 2))
        d = unpatches(d @ p["w2"].reshape(16, -1), t["p1"].shape)
        d = unpool(d, t["m1"], t["a1"].shape) * (t["a1"] > 0)
        d = d.transpose(0, 2, 3, 1)
        g["w1"] = np.einsum("nhwo,nhwk->ok", d, t["c1"]).reshape(p["w1"].shape)
        g["b1"] = d.sum((0, 1, 2))
        return g


def train(network, x, y, rng):
    moments = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in network.p.items()}
    step = 0
    for epoch in range(EPOCHS):
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            batch = order[start:start + BATCH]
            step += 1
            for key, grad in network.gradients(x[batch], y[batch]).items():
                m, v = moments[key]
                m += 0.1 * (grad - m)
                v += 0.001 * (grad * grad - v)
                network.p[key] -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)


def to_onnx(p):
    conv = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["conv1_out"], "conv1", **conv),
        helper.make_node("Relu", ["conv1_out"], ["relu1_out"], "relu1"),
        helper.make_node("MaxPool", ["relu1_out"], ["pool1_out"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pool1_out", "conv2.weight", "conv2.bias"], ["conv2_out"], "conv2", **conv),
        helper.make_node("Relu", ["conv2_out"], ["relu2_out"], "relu2"),
        helper.make_node("MaxPool", ["relu2_out"], ["pool2_out"], "pool2", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pool2_out"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["scores"], "fc", transB=1),
    ]
    names = {"w1": "conv1.weight", "b1": "conv1.bias", "w2": "conv2.weight", "b2": "conv2.bias",
             "w3": "fc.weight", "b3": "fc.bias"}
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(p[k].astype(np.float32), n) for k, n in names.items()])
    model = helper.make_model(graph, producer_name="cimc train_digits.py",
                              opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    return model


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    rng = np.random.default_rng(1)
    digits = load_digits()
    x = digits.images[:, None].astype(np.float32)
    y = digits.target
    order = rng.permutation(len(x))
    test, rest = order[:360], order[360:]
    network = Network(rng)
    network.p["w1"] /= 8  # pixel values are 0 to 16
    train(network, x[rest], y[rest], rng)
    answers = network.forward(x[test])[0].argmax(1)
    print(f"test accuracy {np.mean(answers == y[test]):.4f} of {len(test)}")
    onnx.save(to_onnx(network.p), out / "digits.onnx")
    np.save(out / "digits_calibration.npy", x[rest[:64], None])
    samples = [test[np.flatnonzero(y[test] == digit)[0]] for digit in range(10)]
    np.save(out / "digits_samples.npy", x[samples, None])
    np.savez_compressed(out / "digits_test.npz", image=x[test, None], label=y[test].astype(np.uint8))


if __name__ == "__main__":
    main()
