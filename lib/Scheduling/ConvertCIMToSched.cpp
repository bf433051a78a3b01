//===- ConvertCIMToSched.cpp - operations to streams ------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChannelPlan.h"
#include "StreamEmitter.h"

#include "cimc/Scheduling/Passes.h"

#include "mlir/IR/Builders.h"

namespace cimc {
#define GEN_PASS_DEF_CONVERTCIMTOSCHED
#include "cimc/Scheduling/Passes.h.inc"
} // namespace cimc

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

/// The function named main, or the only one.
static FailureOr<func::FuncOp> entryOf(ModuleOp module) {
  if (auto entry = module.lookupSymbol<func::FuncOp>("main"))
    return entry;
  auto functions = module.getOps<func::FuncOp>();
  if (!llvm::hasSingleElement(functions))
    return module.emitError("has no function named main and not exactly one "
                            "function, so there is no network to schedule");
  return *functions.begin();
}

/// Binds an argument or result to its channels, by the attributes that mapping
/// put on the function; without them the model's tensor is the feature map.
static void emitIO(OpBuilder &builder, Location loc, const ChannelPlan &plan,
                   DictionaryAttr attributes, Type type, bool output,
                   unsigned index, ArrayRef<unsigned> channels) {
  auto map = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(map.getShape()), perm;
  std::string name = (output ? "output" : "input") + std::to_string(index);
  Type element = map.getElementType();
  if (attributes) {
    if (auto attr = attributes.getAs<TypeAttr>("cim.type"))
      element = attr.getValue();
    if (auto attr = attributes.getAs<StringAttr>("nn.name"))
      name = attr.str();
    if (auto attr = attributes.getAs<DenseI64ArrayAttr>("cim.shape"))
      shape.assign(attr.asArrayRef().begin(), attr.asArrayRef().end());
    if (auto attr = attributes.getAs<DenseI64ArrayAttr>("cim.perm"))
      perm.assign(attr.asArrayRef().begin(), attr.asArrayRef().end());
  }
  for (size_t i = perm.size(); i < shape.size(); ++i)
    perm.push_back(i);
  SmallVector<Attribute> refs;
  for (unsigned channel : channels)
    refs.push_back(FlatSymbolRefAttr::get(builder.getContext(),
                                          plan.channels[channel].name));
  IOOp::create(builder, loc, name, output, shape, element, perm,
               builder.getArrayAttr(refs));
}

namespace {
struct ConvertCIMToSched
    : public cimc::impl::ConvertCIMToSchedBase<ConvertCIMToSched> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<ChipSpec> chip = cim::getChipSpec(module);
    FailureOr<func::FuncOp> function = entryOf(module);
    if (failed(chip) || failed(function) || failed(check(*function)))
      return signalPassFailure();
    FailureOr<ChannelPlan> plan = ChannelPlan::make(*function, *chip);
    if (failed(plan))
      return signalPassFailure();

    OpBuilder builder(*function);
    auto program = ProgramOp::create(builder, function->getLoc(), "program");
    Block *body = builder.createBlock(&program.getBody());
    builder.setInsertionPointToEnd(body);
    for (auto [i, argument] : llvm::enumerate(function->getArguments()))
      emitIO(builder, argument.getLoc(), *plan, function->getArgAttrDict(i),
             argument.getType(), false, i, plan->inputs[i]);
    auto returned =
        cast<func::ReturnOp>(function->getBody().front().getTerminator());
    for (auto [i, value] : llvm::enumerate(returned.getOperands()))
      emitIO(builder, value.getLoc(), *plan, function->getResultAttrDict(i),
             value.getType(), true, i,
             plan->outputs[i] ? ArrayRef<unsigned>(*plan->outputs[i])
                              : ArrayRef<unsigned>());

    StreamEmitter emitter(program, *plan, *chip);
    emitter.emitChannels();
    for (Operation &op : function->getBody().front())
      if (plan->isStream(&op) && failed(emitter.emit(&op)))
        return signalPassFailure();
    StringAttr name = function->getSymNameAttr();
    function->erase();
    program.setSymNameAttr(name);
  }

  /// Only cim operations on feature maps can be scheduled.
  LogicalResult check(func::FuncOp function) {
    if (!function.getBody().hasOneBlock())
      return function.emitOpError("must have one block to be scheduled");
    for (Operation &op : function.getBody().front()) {
      if (isa<cim::WeightsOp, cim::DelayInputOp>(op) ||
          op.hasTrait<OpTrait::IsTerminator>())
        continue;
      if (!isa<cim::StreamOpInterface>(op))
        return op.emitOpError("is not at the cim level; run "
                              "--convert-nn-to-cim first");
    }
    for (Type type : llvm::concat<const Type>(function.getArgumentTypes(),
                                              function.getResultTypes())) {
      auto map = dyn_cast<RankedTensorType>(type);
      if (!map || map.getRank() != 3 || !map.hasStaticShape())
        return function.emitOpError("has an argument or result of type ")
               << type << ", which is not a feature map";
    }
    return success();
  }
};
} // namespace
