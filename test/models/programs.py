#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles models for several chips in both modes, runs the programs and compares.

usage: programs.py [MODEL ...] [--shared DIR] [--chips A,B,C] [--larger D,E,...] [--precision P]
       [--samples N] [--json FILE] [--table FILE.md] [--cimc PATH]

MODEL is a folder of DIR/models; all of them where none is named. Each is
calibrated with its test_data_set_* folders (quantized models stay as they are)
and quantized once. For every chip of --chips and each mode it is compiled, and
the program runs all test data sets. A model that does not fit a chip (exit
code 5) is compiled for the first chip of --larger that holds it and was not
taken yet instead, so that every model has as many chips as --chips names.

  equal      outputs of the program against those of the nn level, bit for bit
  latency    as `cimc compile` says it, and the largest difference of any run
             with data from it, which has to be 0: time never depends on data
  period     as `cimc compile` says it from few samples, and by how much that of
             four times as many (--timed-samples, at least --samples), without
             their first quarter, differs

Exit code 1 where bits differ, a latency differs, a period is off by more than
2 %, a model has fewer chips than asked for, or nothing was compared.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

OFF_AT_MOST = 2.0  # percent
DOES_NOT_FIT = 5


class Failed(Exception):
    pass


def call(command, allowed=(0,)):
    """The command's JSON and its exit code."""
    done = subprocess.run([str(c) for c in command] + ["--json"], capture_output=True, text=True)
    if done.returncode not in allowed:
        raise Failed(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout), done.returncode


def run(args, what, data_set, folder, *options):
    """Outputs by file name, and the report."""
    folder.mkdir(parents=True, exist_ok=True)
    report, _ = call([args.cimc, "run", what, "--input", data_set, "--output", folder, "-j", "2", *options])
    return {path.name: np.load(path) for path in sorted(folder.glob("*.npy"))}, report


def count_equal(expected, actual):
    """(elements, those whose bits differ); an output that is missing differs in all."""
    elements = different = 0
    for name in expected.keys() | actual.keys():
        a, b = expected.get(name), actual.get(name)
        size = (a if a is not None else b).size
        elements += size
        if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
            different += size
        else:
            different += int(np.count_nonzero(
                (np.ascontiguousarray(a).reshape(-1, 1).view(np.uint8) !=
                 np.ascontiguousarray(b).reshape(-1, 1).view(np.uint8)).any(axis=1)))
    return elements, different


def compare(args, module, chip, mode, data_sets, expected, folder):
    """A row of the table; None where the model does not fit the chip."""
    program = folder / "program.cimx"
    said, code = call([args.cimc, "compile", module, "--chip", chip, "--mode", mode, "-o", program, "-j", "2"],
                      allowed=(0, DOES_NOT_FIT))
    if code == DOES_NOT_FIT:
        return None
    row = {"chip": chip, "mode": mode, "elements": 0, "different": 0, "latency_off_ns": 0.0}
    row.update({key: said[key] for key in ("latency_ns", "period_ns", "energy_nj", "arrays_used", "arrays_total",
                                           "samples_timed", "steady_cycle", "compile_s", "throttled",
                                           "average_power_w", "tdp_w")})
    for data_set, outputs in zip(data_sets, expected):
        got, ran = run(args, program, data_set, folder / "isa")
        elements, different = count_equal(outputs, got)
        row["elements"] += elements
        row["different"] += different
        row["latency_off_ns"] = max(row["latency_off_ns"], abs(ran["latency_ns"] - said["latency_ns"]))
    longer = max(args.samples, 4 * said["samples_timed"])
    _, ran = run(args, program, data_sets[0], folder / "isa", "--timed-samples", longer)
    row["samples_simulated"] = longer
    row["period_simulated_ns"] = ran["period_ns"]
    row["period_off_percent"] = 100 * (said["period_ns"] / ran["period_ns"] - 1)
    row["ok"] = (row["different"] == 0 < row["elements"] and row["latency_off_ns"] == 0 and
                 abs(row["period_off_percent"]) <= OFF_AT_MOST and row["average_power_w"] <= row["tdp_w"] * 1.001)
    return row


