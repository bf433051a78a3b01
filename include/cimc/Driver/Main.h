//===- Main.h - the cimc command ------------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_MAIN_H
#define CIMC_DRIVER_MAIN_H

namespace cimc {

/// Everything the cimc command does; returns its exit code. Never throws.
int cimcMain(int argc, const char *const *argv);

} // namespace cimc

#endif // CIMC_DRIVER_MAIN_H
