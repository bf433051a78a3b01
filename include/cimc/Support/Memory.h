//===- Memory.h - how the process keeps its memory --------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_MEMORY_H
#define CIMC_SUPPORT_MEMORY_H

namespace cimc {

/// Lets the process keep up to 64 MiB that it has freed. By default every
/// large tensor goes back to the kernel and its pages are faulted in and
/// cleared again for the next, which takes as long as the evaluator's
/// arithmetic. For the main function of a tool: the setting is the process's.
void keepFreedMemory();

} // namespace cimc

#endif // CIMC_SUPPORT_MEMORY_H
