#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's backend test data through cimc and tells what passes.

    conformance.py DATA [--cimc cimc] [--level nn]... [--group FOLDER] [--filter REGEX]
                   [--table docs/conformance.md] [--passing test/slow/Inputs [--update]]

DATA is a folder or archive with node/, simple/, pytorch-operator/ and pytorch-converted/, each
with folders of one model.onnx and its test_data_set_N. Every test is one run of the command, so
that a crash or a hang is seen as one; below the nn level with --precision float. A test

    passes       outputs equal the expected ones within rtol 1e-3 and atol 1e-7 (NOISE lists
                 exceptions), same type and shape,
    is refused   exit code 4, or 5 where it does not fit the chip, and a message; also 3 where its
                 data lie outside of what the chip's types hold (float64 beyond float32),
    fails        anything else: other outputs, another exit code, a signal, no end in 60 s.

Where the command wants to know an input at compile time, the test is run again with its integer
inputs given as --constant-input, then with all but its first, then with all. --table writes the page. --passing
names a folder with a list of tests for each level, conformance-LEVEL.txt: with --update they are
written, otherwise all of them have to pass (exit code 1 where one does not, or where any test
fails).
"""

import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import tarfile
import tempfile

import numpy
import onnx
from onnx import numpy_helper

GROUPS = ["node", "simple", "pytorch-operator", "pytorch-converted"]
RTOL, ATOL = 1e-3, 1e-7
# Absolute tolerances by level where 0 is right and what is expected is rounding noise of whoever
# computed it (1.9e-7), or where float at the chip's precision gives noise of its own: 3e-5 in sums
# whose terms are up to 4950, of which one unit in the last place is 4.9e-4.
NOISE = {"test_dft_inverse": {"nn": 1e-6, "isa": 1e-6},
         "test_dft_inverse_opset19": {"nn": 1e-6, "isa": 1e-6},
         "test_dft_irfft": {"isa": 1e-4}, "test_dft_irfft_opset19": {"isa": 1e-4}}
SECONDS = 60
INTEGERS = {onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL}

Outcome = collections.namedtuple("Outcome", "test ops kind detail bound error")


def operators(graph):
    """The operators of a graph and its subgraphs."""
    names = []
    for node in graph.node:
        names.append(node.op_type if node.domain in ("", "ai.onnx")
                     else node.domain + "." + node.op_type)
        for attribute in node.attribute:
            for part in [attribute.g] + list(attribute.graphs):
                names += operators(part)
    return names


def widened(array):
    """Types that numpy lacks as the types that cimc writes them as."""
    if array.dtype.name in ("int4", "int2"):
        return array.astype(numpy.int8)
    if array.dtype.name in ("uint4", "uint2"):
        return array.astype(numpy.uint8)
    if array.dtype.name == "bfloat16" or array.dtype.name.startswith("float8") or \
            array.dtype.name.startswith("float4"):
        return array.astype(numpy.float32)
    return array


def difference(got, expected, rtol, atol):
    """What is wrong with an output, or None; and the largest absolute error."""
    expected = widened(expected)
    if got.dtype != expected.dtype:
        return "is %s, expected %s" % (got.dtype, expected.dtype), 0.0
    if got.shape != expected.shape:
        return "has shape %s, expected %s" % (got.shape, expected.shape), 0.0
    error = 0.0
    if expected.dtype.kind in "fc":
        a, b = got.astype(numpy.float64), expected.astype(numpy.float64)
        same = numpy.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        finite = numpy.isfinite(a) & numpy.isfinite(b)
        error = float(numpy.abs(a[finite] - b[finite]).max(initial=0.0))
    else:
        same = got == expected
    if same.all():
        return None, error
    first = tuple(numpy.argwhere(~numpy.atleast_1d(same))[0])
    return "differs in %d of %d elements, first at %s: %s, expected %s" % (
        (~same).sum(), same.size, [int(i) for i in first], numpy.atleast_1d(got)[first],
        numpy.atleast_1d(expected)[first]), error


def reason(message):
    """What a message says without the names of the model: the last column of the first row of a
    table of nodes, the first note, or the first line."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    for i, line in enumerate(lines[:-1]):
        column = line.find("  reason")
        if column >= 0:
            end = line.find("  nearest")
            return lines[i + 1][column:end if end > column else None].strip()
    for line in lines:
        # "  note: NODE: nn.operation: what is wrong"
        note = re.match(r"\s*note: (?:.*: )?(nn\.\w+: .*)", line)
        if note:
            return note.group(1)
    text = re.sub(r"^(cimc: )?(error: )?", "", lines[0])
    return re.sub(r"^(\S*model\.onnx|test_\w+): ", "", text)


