//===- Sched.td - the sched dialect: when and where --------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Streams and channels with symbolic memory. The instructions are those of
// ISA.td, derived from it: where a record holds the number of a view, channel,
// window or pattern or the address of constants, the sched operation holds a
// symbol or the thing itself.
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_SCHED_TD
#define CIMC_DIALECTS_SCHED_TD

include "CIM/CIM.td"
include "ISA/ISA.td"
include "mlir/IR/SymbolInterfaces.td"

def Sched_Dialect : Dialect {
  let name = "sched";
  let cppNamespace = "::cimc::sched";
  let summary = "streams of row operations and the channels between them";
  let description = [{
    One `sched.program` holds memory (`channel`, `buffer`, `data`), views of
    it, and one `sched.stream` for every operation of the network. Addresses
    and ring sizes are attributes that later passes fill in; instructions name
    memory by symbol. See dialects/Sched/README.md for the reasons.
  }];
  let dependentDialects = ["::cimc::cim::CIMDialect"];
}

class Sched_Op<string mnemonic, list<Trait> traits = []> : Op<Sched_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

def Sched_ProgramOp : Sched_Op<"program", [Symbol, SymbolTable, SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "a scheduled network";
  let description = [{
    Its verifier checks every reference in it: instructions use memory of their
    stream's core only (but may send anywhere), producers and consumers have
    numbers the channel knows, loops are at most two deep.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def Sched_StreamOp : Sched_Op<"stream", [SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "a sequence of instructions on one core, run once for every sample";
  let description = [{ `layer` is the model's node, for reports. }];
  let arguments = (ins StrAttr:$layer, I64Attr:$core);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$layer `on` $core attr-dict-with-keyword $body";
}

def Sched_LoopOp : Sched_Op<"loop", [SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "repeats its body `count` times";
  let description = [{ Affine attributes in the body read [add, mul0, mul1]: i0 is the outer loop's iteration, i1 the inner's. }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive]>:$count);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$count attr-dict-with-keyword $body";
}

def Sched_IOOp : Sched_Op<"io", []> {
  let summary = "a network input or output and the channels that carry it";
  let description = [{
    `shape` and `type` are those of the model. The rows on the channels are the
    tensor transposed by `perm`, in row-major order, cut into equal rows. An
    input is sent to every channel; an output has one channel, to core -1, or
    none where the tensor has no elements.
  }];
  let arguments = (ins StrAttr:$name, BoolAttr:$output, DenseI64ArrayAttr:$shape, TypeAttr:$type,
                       DenseI64ArrayAttr:$perm, TypedArrayAttrBase<FlatSymbolRefAttr, "channels">:$channels);
  let assemblyFormat = "$name attr-dict";
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def Sched_ChannelOp : Sched_Op<"channel", [Symbol]> {
  let summary = "a ring of rows in the memory of core `core` (-1: the host)";
  let description = [{
    `rows` of `row_bytes` pass in every sample, each written by `producers`
    streams in parts and freed by `consumers` streams. `slots` rows are held;
    `--sched-size-rings` sets it, to `wanted_slots` or more, and records in
    `min_slots` how many a run of the counters needs; where memory is short,
    `--sched-allocate` takes slots from rings with more than their `kept_slots`
    first. A `whole` channel always holds all rows.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$core, I64Attr:$rows, I64Attr:$row_bytes,
                       DefaultValuedAttr<I64Attr, "1">:$producers, DefaultValuedAttr<I64Attr, "1">:$consumers,
                       DefaultValuedAttr<I64Attr, "1">:$slots, OptionalAttr<I64Attr>:$min_slots,
                       OptionalAttr<I64Attr>:$wanted_slots, OptionalAttr<I64Attr>:$kept_slots,
                       UnitAttr:$whole, OptionalAttr<I64Attr>:$address);
  let assemblyFormat = "$sym_name attr-dict";
  let hasVerifier = 1;
}

def Sched_BufferOp : Sched_Op<"buffer", [Symbol]> {
  let summary = "memory of one stream on core `core`";
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$core, I64Attr:$bytes,
                       OptionalAttr<I64Attr>:$address);
  let assemblyFormat = "$sym_name attr-dict";
}

def Sched_DataOp : Sched_Op<"data", [Symbol]> {
  let summary = "constants in the memory of core `core`";
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$core, ElementsAttr:$value,
                       OptionalAttr<I64Attr>:$address);
  let assemblyFormat = "$sym_name $value attr-dict";
}

def Sched_ViewOp : Sched_Op<"view", [Symbol]> {
  let summary = "rows x pixels x channels of `type` in a channel, buffer or constant";
  let description = [{
    Row r begins `offset + (r mod slots) * row_pitch` bytes into `of`. Without
    `slots` and `row_pitch` they are those of the channel, whatever size it is
    given. Rows and pixels outside read as `pad`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$of,
                       I64Attr:$rows, I64Attr:$pixels, I64Attr:$channels, TypeAttr:$type,
                       DefaultValuedAttr<I64Attr, "0">:$offset, I64Attr:$pixel_pitch,
                       OptionalAttr<I64Attr>:$row_pitch, OptionalAttr<I64Attr>:$slots,
                       DefaultValuedAttr<I64Attr, "0">:$pad);
  let assemblyFormat = "$sym_name attr-dict";
}

def Sched_CellsOp : Sched_Op<"cells", []> {
  let summary = "a tile of a weight matrix in the cells of one macro";
  let description = [{
    Rows [k_begin, k_begin + k_size) and columns [n_begin, n_begin + n_size) of
    the `cim.weights` named `weights`, from cell row `row` of macro `macro` of
    core `core` on.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weights, I64Attr:$core, I64Attr:$macro, I64Attr:$row,
                       I64Attr:$k_begin, I64Attr:$k_size, I64Attr:$n_begin, I64Attr:$n_size);
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

class ViewField<Field f> {
  bit value = !or(!eq(f.name, "src"), !eq(f.name, "dst"), !eq(f.name, "a"), !eq(f.name, "b"), !eq(f.name, "c"), !eq(f.name, "units"));
}
class DataField<Field f> {
  bit value = !or(!eq(f.name, "constants"), !eq(f.name, "table"), !eq(f.name, "weights"));
}
// What stands for a field of a record here.
class SymbolicField<Field f> {
  Constraint attr = !cond(
    ViewField<f>.value: FlatSymbolRefAttr,
    DataField<f>.value: FlatSymbolRefAttr,
    !eq(f.name, "channel"): FlatSymbolRefAttr,
    !eq(f.name, "window"): CIM_WindowAttr,
    // element bytes, offsets and six counts, source and result strides, as in `isa.pattern`
    !eq(f.name, "pattern"): DenseI64ArrayAttr,
    true: f.attr);
}
class Sched_Instruction<ISA_Record record> : Sched_Op<record.opName, []> {
  let summary = record.summary;
  let arguments = !dag(ins, !foreach(f, record.fields, SymbolicField<f>.attr), !foreach(f, record.fields, f.name));
  let assemblyFormat = "attr-dict";
}

def Sched_WaitOp : Sched_Instruction<ISA_WaitOp>;
def Sched_FreeOp : Sched_Instruction<ISA_FreeOp>;
def Sched_AcquireOp : Sched_Instruction<ISA_AcquireOp>;
def Sched_PostOp : Sched_Instruction<ISA_PostOp>;
def Sched_SendOp : Sched_Instruction<ISA_SendOp>;
def Sched_MvmOp : Sched_Instruction<ISA_MvmOp>;
def Sched_RequantizeOp : Sched_Instruction<ISA_RequantizeOp>;
def Sched_UnitOp : Sched_Instruction<ISA_UnitOp>;
def Sched_DigitsOp : Sched_Instruction<ISA_DigitsOp>;
def Sched_CombineOp : Sched_Instruction<ISA_CombineOp>;
def Sched_AddQOp : Sched_Instruction<ISA_AddQOp>;
def Sched_MulQOp : Sched_Instruction<ISA_MulQOp>;
def Sched_LookupOp : Sched_Instruction<ISA_LookupOp>;
def Sched_MaxPoolOp : Sched_Instruction<ISA_MaxPoolOp>;
def Sched_AvgPoolOp : Sched_Instruction<ISA_AvgPoolOp>;
def Sched_RowSumOp : Sched_Instruction<ISA_RowSumOp>;
def Sched_DepthwiseOp : Sched_Instruction<ISA_DepthwiseOp>;
def Sched_MoveOp : Sched_Instruction<ISA_MoveOp>;
def Sched_FillOp : Sched_Instruction<ISA_FillOp>;
def Sched_SoftmaxQOp : Sched_Instruction<ISA_SoftmaxQOp>;
def Sched_QuantizeOp : Sched_Instruction<ISA_QuantizeOp>;
def Sched_DequantizeOp : Sched_Instruction<ISA_DequantizeOp>;
def Sched_AddIOp : Sched_Instruction<ISA_AddIOp>;
def Sched_CopyOp : Sched_Instruction<ISA_CopyOp>;
def Sched_MatMulOp : Sched_Instruction<ISA_MatMulOp>;
def Sched_MapOp : Sched_Instruction<ISA_MapOp>;
def Sched_SoftmaxF32Op : Sched_Instruction<ISA_SoftmaxF32Op>;
def Sched_SelectOp : Sched_Instruction<ISA_SelectOp>;
def Sched_ConvertOp : Sched_Instruction<ISA_ConvertOp>;
def Sched_ReduceOp : Sched_Instruction<ISA_ReduceOp>;
def Sched_ScanOp : Sched_Instruction<ISA_ScanOp>;
def Sched_TopKOp : Sched_Instruction<ISA_TopKOp>;
def Sched_GatherOp : Sched_Instruction<ISA_GatherOp>;
def Sched_ScatterOp : Sched_Instruction<ISA_ScatterOp>;
def Sched_MatMulF32Op : Sched_Instruction<ISA_MatMulF32Op>;
def Sched_SumPoolOp : Sched_Instruction<ISA_SumPoolOp>;

#endif // CIMC_DIALECTS_SCHED_TD
