#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Writes the first samples of a model's data set as .npy, preprocessed.

usage: make_samples.py MODEL OUTPUT.npy [--shared DIR] [--count N]
"""
import argparse
import pathlib

import numpy as np
from datasets import MODELS, only

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model", choices=MODELS)
parser.add_argument("output")
parser.add_argument("--shared", default="../shared", type=pathlib.Path)
parser.add_argument("--count", type=int, default=4)
args = parser.parse_args()
np.save(args.output, only(MODELS[args.model](args.shared).inputs)[:args.count])
