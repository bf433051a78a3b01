#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Accuracy and repair yield of a real model against the rate of stuck cells.

usage: faults.py MODEL [--shared DIR] [--limit N] [--dies N] [--rates R,R,...]

The model is compiled once; its last phase is repeated for every die (a seed of
`--faults`), with and without knowledge of the defects, and both programs run on
that die. Prints a Markdown table. Exit code 1 where at 1e-4 fewer than 99.9 % of
the arrays with defects are repaired, or a die without wrong bits gives other
outputs than a sound chip.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "models"))
from datasets import MODELS
from score import run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--limit", type=int, default=500, help="samples")
    parser.add_argument("--dies", type=int, default=3)
    parser.add_argument("--rates", default="1e-6,1e-5,1e-4,3e-4,1e-3")
    args = parser.parse_args()
    task = MODELS[args.model](args.shared)
    (name, images), = task.inputs.items()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        compile_ = [args.cimc, "compile", args.shared / "models" / args.model / "model.onnx", "-j", "2",
                    "--to", "isa", "-o", folder / "m.mlirbc"]
        if task.calibration is not None:
            np.save(folder / "calibration.npy", images[task.calibration])
            compile_ += ["--calibrate", folder / "calibration.npy"]
        run(compile_)
        images = images[:args.limit]
        np.save(folder / "x.npy", images)

        def emit(program, *more):
            out, _ = run([args.cimc, "compile", folder / "m.mlirbc", "--from", "isa", "-o", program, "--json", *more])
            return json.loads(out)

        def answers(program, *more):
            out, _ = run([args.cimc, "run", program, "--input", f"{name}={folder / 'x.npy'}", "-j", "2",
                          "--output", folder / "out", "--json", *more])
            outputs = np.load(next((folder / "out").glob("*.npy"))).reshape(len(images), -1)
            return outputs, json.loads(out).get("faults")

        def top1(outputs):
            return task.score({"output": outputs}, None, np.arange(len(images)))["top1"]

        emit(folder / "plain.cimx")
        sound, _ = answers(folder / "plain.cimx")
        print(f"Sound: {top1(sound):.2f} % of {len(images)} samples; {args.dies} dies a rate.\n")
        print("| stuck cells | top-1 without repair | top-1 with repair | arrays with defects that matter | repaired |")
        print("| --- | --- | --- | --- | --- |", flush=True)
        for rate in args.rates.split(","):
            plain, mended, defective, repaired = [], [], 0, 0
            for seed in range(1, args.dies + 1):
                faults = ["--faults", f"stuck={rate},seed={seed}"]
                plain.append(top1(answers(folder / "plain.cimx", *faults)[0]))
                report = emit(folder / "mended.cimx", *faults)["repair"]
                outputs, after = answers(folder / "mended.cimx", *faults)
                mended.append(top1(outputs))
                defective += report["arrays_defective"]
                repaired += report["arrays_repaired"]
                if after["bits_wrong"] == 0 and not np.array_equal(outputs, sound):
                    print(f"rate {rate}, die {seed}: no bit is wrong, but outputs differ", file=sys.stderr)
                    failed = True
            share = 100 * repaired / defective if defective else 100
            failed |= float(rate) == 1e-4 and share < 99.9
            spread = f" ({min(plain):.2f} to {max(plain):.2f})" if args.dies > 1 else ""
            print(f"| {rate} | {np.mean(plain):.2f} %{spread} | {np.mean(mended):.2f} % | {defective} | "
                  f"{repaired} ({share:.2f} %) |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
