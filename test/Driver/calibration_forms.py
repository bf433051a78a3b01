# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: calibration_forms.py SAMPLES.npy DIRECTORY: the same samples in every form."""
import os
import sys

import numpy

samples = numpy.load(sys.argv[1]).reshape(-1, 1, 1, 8, 8)[:13]
root = sys.argv[2]
for name in ["batch", "files"] + ["sets/test_data_set_%02d" % i for i in range(len(samples))]:
    os.makedirs(os.path.join(root, name))
numpy.save(os.path.join(root, "array.npy"), samples)
numpy.savez(os.path.join(root, "named.npz"), other=samples[:1], image=samples)
numpy.savez_compressed(os.path.join(root, "single.npz"), samples)
numpy.save(os.path.join(root, "batch", "image.npy"), samples)
for i, sample in enumerate(samples):
    numpy.save(os.path.join(root, "files", "sample_%02d.npy" % i), sample)
    # A TensorProto: dims, data_type, raw_data.
    raw = sample.tobytes()
    size = bytes([len(raw) & 127 | 128, len(raw) >> 7]) if len(raw) > 127 else bytes([len(raw)])
    proto = b"".join(b"\x08" + bytes([dim]) for dim in sample.shape) + b"\x10\x01\x4a" + size + raw
    with open(os.path.join(root, "sets", "test_data_set_%02d" % i, "input_0.pb"), "wb") as file:
        file.write(proto)
