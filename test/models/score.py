#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compiles real models with cimc, runs their whole data sets through the
programs on the chip model and checks the answers.

usage: score.py MODEL... [--shared DIR] [--limit N] [--chip NAME]
                [--precision int8|w4a8|float] [--uncalibrated] [--json FILE] [--table FILE.md]

MODEL may be `all`. Models and data sets are not part of the repository; DIR is
the folder that holds `models` and `data` (datasets.py says how they are used).
Quantized (QDQ) models are compared with ONNX Runtime in every element, float
models with the float model, evaluated by `cimc run --level nn`, and with the
labels. Exit code 1 where a target is missed, and where nothing was compared.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

import datasets

COSTS = ("compile_s", "peak_rss_mb", "arrays_used", "instructions", "latency_ns", "period_ns", "energy_nj")


class Failed(Exception):
    pass


def run(arguments):
    start = time.time()
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout, time.time() - start


def chip_outputs(cimc, what, options, inputs, folder):
    """Outputs by name; each as one array with a leading axis of samples."""
    folder.mkdir()
    command = [cimc, "run", what, *options, "--output", folder, "-j", "2", "--json"]
    for name, values in inputs.items():
        path = folder / f"in_{name}.npy"
        np.save(path, values)
        command += ["--input", f"{name}={path}"]
    text, seconds = run(command)
    report = json.loads(text)
    return {output["name"]: np.load(output["file"]) for output in report["outputs"]}, seconds


def runtime_outputs(path, inputs):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = list(inputs)
    return np.stack([session.run(None, dict(zip(names, sample)))[0] for sample in zip(*inputs.values())])


def missed(figures, targets):
    return {name: f"{figures[name]} {sign} {bound}" for name, (sign, bound) in targets.items()
            if name in figures and not (figures[name] >= bound if sign == ">=" else figures[name] <= bound)}


def score(model, args):
    task = datasets.MODELS[model](args.shared)
    path = args.shared / "models" / model / "model.onnx"
    numbers = np.arange(task.samples())[:args.limit]
    inputs = {name: values[numbers] for name, values in task.inputs.items()}
    result = {"model": model, "precision": args.precision, "samples": len(numbers)}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = [args.cimc, "compile", path, "--chip", args.chip, "-o", folder / "p.cimx", "--json", "-j", "2",
                   "--precision", args.precision, *args.option]
        calibrated = task.calibration is not None and not args.uncalibrated and args.precision != "float"
        if calibrated:
            np.savez(folder / "calibration.npz",
                     **{name: values[task.calibration] for name, values in task.inputs.items()})
            command += ["--calibrate", folder / "calibration.npz"]
            result["calibration_samples"] = len(task.calibration)
        if args.precision == "w4a8" and calibrated and task.w4a8_bits:
            (folder / "bits.txt").write_text("".join(f"bits {n} {name}\n" for name, n in task.w4a8_bits.items()))
            command += ["--table", folder / "bits.txt"]
        report = json.loads(run(command)[0])
        result.update({k: report[k] for k in COSTS})
        outputs, result["run_s"] = chip_outputs(args.cimc, folder / "p.cimx", [], inputs, folder / "chip")
        reference = None
        if task.needs_reference:
            # Without samples a float model is evaluated in float at this level.
            reference, _ = chip_outputs(args.cimc, path, ["--level", "nn", "--precision", "float"], inputs,
                                        folder / "float")
        figures = task.score(outputs, reference, numbers)
        if task.oracle:
            expected = runtime_outputs(path, inputs)
            figures["compared"] = int(expected.size)
            figures["mismatches"] = int(np.count_nonzero(datasets.only(outputs).reshape(expected.shape) != expected))
            task.targets.update(compared=(">=", 1), mismatches=("<=", 0))
    result.update(figures)
    result["run_s"] = round(result["run_s"], 2)
    targets = {"int8": task.targets, "w4a8": task.w4a8_targets}.get(args.precision)
    if targets is not None and args.limit is None and not args.uncalibrated:
        result["targets"] = {name: f"{sign} {bound}" for name, (sign, bound) in targets.items()}
        result["missed"] = missed(figures, targets)
        # A miss that is known, and no worse than it was.
        known = {name: (targets[name][0], float(value)) for name, value in
                 (pair.split("=") for pair in args.known_miss) if name in result["missed"]}
        worse = missed(figures, known)
        result["known_misses"] = {name: result["missed"].pop(name) for name in known if name not in worse}
    elif task.oracle:
        result["missed"] = missed(figures, {k: task.targets[k] for k in ("compared", "mismatches")})
    if len(numbers) == 0:
        result["missed"] = {"samples": "none"}
    return result


def table(results):
    """Markdown: what came out, and what was to."""
    lines = ["| model | samples | result | target |", "| --- | --- | --- | --- |"]
    hidden = {"model", "precision", "samples", "targets", "missed", "known_misses", "run_s", "float_perplexity", *COSTS}
    for r in results:
        if "error" in r:
            lines.append(f"| `{r['model']}` | | {r['error'].splitlines()[-1]} | |")
            continue
        shown = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in r.items() if k not in hidden)
        targets = ", ".join(f"{k.replace('_', ' ')} {t}" + (" (missed)" if k in {**r.get("missed", {}), **r.get("known_misses", {})} else "")
                            for k, t in r.get("targets", {}).items())
        lines.append(f"| `{r['model']}` | {r['samples']:,} | {shown} | {targets} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=[*datasets.MODELS, "all"], metavar="MODEL")
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--chip", default="card")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--uncalibrated", action="store_true", help="without calibration data")
    parser.add_argument("--option", action="append", default=[], help="a further option of cimc compile")
    parser.add_argument("--known-miss", action="append", default=[], metavar="NAME=VALUE",
                        help="a figure that misses its target: no error as long as it is no worse than VALUE")
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--json", type=pathlib.Path, help="all results, as a list")
    parser.add_argument("--table", type=pathlib.Path)
    args = parser.parse_args()
    results = []
    for model in list(datasets.MODELS) if "all" in args.models else args.models:
        try:
            results.append(score(model, args))
        except Failed as failure:
            results.append({"model": model, "error": str(failure), "missed": {"compiles": "no"}})
        print(json.dumps(results[-1]), flush=True)
    print(f"peak memory of a command: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000} MB",
          file=sys.stderr)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    if args.table:
        args.table.write_text(table(results))
    sys.exit(1 if any(r.get("missed") for r in results) else 0)


if __name__ == "__main__":
    main()
