//===- ControlFlow.cpp - bodies, calls, If, Loop and Scan -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Bodies and functions are written out where they run. What a body computes
// has no side effects, so an If whose condition is known only when the program
// runs computes both branches and chooses.
//
//===----------------------------------------------------------------------===//

#include "Build.h"
#include "GraphImporter.h"

#include <google/protobuf/unknown_field_set.h>

using namespace cimc;
using namespace cimc::onnx_import;
using namespace mlir;

/// Nodes that bodies and functions may have, all together, written out.
static constexpr int64_t kMaxWrittenOut = 100000;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Tensor *GraphImporter::find(const std::string &name) {
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    auto it = (*frame)->tensors.find(name);
    if (it != (*frame)->tensors.end())
      return &it->second;
    if ((*frame)->isolated)
      return nullptr;
  }
  auto it = tensors.find(name);
  return it == tensors.end() ? nullptr : &it->second;
}

const onnx::AttributeProto *
GraphImporter::resolve(const onnx::AttributeProto &attribute) {
  if (attribute.ref_attr_name().empty())
    return &attribute;
  // The attributes of the call; bodies inside a function see them too.
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame)
    if ((*frame)->isolated)
      return (*frame)->attributes.lookup(attribute.ref_attr_name());
  failInvalid("attribute '{}' refers to an attribute of a function, but the "
              "node is in none",
              attribute.name());
}

std::string GraphImporter::fullName(const onnx::NodeProto &proto,
                                    int index) const {
  std::string name = nameOf(proto, index);
  return frames.empty() ? name : frames.back()->prefix + name;
}

//===----------------------------------------------------------------------===//
// Bodies and calls
//===----------------------------------------------------------------------===//

std::vector<Tensor> GraphImporter::importFrame(
    std::unique_ptr<Frame> frame,
    const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
    ArrayRef<std::string> outputs) {
  if ((writtenOut += nodes.size()) > kMaxWrittenOut)
    failUnsupported("loops and functions have more than {} nodes once they are "
                    "written out",
                    kMaxWrittenOut);
  frames.push_back(std::move(frame));
  // Also where a handler inside gives up.
  struct Pop {
    std::vector<std::unique_ptr<Frame>> &frames;
    ~Pop() { frames.pop_back(); }
  } pop{frames};
  for (int i = 0; i < nodes.size(); ++i)
    importNode(nodes.Get(i), i);
  std::vector<Tensor> results;
  for (const std::string &name : outputs) {
    Tensor *tensor = find(name);
    if (!tensor)
      failInvalid("the result '{}' of a body is not defined", name);
    results.push_back(*tensor);
  }
  return results;
}

std::vector<Tensor> GraphImporter::importBody(const onnx::GraphProto &body,
                                              std::vector<Tensor> inputs,
                                              const std::string &name) {
  if (body.sparse_initializer_size())
    failUnsupported("sparse initializers are not supported");
  auto frame = std::make_unique<Frame>();
  frame->prefix = (frames.empty() ? "" : frames.back()->prefix) + name + "/";
  frame->opsets = frames.empty() ? opsets : frames.back()->opsets;
  for (const onnx::TensorProto &proto : body.initializer()) {
    Tensor tensor;
    tensor.constant = decodeTensor(
        proto, source, fmt::format("initializer '{}'", proto.name()));
    frame->tensors[proto.name()] = std::move(tensor);
  }
  if (static_cast<size_t>(body.input_size()) != inputs.size())
    failInvalid("a body has {} inputs; it needs {}", body.input_size(),
                inputs.size());
  for (auto [proto, tensor] : llvm::zip(body.input(), inputs))
    if (!frame->tensors.try_emplace(proto.name(), std::move(tensor)).second)
      failInvalid("the name '{}' is defined twice in a body", proto.name());
  std::vector<std::string> outputs;
  for (const onnx::ValueInfoProto &output : body.output())
    outputs.push_back(output.name());
  return importFrame(std::move(frame), body.node(), outputs);
}

