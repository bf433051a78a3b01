//===- ISA.td - the instruction set ------------------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One definition of every machine record: the MLIR operation (mlir-tblgen),
// the binary encoding, decoding, assembly text and reference manual
// (cim-tblgen) all come from here.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_ISA_TD
#define CIMC_DIALECTS_ISA_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

def ISA_Dialect : Dialect {
  let name = "isa";
  let cppNamespace = "::cimc::isa";
  let summary = "the chip's instructions, one operation each";
  let description = [{
    A program is a set of *streams*, each bound to a core; a core runs up to
    `core.streams` of them at once, in order each, blocking. Streams meet only
    in *channels*: bounded rings of rows in the consumer's memory. A producer
    blocks while the ring is full, a consumer while rows are missing, so
    results do not depend on timing. Data operands are *views*: descriptors of
    rows x pixels x channels in core memory, possibly a ring.

    Before its first sample a program is set up: every core runs its *setup*
    once, in order, which writes weights into arrays and constants into core
    memory. Streams run for every sample and have no instruction that does
    either, so nothing is programmed in steady state.
  }];
}

//===----------------------------------------------------------------------===//
// Fields. `width` is the width in the encoding; records are packed low bit
// first in field order after the 8-bit opcode and padded to whole bytes.
//===----------------------------------------------------------------------===//

class Field<string name_, int width_, Constraint attr_, string desc_> {
  string name = name_;
  int width = width_;
  Constraint attr = attr_;
  string desc = desc_;
  bit isSigned = 0;
  bit isAffine = 0;
  bit isFloat = 0;
}
class Unsigned<string name, int width, string desc> : Field<name, width, I64Attr, desc>;
class Signed<string name, int width, string desc> : Field<name, width, I64Attr, desc> { let isSigned = 1; }
// An IEEE single, stored as its bits.
class Single<string name, string desc> : Field<name, 32, F32Attr, desc> { let isFloat = 1; }
// [add, mul0, mul1]: add + mul0 * i0 + mul1 * i1, where i0 is the iteration of
// the outermost running loop and i1 that of the next (0 where not running).
// Encoded as three signed numbers of 32, 24 and 24 bits.
class Affine<string name, string desc> : Field<name, 80, DenseI64ArrayAttr, desc> { let isAffine = 1; }

