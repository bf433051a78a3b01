//===- ContribOps.cpp - com.microsoft operators -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

#include <cmath>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

static float scaleOf(Node &node, int64_t depth) {
  float scale = node.getFloat("scale", 0);
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<float>(depth));
}

/// Which keys each sample has: 1 or 0 for each, as numbers [B, T], or how many
/// there are [B]. The bias [B, 1, 1, T] that forbids the others.
static Value paddingBias(Node &node, size_t i, int64_t batch, int64_t keys,
                         float forbidden) {
  if (!node.hasInput(i))
    return nullptr;
  Value mask = node.value(i);
  Shape shape = shapeOf(mask);
  Type i1 = node.builder().getI1Type(), i64 = node.builder().getI64Type();
  if (elementType(mask) != i64)
    mask = node.emit<nn::CastOp>(i64, mask);
  if (shape == Shape{batch}) {
    std::vector<int64_t> places(keys);
    for (int64_t k = 0; k < keys; ++k)
      places[k] = k;
    mask = node.emit<nn::LessOp>(
        i1, {indexValue(node, places), node.reshape(mask, {batch, 1, 1, 1})});
  } else if (shape == Shape{batch, keys}) {
    mask = node.emit<nn::CastOp>(i1, mask);
    mask = node.reshape(mask, {batch, 1, 1, keys});
  } else if (shape.size() == 3 && shape[0] == batch && shape[2] == keys) {
    mask = node.emit<nn::CastOp>(i1, mask);
    mask = node.reshape(mask, {batch, 1, shape[1], keys});
  } else {
    failUnsupported("the mask '{}' of shape {} is not one of [batch], [batch, "
                    "keys] and [batch, queries, keys]",
                    node.inputName(i), shapeString(shape));
  }
  return asBias(node, mask, forbidden);
}

/// Attention [B, queries, width] of heads whose first `past` keys are cached.
/// Input `mask` says which keys there are, input 5 is a bias.
static Value attend(Node &node, Value query, Value key, Value value,
                    int64_t past, size_t mask, float forbidden) {
  Shape shape = shapeOf(query);
  int64_t keys = shapeOf(key)[2];
  Value bias = node.hasInput(5) ? node.real(5) : Value();
  bias =
      addBias(node, bias, paddingBias(node, mask, shape[0], keys, forbidden));
  bias = addBias(node, bias,
                 windowBias(node, shape[2], keys, past,
                            node.getInt("unidirectional", 0), -1, -1));
  return joinHeads(node, emitAttention(node, query, key, value, bias,
                                       scaleOf(node, shape[3]), 0));
}

/// A part of [B, S, ...], which was `parts` tensors side by side.
static Value packedPart(Node &node, Value value, int64_t start, int64_t size) {
  return slice(node, value, 2, start, size);
}

void onnx_import::importMultiHeadAttention(Node &node) {
  int64_t heads = node.getInt("num_heads", 0);
  if (heads < 1)
    failInvalid("num_heads is {}", heads);
  float forbidden = node.getFloat("mask_filter_value", -10000.0f);
  Value query = node.real(0), key, value;
  Shape q = node.shape(0);
  // [B, S, heads, parts, E]: part i as [B, heads, S, E]
  auto packed = [&](Value from, int64_t i) {
    Shape s = shapeOf(from);
    if (s[2] != heads)
      failInvalid("the packed tensor {} does not have {} heads", shapeString(s),
                  heads);
    Value part =
        node.reshape(slice(node, from, 3, i, 1), {s[0], s[1], s[2], s[4]});
    return transpose(node, part, {0, 2, 1, 3});
  };
  if (q.size() == 5) {
    key = packed(query, 1);
    value = packed(query, 2);
    query = packed(query, 0);
  } else {
    if (!node.hasInput(1))
      failInvalid("the key is missing");
    Value bias = node.hasInput(3) ? node.real(3) : Value();
    int64_t begin = 0;
    auto split = [&](Value from) {
      int64_t width = shapeOf(from).size() == 3 ? shapeOf(from)[2] : 0;
      if (bias) {
        from = add(node, from, slice(node, bias, 0, begin, width));
        begin += width;
      }
      return splitHeads(node, from, heads);
    };
    query = split(query);
    Shape k = node.shape(1);
    if (k.size() == 5) {
      key = packed(node.real(1), 0);
      value = packed(node.real(1), 1);
    } else if (k.size() == 4) {
      // A state of another layer, split into heads already.
      key = node.real(1);
      value = node.real(2);
    } else {
      key = split(node.real(1));
      value = split(node.real(2));
    }
  }
  int64_t past = 0;
  if (node.hasInput(6) && node.hasInput(7)) {
    past = node.shape(6).size() == 4 ? node.shape(6)[2] : 0;
    key = concat(node, {node.real(6), key}, 2);
    value = concat(node, {node.real(7), value}, 2);
  }
  node.setResult(attend(node, query, key, value, past, /*mask=*/4, forbidden),
                 0);
  node.setResult(key, 1);
  node.setResult(value, 2);
  if (node.hasOutput(3))
    failUnsupported("the output of the scores is not supported");
}

