//===- NNEvaluator.cpp - runs a module at the nn level -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"

#include "NNOperations.h"
#include "Threads.h"

#include <cstring>

using namespace mlir;

namespace cimc {

using namespace reference;

thread_local unsigned ThreadBudget::current = 1;

Result<func::FuncOp> findEntry(ModuleOp module) {
  func::FuncOp entry;
  int count = 0;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration())
      continue;
    if (function.getName() == "main")
      return function;
    entry = function;
    ++count;
  }
  if (count == 1)
    return entry;
  return Error{
      ExitCode::InvalidInput,
      "the module has " + std::to_string(count) +
          " functions with a body; name the network's function 'main'"};
}

/// The function that is all that happens to the results of a float convolution,
/// which applies it to them while they are at hand; null where there is none.
static nn::ElementwiseOpInterface onlyFunctionOf(nn::ConvOp op) {
  auto isFloat = [](Type type) { return getElementTypeOrSelf(type).isF32(); };
  if (!op->hasOneUse() || !isFloat(op.getType()) ||
      !llvm::all_of(op->getOperandTypes(), isFloat))
    return nullptr;
  auto function = dyn_cast<nn::ElementwiseOpInterface>(*op->user_begin());
  bool isUnary =
      function && function->getNumOperands() == 1 && !function->use_empty();
  return isUnary && op.getType() == function->getResult(0).getType() ? function
                                                                     : nullptr;
}

/// The result types of an operation decide with the operands' how it computes.
static EvaluatedAll evaluate(Operation *op, Operands in) {
  SmallVector<TensorInfo> out;
  for (Type type : op->getResultTypes()) {
    std::optional<TensorInfo> info = describe(type);
    if (!info)
      return failure(op, "its result type is not a static tensor of a known "
                         "element type");
    out.push_back(std::move(*info));
  }
  if (!out.empty())
    for (auto family :
         {evaluateElementwise, evaluateWeighted, evaluateMovement,
          evaluateConversion, evaluateNormalization, evaluatePooling,
          evaluateReduction, evaluateIndexing, evaluateRecurrent,
          evaluateAttention, evaluateResampling})
      if (std::optional<EvaluatedAll> result = family(op, in, out))
        return std::move(*result);
  return failure(op, "is not an operation of the nn level");
}

/// A convolution whose results a function is applied to.
static EvaluatedAll evaluateConvolution(nn::ConvOp op, Operands in,
                                        nn::ElementwiseOpInterface function) {
  std::optional<TensorInfo> out = describe(op.getType());
  if (!out)
    return failure(op, "its result type is not a static tensor of a known "
                       "element type");
  Evaluated result = convolution(op, in, *out, function);
  if (!result)
    return result.takeError();
  std::vector<HostTensor> results;
  results.push_back(std::move(*result));
  return results;
}

HostTensor reference::resultIn(Operands in, const TensorInfo &out) {
  for (const Operand &operand : in) {
    if (!operand.spare || operand.info.dtype != out.dtype ||
        operand.info.shape != out.shape)
      continue;
    HostTensor result = std::move(*operand.spare);
    result.shape = out.shape;
    return result;
  }
  return HostTensor::unwritten(out.dtype, out.shape);
}

/// A tensor that a caller gave, checked against the type it stands for.
static Result<Operand> asOperand(const HostTensor &tensor, Type type,
                                 const std::string &what) {
  std::optional<TensorInfo> info = describe(type);
  if (!info)
    return Error{ExitCode::Unsupported,
                 what + " is not a static tensor of a known element type"};
  // Storage integers of a quantized tensor may come signless or narrow.
  bool fits = info->quant ? byteSize(tensor.type) == byteSize(info->dtype)
                          : tensor.type == info->dtype;
  if (!fits || tensor.shape != info->shape)
    return Error{ExitCode::InvalidInput,
                 what + " must be " + name(info->dtype) + " of shape " +
                     shapeString(info->shape) + ", but is " +
                     name(tensor.type) + " of shape " +
                     shapeString(tensor.shape)};
  return Operand{std::move(*info), tensor.data.data(), nullptr};
}

