//===- cimc.cpp - the command people learn --------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Main.h"

int main(int argc, char **argv) { return cimc::cimcMain(argc, argv); }
