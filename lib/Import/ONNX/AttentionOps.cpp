//===- AttentionOps.cpp - attention and rotary embedding -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"
#include "GraphImporter.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

static constexpr float kForbidden = -std::numeric_limits<float>::infinity();

Value onnx_import::splitHeads(Node &node, Value value, int64_t heads) {
  Shape s = shapeOf(value);
  if (s.size() != 3 || heads < 1 || s[2] % heads)
    failInvalid("a tensor of shape {} cannot be split into {} heads",
                shapeString(s), heads);
  value = node.reshape(value, {s[0], s[1], heads, s[2] / heads});
  return transpose(node, value, {0, 2, 1, 3});
}

Value onnx_import::joinHeads(Node &node, Value value) {
  Shape s = shapeOf(value);
  return node.reshape(transpose(node, value, {0, 2, 1, 3}),
                      {s[0], s[2], s[1] * s[3]});
}

Value onnx_import::asBias(Node &node, Value mask, float forbidden) {
  if (!elementType(mask).isInteger(1))
    return mask;
  return node.emit<nn::WhereOp>(
      node.f32(), {mask, scalar(node, 0), scalar(node, forbidden)});
}

Value onnx_import::addBias(Node &node, Value a, Value b) {
  return a && b ? add(node, a, b) : a ? a : b;
}

Value onnx_import::windowBias(Node &node, int64_t queries, int64_t keys,
                              int64_t offset, bool causal, int64_t left,
                              int64_t right) {
  if (!causal && left < 0 && right < 0)
    return nullptr;
  if (checkedElements({queries, keys}, "the mask") > (int64_t(1) << 26))
    failUnsupported("a mask of {}x{} is too large", queries, keys);
  std::vector<float> bias(queries * keys);
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t j = 0; j < keys; ++j) {
      int64_t before = offset + i - j;
      bool allowed = (!causal || before >= 0) && (left < 0 || before <= left) &&
                     (right < 0 || -before <= right);
      bias[i * keys + j] = allowed ? 0 : kForbidden;
    }
  return constantValue(node,
                       makeConstant<float>(DType::F32, {queries, keys}, bias));
}

Value onnx_import::windowBias(Node &node, int64_t queries, int64_t keys,
                              Value offsets, Value limits, bool causal,
                              int64_t left, int64_t right) {
  Type i1 = node.builder().getI1Type();
  int64_t batch = shapeOf(offsets)[0];
  auto sequence = [&](int64_t n, const Shape &shape, int64_t from) {
    std::vector<int64_t> values(n);
    std::iota(values.begin(), values.end(), from);
    return constantValue(node,
                         makeConstant<int64_t>(DType::I64, shape, values));
  };
  offsets = node.reshape(offsets, {batch, 1, 1, 1});
  Value key = sequence(keys, {1, 1, 1, keys}, 0);
  Value allowed;
  // first <= second
  auto require = [&](Value first, Value second) {
    Value holds = node.emit<nn::LessOrEqualOp>(i1, {first, second});
    allowed = allowed ? node.emit<nn::AndOp>(i1, {allowed, holds}) : holds;
  };
  auto place = [&](int64_t from) {
    return add(node, offsets, sequence(queries, {1, 1, queries, 1}, from));
  };
  if (causal)
    require(key, place(0));
  if (left >= 0)
    require(place(-left), key);
  if (right >= 0)
    require(key, place(right));
  if (limits) {
    limits = node.reshape(limits, {batch, 1, 1, 1});
    // j < limit is j + 1 <= limit
    require(sequence(keys, {1, 1, 1, keys}, 1), limits);
  }
  return allowed ? asBias(node, allowed) : Value();
}

Value onnx_import::emitAttention(Node &node, Value query, Value key,
                                 Value value, Value bias, float scale,
                                 float softcap) {
  SmallVector<Value> operands{query, key, value};
  if (bias)
    operands.push_back(bias);
  SmallVector<NamedAttribute> attributes{node.attr("scale", scale)};
  if (softcap != 0)
    attributes.push_back(node.attr("softcap", softcap));
  return node.emit<nn::AttentionOp>(node.f32(), operands, attributes);
}

Value onnx_import::emitRotary(Node &node, Value input, Value cosine, Value sine,
                              Value positions, bool interleaved) {
  auto rows = [&](Value cache) {
    if (positions)
      cache = node.emit<nn::GatherOp>(node.f32(), {cache, positions},
                                      node.attr("axis", int64_t(0)));
    // [B, S, R/2] -> [B, 1, S, R/2]
    Shape shape = shapeOf(cache);
    if (shape.size() == 3)
      cache = node.reshape(cache, {shape[0], 1, shape[1], shape[2]});
    return cache;
  };
  SmallVector<NamedAttribute> attributes;
  if (interleaved)
    attributes.push_back(node.unit("interleaved"));
  return node.emit<nn::RotaryEmbeddingOp>(
      node.f32(), {input, rows(cosine), rows(sine)}, attributes);
}

