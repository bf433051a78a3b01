//===- HostTensor.h - a tensor in host memory -------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_HOSTTENSOR_H
#define CIMC_SUPPORT_HOSTTENSOR_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace cimc {

/// Element types that files, evaluators and the chip model exchange. The first
/// seven are those of ISA views, with the same numbers.
enum class DType : uint8_t {
  I8,
  U8,
  I16,
  U16,
  I32,
  F32,
  I64,
  Bool,
  F64,
  F16,
  U32,
  U64,
  BF16,
  // One element a byte.
  I4,
  U4,
  I2,
  U2,
  F8E4M3FN,
  F8E4M3FNUZ,
  F8E5M2,
  F8E5M2FNUZ,
  F8E8M0,
  F4E2M1
};
inline constexpr DType kLastDType = DType::F4E2M1;

/// Whether the elements are floating-point numbers of any width.
bool isFloat(DType type);

/// Bytes an element takes.
size_t byteSize(DType type);
/// The name users see: "float32", "uint8", ...
const char *name(DType type);

/// Leaves new elements of a std::vector as its memory is: clearing a large
/// tensor takes as long as computing it.
template <typename T> struct UnclearedAllocator : std::allocator<T> {
  template <typename U> struct rebind {
    using other = UnclearedAllocator<U>;
  };
  template <typename U> void construct(U *place) {
    ::new (static_cast<void *>(place)) U;
  }
  template <typename U, typename... Args>
  void construct(U *place, Args &&...args) {
    ::new (static_cast<void *>(place)) U(std::forward<Args>(args)...);
  }
};
using TensorBytes = std::vector<std::byte, UnclearedAllocator<std::byte>>;

/// A dense row-major tensor.
struct HostTensor {
  DType type = DType::F32;
  std::vector<int64_t> shape;
  TensorBytes data;

  HostTensor() = default;
  /// Zero-filled.
  HostTensor(DType type, std::vector<int64_t> shape);
  /// Whose elements the caller writes, all of them.
  static HostTensor unwritten(DType type, std::vector<int64_t> shape);

  int64_t size() const;
  template <typename T> T *as() { return reinterpret_cast<T *>(data.data()); }
  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(data.data());
  }
};

/// "1x3x224x224"; "scalar" for no axes.
std::string shapeString(const std::vector<int64_t> &shape);

} // namespace cimc

#endif // CIMC_SUPPORT_HOSTTENSOR_H