void onnx_import::importContribAttention(Node &node) {
  int64_t heads = node.getInt("num_heads", 0);
  Value input = node.real(0), weight = node.real(1);
  Shape shape = node.shape(0), weights = node.shape(1);
  if (shape.size() != 3 || weights.size() != 2 || heads < 1)
    failInvalid("the input {} and the weight {} must have 3 and 2 axes, and "
                "num_heads is {}",
                shapeString(shape), shapeString(weights), heads);
  float forbidden = node.getFloat("mask_filter_value", -10000.0f);
  Shape sizes =
      node.getInts("qkv_hidden_sizes").value_or(Shape(3, weights[1] / 3));
  if (sizes.size() != 3 || sizes[0] < 1 || sizes[1] < 1 || sizes[2] < 1 ||
      sizes[0] + sizes[1] + sizes[2] != weights[1])
    failInvalid("qkv_hidden_sizes {} do not fit the weight {}",
                shapeString(sizes), shapeString(weights));
  if (node.getInt("do_rotary", 0))
    failUnsupported("do_rotary is not supported");
  SmallVector<Value> operands{input, weight};
  if (node.hasInput(2))
    operands.push_back(node.real(2));
  Value all = node.emit<nn::MatMulOp>(node.f32(), operands);
  Value query = splitHeads(node, packedPart(node, all, 0, sizes[0]), heads);
  Value key =
      splitHeads(node, packedPart(node, all, sizes[0], sizes[1]), heads);
  Value value = splitHeads(
      node, packedPart(node, all, sizes[0] + sizes[1], sizes[2]), heads);
  int64_t past = 0;
  if (node.hasInput(4)) {
    // [2, B, heads, T, E]
    Shape s = node.shape(4);
    if (s.size() != 5 || s[0] != 2)
      failInvalid("the past '{}' of shape {} must be [2, batch, heads, tokens, "
                  "channels]",
                  node.inputName(4), shapeString(s));
    past = s[3];
    auto half = [&](int64_t i) {
      return node.reshape(slice(node, node.real(4), 0, i, 1),
                          {s[1], s[2], s[3], s[4]});
    };
    key = concat(node, {half(0), key}, 2);
    value = concat(node, {half(1), value}, 2);
  }
  node.setResult(attend(node, query, key, value, past, /*mask=*/3, forbidden),
                 0);
  if (node.hasOutput(1)) {
    auto one = [&](Value v) {
      Shape s = shapeOf(v);
      s.insert(s.begin(), 1);
      return node.reshape(v, s);
    };
    node.setResult(concat(node, {one(key), one(value)}, 0), 1);
  }
}

