//===- CIM.td - the cim dialect: on which arrays -----------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_CIM_TD
#define CIMC_DIALECTS_CIM_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def CIM_Dialect : Dialect {
  let name = "cim";
  let cppNamespace = "::cimc::cim";
  let summary = "a network placed on compute-in-memory arrays";
  let description = [{
    Values are *feature maps*: `tensor<RxPxCxT>` with R rows, P pixels a row
    and C channels, channels innermost. [1, C, H, W] becomes H x W x C, a
    matrix [M, K] becomes M x 1 x K. T is a machine type (i8, ui8, i16, i32,
    f32): zero points and scales have become constants of the operations, and
    no quantized type is left. Every operation runs on one core; a value moves
    between operations row by row. There is no time at this level.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class CIM_Attr<string name, string mnemonic_> : AttrDef<CIM_Dialect, name> {
  let mnemonic = mnemonic_;
}

def CIM_ChipAttr : CIM_Attr<"Chip", "chip"> {
  let summary = "the target chip, on the module as `cim.chip`";
  let description = [{
    The flattened chip description: one entry for every key of the chip file,
    `"group.name" = value`. It is verified against the same field table as the
    file (include/cimc/Target/ChipSpec.def). Passes ask
    `getChipSpec(module)`, never a global.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "::mlir::DictionaryAttr":$values);
  let assemblyFormat = "`<` $name `,` $values `>`";
  let genVerifyDecl = 1;
}

def CIM_WindowAttr : CIM_Attr<"Window", "window"> {
  let summary = "a two-dimensional sliding window over rows and pixels";
  let description = [{
    Output (r, p) reads input rows `r * stride[0] - pad[0] + i * dilation[0]`,
    pixels `p * stride[1] - pad[1] + j * dilation[1]`, i < kernel[0],
    j < kernel[1]. Only begin padding is stated; the end follows from the
    result shape. Each array has two entries: rows, pixels.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$kernel, ArrayRefParameter<"int64_t">:$stride,
                        ArrayRefParameter<"int64_t">:$pad, ArrayRefParameter<"int64_t">:$dilation);
  let assemblyFormat = [{ `<` `kernel` `=` `[` $kernel `]` `,` `stride` `=` `[` $stride `]` `,`
                          `pad` `=` `[` $pad `]` `,` `dilation` `=` `[` $dilation `]` `>` }];
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// How rows depend on rows
//===----------------------------------------------------------------------===//

def CIM_StreamOpInterface : OpInterface<"StreamOpInterface"> {
  let cppNamespace = "::cimc::cim";
  let description = [{
    An operation that produces its result row by row from rows of its
    operands. Scheduling asks only this: which rows are needed and which are
    finished with.
  }];
  let methods = [
    InterfaceMethod<[{
      The rows of feature-map operand `operand` that output row r needs,
      `[0, min(mul * r + need, rows))`, and those not needed after it,
      `[0, min(mul * r + done, rows))`. Bounds below 0 mean no row. A row that
      is finished with is also needed (need >= done), so that it can be freed
      once the needed rows are there. An operation that reads the whole
      operand first has mul = 0, need = rows and done = 0.
    }], "::cimc::cim::RowDependence", "getRowDependence", (ins "unsigned":$operand)>
  ];
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

def CIM_FeatureMap : Type<
    And<[IsRankedTensorTypePred,
         CPred<"::llvm::cast<::mlir::ShapedType>($_self).hasStaticShape()">,
         CPred<"::llvm::cast<::mlir::ShapedType>($_self).getRank() == 3">]>,
    "feature map tensor<RxPxCxT>", "::mlir::RankedTensorType">;

class CIM_Op<string mnemonic, list<Trait> traits = []> : Op<CIM_Dialect, mnemonic, traits>;

def CIM_WeightsOp : CIM_Op<"weights", [Symbol]> {
  let summary = "a weight matrix as stored in cells";
  let description = [{
    K x N integers; row order is (kernel row, kernel pixel, channel). Column n
    produces output channel n. `bits` cells (1, 2, 4, 8) hold one weight in
    two's complement.

    ```mlir
    cim.weights @conv1 {bits = 8 : i64} dense_resource<conv1> : tensor<27x32xi8>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ElementsAttr:$value,
                       DefaultValuedAttr<I64Attr, "8">:$bits);
  let assemblyFormat = "$sym_name attr-dict $value";
  let hasVerifier = 1;
}

// Every operation below runs on core `core` (set by `--cim-place`, in
// chiplet-major order: ((chiplet * tiles) + tile) * cores + core).
class CIM_StreamOp<string mnemonic, list<Trait> traits = []>
    : CIM_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<CIM_StreamOpInterface>], traits)> {
  let results = (outs CIM_FeatureMap:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def CIM_MvmOp : CIM_StreamOp<"mvm", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "matrix-vector products of one weight tile with every window of the input";
  let description = [{
    For each output row r and pixel x in [x_begin, x_begin + P): the window's
    values, flattened as (kernel row, kernel pixel, channel), elements
    [k_begin, k_begin + k_size), times weight columns
    [n_begin, n_begin + C) of @weights; exact int32 sums, wrapping. Rows and
    pixels outside the input read `pad_value`. The tile occupies `macros`
    (indices within the core, one for every 64 columns at 8 bits) from cell
    row `macro_row` on.
  }];
  let arguments = (ins CIM_FeatureMap:$input, FlatSymbolRefAttr:$weights, CIM_WindowAttr:$window,
                       I64Attr:$k_begin, I64Attr:$k_size, I64Attr:$n_begin,
                       DefaultValuedAttr<I64Attr, "0">:$x_begin, I64Attr:$pad_value,
                       OptionalAttr<I64Attr>:$core, OptionalAttr<DenseI64ArrayAttr>:$macros,
                       DefaultValuedAttr<I64Attr, "0">:$macro_row);
}

def CIM_SumOp : CIM_StreamOp<"sum"> {
  let summary = "adds int32 partial sums of the same shape, wrapping";
  let arguments = (ins Variadic<CIM_FeatureMap>:$inputs, OptionalAttr<I64Attr>:$core);
}

def CIM_RequantizeOp : CIM_StreamOp<"requantize"> {
  let summary = "int32 sums to 8 bits (rules R1 to R3)";
  let description = [{
    Per channel c: `f = fp32(acc + bias[c])` (wrapping int32 add),
    `p = fp32(f * multiplier[c])`, clamp p to
    [low - zero, high - zero], `q = roundHalfEven(p) + zero`. The bias has the
    input's zero point folded in. One-entry arrays apply to all channels.
  }];
  let arguments = (ins CIM_FeatureMap:$input, DenseI32ArrayAttr:$bias, DenseF32ArrayAttr:$multiplier,
                       I64Attr:$zero, I64Attr:$low, I64Attr:$high, OptionalAttr<I64Attr>:$core);
}

def CIM_DepthwiseOp : CIM_StreamOp<"depthwise"> {
  let summary = "depthwise convolution on the vector unit: bytes to int32 sums, or fp32";
  let description = [{
    In fp32 the products inside the map are added one after the other in
    row-major order of the window, each step rounded.
    `weights` is [kernel rows, kernel pixels, C]: result channel c is the
    window of input channel c / (C / input channels) with weights[.., .., c].
  }];
  let arguments = (ins CIM_FeatureMap:$input, ElementsAttr:$weights, CIM_WindowAttr:$window,
                       I64Attr:$pad_value, OptionalAttr<I64Attr>:$core);
}

def CIM_UnitOp : CIM_StreamOp<"unit"> {
  let summary = "the unit of fixed-point numbers, for each row of windows (rules R13, R14)";
  let description = [{
    Result [r, 0, 0] is the power of two by which every element of the input
    rows under the windows of output row r has three digits; with `levels`, 127
    or 255, the step by which they have so many levels (rule R14). The window's
    pixel entries are 1, 1, 0, 1: all pixels of a row share the unit.
  }];
  let arguments = (ins CIM_FeatureMap:$input, CIM_WindowAttr:$window,
                       DefaultValuedAttr<I64Attr, "0">:$levels, OptionalAttr<I64Attr>:$core);
}

def CIM_DigitsOp : CIM_StreamOp<"digits"> {
  let summary = "fp32 to the digits, base 256, of fixed-point numbers (rules R13, R14)";
  let description = [{
    The rows under the windows of output row r side by side in channels:
    channel (i * C + c) * 3 + d of pixel p is digit d, most significant first,
    of row r * stride - pad + i * dilation, pixel p, channel c, in units of
    `units` [r, 0, 0]. With `levels` there is one digit, i8 for 127 levels and
    ui8 for 255. Rows outside are 0. The window is that of `cim.unit`.
  }];
  let arguments = (ins CIM_FeatureMap:$input, CIM_FeatureMap:$units, CIM_WindowAttr:$window,
                       DefaultValuedAttr<I64Attr, "0">:$levels, OptionalAttr<I64Attr>:$core);
  let extraClassDeclaration = [{
    /// Of every number.
    int64_t digits();
  }];
}

def CIM_CombineOp : CIM_StreamOp<"combine"> {
  let summary = "sums of products of digits to fp32 (rules R13, R14)";
  let description = [{
    Input channels 3 c to 3 c + 2 hold the sums of the products of digits of x
    and of w whose numbers add up to 0, 1 and 2. Result channel c is their
    value in units of `units` [r, 0, 0] * weight_units[c], rounded once to
    fp32, plus bias[c] in fp32. One-entry arrays apply to all channels. With
    one digit (rule R14) input channel c is the sum of result channel c.
  }];
  let arguments = (ins CIM_FeatureMap:$input, CIM_FeatureMap:$units, DenseF32ArrayAttr:$weight_units,
                       DenseF32ArrayAttr:$bias, DefaultValuedAttr<I64Attr, "3">:$digits,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_AddOp : CIM_StreamOp<"add"> {
  let summary = "quantized addition (rule R5)";
  let description = [{
    `q = clamp(roundHalfEven(fma(a, ra, fma(b, rb, f))))`, a and b raw
    integers. An operand dimension of 1 is broadcast.
  }];
  let arguments = (ins CIM_FeatureMap:$a, CIM_FeatureMap:$b, F32Attr:$ra, F32Attr:$rb, F32Attr:$f,
                       I64Attr:$low, I64Attr:$high, OptionalAttr<I64Attr>:$core);
}

def CIM_MulOp : CIM_StreamOp<"mul"> {
  let summary = "quantized multiplication (rule R6)";
  let description = [{
    `q = clamp(roundHalfEven(fp32(fp32((a - za) * (b - zb)) * r) + zc))`. An operand
    dimension of 1 is broadcast.
  }];
  let arguments = (ins CIM_FeatureMap:$a, CIM_FeatureMap:$b, I64Attr:$za, I64Attr:$zb, F32Attr:$r,
                       I64Attr:$zc, I64Attr:$low, I64Attr:$high, OptionalAttr<I64Attr>:$core);
}

def CIM_LookupOp : CIM_StreamOp<"lookup"> {
  let summary = "a 256-entry table applied to every element (rules R8, R10)";
  let description = [{ `table[raw byte]`: entry 255 is -1 for i8 and 255 for ui8 input. }];
  let arguments = (ins CIM_FeatureMap:$input, DenseI8ArrayAttr:$table, OptionalAttr<I64Attr>:$core);
}

def CIM_MaxPoolOp : CIM_StreamOp<"max_pool"> {
  let summary = "integer maximum over a window; outside values never win";
  let arguments = (ins CIM_FeatureMap:$input, CIM_WindowAttr:$window, OptionalAttr<I64Attr>:$core);
}

def CIM_AvgPoolOp : CIM_StreamOp<"avg_pool"> {
  let summary = "window mean in fp32 steps (rule R9, average)";
  let arguments = (ins CIM_FeatureMap:$input, CIM_WindowAttr:$window, F32Attr:$scale_in, I64Attr:$zero_in,
                       F32Attr:$scale_out, I64Attr:$zero_out, UnitAttr:$count_include_pad,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_RowSumOp : CIM_StreamOp<"row_sum"> {
  let summary = "sum of every channel over all rows and pixels: RxPxC to 1x1xC";
  let description = [{ int32 of 8-bit integers, or fp32 of fp32 (in order, each step rounded). The result needs
    all rows, but adds them one by one: a stream may free each after use. }];
  let arguments = (ins CIM_FeatureMap:$input, OptionalAttr<I64Attr>:$core);
}

def CIM_SoftmaxOp : CIM_StreamOp<"softmax"> {
  let summary = "quantized softmax over channels (QLinearSoftmax)";
  let description = [{
    `table` holds fp32 exponentials by distance from the maximum (see
    docs/numerics.md); `y` is the floored reciprocal of the output scale.
  }];
  let arguments = (ins CIM_FeatureMap:$input, DenseF32ArrayAttr:$table, F32Attr:$y, I64Attr:$zero,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_MatMulOp : CIM_StreamOp<"matmul"> {
  let summary = "int32 product of two activations on the vector unit";
  let description = [{
    `batch` products of M x K by K x N over the elements of a and b in
    row-major order; `transpose_b` reads b as N x K; result is
    batch * M * N elements in row-major order. Zero points are subtracted
    first.
  }];
  let arguments = (ins CIM_FeatureMap:$a, CIM_FeatureMap:$b, I64Attr:$batch, I64Attr:$m, I64Attr:$k,
                       I64Attr:$n, UnitAttr:$transpose_b, I64Attr:$za, I64Attr:$zb,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_QuantizeOp : CIM_StreamOp<"quantize"> {
  let summary = "fp32 to 8 bits (rule R4)";
  let arguments = (ins CIM_FeatureMap:$input, F32Attr:$scale, I64Attr:$zero, OptionalAttr<I64Attr>:$core);
}

def CIM_DequantizeOp : CIM_StreamOp<"dequantize"> {
  let summary = "integers to fp32 (rule R4)";
  let arguments = (ins CIM_FeatureMap:$input, F32Attr:$scale, I64Attr:$zero, OptionalAttr<I64Attr>:$core);
}

def CIM_MapOp : CIM_StreamOp<"map"> {
  let summary = "one function applied elementwise on the vector unit";
  let description = [{ `function` is an nn mnemonic (relu, sigmoid, add, ...); alpha and beta its parameters.
    A binary function has the operand `b`; dimensions of 1 broadcast. Operands are fp32, or integers where the
    function has an integer form (Support/VectorOps.h); the result has their type, a comparison's is ui8. }];
  let arguments = (ins CIM_FeatureMap:$a, Optional<CIM_FeatureMap>:$b, StrAttr:$function,
                       DefaultValuedAttr<F32Attr, "0.0f">:$alpha, DefaultValuedAttr<F32Attr, "0.0f">:$beta,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_SoftmaxF32Op : CIM_StreamOp<"softmax_f32"> {
  let summary = "softmax over channels in fp32";
  let arguments = (ins CIM_FeatureMap:$input, OptionalAttr<I64Attr>:$core);
}

def CIM_ConstantOp : CIM_StreamOp<"constant", [ConstantLike]> {
  let summary = "a feature map known at compile time, resident in core memory";
  let arguments = (ins ElementsAttr:$value, OptionalAttr<I64Attr>:$core);
  let hasFolder = 1;
}

def CIM_DelayOp : CIM_StreamOp<"delay"> {
  let summary = "rows one step later: the state of a recurrent layer";
  let description = [{
    Row 0 is `initial`, row r is row r - 1 of the operand of the
    `cim.delay_input` of the same `number`, which follows in the block: the one
    way in which an operation depends on a later one. Between the two, row r may
    depend on row r only; `initial` comes anew for every sample.

    ```mlir
    %h0 = cim.delay %zero {number = 0 : i64} : (tensor<1x1x4xf32>) -> tensor<9x1x4xf32>
    %h = cim.map %x, %h0 {function = "add"} : (tensor<9x1x4xf32>, tensor<9x1x4xf32>) -> tensor<9x1x4xf32>
    cim.delay_input %h {number = 0 : i64} : tensor<9x1x4xf32>
    ```
  }];
  let arguments = (ins CIM_FeatureMap:$initial, I64Attr:$number, OptionalAttr<I64Attr>:$core);
}

def CIM_DelayInputOp : CIM_Op<"delay_input"> {
  let summary = "what the `cim.delay` of the same number gives a row later";
  let arguments = (ins CIM_FeatureMap:$input, I64Attr:$number);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def CIM_ConcatOp : CIM_StreamOp<"concat"> {
  let summary = "joins feature maps along rows (0), pixels (1) or channels (2)";
  let description = [{
    Needs no core along pixels or channels: producers write their parts of
    each row where the consumer wants them. `core` says where the rows would be
    gathered if a consumer cannot have that.
  }];
  let arguments = (ins Variadic<CIM_FeatureMap>:$inputs, I64Attr:$axis, OptionalAttr<I64Attr>:$core);
}

def CIM_InterleaveOp : CIM_StreamOp<"interleave"> {
  let summary = "a map whose rows come from several in turn";
  let description = [{
    Row r is row r / n of operand r mod n of n. Needs no core: producers write
    every n-th row where the consumer wants it.
  }];
  let arguments = (ins Variadic<CIM_FeatureMap>:$inputs);
}

def CIM_SliceOp : CIM_StreamOp<"slice"> {
  let summary = "pixels begin, begin + step, ... of rows row_begin, row_begin + row_step, ...";
  let description = [{
    What one of several copies, or a window with gaps, needs of a map. No
    stream: producers write only these pixels into the consumer's rows. They
    write all rows; the consumer passes over those it does not need.
  }];
  let arguments = (ins CIM_FeatureMap:$input, I64Attr:$begin, DefaultValuedAttr<I64Attr, "1">:$step,
                       DefaultValuedAttr<I64Attr, "0">:$row_begin,
                       DefaultValuedAttr<I64Attr, "1">:$row_step);
}

def CIM_MoveOp : CIM_StreamOp<"move"> {
  let summary = "a strided copy of a whole feature map";
  let description = [{
    The result is filled with `fill`, then for every index (i0, i1, ...) within
    `counts`, element `dst_offset + sum(i * dst_strides)` of the result becomes
    element `src_offset + sum(i * src_strides)` of the input (row-major,
    in elements). Up to six loops; `fill` is a raw integer, or the bits of a
    float. Transposition, slicing, padding and
    broadcasting are all of this form.
  }];
  let arguments = (ins CIM_FeatureMap:$input, DenseI64ArrayAttr:$counts, DenseI64ArrayAttr:$src_strides,
                       DenseI64ArrayAttr:$dst_strides, DefaultValuedAttr<I64Attr, "0">:$src_offset,
                       DefaultValuedAttr<I64Attr, "0">:$dst_offset, DefaultValuedAttr<I64Attr, "0">:$fill,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_ReshapeOp : CIM_StreamOp<"reshape"> {
  let summary = "the same elements in row-major order under another RxPxC";
  let arguments = (ins CIM_FeatureMap:$input, OptionalAttr<I64Attr>:$core);
}

//===----------------------------------------------------------------------===//
// General vector operations. Every operation of the nn level that has no form
// of its own is made of these; the arithmetic is that of
// include/cimc/Support/VectorOps.h.
//===----------------------------------------------------------------------===//

def CIM_SelectOp : CIM_StreamOp<"select"> {
  let summary = "elements of `a` where `condition` is not 0, else of `b`";
  let description = [{ Dimensions of 1 are broadcast. `condition` is ui8. }];
  let arguments = (ins CIM_FeatureMap:$condition, CIM_FeatureMap:$a, CIM_FeatureMap:$b,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_ConvertOp : CIM_StreamOp<"convert"> {
  let summary = "the same numbers in another machine type";
  let description = [{
    Integers wrap; fp32 is truncated towards zero and saturates, NaN gives 0;
    integers become the nearest fp32 (half to even).
  }];
  let arguments = (ins CIM_FeatureMap:$input, OptionalAttr<I64Attr>:$core);
}

def CIM_ReduceOp : CIM_StreamOp<"reduce"> {
  let summary = "one element from the channels of each pixel: RxPxC to RxPx1";
  let description = [{
    `function`: sum, prod, max, min (fp32 from channel 0 on, each step rounded;
    integers wrap), or arg_max, arg_min, arg_max_last, arg_min_last, the int32
    number of the first (last) such channel.
  }];
  let arguments = (ins CIM_FeatureMap:$input, StrAttr:$function, OptionalAttr<I64Attr>:$core);
}

def CIM_ScanOp : CIM_StreamOp<"scan"> {
  let summary = "running sum or product over the channels of each pixel";
  let description = [{
    Channel c of the result combines channels 0 to c, without c where
    `exclusive`; `reverse` runs from the last channel down. `function`: sum, prod.
  }];
  let arguments = (ins CIM_FeatureMap:$input, StrAttr:$function, UnitAttr:$exclusive, UnitAttr:$reverse,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_TopKOp : CIM_StreamOp<"topk"> {
  let summary = "the largest (or smallest) channels of each pixel, in order: RxPxC to RxPxK";
  let description = [{
    With `indices` their int32 channel numbers instead of their values. Equal
    values keep the order of their channels; NaN counts as largest.
  }];
  let arguments = (ins CIM_FeatureMap:$input, UnitAttr:$smallest, UnitAttr:$indices, OptionalAttr<I64Attr>:$core);
}

def CIM_GatherOp : CIM_StreamOp<"gather"> {
  let summary = "blocks of a whole map by an int32 index map";
  let description = [{
    The elements of input and result in row-major order are cut into blocks of
    `block` elements; block i of the result is block `indices[i]` of the input,
    zeros where there is no such block. The result has a block for every index.
  }];
  let arguments = (ins CIM_FeatureMap:$input, CIM_FeatureMap:$indices, DefaultValuedAttr<I64Attr, "1">:$block,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_ScatterOp : CIM_StreamOp<"scatter"> {
  let summary = "a map with blocks replaced by, or combined with, updates";
  let description = [{
    The result is `input`; then for i = 0, 1, ... block `indices[i]` of it
    becomes `function`(itself, block i of `updates`), blocks as in `cim.gather`.
    `function`: set, sum, prod, max, min. Indices of no block are passed over.
  }];
  let arguments = (ins CIM_FeatureMap:$input, CIM_FeatureMap:$indices, CIM_FeatureMap:$updates, StrAttr:$function,
                       DefaultValuedAttr<I64Attr, "1">:$block, OptionalAttr<I64Attr>:$core);
}

def CIM_MatMulF32Op : CIM_StreamOp<"matmul_f32"> {
  let summary = "fp32 products of two activations on the vector unit, a row of matrices at a time";
  let description = [{
    Row r of the result, P x N, is row r of `a`, P x K, times row r of `b`, K x N
    (N x K with `transpose_b`). With `shared` the matrix is the whole of `b`, its
    rows and pixels together the first axis, for every row of `a`. Element (p, n)
    is `0 + a[p, 0] * b[0, n] + a[p, 1] * b[1, n] + ...` from left to right, each
    step rounded to fp32.
  }];
  let arguments = (ins CIM_FeatureMap:$a, CIM_FeatureMap:$b, UnitAttr:$transpose_b, UnitAttr:$shared,
                       OptionalAttr<I64Attr>:$core);
}

def CIM_SumPoolOp : CIM_StreamOp<"sum_pool"> {
  let summary = "fp32 sum over a window, row by row and pixel by pixel; outside values count as nothing";
  let arguments = (ins CIM_FeatureMap:$input, CIM_WindowAttr:$window, OptionalAttr<I64Attr>:$core);
}

#endif // CIMC_DIALECTS_CIM_TD
