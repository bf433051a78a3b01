#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How seconds and memory of compiling grow with the network and with the chip.

usage: scale.py [--work DIR] [--cimc PATH] [--parameters N,...] [--chiplets N,...]
       [--limit SECONDS] [--json FILE]

Networks are stacks of the matrix products of a decoder, int8 with
quantize/dequantize pairs and random weights (seed 0): for each block q, k, v
and o of d x d, and d x 4d and 4d x d behind each other, with their residual
additions, for 16 tokens. Width and depth grow together (DECODERS).

Parameters: each network on the smallest chip of 1, 2, 4, ... chiplets like those
of the preset `card-dense` (134 million weights each) that leaves a third of its
cells free. Chiplets: the network of 4 million parameters on 1 to 1,024
chiplets like those of `card`. Both curves have the slope of a straight line through
the logarithms, by least squares, of the upper half of the points too, as what is
paid once bends the lower end. A point that takes longer than --limit ends
its curve.

One row a point: processor seconds of `cimc compile` with one thread, all in all,
so that other work on the machine does not count; peak memory of the process;
instructions; arrays. --json has the seconds of each phase, too.
Needs numpy and onnx; networks lie in the work folder and are not made again.
"""

import argparse
import json
import math
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

TOKENS = 16
# Parameters asked for: width, blocks. Parameters are 12 d^2 a block.
DECODERS = {
    1: (128, 5), 4: (256, 5), 10: (320, 8), 30: (512, 10), 100: (768, 14), 300: (1280, 15), 1000: (2048, 20),
    3000: (3072, 26), 7000: (4096, 35)}


def write_network(path, width, blocks):
    """Weights are external data, one after the other in a file beside the model."""
    rng = np.random.default_rng(0)
    data = path.with_suffix(".bin")
    nodes, initializers = [], []
    scalars = {"act": np.float32(0.05), "weight": np.float32(0.02), "zero": np.int8(0)}
    for name, value in scalars.items():
        initializers.append(onnx.numpy_helper.from_array(np.array(value), name))
    file = open(data, "wb")

    def add(op, name, inputs):
        nodes.append(helper.make_node(op, inputs, [name], name=name))
        return name

    def pair(name):
        add("QuantizeLinear", name + "_q", [name, "act", "zero"])
        return add("DequantizeLinear", name + "_d", [name + "_q", "act", "zero"])

    def product(name, value, rows, columns):
        tensor = TensorProto(name=name + "_w", data_type=TensorProto.INT8, dims=[rows, columns])
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", data.name), ("offset", file.tell()), ("length", rows * columns)):
            tensor.external_data.add(key=key, value=str(text))
        for begin in range(0, rows, 1024):
            file.write(rng.integers(-127, 128, (min(1024, rows - begin), columns), dtype=np.int8).tobytes())
        initializers.append(tensor)
        add("DequantizeLinear", name + "_wd", [name + "_w", "weight", "zero"])
        return pair(add("MatMul", name, [value, name + "_wd"]))

    value = pair("x")
    for block in range(blocks):
        prefix = "b%d_" % block
        q, k, v = (product(prefix + part, value, width, width) for part in "qkv")
        mixed = pair(add("Add", prefix + "qk", [q, k]))
        mixed = pair(add("Add", prefix + "qkv", [mixed, v]))
        value = pair(add("Add", prefix + "r1", [product(prefix + "o", mixed, width, width), value]))
        up = product(prefix + "up", value, width, 4 * width)
        value = pair(add("Add", prefix + "r2", [product(prefix + "down", up, 4 * width, width), value]))
    file.close()
    nodes.append(helper.make_node("Identity", [value], ["y"], name="y"))
    shape = [TOKENS, width]
    graph = helper.make_graph(nodes, "decoder", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def write_chip(cimc, preset, chiplets, path):
    """The preset with its chiplets in a mesh of so many (a power of two)."""
    text = subprocess.run([cimc, "chips", preset], check=True, capture_output=True, text=True).stdout
    chip = json.loads(text)
    rows = 1 << (int(math.log2(chiplets)) // 2)
    scale = chiplets / (chip["hierarchy"]["chiplet_rows"]["value"] * chip["hierarchy"]["chiplet_columns"]["value"])
    chip["name"] = "%s-%d" % (preset, chiplets)
    chip["hierarchy"]["chiplet_rows"]["value"] = rows
    chip["hierarchy"]["chiplet_columns"]["value"] = chiplets // rows
    chip["dram"]["gb_per_s"]["value"] *= scale
    chip["power"]["tdp_w"]["value"] *= scale
    path.write_text(json.dumps(chip))


def compile_point(args, model, chip):
    command = [args.cimc, "compile", str(model), "--chip", str(chip), "-o", str(args.work / "scale.cimx"), "--json",
               "-j", "1"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.limit)
    except subprocess.TimeoutExpired:
        return {"error": "more than %d s" % args.limit}
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return {"error": "exit %d: %s" % (done.returncode, done.stderr[-200:])}
    if done.returncode:
        return {"error": re.sub(r"\s+", " ", report["error"]["message"])[:200]}
    keys = ("compile_s", "timing_s", "peak_rss_mb", "program_bytes", "instructions", "arrays_used", "arrays_total",
            "period_ns", "phases_s")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": seconds, **{key: report[key] for key in keys}}


def slope(points, x, y):
    """Of a straight line through log y over log x."""
    if len(points) < 2:
        return None
    return float(np.polyfit([math.log(p[x]) for p in points], [math.log(p[y]) for p in points], 1)[0])


def curve(args, title, x, points):
    print("| %s | chip | processor s | memory MB | instructions | arrays |" % title)
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    rows = []
    for value, model, chip in points:
        row = {x: value, "chip": chip.stem}
        row.update(compile_point(args, model(), chip))
        if "error" in row:
            print("| {:,} | {} | {} | | | |".format(value, chip.stem, row["error"]), flush=True)
            rows.append(row)
            break
        print("| {:,} | {} | {:.2f} | {:,.0f} | {:,} | {:,} of {:,} |".format(
            value, chip.stem, row["cpu_s"], row["peak_rss_mb"], row["instructions"],
            row["arrays_used"], row["arrays_total"]), flush=True)
        rows.append(row)
    good = [row for row in rows if "error" not in row]
    slopes = {}
    for y in ("cpu_s", "peak_rss_mb"):
        for name, part in (("all", good), ("upper_half", good[len(good) // 2:])):
            slopes["%s_%s" % (y, name)] = slope(part, x, y)
    print("slopes: " + ", ".join("%s %.2f" % (name, value) for name, value in slopes.items() if value is not None))
    print(flush=True)
    return {"points": rows, "slopes": slopes}


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--parameters", default="1,4,10,30,100,300,1000", help="millions, of " + str(list(DECODERS)))
    parser.add_argument("--chiplets", default="1,2,4,8,16,32,64,128,256,512,1024")
    parser.add_argument("--limit", type=int, default=600, help="seconds a point")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    args.work = args.work or pathlib.Path(tempfile.mkdtemp(prefix="cimc-scale-"))
    args.work.mkdir(parents=True, exist_ok=True)

    def network(millions):
        width, blocks = DECODERS[millions]
        path = args.work / ("decoder-%dm.onnx" % millions)
        if not path.exists():
            write_network(path, width, blocks)
        return path

    def chip(preset, chiplets):
        path = args.work / ("%s-%d.json" % (preset, chiplets))
        write_chip(args.cimc, preset, chiplets, path)
        return path

    def parameters(millions):
        width, blocks = DECODERS[millions]
        return 12 * width * width * blocks

    def enough(millions):
        weights = 1.5 * parameters(millions) / (128 * 16384 * 64)
        return max(1, 2 ** math.ceil(math.log2(weights)))

    sizes = [int(text) for text in args.parameters.split(",") if text]
    if any(size not in DECODERS for size in sizes):
        sys.exit("scale.py: --parameters are of " + str(list(DECODERS)))
    result = {}
    if sizes:
        result["parameters"] = curve(args, "parameters", "parameters", [
            (parameters(m), lambda m=m: network(m), chip("card-dense", enough(m))) for m in sizes])
    counts = [int(text) for text in args.chiplets.split(",") if text]
    if counts:
        result["chiplets"] = curve(args, "chiplets", "chiplets", [
            (n, lambda: network(4), chip("card", n)) for n in counts])
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
