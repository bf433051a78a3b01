# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks that PIMCOMP reports, as int8 QDQ models with random weights.

Layer shapes are those of torchvision, except where PIMCOMP's product counts show
another version: SqueezeNet 1.1, ResNet-50 with its strides in the 1 x 1
convolutions, GoogLeNet with 5 x 5 kernels. Batch normalization is folded away.
The weights are seeded noise: mapping and time do not depend on them.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Writes QDQ operations; values are (name, channels, height, width)."""

    def __init__(self, name, size):
        self.name, self.nodes, self.initializers = name, [], []
        self.random = np.random.default_rng(7)
        self.count = 0
        self.scale = self.constant(np.float32(0.05))
        self.zero = self.constant(np.int8(0))
        self.bias_zero = self.constant(np.int32(0))
        self.input = helper.make_tensor_value_info("image", TensorProto.INT8, [1, 3, size, size])
        self.x = ("image", 3, size, size)

    def new(self):
        self.count += 1
        return f"t{self.count}"

    def constant(self, value):
        name = self.new()
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, inputs, name=None, **attributes):
        out = self.new()
        self.nodes.append(helper.make_node(op, inputs, [out], name=name or out, **attributes))
        return out

    def dequantize(self, name):
        return self.node("DequantizeLinear", [name, self.scale, self.zero])

    def quantize(self, name):
        return self.node("QuantizeLinear", [name, self.scale, self.zero])

    def conv(self, x, channels, kernel, stride=1, pad=None, groups=1, relu=True):
        """A convolution, Conv + Relu between quantize and dequantize."""
        name, cin, h, w = x
        kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        ph, pw = ((kh // 2, kw // 2) if pad is None else pad if isinstance(pad, tuple) else (pad, pad))
        k = cin // groups * kh * kw
        weights = self.random.integers(-127, 128, (channels, cin // groups, kh, kw), dtype=np.int8)
        scale = np.float32(1 / (73 * np.sqrt(k)))
        wq = self.node("DequantizeLinear", [self.constant(weights), self.constant(scale), self.zero])
        bias = self.constant(np.zeros(channels, np.int32))
        bq = self.node("DequantizeLinear", [bias, self.constant(np.float32(scale * np.float32(0.05))), self.bias_zero])
        y = self.node("Conv", [self.dequantize(name), wq, bq], f"conv{self.count}", kernel_shape=[kh, kw],
                      strides=[stride, stride], pads=[ph, pw, ph, pw], group=groups)
        if relu:
            y = self.node("Relu", [y])
        out = lambda n, k, p: (n + 2 * p - k) // stride + 1
        return self.quantize(y), channels, out(h, kh, ph), out(w, kw, pw)

    def pool(self, x, kernel, stride, pad=0, average=False, ceil=False):
        name, c, h, w = x
        kind = "AveragePool" if average else "MaxPool"
        extra = {"count_include_pad": 1} if average else {}
        y = self.node(kind, [self.dequantize(name)], kernel_shape=[kernel, kernel], strides=[stride, stride],
                      pads=[pad] * 4, ceil_mode=int(ceil), **extra)
        def out(n):
            size = -(-(n + 2 * pad - kernel) // stride) + 1 if ceil else (n + 2 * pad - kernel) // stride + 1
            return size - 1 if ceil and (size - 1) * stride >= n + pad else size
        return self.quantize(y), c, out(h), out(w)

    def global_pool(self, x):
        name, c, _, _ = x
        return self.quantize(self.node("GlobalAveragePool", [self.dequantize(name)])), c, 1, 1

    def add(self, a, b, relu=True):
        y = self.node("Add", [self.dequantize(a[0]), self.dequantize(b[0])])
        if relu:
            y = self.node("Relu", [y])
        return (self.quantize(y), *a[1:])

    def concat(self, *parts):
        y = self.node("Concat", [self.dequantize(p[0]) for p in parts], axis=1)
        return self.quantize(y), sum(p[1] for p in parts), *parts[0][2:]

    def linear(self, x, columns, relu=False):
        name, c, h, w = x
        k = c * h * w
        if h * w > 1 or len(x) == 4:
            flat = self.node("Flatten", [self.dequantize(name)])
            name = self.quantize(flat)
        weights = self.random.integers(-127, 128, (k, columns), dtype=np.int8)
        scale = np.float32(1 / (73 * np.sqrt(k)))
        wq = self.node("DequantizeLinear", [self.constant(weights), self.constant(scale), self.zero])
        bq = self.node("DequantizeLinear", [self.constant(np.zeros(columns, np.int32)),
                                            self.constant(np.float32(scale * np.float32(0.05))), self.bias_zero])
        y = self.node("Gemm", [self.dequantize(name), wq, bq], f"fc{self.count}")
        if relu:
            y = self.node("Relu", [y])
        return self.quantize(y), columns, 1, 1

    def shuffle(self, x, groups):
        name, c, h, w = x
        y = self.node("Reshape", [self.dequantize(name), self.constant(np.array([1, groups, c // groups, h, w]))])
        y = self.node("Transpose", [self.quantize_pair(y)], perm=[0, 2, 1, 3, 4])
        y = self.node("Reshape", [self.quantize_pair(y), self.constant(np.array([1, c, h, w]))])
        return (self.quantize(y), c, h, w)

    def quantize_pair(self, name):
        return self.dequantize(self.quantize(name))

    def split(self, x):
        name, c, h, w = x
        halves = []
        for begin in (0, c // 2):
            y = self.node("Slice", [self.dequantize(name), self.constant(np.array([begin])),
                                    self.constant(np.array([begin + c // 2])), self.constant(np.array([1]))])
            halves.append((self.quantize(y), c // 2, h, w))
        return halves

    def model(self, x):
        name, c, h, w = x
        output = helper.make_tensor_value_info(name, TensorProto.INT8, [1, c] if h == 1 and self.flat(name) else [1, c, h, w])
        graph = helper.make_graph(self.nodes, self.name, [self.input], [output], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        return model

    def flat(self, name):
        producers = {node.output[0]: node for node in self.nodes}
        node = producers[name]
        while node.op_type in ("QuantizeLinear", "Relu"):
            node = producers[node.input[0]]
        return node.op_type in ("Gemm", "Flatten")


def alexnet():
    n = Net("alexnet", 224)
    x = n.pool(n.conv(n.x, 64, 11, 4, 2), 3, 2)
    x = n.pool(n.conv(x, 192, 5), 3, 2)
    x = n.conv(n.conv(n.conv(x, 384, 3), 256, 3), 256, 3)
    x = n.pool(x, 3, 2)
    return n.model(n.linear(n.linear(n.linear(x, 4096, True), 4096, True), 1000))


def vgg16():
    n = Net("vgg16", 224)
    x = n.x
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = n.conv(x, width, 3)
        x = n.pool(x, 2, 2)
    return n.model(n.linear(n.linear(n.linear(x, 4096, True), 4096, True), 1000))


def resnet(name, blocks, bottleneck):
    n = Net(name, 224)
    x = n.pool(n.conv(n.x, 64, 7, 2), 3, 2, 1)
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            out = width * 4 if bottleneck else width
            if bottleneck:
                y = n.conv(n.conv(n.conv(x, width, 1, stride), width, 3), out, 1, relu=False)
            else:
                y = n.conv(n.conv(x, width, 3, stride), out, 3, relu=False)
            if stride > 1 or x[1] != out:
                x = n.conv(x, out, 1, stride, relu=False)
            x = n.add(y, x)
    return n.model(n.linear(n.global_pool(x), 1000))


def squeezenet():
    n = Net("squeezenet", 224)
    x = n.pool(n.conv(n.x, 64, 3, 2, 0), 3, 2, ceil=True)
    def fire(x, squeeze, expand):
        x = n.conv(x, squeeze, 1)
        return n.concat(n.conv(x, expand, 1), n.conv(x, expand, 3))
    x = n.pool(fire(fire(x, 16, 64), 16, 64), 3, 2, ceil=True)
    x = n.pool(fire(fire(x, 32, 128), 32, 128), 3, 2, ceil=True)
    x = fire(fire(fire(fire(x, 48, 192), 48, 192), 64, 256), 64, 256)
    x = n.conv(x, 1000, 1)
    return n.model(n.global_pool(x))


def googlenet():
    n = Net("googlenet", 224)
    x = n.pool(n.conv(n.x, 64, 7, 2), 3, 2, ceil=True)
    x = n.pool(n.conv(n.conv(x, 64, 1), 192, 3), 3, 2, ceil=True)
    def inception(x, a, b0, b, c0, c, d):
        return n.concat(n.conv(x, a, 1), n.conv(n.conv(x, b0, 1), b, 3), n.conv(n.conv(x, c0, 1), c, 5),
                        n.conv(n.pool(x, 3, 1, 1), d, 1))
    x = inception(x, 64, 96, 128, 16, 32, 32)
    x = n.pool(inception(x, 128, 128, 192, 32, 96, 64), 3, 2, ceil=True)
    for widths in ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
                   (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)):
        x = inception(x, *widths)
    x = n.pool(x, 2, 2, ceil=True)
    x = inception(inception(x, 256, 160, 320, 32, 128, 128), 384, 192, 384, 48, 128, 128)
    return n.model(n.linear(n.global_pool(x), 1000))


def inception_v3():
    n = Net("inception_v3", 299)
    c = n.conv
    x = c(c(c(n.x, 32, 3, 2, 0), 32, 3, 1, 0), 64, 3)
    x = n.pool(x, 3, 2)
    x = n.pool(c(c(x, 80, 1), 192, 3, 1, 0), 3, 2)
    def pooled(x):
        return n.pool(x, 3, 1, 1, average=True)
    for width in (32, 64, 64):
        x = n.concat(c(x, 64, 1), c(c(x, 48, 1), 64, 5), c(c(c(x, 64, 1), 96, 3), 96, 3), c(pooled(x), width, 1))
    x = n.concat(c(x, 384, 3, 2, 0), c(c(c(x, 64, 1), 96, 3), 96, 3, 2, 0), n.pool(x, 3, 2))
    for w in (128, 160, 160, 192):
        x = n.concat(c(x, 192, 1), c(c(c(x, w, 1), w, (1, 7)), 192, (7, 1)),
                     c(c(c(c(c(x, w, 1), w, (7, 1)), w, (1, 7)), w, (7, 1)), 192, (1, 7)), c(pooled(x), 192, 1))
    x = n.concat(c(c(x, 192, 1), 320, 3, 2, 0), c(c(c(c(x, 192, 1), 192, (1, 7)), 192, (7, 1)), 192, 3, 2, 0),
                 n.pool(x, 3, 2))
    for _ in range(2):
        a, b = c(x, 384, 1), c(c(x, 448, 1), 384, 3)
        x = n.concat(c(x, 320, 1), n.concat(c(a, 384, (1, 3)), c(a, 384, (3, 1))),
                     n.concat(c(b, 384, (1, 3)), c(b, 384, (3, 1))), c(pooled(x), 192, 1))
    return n.model(n.linear(n.global_pool(x), 1000))


def mobilenetv2():
    n = Net("mobilenetv2", 224)
    x = n.conv(n.x, 32, 3, 2)
    for t, width, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                    (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            s = stride if i == 0 else 1
            y = x if t == 1 else n.conv(x, x[1] * t, 1)
            y = n.conv(y, y[1], 3, s, groups=y[1])
            y = n.conv(y, width, 1, relu=False)
            x = n.add(x, y, relu=False) if s == 1 and x[1] == width else y
    return n.model(n.linear(n.global_pool(n.conv(x, 1280, 1)), 1000))


def shufflenet():
    n = Net("shufflenet", 224)
    x = n.pool(n.conv(n.x, 24, 3, 2), 3, 2, 1)
    for width, count in ((116, 4), (232, 8), (464, 4)):
        for i in range(count):
            half = width // 2
            if i == 0:
                a = n.conv(n.conv(x, x[1], 3, 2, groups=x[1], relu=False), half, 1)
                b = n.conv(x, half, 1)
            else:
                a, b = n.split(x)
                b = n.conv(b, half, 1)
            b = n.conv(n.conv(b, half, 3, 2 if i == 0 else 1, groups=half, relu=False), half, 1)
            x = n.shuffle(n.concat(a, b), 2)
    return n.model(n.linear(n.global_pool(n.conv(x, 1024, 1)), 1000))


NETWORKS = {
    "squeezenet": squeezenet,
    "googlenet": googlenet,
    "resnet18": lambda: resnet("resnet18", (2, 2, 2, 2), False),
    "resnet34": lambda: resnet("resnet34", (3, 4, 6, 3), False),
    "resnet50": lambda: resnet("resnet50", (3, 4, 6, 3), True),
    "inception_v3": inception_v3,
    "mobilenetv2": mobilenetv2,
    "shufflenet": shufflenet,
    "alexnet": alexnet,
    "vgg16": vgg16,
}
