//===- File.h - whole files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_FILE_H
#define CIMC_SUPPORT_FILE_H

#include "cimc/Support/Status.h"

#include <functional>
#include <string>
#include <string_view>

namespace cimc {

/// The bytes of a file. Fails with InvalidInput where it cannot be read.
Result<std::string> readFile(const std::string &path);

/// Replaces a file by `contents` in one step: a reader sees the old bytes or
/// the new ones, and a failure leaves the old file. Fails with Usage where the
/// place cannot be written.
Status writeFileAtomically(const std::string &path, std::string_view contents);

/// The same for contents that are made while they are written: `make` calls
/// its argument with one piece after the other. A failure of `make` is
/// returned and leaves the old file.
using FileSink = std::function<void(std::string_view)>;
Status writeFileAtomically(const std::string &path,
                           const std::function<Status(const FileSink &)> &make);

} // namespace cimc

#endif // CIMC_SUPPORT_FILE_H
