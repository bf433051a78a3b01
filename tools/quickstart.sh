#!/usr/bin/env bash
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# From a bare Debian 12 to a network running on the chip model: installs the
# packages, builds, compiles the handwritten-digits network of test/models, runs
# ten images and shows images, answers and cost.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install-deps.sh build
echo "Building (about 5 minutes on two cores the first time) ..." >&2
tools/build.sh release cimc

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
set -x
build/release/bin/cimc compile test/models/digits.onnx --chip wearable \
  --calibrate test/models/digits_calibration.npy -o "$work/digits.cimx"
build/release/bin/cimc run "$work/digits.cimx" --input image=test/models/digits_samples.npy --output "$work"
{ set +x; } 2>/dev/null
/usr/bin/python3 test/models/show_digits.py test/models/digits_samples.npy "$work/scores.npy"
