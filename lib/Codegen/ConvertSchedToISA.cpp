//===- ConvertSchedToISA.cpp - symbols to numbers ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RawBytes.h"

#include "cimc/Codegen/Passes.h"
#include "cimc/Reference/Elements.h"
#include "cimc/Support/MachineTypes.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

#include <map>

namespace cimc {
#define GEN_PASS_DEF_CONVERTSCHEDTOISA
#include "cimc/Codegen/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;

/// The number of a machine type in views, and its name in bindings.
static FailureOr<DType> machineType(Operation *op, Type type) {
  if (type.isF32())
    return DType::F32;
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 8:
      return isUnsigned ? DType::U8 : DType::I8;
    case 16:
      return isUnsigned ? DType::U16 : DType::I16;
    case 32:
      if (!isUnsigned)
        return DType::I32;
      break;
    case 64:
      if (!isUnsigned)
        return DType::I64;
      break;
    }
  }
  return op->emitOpError("has element type ")
         << type << ", which the machine does not know";
}

namespace {
/// What one core's section is made of.
struct CoreSection {
  isa::CoreOp op;
  OpBuilder descriptors, streams;
  int64_t views = 0, dataBlocks = 0;
  std::map<int64_t, SmallVector<sched::CellsOp>> cells; ///< by macro
  llvm::MapVector<Attribute, int64_t> windows, patterns;

  CoreSection(OpBuilder &builder, Location loc, int64_t id)
      : op(isa::CoreOp::create(builder, loc, id)),
        descriptors(builder.getContext()), streams(builder.getContext()) {
    OpBuilder::InsertionGuard guard(builder);
    Block *block = builder.createBlock(&op.getBody());
    streams.setInsertionPointToEnd(block);
    descriptors.setInsertionPointToEnd(block);
  }
};

struct ConvertSchedToISA
    : public cimc::impl::ConvertSchedToISABase<ConvertSchedToISA> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<sched::ProgramOp> source = sched::findProgram(module);
    if (failed(source))
      return signalPassFailure();
    SymbolTable table(*source);
    symbols = &table;
    numbers.clear();
    OpBuilder builder(*source);
    auto program =
        isa::ProgramOp::create(builder, source->getLoc(), source->getSymName());
    builder.createBlock(&program.getBody());
    if (failed(convert(*source, builder)))
      return signalPassFailure();
    source->erase();
    for (auto weights :
         llvm::make_early_inc_range(module.getOps<cim::WeightsOp>()))
      weights.erase();
  }

