#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Exit code 0 where the outputs in folder A are nearer to those in REFERENCE
than those in folder B, by at least `FACTOR` in the root of the mean square.

usage: nearer.py A B REFERENCE [FACTOR]
"""
import pathlib
import sys

import numpy as np

a, b, reference = map(pathlib.Path, sys.argv[1:4])
factor = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
files = sorted(reference.glob("*.npy"))


def distance(folder):
    return float(np.sqrt(sum(np.sum((np.load(folder / f.name).astype(np.float64) - np.load(f)) ** 2) for f in files)))


near, far = distance(a), distance(b)
print(f"{len(files)} outputs: {near:.6g} and {far:.6g}")
sys.exit(0 if files and near * factor < far else 1)
