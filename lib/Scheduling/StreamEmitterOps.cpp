//===- StreamEmitterOps.cpp - what each operation streams -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamEmitter.h"

#include "cimc/Support/Numerics.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cimc;
using namespace cimc::sched;

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void StreamEmitter::emitMvm(cim::MvmOp op) {
  Value result = op.getResult();
  RowForm form = plan.form(result);
  auto weights = SymbolTable::lookupNearestSymbolFrom<cim::WeightsOp>(
      op, op.getWeightsAttr());
  int64_t perMacro = chip.weightColumns(weights.getBits());
  int64_t mask = 0, begin_ = 0;
  ArrayRef<int64_t> macros = op.getMacros().value_or(ArrayRef<int64_t>());
  for (int64_t macro : macros) {
    int64_t columns = std::min(perMacro, form.channels - begin_);
    if (columns <= 0)
      break;
    mask |= int64_t(1) << macro;
    // Tiles of other pixels may use the same cells.
    if (written.insert({core, macro, op.getMacroRow()}).second)
      CellsOp::create(memory, loc, op.getWeights(), core, macro,
                      op.getMacroRow(), op.getKBegin(), op.getKSize(),
                      op.getNBegin() + begin_, columns);
    begin_ += columns;
  }

  Input in = input(op.getInputMutable(), op.getPadValue());
  Output out = output(result);
  int64_t x = op.getXBegin();
  int64_t end_ = x + cast<RankedTensorType>(result.getType()).getDimSize(1);
  int64_t reuse = std::min(chip.macro.partial_sum_depth, form.pixels);
  Affine row{0, form.chunks, form.chunks > 1};
  loop(
      form.rows,
      [&] {
        waitRow(in);
        loop(form.chunks, [&] {
          begin(out);
          sched::MvmOp::create(code, loc, mask, form.channels, op.getMacroRow(),
                               0, weights.getBits(), in.view, op.getWindow(),
                               op.getKBegin(), op.getKSize(), out.view,
                               Affine{0, 1, 0}, row,
                               Affine{x, 0, form.chunks > 1 ? form.pixels : 0},
                               form.pixels, end_, 0, reuse);
          end(out, row);
        });
        freeRow(in);
      },
      form.chunks > 1);
  freeRest(in, form.rows);
}

void StreamEmitter::emitSum(cim::SumOp op) {
  RowForm form = plan.form(op.getResult());
  SmallVector<Input> inputs;
  for (OpOperand &operand : op->getOpOperands())
    inputs.push_back(input(operand));
  Output out = output(op.getResult());
  // Chunks are rows here: they pass one by one.
  loop(form.rows * form.chunks, [&] {
    Affine row{0, 1, 0};
    for (const Input &in : inputs)
      waitRow(in);
    begin(out);
    for (auto [i, in] : llvm::enumerate(inputs)) {
      if (i == 0)
        CopyOp::create(code, loc, in.view, rowOf(in), out.view, row);
      else
        AddIOp::create(code, loc, in.view, rowOf(in), out.view, row);
    }
    for (const Input &in : inputs)
      freeRow(in);
    end(out, row);
  });
  for (const Input &in : inputs)
    freeRest(in, form.rows * form.chunks);
}

/// {i32 bias, f32 multiplier} or {f32 unit, f32 bias} for each channel.
StringRef StreamEmitter::finishConstants(Operation *op) {
  int64_t channels = plan.form(op->getResult(0)).channels;
  SmallVector<int32_t> constants;
  auto append = [&](auto first, auto second) {
    for (int64_t c = 0; c < channels; ++c) {
      constants.push_back(
          llvm::bit_cast<int32_t>(first[first.size() == 1 ? 0 : c]));
      constants.push_back(
          llvm::bit_cast<int32_t>(second[second.size() == 1 ? 0 : c]));
    }
  };
  if (auto requantize = dyn_cast<cim::RequantizeOp>(op))
    append(requantize.getBias(), requantize.getMultiplier());
  else if (auto combine = dyn_cast<cim::CombineOp>(op))
    append(combine.getWeightUnits(), combine.getBias());
  return data(DenseElementsAttr::get(
      RankedTensorType::get({channels, 2}, code.getI32Type()),
      ArrayRef<int32_t>(constants)));
}