void onnx_import::importGroupQueryAttention(Node &node) {
  int64_t heads = node.getInt("num_heads", 0);
  int64_t groups = node.getInt("kv_num_heads", 0);
  if (heads < 1 || heads > INT32_MAX || groups < 1 || heads % groups)
    failInvalid("{} query heads are no multiple of {} key heads", heads,
                groups);
  float softcap = node.getFloat("softcap", 0);
  int64_t window = node.getInt("local_window_size", -1);
  bool interleaved = node.getInt("rotary_interleaved", 0);
  if (node.getInt("smooth_softmax", 0) || node.hasInput(11))
    failUnsupported("smooth softmax and attention sinks are not supported");
  Value query = node.real(0), key, value;
  Shape shape = node.shape(0);
  if (shape.size() != 3)
    failInvalid("the query of shape {} must have 3 axes", shapeString(shape));
  if (node.hasInput(1)) {
    key = node.real(1);
    value = node.real(2);
  } else {
    int64_t depth = shape[2] / (heads + 2 * groups);
    if (depth * (heads + 2 * groups) != shape[2])
      failInvalid("{} channels are no {} query and {} key and value heads",
                  shape[2], heads, groups);
    key = packedPart(node, query, heads * depth, groups * depth);
    value = packedPart(node, query, (heads + groups) * depth, groups * depth);
    query = packedPart(node, query, 0, heads * depth);
  }
  query = splitHeads(node, query, heads);
  key = splitHeads(node, key, groups);
  value = splitHeads(node, value, groups);
  int64_t batch = shape[0], tokens = shape[1];
  // seqlens_k holds the number of keys less one, of each sample.
  Value last = node.value(5);
  Type i64 = node.builder().getI64Type();
  if (elementType(last) != i64)
    last = node.emit<nn::CastOp>(i64, last);
  if (tensorType(last).getNumElements() != batch)
    failInvalid("seqlens_k ('{}') must have one entry for each of {} samples",
                node.inputName(5), batch);
  last = node.reshape(last, {batch});
  Value limits = add(node, last, indexValue(node, {1}));
  Value offsets = add(node, last, indexValue(node, {1 - tokens}));
  if (node.getInt("do_rotary", 0)) {
    Value positions;
    if (node.hasInput(9)) {
      positions = node.value(9);
    } else {
      std::vector<int64_t> steps(tokens);
      for (int64_t t = 0; t < tokens; ++t)
        steps[t] = t;
      positions =
          add(node, node.reshape(offsets, {batch, 1}), indexValue(node, steps));
    }
    Value cosine = node.real(7), sine = node.real(8);
    query = emitRotary(node, query, cosine, sine, positions, interleaved);
    key = emitRotary(node, key, cosine, sine, positions, interleaved);
  }
  int64_t past =
      node.hasInput(3) && node.shape(3).size() == 4 ? node.shape(3)[2] : 0;
  if (past) {
    std::optional<int64_t> total;
    if (node.hasInput(6))
      if (const Constant *c = node.constant(6))
        total = c->size() == 1 ? std::optional(integerAt(*c, 0)) : std::nullopt;
    if (total && *total == past + tokens) {
      key = concat(node, {node.real(3), key}, 2);
      value = concat(node, {node.real(4), value}, 2);
    } else {
      // A buffer for all tokens that will come.
      auto written = [&](size_t i, Value rows) {
        return node.emit<nn::CacheUpdateOp>(node.f32(),
                                            {node.real(i), rows, offsets},
                                            node.attr("axis", int64_t(2)));
      };
      key = written(3, key);
      value = written(4, value);
    }
  }
  int64_t keys = shapeOf(key)[2];
  Value bias = node.hasInput(10) ? node.real(10) : Value();
  bias = addBias(node, bias,
                 windowBias(node, tokens, keys, offsets, limits,
                            /*causal=*/true, window > 0 ? window - 1 : -1, -1));
  Value result = emitAttention(node, query, key, value, bias,
                               scaleOf(node, shapeOf(query)[3]), softcap);
  node.setResult(joinHeads(node, result), 0);
  node.setResult(key, 1);
  node.setResult(value, 2);
}

