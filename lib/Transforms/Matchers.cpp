//===- Matchers.cpp - what written-out composites consist of --------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "cimc/Reference/Evaluator.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <cmath>

using namespace mlir;
using namespace cimc;
using namespace cimc::transforms;

/// How far the matchers look into an expression.
static constexpr int maxDepth = 8;

std::optional<double> transforms::scalarOf(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  if (!constant || !elementTypeOf(value).isF32())
    return std::nullopt;
  ElementsAttr elements = constant.getValue();
  if (auto dense = dyn_cast<DenseElementsAttr>(elements))
    if (dense.isSplat())
      return dense.getSplatValue<APFloat>().convertToFloat();
  // Constants of one element may be in the model file.
  if (elements.getNumElements() != 1)
    return std::nullopt;
  return toHostTensor(elements).as<float>()[0];
}

bool transforms::isClose(double a, double b) {
  return std::abs(a - b) <= 2e-6 * std::max(std::abs(a), std::abs(b));
}

/// The operand that has the type of `op`'s result, beside a scalar; which
/// operand the scalar is.
static std::optional<std::pair<double, unsigned>> scalarOperand(Operation *op) {
  for (unsigned i : {1u, 0u})
    if (op->getOperand(1 - i).getType() == op->getResult(0).getType())
      if (std::optional<double> scalar = scalarOf(op->getOperand(i)))
        return std::make_pair(*scalar, i);
  return std::nullopt;
}

Affine1 transforms::asAffine(Value value) {
  Affine1 result{value};
  for (int depth = 0; depth < maxDepth; ++depth) {
    Operation *op = result.base.getDefiningOp();
    if (!op)
      break;
    if (isa<nn::NegOp>(op)) {
      result.base = op->getOperand(0);
      result.factor = -result.factor;
      continue;
    }
    if (!isa<nn::AddOp, nn::SubOp, nn::MulOp, nn::DivOp>(op))
      break;
    auto scalar = scalarOperand(op);
    if (!scalar)
      break;
    auto [number, place] = *scalar;
    if (isa<nn::AddOp>(op)) {
      result.summand += result.factor * number;
    } else if (isa<nn::MulOp>(op)) {
      result.factor *= number;
    } else if (isa<nn::SubOp>(op)) {
      result.summand +=
          place == 1 ? -result.factor * number : result.factor * number;
      if (place == 0)
        result.factor = -result.factor;
    } else if (place == 1) {
      result.factor /= number;
    } else {
      break;
    }
    result.base = op->getOperand(1 - place);
  }
  return result;
}

static void collectFactors(Value value, int depth, Product &product) {
  Operation *op = value.getDefiningOp();
  if (op && depth < maxDepth && product.factors.size() < 8) {
    if (isa<nn::NegOp>(op)) {
      product.coefficient = -product.coefficient;
      return collectFactors(op->getOperand(0), depth + 1, product);
    }
    if (isa<nn::MulOp, nn::DivOp>(op)) {
      auto scalar = scalarOperand(op);
      if (scalar && (isa<nn::MulOp>(op) || scalar->second == 1)) {
        product.coefficient *=
            isa<nn::MulOp>(op) ? scalar->first : 1 / scalar->first;
        return collectFactors(op->getOperand(1 - scalar->second), depth + 1,
                              product);
      }
    }
    if (isa<nn::MulOp>(op) &&
        op->getOperand(0).getType() == op->getOperand(1).getType()) {
      collectFactors(op->getOperand(0), depth + 1, product);
      return collectFactors(op->getOperand(1), depth + 1, product);
    }
  }
  product.factors.push_back(value);
}

Product transforms::asProduct(Value value) {
  Product product;
  collectFactors(value, 0, product);
  return product;
}

static std::optional<Polynomial> multiply(const Polynomial &a,
                                          const Polynomial &b) {
  Polynomial product{};
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j) {
      if (a[i] == 0 || b[j] == 0)
        continue;
      if (i + j >= product.size())
        return std::nullopt;
      product[i + j] += a[i] * b[j];
    }
  return product;
}

