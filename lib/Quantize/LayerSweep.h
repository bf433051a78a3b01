//===- LayerSweep.h - a network evaluated layer by layer --------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_LAYERSWEEP_H
#define CIMC_LIB_QUANTIZE_LAYERSWEEP_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <vector>

namespace cimc::quantization {

/// Evaluates a network on several samples, stopping where the caller changes
/// it: what the samples have become by then is kept, so that a walk over all
/// layers costs one evaluation of the network and not one for each layer.
/// Dequantized values are made again where they are read; what is kept between
/// layers is their integers. Samples may join late, where a network's values
/// have become small: only those that have joined take memory.
class LayerSweep {
public:
  LayerSweep(mlir::func::FuncOp entry,
             const std::vector<std::vector<HostTensor>> &samples,
             unsigned threads);

  /// Those that have joined.
  size_t samples() const { return live.size(); }

  /// Evaluates every operation before `op`, on the samples that have joined and
  /// on those that join now, so that there are at least `count`.
  Status advanceTo(mlir::Operation *op, size_t count);

  /// `visit(sample, operands)` for all samples that have joined with the
  /// operands of `op`, the operation that the sweep stands before; on several
  /// threads, once for each sample.
  Status forEachSample(
      mlir::Operation *op,
      const std::function<Status(size_t sample,
                                 const std::vector<HostTensor> &)> &visit);

private:
  struct Live {
    HostTensor tensor;
    /// Uses that have not happened yet.
    size_t remaining = 0;
  };
  using Values = llvm::DenseMap<mlir::Value, Live>; // looked up only

  Result<HostTensor> valueOf(Values &values, mlir::Value value);
  Status shareConstant(mlir::Value value);
  void release(Values &values, mlir::Value value);
  Status evaluate(Values &values, mlir::Operation *op);

  mlir::func::FuncOp entry;
  const std::vector<std::vector<HostTensor>> &all;
  unsigned threads;
  mlir::Operation *next;
  std::vector<Values> live;
  /// Values that follow from constants alone, since the last stop.
  llvm::DenseMap<mlir::Value, HostTensor> shared; // looked up only
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_LAYERSWEEP_H
