#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Runs one model at every level of IR and compares the outputs bit by bit.

usage: levels.py MODEL.onnx --input NAME=SAMPLES.npy [--calibrate FILE] [--chip NAME]
       [--mode throughput|latency] [--option OPTION]... [--cimc PATH]

Levels: nn (the quantized graph), cim (tiles and partial sums), sched (streams
and channels), isa (the encoded program on the chip model). Exit code 1 where
any two differ or nothing was compared.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

LEVELS = ("nn", "cim", "sched", "isa")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--input", required=True)
    parser.add_argument("--calibrate")
    parser.add_argument("--chip", default="card")
    parser.add_argument("--mode", default="throughput")
    parser.add_argument("--option", action="append", default=[], help="a further option of cimc run")
    parser.add_argument("--cimc", default="cimc")
    args = parser.parse_args()
    outputs = {}
    with tempfile.TemporaryDirectory() as folder:
        for level in LEVELS:
            out = pathlib.Path(folder) / level
            out.mkdir()
            command = [args.cimc, "run", args.model, "--level", level, "--chip", args.chip, "--mode", args.mode,
                       "--input", args.input, "--output", str(out), "-j", "2", *args.option]
            if args.calibrate:
                command += ["--calibrate", args.calibrate]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stderr}")
            outputs[level] = {p.name: np.load(p) for p in sorted(out.glob("*.npy"))}
    failed = False
    for level in LEVELS[1:]:
        if outputs[level].keys() != outputs["nn"].keys():
            sys.exit(f"{level}: outputs {sorted(outputs[level])}, nn has {sorted(outputs['nn'])}")
        for name, expected in outputs["nn"].items():
            actual = outputs[level][name]
            same = actual.shape == expected.shape and actual.tobytes() == expected.tobytes()
            print(f"{level} {name}: {expected.size} elements, {'equal' if same else 'DIFFERENT'}")
            failed |= not same or expected.size == 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