void StreamEmitter::emitFinish(Operation *op) {
  RowForm form = plan.form(op->getOperand(0));
  RowForm result = plan.form(op->getResult(0));
  StringRef table = finishConstants(op);
  Input in = input(op->getOpOperand(0));
  auto combine = dyn_cast<cim::CombineOp>(op);
  std::optional<Input> units;
  if (combine)
    units = input(combine.getUnitsMutable());
  Output out = output(op->getResult(0));
  bool chunked = form.chunks > 1;
  // Chunks are rows of the channel; what is not cut may be some rows of a map.
  Affine row = chunked ? Affine{0, form.chunks, 1} : rowOf(in);
  Affine next = chunked ? Affine{1, form.chunks, 1}
                        : Affine{in.rows.need, in.rows.mul, 0};
  Affine done = chunked ? next : Affine{in.rows.done, in.rows.mul, 0};
  Affine dstRow{0, 1, 0}, dstPixel{0, 0, chunked ? form.pixels : 0};
  loop(
      result.rows,
      [&] {
        if (units)
          waitRow(*units);
        if (chunked)
          begin(out);
        loop(form.chunks, [&] {
          wait(in, next);
          if (!chunked)
            begin(out);
          if (combine)
            sched::CombineOp::create(code, loc, in.view, row, out.view, dstRow,
                                     dstPixel, form.pixels, combine.getDigits(),
                                     units->view, rowOf(*units), table);
          else if (auto requantize = dyn_cast<cim::RequantizeOp>(op))
            sched::RequantizeOp::create(
                code, loc, in.view, row, out.view, dstRow, dstPixel,
                form.pixels, table, requantize.getZero(), requantize.getLow(),
                requantize.getHigh());
          free(in, done);
        });
        if (units)
          freeRow(*units);
        end(out, {0, 1, 0});
      },
      chunked);
  if (!chunked)
    freeRest(in, result.rows);
  if (units)
    freeRest(*units, result.rows);
}

void StreamEmitter::emitRowSum(cim::RowSumOp op) {
  Input in = input(op->getOpOperand(0));
  Output out = output(op.getResult());
  Affine first{0, 0, 0};
  begin(out);
  wait(in, {1, 0, 0});
  sched::RowSumOp::create(code, loc, in.view, first, out.view, first, 1);
  free(in, {1, 0, 0});
  if (in.total > 1) {
    // Always a loop: i0 counts the rows after the first.
    loop(
        in.total - 1,
        [&] {
          wait(in, {2, 1, 0});
          sched::RowSumOp::create(code, loc, in.view, Affine{1, 1, 0}, out.view,
                                  first, 0);
          free(in, {2, 1, 0});
        },
        true);
  }
  end(out, first);
}

//===----------------------------------------------------------------------===//
// Whole maps
//===----------------------------------------------------------------------===//

void StreamEmitter::emitWhole(Operation *op) {
  SmallVector<Input> inputs;
  for (OpOperand &operand : op->getOpOperands())
    inputs.push_back(input(operand));
  Value result = op->getResult(0);
  RowForm form = plan.form(result);
  Output out = output(result, /*whole=*/true);
  for (const Input &in : inputs)
    waitAll(in);
  if (auto product = dyn_cast<cim::MatMulOp>(op)) {
    sched::MatMulOp::create(code, loc, inputs[0].view, inputs[1].view, out.view,
                            product.getBatch(), product.getM(), product.getK(),
                            product.getN(), product.getTransposeB(),
                            product.getZa(), product.getZb());
  } else if (auto gather = dyn_cast<cim::GatherOp>(op)) {
    sched::GatherOp::create(code, loc, inputs[0].view, inputs[1].view, out.view,
                            gather.getBlock());
  } else if (auto scatter = dyn_cast<cim::ScatterOp>(op)) {
    loop(form.rows, [&] {
      Affine row{0, 1, 0};
      CopyOp::create(code, loc, inputs[0].view, row, out.view, row);
    });
    sched::ScatterOp::create(code, loc, inputs[2].view, inputs[1].view,
                             out.view, scatter.getBlock(),
                             reductionNumber(scatter.getFunction()));
  } else {
    auto move = cast<cim::MoveOp>(op);
    int64_t moved = 1;
    for (int64_t count : move.getCounts())
      moved *= count;
    if (moved < form.rows * form.pixels * form.channels)
      loop(form.rows, [&] {
        FillOp::create(code, loc, out.view, Affine{0, 1, 0}, move.getFill());
      });
    SmallVector<int64_t> pattern{elementBytes(form.type),
                                 int64_t(move.getSrcOffset()),
                                 int64_t(move.getDstOffset())};
    auto append = [&](ArrayRef<int64_t> values, int64_t unused) {
      pattern.append(6 - values.size(), unused);
      pattern.append(values.begin(), values.end());
    };
    append(move.getCounts(), 1);
    append(move.getSrcStrides(), 0);
    append(move.getDstStrides(), 0);
    sched::MoveOp::create(code, loc, inputs[0].view, out.view, pattern);
  }
  for (const Input &in : inputs)
    freeAll(in);
  loop(form.rows, [&] { end(out, {0, 1, 0}); });
}