class ISA_Record<string mnemonic, int opcode_, list<Field> fields_, list<Trait> traits = []>
    : Op<ISA_Dialect, mnemonic, traits> {
  int opcode = opcode_;
  list<Field> fields = fields_;
  let arguments = !dag(ins, !foreach(f, fields_, f.attr), !foreach(f, fields_, f.name));
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Structure: these are not instructions but how a program is grouped.
//===----------------------------------------------------------------------===//

def ISA_ProgramOp : Op<ISA_Dialect, "program", [Symbol, SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "a whole program: cores, channels and host bindings";
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}
def ISA_CoreOp : Op<ISA_Dialect, "core", [SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "descriptors, constants and streams of core `id`";
  let description = [{ Holds `isa.view`, `isa.window`, `isa.pattern`, `isa.data`, `isa.cells`, `isa.setup`
    and `isa.stream` operations. Ids are chiplet-major. }];
  let arguments = (ins I64Attr:$id);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$id attr-dict-with-keyword $body";
}
def ISA_StreamOp : Op<ISA_Dialect, "stream", [SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "a sequence of instructions, run once for every sample";
  let description = [{ `name` is the layer it belongs to; it ends up in the debug section. }];
  let arguments = (ins StrAttr:$name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name attr-dict-with-keyword $body";
}
def ISA_SetupOp : Op<ISA_Dialect, "setup", [SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "what a core does once, before the first sample";
  let description = [{ Holds `isa.load_data` and `isa.program_macro` operations, which count the core's `isa.data` and
    `isa.cells` operations from 0 in their order. }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "attr-dict-with-keyword $body";
}
def ISA_DataOp : Op<ISA_Dialect, "data", []> {
  let summary = "constants for core memory at `address`, loaded by `isa.load_data`";
  let arguments = (ins I64Attr:$address, ElementsAttr:$value);
  let assemblyFormat = "$address $value attr-dict";
}
def ISA_CellsOp : Op<ISA_Dialect, "cells", []> {
  let summary = "weights for the cells of a macro, written by `isa.program_macro`";
  let description = [{
    `value` is [rows, columns] integers of `bits` bits, for the cells of one
    macro from cell row `row` and weight column `column` on. In the container
    they are stored as bit planes, the way the cells hold them.
  }];
  let arguments = (ins I64Attr:$row, I64Attr:$column, I64Attr:$bits, ElementsAttr:$value);
  let assemblyFormat = "attr-dict $value";
}
def ISA_IOOp : Op<ISA_Dialect, "io", []> {
  let summary = "a network input or output and the channel that carries it";
  let description = [{
    `shape` and `type` (f32, i64, u8, bool, ...) are those of the model. The
    rows on the channel are the tensor in machine types
    (include/cimc/Support/MachineTypes.h), transposed by `perm` in row-major order, cut into equal rows. `channels` lists the channels that receive a copy of an
    input; the channel of an output has core -1 (the host).
  }];
  let arguments = (ins StrAttr:$name, BoolAttr:$output, DenseI64ArrayAttr:$shape, StrAttr:$type,
                       DenseI64ArrayAttr:$perm, DenseI64ArrayAttr:$channels);
  let assemblyFormat = "$name attr-dict";
}

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

def ISA_ChannelOp : ISA_Record<"channel", 0x01, [
    Unsigned<"id", 32, "number, unique in the program">,
    Signed<"core", 32, "consumer core, -1 for the host">,
    Unsigned<"address", 32, "byte address of the ring in the consumer's memory">,
    Unsigned<"row_bytes", 32, "bytes a row, also the distance between slots">,
    Unsigned<"slots", 32, "rows the ring holds">,
    Unsigned<"rows", 32, "rows a sample">,
    Unsigned<"producers", 16, "streams that write rows or parts of them; a row is there when all have passed it">,
    Unsigned<"consumers", 16, "streams that wait for and free rows; a row is free when all have freed it">]> {
  let summary = "a bounded ring of rows between producers and consumers";
  let description = [{
    Counters are per sample: row r lies in slot r mod `slots`, and every
    consumer has freed all `rows` rows when its stream ends.
  }];
}

def ISA_ViewOp : ISA_Record<"view", 0x02, [
    Unsigned<"id", 16, "number, unique in the core">,
    Unsigned<"address", 32, "byte address of row 0, pixel 0, channel 0">,
    Unsigned<"row_pitch", 32, "bytes from row to row">,
    Unsigned<"slots", 32, "rows held: row r is at (r mod slots) * row_pitch">,
    Unsigned<"pixel_pitch", 32, "bytes from pixel to pixel">,
    Unsigned<"rows", 32, "rows of the feature map; others read as `pad`">,
    Unsigned<"pixels", 32, "pixels a row; others read as `pad`">,
    Unsigned<"channels", 32, "channels a pixel, adjacent">,
    Unsigned<"type", 4, "0 i8, 1 u8, 2 i16, 3 u16, 4 i32, 5 f32, 6 i64">,
    Signed<"pad", 32, "value outside rows and pixels">]> {
  let summary = "a feature map in core memory";
}

def ISA_WindowOp : ISA_Record<"window", 0x03, [
    Unsigned<"id", 16, "number, unique in the core">,
    Unsigned<"kernel_rows", 16, "window height">, Unsigned<"kernel_pixels", 16, "window width">,
    Unsigned<"stride_rows", 16, "input rows per output row">, Unsigned<"stride_pixels", 16, "input pixels per output pixel">,
    Signed<"pad_rows", 16, "rows before the first">, Signed<"pad_pixels", 16, "pixels before the first">,
    Unsigned<"dilation_rows", 16, "distance of kernel rows">, Unsigned<"dilation_pixels", 16, "distance of kernel pixels">]> {
  let summary = "a sliding window: output (r, p) starts at input (r*stride - pad, p*stride - pad)";
}

def ISA_PatternOp : ISA_Record<"pattern", 0x04, [
    Unsigned<"id", 16, "number, unique in the core">,
    Unsigned<"element_bytes", 4, "1, 2, 4 or 8">,
    Unsigned<"src_offset", 32, "elements">, Unsigned<"dst_offset", 32, "elements">,
    Unsigned<"count0", 32, "">, Unsigned<"count1", 32, "">, Unsigned<"count2", 32, "">, Unsigned<"count3", 32, "">, Unsigned<"count4", 32, "">, Unsigned<"count5", 32, "">,
    Signed<"src0", 32, "elements">, Signed<"src1", 32, "">, Signed<"src2", 32, "">, Signed<"src3", 32, "">, Signed<"src4", 32, "">, Signed<"src5", 32, "">,
    Signed<"dst0", 32, "elements">, Signed<"dst1", 32, "">, Signed<"dst2", 32, "">, Signed<"dst3", 32, "">, Signed<"dst4", 32, "">, Signed<"dst5", 32, "">]> {
  let summary = "six nested loops of a strided copy, outermost first; unused counts are 1";
}

//===----------------------------------------------------------------------===//
// Control and synchronization
//===----------------------------------------------------------------------===//

def ISA_LoopOp : ISA_Record<"loop", 0x10, [Unsigned<"count", 32, "iterations, at least 1">]> {
  let summary = "repeats the instructions up to the matching `next`; at most two deep";
}
def ISA_NextOp : ISA_Record<"next", 0x11, []> { let summary = "ends a loop body"; }
def ISA_HaltOp : ISA_Record<"halt", 0x12, []> { let summary = "ends the stream for this sample"; }

def ISA_WaitOp : ISA_Record<"wait", 0x13, [
    Unsigned<"channel", 32, "channel consumed by this core">, Unsigned<"consumer", 16, "which of its consumers">,
    Affine<"rows", "rows of this sample that must have arrived, clamped to [0, rows]">]> {
  let summary = "blocks until rows [0, `rows`) have arrived";
}
def ISA_FreeOp : ISA_Record<"free", 0x14, [
    Unsigned<"channel", 32, "channel consumed by this core">, Unsigned<"consumer", 16, "which of its consumers">,
    Affine<"rows", "rows of this sample no longer needed, clamped to [0, rows]">]> {
  let summary = "gives the slots of rows [0, `rows`) back to the producers";
}
def ISA_AcquireOp : ISA_Record<"acquire", 0x15, [
    Unsigned<"channel", 32, "channel of this core">, Unsigned<"producer", 16, "which of its producers">]> {
  let summary = "blocks until the slot of this producer's next row is free";
}
def ISA_PostOp : ISA_Record<"post", 0x16, [
    Unsigned<"channel", 32, "channel of this core">, Unsigned<"producer", 16, "which of its producers">]> {
  let summary = "declares this producer's next row written in place";
}
def ISA_SendOp : ISA_Record<"send", 0x17, [
    Unsigned<"channel", 32, "any channel">, Unsigned<"producer", 16, "which of its producers">,
    Unsigned<"src", 16, "view">, Affine<"row", "row of the view to send">,
    Unsigned<"offset", 32, "byte in the channel's row where the first pixel goes">,
    Unsigned<"pitch", 32, "bytes from pixel to pixel in the channel's row">,
    Unsigned<"joined", 1, "1: part of the message of the sends before, the first of which has all its pixels, and the same row">,
    Unsigned<"first", 16, "the producer's first row of a sample; it has the same in all its sends">,
    Unsigned<"skipped", 16, "rows between two of the producer's, which others write; likewise">]> {
  let summary = "sends this producer's next row to the consumer's ring, blocking while it is full";
  let description = [{ Pixels x channels of the view's row `row` are written at `offset + pixel * pitch`
    of the next slot, over the on-chip networks. Sends that follow one another and are `joined` are one
    message (multicast): it passes the sender's port and every link once and forks where the ways part. The
    first has all pixels; a branch carries those of its readers only.
    One whose ring is full when the first of them starts is a message of its own, sent when it is not.
    A row of the ring is there when all producers have passed it. }];
}

//===----------------------------------------------------------------------===//
// Setup
//===----------------------------------------------------------------------===//

// Opcodes 0x08 to 0x0f: executed once, before the first sample.
def ISA_LoadDataOp : ISA_Record<"load_data", 0x08, [
    Unsigned<"block", 32, "the first of the core's blocks of data, counted from 0 in their order">,
    Unsigned<"blocks", 32, "blocks">]> {
  let summary = "copies constants into core memory, each block to its own address";
  let description = [{ They come from the chiplet's DRAM, where the host has put them with the program, or from the
    host itself where the chip has no DRAM (`dram.size_mb`). The setup goes on when they are there. Every block is loaded once. }];
}
def ISA_ProgramMacroOp : ISA_Record<"program_macro", 0x09, [
    Unsigned<"macro", 8, "one of the core's">,
    Unsigned<"block", 32, "the first of the core's blocks of weights, counted from 0 in their order">,
    Unsigned<"blocks", 32, "blocks; each says from which row and column on it lies, and has bits of its own width">]> {
  let summary = "writes blocks of weights into the cells of one macro, with verification";
  let description = [{ `macro.write_parallel_cells` cells at a time get `macro.write_loops` pulses of `macro.write_pulse_ns`,
    each followed by a verifying read of `macro.write_verify_ns` (profile `fast`: `macro.fast_write_...`); check bits are
    written too. At most `macro.write_parallel_macros` macros of a chiplet are written at once, and the setup waits for
    its turn. The bits come from the host while they are written, and the setup goes on as soon as writing has begun; it is over
    when all macros are written. A macro is programmed once at most, and every block once. Cells of no block are not
    written, and no `mvm` reads them. }];
}

//===----------------------------------------------------------------------===//
// DRAM
//===----------------------------------------------------------------------===//

def ISA_LoadOp : ISA_Record<"load", 0x18, [
    Unsigned<"dst", 16, "view">, Affine<"dst_row", "row of dst">, Affine<"line", "first line of 64 bytes in DRAM">]> {
  let summary = "reads a row from DRAM: pixels x channels, adjacent";
  let description = [{ DRAM is `dram.size_mb` beside the chip, in lines of 64 bytes. A byte of it is touched by one
    stream only, and every sample finds it zero. The stream goes on when the row is there. }];
}
def ISA_StoreOp : ISA_Record<"store", 0x19, [
    Unsigned<"src", 16, "view">, Affine<"src_row", "row of src">, Affine<"line", "first line of 64 bytes in DRAM">]> {
  let summary = "writes a row to DRAM: pixels x channels, adjacent";
  let description = [{ The stream goes on when the row has left the core; a later `load` of it waits for it. }];
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

def ISA_MvmOp : ISA_Record<"mvm", 0x20, [
    Unsigned<"macros", 8, "bit mask of the core's macros; ascending macros hold ascending columns">,
    Unsigned<"columns", 16, "weight columns in all, filling each macro before the next">,
    Unsigned<"cell_row", 16, "first cell row of the tile">, Unsigned<"column", 16, "first weight column in each macro">,
    Unsigned<"weight_bits", 5, "bits a weight">,
    Unsigned<"src", 16, "view of the input">, Unsigned<"window", 16, "window over it">,
    Unsigned<"k_begin", 32, "first element of the flattened window">, Unsigned<"k_size", 16, "elements, one for each cell row">,
    Unsigned<"dst", 16, "i32 view: row `dst_row`, pixels from 0, channels = columns">,
    Affine<"row", "output row">, Affine<"dst_row", "row of dst">, Affine<"pixel", "first output pixel">,
    Unsigned<"count", 32, "output pixels">, Unsigned<"end", 32, "first output pixel not computed: count is cut there">,
    Unsigned<"accumulate", 1, "adds to dst instead of setting it">,
    Unsigned<"reuse", 8, "input vectors R served by one read of a row group">]> {
  let summary = "matrix-vector products of one stored tile with `count` windows";
  let description = [{ Input bits enter serially, the number of them given by the source type (8 or 16).
    Sums are exact modulo 2^32. The window of output (row, pixel) is flattened as (kernel row, kernel pixel, channel). }];
}

//===----------------------------------------------------------------------===//
// Vector unit. Constants are core memory addresses.
//===----------------------------------------------------------------------===//

// Every vector instruction works on whole rows: pixels and channels are those
// of the destination view.
defvar SrcDst = [Unsigned<"src", 16, "view">, Affine<"src_row", "row of src">,
                 Unsigned<"dst", 16, "view">, Affine<"dst_row", "row of dst">];

def ISA_RequantizeOp : ISA_Record<"requantize", 0x30, !listconcat(SrcDst, [
    Affine<"dst_pixel", "first pixel of dst">, Unsigned<"count", 32, "pixels, cut at the end of dst">,
    Unsigned<"constants", 32, "address of {i32 bias, f32 multiplier} for each channel">,
    Signed<"zero", 32, "output zero point">, Signed<"low", 32, "lower clamp">, Signed<"high", 32, "upper clamp">])> {
  let summary = "int32 sums to 8 bits, rules R1 to R3; src pixels are counted from 0";
}
def ISA_AddQOp : ISA_Record<"add_q", 0x31, [
    Unsigned<"a", 16, "view">, Affine<"a_row", "">, Unsigned<"b", 16, "view">, Affine<"b_row", "">,
    Unsigned<"dst", 16, "view">, Affine<"dst_row", "">,
    Single<"ra", "">, Single<"rb", "">, Single<"f", "">, Signed<"low", 32, "">, Signed<"high", 32, "">]> {
  let summary = "rule R5: clamp(rint(fma(a, ra, fma(b, rb, f)))); a view dimension of 1 is broadcast";
}
def ISA_MulQOp : ISA_Record<"mul_q", 0x32, [
    Unsigned<"a", 16, "view">, Affine<"a_row", "">, Unsigned<"b", 16, "view">, Affine<"b_row", "">,
    Unsigned<"dst", 16, "view">, Affine<"dst_row", "">,
    Signed<"za", 32, "">, Signed<"zb", 32, "">, Single<"r", "">, Signed<"zc", 32, "">, Signed<"low", 32, "">, Signed<"high", 32, "">]> {
  let summary = "rule R6; a view dimension of 1 is broadcast";
}
def ISA_LookupOp : ISA_Record<"lookup", 0x33, !listconcat(SrcDst, [
    Unsigned<"table", 32, "address of 256 bytes, indexed by the raw source byte">])> {
  let summary = "rules R8 and R10: a byte table";
}
def ISA_MaxPoolOp : ISA_Record<"max_pool", 0x34, !listconcat(SrcDst, [Unsigned<"window", 16, "">])> {
  let summary = "maximum over a window; `src_row` is the output row the window is placed by";
}
def ISA_AvgPoolOp : ISA_Record<"avg_pool", 0x35, !listconcat(SrcDst, [Unsigned<"window", 16, "">,
    Single<"scale_in", "">, Signed<"zero_in", 32, "">, Single<"scale_out", "">, Signed<"zero_out", 32, "">, Unsigned<"include_pad", 1, "divide by the whole window">])> {
  let summary = "rule R9, average";
}
def ISA_RowSumOp : ISA_Record<"row_sum", 0x36, !listconcat(SrcDst, [Unsigned<"clear", 1, "sets instead of adds">])> {
  let summary = "adds every pixel of a row to one pixel: int32 of integers, fp32 of fp32";
}
def ISA_DepthwiseOp : ISA_Record<"depthwise", 0x37, !listconcat(SrcDst, [Unsigned<"window", 16, "">,
    Unsigned<"weights", 32, "address of kernel rows x kernel pixels x channels signed bytes, or floats">])> {
  let summary = "depthwise convolution of one output row: bytes to int32 sums, or fp32";
}
def ISA_UnitOp : ISA_Record<"unit", 0x50, !listconcat(SrcDst, [Unsigned<"window", 16, "only its rows count">,
    Unsigned<"levels", 8, "0: rule R13; 127 or 255: rule R14">])> {
  let summary = "rules R13 and R14: the unit of all elements in the rows under a window; `src_row` is the output row it is placed by";
}
def ISA_DigitsOp : ISA_Record<"digits", 0x51, !listconcat(SrcDst, [Unsigned<"window", 16, "only its rows count">,
    Unsigned<"levels", 8, "0: rule R13; 127 or 255: rule R14">,
    Unsigned<"units", 16, "f32 view of one pixel and channel">, Affine<"units_row", "row of units">])> {
  let summary = "rules R13 and R14: fp32 rows under a window to their digits, side by side in channels";
  let description = [{ Channel (i * C + c) * D + d of dst is digit d of channel c of the window's row i; D is 3, with levels 1. }];
}
def ISA_CombineOp : ISA_Record<"combine", 0x52, !listconcat(SrcDst, [
    Affine<"dst_pixel", "first pixel of dst">, Unsigned<"count", 32, "pixels, cut at the end of dst">,
    Unsigned<"digits", 8, "of every sum: 3 (rule R13) or 1 (rule R14)">,
    Unsigned<"units", 16, "f32 view of one pixel and channel">, Affine<"units_row", "row of units">,
    Unsigned<"constants", 32, "address of {f32 unit of the weights, f32 bias} for each channel of dst">])> {
  let summary = "rules R13 and R14: sums of products of digits to fp32; src pixels are counted from 0, `digits` channels for each of dst";
}
def ISA_MoveOp : ISA_Record<"move", 0x38, [Unsigned<"src", 16, "view">, Unsigned<"dst", 16, "view">, Unsigned<"pattern", 16, "">]> {
  let summary = "strided copy between the linear elements of two views held whole";
}
def ISA_FillOp : ISA_Record<"fill", 0x39, [Unsigned<"dst", 16, "view">, Affine<"dst_row", "">, Signed<"value", 32, "raw integer, or the bits of a float">]> {
  let summary = "sets a row";
}
def ISA_SoftmaxQOp : ISA_Record<"softmax_q", 0x3a, !listconcat(SrcDst, [
    Unsigned<"table", 32, "address of 256 f32">, Single<"y", "">, Signed<"zero", 32, "">])> {
  let summary = "QLinearSoftmax over the channels of each pixel";
}
def ISA_QuantizeOp : ISA_Record<"quantize", 0x3b, !listconcat(SrcDst, [Single<"scale", "">, Signed<"zero", 32, "">])> {
  let summary = "rule R4, fp32 to 8 bits";
}
def ISA_DequantizeOp : ISA_Record<"dequantize", 0x3c, !listconcat(SrcDst, [Single<"scale", "">, Signed<"zero", 32, "">])> {
  let summary = "rule R4, integers to fp32";
}
def ISA_AddIOp : ISA_Record<"add_i", 0x3d, !listconcat(SrcDst, [])> {
  let summary = "dst += src, int32, wrapping";
}
def ISA_CopyOp : ISA_Record<"copy", 0x3e, !listconcat(SrcDst, [])> {
  let summary = "copies a row between views of one type";
}
def ISA_MatMulOp : ISA_Record<"matmul", 0x3f, [
    Unsigned<"a", 16, "view">, Unsigned<"b", 16, "view">, Unsigned<"dst", 16, "i32 view">,
    Unsigned<"batch", 32, "">, Unsigned<"m", 32, "">, Unsigned<"k", 32, "">, Unsigned<"n", 32, "">, Unsigned<"transpose_b", 1, "">, Signed<"za", 32, "">, Signed<"zb", 32, "">]> {
  let summary = "int32 products of two activations held whole";
}
def ISA_MapOp : ISA_Record<"map", 0x40, [
    Unsigned<"function", 8, "see include/cimc/Support/Functions.def">,
    Unsigned<"a", 16, "view">, Affine<"a_row", "">, Unsigned<"b", 16, "view of the type of a; the same as a for unary functions">, Affine<"b_row", "">,
    Unsigned<"dst", 16, "view of the type of a, u8 for comparisons">, Affine<"dst_row", "">, Single<"alpha", "">, Single<"beta", "">]> {
  let summary = "one function applied elementwise, in fp32 or integers; a view dimension of 1 is broadcast";
}
def ISA_SoftmaxF32Op : ISA_Record<"softmax_f32", 0x41, SrcDst> {
  let summary = "softmax in fp32 over the channels of each pixel";
}

// General vector operations (include/cimc/Support/VectorOps.h). Reductions are
// numbered as there: 0 sum, 1 prod, 2 max, 3 min, 4 arg_max, 5 arg_min,
// 6 arg_max_last, 7 arg_min_last, 8 set.
def ISA_SelectOp : ISA_Record<"select", 0x60, [
    Unsigned<"c", 16, "u8 view">, Affine<"c_row", "">, Unsigned<"a", 16, "view">, Affine<"a_row", "">,
    Unsigned<"b", 16, "view">, Affine<"b_row", "">, Unsigned<"dst", 16, "view of the type of a and b">, Affine<"dst_row", "">]> {
  let summary = "a where c is not 0, else b; a view dimension of 1 is broadcast";
}
def ISA_ConvertOp : ISA_Record<"convert", 0x61, SrcDst> {
  let summary = "the same numbers in another type: integers wrap, fp32 truncates and saturates";
}
def ISA_ReduceOp : ISA_Record<"reduce", 0x62, !listconcat(SrcDst, [Unsigned<"function", 8, "0 to 7">])> {
  let summary = "combines the channels of each pixel into one, i32 for 4 to 7";
}
def ISA_ScanOp : ISA_Record<"scan", 0x63, !listconcat(SrcDst, [
    Unsigned<"function", 8, "0 or 1">, Unsigned<"exclusive", 1, "channel c is not part of result c">, Unsigned<"reverse", 1, "from the last channel down">])> {
  let summary = "running combination of the channels of each pixel";
}
def ISA_TopKOp : ISA_Record<"topk", 0x64, !listconcat(SrcDst, [
    Unsigned<"smallest", 1, "smallest instead of largest">, Unsigned<"indices", 1, "i32 channel numbers instead of values">])> {
  let summary = "as many of the largest channels of each pixel as dst has, in order";
}
def ISA_GatherOp : ISA_Record<"gather", 0x65, [
    Unsigned<"a", 16, "view">, Unsigned<"b", 16, "i32 view of indices">, Unsigned<"dst", 16, "view of the type of a">,
    Unsigned<"block", 32, "elements">]> {
  let summary = "block i of dst is block b[i] of a, else 0; views held whole";
}
def ISA_ScatterOp : ISA_Record<"scatter", 0x66, [
    Unsigned<"a", 16, "view of updates">, Unsigned<"b", 16, "i32 view of indices">, Unsigned<"dst", 16, "view of the type of a">,
    Unsigned<"block", 32, "elements">, Unsigned<"function", 8, "0 to 3 or 8">]> {
  let summary = "combines block i of a into block b[i] of dst, in order; views held whole";
}
def ISA_MatMulF32Op : ISA_Record<"matmul_f32", 0x67, [
    Unsigned<"a", 16, "f32 view: M pixels of K channels">, Affine<"a_row", "">,
    Unsigned<"b", 16, "f32 view: K pixels of N channels">, Affine<"b_row", "">,
    Unsigned<"dst", 16, "f32 view: M pixels of N channels">, Affine<"dst_row", "">,
    Unsigned<"transpose_b", 1, "b has N pixels of K channels">,
    Unsigned<"shared", 1, "the matrix is all of b, held whole: rows and pixels are its first axis">]> {
  let summary = "fp32 matrix product of a row of a and a row of b; sums from the first k on, each step rounded";
}
def ISA_SumPoolOp : ISA_Record<"sum_pool", 0x68, !listconcat(SrcDst, [Unsigned<"window", 16, "">])> {
  let summary = "fp32 sum over a window; `src_row` is the output row the window is placed by";
}

#endif // CIMC_DIALECTS_ISA_TD