def grouped(text):
    """A reason without what differs between tests that it refuses alike."""
    text = re.sub(r"nn\.\w+: ", "", text)
    text = re.sub(r"'[^']*'|tensor<[^>]*>", "...", text)
    text = re.sub(r"\d+(x\d+)+", "...", text)
    text = re.sub(r"^.*: element \d+ is \S+; ", "", text)
    text = re.sub(r"^[\w-]+: (\.\.\. op)", r"\1", text)
    text = re.sub(r"needs \d+ bytes .*", "needs more bytes of memory than a core has", text)
    return text


def is_open(value):
    """Whether a shape leaves dimensions open."""
    shape = value.type.tensor_type
    return value.type.HasField("tensor_type") and (
        not shape.HasField("shape") or
        any(not dim.HasField("dim_value") for dim in shape.shape.dim))


def read(path):
    """The array of a TensorProto file."""
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return numpy_helper.to_array(tensor)


class Runner:
    """Runs tests with the options of the command line."""

    def __init__(self, options, root, level):
        self.options, self.root, self.level = options, root, level

    def attempt(self, folder, model, data, bound, scratch):
        """One run: (kind, detail), kind 'constant' where an input must be known."""
        initializers = {t.name for t in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in initializers]
        command = [self.options.cimc, "run", os.path.join(folder, "model.onnx"), "--level",
                   self.level, "--output", scratch, "-j", "1"]
        if self.level != "nn":
            command += ["--precision", "float"]
        for k, value in enumerate(inputs):
            path = os.path.join(data, "input_%d.pb" % k)
            if os.path.exists(path):
                option = "--constant-input" if value.name in bound else "--input"
                command += [option, "%s=%s" % (value.name, path)]
                if is_open(value) and value.name not in bound and value.type.HasField("tensor_type"):
                    shape = read(path).shape
                    if shape:
                        command += ["--input-shape",
                                    "%s=%s" % (value.name, "x".join(map(str, shape)))]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return "failed", "no end in %d s" % SECONDS
        message = done.stderr.decode(errors="replace")
        if done.returncode in (4, 5) and message.strip() or \
                done.returncode == 3 and "values must lie within" in message:
            if "must be known at compile time" in message:
                return "constant", reason(message)
            return "refused", reason(message)
        if done.returncode != 0:
            return "failed", "exit code %d: %s" % (done.returncode, reason(message))
        error = 0.0
        atol = max(self.options.atol, NOISE.get(os.path.basename(folder), {}).get(self.level, 0))
        for k, value in enumerate(model.graph.output):
            expected = read(os.path.join(data, "output_%d.pb" % k))
            path = os.path.join(scratch, value.name.replace("/", "_") + ".npy")
            wrong, largest = difference(numpy.load(path), expected, self.options.rtol, atol)
            if wrong:
                return "failed", "output '%s' %s" % (value.name, wrong)
            error = max(error, largest)
        return "passed", error

    def run(self, test):
        """The outcome of a test: of its first data set that does not pass."""
        folder = os.path.join(self.root, test)
        model = onnx.load(os.path.join(folder, "model.onnx"))
        ops = operators(model.graph)
        integers, rest = set(), set()
        for k, value in enumerate(model.graph.input):
            if value.type.tensor_type.elem_type in INTEGERS:
                integers.add(value.name)
            if k:
                rest.add(value.name)
        kind, detail, used, error = "failed", "no data sets", 0, 0.0
        for name in sorted(os.listdir(folder)):
            if not name.startswith("test_data_set_"):
                continue
            for bound in (set(), integers, rest, integers | rest,
                          {i.name for i in model.graph.input}):
                with tempfile.TemporaryDirectory() as scratch:
                    kind, detail = self.attempt(folder, model, os.path.join(folder, name), bound,
                                                scratch)
                used = len(bound)
                if kind != "constant":
                    break
            if kind == "constant":
                kind = "refused"
            if kind != "passed":
                break
            error = max(error, detail)
        if kind == "passed":
            return Outcome(test, ops, kind, "", used, error)
        return Outcome(test, ops, kind, detail, 0, 0.0)


