# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX models written field by field, so that a model can also be one that no exporter writes.

Functions are named after the messages of onnx.proto and give serialized bytes; every list of
nodes, inputs and so on is one of such bytes. Needs nothing but Python.
"""
import struct

FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE = range(1, 12)


def varint(value):
    value %= 2 ** 64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def tensor(name, dims, kind=FLOAT, raw=None, extra=b""):
    out = b"".join(number(1, d) for d in dims) + number(2, kind) + data(8, name)
    return out + (b"" if raw is None else data(9, raw)) + extra


def external(name, dims, location, offset=None, length=None, kind=FLOAT, extra=()):
    """A tensor whose value is in another file."""
    entries = [("location", location)]
    entries += [("offset", str(offset))] if offset is not None else []
    entries += [("length", str(length))] if length is not None else []
    entries += list(extra)
    return tensor(name, dims, kind, extra=number(14, 1) + b"".join(
        data(13, data(1, key) + data(2, value)) for key, value in entries))


def floats(values):
    return struct.pack("<%df" % len(values), *values)


def ints(values):
    return struct.pack("<%dq" % len(values), *values)


def value_info(name, dims, kind=FLOAT):
    """`dims` holds numbers, names of open dimensions, or None for one without a name; None
    instead of a list is a tensor without a shape."""
    shape = b"" if dims is None else data(2, b"".join(
        data(1, b"" if d is None else data(2, d) if isinstance(d, str) else number(1, d))
        for d in dims))
    return data(1, name) + data(2, data(1, number(1, kind) + shape))


def attribute(name, value):
    """An attribute of the type that fits the value: int, float, str, list of int, tensor or
    ("graph", bytes)."""
    out = data(1, name)
    if isinstance(value, bool) or isinstance(value, int):
        return out + number(3, value) + number(20, 2)
    if isinstance(value, float):
        return out + real(2, value) + number(20, 1)
    if isinstance(value, str):
        return out + data(4, value) + number(20, 3)
    if isinstance(value, tuple):
        return out + data(6, value[1]) + number(20, 5)
    if isinstance(value, bytes):
        return out + data(5, value) + number(20, 4)
    return out + b"".join(number(8, v) for v in value) + number(20, 7)


def node(op, inputs, outputs, name="", domain="", **attributes):
    out = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in outputs)
    out += (data(3, name) if name else b"") + data(4, op)
    out += b"".join(data(5, attribute(k, v)) for k, v in attributes.items())
    return out + (data(7, domain) if domain else b"")


def graph(nodes, inputs, outputs, initializers=(), name="g", extra=b""):
    return b"".join([data(1, n) for n in nodes] + [data(2, name)] +
                    [data(5, i) for i in initializers] + [data(11, i) for i in inputs] +
                    [data(12, o) for o in outputs] + [extra])


def function(name, inputs, outputs, nodes, domain="local", opset=17, extra=b""):
    return data(1, name) + b"".join(
        [data(4, i) for i in inputs] + [data(5, o) for o in outputs] +
        [data(7, n) for n in nodes]) + data(9, data(1, "") + number(2, opset)) + \
        data(9, data(1, domain) + number(2, 1)) + data(10, domain) + extra


def model(graph_, opset=17, functions=(), domains=(), ir_version=8, extra=b""):
    opsets = [(domain, version) for domain, version in [("", opset)] + [(d, 1) for d in domains]
              if version is not None]
    return b"".join([number(1, ir_version)] +
                    [data(8, data(1, domain) + number(2, version)) for domain, version in opsets] +
                    [data(7, graph_)] + [data(25, f) for f in functions] + [extra])