namespace {

/// Every key or value head as often as query heads share it.
Value repeatHeads(Node &node, Value value, int64_t heads) {
  Shape s = shapeOf(value);
  if (s[1] == heads)
    return value;
  value = node.reshape(value, {s[0], s[1], 1, s[2] * s[3]});
  value = expand(node, value, {s[0], s[1], heads / s[1], s[2] * s[3]});
  return node.reshape(value, {s[0], heads, s[2], s[3]});
}

/// The scores that output 3 asks for, before the weighted sum.
Value emitScores(Node &node, Value query, Value key, Value bias, float scale,
                 float softcap, int64_t mode) {
  int64_t heads = shapeOf(query)[1];
  Shape s = shapeOf(key);
  if (mode == 3) {
    // Attention with the identity as values gives the weights themselves.
    if (checkedElements({s[2], s[2]}, "the identity") > (int64_t(1) << 26))
      failUnsupported("the weights of {} keys are too many to be a result",
                      s[2]);
    std::vector<float> eye(s[2] * s[2], 0.0f);
    for (int64_t i = 0; i < s[2]; ++i)
      eye[i * s[2] + i] = 1.0f;
    Value identity = constantValue(
        node, makeConstant<float>(DType::F32, {1, 1, s[2], s[2]}, eye));
    identity = expand(node, identity, {s[0], s[1], s[2], s[2]});
    return emitAttention(node, query, key, identity, bias, scale, softcap);
  }
  key = repeatHeads(node, key, heads);
  Value scores = node.emit<nn::MatMulOp>(node.f32(), {query, key},
                                         node.unit("transpose_b"));
  scores = multiply(node, scores, scalar(node, scale));
  if (mode >= 1 && softcap != 0) {
    scores = multiply(node, scores, scalar(node, 1 / softcap));
    scores = node.emit<nn::TanhOp>(node.f32(), scores);
    scores = multiply(node, scores, scalar(node, softcap));
  }
  return mode >= 2 ? addBias(node, scores, bias) : scores;
}

/// Input i as [B, heads, S, E], split where it has three axes.
Value headsOf(Node &node, size_t i, const char *countName) {
  Value value = node.real(i);
  size_t rank = node.shape(i).size();
  int64_t heads = node.getInt(countName, 0);
  if (rank == 4)
    return value;
  if (rank != 3 || heads < 1)
    failInvalid("'{}' of shape {} needs 4 axes, or 3 and '{}'",
                node.inputName(i), shapeString(node.shape(i)), countName);
  return splitHeads(node, value, heads);
}

/// The mask of the operator with as many columns as there are keys.
Value readMask(Node &node, size_t i, int64_t keys) {
  if (!node.hasInput(i))
    return nullptr;
  Value mask = asBias(node, node.value(i));
  if (!elementType(mask).isF32())
    failUnsupported("the mask '{}' must be boolean or float32",
                    node.inputName(i));
  Shape shape = shapeOf(mask);
  if (shape.empty() || shape.back() > keys)
    failInvalid("the mask '{}' of shape {} has more columns than the {} keys",
                node.inputName(i), shapeString(shape), keys);
  if (shape.back() == keys)
    return mask;
  Shape rest = shape;
  rest.back() = keys - shape.back();
  Value forbidden = expand(node, scalar(node, kForbidden), rest);
  return concat(node, {mask, forbidden},
                static_cast<int64_t>(shape.size()) - 1);
}

} // namespace

