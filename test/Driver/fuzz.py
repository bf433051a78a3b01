#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutated files of every kind that cimc reads, from a fixed seed.

Each command must end with a documented exit code other than 1 (a bug in cimc), and with a
message where that is not 0; never with a signal, a sanitizer's report or a hang. Commands run
many to a process, by cimcCommandList. Needs NumPy, and `cimc` in PATH.

usage: fuzz.py COMMAND_LIST MODELS WORK [MUTANTS_PER_KIND [SEED [KIND...]]]
"""
import io
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy

TOOL, MODELS, WORK = sys.argv[1:4]
COUNT = int(sys.argv[4]) if len(sys.argv) > 4 else 300
SEED = sys.argv[5] if len(sys.argv) > 5 else "1"
ONLY = sys.argv[6:]
SECONDS = 60
CODES = {0, 2, 3, 4, 5, 7, 8}
shutil.rmtree(WORK, ignore_errors=True)
os.makedirs(WORK)


def path(name):
    return os.path.join(WORK, name)


def get(name):
    with open(name, "rb") as file:
        return file.read()


# Mutations of bytes, of text and of messages.

def bytes_mutant(content, rng):
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.randrange(1, 40))
        what = rng.randrange(8)
        if what < 2:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        elif what == 3:
            del data[at:]
        elif what == 4:
            del data[at:end]
        elif what == 5:
            data[at:at] = data[at:end]
        elif what == 6:
            data[at:end] = bytes(rng.choice((0, 255)) for _ in range(1)) * (end - at)
        else:
            size = rng.choice((2, 4, 8))
            value = rng.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2 ** 31 - 1))
            data[at:at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(data)


NUMBERS = ["0", "1", "-1", "2", "3", "7", "255", "256", "65536", "2147483647", "2147483648",
           "-2147483648", "4294967296", "9223372036854775807", "-9223372036854775808",
           "18446744073709551616", "0.5", "-0.0", "1e-40", "1e30", "1e400", "nan"]


def words_of(text):
    """Cuts text into words, numbers and other characters."""
    return re.findall(r"[A-Za-z_][A-Za-z_0-9.]*|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|\s+|.", text,
                      re.DOTALL)


def text_mutant(content, rng):
    """Numbers become others, words change places with others, lines move or go."""
    if rng.random() < 0.05:
        return bytes_mutant(content, rng)
    words = words_of(content.decode())
    numbers = [i for i, w in enumerate(words) if w[0].isdigit()]
    names = [i for i, w in enumerate(words) if w[0].isalpha()]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        what = rng.randrange(10)
        if what < 6 and numbers:
            at = rng.choice(numbers)
            words[at] = rng.choice(NUMBERS + [words[rng.choice(numbers)]] * 16)
        elif what == 6 and names:
            words[rng.choice(names)] = words[rng.choice(names)]
        elif what == 7:
            words[rng.randrange(len(words))] = ""
        elif what == 8:
            at = rng.randrange(len(words))
            words[at] += words[at]
        else:
            lines = "".join(words).split("\n")
            at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
            if rng.random() < 0.5:
                lines.insert(to, lines[at])
            else:
                lines.insert(to, lines.pop(at))
            return "\n".join(lines).encode()
    return "".join(words).encode()


def varint(value):
    value %= 2 ** 64
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def fields_of(data, depth=6):
    """The fields of a protobuf message as [number, wire type, value], where a value that is a
    message itself is a list; or nothing where `data` is none."""
    fields, at = [], 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    try:
        while at < len(data):
            key = number()
            wire = key & 7
            if wire == 0:
                fields.append([key >> 3, 0, number()])
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                fields.append([key >> 3, wire, data[at:at + size]])
                at += size
            elif wire == 2:
                size = number()
                if at + size > len(data):
                    return None
                inner = data[at:at + size]
                at += size
                nested = fields_of(inner, depth - 1) if depth and size > 1 else None
                fields.append([key >> 3, 2, nested or inner])
            else:
                return None
            if not 0 < key >> 3 < 64:
                return None
    except IndexError:
        return None
    return fields if at == len(data) else None


def message_of(fields):
    out = b""
    for number, wire, value in fields:
        out += varint(number << 3 | wire)
        if wire == 0:
            out += varint(value)
        elif wire == 2:
            inner = message_of(value) if isinstance(value, list) else value
            out += varint(len(inner)) + inner
        else:
            out += value
    return out


def message_mutant(content, rng):
    """Changes fields and keeps the message well-formed."""
    root = fields_of(content)
    lists = []

    def collect(fields):
        lists.append(fields)
        for field in fields:
            if isinstance(field[2], list):
                collect(field[2])

    collect(root)
    values = [f[2] for fields in lists for f in fields if f[1] == 2 and isinstance(f[2], bytes)]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        fields = rng.choice(lists)
        if not fields:
            continue
        at = rng.randrange(len(fields))
        field = fields[at]
        what = rng.randrange(8)
        if what == 0:
            del fields[at]
        elif what == 1:
            fields.insert(rng.randrange(len(fields) + 1), list(field))
        elif what == 2:
            other = rng.randrange(len(fields))
            fields[at], fields[other] = fields[other], fields[at]
        elif what == 3:
            field[0] = rng.randrange(1, 25)
        elif field[1] == 0:
            field[2] = rng.choice((0, 1, 2, 3, 5, 7, 8, 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40,
                                   2 ** 62, 2 ** 63 - 1, 2 ** 63, -1, -2, field[2] + 1,
                                   field[2] - 1))
        elif field[1] != 2:
            field[2] = rng.choice((bytes(8), b"\xff" * 8, struct.pack("<d", 1e300),
                                   struct.pack("<ff", 1e-45, float("inf")),
                                   struct.pack("<ff", -1, float("nan"))))[:len(field[2])]
        elif isinstance(field[2], bytes):
            field[2] = rng.choice((b"", rng.choice(values), bytes_mutant(field[2], rng)))
    return message_of(root)


def program_mutant(content, rng):
    """Changes sections and repairs the checksums, so that what is inside is read."""
    count = struct.unpack_from("<I", content, 8)[0]
    table = [struct.unpack_from("<8sQQII", content, 16 + 32 * i) for i in range(count)]
    sections = [content[offset:offset + size] for _, offset, size, _, _ in table]
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.choice((0, 1, 2, 2, 2, 2, 3, 4, 5, 6))
        sections[at] = (text_mutant if at == 0 else bytes_mutant)(sections[at], rng)
    offset, entries, body = 16 + 32 * count, b"", b""
    for (name, _, _, _, zero), section in zip(table, sections):
        entries += struct.pack("<8sQQII", name, offset + len(body), len(section),
                               zlib.crc32(section), zero)
        body += section
    header = content[:12]
    return header + struct.pack("<I", zlib.crc32(entries, zlib.crc32(header))) + entries + body


# The files to start from.

model = os.path.join(MODELS, "digits.onnx")
calibration = os.path.join(MODELS, "digits_calibration.npy")
calibrated = ["--chip", "wearable", "--calibrate", calibration]
program = path("digits.cimx")


def cimc(*args):
    return subprocess.run(["cimc"] + list(args), check=True, stdout=subprocess.PIPE).stdout


cimc("compile", model, *calibrated, "-o", program)
chip = cimc("chips", "wearable")
levels = {}
for phase in ("import", "nn", "qnn", "cim", "placed", "sched", "isa"):
    cimc("compile", model, *calibrated, "--to", phase, "-o", path(phase + ".mlir"))
    levels[phase] = get(path(phase + ".mlir"))
cimc("compile", model, *calibrated, "--to", "sched", "-o", path("sched.mlirbc"))
cimc("quantize", model, "--calibrate", calibration, "-o", path("qdq.onnx"))
sample = numpy.load(os.path.join(MODELS, "digits_samples.npy")).reshape(-1, 1, 1, 8, 8)[0]


def npy(array, save=numpy.save, **arrays):
    buffer = io.BytesIO()
    save(buffer, *([] if array is None else [array]), **arrays)
    return buffer.getvalue()


array = npy(sample)
proto = b"".join(b"\x08" + varint(d) for d in sample.shape) + b"\x10\x01" + \
    b"\x4a\x80\x02" + sample.astype("<f4").tobytes()
batch = numpy.load(calibration)
archive = npy(None, numpy.savez_compressed, image=batch)
stored = npy(None, numpy.savez, image=batch)
with open(path("one.npy"), "wb") as file:
    file.write(array)

text_model = b"""<ir_version: 8, opset_import: ["" : 13]>
g (float[1, 2, 5, 5] x) => (float[1, 3, 3, 3] y)
<float[3, 2, 3, 3] w = {%s}, float[3] b = {1, 2, 3}> {
  c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w, b)
  r = Relu (c)
  p = MaxPool <kernel_shape = [3, 3], strides = [1, 1]> (r)
  y = Add (p, b2)
}
""".replace(b"b2", b"p") % b", ".join(b"%d" % (i % 5) for i in range(54))


def compile_(file, rng):
    return ["compile", file] + calibrated + ["-o", path("out.cimx")]


def import_(file, rng):
    return ["compile", file, "--to", rng.choice(("import", "nn")), "-o", path("out.mlir")]


def run(file, rng):
    return rng.choice((["inspect", file], ["run", file, "--input", path("one.npy")],
                       ["disasm", file, "-o", path("out.s")]))


def input_(file, rng):
    return ["run", program, "--input", file]


def calibrate(file, rng):
    return ["compile", model, "--chip", "wearable", "--calibrate", file, "-o", path("out.cimx")]


def on_chip(file, rng):
    return ["compile", model, "--calibrate", calibration, "--chip", file, "-o", path("out.cimx")]


def onward(file, rng):
    """Levels from cim on name their chip."""
    return rng.choice((["compile", file, "-o", path("out.cimx")],
                       ["run", file, "--level", rng.choice(("cim", "sched", "isa")), "--input",
                        path("one.npy")]))


qdq = get(path("qdq.onnx"))
KINDS = {
    "onnx": (".onnx", bytes_mutant, import_, [get(model), qdq]),
    "onnx-message": (".onnx", message_mutant, compile_, [get(model), qdq]),
    "onnxtxt": (".onnxtxt", text_mutant, import_, [text_model]),
    "cimx": (".cimx", bytes_mutant, run, [get(program)]),
    "cimx-sections": (".cimx", program_mutant, run, [get(program)]),
    "chip": (".json", text_mutant, on_chip, [chip]),
    "npy": (".npy", bytes_mutant, input_, [array]),
    "pb": (".pb", message_mutant, input_, [proto]),
    "pb-bytes": (".pb", bytes_mutant, input_, [proto]),
    "npz": (".npz", bytes_mutant, calibrate, [archive, stored]),
    "network": (".mlir", text_mutant, compile_, [levels["import"], levels["nn"]]),
    "qnn": (".mlir", text_mutant, onward, [levels["qnn"]]),
    "cim": (".mlir", text_mutant, onward, [levels["cim"], levels["placed"]]),
    "sched": (".mlir", text_mutant, onward, [levels["sched"]]),
    "isa": (".mlir", text_mutant, onward, [levels["isa"]]),
    "mlirbc": (".mlirbc", bytes_mutant, onward, [get(path("sched.mlirbc"))]),
}


def fuzz(kind):
    """Runs the mutants of a kind; returns their number and what went wrong."""
    suffix, mutate, command, seeds = KINDS[kind]
    folder = path(kind)
    os.makedirs(folder)
    lines = []
    for i in range(COUNT):
        rng = random.Random("%s %s %d" % (SEED, kind, i))
        file = os.path.join(folder, "%d%s" % (i, suffix))
        with open(file, "wb") as out:
            out.write(mutate(seeds[i % len(seeds)], rng))
        lines.append(command(file, rng))
    with open(path(kind + ".list"), "w") as out:
        out.writelines("\t".join(line) + "\n" for line in lines)
    problems, codes, first = [], {}, 0
    while first < COUNT:
        messages = path(kind + ".messages")
        done = subprocess.run([TOOL, path(kind + ".list"), str(first), str(SECONDS), messages],
                              stdout=subprocess.PIPE)
        for result in done.stdout.decode(errors="replace").splitlines():
            if result.count("\t") < 2:
                continue
            number, code, text = result.split("\t", 2)
            first, code = int(number) + 1, int(code)
            codes[code] = codes.get(code, 0) + 1
            if code not in CODES or (code and not text.startswith("cimc: ")):
                problems.append("%s: exit code %d: %s" % (" ".join(lines[first - 1]), code, text))
        if first < COUNT and done.returncode:
            lines_ = get(messages).decode(errors="replace").splitlines()
            problems.append("%s: ended by %d:\n  %s" %
                            (" ".join(lines[first]), done.returncode, "\n  ".join(lines_[:25])))
            first += 1
    return COUNT, problems, "%s: %s" % (kind, ", ".join("%d with exit code %d" % (n, code)
                                                       for code, n in sorted(codes.items())))


# MLIR's own bytecode reader is not hardened against damaged files, and what a
# mutant hits depends on the paths inside the file: only where asked for.
with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    results = list(pool.map(fuzz, ONLY or [kind for kind in KINDS if kind != "mlirbc"]))
for _, _, summary in results:
    print(summary)
for _, problems, _ in results:
    for problem in problems:
        print(problem)
print("%d mutants, %d problems" % (sum(r[0] for r in results), sum(len(r[1]) for r in results)))
sys.exit(1 if any(r[1] for r in results) else 0)
