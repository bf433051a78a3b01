#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compares outputs of cimc with ONNX Runtime's integer kernels, bit by bit.

usage: compare_ort.py MODEL.onnx SAMPLES.npy OUTPUT_DIR

SAMPLES has one axis more than the model's input, OUTPUT_DIR holds NAME.npy with
the same leading axis.
"""
import pathlib
import sys

import numpy as np
import onnxruntime

model, samples, folder = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.qdqisint8allowed", "1")
options.optimized_model_filepath = str(pathlib.Path(folder) / "optimized.onnx")
options.log_severity_level = 3
session = onnxruntime.InferenceSession(model, options)
source = session.get_inputs()[0]
total = different = 0
samples = np.load(samples)
for target in session.get_outputs():
    actual = np.load(pathlib.Path(folder) / f"{target.name}.npy")
    for sample, got in zip(samples, actual):
        expected = session.run([target.name], {source.name: sample.reshape(source.shape)})[0]
        total += expected.size
        different += int((expected.reshape(-1) != got.reshape(-1)).sum())
print(f"{total} elements, {different} different")
sys.exit(0 if total and not different else 1)