void GraphImporter::importCall(Node &node,
                               const onnx::FunctionProto &function) {
  auto frame = std::make_unique<Frame>();
  frame->isolated = true;
  frame->prefix = (frames.empty() ? "" : frames.back()->prefix) +
                  nameOf(node.proto, 0) + "/";
  frame->opsets = opsetsOf(function);
  // Files that name none mean the model's.
  for (const auto &[domain, version] : opsets)
    frame->opsets.try_emplace(domain, version);
  // Default values came with a later version of the format than the packaged
  // library's: FunctionProto.attribute_proto, field 11.
  const google::protobuf::UnknownFieldSet &unknown =
      function.GetReflection()->GetUnknownFields(function);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const google::protobuf::UnknownField &field = unknown.field(i);
    if (field.number() != 11 ||
        field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      continue;
    auto attribute = std::make_unique<onnx::AttributeProto>();
    if (!attribute->ParseFromString(field.length_delimited()))
      failInvalid("a default attribute of the function is damaged");
    frame->attributes[attribute->name()] = attribute.get();
    frame->defaults.push_back(std::move(attribute));
  }
  for (const onnx::AttributeProto &attribute : node.proto.attribute()) {
    node.ignore(attribute.name().c_str());
    frame->attributes[attribute.name()] = resolve(attribute);
  }
  if (node.proto.input_size() > function.input_size())
    failInvalid("the function has {} inputs, the call {}",
                function.input_size(), node.proto.input_size());
  for (int i = 0; i < node.proto.input_size(); ++i)
    if (node.hasInput(i))
      frame->tensors[function.input(i)] = lookup(node.proto.input(i), node);
  std::vector<std::string> outputs(function.output().begin(),
                                   function.output().end());
  outputs.resize(std::min<size_t>(outputs.size(), node.proto.output_size()));
  std::vector<Tensor> results =
      importFrame(std::move(frame), function.node(), outputs);
  for (size_t i = 0; i < results.size(); ++i)
    node.setResult(std::move(results[i]), i);
}

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

static const onnx::GraphProto &bodyOf(Node &node, const char *name) {
  const onnx::AttributeProto *attribute = node.getAttribute(name);
  if (!attribute || !attribute->has_g())
    failInvalid("attribute '{}' must be a graph", name);
  return attribute->g();
}

void onnx_import::importIf(Node &node) {
  const onnx::GraphProto &first = bodyOf(node, "then_branch");
  const onnx::GraphProto &second = bodyOf(node, "else_branch");
  std::string name = nameOf(node.proto, 0);
  size_t count = node.proto.output_size();
  auto run = [&](bool truth) {
    std::vector<Tensor> results =
        node.graph.importBody(truth ? first : second, {}, name);
    if (results.size() != count)
      failInvalid("a branch has {} results; the node needs {}", results.size(),
                  count);
    return results;
  };
  if (const Constant *condition = node.constant(0)) {
    if (condition->size() != 1)
      failInvalid("the condition '{}' must be one truth value",
                  node.inputName(0));
    std::vector<Tensor> results = run(integerAt(*condition, 0) != 0);
    for (size_t i = 0; i < count; ++i)
      node.setResult(std::move(results[i]), i);
    return;
  }
  Value condition = node.value(0);
  if (tensorType(condition).getNumElements() != 1 ||
      !elementType(condition).isInteger(1))
    failInvalid("the condition '{}' must be one truth value",
                node.inputName(0));
  condition = node.reshape(condition, {});
  std::vector<Tensor> then = run(true), otherwise = run(false);
  for (size_t i = 0; i < count; ++i) {
    if (then[i].missing || otherwise[i].missing) {
      then[i].missing = true;
      node.setResult(std::move(then[i]), i);
      continue;
    }
    Value a = node.graph.materialize(name, then[i]);
    Value b = node.graph.materialize(name, otherwise[i]);
    if (a.getType() != b.getType())
      failUnsupported("the condition ('{}') is known only when the program "
                      "runs, and result {} is {} in one branch and {} in the "
                      "other; fix the condition before exporting",
                      node.inputName(0), i, shapeString(shapeOf(a)),
                      shapeString(shapeOf(b)));
    node.setResult(node.emit<nn::WhereOp>(elementType(a), {condition, a, b}),
                   i);
  }
}

//===----------------------------------------------------------------------===//
// Loop and Scan
//===----------------------------------------------------------------------===//

namespace {

/// Results of steps, one for each, joined along a new axis when all are there.
struct Collected {
  SmallVector<Value> steps;
  bool missing = false;

  void add(Node &node, Tensor &tensor) {
    missing |= tensor.missing;
    if (!missing)
      steps.push_back(node.graph.materialize(nameOf(node.proto, 0), tensor));
  }
  void finish(Node &node, int64_t axis, bool reversed, size_t output) {
    if (!node.hasOutput(output))
      return;
    if (!missing && steps.empty())
      failUnsupported("output '{}' of no steps has no elements",
                      node.proto.output(output));
    node.setResult(joined(node, axis, reversed), output);
  }
  /// All steps along a new axis.
  Tensor joined(Node &node, int64_t axis, bool reversed) {
    Tensor tensor;
    tensor.missing = missing;
    if (!missing) {
      if (reversed)
        std::reverse(steps.begin(), steps.end());
      for (Value &step : steps) {
        Shape shape = shapeOf(step);
        axis = node.axis(axis, shape.size() + 1);
        shape.insert(shape.begin() + axis, 1);
        step = node.reshape(step, shape);
      }
      tensor.value = concat(node, steps, axis);
    }
    return tensor;
  }
};

} // namespace