void onnx_import::importContribRotaryEmbedding(Node &node) {
  Value input = node.real(0), positions = node.value(1);
  Value cosine = node.real(2), sine = node.real(3);
  Shape shape = node.shape(0);
  int64_t columns = node.shape(2).size() == 2 ? node.shape(2)[1] : 0;
  int64_t heads = node.getInt("num_heads", 0);
  int64_t rotated = node.getInt("rotary_embedding_dim", 0);
  node.ignore("is_packed_batching");
  if (float scale = node.getFloat("scale", 1); scale != 1)
    failUnsupported("scale {} is not supported", scale);
  if (rotated && 2 * columns != rotated)
    failInvalid("{} rotated channels need caches with {} columns, not {}",
                rotated, rotated / 2, columns);
  bool flat = shape.size() == 3;
  if (flat) {
    // Without a number of heads the caches rotate whole heads.
    if (!heads && columns)
      heads = shape[2] / (2 * columns);
    input = splitHeads(node, input, heads);
  } else if (shape.size() != 4) {
    failInvalid("the input {} must have 3 or 4 axes", shapeString(shape));
  }
  Shape s = shapeOf(input), p = shapeOf(positions);
  if (tensorType(positions).getNumElements() == 1) {
    // The first position; the others follow.
    std::vector<int64_t> steps(s[2]);
    for (int64_t t = 0; t < s[2]; ++t)
      steps[t] = t;
    Value first = node.reshape(positions, {1, 1});
    positions = add(node, first, indexValue(node, steps));
    positions = expand(node, positions, {s[0], s[2]});
  } else if (p != Shape{s[0], s[2]}) {
    failInvalid("the positions of shape {} must be {}x{}", shapeString(p), s[0],
                s[2]);
  }
  Value result = emitRotary(node, input, cosine, sine, positions,
                            node.getInt("interleaved", 0));
  node.setResult(flat ? joinHeads(node, result) : result);
}

//===----------------------------------------------------------------------===//
// Fused products
//===----------------------------------------------------------------------===//

/// The function that FusedConv and FusedGemm apply to their result.
static Value activated(Node &node, Value value, const char *attribute) {
  std::string kind = node.getString(attribute, "");
  std::vector<float> given;
  if (const onnx::AttributeProto *a = node.getAttribute("activation_params"))
    given.assign(a->floats().begin(), a->floats().end());
  auto parameter = [&](const char *name, size_t i, float otherwise) {
    float own = node.getFloat(name, otherwise);
    return i < given.size() ? given[i] : own;
  };
  Type f32 = node.f32();
  if (kind.empty())
    return value;
  if (kind == "Relu")
    return node.emit<nn::ReluOp>(f32, value);
  if (kind == "Sigmoid")
    return node.emit<nn::SigmoidOp>(f32, value);
  if (kind == "Tanh")
    return node.emit<nn::TanhOp>(f32, value);
  if (kind == "LeakyRelu")
    return node.emit<nn::LeakyReluOp>(
        f32, value,
        node.attr("alpha", parameter("activation_alpha", 0, 0.01f)));
  if (kind == "Clip")
    return node.emit<nn::ClipOp>(
        f32, value,
        {node.attr("min", given.size() > 0
                              ? given[0]
                              : std::numeric_limits<float>::lowest()),
         node.attr("max", given.size() > 1
                              ? given[1]
                              : std::numeric_limits<float>::max())});
  if (kind == "HardSigmoid")
    return node.emit<nn::HardSigmoidOp>(
        f32, value,
        {node.attr("alpha", parameter("activation_alpha", 0, 0.2f)),
         node.attr("beta", parameter("activation_beta", 1, 0.5f))});
  failUnsupported("the activation '{}' is not supported", kind);
}

void onnx_import::importFusedConv(Node &node) {
  Value result = emitConv(node);
  if (node.hasInput(3))
    result = add(node, result, node.real(3));
  node.setResult(activated(node, result, "activation"));
}

void onnx_import::importFusedGemm(Node &node) {
  node.setResult(activated(node, emitGemm(node), "activation"));
}

void onnx_import::importFusedMatMul(Node &node) {
  SmallVector<NamedAttribute> attributes;
  auto operand = [&](size_t i, const char *swap, const char *batch,
                     const char *name) {
    Value value = node.real(i);
    Shape shape = node.shape(i);
    if (node.getInt(batch, 0) && shape.size() > 2) {
      // The first axis stands where the rows would.
      Shape perm(shape.size());
      for (size_t a = 0; a + 2 < shape.size(); ++a)
        perm[a] = static_cast<int64_t>(a) + 1;
      perm[shape.size() - 2] = 0;
      perm[shape.size() - 1] = static_cast<int64_t>(shape.size()) - 1;
      value = transpose(node, value, perm);
    }
    if (node.getInt(swap, 0) && shape.size() > 1)
      attributes.push_back(node.unit(name));
    return value;
  };
  Value a = operand(0, "transA", "transBatchA", "transpose_a");
  Value b = operand(1, "transB", "transBatchB", "transpose_b");
  Value result = node.emit<nn::MatMulOp>(node.f32(), {a, b}, attributes);
  float alpha = node.getFloat("alpha", 1);
  node.setResult(alpha == 1 ? result
                            : multiply(node, result, scalar(node, alpha)));
}