void onnx_import::importAttention(Node &node) {
  bool flat = node.shape(0).size() == 3;
  Value query = headsOf(node, 0, "q_num_heads");
  Value key = headsOf(node, 1, "kv_num_heads");
  Value value = headsOf(node, 2, "kv_num_heads");
  Shape q = shapeOf(query);
  if (q.size() != 4 || q[3] < 1)
    failInvalid("the query of shape {} has no channels", shapeString(q));
  float scale = node.getFloat("scale", 0);
  if (!node.getAttribute("scale"))
    scale = 1 / std::sqrt(static_cast<float>(q[3]));
  float softcap = node.getFloat("softcap", 0);
  bool causal = node.getInt("is_causal", 0);
  node.ignore("softmax_precision"); // everything is single precision
  int64_t left = node.getInt("left_window_size", -1);
  int64_t right = node.getInt("right_window_size", -1);
  int64_t past = 0;
  if (node.hasInput(4) != node.hasInput(5))
    failInvalid("past_key and past_value belong together");
  if (node.hasInput(4)) {
    past = node.shape(4).size() == 4 ? node.shape(4)[2] : 0;
    key = concat(node, {node.real(4), key}, 2);
    value = concat(node, {node.real(5), value}, 2);
  }
  int64_t keys = shapeOf(key)[2];
  Value bias = readMask(node, 3, keys);
  if (node.hasInput(6)) {
    // A static cache: the keys that exist, and the place of the last query.
    Value limits = node.value(6);
    Value offsets = add(node, limits, indexValue(node, {-q[2]}));
    bias = addBias(
        node, bias,
        windowBias(node, q[2], keys, offsets, limits, causal, left, right));
  } else {
    bias = addBias(node, bias,
                   windowBias(node, q[2], keys, past, causal, left, right));
  }
  Value result = emitAttention(node, query, key, value, bias, scale, softcap);
  node.setResult(flat ? joinHeads(node, result) : result, 0);
  node.setResult(key, 1);
  node.setResult(value, 2);
  int64_t mode = node.getInt("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3)
    failInvalid("qk_matmul_output_mode is {}; 0 to 3 exist", mode);
  if (node.hasOutput(3))
    node.setResult(emitScores(node, query, key, bias, scale, softcap, mode), 3);
}

void onnx_import::importFlexAttention(Node &node) {
  Value query = node.real(0), key = node.real(1), value = node.real(2);
  Shape q = node.shape(0), k = node.shape(1), v = node.shape(2);
  if (q.size() != 4 || k.size() != 4 || v.size() != 4 || k[1] < 1 ||
      q[1] % k[1] || q[3] < 1)
    failInvalid("query {}, key {} and value {} must have 4 axes, and the query "
                "a multiple of the key's heads",
                shapeString(q), shapeString(k), shapeString(v));
  float scale = node.getFloat("scale", 1 / std::sqrt(static_cast<float>(q[3])));
  node.ignore("softmax_precision"); // everything is single precision
  const onnx::AttributeProto *scoreBody = node.getAttribute("score_mod");
  const onnx::AttributeProto *weightBody = node.getAttribute("prob_mod");
  if (!scoreBody && !weightBody)
    return node.setResult(
        emitAttention(node, query, key, value, nullptr, scale, 0));
  auto modified = [&](const onnx::AttributeProto *attribute, Value x) {
    if (!attribute)
      return x;
    Tensor input;
    input.value = x;
    std::vector<Tensor> results =
        node.graph.importBody(attribute->g(), {input}, nameOf(node.proto, 0));
    if (results.size() != 1 || results[0].missing)
      failUnsupported("'{}' cannot be computed", attribute->name());
    Value result = node.graph.materialize(attribute->name(), results[0]);
    if (result.getType() != x.getType())
      failInvalid("'{}' changes the shape {} to {}", attribute->name(),
                  shapeString(shapeOf(x)), shapeString(shapeOf(result)));
    return result;
  };
  Value scores = emitScores(node, query, key, nullptr, scale, 0, 0);
  scores = modified(scoreBody, scores);
  Value weights = node.emit<nn::SoftmaxOp>(node.f32(), scores,
                                           node.attr("axis", int64_t(3)));
  weights = modified(weightBody, weights);
  node.setResult(node.emit<nn::MatMulOp>(
      node.f32(), {weights, repeatHeads(node, value, q[1])}));
}

void onnx_import::importRotaryEmbedding(Node &node) {
  Value input = node.real(0), cosine = node.real(1), sine = node.real(2);
  bool flat = node.shape(0).size() == 3;
  int64_t heads = node.getInt("num_heads", 0);
  if (flat)
    input = splitHeads(node, input, heads);
  Value positions = node.hasInput(3) ? node.value(3) : Value();
  int64_t stated = node.getInt("rotary_embedding_dim", 0);
  int64_t columns = node.shape(1).empty() ? 0 : node.shape(1).back();
  int64_t width = stated ? stated : shapeOf(input).back();
  if (columns != width / 2)
    failInvalid("the caches have {} columns; {} rotated channels need {}",
                columns, width, width / 2);
  Value result = emitRotary(node, input, cosine, sine, positions,
                            node.getInt("interleaved", 0));
  node.setResult(flat ? joinHeads(node, result) : result);
}

//===----------------------------------------------------------------------===//
// Layers with a state that have no operation of their own
//===----------------------------------------------------------------------===//

void onnx_import::importCausalConvWithState(Node &node) {
  Value input = node.real(0), weight = node.real(1);
  Shape shape = node.shape(0), kernel = node.shape(1);
  if (shape.size() != 3 || kernel.size() != 3 || kernel[0] != shape[1] ||
      kernel[1] != 1)
    failInvalid("the input {} and the weight {} must be [N, C, L] and "
                "[C, 1, K]",
                shapeString(shape), shapeString(kernel));
  int64_t before = kernel[2] - 1;
  Value padded = node.hasInput(3) ? concat(node, {node.real(3), input}, 2)
                                  : padZeros(node, input, 2, before, 0);
  SmallVector<Value> operands{padded, weight};
  if (node.hasInput(2))
    operands.push_back(node.real(2));
  Value result = node.emit<nn::ConvOp>(
      node.f32(), operands,
      {node.attr("strides", Shape{1}), node.attr("pads", Shape{0, 0}),
       node.attr("dilations", Shape{1}), node.attr("group", shape[1])});
  std::string activation = node.getString("activation", "none");
  if (activation == "silu" || activation == "swish")
    result =
        node.emit<nn::SwishOp>(node.f32(), result, node.attr("alpha", 1.0f));
  else if (activation != "none")
    failInvalid("activation is '{}'; none, silu and swish exist", activation);
  node.setResult(result, 0);
  if (node.hasOutput(1))
    node.setResult(slice(node, padded, 2, shapeOf(padded)[2] - before, before),
                   1);
}

void onnx_import::importLinearAttention(Node &node) {
  int64_t queryHeads = node.getInt("q_num_heads", 0);
  int64_t heads = node.getInt("kv_num_heads", 0);
  std::string rule = node.getString("update_rule", "gated_delta");
  node.ignore("chunk_size"); // how others split the work
  if (rule != "linear" && rule != "gated" && rule != "delta" &&
      rule != "gated_delta")
    failInvalid("update_rule is '{}'; linear, gated, delta and gated_delta "
                "exist",
                rule);
  if (heads < 1 || queryHeads < 1 || queryHeads % heads)
    failInvalid("{} query heads are no multiple of {} key heads", queryHeads,
                heads);
  bool gated = rule == "gated" || rule == "gated_delta";
  bool delta = rule == "delta" || rule == "gated_delta";
  if (gated != node.hasInput(4) || delta != node.hasInput(5))
    failInvalid("update_rule {} {} a decay and {} a beta", rule,
                gated ? "needs" : "has no", delta ? "needs" : "has no");
  Value query = splitHeads(node, node.real(0), queryHeads);
  Value key = splitHeads(node, node.real(1), heads);
  Value value = splitHeads(node, node.real(2), heads);
  Shape k = shapeOf(key), v = shapeOf(value);
  int64_t batch = k[0], steps = k[2], depth = k[3], width = v[3];
  if (steps > kMaxUnrolled)
    failUnsupported("{} steps are more than the {} that are unrolled", steps,
                    kMaxUnrolled);
  float scale = node.getFloat("scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(static_cast<float>(depth));
  Value decay, beta;
  if (gated) {
    Shape s = node.shape(4);
    decay = splitHeads(node, node.real(4), heads);
    decay = node.emit<nn::ExpOp>(node.f32(), decay);
    if (s.back() != heads && s.back() != heads * depth)
      failInvalid("the decay {} needs {} or {} columns", shapeString(s), heads,
                  heads * depth);
  }
  if (delta)
    beta = splitHeads(node, node.real(5),
                      node.shape(5).empty() ? 0 : node.shape(5).back());
  Shape stateShape{batch, heads, depth, width};
  checkedElements(stateShape, "the state");
  Value state = node.hasInput(3) ? node.real(3)
                                 : expand(node, scalar(node, 0), stateShape);
  if (shapeOf(state) != stateShape)
    failInvalid("the state {} must be {}", shapeString(shapeOf(state)),
                shapeString(stateShape));
  int64_t share = queryHeads / heads;
  SmallVector<Value> results;
  for (int64_t t = 0; t < steps; ++t) {
    auto at = [&](Value x) { return slice(node, x, 2, t, 1); };
    // A row of keys becomes a column: [B, H, 1, E] -> [B, H, E, 1].
    Value column = node.reshape(at(key), {batch, heads, depth, 1});
    Value update = at(value);
    if (gated) {
      Value factor = at(decay);
      factor = node.reshape(factor, {batch, heads, shapeOf(factor)[3], 1});
      state = multiply(node, state, factor);
    }
    if (delta) {
      Value known = node.emit<nn::MatMulOp>(node.f32(), {at(key), state});
      update = node.emit<nn::SubOp>(node.f32(), {update, known});
      update = multiply(node, update, at(beta));
    }
    state = add(node, state, multiply(node, column, update));
    Value read = state;
    if (share > 1) {
      read = node.reshape(state, {batch, heads, 1, depth * width});
      read = expand(node, read, {batch, heads, share, depth * width});
      read = node.reshape(read, {batch, queryHeads, depth, width});
    }
    results.push_back(node.emit<nn::MatMulOp>(node.f32(), {at(query), read}));
  }
  Value result = multiply(node, concat(node, results, 2), scalar(node, scale));
  node.setResult(joinHeads(node, result), 0);
  node.setResult(state, 1);
}
