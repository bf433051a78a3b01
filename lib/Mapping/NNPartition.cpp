//===- NNPartition.cpp - a network as parts that fit a chip -----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chip.h"
#include "CutColumns.h"
#include "Partition.h"

#include "CIM/CIM.h"
#include "NN/NN.h"
#include "cimc/Mapping/PartitionEstimate.h"
#include "cimc/Mapping/Passes.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/Numerics.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

#include <set>

namespace cimc {
#define GEN_PASS_DEF_NNPARTITION
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc::mapping;
using llvm::divideCeilSigned;

namespace {

int64_t elementsOf(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped && shaped.hasStaticShape() ? shaped.getNumElements() : 0;
}

/// Bits of an element in the chip's memory and on its links.
int64_t bitsOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    return quantized.getStorageTypeIntegralWidth() <= 8 ? 8 : 16;
  if (!element.isIntOrFloat())
    return 32;
  return std::min<int64_t>(llvm::alignTo(element.getIntOrFloatBitWidth(), 8),
                           32);
}

int64_t bytesOf(Type type) { return elementsOf(type) * bitsOf(type) / 8; }

/// What operations ask of a chip's arrays and vector units, as an estimate:
/// what a part really needs is known when it has been placed.
class Estimate {
public:
  /// `weightBits`: of all weights, 0 for those they have.
  explicit Estimate(const cimc::ChipSpec &chip, int64_t weightBits = 0)
      : chip(chip), weightBits(weightBits) {}

  /// Row groups of all arrays.
  int64_t capacity() const { return chip.macros() * groupsPerMacro(); }
  /// Arrays that hold so many row groups.
  int64_t arrays(int64_t cells) const {
    return divideCeilSigned(cells, groupsPerMacro());
  }

  PartitionGraph::Operation of(Operation *op) const {
    PartitionGraph::Operation result;
    int64_t elements = 0;
    for (Type type : op->getResultTypes())
      elements += elementsOf(type);
    if (auto weighted = dyn_cast<cimc::nn::WeightMatrixOpInterface>(op)) {
      if (std::optional<Cells> cells = cellsOf(weighted)) {
        addMatrix(*cells, elements / std::max<int64_t>(1, cells->results),
                  result);
        return result;
      }
      if (auto matrix = weighted.getWeightMatrix())
        elements *= matrix->rows();
    }
    if (isa<cimc::nn::LstmOp, cimc::nn::GruOp, cimc::nn::RnnOp>(op)) {
      // The weights of the input and of the state.
      int64_t steps =
          cast<ShapedType>(op->getOperand(0).getType()).getDimSize(0);
      for (Value weights : op->getOperands().slice(1, 2)) {
        auto type = cast<ShapedType>(weights.getType());
        addMatrix({type.getDimSize(1), type.getDimSize(0), 1,
                   bitsOfWeight(weights), type.getDimSize(0)},
                  steps, result);
      }
      return result;
    }
    result.vectorNs = static_cast<double>(elements) /
                      static_cast<double>(chip.core.vector_int_lanes) /
                      static_cast<double>(chip.cores()) * cycleNs();
    return result;
  }

  /// Whether an operation takes so much of the chip that little finds room
  /// beside it.
  bool isLarge(Operation *op) const { return of(op).cells > capacity() / 2; }

  /// The columns of an operation's matrix that a quarter of the arrays hold, or
  /// those of one array's width where that is more and fits: pieces that share
  /// a chip well. 0 where not even these fit.
  int64_t columnsOfPiece(cimc::nn::WeightMatrixOpInterface op) const {
    std::optional<Cells> cells = cellsOf(op);
    if (!cells || groups(cells->rows) > capacity())
      return 0;
    int64_t widths = std::max<int64_t>(1, capacity() / 4 / groups(cells->rows));
    return widths * columnsOfMacro(cells->bits) / cells->digits;
  }

private:
  /// A matrix in the cells of arrays.
  struct Cells {
    int64_t rows, columns, digits; ///< columns: with all digits of a weight
    int64_t bits, results;         ///< results: columns of the matrix
  };

  /// Nothing where the vector unit works.
  std::optional<Cells> cellsOf(cimc::nn::WeightMatrixOpInterface op) const {
    std::optional<cimc::nn::WeightMatrix> matrix = op.getWeightMatrix();
    // One column per group leaves an array nothing to share.
    if (!matrix || (matrix->groups > 1 && matrix->columns == 1))
      return std::nullopt;
    Value weights = op->getOperand(matrix->weights);
    // A float's digits: rows for those of the input, columns for its own.
    int64_t digits =
        isa<quant::QuantizedType>(getElementTypeOrSelf(weights.getType()))
            ? 1
            : cimc::numerics::kWideDigits;
    return Cells{matrix->rows() * matrix->groups * digits,
                 matrix->allColumns() * digits, digits, bitsOfWeight(weights),
                 matrix->allColumns()};
  }