def unpack(archive, into):
    """The groups of an archive, without anything that leaves the folder."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = os.path.normpath(member.name)
            if path.split(os.sep)[0] in GROUPS and (member.isfile() or member.isdir()):
                member.name = path
                tar.extract(member, into)


LEVELS = {"nn": "reference evaluator", "isa": "compiled and run on the chip, `--precision float`"}


def reasons_table(outcomes):
    """The rows of a table of reasons."""
    reasons = collections.defaultdict(list)
    for o in outcomes:
        reasons[(o.kind, grouped(o.detail))].append(o)
    lines = ["| reason | tests | operators |", "| --- | --- | --- |"]
    for (kind, text), those in sorted(reasons.items(),
                                      key=lambda r: (r[0][0], -len(r[1]), r[0])):
        ops = sorted({o.ops[0] if len(o.ops) == 1 else re.sub("^test_", "", os.path.basename(o.test))
                      for o in those})
        shown = ", ".join(ops[:6]) + (", ..." if len(ops) > 6 else "")
        lines.append("| %s%s | %d | %s |" % ("**failed** " if kind == "failed" else "",
                                           text.replace("|", "\\|"), len(those), shown))
    return lines


def page(runs):
    """docs/conformance.md, from the outcomes by level."""
    lines = ["<!-- Made by test/models/conformance.py; do not edit. -->", "",
             "# Conformance", "",
             "ONNX's backend test data 1.22.0: outputs within rtol 1e-3 and atol 1e-7 of the expected "
             "ones, same types and shapes.",
             "What is refused ends in exit code 4 (5: does not fit the chip) and a message. Inputs "
             "that set shapes are given with", "`--constant-input` where the compiler asks for it.", "",
             "| group | level | passed | refused | failed | with constant inputs | all |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for group in GROUPS + [""]:
        for level, outcomes in runs.items():
            those = [o for o in outcomes if o.test.startswith(group)]
            kinds = collections.Counter(o.kind for o in those)
            lines.append("| %s | %s | %d | %d | %d | %d | %d |" % (
                group or "all", level, kinds["passed"], kinds["refused"], kinds["failed"],
                sum(o.bound > 0 for o in those), len(those)))
    lines += [""] + ["* `%s`: %s" % (level, LEVELS.get(level, "")) for level in runs]
    lines += ["", "## Node tests by operator", "",
              "Passed of all. Tests of one node are counted under its operator; graphs of several "
              "nodes (functions written out,", "`_expanded`) under the row behind.", "",
              "| operator | tests | " + " | ".join(runs) + " |",
              "| --- | --- |" + " --- |" * len(runs)]
    rows = collections.defaultdict(collections.Counter)
    for level, outcomes in runs.items():
        for o in outcomes:
            if o.test.startswith("node/"):
                name = o.ops[0] if len(o.ops) == 1 else "(several)"
                rows[name][level] += o.kind == "passed"
                rows[name]["all"] += level == next(iter(runs))
    for op in sorted(rows):
        lines.append("| %s | %d | %s |" % (op, rows[op]["all"],
                                         " | ".join(str(rows[op][level]) for level in runs)))
    passed = None
    for level, outcomes in runs.items():
        lines += ["", "## What is refused at %s, and why" % level, ""]
        if passed is not None:
            lines += ["Of the tests that pass at %s." % next(iter(runs)), ""]
        lines += reasons_table(o for o in outcomes if o.kind != "passed" and
                               (passed is None or o.test in passed))
        if passed is None:
            passed = {o.test for o in outcomes if o.kind == "passed"}
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--level", action="append", help="repeatable [nn isa]")
    parser.add_argument("--group", action="append",
                        help="another folder of tests in DATA (repeatable) [%s]" % " ".join(GROUPS))
    parser.add_argument("--rtol", type=float, default=RTOL)
    parser.add_argument("--atol", type=float, default=ATOL)
    parser.add_argument("--filter", default="")
    parser.add_argument("-j", type=int, default=os.cpu_count())
    parser.add_argument("--table", metavar="FILE.md")
    parser.add_argument("--passing", metavar="FOLDER")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="every test that does not pass")
    parser.add_argument("--errors", action="store_true",
                        help="the largest absolute error of every test that passes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.data
        if not os.path.isdir(root):
            unpack(root, scratch)
            root = scratch
        tests = [os.path.join(group, name) for group in options.group or GROUPS
                 if os.path.isdir(os.path.join(root, group))
                 for name in sorted(os.listdir(os.path.join(root, group)))
                 if re.search(options.filter, group + "/" + name) and
                 os.path.exists(os.path.join(root, group, name, "model.onnx"))]
        runs = {}
        for level in options.level or ["nn", "isa"]:
            runner = Runner(options, root, level)
            with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
                runs[level] = list(pool.map(runner.run, tests))
    bad = False
    for level, outcomes in runs.items():
        for o in outcomes:
            if o.kind == "failed" or (options.verbose and o.kind != "passed"):
                print("%s %s at %s: %s" % (o.kind, o.test, level, o.detail))
            if options.errors and o.kind == "passed":
                print("passed %s at %s: largest error %.3g" % (o.test, level, o.error))
        counts = collections.Counter(o.kind for o in outcomes)
        print("%s: %d passed (%d with constant inputs), %d refused, %d failed" % (
            level, counts["passed"], sum(o.bound > 0 for o in outcomes), counts["refused"],
            counts["failed"]))
        bad |= counts["failed"] > 0
        if not options.passing:
            continue
        passed = {o.test for o in outcomes if o.kind == "passed"}
        path = os.path.join(options.passing, "conformance-%s.txt" % level)
        if options.update:
            with open(path, "w") as file:
                file.writelines(test + "\n" for test in sorted(passed))
            continue
        with open(path) as file:
            wanted = set(file.read().split())
        for test in sorted(wanted & set(tests) - passed):
            print("no longer passes at %s: %s" % (level, test))
            bad = True
    if options.table:
        with open(options.table, "w") as file:
            file.write(page(runs))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
