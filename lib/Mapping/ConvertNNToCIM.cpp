//===- ConvertNNToCIM.cpp - the walk from nn to cim -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chip.h"
#include "Lowering.h"

#include "cimc/Mapping/Passes.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

namespace cimc {
#define GEN_PASS_DEF_CONVERTNNTOCIM
#include "cimc/Mapping/Passes.h.inc"
} // namespace cimc

using namespace mlir;

namespace cimc::mapping {

static std::string describe(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

LogicalResult Lowering::fail(Operation *op, const Twine &reason) {
  failures.emplace_back(op->getLoc(),
                        (op->getName().getStringRef() + ": " + reason).str());
  return failure();
}

void Lowering::substitute(Operation *op) {
  for (Value result : op->getResults()) {
    Dims shape = shapeOf(result), perm = identityPerm(shape.size());
    Type machine = machineElement(getElementTypeOrSelf(result.getType()));
    RankedTensorType type =
        mapType(shape, perm, machine ? machine : builder.getF32Type());
    Value value = UnrealizedConversionCastOp::create(
                      builder, op->getLoc(), TypeRange(type), ValueRange())
                      .getResult(0);
    maps[result] = {value, perm, shape};
  }
}

LogicalResult Lowering::lower(Operation *op) {
  // Constants of quantized types are read by those who use them.
  auto isKnown = [&](Value value) {
    Type element = getElementTypeOrSelf(value.getType());
    return machineElement(element) || (isa<quant::QuantizedType>(element) &&
                                       matchPattern(value, m_Constant()));
  };
  for (Value value : llvm::concat<Value>(llvm::to_vector(op->getOperands()),
                                         llvm::to_vector(op->getResults())))
    if (product(shapeOf(value)) == 0)
      return fail(op, "has an operand or result without elements, " +
                          describe(value.getType()) +
                          ", for which there is no folding");
  for (Value operand : op->getOperands())
    if (!isKnown(operand))
      return fail(op, "an operand has element type " +
                          describe(getElementTypeOrSelf(operand.getType())) +
                          ", which the chip does not compute with");
  for (Value result : op->getResults())
    if (!isKnown(result))
      return fail(op, "its result has element type " +
                          describe(getElementTypeOrSelf(result.getType())) +
                          ", which the chip does not compute with");
  if (auto weighted = dyn_cast<nn::WeightMatrixOpInterface>(op))
    if (std::optional<nn::WeightMatrix> matrix = weighted.getWeightMatrix()) {
      bool isReal =
          isFloat(op->getOperand(matrix->input)) && isFloat(op->getResult(0));
      if (!isReal)
        return lowerWeighted(op, *matrix);
      return isFloat(op->getOperand(matrix->weights))
                 ? lowerWideWeighted(op, *matrix)
                 : lowerRangedWeighted(op, *matrix);
    }
  if (auto elementwise = dyn_cast<nn::ElementwiseOpInterface>(op))
    return lowerElementwise(elementwise);
  if (auto reduction = dyn_cast<nn::ReductionOpInterface>(op))
    return lowerReduction(reduction);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<nn::ConvOp>([&](auto conv) {
        return fail(conv, "needs constant weights, and one to three spatial "
                          "axes");
      })
      .Case<nn::LstmOp, nn::GruOp, nn::RnnOp>(
          [&](auto o) { return lowerRecurrent(o); })
      .Case<nn::MatMulOp>([&](auto o) { return lowerMatMul(o); })
      .Case<nn::WhereOp>([&](auto o) { return lowerWhere(o); })
      .Case<nn::CastOp>([&](auto o) { return lowerCast(o); })
      .Case<nn::BitCastOp>([&](auto o) { return lowerBitCast(o); })
      .Case<nn::GatherOp>([&](auto o) { return lowerGather(o); })
      .Case<nn::GatherElementsOp>(
          [&](auto o) { return lowerGatherElements(o); })
      .Case<nn::GatherNdOp>([&](auto o) { return lowerGatherNd(o); })
      .Case<nn::ScatterElementsOp>(
          [&](auto o) { return lowerScatterElements(o); })
      .Case<nn::ScatterNdOp>([&](auto o) { return lowerScatterNd(o); })
      .Case<nn::CacheUpdateOp>([&](auto o) { return lowerCacheUpdate(o); })
      .Case<nn::TopKOp>([&](auto o) { return lowerTopK(o); })
      .Case<nn::ExpandOp>([&](auto o) { return lowerExpand(o); })
      .Case<nn::ArgMaxOp>([&](auto o) { return lowerArgMax(o); })
      .Case<nn::ArgMinOp>([&](auto o) { return lowerArgMin(o); })
      .Case<nn::CumSumOp>([&](auto o) { return lowerCumSum(o); })
      .Case<nn::CumProdOp>([&](auto o) { return lowerCumProd(o); })
      .Case<nn::SoftmaxOp>([&](auto o) { return lowerSoftmax(o); })
      .Case<nn::QuantizeOp>([&](auto o) { return lowerQuantize(o); })
      .Case<nn::DequantizeOp>([&](auto o) { return lowerDequantize(o); })
      .Case<nn::MaxPoolOp>([&](auto o) { return lowerMaxPool(o); })
      .Case<nn::AvgPoolOp>([&](auto o) { return lowerAvgPool(o); })
      .Case<nn::GlobalAvgPoolOp>([&](auto o) { return lowerGlobalAvgPool(o); })
      .Case<nn::ReshapeOp>([&](auto o) { return lowerReshape(o); })
      .Case<nn::TransposeOp>([&](auto o) { return lowerTranspose(o); })
      .Case<nn::ConcatOp>([&](auto o) { return lowerConcat(o); })
      .Case<nn::PadOp>([&](auto o) { return lowerPad(o); })
      .Case<nn::SliceOp>([&](auto o) { return lowerSlice(o); })
      .Default([&](Operation *other) {
        return fail(other, "has no form on the chip yet");
      });
}

/// The layout an argument's users would like best: the host can deliver any.
std::optional<Dims> Lowering::wantedPerm(Value value, unsigned depth) {
  constexpr unsigned kDepth = 16;
  if (depth > kDepth)
    return std::nullopt;
  size_t rank = shapeOf(value).size();
  for (Operation *user : value.getUsers()) {
    if (isa<nn::ConvOp, nn::MaxPoolOp, nn::AvgPoolOp, nn::GlobalAvgPoolOp>(
            user))
      return channelsLast(rank);
    if (isa<nn::MatMulOp, nn::ReshapeOp>(user))
      return identityPerm(rank);
    if (user->getNumResults() != 1)
      continue;
    Value result = user->getResult(0);
    if (shapeOf(result).size() != rank)
      continue;
    std::optional<Dims> wanted = wantedPerm(result, depth + 1);
    if (!wanted)
      continue;
    if (auto transpose = dyn_cast<nn::TransposeOp>(user))
      return permuted(transpose.getPerm(), *wanted);
    return wanted;
  }
  return std::nullopt;
}

LogicalResult Lowering::run(func::FuncOp function) {
  MLIRContext *context = function.getContext();
  if (!function.getBody().hasOneBlock())
    return function.emitError("a network is a function of one block");
  Block &source = function.getBody().front();
  auto *terminator = source.getTerminator();
  if (!isa<func::ReturnOp>(terminator))
    return function.emitError("a network ends with func.return");

  // The signature: what the host sees stays in attributes.
  auto bind = [&](Value value, ArrayRef<int64_t> perm, DictionaryAttr attrs) {
    NamedAttrList list(attrs);
    list.set("cim.shape", builder.getDenseI64ArrayAttr(shapeOf(value)));
    list.set("cim.perm", builder.getDenseI64ArrayAttr(perm));
    // The type that the host converts from or to.
    Type element = getElementTypeOrSelf(value.getType());
    if (!isa<quant::QuantizedType>(element) &&
        machineElement(element) != element)
      list.set("cim.type", TypeAttr::get(element));
    return list.getDictionary(context);
  };
  SmallVector<Type> argumentTypes;
  SmallVector<DictionaryAttr> argumentAttrs;
  SmallVector<Dims> argumentPerms;
  for (BlockArgument argument : source.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !type.hasStaticShape())
      return function.emitError()
             << "argument " << argument.getArgNumber() << " of type "
             << argument.getType() << " is no tensor of static shape";
    Type machine = machineElement(type.getElementType());
    if (!machine && argument.use_empty()) {
      // The host takes what nobody reads.
      machine = builder.getF32Type();
    } else if (!machine) {
      failures.emplace_back(argument.getLoc(),
                            "argument of type " + describe(type) +
                                ": its element type has no machine type");
      machine = builder.getF32Type();
    }
    size_t rank = type.getShape().size();
    Dims perm =
        wantedPerm(argument, 0)
            .value_or(rank == 4 ? channelsLast(rank) : identityPerm(rank));
    argumentTypes.push_back(mapType(type.getShape(), perm, machine));
    argumentPerms.push_back(perm);
    DictionaryAttr attrs = function.getArgAttrDict(argument.getArgNumber());
    argumentAttrs.push_back(
        bind(argument, perm, attrs ? attrs : builder.getDictionaryAttr({})));
  }

  auto target = func::FuncOp::create(function.getLoc(), function.getName(),
                                     FunctionType::get(context, {}, {}));
  for (NamedAttribute attr : function->getDiscardableAttrs())
    target->setAttr(attr.getName(), attr.getValue());
  if (StringAttr visibility = function.getSymVisibilityAttr())
    target.setSymVisibilityAttr(visibility);
  Block *entry = builder.createBlock(&target.getBody());
  for (BlockArgument argument : source.getArguments()) {
    unsigned i = argument.getArgNumber();
    BlockArgument added =
        entry->addArgument(argumentTypes[i], argument.getLoc());
    maps[argument] = {added, argumentPerms[i], shapeOf(argument)};
  }

  for (Operation &op : source.without_terminator()) {
    if (matchPattern(&op, m_Constant()))
      continue;
    builder.setInsertionPointToEnd(entry);
    size_t before = failures.size();
    if (failed(lower(&op)) || failures.size() != before)
      substitute(&op);
  }

  builder.setInsertionPointToEnd(entry);
  SmallVector<Value> results;
  SmallVector<Type> resultTypes;
  SmallVector<DictionaryAttr> resultAttrs;
  for (OpOperand &operand : terminator->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type || !machineElement(type.getElementType())) {
      failures.emplace_back(terminator->getLoc(),
                            "result of type " +
                                describe(operand.get().getType()) +
                                ": its element type has no machine type");
      continue;
    }
    Map map = use(operand.get());
    results.push_back(map.value);
    resultTypes.push_back(map.value.getType());
    DictionaryAttr attrs =
        function.getResultAttrDict(operand.getOperandNumber());
    resultAttrs.push_back(bind(operand.get(), map.perm,
                               attrs ? attrs : builder.getDictionaryAttr({})));
  }
  func::ReturnOp::create(builder, terminator->getLoc(), results);

  if (!failures.empty()) {
    target.erase();
    InFlightDiagnostic diagnostic =
        function.emitError()
        << failures.size()
        << (failures.size() == 1 ? " operation has" : " operations have")
        << " no form on the chip";
    for (auto &[loc, reason] : failures)
      diagnostic.attachNote(loc) << reason;
    return diagnostic;
  }
  target.setFunctionType(
      FunctionType::get(context, argumentTypes, resultTypes));
  target.setAllArgAttrs(argumentAttrs);
  target.setAllResultAttrs(resultAttrs);
  symbols.erase(function);
  symbols.insert(target, module.getBody()->end());
  return success();
}

} // namespace cimc::mapping

namespace {
struct ConvertNNToCIM : cimc::impl::ConvertNNToCIMBase<ConvertNNToCIM> {
  using ConvertNNToCIMBase::ConvertNNToCIMBase;

  void runOnOperation() override {
    FailureOr<cimc::ChipSpec> spec =
        cimc::mapping::bindChip(getOperation(), chip);
    if (failed(spec))
      return signalPassFailure();
    auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      if (failed(cimc::mapping::Lowering(getOperation(), *spec).run(function)))
        signalPassFailure();
  }
};
} // namespace
