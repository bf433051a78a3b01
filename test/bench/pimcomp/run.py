#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles PIMCOMP's networks and compares with its published figures.

usage: run.py [NETWORK ...] [--chip NAME] [--json FILE] [--cimc PATH]

On `pimcomp-144x64` (the default) the table has PIMCOMP's own best figures and
its bound, MVMs * 200 ns / 144, beside ours. The chip model issues one product
every 200 ns for 64 crossbars too; it counts what a core of 8 crossbars begins,
so a product that needs more than 8 side by side is issued more than once.
On any other chip: period, latency, power and energy of both modes.
"""

import argparse
import json
import math
import pathlib
import subprocess
import tempfile

import onnx
from onnx import shape_inference

import networks

# network: (HT us per sample, LL ms, MVMs where published)
PUBLISHED = {
    "squeezenet": (243.6, 0.995, 50962),
    "googlenet": (377.1, 2.77, 113639),
    "resnet18": (316.8, 2.26, 132500),
    "resnet34": (581.3, 3.69, 223836),
    "resnet50": (765.5, 4.76, 185432),
    "inception_v3": (711.6, 4.96, 227069),
    "mobilenetv2": (1042.3, 4.53, None),
    "shufflenet": (475.4, 3.54, None),
    "alexnet": (173.6, 2.19, None),
    "vgg16": (13240, 49.7, 709780),
}


def products(model, size=128):
    """Products that a sample needs as PIMCOMP counts them: one for each `size`
    rows of a matrix, whose crossbars side by side count once. Depthwise
    convolutions run on our vector units and need none."""
    model = shape_inference.infer_shapes(model)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
              for v in (*model.graph.value_info, *model.graph.output, *model.graph.input)}
    weights = {i.name: list(i.dims) for i in model.graph.initializer}
    source = {n.output[0]: n for n in model.graph.node}
    total = 0
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        dims = weights[source[node.input[1]].input[0]]
        if node.op_type == "Gemm":
            total += math.ceil(dims[0] / size)
            continue
        if dims[1] == 1 and dims[0] > 1:
            continue
        pixels = math.prod(shapes[node.output[0]][2:])
        total += pixels * math.ceil(math.prod(dims[1:]) / size)
    return total


def compile_model(cimc, path, chip, mode, folder):
    done = subprocess.run([cimc, "compile", path, "--chip", chip, "--mode", mode, "-o", folder / "p.cimx", "--json"],
                          capture_output=True, text=True)
    if done.returncode:
        message = (done.stderr or done.stdout).strip().splitlines()
        return {"error": message[0] if message else f"exit code {done.returncode}"}
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="*", choices=[[], *networks.NETWORKS], default=[])
    parser.add_argument("--chip", default="pimcomp-144x64")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    args = parser.parse_args()
    peers = args.chip == "pimcomp-144x64"
    head = "network        "
    if peers:
        head += "     MVMs  period us  / bound  / PIMCOMP   latency ms  / PIMCOMP"
    else:
        head += "    mode     period us  latency us   TOPS  TOPS/W  used %  power W"
    print(head + "  compile s     MB  instructions", flush=True)
    rows = []
    for name in args.network or networks.NETWORKS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            model = networks.NETWORKS[name]()
            onnx.save(model, folder / f"{name}.onnx")
            count = products(model)
            runs = {mode: compile_model(args.cimc, folder / f"{name}.onnx", args.chip, mode, folder)
                    for mode in ("throughput", "latency")}
        row = {"network": name, "chip": args.chip, "mvms": count,
               "runs": {mode: {k: v for k, v in run.items() if k not in ("layers", "inputs", "outputs")}
                        for mode, run in runs.items()}}
        rows.append(row)
        failed = [f"{mode}: {run['error']}" for mode, run in runs.items() if "error" in run]
        if failed:
            print(f"{name:15}{'; '.join(failed)[:200]}", flush=True)
            continue
        fast, quick = runs["throughput"], runs["latency"]
        if peers:
            theirs, latency, mvms = PUBLISHED[name]
            bound = count * 0.2 / 144
            period = fast["period_ns"] / 1e3
            row.update(bound_us=bound, published_us=theirs, published_mvms=mvms, published_latency_ms=latency)
            equal = " " if mvms is None else "=" if mvms == count else "!"
            print(f"{name:15}{count:8}{equal}{period:11.1f}{period / bound:9.2f}{period / theirs:11.2f}"
                  f"{quick['latency_ns'] / 1e6:13.3f}{quick['latency_ns'] / 1e6 / latency:11.2f}"
                  f"{max(fast['compile_s'], quick['compile_s']):11.2f}{fast['peak_rss_mb']:7.0f}"
                  f"{fast['instructions']:14}", flush=True)
            continue
        for mode, run in runs.items():
            tops = 2e-3 * run["macs"] / run["period_ns"]
            print(f"{name:15}{mode:>10}{run['period_ns'] / 1e3:12.2f}{run['latency_ns'] / 1e3:12.1f}{tops:7.1f}"
                  f"{tops / run['average_power_w']:8.2f}{run['utilization'] * 100:8.1f}{run['average_power_w']:9.1f}"
                  f"{run['compile_s']:11.2f}{run['peak_rss_mb']:7.0f}{run['instructions']:14}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
