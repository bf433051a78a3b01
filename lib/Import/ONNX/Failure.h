//===- Failure.h - how the importer gives up -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Protobuf and ONNX throw, so this library is built with exceptions and uses
// its own inside; Import.cpp turns all of them into errors at the border.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_FAILURE_H
#define CIMC_LIB_IMPORT_ONNX_FAILURE_H

#include "cimc/Support/Status.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace cimc::onnx_import {

struct Failure {
  Error error;
};

template <typename... Args>
[[noreturn]] void failInvalid(fmt::format_string<Args...> format,
                              Args &&...args) {
  throw Failure{{ExitCode::InvalidInput,
                 fmt::format(format, std::forward<Args>(args)...)}};
}

template <typename... Args>
[[noreturn]] void failUnsupported(fmt::format_string<Args...> format,
                                  Args &&...args) {
  throw Failure{{ExitCode::Unsupported,
                 fmt::format(format, std::forward<Args>(args)...)}};
}

template <typename... Args>
[[noreturn]] void failUsage(fmt::format_string<Args...> format,
                            Args &&...args) {
  throw Failure{
      {ExitCode::Usage, fmt::format(format, std::forward<Args>(args)...)}};
}

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_FAILURE_H