void StreamEmitter::emitReshape(cim::ReshapeOp op) {
  Value result = op.getResult();
  OpOperand &operand = op->getOpOperand(0);
  RowForm form = plan.form(result);
  bool whole = readsWhole(op, 0);
  Source source = plan.source(operand);
  RowForm from = plan.form(operand.get());
  Input in;
  in.channel = source.channel;
  in.consumer = source.consumer;
  in.selected = cim::selectedRows(operand.get());
  in.rows = in.selected.of({1, 1, 1});
  in.total = in.selected.rows * from.chunks;
  Output out;
  if (source.channel >= 0) {
    // The rows of the result as they lie in the operand's: in the same row,
    // or in a ring that holds the whole map.
    Geometry g{plan.channels[source.channel].name,
               whole ? form.rows : in.total,
               form.pixels,
               form.channels,
               form.type,
               0,
               form.channels * elementBytes(form.type),
               0,
               0,
               0};
    if (whole) {
      g.rowPitch = form.rowBytes();
      g.slots = form.rows;
    }
    out.geometry = g;
  } else {
    Value value = operand.get();
    while (auto reshape = value.getDefiningOp<cim::ReshapeOp>())
      value = reshape.getInput();
    out.geometry = {
        data(value.getDefiningOp<cim::ConstantOp>().getValue()).str(),
        form.rows,
        form.pixels,
        form.channels,
        form.type,
        0,
        form.channels * elementBytes(form.type),
        form.rowBytes(),
        form.rows,
        0};
  }
  out.view = view(out.geometry);
  out.destinations = plan.destinations(result);
  if (whole)
    waitAll(in);
  loop(form.rows * form.chunks, [&] {
    if (!whole)
      waitRow(in);
    end(out, whole ? Affine{0, 1, 0} : rowOf(in));
    if (!whole)
      freeRow(in);
  });
  if (whole)
    freeAll(in);
  else
    freeRest(in, form.rows * form.chunks);
}

void StreamEmitter::emitRowConcat(cim::ConcatOp op) {
  Output out;
  out.destinations = plan.destinations(op.getResult());
  for (OpOperand &operand : op->getOpOperands()) {
    Input in = input(operand);
    out.view = in.view;
    out.geometry = in.geometry;
    loop(in.total, [&] {
      wait(in, {1, 1, 0});
      end(out, {0, 1, 0});
      free(in, {1, 1, 0});
    });
  }
}

void StreamEmitter::emitDelay(cim::DelayOp op) {
  Output out;
  out.destinations = plan.destinations(op.getResult());
  Input initial = input(op->getOpOperand(0)), state = input(plan.delayed(op));
  wait(initial, {1, 0, 0});
  out.view = initial.view;
  out.geometry = initial.geometry;
  end(out, {0, 0, 0});
  free(initial, {1, 0, 0});
  out.view = state.view;
  out.geometry = state.geometry;
  if (state.total > 1)
    loop(state.total - 1, [&] {
      wait(state, {1, 1, 0});
      end(out, {0, 1, 0});
      free(state, {1, 1, 0});
    });
  // Nobody asks for what follows the last row.
  waitAll(state);
  freeAll(state);
}

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

