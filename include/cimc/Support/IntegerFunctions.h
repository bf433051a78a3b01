//===- IntegerFunctions.h - functions of plain integers -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_INTEGERFUNCTIONS_H
#define CIMC_SUPPORT_INTEGERFUNCTIONS_H

#include "cimc/Support/Numerics.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <type_traits>

namespace cimc::numerics {

template <typename T> T integerPower(T base, T exponent) {
  if (exponent < 0)
    return base == 1 ? 1 : base == T(-1) ? (exponent % 2 ? base : 1) : 0;
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (auto e = static_cast<uint64_t>(exponent); e; e >>= 1) {
    result *= e & 1 ? factor : 1;
    factor *= factor;
  }
  return static_cast<T>(result);
}

/// What a function means on plain integers and truth values: exact, wrapping.
/// Nothing for functions of real numbers, and for divisions by zero.
template <typename T>
std::optional<T> integerFunction(Function function, T a, T b) {
  using U = std::make_unsigned_t<T>;
  constexpr bool isSigned = std::is_signed_v<T>;
  constexpr unsigned bits = sizeof(T) * 8;
  bool noQuotient =
      b == 0 || (isSigned && b == T(-1) && a == std::numeric_limits<T>::min());
  switch (function) {
  case Function::Add:
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  case Function::Sub:
    return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
  case Function::Mul:
    // In 64 bits: int would overflow for 16-bit operands.
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  case Function::Div:
    return noQuotient ? std::nullopt : std::optional<T>(a / b);
  case Function::Mod: {
    if (noQuotient)
      return b == 0 ? std::nullopt : std::optional<T>(0);
    T r = static_cast<T>(a % b);
    return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
  }
  case Function::Fmod:
    if (noQuotient)
      return b == 0 ? std::nullopt : std::optional<T>(0);
    return static_cast<T>(a % b);
  case Function::Pow:
    return integerPower(a, b);
  case Function::Max:
    return std::max(a, b);
  case Function::Min:
    return std::min(a, b);
  case Function::PRelu:
    return a >= 0 ? a
                  : static_cast<T>(static_cast<uint64_t>(a) *
                                   static_cast<uint64_t>(b));
  case Function::And:
    return static_cast<T>(a & b);
  case Function::Or:
    return static_cast<T>(a | b);
  case Function::Xor:
    return static_cast<T>(a ^ b);
  case Function::ShiftLeft:
    return static_cast<U>(b) >= bits
               ? T(0)
               : static_cast<T>(static_cast<uint64_t>(a) << b);
  case Function::ShiftRight:
    return static_cast<U>(b) >= bits ? static_cast<T>(a < 0 ? -1 : 0)
                                     : static_cast<T>(a >> b);
  case Function::Equal:
    return a == b;
  case Function::Less:
    return a < b;
  case Function::LessOrEqual:
    return a <= b;
  case Function::Relu:
    return std::max(a, T(0));
  case Function::Neg:
    return static_cast<T>(U(0) - static_cast<U>(a));
  case Function::Abs:
    return a < 0 ? static_cast<T>(U(0) - static_cast<U>(a)) : a;
  case Function::Sign:
    return static_cast<T>((a > 0) - (a < 0));
  case Function::Not:
    return static_cast<T>(~a);
  default:
    return std::nullopt;
  }
}

} // namespace cimc::numerics

#endif // CIMC_SUPPORT_INTEGERFUNCTIONS_H
