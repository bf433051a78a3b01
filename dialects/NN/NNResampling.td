//===- NNResampling.td - values between the elements of a grid -*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_RESAMPLING_TD
#define CIMC_DIALECTS_NN_RESAMPLING_TD

include "NNBase.td"

def NN_ResizeOp : NN_UniformOp<"resize"> {
  let summary = "interpolation to another size, axis by axis";
  let description = [{
    Separable: every axis whose size or scale changes is a linear map of its
    elements, in the order of the axes. Element `i` of the result along an axis
    with `n` elements and scale `s` stands at the place

    | `coordinates` | place |
    | --- | --- |
    | `half_pixel` | `(i + 1/2) / s - 1/2` |
    | `half_pixel_symmetric` | as above, the centres of both grids aligned |
    | `pytorch_half_pixel` | as `half_pixel`; -1/2 where the result has one element |
    | `align_corners` | `i (n - 1) / (s n - 1)` |
    | `asymmetric` | `i / s` |
    | `tf_crop_and_resize` | inside `roi`, which is relative to the axis; places outside it take `extrapolation` |

    and is a weighted sum of its neighbours, the edge repeated outside:
    `nearest` takes one (`nearest_mode`: `round_prefer_floor`,
    `round_prefer_ceil`, `floor`, `ceil`), `linear` two, `cubic` four with the
    coefficient `cubic_coefficient`. With `antialias` the kernel widens where
    the axis shrinks. With `exclude_outside` neighbours outside count nothing
    and the others are scaled up.

    `sizes` and `scales` have an entry for every axis; `roi` is empty or has
    the begins, then the ends.

    ```mlir
    %y = nn.resize %x {sizes = array<i64: 1, 3, 16, 16>, scales = array<f32: 1.0, 1.0, 2.0, 2.0>,
           mode = "linear", coordinates = "half_pixel"}
       : (tensor<1x3x8x8xf32>) -> tensor<1x3x16x16xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$sizes, DenseF32ArrayAttr:$scales,
                       StrAttr:$mode, StrAttr:$coordinates,
                       DefaultValuedAttr<StrAttr, "\"round_prefer_floor\"">:$nearest_mode,
                       DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$roi,
                       DefaultValuedAttr<F32Attr, "-0.75">:$cubic_coefficient,
                       DefaultValuedAttr<F32Attr, "0.0">:$extrapolation,
                       UnitAttr:$antialias, UnitAttr:$exclude_outside);
  let hasVerifier = 1;
}

def NN_GridSampleOp : NN_UniformOp<"grid_sample"> {
  let summary = "values of a map at places that a tensor gives";
  let description = [{
    `input` is [N, C, spatial...], `grid` [N, places..., axes] with places in
    [-1, 1], the last spatial axis first; the result is [N, C, places...]. -1
    and 1 are the centres of the outer elements with `align_corners`, their
    outer edges without. `mode` is `linear`, `nearest` (ties to even) or
    `cubic`; `padding` says what lies outside: `zeros`, `border` (the edge) or
    `reflection`.

    ```mlir
    %y = nn.grid_sample %x, %grid {mode = "linear", padding = "zeros"}
       : (tensor<1x3x8x8xf32>, tensor<1x5x7x2xf32>) -> tensor<1x3x5x7xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$grid, StrAttr:$mode, StrAttr:$padding,
                       UnitAttr:$align_corners);
  let hasVerifier = 1;
}

def NN_RoiAlignOp : NN_ShapedOp<"roi_align"> {
  let summary = "pooled samples of regions of a map";
  let description = [{
    `input` is [N, C, H, W]; `boxes` [R, 4] holds x1, y1, x2, y2, which are
    multiplied by `scale` (and moved by -1/2 with `half_pixel`); `batch` [R]
    says of which sample. Every region is cut into `size` cells, each sampled
    bilinearly at `sampling` x `sampling` places (0: as many as cover it), of
    which the mean (`avg`) or the largest weighted neighbour (`max`) is taken.

    ```mlir
    %y = nn.roi_align %x, %r, %b {size = array<i64: 5, 5>, scale = 1.0 : f32, sampling = 2 : i64,
           mode = "avg", half_pixel}
       : (tensor<1x3x10x10xf32>, tensor<3x4xf32>, tensor<3xi64>) -> tensor<3x3x5x5xf32>
    ```
  }];
  let arguments = (ins NN_Tensor:$input, NN_Tensor:$boxes, NN_Tensor:$batch,
                       DenseI64ArrayAttr:$size, F32Attr:$scale, I64Attr:$sampling, StrAttr:$mode,
                       UnitAttr:$half_pixel);
  let hasVerifier = 1;
}

#endif // CIMC_DIALECTS_NN_RESAMPLING_TD