/// What a window reads outside its input.
static int64_t padValue(Operation *op) {
  if (auto depthwise = dyn_cast<cim::DepthwiseOp>(op))
    return depthwise.getPadValue();
  if (auto average = dyn_cast<cim::AvgPoolOp>(op))
    return average.getZeroIn();
  if (!isa<cim::MaxPoolOp>(op))
    return 0;
  Type type =
      cast<RankedTensorType>(op->getOperand(0).getType()).getElementType();
  if (type.isUnsignedInteger() || !type.isIntOrIndex())
    return 0;
  return -(int64_t(1) << (type.getIntOrFloatBitWidth() - 1));
}

LogicalResult StreamEmitter::emitElementwise(Operation *op) {
  SmallVector<Input> inputs;
  for (OpOperand &operand : op->getOpOperands())
    inputs.push_back(input(operand, padValue(op)));
  LogicalResult result = success();
  Affine row{0, 1, 0};
  rowByRow(op, inputs, [&](const Output &out) {
    const Input &in = inputs.front();
    Affine a = rowOf(in);
    StringRef dst = out.view;
    // Windows are placed by the output row.
    result = TypeSwitch<Operation *, LogicalResult>(op)
                 .Case([&](cim::AddOp add) {
                   AddQOp::create(code, loc, in.view, a, inputs[1].view,
                                  rowOf(inputs[1]), dst, row, add.getRa(),
                                  add.getRb(), add.getF(), add.getLow(),
                                  add.getHigh());
                   return success();
                 })
                 .Case([&](cim::MulOp mul) {
                   MulQOp::create(code, loc, in.view, a, inputs[1].view,
                                  rowOf(inputs[1]), dst, row, mul.getZa(),
                                  mul.getZb(), mul.getR(), mul.getZc(),
                                  mul.getLow(), mul.getHigh());
                   return success();
                 })
                 .Case([&](cim::LookupOp lookup) {
                   sched::LookupOp::create(code, loc, in.view, a, dst, row,
                                           bytes(lookup.getTable()));
                   return success();
                 })
                 .Case([&](cim::MaxPoolOp pool) {
                   sched::MaxPoolOp::create(code, loc, in.view, row, dst, row,
                                            pool.getWindow());
                   return success();
                 })
                 .Case([&](cim::AvgPoolOp pool) {
                   sched::AvgPoolOp::create(
                       code, loc, in.view, row, dst, row, pool.getWindow(),
                       pool.getScaleIn(), pool.getZeroIn(), pool.getScaleOut(),
                       pool.getZeroOut(), pool.getCountIncludePad());
                   return success();
                 })
                 .Case([&](cim::DepthwiseOp conv) {
                   sched::DepthwiseOp::create(code, loc, in.view, row, dst, row,
                                              conv.getWindow(),
                                              data(conv.getWeights()));
                   return success();
                 })
                 .Case([&](cim::UnitOp unit) {
                   sched::UnitOp::create(code, loc, in.view, row, dst, row,
                                         unit.getWindow(), unit.getLevels());
                   return success();
                 })
                 .Case([&](cim::DigitsOp digits) {
                   sched::DigitsOp::create(
                       code, loc, in.view, row, dst, row, digits.getWindow(),
                       digits.getLevels(), inputs[1].view, rowOf(inputs[1]));
                   return success();
                 })
                 .Case([&](cim::SoftmaxOp softmax) {
                   SoftmaxQOp::create(code, loc, in.view, a, dst, row,
                                      floats(softmax.getTable()),
                                      softmax.getY(), softmax.getZero());
                   return success();
                 })
                 .Case([&](cim::QuantizeOp quantize) {
                   sched::QuantizeOp::create(code, loc, in.view, a, dst, row,
                                             quantize.getScale(),
                                             quantize.getZero());
                   return success();
                 })
                 .Case([&](cim::DequantizeOp dequantize) {
                   sched::DequantizeOp::create(code, loc, in.view, a, dst, row,
                                               dequantize.getScale(),
                                               dequantize.getZero());
                   return success();
                 })
                 .Default([&](Operation *other) {
                   return emitVector(other, inputs, dst);
                 });
  });
  return result;
}
