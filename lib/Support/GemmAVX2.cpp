//===- GemmAVX2.cpp - matrix product kernels, AVX2 -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#define WIDTH 8
#define ROWS 6
#include "GemmKernels.inc"

const cimc::detail::GemmKernels cimc::detail::avx2Kernels = KERNELS;
