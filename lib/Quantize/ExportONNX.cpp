//===- ExportONNX.cpp - a module as a QDQ model -----------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Quantize/Quantize.h"

#include "Constants.h"

#include "cimc/Reference/Evaluator.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>

using namespace mlir;
using namespace cimc::quantization;

namespace cimc {

namespace {

/// What the standard says of the model: 16-bit integers came with opset 21.
constexpr int64_t opsetVersion = 17, opsetVersion16Bits = 21;
constexpr int64_t irVersion = 8, irVersion16Bits = 10;

std::optional<int32_t> onnxType(Type type) {
  using Proto = onnx::TensorProto;
  if (auto quantized = dyn_cast<quant::QuantizedType>(type)) {
    switch (quantized.getStorageTypeIntegralWidth()) {
    case 8:
      return quantized.isSigned() ? Proto::INT8 : Proto::UINT8;
    case 16:
      return quantized.isSigned() ? Proto::INT16 : Proto::UINT16;
    case 32:
      return Proto::INT32;
    }
    return std::nullopt;
  }
  if (type.isF32())
    return Proto::FLOAT;
  if (type.isInteger(1))
    return Proto::BOOL;
  if (type.isUnsignedInteger(8))
    return Proto::UINT8;
  if (type.isInteger(8))
    return Proto::INT8;
  if (type.isInteger(32))
    return Proto::INT32;
  if (type.isInteger(64))
    return Proto::INT64;
  return std::nullopt;
}

class Exporter;

/// One nn operation without inputs of its own making.
struct Row {
  const char *nn, *onnx;
  void (*attributes)(Exporter &, Operation *, onnx::NodeProto &);
};

class Exporter {
public:
  Result<std::string> run(func::FuncOp entry);

  void setInts(onnx::NodeProto &node, const char *name,
               ArrayRef<int64_t> values) {
    onnx::AttributeProto *attr = attribute(node, name);
    attr->set_type(onnx::AttributeProto::INTS);
    for (int64_t value : values)
      attr->add_ints(value);
  }
  void setInt(onnx::NodeProto &node, const char *name, int64_t value) {
    onnx::AttributeProto *attr = attribute(node, name);
    attr->set_type(onnx::AttributeProto::INT);
    attr->set_i(value);
  }
  void setFloat(onnx::NodeProto &node, const char *name, float value) {
    onnx::AttributeProto *attr = attribute(node, name);
    attr->set_type(onnx::AttributeProto::FLOAT);
    attr->set_f(value);
  }
  /// Appends constant inputs.
  void addInts(onnx::NodeProto &node, const char *what,
               ArrayRef<int64_t> values) {
    onnx::TensorProto *tensor = initializer(node.name() + "_" + what);
    tensor->set_data_type(onnx::TensorProto::INT64);
    tensor->add_dims(static_cast<int64_t>(values.size()));
    tensor->set_raw_data(values.data(), values.size() * sizeof(int64_t));
    node.add_input(tensor->name());
  }
  void addFloat(onnx::NodeProto &node, const char *what, float value) {
    onnx::TensorProto *tensor = initializer(node.name() + "_" + what);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    tensor->set_raw_data(&value, sizeof(value));
    node.add_input(tensor->name());
  }
  void fail(Operation *op, const std::string &what) {
    if (!failure)
      failure =
          Error{ExitCode::Unsupported,
                "'" + nodeName(op) + "' cannot be written as ONNX: " + what};
  }

private:
  onnx::AttributeProto *attribute(onnx::NodeProto &node, const char *name) {
    onnx::AttributeProto *attr = node.add_attribute();
    attr->set_name(name);
    return attr;
  }
  onnx::TensorProto *initializer(const std::string &name) {
    onnx::TensorProto *tensor = graph->add_initializer();
    tensor->set_name(fresh(name));
    return tensor;
  }
  std::string fresh(const std::string &base) {
    std::string name = base;
    for (int i = 1; !taken.insert(name).second; ++i)
      name = base + "_" + std::to_string(i);
    return name;
  }
  onnx::NodeProto &addNode(const char *type, const std::string &name) {
    onnx::NodeProto *node = graph->add_node();
    node->set_op_type(type);
    node->set_name(fresh(name));
    return *node;
  }
  void describe(onnx::ValueInfoProto *info, const std::string &name,
                Operation *op, Type type);
  std::string nameOf(Value value);
  void exportConstant(nn::ConstantOp op);
  void exportConversion(Operation *op, bool quantize);
  void exportMatMul(nn::MatMulOp op);
  void exportOperation(Operation *op);
  void finish(onnx::NodeProto &node, Operation *op);
  std::string transposed(const std::string &input, Value value,
                         const std::string &name);

