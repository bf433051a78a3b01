#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Shows digit images side by side with the network's answers.

usage: show_digits.py IMAGES.npy SCORES.npy     (N x 1 x 1 x 8 x 8 values 0..16; N x [1 x] 10)
"""
import sys

import numpy as np

images = np.load(sys.argv[1]).reshape(-1, 8, 8)
scores = np.load(sys.argv[2]).reshape(len(images), -1)
shades = " .:-=+*#%@"
for row in range(images.shape[1]):
    print("  ".join("".join(shades[min(int(v * len(shades) / 17), len(shades) - 1)] * 1 for v in image[row])
                    for image in images))
print("  ".join(f"{answer:^8d}" for answer in scores.argmax(1)))
