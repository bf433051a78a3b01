//===- Status.h - errors with exit codes ------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_STATUS_H
#define CIMC_SUPPORT_STATUS_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace cimc {

/// What a command ends with; documented in docs/user-guide.md.
enum class ExitCode : int {
  Ok = 0,
  Internal = 1,
  Usage = 2,
  InvalidInput = 3,
  Unsupported = 4,
  DoesNotFit = 5,
  AccuracyMissed = 6,
  ResourceLimit = 7,
  Mismatch = 8,
};

/// One error a user can act on: what is wrong, where, and what to do.
struct [[nodiscard]] Error {
  ExitCode code = ExitCode::Internal;
  std::string message;
};

/// A value or an error. Free of LLVM and of exceptions, so that the chip model
/// and the Python package can use it.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Error error) : failure(std::move(error)) {}
  explicit operator bool() const { return value.has_value(); }
  T &operator*() { return *value; }
  const T &operator*() const { return *value; }
  T *operator->() { return &*value; }
  const T *operator->() const { return &*value; }
  const Error &error() const { return *failure; }
  Error takeError() { return std::move(*failure); }

private:
  std::optional<T> value;
  std::optional<Error> failure;
};

/// Success or an error.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error) : failure(std::move(error)) {}
  explicit operator bool() const { return !failure; }
  const Error &error() const { return *failure; }
  Error takeError() { return std::move(*failure); }

private:
  std::optional<Error> failure;
};

} // namespace cimc

#endif // CIMC_SUPPORT_STATUS_H
