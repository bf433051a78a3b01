//===- GemmBaseline.cpp - matrix product kernels, any processor -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#define WIDTH 4
#define ROWS 4
#include "GemmKernels.inc"

const cimc::detail::GemmKernels cimc::detail::baselineKernels = KERNELS;