void onnx_import::importLoop(Node &node) {
  const onnx::GraphProto &body = bodyOf(node, "body");
  std::string name = nameOf(node.proto, 0);
  std::optional<int64_t> limit;
  if (node.hasInput(0)) {
    Shape trips = node.integers(0, "the trip count");
    if (trips.size() != 1)
      failInvalid("the trip count ('{}') must be one number",
                  node.inputName(0));
    limit = trips[0];
  }
  auto truth = [&](const Constant &condition) {
    if (condition.size() != 1)
      failInvalid("the condition of the loop must be one truth value, not {}",
                  shapeString(condition.shape));
    return integerAt(condition, 0) != 0;
  };
  bool going = true;
  if (node.hasInput(1))
    going = truth(node.requireConstant(1, "the condition of the loop"));
  std::vector<Tensor> carried;
  for (size_t i = 2; i < node.inputCount(); ++i)
    carried.push_back(node.graph.lookup(node.inputName(i), node));
  if (static_cast<size_t>(body.output_size()) < 1 + carried.size())
    failInvalid("the body has {} results; {} are carried", body.output_size(),
                carried.size());
  std::vector<Collected> collected(body.output_size() - 1 - carried.size());
  for (int64_t step = 0; going && (!limit || step < *limit); ++step) {
    if (step == kMaxUnrolled)
      failUnsupported("the loop runs for more than {} steps, which are all "
                      "written out; {}",
                      kMaxUnrolled,
                      limit ? fmt::format("its trip count is {}", *limit)
                            : "it has no trip count");
    std::vector<Tensor> inputs(2);
    inputs[0].constant = makeConstant<int64_t>(DType::I64, {}, {step});
    inputs[1].constant = makeConstant<uint8_t>(DType::Bool, {}, {1});
    inputs.insert(inputs.end(), carried.begin(), carried.end());
    std::vector<Tensor> results = node.graph.importBody(
        body, std::move(inputs), fmt::format("{}[{}]", name, step));
    if (results[0].missing)
      for (Tensor &result : results)
        result.missing = true;
    else if (!results[0].constant)
      failUnsupported("whether the loop goes on after step {} depends on the "
                      "input; only loops of a known number of steps are "
                      "supported",
                      step);
    for (size_t i = 0; i < carried.size(); ++i)
      carried[i] = std::move(results[1 + i]);
    for (size_t i = 0; i < collected.size(); ++i)
      collected[i].add(node, results[1 + carried.size() + i]);
    going = results[0].constant && truth(*results[0].constant);
  }
  for (size_t i = 0; i < carried.size(); ++i)
    node.setResult(std::move(carried[i]), i);
  for (size_t i = 0; i < collected.size(); ++i)
    collected[i].finish(node, 0, false, carried.size() + i);
}

namespace {

/// One run of the body of a Scan for each step of its sequences.
struct ScanRun {
  SmallVector<Value> sequences;
  Shape axes, directions;
  int64_t steps = 0;
  std::vector<Tensor> states;
  std::vector<Collected> collected;

  void run(Node &node, const onnx::GraphProto &body, const std::string &name) {
    for (int64_t step = 0; step < steps; ++step) {
      std::vector<Tensor> inputs = states;
      for (auto [i, sequence] : llvm::enumerate(sequences))
        inputs.push_back(partOf(node, sequence, axes[i],
                                directions[i] ? steps - 1 - step : step));
      std::vector<Tensor> results = node.graph.importBody(
          body, std::move(inputs), fmt::format("{}[{}]", name, step));
      for (auto [i, result] : llvm::enumerate(results))
        if (i < states.size())
          states[i] = std::move(result);
        else
          collected[i - states.size()].add(node, result);
    }
  }
  /// One index of an axis, without the axis.
  static Tensor partOf(Node &node, Value value, int64_t axis, int64_t at) {
    Value part = slice(node, value, axis, at, 1);
    Shape shape = shapeOf(part);
    shape.erase(shape.begin() + axis);
    Tensor tensor;
    tensor.value = node.reshape(part, shape);
    return tensor;
  }
};

} // namespace