namespace {

/// A value while it is needed.
struct Slot {
  TensorInfo info;
  /// Where the bytes are: in `owned`, in an attribute, or with the caller.
  const std::byte *data = nullptr;
  HostTensor owned;
  /// Uses that have not happened yet.
  size_t remaining = 0;
};

class Evaluation {
public:
  explicit Evaluation(const ValueObserver &observer) : observer(observer) {}

  Status addArgument(Value value, const HostTensor &tensor, size_t index) {
    Result<Operand> operand =
        asOperand(tensor, value.getType(), "input " + std::to_string(index));
    if (!operand)
      return operand.takeError();
    if (observer)
      observer(value, tensor);
    Slot &slot = slots[value];
    slot.data = operand->data;
    slot.info = std::move(operand->info);
    slot.remaining = usesOf(value);
    return {};
  }

  Status run(Operation *op) {
    if (auto constant = dyn_cast<nn::ConstantOp>(op))
      return addConstant(constant);
    if (isa<nn::ElementwiseOpInterface>(op) && slots.contains(op->getResult(0)))
      return {}; // with the convolution before it
    SmallVector<Operand> in;
    for (Value value : op->getOperands()) {
      auto found = slots.find(value);
      if (found == slots.end())
        return failure(op, "an operand is not defined in this function");
      Slot &slot = found->second;
      bool last = slot.remaining == 1 && !slot.owned.data.empty() &&
                  slot.data == slot.owned.data.data();
      in.push_back({slot.info, slot.data, last ? &slot.owned : nullptr});
    }
    // Observers see every value.
    auto conv = observer ? nullptr : dyn_cast<nn::ConvOp>(op);
    nn::ElementwiseOpInterface function = conv ? onlyFunctionOf(conv) : nullptr;
    EvaluatedAll results =
        function ? evaluateConvolution(conv, in, function) : evaluate(op, in);
    if (!results)
      return results.takeError();
    for (Value value : op->getOperands())
      release(value);
    Operation *defining = function ? function.getOperation() : op;
    for (auto [value, tensor] : llvm::zip(defining->getResults(), *results)) {
      if (observer)
        observer(value, tensor);
      if (value.use_empty())
        continue;
      Slot &slot = slots[value];
      slot.info = *describe(value.getType());
      slot.owned = std::move(tensor);
      slot.data = slot.owned.data.data();
      slot.remaining = usesOf(value);
    }
    return {};
  }

  Result<HostTensor> take(Operation *user, Value value) {
    auto found = slots.find(value);
    if (found == slots.end())
      return failure(user, "an operand is not defined in this function");
    Slot &slot = found->second;
    HostTensor tensor;
    // Tensors without elements have no data, whoever owns them.
    if (slot.remaining == 1 && slot.data &&
        slot.data == slot.owned.data.data()) {
      tensor = std::move(slot.owned);
    } else {
      tensor = HostTensor(slot.info.dtype, slot.info.shape);
      if (!tensor.data.empty())
        std::memcpy(tensor.data.data(), slot.data, tensor.data.size());
    }
    release(value);
    return tensor;
  }

private:
  static size_t usesOf(Value value) {
    return static_cast<size_t>(
        std::distance(value.use_begin(), value.use_end()));
  }

  /// Frees a value after its last use.
  void release(Value value) {
    auto found = slots.find(value);
    if (found != slots.end() && --found->second.remaining == 0)
      slots.erase(found);
  }

