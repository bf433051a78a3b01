#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's backend test data through cimc and tells what passes.

    conformance.py DATA [--cimc cimc] [--level nn] [--group FOLDER] [--filter REGEX]
                   [--table docs/conformance.md]
                   [--passing test/slow/Inputs/conformance-nn.txt]

DATA is a folder or archive with node/, simple/, pytorch-operator/ and pytorch-converted/, each
with folders of one model.onnx and its test_data_set_N. Every test is one run of the command, so
that a crash or a hang is seen as one. A test

    passes       outputs equal the expected ones within rtol 1e-3 and atol 1e-7 (NOISE lists two
                 tests with 1e-6), same type and shape,
    is refused   exit code 4, or 5 where it does not fit the chip, and a message,
    fails        anything else: other outputs, another exit code, a signal, no end in 60 s.

Where the command wants to know an input at compile time, the test is run again with its integer
inputs given as --constant-input, then with all but its first. --table writes the page. --passing
names a list of tests: with --update it is written, otherwise all of them have to pass (exit code
1 where one does not, or where any test fails).
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
# Expected values that are rounding noise of whoever computed them, 1.9e-7 where 0 is right.
NOISE = {"test_dft_inverse": 1e-6, "test_dft_inverse_opset19": 1e-6}
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
    """The last column of the first row of a table of nodes, or the message's first line."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    for i, line in enumerate(lines[:-1]):
        column = line.find("  reason")
        if column >= 0:
            return lines[i + 1][column:].strip()
    text = re.sub(r"^(cimc: )?(error: )?", "", lines[0])
    return re.sub(r"^\S*model\.onnx: ", "", text)


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

    def __init__(self, options, root):
        self.options, self.root = options, root

    def attempt(self, folder, model, data, bound, scratch):
        """One run: (kind, detail), kind 'constant' where an input must be known."""
        initializers = {t.name for t in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in initializers]
        command = [self.options.cimc, "run", os.path.join(folder, "model.onnx"), "--level",
                   self.options.level, "--output", scratch, "-j", "1"] + self.options.option
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
        if done.returncode in (4, 5) and message.strip():
            if "must be known at compile time" in message:
                return "constant", reason(message)
            return "refused", reason(message)
        if done.returncode != 0:
            return "failed", "exit code %d: %s" % (done.returncode, reason(message))
        error = 0.0
        atol = max(self.options.atol, NOISE.get(os.path.basename(folder), 0))
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
            for bound in (set(), integers, rest, integers | rest):
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


def page(outcomes, level):
    """docs/conformance.md."""
    def count(kind, group=None):
        return sum(o.kind == kind and (group is None or o.test.startswith(group + "/"))
                   for o in outcomes)
    lines = ["<!-- Made by test/models/conformance.py; do not edit. -->", "",
             "# Conformance", "",
             "ONNX's backend test data 1.22.0 at level `%s`: outputs within rtol 1e-3 and atol 1e-7 "
             "of the expected ones," % level,
             "same types and shapes. What is refused ends in exit code 4 (5: does not fit the chip) "
             "and the message below. "
             "Inputs that set shapes are",
             "given with `--constant-input` where the compiler asks for it (%d of the tests that "
             "pass)." % sum(o.bound > 0 for o in outcomes), "",
             "| group | passed | refused | failed | all |", "| --- | --- | --- | --- | --- |"]
    for group in GROUPS:
        total = sum(o.test.startswith(group + "/") for o in outcomes)
        lines.append("| %s | %d | %d | %d | %d |" % (group, count("passed", group),
                                                   count("refused", group),
                                                   count("failed", group), total))
    lines.append("| all | %d | %d | %d | %d |" % (count("passed"), count("refused"),
                                                count("failed"), len(outcomes)))
    lines += ["", "## Node tests by operator", "",
              "Tests of one node, counted under its operator; graphs of several nodes (functions "
              "written out, `_expanded`) under", "the row behind.", "",
              "| operator | passed | refused | failed |", "| --- | --- | --- | --- |"]
    rows = collections.defaultdict(collections.Counter)
    for o in outcomes:
        if o.test.startswith("node/"):
            rows[o.ops[0] if len(o.ops) == 1 else "(several)"][o.kind] += 1
    for op in sorted(rows):
        lines.append("| %s | %d | %d | %d |" % (op, rows[op]["passed"], rows[op]["refused"],
                                              rows[op]["failed"]))
    lines += ["", "## What is refused, and why", "", "| reason | tests |", "| --- | --- |"]
    reasons = collections.defaultdict(list)
    for o in outcomes:
        if o.kind != "passed":
            text = re.sub(r"'[^']*'", "'...'", o.detail)
            reasons[(o.kind, text)].append(os.path.basename(o.test))
    for (kind, text), tests in sorted(reasons.items(), key=lambda r: (r[0][0], -len(r[1]), r[0])):
        shown = ", ".join(sorted(tests)[:4]) + (", ..." if len(tests) > 4 else "")
        lines.append("| %s%s | %d: %s |" % ("**failed** " if kind == "failed" else "",
                                          text.replace("|", "\\|"), len(tests), shown))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--level", default="nn")
    parser.add_argument("--option", action="append", default=[],
                        help="passed on to cimc run (repeatable): --option=--precision=float")
    parser.add_argument("--group", action="append",
                        help="another folder of tests in DATA (repeatable) [%s]" % " ".join(GROUPS))
    parser.add_argument("--rtol", type=float, default=RTOL)
    parser.add_argument("--atol", type=float, default=ATOL)
    parser.add_argument("--filter", default="")
    parser.add_argument("-j", type=int, default=os.cpu_count())
    parser.add_argument("--table", metavar="FILE.md")
    parser.add_argument("--passing", metavar="FILE")
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
        runner = Runner(options, root)
        with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
            outcomes = list(pool.map(runner.run, tests))
    counts = collections.Counter(o.kind for o in outcomes)
    for o in outcomes:
        if o.kind == "failed" or (options.verbose and o.kind != "passed"):
            print("%s %s: %s" % (o.kind, o.test, o.detail))
        if options.errors and o.kind == "passed":
            print("passed %s: largest error %.3g" % (o.test, o.error))
    print("%d passed (%d with constant inputs), %d refused, %d failed" % (
        counts["passed"], sum(o.bound > 0 for o in outcomes), counts["refused"],
        counts["failed"]))
    if options.table:
        with open(options.table, "w") as file:
            file.write(page(outcomes, options.level))
    passed = {o.test for o in outcomes if o.kind == "passed"}
    bad = counts["failed"] > 0
    if options.passing and options.update:
        with open(options.passing, "w") as file:
            file.writelines(test + "\n" for test in sorted(passed))
    elif options.passing:
        with open(options.passing) as file:
            wanted = set(file.read().split())
        for test in sorted(wanted & set(tests) - passed):
            print("no longer passes: " + test)
            bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
