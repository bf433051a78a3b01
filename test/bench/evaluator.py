#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compares the speed of the nn evaluator with ONNX Runtime's float kernels.

usage: evaluator.py MODEL.onnx... [--bench build/release/bin/cimc-bench-nn] [--threads 2]
       [--rounds 15] [--json FILE] [--limit RATIO]

Both evaluate the same model on the same number of threads in turns, a few
evaluations at a time, so that other work on the machine slows both. The ratio
is that of the fastest evaluations; the median is printed beside it. Build the
program with `ninja -C build/release cimc-bench-nn`. With --limit the exit code
is 1 where a ratio is larger.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime


class Evaluator:
    """cimc-bench-nn, which evaluates as often as it is told."""

    def __init__(self, bench, model, threads):
        self.process = subprocess.Popen([bench, model, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.imported = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"cimc-bench-nn ended with exit code {self.process.wait()}")
        return json.loads(line)

    def __call__(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Oracle:
    """ONNX Runtime with its default options."""

    def __init__(self, model, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        random = np.random.default_rng(1)
        kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
        self.feed = {}
        for value in self.session.get_inputs():
            shape = [d if isinstance(d, int) else 1 for d in value.shape]
            kind = kinds[value.type]
            self.feed[value.name] = random.random(shape, np.float32) if kind is np.float32 else np.zeros(shape, kind)

    def __call__(self, count):
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            self.session.run(None, self.feed)
            times.append((time.perf_counter() - begin) * 1e3)
        return times


def measure(model, args):
    ours, oracle = Evaluator(args.bench, model, args.threads), Oracle(model, args.threads)
    for warm in (ours, oracle):
        warm(2)
    times = {"cimc": [], "ort": []}
    for _ in range(args.rounds):
        for key, evaluate in (("cimc", ours), ("ort", oracle)):
            time.sleep(0.05)  # threads of the other look for work for a while, on our processors
            times[key] += evaluate(8)
    ours.close()
    best = {key: min(values) for key, values in times.items()}
    median = {key: statistics.median(values) for key, values in times.items()}
    path = pathlib.Path(model)
    return {
        "model": path.parent.name if path.stem == "model" else path.stem,
        "threads": args.threads,
        "import_ms": ours.imported["import_ms"],
        "canonicalize_ms": ours.imported["canonicalize_ms"],
        "cimc_ms": best["cimc"],
        "ort_ms": best["ort"],
        "ratio": best["cimc"] / best["ort"],
        "cimc_median_ms": median["cimc"],
        "ort_median_ms": median["ort"],
        "median_ratio": median["cimc"] / median["ort"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--bench", default="build/release/bin/cimc-bench-nn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json")
    parser.add_argument("--limit", type=float)
    args = parser.parse_args()
    rows = []
    print("| model | cimc ms | ONNX Runtime ms | ratio | medians | import ms |\n| --- | --- | --- | --- | --- | --- |")
    for model in args.models:
        row = measure(model, args)
        rows.append(row)
        print(f"| `{row['model']}` | {row['cimc_ms']:.1f} | {row['ort_ms']:.1f} | {row['ratio']:.2f} | "
              f"{row['cimc_median_ms']:.1f} / {row['ort_median_ms']:.1f} = {row['median_ratio']:.2f} | "
              f"{row['import_ms'] + row['canonicalize_ms']:.0f} |", flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(rows, indent=2) + "\n")
    if args.limit and any(row["ratio"] > args.limit for row in rows):
        sys.exit(f"slower than {args.limit} times ONNX Runtime")


if __name__ == "__main__":
    main()
