#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Damaged and foreign files in every place where cimc reads one.

Each case must end with its exit code and one clear message on standard error, with nothing on
standard output (but one JSON object with --json), and must not crash. Needs NumPy, and `cimc`
in PATH.

usage: malformed.py MODELS_DIRECTORY WORK_DIRECTORY
"""
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy

USAGE, INVALID, UNSUPPORTED = 2, 3, 4
MODELS, WORK = sys.argv[1], sys.argv[2]
os.makedirs(WORK, exist_ok=True)
CASES = []


def path(name):
    return os.path.join(WORK, name)


def put(name, content):
    """Writes a file and returns its path."""
    with open(path(name), "wb") as file:
        file.write(content)
    return path(name)


def get(name):
    with open(name, "rb") as file:
        return file.read()


def case(name, code, pattern, *args):
    CASES.append((name, code, pattern, [str(arg) for arg in args]))


def flip(content, bit):
    """The bytes with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def npy(array):
    buffer = io.BytesIO()
    numpy.save(buffer, array)
    return buffer.getvalue()


def header(descr, shape, data=b"", order="False"):
    """A .npy file with a header of one's own."""
    text = "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (descr, order, shape)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def tensor_proto(array, data_type=1, dims=None):
    """A serialized ONNX TensorProto."""
    out = b""
    for dim in array.shape if dims is None else dims:
        out += b"\x08" + varint(dim)
    out += b"\x10" + varint(data_type)
    raw = array.tobytes()
    return out + b"\x4a" + varint(len(raw)) + raw


FOREIGN = {
    "empty": b"",
    "zeros": bytes(1000),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "text": b"the quick brown fox\njumps over the lazy dog\n",
    "noise": random.Random(1).randbytes(3000) if hasattr(random.Random, "randbytes") else
             numpy.random.RandomState(1).bytes(3000),
}
for kind, content in FOREIGN.items():
    put("foreign." + kind, content)
os.makedirs(path("directory"), exist_ok=True)
missing = path("no-such-file")

model = os.path.join(MODELS, "digits.onnx")
calibration = os.path.join(MODELS, "digits_calibration.npy")
samples = numpy.load(os.path.join(MODELS, "digits_samples.npy")).reshape(-1, 1, 1, 8, 8)
one = samples[0]
program = path("digits.cimx")
subprocess.run(["cimc", "compile", model, "--chip", "wearable", "--calibrate", calibration,
                "-o", program], check=True, stdout=subprocess.DEVNULL)

# ONNX models.
bytes_ = get(model)
nn = ("--to", "nn", "-o", path("out.mlir"))
case("missing model", INVALID, "cannot read .*no-such-file", "compile", missing, *nn)
case("directory as model", INVALID, "directory", "compile", path("directory"), *nn)
for kind in FOREIGN:
    case(kind + " as model", INVALID, re.escape(path("foreign." + kind)), "compile",
         path("foreign." + kind), *nn)