  int64_t groups(int64_t rows) const {
    return std::max<int64_t>(1, divideCeilSigned(rows, chip.macro.active_rows));
  }
  int64_t columnsOfMacro(int64_t bits) const {
    return std::max<int64_t>(1, chip.weightColumns(bits));
  }
  int64_t bitsOfWeight(Value weights) const {
    if (weightBits)
      return weightBits;
    auto type =
        dyn_cast<quant::QuantizedType>(getElementTypeOrSelf(weights.getType()));
    return type ? type.getStorageTypeIntegralWidth() : 8;
  }
  int64_t groupsPerMacro() const {
    return std::max<int64_t>(1, chip.macro.rows / chip.macro.active_rows);
  }
  double cycleNs() const { return 1e3 / chip.core.clock_mhz; }

  void addMatrix(const Cells &matrix, int64_t vectors,
                 PartitionGraph::Operation &result) const {
    int64_t cells =
        groups(matrix.rows) *
        divideCeilSigned(matrix.columns, columnsOfMacro(matrix.bits));
    result.cells += cells;
    // A row group and an input bit a cycle.
    result.arrayNs += static_cast<double>(cells) *
                      static_cast<double>(vectors) * 8 * cycleNs() /
                      static_cast<double>(chip.macros());
  }

  const cimc::ChipSpec &chip;
  int64_t weightBits;
};

/// A network taken apart.
class Partitioner {
public:
  Partitioner(ModuleOp module, func::FuncOp network, const cimc::ChipSpec &chip,
              int64_t weightBits = 0)
      : module(module), network(network), chip(chip),
        estimate(chip, weightBits) {
    cutLargeOperations();
    readGraph();
  }

  cimc::PartitionEstimate summarize() const {
    cimc::PartitionEstimate result;
    int64_t cells = 0;
    for (const PartitionGraph::Operation &operation : graph.operations)
      cells += operation.cells;
    result.arrays = estimate.arrays(cells);
    PartitionLimits limits;
    limits.cells = estimate.capacity();
    limits.bytesPerNs = chip.host.gb_per_s;
    Partition partition = choosePartition(graph, limits);
    result.parts = static_cast<int64_t>(partition.ends.size());
    for (const PartitionGraph::Value &value : graph.values) {
      auto partOf = [&](int64_t operation) {
        return llvm::upper_bound(partition.ends, operation) -
               partition.ends.begin();
      };
      if (result.parts && value.definedAt >= 0 &&
          value.lastUse > value.definedAt &&
          partOf(value.lastUse) != partOf(value.definedAt))
        result.betweenBytes += value.bytes;
    }
    return result;
  }

  LogicalResult run(PartitionLimits limits, const std::string &name) {
    limits.cells = estimate.capacity();
    limits.bytesPerNs = chip.host.gb_per_s;
    for (auto [op, cost] : llvm::zip_equal(operations, graph.operations))
      if (cost.cells > limits.cells)
        return op->emitError()
               << op->getName() << ": its weights alone need "
               << estimate.arrays(cost.cells) << " arrays, chip '" << chip.name
               << "' has " << chip.macros()
               << ", and they cannot be cut; take a larger chip or fewer bits";
    Partition partition = choosePartition(graph, limits);
    if (partition.ends.empty())
      return network.emitError()
             << "no partition keeps apart what cannot be in one part";
    nameValues(partition, name);
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    int64_t begin = 0;
    for (auto [index, end] : llvm::enumerate(partition.ends)) {
      makePart(begin, end, name + std::to_string(index),
               index + 1 == partition.ends.size(), builder);
      begin = end;
    }
    network.erase();
    return success();
  }

private:
  /// Layers that take most of the chip, or more, become several that do not.
  void cutLargeOperations() {
    SmallVector<cimc::nn::WeightMatrixOpInterface> large;
    network.walk([&](cimc::nn::WeightMatrixOpInterface op) {
      if (estimate.isLarge(op))
        large.push_back(op);
    });
    for (cimc::nn::WeightMatrixOpInterface op : large)
      cutColumns(op, estimate.columnsOfPiece(op));
  }

  /// Constants, and what follows from them alone, belong to those who read
  /// them.
  bool isConstant(Value value) const {
    Operation *op = value.getDefiningOp();
    return op && constants.contains(op);
  }

  int64_t number(Value value) {
    auto [it, isNew] =
        numbers.insert({value, static_cast<int64_t>(numbers.size())});
    if (isNew) {
      values.push_back(value);
      graph.values.push_back({bytesOf(value.getType())});
    }
    return it->second;
  }

