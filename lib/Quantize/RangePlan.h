//===- RangePlan.h - what gets ranges ---------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_RANGEPLAN_H
#define CIMC_LIB_QUANTIZE_RANGEPLAN_H

#include "cimc/Quantize/Histogram.h"
#include "cimc/Quantize/Quantize.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <vector>

namespace cimc::quantization {

/// How the integers of a quantized tensor stand for numbers: unsigned, with a
/// zero point, at 8 bits; symmetric at 16.
struct TensorRange {
  int bits = 8;
  AffineParameters parameters;
  /// At 16 bits, the largest integer: less than 32767 where the sums of a layer
  /// that reads the tensor would leave int32.
  int32_t levels = 32767;

  double low() const;
  double high() const;
  mlir::Type type(mlir::MLIRContext *context) const;
};

/// Which values of a float network get integers, of how many bits, and which
/// of them share parameters.
///
/// Layers are `wide` where their inputs are to have 16 bits. Arrays take these
/// as they take bytes, their sums become fp32 (rule R15), and what follows is
/// fp32 until the next layer; so only inputs of layers ever have 16 bits.
/// Operations that are wide and no such layer stay float.
class RangePlan {
public:
  using Predicate = llvm::function_ref<bool(mlir::Operation *)>;
  /// Without `rowRanges` all ranges are fixed, and all sums are quantized, as
  /// standard QDQ models have them.
  explicit RangePlan(
      mlir::func::FuncOp entry, bool rowRanges = false,
      Predicate isWide = [](mlir::Operation *) { return false; });

  /// Arguments and results of float type that are no constants, in order.
  const std::vector<mlir::Value> &allValues() const { return values; }
  /// The group whose statistics a value belongs to; -1 where it has none: it is
  /// not quantized, or takes over another's parameters.
  int64_t observedGroup(mlir::Value value) const;
  int64_t groupCount() const { return static_cast<int64_t>(values.size()); }

  /// The group whose statistics describe a value's numbers; -1 where there are
  /// none.
  int64_t observedHistogram(mlir::Value value) const;

  /// True where pairs are to be inserted behind the value.
  bool isQuantized(mlir::Value value) const;
  /// The range of a quantized value, once chosen.
  const TensorRange &range(mlir::Value value) const {
    return chosen[find(number.lookup(value))];
  }
  /// True for layers whose input has 16 bits.
  bool isWide(mlir::Operation *op) const { return wide.contains(op); }
  /// True for matrix products whose range is taken row by row while they run
  /// (rule R14): those with an input that is made in float. What follows them
  /// is float too.
  bool isRanged(mlir::Operation *op) const { return ranged.contains(op); }

  /// The values whose statistics say the parameters of their group, one for
  /// each group that has parameters to choose, in order.
  std::vector<mlir::Value> representatives() const;
  mlir::Value representative(mlir::Value value) const {
    return values[find(number.lookup(value))];
  }
  /// Sets the range of a representative's group.
  void setRange(mlir::Value value, double low, double high) {
    setRange(chosen[find(number.lookup(value))], low, high);
  }

  /// From one histogram per group.
  void choose(const std::vector<Histogram> &histograms,
              const std::string &method);

private:
  int64_t find(int64_t index) const;
  void join(int64_t a, int64_t b);
  static void setRange(TensorRange &range, double low, double high);
  void decideOperations(mlir::func::FuncOp entry, bool rowRanges,
                        Predicate isWide);
  void decideGroups(mlir::func::FuncOp entry, bool realSums);
  void decideWidths(mlir::func::FuncOp entry);
  bool comesFromInteger(mlir::Value value) const;

  llvm::DenseSet<mlir::Operation *> ranged, wide; // looked up only
  std::vector<mlir::Value> values;
  llvm::DenseMap<mlir::Value, int64_t> number; // looked up only
  mutable std::vector<int64_t> parent;
  std::vector<bool> needed;   // by group
  std::vector<bool> fixed;    // by group: scale 1/256, zero 0
  std::vector<bool> absorbed; // by value: a clamp follows
  llvm::DenseMap<mlir::Operation *, bool> integer; // looked up only
  std::vector<TensorRange> chosen;                 // by group
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_RANGEPLAN_H
