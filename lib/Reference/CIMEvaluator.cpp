//===- CIMEvaluator.cpp - runs a module at the cim level -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CIMOperations.h"

#include "cimc/Reference/Elements.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Support/MachineTypes.h"
#include "cimc/Support/Permute.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace cimc {

using namespace reference;

namespace {

/// How the host finds a model's tensor in a feature map: `cim.shape` and
/// `cim.perm` of an argument or result.
struct Binding {
  std::vector<int64_t> shape, perm;
  RankedTensorType map;
  DType type; ///< of the model's tensor
};

Result<Binding> readBinding(func::FuncOp function, DictionaryAttr attrs,
                            Type type, const std::string &what) {
  auto map = dyn_cast<RankedTensorType>(type);
  DenseI64ArrayAttr shape, perm;
  if (attrs) {
    shape = attrs.getAs<DenseI64ArrayAttr>("cim.shape");
    perm = attrs.getAs<DenseI64ArrayAttr>("cim.perm");
  }
  Error invalid{ExitCode::InvalidInput,
                what + " of function '" + function.getName().str() +
                    "' does not say by cim.shape and cim.perm which tensor of "
                    "the model it is"};
  if (!map || !map.hasStaticShape() || !shape || !perm ||
      !elementDType(map.getElementType()))
    return invalid;
  Binding binding{shape.asArrayRef().vec(), perm.asArrayRef().vec(), map,
                  *elementDType(map.getElementType())};
  if (auto model = attrs.getAs<TypeAttr>("cim.type")) {
    std::optional<DType> type = elementDType(model.getValue());
    if (!type || machineType(*type) != binding.type)
      return invalid;
    binding.type = *type;
  }
  if (!isPermutation(binding.perm, binding.shape.size()) ||
      countElements(binding.shape) != map.getNumElements())
    return invalid;
  return binding;
}

/// A value until its last use.
struct Slot {
  HostTensor tensor;
  size_t remaining = 0;
};

size_t usesOf(Value value) {
  return static_cast<size_t>(std::distance(value.use_begin(), value.use_end()));
}

} // namespace

Result<std::vector<HostTensor>>
evaluateCIM(ModuleOp module, const std::vector<HostTensor> &inputs) {
  Result<func::FuncOp> entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  func::FuncOp function = *entry;
  if (!llvm::hasSingleElement(function.getBody()))
    return Error{ExitCode::InvalidInput,
                 "a network is a function of one block"};
  if (inputs.size() != function.getNumArguments())
    return Error{ExitCode::InvalidInput,
                 "the network has " +
                     std::to_string(function.getNumArguments()) +
                     " inputs, but " + std::to_string(inputs.size()) +
                     " tensors were given"};
  // Only looked up, never iterated: the order of pointers does not show.
  llvm::DenseMap<Value, Slot> slots;
  for (BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    Result<Binding> binding =
        readBinding(function, function.getArgAttrDict(i), argument.getType(),
                    "argument " + std::to_string(i));
    if (!binding)
      return binding.takeError();
    DType type = binding->type;
    const HostTensor &input = inputs[i];
    if (input.type != type || input.shape != binding->shape)
      return Error{ExitCode::InvalidInput,
                   "input " + std::to_string(i) + " must be " + name(type) +
                       " of shape " + shapeString(binding->shape) +
                       ", but is " + name(input.type) + " of shape " +
                       shapeString(input.shape)};
    Result<HostTensor> values = toMachine(input, "input " + std::to_string(i));
    if (!values)
      return values.takeError();
    Slot slot{HostTensor(values->type, binding->map.getShape().vec()),
              usesOf(argument)};
    permute(binding->shape, binding->perm, byteSize(values->type),
            values->data.data(), slot.tensor.data.data());
    slots[argument] = std::move(slot);
  }

  FailureOr<SmallVector<cim::RowLoop>> loops =
      cim::findRowLoops(function.getBody().front());
  if (failed(loops))
    return Error{ExitCode::InvalidInput, "a cim.delay cannot be evaluated"};
  llvm::DenseMap<Operation *, const cim::RowLoop *> loopOf;
  for (const cim::RowLoop &loop : *loops)
    for (Operation *op : loop.body)
      loopOf[op] = &loop;
  auto release = [&](Operation *op) {
    for (Value operand : op->getOperands()) {
      auto found = slots.find(operand);
      if (--found->second.remaining == 0)
        slots.erase(found);
    }
  };
  for (Operation &op : function.getBody().front()) {
    // A loop runs where it ends: all that it reads is there then.
    if (const cim::RowLoop *loop = loopOf.lookup(&op)) {
      if (&op != loop->last)
        continue;
      LoopValues values;
      for (Operation *inner : loop->body)
        for (Value operand : inner->getOperands())
          if (auto found = slots.find(operand); found != slots.end())
            values[operand] = found->second.tensor;
      if (Status status = evaluateRowLoop(*loop, values); !status)
        return status.takeError();
      for (Operation *inner : loop->body)
        for (Value result : inner->getResults())
          slots[result] = Slot{std::move(values[result]), usesOf(result)};
      for (Operation *inner : loop->body)
        release(inner);
      continue;
    }
    std::vector<const HostTensor *> in;
    for (Value operand : op.getOperands()) {
      auto found = slots.find(operand);
      if (found == slots.end())
        return Error{ExitCode::InvalidInput,
                     "an operand of '" + op.getName().getStringRef().str() +
                         "' is not defined in this function"};
      in.push_back(&found->second.tensor);
    }
    if (isa<func::ReturnOp>(op)) {
      std::vector<HostTensor> outputs;
      for (auto [i, tensor] : llvm::enumerate(in)) {
        Result<Binding> binding = readBinding(
            function, function.getResultAttrDict(i), op.getOperand(i).getType(),
            "result " + std::to_string(i));
        if (!binding)
          return binding.takeError();
        HostTensor output(tensor->type, binding->shape);
        unpermute(binding->shape, binding->perm, byteSize(tensor->type),
                  tensor->data.data(), output.data.data());
        outputs.push_back(fromMachine(output, binding->type));
      }
      return outputs;
    }
    Result<HostTensor> result = evaluateCIMOp(&op, in);
    if (!result)
      return result.takeError();
    release(&op);
    if (size_t uses = usesOf(op.getResult(0)))
      slots[op.getResult(0)] = Slot{std::move(*result), uses};
  }
  return Error{ExitCode::InvalidInput, "the function does not return"};
}

} // namespace cimc
