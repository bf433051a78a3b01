#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models made to harm whoever reads them, by class of weakness.

Each must end with the exit code and message stated here, within 10 seconds of processor time and
10^9 bytes of memory (not measured under a sanitizer), and without a file in place of the result.
Classes are CWE numbers, with the CVEs of ONNX parsers, runtimes and protobuf that they stand for.
Prints a table and what went wrong. Needs Python alone, and `cimc` in PATH.

usage: hostile.py WORK_DIRECTORY [--sanitized] [CLASS_OR_NAME_PART]
"""
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
from onnx_wire import (BOOL, DOUBLE, INT8, INT32, INT64, STRING, attribute, data,  # noqa: E402
                       external, floats, function, graph, ints, model, node, number, tensor,
                       value_info, varint)

INVALID, UNSUPPORTED = 3, 4
WORK = os.path.abspath(sys.argv[1])
SANITIZED = "--sanitized" in sys.argv[2:]
ONLY = [a for a in sys.argv[2:] if not a.startswith("--")]
SECONDS, BYTES = 10, 10 ** 9
shutil.rmtree(WORK, ignore_errors=True)
os.makedirs(os.path.join(WORK, "models"))
CASES = []
CLASS = ""


def path(name):
    return os.path.join(WORK, "models", name)


def hostile(name, code, pattern, content, args=(), suffix=".onnx"):
    """A model, and what it must end with. `content` is bytes, a function that gives them, or
    None where the file is there."""
    CASES.append((CLASS, name, code, pattern, content, list(args), suffix))


X, Y = value_info("x", [1, 4]), value_info("y", [1, 4])


def simple(nodes, initializers=(), inputs=(X,), outputs=(Y,), **options):
    return model(graph(nodes, inputs, outputs, initializers), **options)


def relu(source="x", to="y", **options):
    return node("Relu", [source], [to], **options)


def weight(w, **options):
    """y = x + w."""
    return simple([node("Add", ["x", "w"], ["y"])], [w], **options)


# ---- External data ----------------------------------------------------------------------------

with open(os.path.join(WORK, "secret"), "wb") as file:
    file.write(bytes(4096))
os.makedirs(path("sub"))
with open(path("weights"), "wb") as file:
    file.write(bytes(4096))


def beside(name, pattern, location, offset=None, length=None, extra=(), code=INVALID, dims=(4,)):
    hostile(name, code, pattern, weight(external("w", dims, location, offset, length, extra=extra)))


OUTSIDE = "leads outside the model's folder"
CLASS = "CWE-22 path traversal (CVE-2022-25882, CVE-2024-27318, CVE-2024-5187, CVE-2025-51480)"
beside("absolute location", "must be a path relative", "/etc/passwd")
beside("absolute location into the folder", "must be a path relative", path("weights"))
beside("parent directory", OUTSIDE, "../secret")
beside("parent of a subdirectory", OUTSIDE, "sub/../../secret")
beside("current, then parent directory", OUTSIDE, "./../secret")
beside("doubled slashes", OUTSIDE, "sub//..//..//secret")
beside("up to the root", "external data", "../" * 64 + "etc/passwd")
beside("directory that does not exist, and up", "external data", "nowhere/../../secret")
beside("URL", "cannot read external data", "file:///etc/passwd")
beside("home directory", "cannot read external data", "~/secret")
beside("no location", "must be a path relative", "")
beside("NUL in the location", "must be a path relative", "weights\0.txt")
beside("location of 1 MB", "cannot read external data|File name too long", "a/" * 500000)
hostile("traversal in an attribute's tensor", INVALID, OUTSIDE, simple(
    [node("Constant", [], ["w"], value=external("", [4], "../secret")),
     node("Add", ["x", "w"], ["y"])]))

CLASS = "CWE-59 links out of the folder"
os.symlink("../secret", path("link"))
os.symlink("..", path("up"))
os.symlink("link", path("chain"))
os.symlink("loop", path("loop"))
os.symlink("nothing", path("dangling"))
os.symlink("/dev/zero", path("zero"))
os.link(os.path.join(WORK, "secret"), path("hard"))
beside("symbolic link", OUTSIDE, "link")
beside("symbolic link to a directory", OUTSIDE, "up/secret")
beside("link to a link", OUTSIDE, "chain")
beside("link to itself", "cannot read external data", "loop")
beside("link to nothing", "cannot read external data", "dangling")
beside("hard link", "2 names .hard links.", "hard")

CLASS = "CWE-67 files that are no files"
os.mkfifo(path("pipe"))
os.mkfifo(path("pipe.onnx"))
beside("pipe", "not a regular file", "pipe")
beside("directory", "not a regular file", "sub")
beside("device behind a link", OUTSIDE, "zero")
hostile("pipe as model", INVALID, "not a regular file", None, suffix=path("pipe.onnx"))

CLASS = "CWE-125 external data past the file's end"
beside("offset at the end", "do not exist", "weights", 4096)
beside("offset past the end", "do not exist", "weights", 1 << 40)
beside("last byte missing", "do not exist", "weights", 4081)
beside("offset + length overflow", "do not exist", "weights", 2 ** 64 - 8)
beside("offset of 2^63", "do not exist", "weights", 2 ** 63)
beside("offset beyond 64 bits", "not a number", "weights", 2 ** 64)
beside("negative offset", "not a number", "weights", -16)
beside("offset with a fraction", "not a number", "weights", "0.5")
beside("offset in hexadecimal", "not a number", "weights", "0x10")
beside("empty offset", "not a number", "weights", "")
beside("length too short", "needs 16 bytes, but its external data has length 15", "weights", 0, 15)
beside("length too long", "needs 16 bytes, but its external data has length 4096", "weights", 0, 4096)
beside("negative length", "not a number", "weights", 0, -1)
beside("location twice", "twice", "weights", extra=[("location", "../secret")])
beside("offset twice", "twice", "weights", 0, extra=[("offset", "8")])
beside("shape larger than the file", "do not exist", "weights", dims=[1 << 20])
hostile("external and inline at once", INVALID, "both", weight(
    external("w", [4], "weights") + data(9, bytes(16))))

# ---- Tensors ----------------------------------------------------------------------------------

CLASS = "CWE-190 sizes that overflow"
for dims in ([2 ** 62, 4], [2 ** 32, 2 ** 32], [2 ** 63 - 1] * 2, [65536] * 4, [2 ** 34]):
    hostile("weight of %s" % "x".join(map(str, dims)), INVALID, "is too large",
            weight(tensor("w", dims, raw=bytes(16))))
    hostile("input of %s" % "x".join(map(str, dims)), INVALID, "is too large",
            simple([relu()], inputs=[value_info("x", dims)]))
hostile("negative dimension", INVALID, "negative dimension", weight(tensor("w", [-4], raw=bytes(16))))
hostile("two negative dimensions", INVALID, "negative dimension",
        weight(tensor("w", [-2, -2], raw=bytes(16))))
hostile("10^6 axes", INVALID, "axes; at most", weight(tensor("w", [1] * 10 ** 6, raw=bytes(4))))
hostile("external shape that overflows", INVALID, "is too large",
        weight(external("w", [2 ** 62, 4], "weights")))
hostile("result that overflows", INVALID, "is too large", simple(
    [node("MatMul", ["x", "z"], ["y"])],
    inputs=[value_info("x", [2 ** 32, 1]), value_info("z", [1, 2 ** 32])]))
hostile("padding of 2^63 - 1", "34", "too much|too large", simple(
    [node("Pad", ["x", "p"], ["y"])], [tensor("p", [4], INT64, ints([2 ** 63 - 1] * 4))]))
hostile("padding of -2^63", "34", "too much|removes more", simple(
    [node("Pad", ["x", "p"], ["y"])], [tensor("p", [4], INT64, ints([-2 ** 63] * 4))]))
hostile("reshape whose product overflows", INVALID, "too large|cannot take", simple(
    [node("Reshape", ["x", "s"], ["y"])], [tensor("s", [3], INT64, ints([2 ** 62, 4, 4]))]))
hostile("reshape by -2^63", INVALID, "dimension", simple(
    [node("Reshape", ["x", "s"], ["y"])], [tensor("s", [1], INT64, ints([-2 ** 63]))]))
hostile("axis of -2^63", INVALID, "axis", simple([node("Softmax", ["x"], ["y"], axis=-2 ** 63)]))
hostile("axis to insert of 2^63 - 1", INVALID, "axis", simple(
    [node("Unsqueeze", ["x", "a"], ["y"])], [tensor("a", [1], INT64, ints([2 ** 63 - 1]))]))
image = dict(inputs=[value_info("x", [1, 1, 4, 4])], outputs=[value_info("y", [1, 1, 4, 4])])
for key, value in (("kernel_shape", [2 ** 62] * 2), ("strides", [2 ** 63 - 1] * 2),
                   ("pads", [2 ** 63 - 1] * 4), ("dilations", [2 ** 62] * 2)):
    options = dict(kernel_shape=[2, 2])
    options[key] = value
    hostile("pooling with %s of %d" % (key, value[0]), "34", r"MaxPool.*",
            simple([node("MaxPool", ["x"], ["y"], **options)], **image))
for key, value in (("strides", [-1, 1]), ("pads", [2 ** 62] * 4), ("dilations", [2 ** 40] * 2),
                   ("group", 2 ** 62)):
    hostile("convolution with %s of %s" % (key, value), "34", "Conv", simple(
        [node("Conv", ["x", "w"], ["y"], **{key: value})],
        [tensor("w", [1, 1, 2, 2], raw=bytes(16))], **image))

CLASS = "CWE-125 data shorter or longer than the shape (CVE-2024-27319)"
for name, extra in (("raw data too short", data(9, bytes(15))), ("raw data too long", data(9, bytes(17))),
                    ("no data", b""), ("one float of four", data(4, floats([1]))),
                    ("five floats of four", data(4, floats([1] * 5))),
                    ("integers for floats", data(5, bytes(4))),
                    ("long raw data for a short shape", data(9, bytes(100000))),
                    ("long floats for a short shape", data(4, bytes(100000)))):
    hostile(name, INVALID, "needs", weight(tensor("w", [4], extra=extra)))
hostile("16 bytes for 4 GB", INVALID, "needs 4000000000 bytes, but the file holds 16",
        weight(tensor("w", [10 ** 8, 10], raw=bytes(16))))
hostile("raw and float data", INVALID, "both", weight(tensor("w", [4], raw=bytes(16), extra=data(4, floats([1] * 4)))))
hostile("bias shorter than the channels", INVALID, "bias", simple(
    [node("Conv", ["x", "w", "b"], ["y"])],
    [tensor("w", [4, 1, 1, 1], raw=bytes(16)), tensor("b", [3], raw=bytes(12))], **image))
hostile("batch normalization with short statistics", INVALID, "BatchNormalization", simple(
    [node("BatchNormalization", ["x", "s", "s", "s", "m"], ["y"])],
    [tensor("s", [1], raw=bytes(4)), tensor("m", [3], raw=bytes(12))], **image))
hostile("index outside the data", INVALID, "index 9", simple(
    [node("Gather", ["d", "i"], ["w"]), node("Add", ["x", "w"], ["y"])],
    [tensor("d", [4], raw=bytes(16)), tensor("i", [1], INT64, ints([9]))]))
hostile("index of -2^63", INVALID, "index -9223372036854775808", simple(
    [node("Gather", ["d", "i"], ["w"]), node("Add", ["x", "w"], ["y"])],
    [tensor("d", [4], raw=bytes(16)), tensor("i", [1], INT64, ints([-2 ** 63]))]))
quantize = [tensor("s", [3], raw=floats([1, 1, 1])), tensor("z", [3], INT8, raw=bytes(3))]
hostile("fewer scales than channels", INVALID, "DequantizeLinear|QuantizeLinear", simple(
    [node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=1)], quantize))

# ---- Nesting and growth -----------------------------------------------------------------------

NO_MODEL = "not an ONNX model|of no known kind, not a model"
CLASS = "CWE-674 recursion without end (CVE-2024-7254, CVE-2025-4565)"


def nested(depth):
    """If in If in If, written from the inside by lengths, so that 10^6 levels take little."""
    head, size = [], 0
    inner = data(1, node("Relu", ["x"], ["y"]))
    size = len(inner)
    for _ in range(depth):
        fixed = data(1, "c") + data(2, "y") + data(4, "If")
        attr_head = data(1, "then_branch") + varint(6 << 3 | 2) + varint(size)
        attr_tail = number(20, 5)
        attr_size = len(attr_head) + size + len(attr_tail)
        node_head = fixed + varint(5 << 3 | 2) + varint(attr_size) + attr_head
        node_size = len(node_head) + size + len(attr_tail)
        whole = varint(1 << 3 | 2) + varint(node_size) + node_head
        head.append((whole, attr_tail))
        size = len(whole) + size + len(attr_tail)
    return b"".join(h for h, _ in reversed(head)) + inner + b"".join(t for _, t in head)


hostile("If in If, 200 deep", INVALID, "nested in graphs", lambda: model(nested(200)))
hostile("If in If, 10^6 messages deep", INVALID, "nested in graphs", lambda: model(nested(334000)))
hostile("groups in groups, 10^6 deep", INVALID, NO_MODEL, lambda: b"\x0b" * 10 ** 6)
hostile("groups in a tensor", INVALID, "not an ONNX model",
        lambda: weight(tensor("w", [4], raw=bytes(16), extra=b"\xa3\x06" * 10 ** 5)))


def sequence(depth):
    kind = data(1, number(1, 1))
    heads = []
    size = len(kind)
    for _ in range(depth):
        inner = varint(1 << 3 | 2) + varint(size)
        size += len(inner)
        outer = varint(4 << 3 | 2) + varint(size)
        size += len(outer)
        heads.append(outer + inner)
    return data(1, "x") + data(2, b"".join(reversed(heads)) + kind)


hostile("sequences of sequences, 10^5 deep", INVALID, "not an ONNX model",
        lambda: simple([relu()], inputs=[sequence(10 ** 5)]))
hostile("sequences of sequences, 20 deep", UNSUPPORTED, "is not a tensor",
        lambda: simple([relu()], inputs=[sequence(20)]))
hostile("text in braces, 10^6 deep", INVALID, "nested more than",
        lambda: b'<ir_version: 8, opset_import: ["" : 17]>\n' + b"g (float[1] x) => (float[1] y) {\n" +
        b"y = If <then_branch = g () => () {\n" * 10 ** 5, suffix=".onnxtxt")
hostile("text in brackets, 10^6 deep", INVALID, "nested more than|cannot be read",
        lambda: b"<ir_version: " + b"[" * 10 ** 6, suffix=".onnxtxt")
hostile("types in text, 10^6 deep", INVALID, "nested more than",
        lambda: b'<ir_version: 8, opset_import: ["" : 17]>\ng (' + b"seq(" * 10 ** 6, suffix=".onnxtxt")


def call(name, source="x", to="y"):
    return node(name, [source], [to], domain="local")


def calls(functions, first="f"):
    return simple([call(first) if first else relu()], functions=functions, domains=["local"])


def define(name, *nodes):
    return function(name, ["x"], ["y"], nodes)


hostile("function that calls itself", INVALID, "calls itself: local.f -> local.f",
        calls([define("f", call("f"))]))
hostile("functions that call one another", INVALID, "calls itself: local.f -> local.g -> local.f",
        calls([define("f", call("g")), define("g", call("f"))]))
hostile("function that nobody calls but itself", INVALID, "calls itself",
        calls([define("f", call("f"))], None))
hostile("function that calls itself in a branch", INVALID, "calls itself", calls([define(
    "f", node("If", ["x"], ["y"], then_branch=("graph", graph([call("f")], [], [Y]))))]))
hostile("5000 functions in a row", INVALID, "functions call functions more than 100 deep", calls(
    [define("f%d" % i, call("f%d" % (i + 1))) for i in range(5000)] + [define("f5000", relu())], "f0"))

CLASS = "CWE-409 models that grow when read (billion laughs)"
hostile("functions, 10^10 nodes", UNSUPPORTED, "more than 1000000 nodes once its functions", calls(
    [define("f%d" % i, *[call("f%d" % (i + 1), "x" if k == 0 else "v%d" % k,
                              "y" if k == 9 else "v%d" % (k + 1)) for k in range(10)])
     for i in range(10)] + [define("f10", relu())], "f0"))
hostile("functions, 2^60 nodes", UNSUPPORTED, "more than 1000000 nodes once its functions", calls(
    [define("f%d" % i, call("f%d" % (i + 1), "x", "v"), call("f%d" % (i + 1), "v", "y"))
     for i in range(60)] + [define("f60", relu())], "f0"))
hostile("joining a list with itself, 2^60 elements", "34", "too large|constants", simple(
    [node("Concat", ["c%d" % i] * 2, ["c%d" % (i + 1)], axis=0) for i in range(60)] +
    [node("Reshape", ["x", "c60"], ["y"])], [tensor("c0", [1], INT64, ints([1]))]))


def of_shape(name, shape, to):
    return node("ConstantOfShape", [name], [to], value=tensor("", [1], raw=floats([1])))


hostile("4 GB of ones", "34", "too large|constants", simple(
    [of_shape("s", None, "w"), node("Add", ["x", "w"], ["y"])],
    [tensor("s", [1], INT64, ints([10 ** 9]))]))
hostile("2^62 ones", "34", "too large|constants", simple(
    [of_shape("s", None, "w"), node("Add", ["x", "w"], ["y"])],
    [tensor("s", [2], INT64, ints([2 ** 31] * 2))]))
hostile("100 times 160 MB of ones", "34", "too large|constants", simple(
    [of_shape("s", None, "w%d" % i) for i in range(100)] + [node("Add", ["x", "w0"], ["y"])],
    [tensor("s", [1], INT64, ints([4 * 10 ** 7]))]))
hostile("10^9 elements gathered from one", "34", "known at compile time", simple(
    [node("Gather", ["d", "i"], ["d1"], axis=0), node("Gather", ["d1", "j"], ["d2"], axis=1),
     node("Gather", ["d2", "j"], ["d3"], axis=2), node("Reshape", ["x", "d3"], ["y"])],
    [tensor("d", [1, 1, 1], INT64, ints([1])), tensor("i", [1000], INT64, ints([0] * 1000)),
     tensor("j", [1000], INT64, ints([0] * 1000))]))
for op, inputs, values in (("Tile", ["c", "n"], [10 ** 12]), ("Expand", ["c", "n"], [10 ** 12]),
                           ("Range", ["o", "m", "o"], [10 ** 12])):
    hostile("%s to 10^12" % op, "34", "too large|constants|%s" % op, simple(
        [node(op, inputs, ["w"]), node("Reshape", ["x", "w"], ["y"])],
        [tensor("c", [1], INT64, ints([1])), tensor("n", [1], INT64, ints(values)),
         tensor("o", [], INT64, ints([1])), tensor("m", [], INT64, ints(values))]))
hostile("Range with step 0", "34", "Range", simple(
    [node("Range", ["o", "m", "z"], ["w"]), node("Reshape", ["x", "w"], ["y"])],
    [tensor("o", [], INT64, ints([1])), tensor("m", [], INT64, ints([5])),
     tensor("z", [], INT64, ints([0]))]))
body = graph([node("Identity", ["c"], ["d"]), node("Relu", ["v"], ["w"])],
             [value_info("i", [], INT64), value_info("c", [], BOOL), value_info("v", [1, 4])],
             [value_info("d", [], BOOL), value_info("w", [1, 4])])
hostile("Loop of 2^62 steps", "34", "Loop", simple(
    [node("Loop", ["n", "t", "x"], ["y"], body=("graph", body))],
    [tensor("n", [], INT64, ints([2 ** 62])), tensor("t", [], BOOL, b"\x01")]))
hostile("Resize by 10^9", "34", "Resize", simple(
    [node("Resize", ["x", "", "s"], ["y"])], [tensor("s", [4], raw=floats([1, 1, 1e9, 1e9]))], **image))
hostile("OneHot of depth 10^12", "34", "OneHot", simple(
    [node("OneHot", ["i", "n", "v"], ["y"])],
    [tensor("i", [1], INT64, ints([0])), tensor("n", [], INT64, ints([10 ** 12])),
     tensor("v", [2], raw=floats([0, 1]))]))

CLASS = "CWE-770 counts without bound"
hostile("2 * 10^6 nodes", UNSUPPORTED, "more than 1000000 nodes",
        lambda: simple([relu("x", "")] * 2 * 10 ** 6))
hostile("10^4 unknown operators, all different", UNSUPPORTED, "and 9960 more rows",
        lambda: simple([node("Op%d" % i, ["x"], ["v%d" % i]) for i in range(10 ** 4)]))
hostile("10^4 wrong nodes", INVALID, "and 9980 more errors",
        lambda: simple([node("MatMul", ["x", "x"], ["v%d" % i]) for i in range(10 ** 4)]))
hostile("10^5 attributes of one node", UNSUPPORTED, "is not known",
        lambda: simple([relu(**{"a%d" % i: 1 for i in range(10 ** 5)})]))
hostile("10^6 inputs of one node, the last undefined", INVALID, "'nowhere' is not defined",
        lambda: simple([node("Relu", ["x"] * 10 ** 6 + ["nowhere"], ["y"])]))
hostile("10^5 outputs of one node", "34", "Relu",
        lambda: simple([node("Relu", ["x"], ["y%d" % i for i in range(10 ** 5)])]))
hostile("padding with 10^6 amounts", INVALID, "1000000 amounts of padding", lambda: simple(
    [node("Pad", ["x"], ["y"], pads=[1] * 10 ** 6)], opset=10))
hostile("permutation of 10^5 axes", INVALID, "perm|axes",
        lambda: simple([node("Transpose", ["x"], ["y"], perm=list(range(10 ** 5)))]))
hostile("10^4 open inputs", INVALID, "leaves axis 0 open", lambda: simple(
    [relu("x0")], inputs=[value_info("x%d" % i, [None]) for i in range(10 ** 4)]))
hostile("input of 10^6 open axes", INVALID, "axes; at most", lambda: simple(
    [relu()], inputs=[value_info("x", [None] * 10 ** 6)]))
hostile("10^5 operator sets", "34", "Foo", lambda: simple(
    [node("Foo", ["x"], ["y"])], domains=["d%d" % i for i in range(10 ** 5)]))
hostile("10^5 initializers of one name", INVALID, "defined twice",
        lambda: simple([relu()], [tensor("w", [1], raw=bytes(4))] * 10 ** 5))

# ---- Graphs -----------------------------------------------------------------------------------

CLASS = "CWE-835 graphs that go round in circles"
hostile("cycle of two", INVALID, "sorted and free of cycles", simple(
    [node("Add", ["x", "b"], ["a"]), relu("a", "b"), relu("b")]))
hostile("node that feeds itself", INVALID, "sorted and free of cycles", simple([relu("y", "y")]))
hostile("nodes in the wrong order", INVALID, "made by a later node", simple([relu("a"), relu("x", "a")]))
hostile("cycle of 10^4 nodes", INVALID, "made by a later node", lambda: simple(
    [relu("v%d" % ((i + 1) % 10 ** 4), "v%d" % i) for i in range(10 ** 4)]))

CLASS = "CWE-694 names used twice"
hostile("result twice", INVALID, "made twice", simple([relu(), relu()]))
hostile("two results of one node", INVALID, "made twice", simple([node("MaxPool", ["x"], ["y", "y"])]))
hostile("input twice", INVALID, "defined twice", simple([relu()], inputs=[X, X]))
hostile("node that overwrites an input", INVALID, "defined twice", simple([relu("x", "x"), relu()]))
hostile("node that overwrites a weight", INVALID, "defined twice|made twice", simple(
    [relu("x", "w"), node("Add", ["x", "w"], ["y"])], [tensor("w", [4], raw=bytes(16))]))
hostile("attribute twice", INVALID, "given twice", simple([data(1, "x") + data(2, "y") + data(
    4, "Softmax") + data(5, attribute("axis", 0)) + data(5, attribute("axis", 1))]))
hostile("function twice", INVALID, "defined twice", calls([define("f", relu())] * 2))
hostile("operator set twice", INVALID, "twice", simple(
    [relu()], extra=data(8, data(1, "") + number(2, 9))))

CLASS = "CWE-476 parts that are missing"
hostile("undefined input", INVALID, "not defined", simple([relu("nowhere")]))
hostile("undefined output", INVALID, "output 'y' is not defined", simple([relu("x", "z")]))
hostile("no nodes", INVALID, "output 'y' is not defined", simple([]))
hostile("no graph", INVALID, "no graph", number(1, 8) + data(8, data(1, "") + number(2, 17)))
hostile("empty graph", INVALID, "no outputs", model(b""))
hostile("no outputs", INVALID, "no outputs", simple([relu()], outputs=[]))
hostile("no operator", "34", "no such operator|no operator", simple([data(1, "x") + data(2, "y")]))
hostile("no inputs where some are needed", INVALID, "input 0 is missing", simple([node("Relu", [], ["y"])]))
hostile("empty name for a needed input", INVALID, "input 1 is missing", simple([node("Add", ["x", ""], ["y"])]))
hostile("input without a name", INVALID, "no name", simple([relu()], inputs=[value_info("", [4]), X]))
hostile("weight without a name", INVALID, "no name", weight(tensor("", [4], raw=bytes(16))))
hostile("input without a type", UNSUPPORTED, "is not a tensor", simple([relu()], inputs=[data(1, "x")]))
hostile("input without a shape", INVALID, "has no shape", simple([relu()], inputs=[value_info("x", None)]))
hostile("constant without a value", INVALID, "exactly one value", simple([node("Constant", [], ["y"])]))
hostile("tensor attribute without a tensor", INVALID, "must be a tensor", simple(
    [data(2, "y") + data(4, "Constant") + data(5, data(1, "value") + number(20, 4))]))
hostile("If without branches", "34", "If", simple(
    [node("If", ["c"], ["y"])], [tensor("c", [], BOOL, b"\x01")]))

CLASS = "CWE-843 types that are not what they say"
hostile("number where a list belongs", INVALID, "perm", simple([node("Transpose", ["x"], ["y"], perm=1)]))
hostile("string where a number belongs", INVALID, "axis", simple([node("Softmax", ["x"], ["y"], axis="1")]))
hostile("graph where a number belongs", INVALID, "axis", simple(
    [node("Softmax", ["x"], ["y"], axis=("graph", graph([], [], [])))]))
hostile("list said to be a number", INVALID, "axis", simple([data(1, "x") + data(2, "y") + data(
    4, "Softmax") + data(5, data(1, "axis") + number(8, 1) + number(20, 7))]))
hostile("float as shape", INVALID, "list of integers", simple(
    [node("Reshape", ["x", "s"], ["y"])], [tensor("s", [1], raw=floats([4]))]))
hostile("matrix as shape", INVALID, "list of integers", simple(
    [node("Reshape", ["x", "s"], ["y"])], [tensor("s", [1, 1], INT64, ints([4]))]))
hostile("float as index", INVALID, "indices", simple(
    [node("Gather", ["d", "i"], ["y"])],
    [tensor("d", [4], raw=bytes(16)), tensor("i", [1], raw=bytes(4))]))
hostile("weights of strings", UNSUPPORTED, "string", weight(tensor("w", [4], STRING)))
hostile("weights of complex numbers", UNSUPPORTED, "complex64", weight(tensor("w", [4], 14, raw=bytes(32))))
hostile("weights of type 99", UNSUPPORTED, "number 99", weight(tensor("w", [4], 99, raw=bytes(16))))
hostile("weights of type -1", UNSUPPORTED, "number -1", weight(tensor("w", [4], -1, raw=bytes(16))))
hostile("weights of no type", INVALID, "no element type", weight(tensor("w", [4], 0, raw=bytes(16))))
hostile("input of type 99", UNSUPPORTED, "number 99", simple([relu()], inputs=[value_info("x", [4], 99)]))
hostile("integers added to floats", "34", "Add", weight(tensor("w", [4], INT32, raw=bytes(16))))
hostile("doubles joined to floats", "34", "Concat", simple(
    [node("Concat", ["x", "w"], ["y"], axis=0)], [tensor("w", [1, 4], DOUBLE, raw=bytes(32))]))
hostile("tensor in segments", UNSUPPORTED, "segments", weight(tensor("w", [4], raw=bytes(16), extra=data(3, number(1, 0) + number(2, 4)))))
hostile("sparse initializer", UNSUPPORTED, "sparse", model(graph(
    [relu()], [X], [Y], extra=data(15, data(1, tensor("w", [1], raw=bytes(4)))))))
hostile("reference to a function's attribute", INVALID, "attribute of a function", simple(
    [data(1, "x") + data(2, "y") + data(4, "Softmax") + data(
        5, data(1, "axis") + number(20, 2) + data(21, "a"))]))

CLASS = "CWE-369 division by zero, and numbers out of range"
conv = [tensor("w", [1, 1, 2, 2], raw=bytes(16))]
for key, value in (("group", 0), ("group", -1), ("group", 3), ("strides", [0, 0]), ("dilations", [0, 0]),
                   ("kernel_shape", [3, 3]), ("strides", [1]), ("pads", [1])):
    hostile("convolution with %s %s" % (key, value), "34", "Conv", simple(
        [node("Conv", ["x", "w"], ["y"], **{key: value})], conv, **image))
for op in ("MaxPool", "AveragePool"):
    for key, value in (("kernel_shape", [0, 0]), ("kernel_shape", [-1, 2]), ("kernel_shape", []),
                       ("strides", [0, 1]), ("pads", [-1, -1, 0, 0])):
        options = dict(kernel_shape=[2, 2])
        options[key] = value
        hostile("%s with %s %s" % (op, key, value), "34", op,
                simple([node(op, ["x"], ["y"], **options)], **image))
for name, scale in (("0", 0.0), ("-1", -1.0), ("NaN", float("nan")), ("infinity", float("inf"))):
    hostile("scale of " + name, INVALID, "scale", simple(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])],
        [tensor("s", [], raw=floats([scale])), tensor("z", [], INT8, raw=b"\0")]))
hostile("slice with step 0", INVALID, "step 0", simple(
    [node("Slice", ["x", "o", "o", "o", "o"], ["y"])], [tensor("o", [1], INT64, ints([0]))]))
hostile("reshape of nothing known", INVALID, "cannot take", simple(
    [node("Reshape", ["x", "s"], ["y"], allowzero=1)], [tensor("s", [2], INT64, ints([0, -1]))]))
hostile("channels of 0 in groups of 0", "34", "Conv", simple(
    [node("Conv", ["x", "w"], ["y"], group=0)], [tensor("w", [0, 0, 1, 1], raw=b"")], **image))
hostile("split in 0 parts", "34", "Split", simple(
    [node("Split", ["x"], ["y"], num_outputs=0)], opset=18))
hostile("blocks of size 0", "34", "DepthToSpace", simple(
    [node("DepthToSpace", ["x"], ["y"], blocksize=0)], **image))
hostile("average over nothing, 10^9 wide", "34", "AveragePool", simple(
    [node("AveragePool", ["x"], ["y"], kernel_shape=[10 ** 9] * 2, pads=[10 ** 9] * 4)], **image))
hostile("axis beyond the axes", INVALID, "axis 7", simple([node("Softmax", ["x"], ["y"], axis=7)]))
hostile("permutation with one axis twice", INVALID, "perm", simple([node("Transpose", ["x"], ["y"], perm=[0, 0])]))
hostile("flatten behind the last axis", INVALID, "axis 9", simple([node("Flatten", ["x"], ["y"], axis=9)]))
hostile("join along an axis that is not there", INVALID, "axis 5", simple([node("Concat", ["x", "x"], ["y"], axis=5)]))
hostile("squeeze of what is not 1", INVALID, "is not 1", simple(
    [node("Squeeze", ["x", "a"], ["y"])], [tensor("a", [1], INT64, ints([1]))]))
hostile("cast to type -5", "34", "element type", simple([node("Cast", ["x"], ["y"], to=-5)]))
hostile("float beyond int64 as an integer", "34", "too large", simple(
    [node("Cast", ["w"], ["s"], to=7), node("Reshape", ["x", "s"], ["y"])],
    [tensor("w", [1], raw=floats([1e30]))]))

# ---- Bytes and text ---------------------------------------------------------------------------

CLASS = "CWE-20 bytes that are no message (CVE-2015-5237, CVE-2021-22570, CVE-2022-1941)"
good = weight(tensor("w", [4], raw=bytes(16)))
for name, content in (
        ("number that never ends", b"\x80" * 100), ("number of 11 bytes", b"\x08" + b"\xff" * 10 + b"\x01"),
        ("length beyond the end", b"\x3a\x7f\x00"), ("length of 2^63", b"\x3a" + varint(2 ** 63)),
        ("length of 2^64 - 1", b"\x3a" + varint(2 ** 64 - 1)), ("field 0", b"\x02\x00" + good),
        ("wire type 7", b"\x0f" + good), ("end of a group that never began", b"\x0c" + good),
        ("inner length beyond the outer", data(7, b"\x0a\x7f\x01")), ("half a number at the end", good + b"\x80"),
        ("floats that are 3 bytes", weight(tensor("w", [1], extra=data(4, b"123")))),
        ("0xff", b"\xff" * 1000), ("0x00", bytes(1000)), ("cut in the middle", good[:len(good) // 2]),
        ("model in front of another file", good + b"PK\x03\x04"),
        ("field number of 2^29", varint((1 << 29) << 3) + b"\x01" + good)):
    hostile(name, INVALID, NO_MODEL, content)
hostile("forged place of a value", INVALID, "holds 0 elements|needs", weight(
    tensor("w", [4], extra=varint(536870911 << 3 | 2) + b"\x18" + ints([9, 0, 16]))))
hostile("two graphs in one", INVALID, "made twice", good + data(7, graph([node("Add", ["x", "w"], ["y"])], [], [])))
hostile("text that ends in a string", INVALID, "text form", b'<ir_version: 8, producer_name: "abc', suffix=".onnxtxt")
hostile("text with something behind it", INVALID, "behind the end|text form",
        b'<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Relu (x) } g2', suffix=".onnxtxt")
hostile("number in text beyond 64 bits", INVALID, "a number is out of range",
        b'<ir_version: 8, opset_import: ["" : 17]> g (float[99999999999999999999999] x) => (float[1] y) { y = Relu (x) }',
        suffix=".onnxtxt")

CLASS = "CWE-1104 versions that do not exist"
for version, code in ((-1, INVALID), (0, INVALID), (-2 ** 63, INVALID), (29, UNSUPPORTED),
                      (1000, UNSUPPORTED), (2 ** 63 - 1, UNSUPPORTED)):
    hostile("operator set %d" % version, code, "operator set", simple([relu()], opset=version))
hostile("no operator set", INVALID, "names no operator set", simple([relu()], opset=None))
hostile("only another domain's operator set", INVALID, "no version of the default", simple(
    [relu()], opset=None, domains=["com.example"]))
hostile("operator of no domain", UNSUPPORTED, "nowhere", simple([relu(domain="nowhere")]))

CLASS = "CWE-150 names that write to the terminal or forge lines"
CONTROL = "control character"
hostile("escape sequence in a node's name", INVALID, CONTROL, simple([relu(name="\x1b]0;title\x07")]))
hostile("line break in a node's name", INVALID, CONTROL, simple([relu(name="a\ncimc: warning: all is well")]))
hostile("escape sequence in an operator", INVALID, CONTROL, simple([node("\x1b[31mRelu", ["x"], ["y"])]))
hostile("escape sequence in a domain", INVALID, CONTROL, simple([relu(domain="\x1b[31m")]))
hostile("escape sequence in a weight's name", INVALID, CONTROL, weight(tensor("\x1b[2J", [4], raw=bytes(16))))
hostile("escape sequence in an input's name", INVALID, CONTROL, simple([relu("\r")], inputs=[value_info("\r", [4])]))
hostile("escape sequence in a value's name", INVALID, CONTROL, simple([relu("x", "\x1b"), relu("\x1b")]))
hostile("name that is not UTF-8", "34", "Op", simple([node(b"Op\xff\xfe", ["x"], ["y"])]))
hostile("name of 10^7 characters", UNSUPPORTED, "a" * 40, lambda: simple([node("a" * 10 ** 7, ["x"], ["y"])]))
hostile("undefined name of 10^7 characters", INVALID, "more characters|not defined",
        lambda: simple([relu("a" * 10 ** 7)]))


def limits():
    # A model that gets away is stopped; sanitizers reserve more than they use.
    resource.setrlimit(resource.RLIMIT_CPU, (600, 600))


def check(item):
    """Runs a case; returns seconds, bytes and what is wrong."""
    index, (class_, name, code, pattern, content, args, suffix) = item
    file = suffix if content is None else path("%d%s" % (index, suffix))
    if content is not None:
        with open(file, "wb") as out:
            out.write(content() if callable(content) else content)
    result, message = os.path.join(WORK, "%d.mlir" % index), os.path.join(WORK, "%d.txt" % index)
    with open(message, "wb") as errors:
        child = subprocess.Popen(["cimc", "compile", file, "--to", "nn", "-o", result] + args,
                                 stdout=subprocess.PIPE, stderr=errors, preexec_fn=limits)
        printed = child.stdout.read()
        child.stdout.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
    with open(message, "rb") as errors:
        error = errors.read(100000).decode(errors="replace")
        size = errors.seek(0, 2)
    got = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    seconds, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    codes = [int(c) for c in code] if isinstance(code, str) else [code]
    wrong = []
    if got not in codes:
        wrong.append("exit code %d, not %s: %s" % (got, code, error.strip()[-1500:]))
    elif not re.search(pattern, error) or not error.startswith("cimc: error: "):
        wrong.append("message %r does not match %r" % (error[:600], pattern))
    if size > 64 * 1024:
        wrong.append("a message of %d bytes" % size)
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", error):
        wrong.append("control characters in the message")
    if printed or os.path.exists(result):
        wrong.append("there is a result")
    if seconds > SECONDS * (20 if SANITIZED else 1):
        wrong.append("%.1f s of processor time" % seconds)
    if peak > BYTES and not SANITIZED:
        wrong.append("%.0f MB of memory" % (peak / 1e6))
    if content is not None and not wrong:
        os.remove(file)
    return seconds, peak, ["%s: %s: %s (%s)" % (class_, name, text, file) for text in wrong]


def main():
    cases = [c for c in CASES if not ONLY or any(o in c[0] or o in c[1] for o in ONLY)]
    begin = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(check, enumerate(cases)))
    rows = {}
    for (class_, *_), (seconds, peak, wrong) in zip(cases, results):
        row = rows.setdefault(class_, [0, 0.0, 0, 0])
        row[0] += 1
        row[1] = max(row[1], seconds)
        row[2] = max(row[2], peak)
        row[3] += bool(wrong)
    print("| class | models | wrong | most s | most MB |\n| --- | --- | --- | --- | --- |")
    for class_, (count, seconds, peak, wrong) in rows.items():
        print("| %s | %d | %d | %.2f | %.0f |" % (class_, count, wrong, seconds, peak / 1e6))
    problems = [line for _, _, wrong in results for line in wrong]
    for line in problems:
        print(line)
    print("%d models in %d classes, %d problems, %.0f s" %
          (len(cases), len(rows), len(problems), time.monotonic() - begin))
    return 1 if problems else 0


sys.exit(main())
