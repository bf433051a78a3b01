//===- StreamEmitter.h - writes the stream of an operation ------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_SCHEDULING_STREAMEMITTER_H
#define CIMC_LIB_SCHEDULING_STREAMEMITTER_H

#include "ChannelPlan.h"
#include "Sched/Sched.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <map>
#include <set>
#include <tuple>

namespace cimc::sched {

/// [add, mul0, mul1]: add + mul0 * i0 + mul1 * i1.
using Affine = std::array<int64_t, 3>;

/// Writes the memory and the stream of one cim operation after the other into
/// a program.
class StreamEmitter {
public:
  StreamEmitter(ProgramOp program, const ChannelPlan &plan,
                const ChipSpec &chip);

  /// Channels, in plan order.
  void emitChannels();
  /// The stream of an operation that plan.isStream() says has one.
  mlir::LogicalResult emit(mlir::Operation *op);

private:
  /// A view; see ViewOp.
  struct Geometry {
    std::string of;
    int64_t rows, pixels, channels;
    mlir::Type type;
    int64_t offset, pixelPitch, rowPitch, slots; ///< slots 0: the channel's
    int64_t pad;
  };
  /// An operand as its stream reads it.
  struct Input {
    Geometry geometry;
    llvm::StringRef view;
    int64_t channel = -1, consumer = 0;
    cim::RowDependence rows;
    cim::RowSelection selected;
    int64_t total = 0; ///< rows a sample
    bool broadcast = false;
  };
  /// A result as its stream writes it: in place into the only ring that wants
  /// it, or into a buffer that is sent on.
  struct Output {
    Geometry geometry;
    llvm::StringRef view;
    bool inPlace = false;
    llvm::ArrayRef<Destination> destinations;
  };

  Input input(mlir::OpOperand &operand, int64_t pad = 0);
  /// The view of what a destination takes of a row.
  llvm::StringRef part(const Output &out, const Destination &to);
  /// `whole`: a buffer of all rows, never in place.
  Output output(mlir::Value value, bool whole = false);

  void wait(const Input &in, Affine rows);
  void free(const Input &in, Affine rows);
  void waitRow(const Input &in);
  void freeRow(const Input &in);
  /// Frees what the last row still held.
  void freeRest(const Input &in, int64_t outputRows);
  void waitAll(const Input &in);
  void freeAll(const Input &in);
  void begin(const Output &out);
  void end(const Output &out, Affine row);

  void loop(int64_t count, llvm::function_ref<void()> body, bool keep = false);
  /// The common form: one output row from rows of the inputs.
  void rowByRow(mlir::Operation *op, llvm::ArrayRef<Input> inputs,
                llvm::function_ref<void(const Output &)> body);

  void emitMvm(cim::MvmOp op);
  void emitSum(cim::SumOp op);
  /// What makes a result of int32 sums, chunk by chunk.
  void emitFinish(mlir::Operation *op);
  llvm::StringRef finishConstants(mlir::Operation *op);
  void emitRowSum(cim::RowSumOp op);
  void emitWhole(mlir::Operation *op);
  void emitReshape(cim::ReshapeOp op);
  void emitRowConcat(cim::ConcatOp op);
  void emitDelay(cim::DelayOp op);
  mlir::LogicalResult emitElementwise(mlir::Operation *op);
  /// One output row of a general vector operation.
  mlir::LogicalResult emitVector(mlir::Operation *op,
                                 llvm::ArrayRef<Input> inputs,
                                 llvm::StringRef dst);

  llvm::StringRef data(mlir::ElementsAttr value);
  llvm::StringRef bytes(llvm::ArrayRef<int8_t> values);
  llvm::StringRef floats(llvm::ArrayRef<float> values);
  /// One view for all equal requests.
  llvm::StringRef view(const Geometry &g);
  llvm::StringRef keep(const std::string &name);
  Affine rowOf(const Input &in) const {
    return in.broadcast ? Affine{0, 0, 0}
                        : Affine{in.selected.begin, in.selected.step, 0};
  }

  const ChannelPlan &plan;
  const ChipSpec &chip;
  mlir::OpBuilder memory, code;
  mlir::Location loc;
  int64_t core = 0;
  unsigned buffers = 0, constants = 0, views = 0;
  std::map<std::string, std::string> viewNames;
  /// Core, macro and cell row of the tiles that are in cells.
  std::set<std::tuple<int64_t, int64_t, int64_t>> written;
  std::map<std::tuple<const void *, int64_t>, std::string> constantNames;
};

/// The number of a reduction in instructions.
int64_t reductionNumber(llvm::StringRef name);

} // namespace cimc::sched

#endif // CIMC_LIB_SCHEDULING_STREAMEMITTER_H