static std::optional<Polynomial> polynomial(Value value, Value x, int depth) {
  if (value == x)
    return Polynomial{0, 1};
  if (std::optional<double> scalar = scalarOf(value))
    return Polynomial{*scalar};
  Operation *op = value.getDefiningOp();
  if (!op || depth >= maxDepth ||
      !isa<nn::AddOp, nn::SubOp, nn::MulOp, nn::DivOp, nn::PowOp, nn::NegOp>(
          op))
    return std::nullopt;
  auto left = polynomial(op->getOperand(0), x, depth + 1);
  if (!left)
    return std::nullopt;
  Polynomial sum = *left;
  if (isa<nn::NegOp>(op)) {
    for (double &coefficient : sum)
      coefficient = -coefficient;
    return sum;
  }
  if (isa<nn::PowOp, nn::DivOp>(op)) {
    std::optional<double> scalar = scalarOf(op->getOperand(1));
    if (!scalar)
      return std::nullopt;
    if (isa<nn::DivOp>(op)) {
      for (double &coefficient : sum)
        coefficient /= *scalar;
      return sum;
    }
    if (*scalar != 2 && *scalar != 3)
      return std::nullopt;
    std::optional<Polynomial> power = left;
    for (int i = 1; i < *scalar && power; ++i)
      power = multiply(*power, *left);
    return power;
  }
  auto right = polynomial(op->getOperand(1), x, depth + 1);
  if (!right)
    return std::nullopt;
  if (isa<nn::MulOp>(op))
    return multiply(*left, *right);
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] += isa<nn::AddOp>(op) ? (*right)[i] : -(*right)[i];
  return sum;
}

std::optional<Polynomial> transforms::asPolynomial(Value value, Value x) {
  return polynomial(value, x, 0);
}

bool transforms::eitherOrder(Operation *op,
                             function_ref<bool(Value, Value)> fn) {
  return fn(op->getOperand(0), op->getOperand(1)) ||
         fn(op->getOperand(1), op->getOperand(0));
}

Value transforms::squareRootOf(Value value) {
  if (auto mul = value.getDefiningOp<nn::MulOp>())
    return mul.getLhs() == mul.getRhs() ? mul.getLhs() : Value();
  if (auto pow = value.getDefiningOp<nn::PowOp>())
    if (scalarOf(pow.getRhs()) == 2 && pow.getLhs().getType() == pow.getType())
      return pow.getLhs();
  return {};
}

std::optional<Root> transforms::asRoot(Value value, bool inverse) {
  auto rootOf = [](Value argument) {
    Affine1 affine = asAffine(argument);
    if (affine.factor == 1)
      return std::optional<Root>({affine.base, affine.summand});
    return std::optional<Root>();
  };
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto pow = dyn_cast<nn::PowOp>(op))
    if (scalarOf(pow.getRhs()) == (inverse ? -0.5 : 0.5) &&
        pow.getLhs().getType() == pow.getType())
      return rootOf(pow.getLhs());
  if (!inverse)
    return isa<nn::SqrtOp>(op) ? rootOf(op->getOperand(0)) : std::nullopt;
  if (isa<nn::ReciprocalOp>(op))
    return asRoot(op->getOperand(0), false);
  if (auto div = dyn_cast<nn::DivOp>(op))
    if (scalarOf(div.getLhs()) == 1 && div.getRhs().getType() == div.getType())
      return asRoot(div.getRhs(), false);
  if (isa<nn::SqrtOp>(op))
    if (auto inner = op->getOperand(0).getDefiningOp<nn::ReciprocalOp>())
      return rootOf(inner.getInput());
  return std::nullopt;
}

std::optional<TrailingMean> transforms::asTrailingMean(Value value) {
  // Over all axes from the third on, this is what the importer makes of it.
  if (auto pool = value.getDefiningOp<nn::GlobalAvgPoolOp>())
    return TrailingMean{
        pool.getInput(),
        static_cast<int64_t>(shapeOf(pool.getInput()).size()) - 2};
  auto mean = value.getDefiningOp<nn::ReduceMeanOp>();
  if (!mean || !mean.getKeepDims() || mean.getAxes().empty())
    return std::nullopt;
  auto rank = static_cast<int64_t>(shapeOf(mean.getInput()).size());
  auto count = static_cast<int64_t>(mean.getAxes().size());
  for (auto [i, axis] : llvm::enumerate(mean.getAxes()))
    if (axis != rank - count + static_cast<int64_t>(i))
      return std::nullopt;
  return TrailingMean{mean.getInput(), count};
}

bool transforms::spansTrailing(Value value, ArrayRef<int64_t> shape,
                               int64_t count) {
  ArrayRef<int64_t> own = shapeOf(value);
  if (own.size() > shape.size())
    return false;
  for (size_t i = 1; i <= own.size(); ++i) {
    int64_t extent = own[own.size() - i];
    bool inside = static_cast<int64_t>(i) <= count;
    if (extent != 1 && (!inside || extent != shape[shape.size() - i]))
      return false;
  }
  return true;
}

void transforms::eraseDead(Operation *root) {
  SmallVector<Operation *> all;
  root->walk([&](Operation *op) { all.push_back(op); });
  // Users before their operands.
  for (Operation *op : llvm::reverse(all))
    if (isOpTriviallyDead(op))
      op->erase();
}
