#!/usr/bin/env bash
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# Installs the Debian 12 packages that cimc needs.
#   tools/install-deps.sh build   to build and run cimc
#   tools/install-deps.sh test    the same, and what the test suites need
set -euo pipefail

build=(
  cmake ninja-build pkg-config ccache git ca-certificates  # build tools
  clang-22 lld-22                                     # compiler: half of GCC 12's time on MLIR headers
  llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  libonnx-dev libprotobuf-dev protobuf-compiler       # the ONNX file format
  libfmt-dev nlohmann-json3-dev libzip-dev zlib1g-dev # text, JSON, .npz, checksums
  libpng-dev libjpeg62-turbo-dev                      # images to calibrate with and to evaluate
  python3 python3-numpy                               # showing the digits; the Python package
)
test=(
  catch2 libclang-rt-22-dev
  python3-psutil                                      # time limits in lit
  python3-venv python3-pip python3-pytest
)
packages=("${build[@]}")
case "${1:-build}" in
  build) ;;
  test) packages+=("${test[@]}") ;;
  *) echo "usage: $0 [build|test]" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" >/dev/null
