#!/usr/bin/env bash
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# Configures and builds a preset of CMakePresets.json.
#   tools/build.sh [release|debug|asan] [target ...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
cmake --preset "$preset" >/dev/null
cmake --build "build/$preset" -- "${@:-all}"
