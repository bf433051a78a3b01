//===- Attention.h - parts of the operators that contain attention -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_IMPORT_ONNX_ATTENTION_H
#define CIMC_LIB_IMPORT_ONNX_ATTENTION_H

#include "Build.h"

namespace cimc::onnx_import {

/// [B, S, heads * E] -> [B, heads, S, E].
mlir::Value splitHeads(Node &node, mlir::Value value, int64_t heads);
/// The way back.
mlir::Value joinHeads(Node &node, mlir::Value value);

/// A mask as a bias: of i1, 0 where true and `forbidden` where false; numbers
/// as they are.
mlir::Value asBias(Node &node, mlir::Value mask,
                   float forbidden = -std::numeric_limits<float>::infinity());
/// The sum of two biases, of which either may be null.
mlir::Value addBias(Node &node, mlir::Value a, mlir::Value b);

/// What query i (at position `offset` + i) may see of `keys` keys: none behind
/// its own position with `causal`, none more than `left` before or `right`
/// behind it where these are not negative. Null where it may see all.
mlir::Value windowBias(Node &node, int64_t queries, int64_t keys,
                       int64_t offset, bool causal, int64_t left,
                       int64_t right);
/// The same where the offset is known when the program runs, one of each
/// sample: `offsets` is i64 [B]; [B, 1, queries, keys]. `limits`, i64 [B], are
/// the keys that exist, null for all.
mlir::Value windowBias(Node &node, int64_t queries, int64_t keys,
                       mlir::Value offsets, mlir::Value limits, bool causal,
                       int64_t left, int64_t right);

/// nn.attention; `bias` may be null.
mlir::Value emitAttention(Node &node, mlir::Value query, mlir::Value key,
                          mlir::Value value, mlir::Value bias, float scale,
                          float softcap);
/// nn.rotary_embedding of [B, H, S, E]; `positions`, i64 [B, S] or null, picks
/// rows of the caches.
mlir::Value emitRotary(Node &node, mlir::Value input, mlir::Value cosine,
                       mlir::Value sine, mlir::Value positions,
                       bool interleaved);

} // namespace cimc::onnx_import

#endif // CIMC_LIB_IMPORT_ONNX_ATTENTION_H