  void readGraph() {
    Block &body = network.getBody().front();
    for (BlockArgument argument : body.getArguments())
      number(argument);
    for (Operation &op : body.without_terminator()) {
      bool fromConstants = op.getNumRegions() == 0 && isMemoryEffectFree(&op) &&
                           llvm::all_of(op.getOperands(),
                                        [&](Value v) { return isConstant(v); });
      if (fromConstants) {
        constants.insert(&op);
        continue;
      }
      auto index = static_cast<int64_t>(operations.size());
      operations.push_back(&op);
      PartitionGraph::Operation node = estimate.of(&op);
      for (Value operand : op.getOperands())
        if (!isConstant(operand)) {
          node.reads.push_back(number(operand));
          graph.values[node.reads.back()].lastUse = index;
        }
      for (Value result : op.getResults()) {
        node.makes.push_back(number(result));
        graph.values[node.makes.back()].definedAt = index;
      }
      graph.operations.push_back(std::move(node));
    }
    for (Value value : body.getTerminator()->getOperands())
      if (!isConstant(value))
        graph.values[number(value)].isOutput = true;
  }

  static std::string nameOf(Attribute attribute, const Twine &otherwise) {
    auto text = dyn_cast_or_null<StringAttr>(attribute);
    return text ? text.str() : otherwise.str();
  }

  /// Inputs and outputs keep their names, values between parts are called after
  /// the operation that makes them.
  void nameValues(const Partition &partition, const std::string &prefix) {
    std::set<std::string> taken;
    names.resize(values.size());
    for (BlockArgument argument : network.getArguments()) {
      unsigned index = argument.getArgNumber();
      names[numbers[argument]] =
          nameOf(network.getArgAttr(index, "nn.name"), "input_" + Twine(index));
      taken.insert(names[numbers[argument]]);
    }
    Operation *end = network.getBody().front().getTerminator();
    for (auto [index, value] : llvm::enumerate(end->getOperands())) {
      outputNames.push_back(nameOf(network.getResultAttr(index, "nn.name"),
                                   "output_" + Twine(index)));
      taken.insert(outputNames.back());
      auto found = numbers.find(value);
      if (found != numbers.end() && names[found->second].empty())
        names[found->second] = outputNames.back();
    }
    for (auto [value, name] : llvm::zip_equal(values, names)) {
      if (!name.empty())
        continue;
      auto loc = dyn_cast<NameLoc>(value.getLoc());
      std::string base = prefix + ":" + (loc ? loc.getName().str() : "");
      name = base;
      for (int64_t next = 2; !taken.insert(name).second; ++next)
        name = base + "." + std::to_string(next);
    }
  }

  /// The constants behind a value, too.
  void cloneConstant(Operation *op, OpBuilder &builder, IRMapping &mapping) {
    if (mapping.contains(op->getResult(0)))
      return;
    for (Value operand : op->getOperands())
      cloneConstant(operand.getDefiningOp(), builder, mapping);
    builder.clone(*op, mapping);
  }

  DictionaryAttr named(DictionaryAttr attributes, StringRef name) {
    NamedAttrList list(attributes);
    list.set("nn.name", StringAttr::get(module.getContext(), name));
    return list.getDictionary(module.getContext());
  }