  Status addConstant(nn::ConstantOp op) {
    std::optional<TensorInfo> info = describe(op.getResult().getType());
    if (!info)
      return failure(op, "its type is not a static tensor of a known element "
                         "type");
    if (op->use_empty())
      return {};
    if (std::string wrong = missingElements(op.getValue()); !wrong.empty())
      return failure(op, wrong, ExitCode::InvalidInput);
    Slot &slot = slots[op.getResult()];
    slot.remaining = usesOf(op.getResult());
    size_t bytes = static_cast<size_t>(info->size()) * byteSize(info->dtype);
    ArrayRef<char> raw = elementBytes(op.getValue());
    slot.info = std::move(*info);
    if (raw.size() == bytes && bytes > 0) {
      slot.data = reinterpret_cast<const std::byte *>(raw.data());
      return {};
    }
    slot.owned = toHostTensor(op.getValue());
    // Signless attributes of fewer than 8 bits come sign-extended.
    unsigned width =
        op.getValue().getElementType().isInteger()
            ? op.getValue().getElementType().getIntOrFloatBitWidth()
            : 8;
    if (slot.info.quant && slot.info.dtype == DType::U8 && width < 8)
      for (std::byte &b : slot.owned.data)
        b &= std::byte((1 << width) - 1);
    slot.data = slot.owned.data.data();
    if (slot.owned.data.size() != bytes)
      return failure(op, "its attribute does not have the bytes of its type",
                     ExitCode::InvalidInput);
    return {};
  }

  const ValueObserver &observer;
  // Only looked up, never iterated: the order of pointers does not show.
  llvm::DenseMap<Value, Slot> slots;
};

} // namespace

Result<std::vector<HostTensor>>
evaluateNN(ModuleOp module, const std::vector<HostTensor> &inputs,
           const ValueObserver &observer, unsigned threads) {
  ThreadBudget budget(threads);
  Result<func::FuncOp> entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  if (!llvm::hasSingleElement(entry->getBody()))
    return failure(*entry, "a network is a function of one block");
  if (inputs.size() != entry->getNumArguments())
    return Error{ExitCode::InvalidInput,
                 "the network has " + std::to_string(entry->getNumArguments()) +
                     " inputs, but " + std::to_string(inputs.size()) +
                     " tensors were given"};
  Evaluation evaluation(observer);
  for (auto [index, argument] : llvm::enumerate(entry->getArguments()))
    if (Status status = evaluation.addArgument(argument, inputs[index], index);
        !status)
      return status.takeError();
  std::vector<HostTensor> outputs;
  for (Operation &op : entry->getBody().front()) {
    if (auto ret = dyn_cast<func::ReturnOp>(op)) {
      for (Value value : ret.getOperands()) {
        Result<HostTensor> tensor = evaluation.take(&op, value);
        if (!tensor)
          return tensor.takeError();
        outputs.push_back(std::move(*tensor));
      }
      return outputs;
    }
    if (Status status = evaluation.run(&op); !status)
      return status.takeError();
  }
  return failure(*entry, "the function does not return");
}

Result<std::vector<HostTensor>>
evaluateNNOp(Operation *op, const std::vector<HostTensor> &operands) {
  if (operands.size() != op->getNumOperands())
    return failure(op,
                   "was given " + std::to_string(operands.size()) +
                       " operands, but has " +
                       std::to_string(op->getNumOperands()),
                   ExitCode::Internal);
  if (auto constant = dyn_cast<nn::ConstantOp>(op)) {
    std::string wrong = missingElements(constant.getValue());
    if (!wrong.empty())
      return failure(op, wrong, ExitCode::InvalidInput);
    return std::vector<HostTensor>{toHostTensor(constant.getValue())};
  }
  SmallVector<Operand> in;
  for (size_t i = 0; i < operands.size(); ++i) {
    Result<Operand> operand =
        asOperand(operands[i], op->getOperand(i).getType(),
                  "operand " + std::to_string(i));
    if (!operand)
      return failure(op, operand.error().message, operand.error().code);
    in.push_back(std::move(*operand));
  }
  return evaluate(op, in);
}

} // namespace cimc