HEAD = ("| model | chip | mode | arrays | elements | different | latency us | differs by ns | period us | samples | "
        "of more | off % |")


def line(model, row):
    if "error" in row:
        return f"| `{model}` | `{row['chip']}` | {row['error']} | | | | | | | | | |"
    if not row["fits"]:
        return f"| `{model}` | `{row['chip']}` | does not fit | | | | | | | | | |"
    samples = f"{row['samples_timed']}{' exact' if row['steady_cycle'] else ''}"
    return (f"| `{model}` | `{row['chip']}` | {row['mode']} | {row['arrays_used']} of {row['arrays_total']} | "
            f"{row['elements']} | {row['different']} | {row['latency_ns'] / 1e3:.2f} | {row['latency_off_ns']:g} | "
            f"{row['period_ns'] / 1e3:.3f} | {samples} | {row['period_simulated_ns'] / 1e3:.3f} | "
            f"{row['period_off_percent']:+.2f}{'' if row['ok'] else ' **missed**'} |")


def programs(args, model, folder, show):
    """Rows of all chips and modes of one model."""
    source = args.shared / "models" / model
    data_sets = sorted(source.glob("test_data_set_*"))
    module = folder / "quantized.mlirbc"
    call([args.cimc, "compile", source / "model.onnx", "--precision", args.precision, "--to", "qnn", "-o", module,
          "-j", "2", *([] if args.precision == "float" or args.uncalibrated else ["--calibrate", source])])
    expected = [run(args, module, data_set, folder / "nn" / data_set.name, "--level", "nn")[0]
                for data_set in data_sets]
    rows = []
    chips, larger = args.chips.split(","), args.larger.split(",")
    wanted = len(chips)
    while chips:
        chip = chips.pop(0)
        for mode in ("throughput", "latency"):
            row = compare(args, module, chip, mode, data_sets, expected, folder)
            row = {"fits": row is not None, "chip": chip, **(row or {"ok": True})}
            rows.append(row)
            show(line(model, row))
            if not row["fits"]:
                chips += [c for c in larger if c != chip][:1]
                larger = [c for c in larger if c not in chips]
                break
    fitting = {row["chip"] for row in rows if row["fits"]}
    if len(fitting) < wanted:
        rows.append({"chip": "", "error": f"fits {len(fitting)} of {wanted} chips", "ok": False})
        show(line(model, rows[-1]))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    parser.add_argument("--chips", default="wearable,card,pimcomp-144x64")
    parser.add_argument("--larger", default="camera,xr,auto,card-dense")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--uncalibrated", action="store_true", help="ranges are taken while running")
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    args = parser.parse_args()
    models = args.models or sorted(p.name for p in (args.shared / "models").iterdir() if (p / "model.onnx").exists())
    lines = []

    def show(text):
        lines.append(text)
        print(text, flush=True)

    show(HEAD)
    show("| --- | --- | --- |" + " ---: |" * (HEAD.count("|") - 4))
    results = {}
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            try:
                results[model] = programs(args, model, pathlib.Path(folder), show)
            except Failed as failure:
                results[model] = [{"chip": "", "error": str(failure), "ok": False}]
                show(line(model, {"chip": "", "error": "failed"}))
                print(failure, file=sys.stderr)
    rows = [row for its in results.values() for row in its]
    run_rows = [row for row in rows if row.get("fits")]
    off = max((abs(row["period_off_percent"]) for row in run_rows), default=0)
    show("")
    show(f"{len(run_rows)} programs of {len(results)} models; {sum(r['elements'] for r in run_rows):,} elements compared, "
         f"{sum(r['different'] for r in run_rows)} differ; periods off by at most {off:.2f} %, "
         f"{sum(not r['ok'] for r in rows)} miss what is asked")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    if args.table:
        args.table.write_text("\n".join(lines) + "\n")
    sys.exit(1 if not run_rows or not all(row["ok"] for row in rows) else 0)


if __name__ == "__main__":
    main()
