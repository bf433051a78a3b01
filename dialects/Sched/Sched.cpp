//===- Sched.cpp - the sched dialect ----------------------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sched/Sched.h"

#include "cimc/Support/Permute.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cimc::sched;

#include "Sched/SchedDialect.cpp.inc"

#define GET_OP_CLASSES
#include "Sched/SchedOps.cpp.inc"

void SchedDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "Sched/SchedOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

FailureOr<ProgramOp> cimc::sched::findProgram(ModuleOp module) {
  auto programs = module.getOps<ProgramOp>();
  if (programs.empty())
    return module.emitError("the module has no sched.program; run "
                            "--convert-cim-to-sched first");
  return *programs.begin();
}

int64_t cimc::sched::coreOf(const SymbolTable &symbols, StringRef name) {
  Operation *op = symbols.lookup(name);
  if (auto view = dyn_cast<ViewOp>(op))
    op = symbols.lookup(view.getOf());
  return op->getAttrOfType<IntegerAttr>("core").getInt();
}

int64_t cimc::sched::bytesOf(Operation *memory) {
  return TypeSwitch<Operation *, int64_t>(memory)
      .Case([](ChannelOp op) {
        return int64_t(op.getSlots() * op.getRowBytes());
      })
      .Case([](BufferOp op) { return int64_t(op.getBytes()); })
      .Case([](DataOp op) {
        auto type = op.getValue().getShapedType();
        return type.getNumElements() * elementBytes(type.getElementType());
      })
      .Default(int64_t(0));
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult ChannelOp::verify() {
  int64_t slots = getSlots(), rows = getRows();
  if (rows < 1 || int64_t(getRowBytes()) < 1)
    return emitOpError("has ") << rows << " rows of " << int64_t(getRowBytes())
                               << " bytes; both must be at least 1";
  if (slots < 1 || slots > rows)
    return emitOpError("has ")
           << slots << " slots; must be 1 to its " << rows << " rows";
  if (getWhole() && slots != rows)
    return emitOpError("is held whole but has ")
           << slots << " slots for " << rows << " rows";
  if (int64_t(getProducers()) < 1 || int64_t(getConsumers()) < 1)
    return emitOpError("needs a producer and a consumer");
  // What the machine's channels can count, and more than any core holds.
  constexpr int64_t most = 65535, mostBytes = int64_t(1) << 31;
  if (int64_t(getProducers()) > most || int64_t(getConsumers()) > most)
    return emitOpError("has ")
           << int64_t(getProducers()) << " producers and "
           << int64_t(getConsumers()) << " consumers; the limit is " << most;
  if (slots > mostBytes / int64_t(getRowBytes()))
    return emitOpError("has ")
           << slots << " slots of " << int64_t(getRowBytes())
           << " bytes; the limit is " << mostBytes << " bytes together";
  return success();
}

namespace {
/// Checks one program's references; see ProgramOp's description.
class ProgramVerifier {
public:
  explicit ProgramVerifier(ProgramOp program) : symbols(program) {}

  LogicalResult view(ViewOp op) {
    Operation *of = symbols.lookup(op.getOf());
    if (!isa_and_nonnull<ChannelOp, BufferOp, DataOp>(of))
      return op.emitOpError("is of '")
             << op.getOf() << "', which is not a channel, buffer or constant";
    bool ring = isa<ChannelOp>(of) && !op.getSlots();
    if (!ring && (!op.getSlots() || !op.getRowPitch()))
      return op.emitOpError(
          "must state slots and row_pitch, as it is not of a channel's rows");
    if (!op.getType().isIntOrFloat() ||
        op.getType().getIntOrFloatBitWidth() < 8)
      return op.emitOpError("has element type ")
             << op.getType() << "; must be a machine type";
    // So that nothing below overflows.
    constexpr int64_t most = int64_t(1) << 30;
    for (int64_t value :
         {int64_t(op.getPixels()), int64_t(op.getPixelPitch()),
          int64_t(op.getChannels()), int64_t(op.getOffset()),
          int64_t(op.getRows()), int64_t(op.getRowPitch().value_or(0)),
          int64_t(op.getSlots().value_or(0))})
      if (value < 0 || value > most)
        return op.emitOpError("states ")
               << value << "; sizes and distances are 0 to " << most;
    int64_t row = (int64_t(op.getPixels()) - 1) * int64_t(op.getPixelPitch()) +
                  int64_t(op.getChannels()) * elementBytes(op.getType());
    int64_t last = int64_t(op.getOffset()) + row;
    int64_t bytes = 0;
    if (ring) {
      bytes = cast<ChannelOp>(of).getRowBytes();
    } else {
      last += int64_t(*op.getRowPitch()) * (int64_t(*op.getSlots()) - 1);
      bytes = bytesOf(of);
    }
    if (last > bytes)
      return op.emitOpError("reaches byte ")
             << last << " of the " << bytes << " of '" << op.getOf() << "'";
    return success();
  }

  LogicalResult io(IOOp op) {
    ArrayRef<int64_t> shape = op.getShape(), perm = op.getPerm();
    for (int64_t extent : shape)
      if (extent < 0)
        return op.emitOpError("has shape [")
               << shape << "]; every axis must be at least 0";
    if (!cimc::isPermutation(perm.vec(), shape.size()))
      return op.emitOpError("has perm [")
             << perm << "], which is not a permutation of its " << shape.size()
             << " axes";
    for (auto ref : op.getChannels().getAsRange<FlatSymbolRefAttr>())
      if (!isa_and_nonnull<ChannelOp>(symbols.lookup(ref.getAttr())))
        return op.emitOpError("names '")
               << ref.getValue() << "', which is not a sched.channel";
    return success();
  }

  LogicalResult instruction(Operation *op, int64_t core) {
    for (NamedAttribute named : op->getAttrs()) {
      StringRef name = named.getName();
      if (auto values = dyn_cast<DenseI64ArrayAttr>(named.getValue())) {
        size_t size = name == "pattern" ? 21 : 3;
        if (size_t(values.size()) != size)
          return op->emitOpError("'") << name << "' has " << values.size()
                                      << " entries; must have " << size;
      }
      auto ref = dyn_cast<FlatSymbolRefAttr>(named.getValue());
      if (!ref)
        continue;
      Operation *target = symbols.lookup(ref.getAttr());
      StringRef wanted =
          name == "channel" ? "sched.channel"
          : name == "constants" || name == "table" || name == "weights"
              ? "sched.data"
              : "sched.view";
      if (!target || target->getName().getStringRef() != wanted)
        return op->emitOpError("'") << name << "' names '" << ref.getValue()
                                    << "', which is not a " << wanted;
      int64_t where = coreOf(symbols, ref.getValue());
      if (where != core && !(name == "channel" && isa<SendOp>(op)))
        return (op->emitOpError("on core ")
                << core << " uses memory of core " << where)
                   .attachNote(target->getLoc())
               << "'" << ref.getValue() << "' is declared here";
    }
    return party(op);
  }

private:
  /// Producer and consumer numbers are those of the channel.
  LogicalResult party(Operation *op) {
    auto channelRef = op->getAttrOfType<FlatSymbolRefAttr>("channel");
    if (!channelRef)
      return success();
    auto channel = symbols.lookup<ChannelOp>(channelRef.getAttr());
    bool consumes = op->hasAttr("consumer");
    int64_t number =
        op->getAttrOfType<IntegerAttr>(consumes ? "consumer" : "producer")
            .getInt();
    int64_t limit = consumes ? channel.getConsumers() : channel.getProducers();
    if (number < 0 || number >= limit)
      return op->emitOpError("is ")
             << (consumes ? "consumer " : "producer ") << number << " of '"
             << channelRef.getValue() << "', which has " << limit;
    return success();
  }

  SymbolTable symbols;
};
} // namespace

LogicalResult ProgramOp::verifyRegions() {
  ProgramVerifier verifier(*this);
  for (ViewOp view : getBody().getOps<ViewOp>())
    if (failed(verifier.view(view)))
      return failure();
  for (IOOp io : getBody().getOps<IOOp>())
    if (failed(verifier.io(io)))
      return failure();
  for (StreamOp stream : getBody().getOps<StreamOp>()) {
    WalkResult result = stream.getBody().walk([&](Operation *op) {
      if (auto loop = dyn_cast<LoopOp>(op)) {
        auto outer = loop->getParentOfType<LoopOp>();
        if (outer && outer->getParentOfType<LoopOp>()) {
          loop.emitOpError("is nested three deep; the machine has two loops");
          return WalkResult::interrupt();
        }
        return WalkResult::advance();
      }
      return failed(verifier.instruction(op, stream.getCore()))
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
  }
  return success();
}