for part in (1, 10, 50, 90, 99):
    cut = put("truncated%d.onnx" % part, bytes_[:len(bytes_) * part // 100])
    case("model cut to %d %%" % part, INVALID, re.escape(cut), "compile", cut, *nn)
case("model without its last byte", INVALID, "last.onnx", "compile",
     put("last.onnx", bytes_[:-1]), *nn)
case("array as model", INVALID, "NumPy array, not a model", "compile", calibration, *nn)
case("program as model", USAGE, "compiled program, not a model", "compile", program, *nn)
case("chip file as model", INVALID, "JSON file, not a model", "compile",
     put("chip.json", b'{"extends": "card"}'), *nn)
case("damaged model text", INVALID, "bad.onnxtxt", "compile",
     put("bad.onnxtxt", b"<ir_version: 8, opset_import: [ \"\" : 17 ]>\nagraph (float[1"), *nn)
case("damaged MLIR", INVALID, r"bad.mlir:\d+:\d+", "compile",
     put("bad.mlir", b"module {\n  func.func @main(%a: tensor<1xf32>"), *nn)
case("unknown MLIR operation", INVALID, "unknown.mlir:2", "compile",
     put("unknown.mlir", b"module {\n  what.is_this\n}\n"), *nn)
case("deeply nested MLIR", INVALID, r"deep.mlir:\d+: brackets are nested", "compile",
     put("deep.mlir", b"module {\n" * 20000), *nn)
case("MLIR without a network", INVALID, "none.mlir: .*function", "compile",
     put("none.mlir", b"module {}\n"), *nn)
case("damaged MLIR bytecode", INVALID, "bad.mlirbc", "compile",
     put("bad.mlirbc", b"ML\xefR\x06MLIR22\x00" + bytes(40)), *nn)


def text_model(name, code, pattern, body, head="float[1, 4] x", out="float[1, 4] y"):
    """A model in ONNX's text form."""
    case("model: " + name, code, pattern, "compile", put(
        "model-%d.onnxtxt" % len(CASES),
        ('<ir_version: 8, opset_import: ["" : 17]>\ng (%s) => (%s) {%s}\n' % (head, out, body)).encode()),
        *nn)


text_model("a cycle", INVALID, "cycle", "y = Add (x, z) z = Relu (y)")
text_model("a name defined twice", INVALID, "twice", "y = Relu (x) y = Neg (x)")
text_model("an undefined name", INVALID, "not defined", "y = Relu (w)")
text_model("a wrong attribute type", INVALID, "alpha", 'y = LeakyRelu <alpha = "much"> (x)')
text_model("an unknown operator", UNSUPPORTED, "Frobnicate", "y = Frobnicate (x)")
text_model("a negative size", "34", "x", "y = Relu (x)", "float[1, -4] x")
text_model("sizes whose product overflows", "34", "model-", "y = Relu (x)",
           "float[%s] x" % ", ".join(["4000000000"] * 4), "float[4] y")
text_model("shapes that do not fit", INVALID, "model-|y", "y = MatMul (x, x)")
case("MLIR that ends inside a string", INVALID, r"string.mlir:2: the file ends inside a string",
     "compile", put("string.mlir", b'module {}\n{-# dialect_resources: { builtin: { a: "0x40'), *nn)

# Chip files.
compile_ = ("compile", model, "--calibrate", calibration, "-o", path("x.cimx"), "--chip")


def chip(name, code, pattern, content):
    case("chip file: " + name, code, pattern, *compile_, put("chip-%d.json" % len(CASES), content))


case("unknown chip", USAGE, "no chip.*watch", *compile_, "watch")
case("directory as chip", INVALID, "directory", *compile_, path("directory"))
for kind in FOREIGN:
    case(kind + " as chip file", INVALID, re.escape(path("foreign." + kind)), *compile_,
         path("foreign." + kind))
chip("truncated", INVALID, r"chip-\d+.json:1", b'{"extends": "card", "macro": {"rows": 10')
chip("an array", INVALID, "object", b'[1, 2]')
chip("unknown group", INVALID, "macros", b'{"extends": "card", "macros": {}}')
chip("unknown key", INVALID, "row", b'{"extends": "card", "macro": {"row": 10}}')
chip("a string for a number", INVALID, "number", b'{"extends": "card", "macro": {"rows": "10"}}')
chip("a fraction for an integer", INVALID, "whole number", b'{"extends": "card", "macro": {"rows": 10.5}}')
chip("below its limit", INVALID, "below its limit", b'{"extends": "card", "macro": {"rows": 0}}')
chip("above its limit", INVALID, "above its limit", b'{"extends": "card", "macro": {"rows": 1000000}}')
chip("a key twice", INVALID, "twice", b'{"extends": "card", "macro": {"rows": 64, "rows": 32}}')
chip("unknown base", INVALID, "no chip|cannot", b'{"extends": "carrd"}')
chip("deep nesting", INVALID, "nested|deep", b'{"macro": ' + b"[" * 5000 + b"]" * 5000 + b"}")
put("loop.json", b'{"extends": "%s"}' % path("loop.json").encode())
case("chip file that extends itself", INVALID, "extends itself", *compile_, path("loop.json"))
case("model as chip file", INVALID, "digits.onnx", *compile_, model)

# Input tensors.
good = npy(one)


def tensor(name, code, pattern, content, suffix="npy"):
    file = put("tensor-%d.%s" % (len(CASES), suffix), content)
    case("input tensor: " + name, code, pattern, "run", program, "--input", "image=" + file)


case("missing input tensor", INVALID, "no-such-file", "run", program, "--input", missing)
case("input not given", USAGE, "'image'.* is not given", "run", program)
case("unknown input", USAGE, "no input 'imgae' .did you mean 'image'", "run", program, "--input",
     "imgae=" + os.path.join(MODELS, "digits_samples.npy"))
case("empty directory as input", INVALID, "neither input_0.pb nor image.npy", "run", program,
     "--input", path("directory"))
for kind in FOREIGN:
    case(kind + " as input tensor", INVALID, re.escape(path("foreign." + kind)), "run", program,
         "--input", path("foreign." + kind))
tensor("magic only", INVALID, "tensor-", good[:6])
tensor("header cut", INVALID, "tensor-", good[:40])
tensor("data cut", INVALID, "bytes", good[:-1])
tensor("data too long", INVALID, "bytes", good + b"\0")
tensor("version 9", INVALID, "version", good[:6] + b"\x09" + good[7:])
tensor("no dictionary", INVALID, "header", b"\x93NUMPY\x01\x00\x05\x00abcd\n")
tensor("no shape", INVALID, "header|shape", b"\x93NUMPY\x01\x00\x2c\x00{'descr': '<f4', 'fortran_order': False, }  \n")
tensor("objects", INVALID, r"\|O", header("'|O'", "(1,)", bytes(8)))
tensor("strings", INVALID, "<U4", header("'<U4'", "(1,)", bytes(16)))
tensor("complex numbers", INVALID, "<c8", header("'<c8'", "(1,)", bytes(8)))
tensor("a structure", INVALID, "tensor-", header("[('a', '<f4')]", "(1,)", bytes(4)))
tensor("negative size", INVALID, "tensor-", header("'<f4'", "(-1, 8, 8)", bytes(256)))
tensor("absurd shape", INVALID, "tensor-", header("'<f4'", "(%s)" % ("999999999, " * 9), bytes(256)))
tensor("wrong shape", INVALID, "shape .*8x9 does not fit input 'image'", npy(numpy.zeros((1, 1, 8, 9), "f4")))
tensor("wrong rank", INVALID, "does not fit input 'image'", npy(numpy.zeros(64, "f4")))
tensor("a batch of none", INVALID, "no samples", npy(numpy.zeros((0,) + one.shape, "f4")))
tensor("int64 beyond float32", INVALID, "does not fit|exact", npy(numpy.full(one.shape, 2**24 + 1, "i8")))
proto = tensor_proto(one)
tensor("TensorProto cut", INVALID, "tensor-", proto[:-7], "pb")
tensor("TensorProto too long", INVALID, "tensor-", proto + b"\x4a\x7f", "pb")
tensor("TensorProto of a wrong shape", INVALID, "tensor-", tensor_proto(one, dims=[1, 1, 8, 9]), "pb")
tensor("TensorProto of no type", INVALID, "tensor-", tensor_proto(one, 0), "pb")
tensor("TensorProto of strings", "34", "tensor-", tensor_proto(one, 8), "pb")
tensor("TensorProto of an unknown type", "34", "tensor-", tensor_proto(one, 99), "pb")
tensor("a model", INVALID, "tensor-", bytes_, "pb")

# Programs.
content = get(program)


def compiled(name, code, pattern, data):
    file = put("program-%d.cimx" % len(CASES), data)
    case("program: " + name, code, pattern, "inspect", file)
    case("program to run: " + name, code, pattern, "run", file, "--input", path("one.npy"))


put("one.npy", good)
case("missing program", INVALID, "no-such-file", "inspect", missing)
case("directory as program", INVALID, "directory", "disasm", path("directory"))
for kind in FOREIGN:
    case(kind + " as program", INVALID, "not a compiled program", "inspect", path("foreign." + kind))
case("model as program", INVALID, "ONNX model, not a compiled program", "inspect", model)
for size in (4, 8, 16, 40, len(content) // 2, len(content) - 1):
    compiled("cut to %d bytes" % size, INVALID, "program-", content[:size])
compiled("with a byte more", INVALID, "program-", content + b"\0")
compiled("another version", INVALID, "version|program-", content[:4] + b"\xff\xff" + content[6:])
random_ = random.Random(7)
for _ in range(12):
    bit = random_.randrange(32, len(content) * 8)
    compiled("bit %d flipped" % bit, INVALID, "program-|not a compiled program", flip(content, bit))

# Calibration data.
ranges = ("compile", model, "--chip", "wearable", "-o", path("y.cimx"))
case("missing calibration data", INVALID, "no-such-file", *ranges, "--calibrate", missing)
case("empty calibration directory", INVALID, "no calibration samples", *ranges, "--calibrate",
     path("directory"))
for kind in FOREIGN:
    case(kind + " as calibration data", INVALID, re.escape(path("foreign." + kind)), *ranges,
         "--calibrate", path("foreign." + kind))


def calibrate(name, code, pattern, data, suffix):
    case("calibration data: " + name, code, pattern, *ranges, "--calibrate",
         put("calibration-%d.%s" % (len(CASES), suffix), data))


def npz(compressed=True, **arrays):
    buffer = io.BytesIO()
    (numpy.savez_compressed if compressed else numpy.savez)(buffer, **arrays)
    return buffer.getvalue()


archive = npz(image=samples)
stored = npz(False, image=samples)
calibrate("wrong shape", INVALID, "does not fit input 'image'", npy(numpy.zeros((3, 7, 7), "f4")), "npy")
calibrate("cut array", INVALID, "bytes", npy(samples)[:-5], "npy")
calibrate("no samples", INVALID, "no samples", npy(numpy.zeros((0,) + one.shape, "f4")), "npy")
calibrate("not a number", INVALID, "element 5 of 'image' is not a number",
          npy(numpy.where(numpy.arange(64).reshape(one.shape) == 5, numpy.nan, one).astype("f4")[None]), "npy")
calibrate("archive cut", INVALID, "calibration-", archive[:-10], "npz")
calibrate("archive cut in half", INVALID, "calibration-", archive[:len(archive) // 2], "npz")
calibrate("archive with a flipped bit", INVALID, "calibration-", flip(stored, len(stored) * 4), "npz")
calibrate("archive without the input", INVALID, "'image'", npz(first=samples, second=samples), "npz")
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as zipped:
    zipped.writestr("image.npy", b"not an array")
calibrate("archive of something else", INVALID, "image", buffer.getvalue(), "npz")
os.makedirs(path("mixed"), exist_ok=True)
put("mixed/a.npy", good)
put("mixed/b.npy", good[:-3])
case("a damaged file among samples", INVALID, "mixed/b.npy", *ranges, "--calibrate", path("mixed"))

# Expected outputs.
run = ("run", program, "--input", path("one.npy"), "--expect")
case("missing expectation", INVALID, "no-such-file", *run, missing)
case("empty expectation", INVALID, "neither output_0.pb nor scores.npy", *run, path("directory"))
os.makedirs(path("expect"), exist_ok=True)
put("expect/scores.npy", npy(numpy.zeros((1, 10), "f4"))[:-1])
case("damaged expectation", INVALID, "expect/scores.npy", *run, path("expect"))


def check(item):
    """Runs a case; returns what is wrong with it, or nothing."""
    name, code, pattern, args = item
    codes = [int(c) for c in code] if isinstance(code, str) else [code]
    wrong = []
    for extra in ([], ["--json"]):
        if extra and args[0] == "disasm":
            continue
        done = subprocess.run(["cimc"] + args + extra, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300)
        error = done.stderr.decode(errors="replace")
        if done.returncode not in codes:
            wrong.append("exit code %d, not %s: %s" % (done.returncode, code, error.strip()[:300]))
        if not re.search(pattern, error) or not error.startswith("cimc: error: "):
            wrong.append("message %r does not match %r" % (error[:300], pattern))
        if not extra and done.stdout:
            wrong.append("standard output: %r" % done.stdout[:80])
        if extra:
            try:
                result = json.loads(done.stdout.decode())
                if result["exit_code"] != done.returncode or not result["error"]["message"]:
                    wrong.append("JSON without its parts: %r" % result)
            except (ValueError, KeyError) as problem:
                wrong.append("JSON: %s in %r" % (problem, done.stdout[:200]))
    return ["%s: %s (cimc %s)" % (name, text, " ".join(args)) for text in wrong]


def fuzz(bit):
    """A flipped bit in a model may be harmless, but never a crash."""
    file = put("flip-%d.onnx" % bit, flip(bytes_, bit))
    done = subprocess.run(["cimc", "compile", file, "--to", "nn", "-o", file + ".mlir"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    ok = done.returncode in (0, USAGE, INVALID, UNSUPPORTED)
    return [] if ok else ["bit %d of the model flipped: exit code %d: %s" %
                          (bit, done.returncode, done.stderr[:300])]


with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    problems = [line for lines in pool.map(check, CASES) for line in lines]
    bits = [random_.randrange(len(bytes_) * 8) for _ in range(40)]
    problems += [line for lines in pool.map(fuzz, bits) for line in lines]
for line in problems:
    print(line)
print("%d cases, %d problems" % (len(CASES) + len(bits), len(problems)))
sys.exit(1 if problems else 0)
