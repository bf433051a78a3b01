#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How long the importer takes and how much memory it needs, on models that this script writes.

Models of --gigabytes of weights, in the model file (where an element can lie at any address) and
beside it, are read by `cimc doctor`, which stops where they do not fit the chip; graphs of --nodes
nodes are imported and written as bytecode. Times are the best of three, on the wall and of the
processor; the limit is for processor time, which other work on the machine does not change much.
Prints a table and one line of JSON; exits with 1 where a limit is missed. Needs Python alone.

usage: import_bench.py [--cimc PATH] [--work DIRECTORY] [--gigabytes 1] [--nodes 10000] [--json FILE]
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
from onnx_wire import (data, external, floats, graph, model, node, number, tensor,  # noqa: E402
                       value_info, varint)

WIDTH = 4096
MATRIX = WIDTH * WIDTH * 4


def weights(count):
    """A chain of matrix products; returns the nodes and the names of the matrices."""
    names = ["w%0*d" % (1 + i % 7, i) for i in range(count)]  # odd lengths: any alignment
    nodes = [node("MatMul", ["x%d" % i, name], ["x%d" % (i + 1)], "product%d" % i)
             for i, name in enumerate(names)]
    return nodes, names


def chain(nodes, count, initializers=()):
    return graph(nodes, [value_info("x0", [1, WIDTH])], [value_info("x%d" % count, [1, WIDTH])],
                 initializers)


def write_inline(path, count, field):
    """Writes piece by piece: no part of the model is longer than a matrix."""
    nodes, names = weights(count)
    matrix = os.urandom(1 << 20).replace(b"\x7f", b"\x3f").replace(b"\xff", b"\x3f") * (MATRIX >> 20)
    heads = [b"".join(number(1, d) for d in (WIDTH, WIDTH)) + number(2, 1) + data(8, name) +
             varint(field << 3 | 2) + varint(len(matrix)) for name in names]
    rest = chain(nodes, count)
    size = len(rest) + sum(1 + len(varint(len(h) + MATRIX)) + len(h) + MATRIX for h in heads)
    with open(path, "wb") as file:
        file.write(model(b"")[:-2] + varint(7 << 3 | 2) + varint(size) + rest)
        for head in heads:
            file.write(varint(5 << 3 | 2) + varint(len(head) + len(matrix)) + head)
            file.write(matrix)


def write_external(path, count):
    nodes, names = weights(count)
    with open(path + ".data", "wb") as file:
        for _ in names:
            file.write(os.urandom(1 << 20).replace(b"\x7f", b"\x3f").replace(b"\xff", b"\x3f") *
                       (MATRIX >> 20))
    initializers = [external(name, [WIDTH, WIDTH], os.path.basename(path) + ".data", i * MATRIX, MATRIX)
                    for i, name in enumerate(names)]
    with open(path, "wb") as file:
        file.write(model(chain(nodes, count, initializers)))


def write_nodes(path, count, kinds):
    """A chain of `count` nodes; with constants and shape arithmetic between where `kinds`."""
    nodes, last = [], "x0"
    while len(nodes) < count:
        i, name = len(nodes), "v%d" % len(nodes)
        if kinds and i % 5 == 0 and len(nodes) + 4 < count:
            nodes += [node("Constant", [], ["c" + name], value=tensor("", [2], 7, bytes([1] + [0] * 7 + [8] + [0] * 7))),
                      node("Reshape", [last, "c" + name], ["r" + name]),
                      node("Add", ["r" + name, "bias"], ["a" + name]),
                      node("Transpose", ["a" + name], ["t" + name], perm=[1, 0]),
                      node("Reshape", ["t" + name, "c" + name], [name])]
        else:
            nodes.append(node("Relu" if i % 2 else "Sigmoid", [last], [name], "node%d" % i))
        last = name
    with open(path, "wb") as file:
        file.write(model(graph(nodes, [value_info("x0", [1, 8])], [value_info(last, [1, 8])],
                               [tensor("bias", [8], raw=floats([1] * 8))])))


def measure(cimc, path, weights):
    """Seconds and peak megabytes (10^6 bytes) of a process of its own; the best of three."""
    command = [cimc, "doctor", path, "--json"] if weights else \
        [cimc, "compile", path, "--to", "import", "-o", path + ".mlirbc", "--json"]
    best = None
    for _ in range(3):
        begin = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        answer = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = status
        report = json.loads(answer)
        if report.get("error", {}).get("kind") not in (None, "does_not_fit"):
            sys.exit("%s: %s" % (path, answer[:500]))
        row = {"process_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime,
               "import_s": report["import_s"] if weights else report["compile_s"],
               "peak_mb": usage.ru_maxrss * 1024 / 1e6}
        best = row if best is None or row["cpu_s"] < best["cpu_s"] else best
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cimc", default=shutil.which("cimc") or "build/release/bin/cimc")
    parser.add_argument("--work")
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--nodes", type=int, default=10000)
    parser.add_argument("--json")
    args = parser.parse_args()
    work = args.work or tempfile.mkdtemp(prefix="cimc-import-")
    os.makedirs(work, exist_ok=True)
    count = max(1, round(args.gigabytes * 1e9 / MATRIX))
    path = os.path.join(work, "model.onnx")
    kinds = [
        ("raw_data in the model file", lambda: write_inline(path, count, 9), 5.0, 1.3),
        ("float_data in the model file", lambda: write_inline(path, count, 4), 5.0, 1.3),
        ("external data", lambda: write_external(path, count), 5.0, 1.3),
        ("%d elementwise nodes" % args.nodes, lambda: write_nodes(path, args.nodes, False), 1.0, None),
        ("%d mixed nodes" % args.nodes, lambda: write_nodes(path, args.nodes, True), 1.0, None),
    ]
    rows, missed = [], 0
    print("| model | MB | import s | process s | processor s | limit s | peak MB | peak / size | limit |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    try:
        for name, write, seconds, ratio in kinds:
            write()
            size = sum(os.path.getsize(f) for f in (path, path + ".data") if os.path.exists(f)) / 1e6
            row = dict(measure(args.cimc, path, ratio is not None), model=name, size_mb=size)
            rows.append(row)
            late = row["cpu_s"] > seconds or (ratio and row["peak_mb"] > ratio * size)
            missed += bool(late)
            print("| %s | %.1f | %.2f | %.2f | %.2f | %.0f | %.0f | %.2f | %s |" % (
                name, size, row["import_s"], row["process_s"], row["cpu_s"], seconds, row["peak_mb"],
                row["peak_mb"] / size, ratio or ""))
            sys.stdout.flush()
            for file in (path, path + ".data", path + ".mlirbc"):
                if os.path.exists(file):
                    os.remove(file)
    finally:
        if not args.work:
            shutil.rmtree(work, ignore_errors=True)
    text = json.dumps({"benchmark": "import", "rows": rows, "missed": missed})
    print(text)
    if args.json:
        with open(args.json, "w") as file:
            file.write(text + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
