//===- Encode.cpp - isa operations to a program -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RawBytes.h"

#include "CIM/CIM.h"
#include "ISA/ISA.h"
#include "cimc/Codegen/Encode.h"
#include "cimc/Support/MachineTypes.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace cimc;

static std::string describe(Location loc) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << loc;
  return text;
}

/// Fills the record `info` describes from the attributes of its operation.
static Status fillRecord(Operation *op, const cimc::isa::RecordInfo &info,
                         void *record) {
  auto fail = [&](const cimc::isa::FieldInfo &field, std::string what) {
    return Error{ExitCode::DoesNotFit, std::string("field '") + field.name +
                                           "' of " + info.mnemonic + " at " +
                                           describe(op->getLoc()) + " " + what};
  };
  for (const cimc::isa::FieldInfo &field : info) {
    Attribute attr = op->getAttr(field.name);
    cimc::isa::FieldValue value;
    if (auto integer = dyn_cast_if_present<IntegerAttr>(attr)) {
      value.integer = integer.getInt();
      if (!field.fits(value))
        return fail(field, "is " + std::to_string(value.integer) +
                               ", which does not fit " +
                               std::to_string(field.width) + " bits");
    } else if (auto real = dyn_cast_if_present<FloatAttr>(attr)) {
      value.real = real.getValue().convertToFloat();
    } else if (auto affine = dyn_cast_if_present<DenseI64ArrayAttr>(attr);
               affine && affine.size() == 3) {
      int32_t *parts[] = {&value.affine.add, &value.affine.mul0,
                          &value.affine.mul1};
      for (auto [part, number] : llvm::zip(parts, affine.asArrayRef())) {
        *part = static_cast<int32_t>(number);
        if (*part != number)
          return fail(field, "has the factor " + std::to_string(number) +
                                 ", which does not fit 32 bits");
      }
      if (!field.fits(value))
        return fail(field, "has a factor of more than 24 bits");
    } else {
      return fail(field, "is missing");
    }
    field.set(record, value);
  }
  return {};
}

namespace {
class Encoder {
public:
  explicit Encoder(Program &program) : program(program) {}

  Status encode(cimc::isa::ProgramOp op) {
    for (Operation &inner : op.getBody().front()) {
      Status status;
      if (mlir::isa<cimc::isa::ChannelOp>(inner))
        status = append(&inner, program.channels);
      else if (auto io = dyn_cast<cimc::isa::IOOp>(inner))
        status = binding(io);
      else if (auto core = dyn_cast<cimc::isa::CoreOp>(inner))
        status = section(core);
      if (!status)
        return status;
    }
    return {};
  }

private:
  template <typename Record>
  Status append(Operation *op, std::vector<Record> &to) {
    to.emplace_back();
    return fillRecord(op, cimc::isa::infoOf<Record>(), &to.back());
  }

  Status binding(cimc::isa::IOOp op) {
    IOBinding io;
    io.name = op.getName().str();
    io.isOutput = op.getOutput();
    io.shape = op.getShape().vec();
    io.perm = op.getPerm().vec();
    for (int64_t channel : op.getChannels())
      io.channels.push_back(static_cast<uint32_t>(channel));
    std::optional<DType> type = parseBinding(op.getType().str());
    if (!type)
      return Error{ExitCode::Internal, "binding '" + io.name +
                                           "' has the unknown type '" +
                                           op.getType().str() + "'"};
    io.type = *type;
    program.ios.push_back(std::move(io));
    return {};
  }

  Status section(cimc::isa::CoreOp op) {
    CoreProgram core;
    core.id = static_cast<uint32_t>(op.getId());
    for (Operation &inner : op.getBody().front()) {
      Status status;
      if (mlir::isa<cimc::isa::ViewOp>(inner)) {
        status = append(&inner, core.views);
      } else if (mlir::isa<cimc::isa::WindowOp>(inner)) {
        status = append(&inner, core.windows);
      } else if (mlir::isa<cimc::isa::PatternOp>(inner)) {
        status = append(&inner, core.patterns);
      } else if (auto data = dyn_cast<cimc::isa::DataOp>(inner)) {
        core.data.push_back({static_cast<uint32_t>(data.getAddress()),
                             codegen::rawBytes(data.getValue())});
      } else if (auto cells = dyn_cast<cimc::isa::CellsOp>(inner)) {
        core.cells.push_back(block(cells));
      } else if (auto setup = dyn_cast<cimc::isa::SetupOp>(inner)) {
        status = instructions(setup.getBody(), core.setup);
      } else if (auto stream = dyn_cast<cimc::isa::StreamOp>(inner)) {
        core.streams.push_back({stream.getName().str(), {}});
        status =
            instructions(stream.getBody(), core.streams.back().instructions);
      }
      if (!status)
        return status;
    }
    program.cores.push_back(std::move(core));
    return {};
  }

  CellBlock block(cimc::isa::CellsOp op) {
    auto type = op.getValue().getShapedType();
    CellBlock cells;
    cells.row = static_cast<uint16_t>(op.getRow());
    cells.column = static_cast<uint16_t>(op.getColumn());
    cells.rows = static_cast<uint16_t>(type.getDimSize(0));
    cells.columns = static_cast<uint16_t>(type.getDimSize(1));
    cells.bits = static_cast<uint8_t>(op.getBits());
    std::vector<uint8_t> bytes = codegen::rawBytes(op.getValue());
    cells.weights.assign(bytes.begin(), bytes.end());
    return cells;
  }

  /// Those of a stream or a setup.
  template <typename T> Status instructions(Region &body, std::vector<T> &to) {
    for (Operation &inner : body.front()) {
      std::string mnemonic = inner.getName().stripDialect().str();
      const cimc::isa::RecordInfo *info = cimc::isa::findRecord(mnemonic);
      to.emplace_back();
      if (!info || !cimc::isa::makeInstruction(*info, to.back()))
        return Error{ExitCode::Internal,
                     "'" + mnemonic + "' at " + describe(inner.getLoc()) +
                         " is not an instruction of '" +
                         inner.getParentOp()->getName().getStringRef().str() +
                         "'"};
      Status status =
          fillRecord(&inner, *info, cimc::isa::addressOf(to.back()));
      if (!status)
        return status;
    }
    return {};
  }

  Program &program;
};
} // namespace

Result<Program> cimc::encodeProgram(ModuleOp module) {
  auto programs = module.getOps<cimc::isa::ProgramOp>();
  auto chip = module->getAttrOfType<cim::ChipAttr>(cim::kChipAttrName);
  if (programs.empty() || !chip)
    return Error{ExitCode::InvalidInput,
                 programs.empty()
                     ? "the module has no isa.program; run the pass "
                       "convert-sched-to-isa first"
                     : "the module has no chip (attribute 'cim.chip')"};
  Program program;
  program.chip = cim::getChipSpec(chip);
  program.model = module.getSymName().value_or("").str();
  Status status = Encoder(program).encode(*programs.begin());
  if (!status)
    return status.takeError();
  return program;
}
