//===- GemmAVX512.cpp - matrix product kernels, AVX-512 with VNNI -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#define WIDTH 16
#define ROWS 8
#include "GemmKernels.inc"

const cimc::detail::GemmKernels cimc::detail::avx512Kernels = KERNELS;