private:
  LogicalResult convert(sched::ProgramOp source, OpBuilder &builder) {
    Block &body = source.getBody().front();
    for (auto channel : body.getOps<sched::ChannelOp>())
      if (failed(convertChannel(channel, builder)))
        return failure();
    for (auto io : body.getOps<sched::IOOp>())
      if (failed(convertIO(io, builder)))
        return failure();
    // Cores in ascending order, each with everything it needs.
    std::map<int64_t, SmallVector<Operation *>> byCore;
    for (Operation &op : body) {
      int64_t core = -1;
      if (auto view = dyn_cast<sched::ViewOp>(op))
        core = sched::coreOf(*symbols, view.getSymName());
      else if (!mlir::isa<sched::ChannelOp>(op))
        if (auto attr = op.getAttrOfType<IntegerAttr>("core"))
          core = attr.getInt();
      if (core >= 0)
        byCore[core].push_back(&op);
    }
    for (auto &[core, ops] : byCore) {
      CoreSection section(builder, source.getLoc(), core);
      for (Operation *op : ops)
        if (!mlir::isa<sched::StreamOp>(op) &&
            failed(convertMemory(op, section)))
          return failure();
      if (failed(convertSetup(source.getLoc(), section)))
        return failure();
      for (Operation *op : ops)
        if (auto stream = dyn_cast<sched::StreamOp>(op))
          if (failed(convertStream(stream, section)))
            return failure();
    }
    return success();
  }

  FailureOr<int64_t> addressOf(Operation *op) {
    if (auto address = op->getAttrOfType<IntegerAttr>("address"))
      return address.getInt();
    return op->emitOpError("has no address; run --sched-allocate first");
  }

  LogicalResult convertChannel(sched::ChannelOp op, OpBuilder &builder) {
    FailureOr<int64_t> address = addressOf(op);
    if (failed(address))
      return failure();
    int64_t id = numbers.size();
    numbers[op.getSymName()] = id;
    isa::ChannelOp::create(builder, op.getLoc(), id, op.getCore(), *address,
                           op.getRowBytes(), op.getSlots(), op.getRows(),
                           op.getProducers(), op.getConsumers());
    return success();
  }

  LogicalResult convertIO(sched::IOOp op, OpBuilder &builder) {
    std::optional<DType> type = reference::elementDType(op.getType());
    if (!type)
      return op.emitOpError("has element type ")
             << op.getType() << ", which is no type of a model";
    SmallVector<int64_t> channels;
    for (Attribute ref : op.getChannels())
      channels.push_back(
          numbers.lookup(cast<FlatSymbolRefAttr>(ref).getValue()));
    isa::IOOp::create(builder, op.getLoc(), op.getName(), op.getOutput(),
                      op.getShape(), bindingName(*type), op.getPerm(),
                      channels);
    return success();
  }

  LogicalResult convertMemory(Operation *op, CoreSection &section) {
    if (auto view = dyn_cast<sched::ViewOp>(op))
      return convertView(view, section);
    if (auto data = dyn_cast<sched::DataOp>(op)) {
      FailureOr<int64_t> address = addressOf(op);
      if (succeeded(address))
        isa::DataOp::create(section.descriptors, op->getLoc(), *address,
                            data.getValue());
      ++section.dataBlocks;
      return address;
    }
    if (auto cells = dyn_cast<sched::CellsOp>(op))
      section.cells[cells.getMacro()].push_back(cells);
    return success();
  }

  LogicalResult convertView(sched::ViewOp op, CoreSection &section) {
    Operation *of = symbols->lookup(op.getOf());
    FailureOr<int64_t> address = addressOf(of);
    FailureOr<DType> type = machineType(op, op.getType());
    if (failed(address) || failed(type))
      return failure();
    auto channel = dyn_cast<sched::ChannelOp>(of);
    int64_t pitch =
        op.getRowPitch() ? *op.getRowPitch() : channel.getRowBytes();
    int64_t slots = op.getSlots() ? *op.getSlots() : channel.getSlots();
    int64_t id = section.views++;
    numbers[op.getSymName()] = id;
    isa::ViewOp::create(section.descriptors, op.getLoc(), id,
                        *address + int64_t(op.getOffset()), pitch, slots,
                        op.getPixelPitch(), op.getRows(), op.getPixels(),
                        op.getChannels(), static_cast<uint64_t>(*type),
                        op.getPad());
    return success();
  }

  LogicalResult convertCells(sched::CellsOp op, CoreSection &section) {
    auto weights = getOperation().lookupSymbol<cim::WeightsOp>(op.getWeights());
    if (!weights)
      return op.emitOpError("names weights '")
             << op.getWeights() << "', which are not in the module";
    auto type = weights.getValue().getShapedType();
    int64_t k = op.getKBegin(), rows = op.getKSize();
    int64_t n = op.getNBegin(), columns = op.getNSize();
    int64_t width = type.getDimSize(1);
    std::vector<uint8_t> all = codegen::rawBytes(weights.getValue());
    if (type.getElementTypeBitWidth() != 8 || k < 0 || n < 0 || rows < 1 ||
        columns < 1 || rows > type.getDimSize(0) || columns > width ||
        k + rows > type.getDimSize(0) || n + columns > width ||
        int64_t(all.size()) != type.getNumElements())
      return op.emitOpError("takes rows ")
             << k << " to " << k + rows << " and columns " << n << " to "
             << n + columns << " of weights '" << op.getWeights()
             << "' of type " << type;
    std::vector<char> tile;
    tile.reserve(rows * columns);
    for (int64_t r = k; r < k + rows; ++r)
      tile.insert(tile.end(), all.begin() + r * width + n,
                  all.begin() + r * width + n + columns);
    auto value = DenseResourceElementsAttr::get(
        RankedTensorType::get({rows, columns}, section.descriptors.getI8Type()),
        (op.getWeights() + "_cells").str(),
        HeapAsmResourceBlob::allocateAndCopyWithAlign(tile, 1));
    isa::CellsOp::create(section.descriptors, op.getLoc(), op.getRow(), 0,
                         weights.getBits(), value);
    return success();
  }

  /// The blocks of weights, macro by macro, and what writes them; one
  /// instruction for all constants and one for each macro.
  LogicalResult convertSetup(Location loc, CoreSection &section) {
    auto setup = isa::SetupOp::create(section.streams, loc);
    // Windows and patterns are found in the streams but stand before them.
    section.descriptors.setInsertionPoint(setup);
    OpBuilder code(loc.getContext());
    code.createBlock(&setup.getBody());
    if (section.dataBlocks > 0)
      isa::LoadDataOp::create(code, loc, 0, section.dataBlocks);
    int64_t block = 0;
    for (auto &[macro, list] : section.cells) {
      for (sched::CellsOp cells : list)
        if (failed(convertCells(cells, section)))
          return failure();
      auto blocks = static_cast<int64_t>(list.size());
      isa::ProgramMacroOp::create(code, list.front().getLoc(), macro, block,
                                  blocks);
      block += blocks;
    }
    return success();
  }

  LogicalResult convertStream(sched::StreamOp op, CoreSection &section) {
    auto stream =
        isa::StreamOp::create(section.streams, op.getLoc(), op.getLayer());
    OpBuilder code(op.getContext());
    code.createBlock(&stream.getBody());
    if (failed(convertBlock(op.getBody().front(), code, section)))
      return failure();
    isa::HaltOp::create(code, op.getLoc());
    return success();
  }

  LogicalResult convertBlock(Block &block, OpBuilder &code,
                             CoreSection &section) {
    for (Operation &op : block) {
      if (auto loop = dyn_cast<sched::LoopOp>(op)) {
        isa::LoopOp::create(code, op.getLoc(), loop.getCount());
        if (failed(convertBlock(loop.getBody().front(), code, section)))
          return failure();
        isa::NextOp::create(code, op.getLoc());
        continue;
      }
      // The records have the names and fields of the operations.
      OperationState state(op.getLoc(),
                           ("isa." + op.getName().stripDialect()).str());
      for (NamedAttribute named : op.getAttrs()) {
        FailureOr<Attribute> field = convertField(&op, named, section);
        if (failed(field))
          return failure();
        state.addAttribute(named.getName(), *field);
      }
      code.create(state);
    }
    return success();
  }

  FailureOr<Attribute> convertField(Operation *op, NamedAttribute named,
                                    CoreSection &section) {
    Builder builder(op->getContext());
    Attribute value = named.getValue();
    if (auto ref = dyn_cast<FlatSymbolRefAttr>(value)) {
      Operation *target = symbols->lookup(ref.getAttr());
      if (mlir::isa<sched::DataOp>(target)) {
        FailureOr<int64_t> address = addressOf(target);
        if (failed(address))
          return failure();
        return Attribute(builder.getI64IntegerAttr(*address));
      }
      return Attribute(
          builder.getI64IntegerAttr(numbers.lookup(ref.getValue())));
    }
    if (auto window = dyn_cast<cim::WindowAttr>(value)) {
      auto [it, isNew] =
          section.windows.insert({value, section.windows.size()});
      if (isNew)
        isa::WindowOp::create(section.descriptors, op->getLoc(), it->second,
                              window.getKernel()[0], window.getKernel()[1],
                              window.getStride()[0], window.getStride()[1],
                              window.getPad()[0], window.getPad()[1],
                              window.getDilation()[0], window.getDilation()[1]);
      return Attribute(builder.getI64IntegerAttr(it->second));
    }
    if (named.getName() == "pattern") {
      auto [it, isNew] =
          section.patterns.insert({value, section.patterns.size()});
      if (isNew) {
        auto p = cast<DenseI64ArrayAttr>(value).asArrayRef();
        isa::PatternOp::create(section.descriptors, op->getLoc(), it->second,
                               p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7],
                               p[8], p[9], p[10], p[11], p[12], p[13], p[14],
                               p[15], p[16], p[17], p[18], p[19], p[20]);
      }
      return Attribute(builder.getI64IntegerAttr(it->second));
    }
    return value;
  }

  SymbolTable *symbols = nullptr;
  /// Channels by number in the program, views by number in their core.
  llvm::StringMap<int64_t> numbers;
};
} // namespace
