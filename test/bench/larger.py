#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""A network four times larger than `wearable`, by each way to fit it.

usage: larger.py [--cimc cimc] [--size 64] [--batch 256]

A ResNet of 8.4 million random weights (`wearable` holds 2.1 million of 8 bits),
quantized with random images (4-bit weights to the nearest, as fitting them takes
minutes and changes no figure here): parts written in turn, a card for each part, both
also with 4-bit weights, and more cards than needed. Every program must compute
what the nn level does (exit code 1 where not). Prints what the compiler proposes
without an option, and one JSON object.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

import resnet

CHIP = "wearable"


def call(arguments, wanted=0):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != wanted:
        sys.exit(f"{' '.join(map(str, arguments))}\nexit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stderr if wanted else json.loads(done.stdout)


def figures(report):
    kept = {key: report[key] for key in ("latency_ns", "period_ns", "energy_nj", "weight_bytes", "between_bytes",
                                         "compile_s")}
    kept["parts"] = len(report["parts"])
    kept["arrays"] = [part["arrays_used"] for part in report["parts"]]
    for key in ("foundry", "fast", "batches", "slowest_part"):
        if key in report:
            kept[key] = report[key]
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=256)
    args = parser.parse_args()
    random = np.random.default_rng(2)
    images = random.standard_normal((8, 1, 3, args.size, args.size)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model = resnet.network(18, args.size, blocks=[2, 3, 3, 1])
        onnx.save(model, folder / "m.onnx")
        np.save(folder / "calibration.npy", images[:4])
        np.save(folder / "images.npy", images[4:])
        compiling = [args.cimc, "compile", folder / "m.onnx", "--chip", CHIP, "--calibrate", folder / "calibration.npy"]
        print(call(compiling + ["-o", folder / "no.cimx"], wanted=5))
        result = {"weights": sum(int(np.prod(t.dims)) for t in model.graph.initializer), "size": args.size}
        for precision in ("int8", "w4a8"):
            expected = folder / precision
            options = ["--precision", precision, "--rounding", "nearest"]
            call([args.cimc, "run", folder / "m.onnx", "--calibrate", folder / "calibration.npy", "--level", "nn",
                  "--input", folder / "images.npy", "--output", expected, "--json"] + options)
            ways = {"reprogram": ["--batch", args.batch], "cards": []}
            if precision == "int8":
                ways["more cards"] = ["--parts", 10]
            for way, more in ways.items():
                goal = "cards" if "cards" in way else way
                report = call(compiling + options + ["--split", goal, "-o", folder / "p.cimx", "--json"] + more)
                call([args.cimc, "run", folder / "p.cimx", "--input", folder / "images.npy", "--output", folder / "out",
                      "--json"])
                if (folder / "out/scores.npy").read_bytes() != (expected / "scores.npy").read_bytes():
                    sys.exit(f"{precision}, {way}: other outputs than the nn level's")
                result[f"{precision} {way}"] = figures(report)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
