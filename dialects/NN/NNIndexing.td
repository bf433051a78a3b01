//===- NNIndexing.td - picking and placing elements by index -*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_INDEXING_TD
#define CIMC_DIALECTS_NN_INDEXING_TD

include "NNBase.td"

// Indices are i32 or i64 tensors. They count from the end where negative; one
// outside the axis is an error when the operation is evaluated.

def NN_GatherOp : NN_ShapedOp<"gather"> {
  let summary = "slices of a tensor by index along one axis";
  let description = [{
    `result[p..., i..., s...] = data[p..., indices[i...], s...]`, where `p` has
    `axis` axes. An embedding is a gather along axis 0 of a constant table.

    ```mlir
    %y = nn.gather %table, %ids {axis = 0 : i64}
       : (tensor<512x64xf32>, tensor<1x11xi64>) -> tensor<1x11x64xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$data, NN_Tensor:$indices, I64Attr:$axis);
  let hasVerifier = 1;
}

def NN_GatherElementsOp : NN_ShapedOp<"gather_elements"> {
  let summary = "one element for each index, along one axis";
  let description = [{
    `result[i, j, k] = data[indices[i, j, k], j, k]` for axis 0, likewise for
    others. `indices` has as many axes as `data` and is nowhere longer, apart
    from `axis`.

    ```mlir
    %y = nn.gather_elements %x, %i {axis = 1 : i64}
       : (tensor<3x5xf32>, tensor<3x2xi64>) -> tensor<3x2xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$data, NN_Tensor:$indices, I64Attr:$axis);
  let hasVerifier = 1;
}

def NN_GatherNdOp : NN_ShapedOp<"gather_nd"> {
  let summary = "slices of a tensor by tuples of indices";
  let description = [{
    The last axis of `indices` is a tuple that picks
    `data[b..., tuple..., s...]`; the first `batch_dims` axes of both operands
    are the same `b`.

    ```mlir
    %y = nn.gather_nd %x, %i {batch_dims = 0 : i64}
       : (tensor<4x5x6xf32>, tensor<7x2xi64>) -> tensor<7x6xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$data, NN_Tensor:$indices,
                       DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let hasVerifier = 1;
}

class NN_ScatterOp<string mnemonic> : NN_ShapedOp<mnemonic> {
  let hasVerifier = 1;
}

def NN_ScatterElementsOp : NN_ScatterOp<"scatter_elements"> {
  let summary = "a tensor with elements replaced or combined along one axis";
  let description = [{
    A copy of `data` where `result[indices[i, j, k], j, k]` takes
    `updates[i, j, k]` for axis 0, likewise for others. `reduction` is `none`
    (the last update in row-major order wins), `add`, `mul`, `max` or `min`
    (combined in row-major order, beginning with the element of `data`).

    ```mlir
    %y = nn.scatter_elements %x, %i, %u {axis = 1 : i64, reduction = "add"}
       : (tensor<3x5xf32>, tensor<3x2xi64>, tensor<3x2xf32>) -> tensor<3x5xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$data, NN_Tensor:$indices, NN_Tensor:$updates,
                       I64Attr:$axis, DefaultValuedAttr<StrAttr, "\"none\"">:$reduction);
}

def NN_ScatterNdOp : NN_ScatterOp<"scatter_nd"> {
  let summary = "a tensor with slices replaced or combined by tuples of indices";
  let description = [{
    A copy of `data` where the slice `result[tuple...]` takes
    `updates[i..., :]` for every tuple `indices[i..., :]`. `reduction` as in
    `nn.scatter_elements`.

    ```mlir
    %y = nn.scatter_nd %x, %i, %u {reduction = "none"}
       : (tensor<4x5xf32>, tensor<2x1xi64>, tensor<2x5xf32>) -> tensor<4x5xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$data, NN_Tensor:$indices, NN_Tensor:$updates,
                       DefaultValuedAttr<StrAttr, "\"none\"">:$reduction);
}

def NN_CacheUpdateOp : NN_ShapedOp<"cache_update"> {
  let summary = "a key or value cache with the rows of new tokens written";
  let description = [{
    A copy of `cache` whose rows `position[b] + i` along `axis` are the rows i
    of `update`; the first axis of both is the batch b. Without `position` the
    rows start at 0. With `circular` row numbers are taken modulo the length of
    the cache; without, rows past its end are an error.

    ```mlir
    %y = nn.cache_update %cache, %k, %position {axis = 2 : i64}
       : (tensor<1x4x128x8xf32>, tensor<1x4x1x8xf32>, tensor<1xi64>) -> tensor<1x4x128x8xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$cache, NN_Tensor:$update, Optional<NN_Tensor>:$position,
                       I64Attr:$axis, UnitAttr:$circular);
  let hasVerifier = 1;
}

def NN_ReverseSequenceOp : NN_ShapedOp<"reverse_sequence"> {
  let summary = "the beginning of every sequence reversed";
  let description = [{
    Along `time_axis` the first `lengths[b]` elements of batch b (of
    `batch_axis`) are reversed, the rest stays.

    ```mlir
    %y = nn.reverse_sequence %x, %n {time_axis = 0 : i64, batch_axis = 1 : i64}
       : (tensor<7x3x5xf32>, tensor<3xi64>) -> tensor<7x3x5xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$lengths, I64Attr:$time_axis,
                       I64Attr:$batch_axis);
  let hasVerifier = 1;
}

def NN_TopKOp : NN_Op<"topk", [InferShapedTypeOpAdaptor, NN_VerifyShape]> {
  let summary = "the k largest or smallest elements along one axis, and where they were";
  let description = [{
    In descending order (ascending with `smallest`); of equal elements the one
    with the lower index comes first. `indices` is i64.

    ```mlir
    %v, %i = nn.topk %x {k = 3 : i64, axis = 1 : i64}
       : (tensor<2x9xf32>) -> (tensor<2x3xf32>, tensor<2x3xi64>)
    ```
  }];
  let arguments = (ins NN_Tensor:$input, I64Attr:$k, I64Attr:$axis, UnitAttr:$smallest);
  let results = (outs NN_Tensor:$values, NN_Tensor:$indices);
  let hasVerifier = 1;
}

#endif // CIMC_DIALECTS_NN_INDEXING_TD