/// Opset 8: every input has an axis of samples in front, for which the scan is
/// run one by one; sequences run along the axis behind it.
static void importBatchedScan(Node &node, const onnx::GraphProto &body,
                              const ScanRun &form, int64_t states) {
  std::string name = nameOf(node.proto, 0);
  int64_t samples = shapeOf(form.sequences.front())[0];
  SmallVector<Value> initial;
  for (int64_t i = 0; i < states; ++i)
    initial.push_back(node.value(1 + i));
  for (Value value : llvm::concat<const Value>(initial, form.sequences))
    if (shapeOf(value).empty() || shapeOf(value)[0] != samples)
      failInvalid("an input has shape {}; others have {} samples",
                  shapeString(shapeOf(value)), samples);
  if (samples * form.steps > kMaxUnrolled)
    failUnsupported("a scan of {} steps for {} samples; at most {} are written "
                    "out",
                    form.steps, samples, kMaxUnrolled);
  std::vector<Collected> all(body.output_size());
  for (int64_t sample = 0; sample < samples; ++sample) {
    ScanRun run = form;
    for (Value value : initial)
      run.states.push_back(ScanRun::partOf(node, value, 0, sample));
    for (auto [i, sequence] : llvm::enumerate(run.sequences)) {
      sequence = ScanRun::partOf(node, sequence, 0, sample).value;
      run.axes[i] = 0;
    }
    run.run(node, body, fmt::format("{}[{}]", name, sample));
    for (auto [i, state] : llvm::enumerate(run.states))
      all[i].add(node, state);
    for (auto [i, steps] : llvm::enumerate(run.collected)) {
      Tensor joined = steps.joined(node, 0, false);
      all[states + i].add(node, joined);
    }
  }
  for (auto [i, samplesOf] : llvm::enumerate(all))
    samplesOf.finish(node, 0, false, i);
}

void onnx_import::importScan(Node &node) {
  const onnx::GraphProto &body = bodyOf(node, "body");
  bool isBatched = node.opset < 9;
  int64_t firstState = isBatched ? 1 : 0;
  int64_t scanned = node.getInt("num_scan_inputs", 0);
  int64_t states =
      static_cast<int64_t>(node.inputCount()) - scanned - firstState;
  if (scanned < 1 || states < 0 || body.output_size() < states)
    failInvalid("num_scan_inputs is {}; the node has {} inputs and the body {} "
                "results",
                scanned, node.inputCount(), body.output_size());
  int64_t outputs = body.output_size() - states;
  auto list = [&](const char *attribute, int64_t count) {
    Shape values = node.getInts(attribute).value_or(Shape(count, 0));
    if (static_cast<int64_t>(values.size()) != count)
      failInvalid("attribute '{}' has {} entries; {} are needed", attribute,
                  values.size(), count);
    return values;
  };
  ScanRun scan;
  Shape outAxes, outDirections;
  if (isBatched) {
    scan.axes = Shape(scanned, 1);
    scan.directions = list("directions", scanned);
  } else {
    scan.axes = list("scan_input_axes", scanned);
    scan.directions = list("scan_input_directions", scanned);
    outAxes = list("scan_output_axes", outputs);
    outDirections = list("scan_output_directions", outputs);
  }
  for (int64_t i = 0; i < scanned; ++i) {
    size_t input = firstState + states + i;
    Value value = node.value(input);
    Shape shape = shapeOf(value);
    int64_t axis = scan.axes[i] = node.axis(scan.axes[i], shape.size());
    if (i && shape[axis] != scan.steps)
      failInvalid("'{}' has {} steps along axis {}, others have {}",
                  node.inputName(input), shape[axis], axis, scan.steps);
    scan.steps = shape[axis];
    scan.sequences.push_back(value);
  }
  if (scan.steps > kMaxUnrolled)
    failUnsupported("a scan of {} steps; at most {} are written out",
                    scan.steps, kMaxUnrolled);
  if (isBatched && node.hasInput(0)) {
    const Constant *lengths = node.constant(0);
    for (int64_t i = 0; !lengths || i < lengths->size(); ++i)
      if (!lengths || integerAt(*lengths, i) != scan.steps)
        failUnsupported("sequences with lengths of their own ('{}') are not "
                        "supported",
                        node.inputName(0));
  }
  scan.collected.resize(outputs);
  if (isBatched)
    return importBatchedScan(node, body, scan, states);
  for (int64_t i = 0; i < states; ++i)
    scan.states.push_back(node.graph.lookup(node.inputName(i), node));
  scan.run(node, body, nameOf(node.proto, 0));
  for (int64_t i = 0; i < states; ++i)
    node.setResult(std::move(scan.states[i]), i);
  for (int64_t i = 0; i < outputs; ++i)
    scan.collected[i].finish(node, outAxes[i], outDirections[i], states + i);
}
