//===- ContribQuantizedOps.cpp - integer operators of com.microsoft -*- C++
//-*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ONNX Runtime's quantizers make beside the operators of QuantizedOps.cpp.
//
//===----------------------------------------------------------------------===//

#include "QuantizedTypes.h"

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

void onnx_import::importQLinearWhere(Node &node) {
  Value condition = node.value(0);
  Value result = node.emit<nn::WhereOp>(
      node.f32(), {condition, dequantized(node, 1), dequantized(node, 4)});
  quantizeResult(node, result, 7, node.dtype(1));
}

/// A quantized by its range at run time times integers B: the int32 sums times
/// both scales, plus a bias.
void onnx_import::importDynamicQuantizeMatMul(Node &node) {
  auto [integers, scale, zero] = quantizeDynamically(node, node.real(0));
  Type i32 = node.builder().getI32Type();
  Value a =
      node.like<nn::SubOp>({node.cast(integers, i32), node.cast(zero, i32)});
  Value sums = node.like<nn::MatMulOp>({a, centered(node, 1, 3, -1)});
  Value factor = node.like<nn::MulOp>({scale, node.real(2)});
  Value result = node.like<nn::MulOp>({node.cast(sums, node.f32()), factor});
  if (node.hasInput(4))
    result = node.like<nn::AddOp>({result, node.real(4)});
  node.setResult(result);
}