  onnx::GraphProto *graph = nullptr;
  llvm::StringSet<> taken;
  llvm::DenseMap<Value, std::string> names; // looked up only
  std::optional<Error> failure;
};

template <typename Op>
void windowAttributes(Exporter &e, Op op, onnx::NodeProto &node) {
  e.setInts(node, "strides", op.getStrides());
  e.setInts(node, "pads", op.getPads());
}

void none(Exporter &, Operation *, onnx::NodeProto &) {}

void conv(Exporter &e, Operation *op, onnx::NodeProto &node) {
  auto conv = cast<nn::ConvOp>(op);
  auto weight = cast<ShapedType>(conv.getWeight().getType()).getShape();
  e.setInts(node, "kernel_shape", weight.drop_front(2));
  windowAttributes(e, conv, node);
  e.setInts(node, "dilations", conv.getDilations());
  e.setInt(node, "group", conv.getGroup());
}

void maxPool(Exporter &e, Operation *op, onnx::NodeProto &node) {
  auto pool = cast<nn::MaxPoolOp>(op);
  e.setInts(node, "kernel_shape", pool.getKernel());
  windowAttributes(e, pool, node);
  e.setInts(node, "dilations", pool.getDilations());
  e.setInt(node, "ceil_mode", pool.getCeilMode());
}

void avgPool(Exporter &e, Operation *op, onnx::NodeProto &node) {
  auto pool = cast<nn::AvgPoolOp>(op);
  if (llvm::any_of(pool.getDilations(), [](int64_t d) { return d != 1; }))
    e.fail(op, "opset 17 has no dilated average pooling");
  e.setInts(node, "kernel_shape", pool.getKernel());
  windowAttributes(e, pool, node);
  e.setInt(node, "ceil_mode", pool.getCeilMode());
  e.setInt(node, "count_include_pad", pool.getCountIncludePad());
}

void axis(Exporter &e, Operation *op, onnx::NodeProto &node) {
  e.setInt(node, "axis", op->getAttrOfType<IntegerAttr>("axis").getInt());
}

void permutation(Exporter &e, Operation *op, onnx::NodeProto &node) {
  e.setInts(node, "perm", cast<nn::TransposeOp>(op).getPerm());
}

void reshape(Exporter &e, Operation *op, onnx::NodeProto &node) {
  e.addInts(node, "shape",
            cast<ShapedType>(op->getResult(0).getType()).getShape());
}

void pad(Exporter &e, Operation *op, onnx::NodeProto &node) {
  auto pad = cast<nn::PadOp>(op);
  SmallVector<int64_t> pads(pad.getLow());
  llvm::append_range(pads, pad.getHigh());
  e.addInts(node, "pads", pads);
  e.addFloat(node, "value", pad.getValue().convertToFloat());
}

void slice(Exporter &e, Operation *op, onnx::NodeProto &node) {
  auto slice = cast<nn::SliceOp>(op);
  SmallVector<int64_t> ends, axes;
  for (auto [i, start, size, step] :
       llvm::enumerate(slice.getStarts(), slice.getSizes(), slice.getSteps())) {
    int64_t end = start + size * step;
    // A negative end counts from the back; before the first element there is
    // only "as far as possible".
    ends.push_back(end < 0 ? std::numeric_limits<int32_t>::min() : end);
    axes.push_back(static_cast<int64_t>(i));
  }
  e.addInts(node, "starts", slice.getStarts());
  e.addInts(node, "ends", ends);
  e.addInts(node, "axes", axes);
  e.addInts(node, "steps", slice.getSteps());
}

void clip(Exporter &e, Operation *op, onnx::NodeProto &node) {
  auto clip = cast<nn::ClipOp>(op);
  e.addFloat(node, "min", clip.getMin().convertToFloat());
  e.addFloat(node, "max", clip.getMax().convertToFloat());
}

void parameters(Exporter &e, Operation *op, onnx::NodeProto &node) {
  for (const char *name : {"alpha", "beta", "epsilon"})
    if (auto attr = op->getAttrOfType<FloatAttr>(name))
      e.setFloat(node, name, static_cast<float>(attr.getValueAsDouble()));
}

void castTo(Exporter &e, Operation *op, onnx::NodeProto &node) {
  std::optional<int32_t> type = onnxType(elementType(op->getResult(0)));
  if (!type)
    return e.fail(op, "its result type is none of ONNX's");
  e.setInt(node, "to", *type);
}

const Row table[] = {
    {"nn.conv", "Conv", conv},
    {"nn.add", "Add", none},
    {"nn.sub", "Sub", none},
    {"nn.mul", "Mul", none},
    {"nn.div", "Div", none},
    {"nn.pow", "Pow", none},
    {"nn.max", "Max", none},
    {"nn.min", "Min", none},
    {"nn.relu", "Relu", none},
    {"nn.sigmoid", "Sigmoid", none},
    {"nn.tanh", "Tanh", none},
    {"nn.exp", "Exp", none},
    {"nn.log", "Log", none},
    {"nn.sqrt", "Sqrt", none},
    {"nn.reciprocal", "Reciprocal", none},
    {"nn.neg", "Neg", none},
    {"nn.abs", "Abs", none},
    {"nn.erf", "Erf", none},
    {"nn.hard_swish", "HardSwish", none},
    {"nn.leaky_relu", "LeakyRelu", parameters},
    {"nn.hard_sigmoid", "HardSigmoid", parameters},
    {"nn.clip", "Clip", clip},
    {"nn.softmax", "Softmax", axis},
    {"nn.batch_norm", "BatchNormalization", parameters},
    {"nn.max_pool", "MaxPool", maxPool},
    {"nn.avg_pool", "AveragePool", avgPool},
    {"nn.global_avg_pool", "GlobalAveragePool", none},
    {"nn.reshape", "Reshape", reshape},
    {"nn.transpose", "Transpose", permutation},
    {"nn.concat", "Concat", axis},
    {"nn.pad", "Pad", pad},
    {"nn.slice", "Slice", slice},
    {"nn.cast", "Cast", castTo},
};

void Exporter::describe(onnx::ValueInfoProto *info, const std::string &name,
                        Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::optional<int32_t> element =
      tensor && !isa<quant::QuantizedType>(tensor.getElementType())
          ? onnxType(tensor.getElementType())
          : std::nullopt;
  if (!element)
    return fail(op, "'" + name +
                        "' is an input or output of a type that a "
                        "QDQ model does not have");
  info->set_name(name);
  auto *proto = info->mutable_type()->mutable_tensor_type();
  proto->set_elem_type(*element);
  auto *shape = proto->mutable_shape();
  for (int64_t extent : tensor.getShape())
    shape->add_dim()->set_dim_value(extent);
}

std::string Exporter::nameOf(Value value) { return names.lookup(value); }

void Exporter::exportConstant(nn::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  std::optional<int32_t> element = onnxType(type.getElementType());
  if (!element)
    return fail(op, "its type is none of ONNX's");
  HostTensor tensor = toHostTensor(op.getValue());
  onnx::TensorProto *proto = initializer(nodeName(op));
  proto->set_data_type(*element);
  for (int64_t extent : type.getShape())
    proto->add_dims(extent);
  proto->set_raw_data(tensor.data.data(), tensor.data.size());
  names[op.getResult()] = proto->name();
}

void Exporter::exportConversion(Operation *op, bool quantize) {
  Value integers = quantize ? op->getResult(0) : op->getOperand(0);
  Type type = elementType(integers);
  std::optional<Scales> scales = scalesOf(type);
  std::optional<int32_t> element = onnxType(type);
  if (!scales || !element)
    return fail(op, "its quantized type is none of ONNX's");
  bool constant = !quantize && constantOf(integers);
  std::string base = constant ? nameOf(integers) : nodeName(op);
  onnx::NodeProto &node =
      addNode(quantize ? "QuantizeLinear" : "DequantizeLinear",
              base + (quantize ? "_QuantizeLinear" : "_DequantizeLinear"));
  node.add_input(nameOf(op->getOperand(0)));
  onnx::TensorProto *scale = initializer(base + "_scale");
  scale->set_data_type(onnx::TensorProto::FLOAT);
  scale->set_raw_data(scales->scale.data(),
                      scales->scale.size() * sizeof(float));
  node.add_input(scale->name());
  onnx::TensorProto *zero = nullptr;
  // int32 has no zero point.
  if (*element != onnx::TensorProto::INT32) {
    zero = initializer(base + "_zero_point");
    zero->set_data_type(*element);
    std::string bytes;
    for (int32_t value : scales->zero)
      bytes.append(
          reinterpret_cast<const char *>(&value),
          cast<quant::QuantizedType>(type).getStorageTypeIntegralWidth() / 8);
    zero->set_raw_data(bytes);
    node.add_input(zero->name());
  }
  if (scales->axis >= 0) {
    scale->add_dims(static_cast<int64_t>(scales->scale.size()));
    if (zero)
      zero->add_dims(static_cast<int64_t>(scales->zero.size()));
    setInt(node, "axis", scales->axis);
  }
  finish(node, op);
}

// A node that swaps the last two axes.
std::string Exporter::transposed(const std::string &input, Value value,
                                 const std::string &name) {
  int64_t rank = cast<ShapedType>(value.getType()).getRank();
  SmallVector<int64_t> perm;
  for (int64_t i = 0; i < rank; ++i)
    perm.push_back(i);
  std::swap(perm[rank - 1], perm[rank - 2]);
  onnx::NodeProto &node = addNode("Transpose", name + "_transpose");
  node.add_input(input);
  setInts(node, "perm", perm);
  node.add_output(fresh(node.name() + "_output"));
  return node.output(0);
}

void Exporter::exportMatMul(nn::MatMulOp op) {
  std::string a = nameOf(op.getA()), b = nameOf(op.getB());
  std::string name = nodeName(op);
  auto rank = [](Value v) { return cast<ShapedType>(v.getType()).getRank(); };
  bool flat = rank(op.getA()) == 2 && rank(op.getB()) == 2;
  if (flat && (op.getBias() || op.getTransposeA() || op.getTransposeB())) {
    onnx::NodeProto &node = addNode("Gemm", name);
    node.add_input(a);
    node.add_input(b);
    if (op.getBias())
      node.add_input(nameOf(op.getBias()));
    setInt(node, "transA", op.getTransposeA());
    setInt(node, "transB", op.getTransposeB());
    return finish(node, op);
  }
  if (op.getTransposeA())
    a = transposed(a, op.getA(), name);
  if (op.getTransposeB())
    b = transposed(b, op.getB(), name);
  onnx::NodeProto &node = addNode("MatMul", name);
  node.add_input(a);
  node.add_input(b);
  if (!op.getBias())
    return finish(node, op);
  node.add_output(fresh(name + "_product"));
  onnx::NodeProto &sum = addNode("Add", name + "_bias");
  sum.add_input(node.output(0));
  sum.add_input(nameOf(op.getBias()));
  finish(sum, op);
}

// The output's name: that of the model's output where the value is one.
void Exporter::finish(onnx::NodeProto &node, Operation *op) {
  std::string &name = names[op->getResult(0)];
  if (name.empty())
    name = fresh(node.name() + "_output");
  node.add_output(name);
}

void Exporter::exportOperation(Operation *op) {
  if (auto constant = dyn_cast<nn::ConstantOp>(op))
    return exportConstant(constant);
  if (isa<nn::QuantizeOp, nn::DequantizeOp>(op))
    return exportConversion(op, isa<nn::QuantizeOp>(op));
  for (Value value : op->getOperands())
    if (isa<quant::QuantizedType>(elementType(value)))
      return fail(op, "it computes with integers already; export before "
                      "nn-fuse-qdq");
  if (auto matmul = dyn_cast<nn::MatMulOp>(op))
    return exportMatMul(matmul);
  for (const Row &row : table) {
    if (op->getName().getStringRef() != row.nn)
      continue;
    onnx::NodeProto &node = addNode(row.onnx, nodeName(op));
    for (Value operand : op->getOperands())
      node.add_input(nameOf(operand));
    row.attributes(*this, op, node);
    return finish(node, op);
  }
  fail(op,
       "there is no ONNX operator for " + op->getName().getStringRef().str());
}

Result<std::string> Exporter::run(func::FuncOp entry) {
  onnx::ModelProto model;
  bool has16Bits = entry
                       .walk([](nn::QuantizeOp op) {
                         auto type = dyn_cast<quant::QuantizedType>(
                             elementType(op.getResult()));
                         return type && type.getStorageTypeIntegralWidth() == 16
                                    ? WalkResult::interrupt()
                                    : WalkResult::advance();
                       })
                       .wasInterrupted();
  model.set_ir_version(has16Bits ? irVersion16Bits : irVersion);
  model.set_producer_name("cimc");
  onnx::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(has16Bits ? opsetVersion16Bits : opsetVersion);
  graph = model.mutable_graph();
  graph->set_name(entry.getName().str());
  for (BlockArgument argument : entry.getArguments()) {
    auto attr =
        entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nn.name");
    names[argument] =
        fresh(attr ? attr.getValue().str()
                   : "input_" + std::to_string(argument.getArgNumber()));
    describe(graph->add_input(), nameOf(argument), entry, argument.getType());
  }
  Operation *end = entry.front().getTerminator();
  std::vector<std::string> outputs;
  for (OpOperand &output : end->getOpOperands()) {
    unsigned i = output.getOperandNumber();
    auto attr = entry.getResultAttrOfType<StringAttr>(i, "nn.name");
    outputs.push_back(
        fresh(attr ? attr.getValue().str() : "output_" + std::to_string(i)));
    std::string &name = names[output.get()];
    if (name.empty() && !constantOf(output.get()))
      name = outputs.back();
    describe(graph->add_output(), outputs.back(), entry,
             output.get().getType());
  }
  for (Operation &op : entry.front().without_terminator())
    exportOperation(&op);
  // Inputs, constants and values that are outputs twice.
  for (OpOperand &output : end->getOpOperands()) {
    const std::string &name = outputs[output.getOperandNumber()];
    if (nameOf(output.get()) == name)
      continue;
    onnx::NodeProto &node = addNode("Identity", name + "_identity");
    node.add_input(nameOf(output.get()));
    node.add_output(name);
  }
  if (failure)
    return *failure;
  std::string bytes;
  if (!model.SerializeToString(&bytes))
    return Error{ExitCode::ResourceLimit,
                 "the model is larger than the 2 GiB that one ONNX file holds"};
  return bytes;
}

} // namespace

Result<std::string> exportONNX(ModuleOp module) {
  auto entry = findEntry(module);
  if (!entry)
    return entry.takeError();
  return Exporter().run(*entry);
}

} // namespace cimc
