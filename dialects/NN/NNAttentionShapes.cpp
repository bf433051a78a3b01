//===- NNAttentionShapes.cpp - shapes of attention -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NNShapes.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::nn;
using namespace cimc::nn::shapes;

/// Whether `shape` broadcasts to `target` without making it larger.
static bool broadcastsTo(ArrayRef<int64_t> shape, ArrayRef<int64_t> target) {
  std::optional<Shape> both = broadcast(shape, target);
  return both && ArrayRef<int64_t>(*both) == target;
}

CIMC_INFER(AttentionOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> query = shapeOf(adaptor.getQuery());
  ArrayRef<int64_t> key = shapeOf(adaptor.getKey());
  ArrayRef<int64_t> value = shapeOf(adaptor.getValue());
  if (query.size() != 4 || key.size() != 4 || value.size() != 4)
    return fail(loc, op, "query ", text(query), ", key ", text(key),
                " and value ", text(value),
                " must have 4 axes: [batch, heads, tokens, channels]");
  if (key[0] != query[0] || value[0] != query[0] || key[3] != query[3] ||
      value[1] != key[1] || value[2] != key[2])
    return fail(loc, op, "query ", text(query), ", key ", text(key),
                " and value ", text(value), " do not fit together");
  if (key[1] < 1 || query[1] % key[1])
    return fail(loc, op, "the ", query[1], " heads of the query ", text(query),
                " are no multiple of the ", key[1], " heads of the key ",
                text(key));
  Shape scores{query[0], query[1], query[2], key[2]};
  if (Value bias = adaptor.getBias())
    if (!broadcastsTo(shapeOf(bias), scores))
      return fail(loc, op, "the bias ", text(shapeOf(bias)),
                  " cannot be broadcast to the scores ", text(scores));
  return give(out, {query[0], query[1], query[2], value[3]});
}

CIMC_INFER(RotaryEmbeddingOp) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> input = shapeOf(adaptor.getInput());
  ArrayRef<int64_t> cosine = shapeOf(adaptor.getCosine());
  ArrayRef<int64_t> sine = shapeOf(adaptor.getSine());
  if (input.size() != 4)
    return fail(loc, op, "the input ", text(input),
                " must be [batch, heads, tokens, channels]");
  if (cosine != sine || cosine.empty() || cosine.back() < 1 ||
      cosine.back() > input[3] / 2 ||
      !broadcastsTo(cosine, {input[0], input[1], input[2], cosine.back()}))
    return fail(loc, op, "cosine ", text(cosine), " and sine ", text(sine),
                " must be broadcastable to the tokens of ", text(input),
                " with at most ", input[3] / 2, " columns");
  return give(out, input);
}