/// Weights of 2, 4 or 8 bits with a scale for each block of a row.
void onnx_import::importMatMulNBits(Node &node) {
  Value input = node.real(0);
  int64_t depth = node.getInt("K", 0), columns = node.getInt("N", 0);
  int64_t bits = node.getInt("bits", 4), block = node.getInt("block_size", 0);
  node.ignore("accuracy_level"); // everything is single precision
  if (bits != 2 && bits != 4 && bits != 8)
    failUnsupported("weights of {} bits; 2, 4 and 8 are supported", bits);
  if (depth < 1 || columns < 1 || depth > INT32_MAX || columns > INT32_MAX ||
      block < 16 || block > INT32_MAX || (block & (block - 1)))
    failInvalid("K is {}, N {} and block_size {}", depth, columns, block);
  if (node.hasInput(4))
    failUnsupported("reordered groups ('{}') are not supported",
                    node.inputName(4));
  const Constant &packed = node.requireConstant(1, "the weight");
  const Constant &scales = node.requireConstant(2, "the scales");
  int64_t blocks = (depth + block - 1) / block, perByte = 8 / bits;
  checkedElements({columns, blocks, block}, "the weight");
  int64_t blockBytes = block / perByte;
  if (packed.type != DType::U8 ||
      packed.size() != columns * blocks * blockBytes)
    failInvalid("the weight of shape {} must have {} bytes",
                shapeString(packed.shape), columns * blocks * blockBytes);
  if (scales.isInteger() || scales.size() != columns * blocks)
    failInvalid("the scales of shape {} must be {}", shapeString(scales.shape),
                columns * blocks);
  const Constant *zeros =
      node.hasInput(3) ? &node.requireConstant(3, "the zero points") : nullptr;
  int64_t zeroBytes = (blocks + perByte - 1) / perByte;
  bool packedZeros = zeros && zeros->type == DType::U8;
  if (zeros && zeros->size() != columns * (packedZeros ? zeroBytes : blocks))
    failInvalid("the zero points of shape {} must be {}",
                shapeString(zeros->shape),
                columns * (packedZeros ? zeroBytes : blocks));
  ArrayRef<uint8_t> bytes = packed.as<uint8_t>();
  int mask = (1 << bits) - 1;
  auto field = [&](ArrayRef<uint8_t> from, int64_t byte, int64_t i) {
    return from[byte + i / perByte] >> (i % perByte * bits) & mask;
  };
  std::vector<float> weight(columns * depth);
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t b = 0; b < blocks; ++b) {
      float scale = static_cast<float>(realAt(scales, n * blocks + b));
      float zero = static_cast<float>(1 << (bits - 1));
      if (packedZeros)
        zero =
            static_cast<float>(field(zeros->as<uint8_t>(), n * zeroBytes, b));
      else if (zeros)
        zero = static_cast<float>(realAt(*zeros, n * blocks + b));
      int64_t end = std::min(block, depth - b * block);
      for (int64_t i = 0; i < end; ++i)
        weight[n * depth + b * block + i] =
            (static_cast<float>(
                 field(bytes, (n * blocks + b) * blockBytes, i)) -
             zero) *
            scale;
    }
  SmallVector<Value> operands{
      input, node.emitConstant(
                 makeConstant<float>(DType::F32, {columns, depth}, weight),
                 node.f32(), node.inputName(1))};
  if (node.hasInput(5))
    operands.push_back(node.real(5));
  node.setResult(
      node.emit<nn::MatMulOp>(node.f32(), operands, node.unit("transpose_b")));
}
