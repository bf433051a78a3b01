#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""The accuracy of a network on a chip that is too small for its 8-bit weights:
`--precision mixed` beside simpler ways to choose bits.

usage: mixed_precision.py MODEL --chip FILE.json [--shared DIR] [--cimc CIMC] [--table FILE.md]

* int8, w4a8: 8 or 4 bits everywhere; 8 bits on the preset `card`, as they do
  not fit.
* mixed: the compiler's search.
* greedy: the plain rule. Layers become narrow one after the other, the least
  loss of signal-to-noise ratio for each row group of arrays saved first, until
  the network fits. Losses and savings are those that the search measures, and
  weights are fitted again, so only the choice differs.
* greedy, nearest: the same with the nearest integers, in the losses and in the
  network.

Exit code 1 where one of them fails, or where the search's network agrees less
with the float network than the greedy one's.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import datasets
import score


def table_of(layers, narrow):
    return "".join(f"bits {4 if layer['name'] in narrow else 8} {layer['name']}\n"
                   for layer in layers if layer["input"] != "float" and layer["kind"] in ("conv", "matmul"))


def command(args, what, calibration, output, options):
    path = args.shared / "models" / args.model / "model.onnx"
    return [str(a) for a in (args.cimc, what, path, "--calibrate", calibration, "-o", output, "-j", "2", *options)]


def greedy(args, calibration, folder, rounding):
    """The table of bits, and how many layers are narrow."""
    # What narrow layers lose, and save in arrays of the default chip's form; no
    # loss is allowed, so nothing becomes narrow.
    text, _ = score.run(command(args, "quantize", calibration, folder / "all.onnx",
                                ["--precision", "mixed", "--max-drop", "0", "--rounding", rounding, "--json"]))
    layers = json.loads(text)["quantization"]
    with_choice = [layer for layer in layers if "narrow_drop_db" in layer]
    order = sorted(with_choice, key=lambda layer: layer["narrow_drop_db"] / layer["narrow_saves_row_groups"])
    path = folder / f"greedy_{rounding}.txt"

    def fits(count):
        path.write_text(table_of(layers, {layer["name"] for layer in order[:count]}))
        done = subprocess.run(command(args, "compile", calibration, folder / "try.mlir",
                                      ["--to", "sched", "--table", path, "--chip", args.chip, "--rounding", "nearest"]),
                              capture_output=True, text=True)
        if done.returncode not in (0, 5):
            raise score.Failed(done.stdout + done.stderr)
        return done.returncode == 0

    # Every narrow layer makes the network smaller.
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    if not fits(low):
        raise score.Failed("even with 4 bits everywhere the network does not fit")
    return path, low, len(order)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=list(datasets.MODELS))
    parser.add_argument("--chip", required=True, help="the chip that is too small, of arrays like those of `card`")
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--table", type=pathlib.Path)
    args = parser.parse_args()
    task = datasets.MODELS[args.model](args.shared)
    rows = []

    def measure(name, precision, chip, options=()):
        run = argparse.Namespace(shared=args.shared, cimc=args.cimc, limit=None, chip=chip, precision=precision,
                                 option=[str(o) for o in options], uncalibrated=False, known_miss=[])
        rows.append({"weights": name, **score.score(args.model, run)})
        print(json.dumps(rows[-1]), flush=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        calibration = folder / "calibration.npz"
        np.savez(calibration, **{name: values[task.calibration] for name, values in task.inputs.items()})
        measure("8 bits everywhere", "int8", "card")
        measure("mixed", "mixed", args.chip)
        for rounding in ("fit", "nearest"):
            path, narrow, choices = greedy(args, calibration, folder, rounding)
            measure(f"greedy, {'fitted' if rounding == 'fit' else 'nearest'}: 4 bits in {narrow} of {choices} layers "
                    "with a choice", "int8", args.chip, ["--table", path, "--rounding", rounding])
        measure("4 bits everywhere", "w4a8", args.chip)
    lines = ["| weights | top-1 | agreement | held out | arrays |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {r['weights']} | {r['top1']:.2f} | {r['agreement']:.2f} | {r['held_out_agreement']:.2f} | {r['arrays_used']} |"
              for r in rows]
    print("\n".join(lines))
    if args.table:
        args.table.write_text("\n".join(lines) + "\n")
    by_name = {r["weights"].split(":")[0]: r for r in rows}
    sys.exit(int(by_name["mixed"]["agreement"] < by_name["greedy, fitted"]["agreement"]))


if __name__ == "__main__":
    main()