  void makePart(int64_t begin, int64_t end, const std::string &name,
                bool isLast, OpBuilder &builder) {
    // Arguments and results are in the order of the network's values. The first
    // part has the inputs that nothing reads, so that they are not lost.
    std::set<int64_t> reads, makes;
    if (begin == 0)
      for (BlockArgument argument : network.getArguments())
        if (argument.use_empty())
          reads.insert(numbers[argument]);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t value : graph.operations[i].reads)
        if (graph.values[value].definedAt < begin)
          reads.insert(value);
      for (int64_t value : graph.operations[i].makes)
        if (!graph.values[value].isOutput && graph.values[value].lastUse >= end)
          makes.insert(value);
    }
    Operation *terminator = network.getBody().front().getTerminator();
    SmallVector<std::pair<Value, std::string>> results;
    SmallVector<DictionaryAttr> resultAttrs;
    auto addResult = [&](Value value, DictionaryAttr attributes,
                         const std::string &resultName) {
      results.emplace_back(value, resultName);
      resultAttrs.push_back(named(attributes, resultName));
    };
    for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
      // What no operation makes, an input or a constant, the last part returns.
      int64_t at = -1;
      if (auto found = numbers.find(value); found != numbers.end())
        at = graph.values[found->second].definedAt;
      bool isHere = at < 0 ? isLast : at >= begin && at < end;
      if (!isHere)
        continue;
      addResult(value, network.getResultAttrDict(index), outputNames[index]);
      if (at < 0 && !isConstant(value))
        reads.insert(numbers[value]);
    }
    for (int64_t value : makes)
      addResult(values[value], {}, names[value]);

    auto part = ModuleOp::create(builder, module.getLoc(), name);
    for (NamedAttribute attribute : module->getAttrs())
      if (attribute.getName() != SymbolTable::getSymbolAttrName())
        part->setAttr(attribute.getName(), attribute.getValue());
    part->setAttr("nn.operations", builder.getDenseI64ArrayAttr({begin, end}));
    SmallVector<Type> argumentTypes, resultTypes;
    for (int64_t value : reads)
      argumentTypes.push_back(values[value].getType());
    for (auto &[value, resultName] : results)
      resultTypes.push_back(value.getType());
    OpBuilder inside = OpBuilder::atBlockEnd(part.getBody());
    auto function = func::FuncOp::create(
        inside, network.getLoc(), network.getName(),
        FunctionType::get(module.getContext(), argumentTypes, resultTypes));
    Block *block = function.addEntryBlock();
    IRMapping mapping;
    for (auto [argument, number] :
         llvm::zip_equal(block->getArguments(), reads)) {
      mapping.map(values[number], argument);
      auto original = dyn_cast<BlockArgument>(values[number]);
      argument.setLoc(values[number].getLoc());
      function.setArgAttrs(
          argument.getArgNumber(),
          named(original ? network.getArgAttrDict(original.getArgNumber())
                         : DictionaryAttr(),
                names[number]));
    }
    function.setAllResultAttrs(resultAttrs);
    inside.setInsertionPointToEnd(block);
    auto need = [&](Value value) {
      if (isConstant(value))
        cloneConstant(value.getDefiningOp(), inside, mapping);
    };
    for (Operation *op : ArrayRef(operations).slice(begin, end - begin)) {
      llvm::for_each(op->getOperands(), need);
      inside.clone(*op, mapping);
    }
    SmallVector<Value> returned;
    for (auto &[value, resultName] : results) {
      need(value);
      returned.push_back(mapping.lookup(value));
    }
    func::ReturnOp::create(inside, terminator->getLoc(), returned);
  }

  ModuleOp module;
  func::FuncOp network;
  const cimc::ChipSpec &chip;
  Estimate estimate;
  PartitionGraph graph;
  llvm::SmallPtrSet<Operation *, 32> constants;
  std::vector<Operation *> operations; ///< of the graph
  llvm::DenseMap<Value, int64_t> numbers;
  std::vector<Value> values; ///< of the graph
  std::vector<std::string> names, outputNames;
};

} // namespace

cimc::PartitionEstimate cimc::estimatePartition(ModuleOp module,
                                                const ChipSpec &chip,
                                                int64_t weightBits) {
  OwningOpRef<ModuleOp> copy = module.clone();
  Result<func::FuncOp> entry = findEntry(copy.get());
  if (!entry || !entry->getBody().hasOneBlock())
    return {};
  return Partitioner(copy.get(), *entry, chip, weightBits).summarize();
}

namespace {

struct NNPartition : cimc::impl::NNPartitionBase<NNPartition> {
  using NNPartitionBase::NNPartitionBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto fail = [&](const Twine &what) {
      module.emitError() << what;
      signalPassFailure();
    };
    if (goal != "reprogram" && goal != "cards")
      return fail("goal '" + goal + "' is neither 'reprogram' nor 'cards'");
    FailureOr<cimc::ChipSpec> spec = bindChip(module, chip);
    if (failed(spec))
      return signalPassFailure();
    cimc::Result<func::FuncOp> entry = cimc::findEntry(module);
    if (!entry)
      return fail(entry.error().message);
    if (!entry->getBody().hasOneBlock())
      return fail("a network is a function of one block");
    PartitionLimits limits;
    limits.parts = parts;
    limits.goal =
        goal == "cards" ? PartitionGoal::Cards : PartitionGoal::Reprogram;
    if (apart.size() % 2 != 0)
      return fail("'apart' holds pairs, a begin and an end each");
    for (size_t i = 0; i < apart.size(); i += 2) {
      if (apart[i] < 0 || apart[i + 1] <= apart[i])
        return fail("'apart': [" + Twine(apart[i]) + ", " +
                    Twine(apart[i + 1]) + ") is no range of operations");
      limits.apart.emplace_back(apart[i], apart[i + 1]);
    }
    if (failed(Partitioner(module, *entry, *spec).run(limits, name)))
      signalPassFailure();
  }
};

} // namespace
