//===- LevelsTest.cpp - cim, sched and the chip agree -----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Small networks, scheduled and encoded; every level must give the same bytes.

#include "cimc/Codegen/Encode.h"
#include "cimc/Codegen/Passes.h"
#include "cimc/Reference/Evaluator.h"
#include "cimc/Scheduling/Passes.h"
#include "cimc/Sim/Simulator.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

#include <random>

using namespace mlir;
using namespace cimc;

namespace {

/// Raw integers or floats that exercise signs and saturation.
HostTensor randomTensor(Type type, std::vector<int64_t> shape,
                        std::mt19937 &random) {
  DType dtype = type.isF32()                ? DType::F32
                : type.isUnsignedInteger(8) ? DType::U8
                                            : DType::I8;
  HostTensor tensor(dtype, std::move(shape));
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (dtype == DType::F32)
      tensor.as<float>()[i] = (int(random() % 2001) - 1000) / 64.0f;
    else
      tensor.as<uint8_t>()[i] = random();
  return tensor;
}

std::string constants(int64_t channels) {
  std::string bias, multiplier;
  for (int64_t c = 0; c < channels; ++c) {
    bias += (c ? ", " : "") + std::to_string(c * 37 - 100);
    multiplier += (c ? ", " : "") + std::to_string(0.001 + 0.0001 * c);
  }
  return "bias = array<i32: " + bias +
         ">, multiplier = array<f32: " + multiplier +
         ">, zero = -3 : i64, low = -128 : i64, high = 127 : i64";
}

std::string weights(const char *name, int64_t k, int64_t n) {
  std::string text;
  for (int64_t i = 0; i < k; ++i) {
    text += i ? ", [" : "[";
    for (int64_t j = 0; j < n; ++j)
      text += (j ? ", " : "") +
              std::to_string((i * 31 + j * 17 + i * j) % 255 - 127);
    text += "]";
  }
  return "cim.weights @" + std::string(name) + " dense<[" + text +
         "]> : tensor<" + std::to_string(k) + "x" + std::to_string(n) +
         "xi8>\n";
}

std::string window(int k, int s, int p, int d = 1) {
  auto pair = [](int v) {
    return "[" + std::to_string(v) + ", " + std::to_string(v) + "]";
  };
  return "#cim.window<kernel = " + pair(k) + ", stride = " + pair(s) +
         ", pad = " + pair(p) + ", dilation = " + pair(d) + ">";
}

/// Says that the model's tensors are the feature maps as they are.
void nameTensors(func::FuncOp function) {
  Builder builder(function.getContext());
  auto attributes = [&](const std::string &name, Type type) {
    auto map = cast<RankedTensorType>(type);
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("nn.name", builder.getStringAttr(name)),
         builder.getNamedAttr("cim.shape",
                              builder.getDenseI64ArrayAttr(map.getShape())),
         builder.getNamedAttr("cim.perm",
                              builder.getDenseI64ArrayAttr({0, 1, 2}))});
  };
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    function.setArgAttrs(i, attributes("x" + std::to_string(i), type));
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    function.setResultAttrs(i, attributes("y" + std::to_string(i), type));
}

/// Runs `body` at every level for some inputs.
void check(const std::string &body, const ChipSpec &chip = {}) {
  DialectRegistry registry;
  registry.insert<func::FuncDialect, cim::CIMDialect, sched::SchedDialect,
                  isa::ISADialect>();
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  INFO(body);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(body, &context);
  REQUIRE(module);
  (*module)->setAttr(cim::kChipAttrName, cim::getChipAttr(&context, chip));
  func::FuncOp function = *module->getOps<func::FuncOp>().begin();
  nameTensors(function);
  std::mt19937 random(7);
  std::vector<std::vector<HostTensor>> samples;
  for (int sample = 0; sample < 2; ++sample) {
    samples.emplace_back();
    for (Type type : function.getArgumentTypes()) {
      auto map = cast<RankedTensorType>(type);
      samples.back().push_back(
          randomTensor(map.getElementType(), map.getShape().vec(), random));
    }
  }
  std::vector<std::vector<HostTensor>> expected;
  for (auto &inputs : samples) {
    auto outputs = evaluateCIM(*module, inputs);
    if (!outputs)
      FAIL(outputs.error().message);
    expected.push_back(*outputs);
  }

  PassManager scheduling(&context);
  scheduling.addPass(createConvertCIMToSched());
  scheduling.addPass(createSchedSizeRings());
  scheduling.addPass(createSchedAllocate());
  REQUIRE(succeeded(scheduling.run(*module)));
  auto compare = [&](const char *level, size_t sample,
                     Result<std::vector<HostTensor>> outputs) {
    INFO(level);
    if (!outputs)
      FAIL(outputs.error().message);
    REQUIRE(outputs->size() == expected[sample].size());
    for (size_t i = 0; i < outputs->size(); ++i) {
      CHECK((*outputs)[i].shape == expected[sample][i].shape);
      CHECK((*outputs)[i].data == expected[sample][i].data);
    }
  };
  for (size_t s = 0; s < samples.size(); ++s)
    compare("sched", s, evaluateSched(*module, samples[s]));

  PassManager lowering(&context);
  lowering.addPass(createConvertSchedToISA());
  REQUIRE(succeeded(lowering.run(*module)));
  Result<Program> program = encodeProgram(*module);
  if (!program)
    FAIL(program.error().message);
  Status status = verify(*program);
  if (!status)
    FAIL(status.error().message);
  Simulator simulator(*program);
  for (size_t s = 0; s < samples.size(); ++s)
    compare("isa", s, simulator.run(samples[s]));
}

std::string function(const std::string &arguments, const std::string &result,
                     const std::string &body, const std::string &value) {
  return "func.func @main(" + arguments + ") -> " + result + " {\n" + body +
         "  return " + value + " : " + result + "\n}\n";
}

const std::string onCore0 = "core = 0 : i64";

std::string conv(const char *result, const char *input, const char *name,
                 int size, int channels, int outputs, int core) {
  auto map = [&](int c, const char *type) {
    std::string n = std::to_string(size);
    return "tensor<" + n + "x" + n + "x" + std::to_string(c) + "x" + type + ">";
  };
  std::string where = "core = " + std::to_string(core) + " : i64";
  std::string sums = std::string(result) + "s";
  return "  " + sums + " = cim.mvm " + input + " {weights = @" + name +
         ", window = " + window(3, 1, 1) +
         ", k_begin = 0 : i64, k_size = " + std::to_string(9 * channels) +
         " : i64, n_begin = 0 : i64, pad_value = -3 : i64, macros = array<i64: "
         "0>, " +
         where + "} : (" + map(channels, "i8") + ") -> " + map(outputs, "i32") +
         "\n  " + result + " = cim.requantize " + sums + " {" +
         constants(outputs) + ", " + where + "} : (" + map(outputs, "i32") +
         ") -> " + map(outputs, "i8") + "\n";
}

} // namespace

TEST_CASE("a convolution on one core, awkward sizes") {
  for (int size : {1, 2, 3, 7, 13})
    check(weights("w", 18, 5) +
          function("%x: tensor<" + std::to_string(size) + "x" +
                       std::to_string(size) + "x2xi8>",
                   "tensor<" + std::to_string(size) + "x" +
                       std::to_string(size) + "x5xi8>",
                   conv("%y", "%x", "w", size, 2, 5, 0), "%y"));
}

TEST_CASE("sums of a wide row pass in chunks") {
  // 53 pixels x 64 channels x 4 bytes are more than the 8 KB of a chunk.
  std::string mvm = "{weights = @w, window = " + window(1, 1, 0) +
                    ", n_begin = 0 : i64, pad_value = 0 : i64, ";
  std::string sums = "tensor<3x53x64xi32>";
  for (int other : {0, 5})
    for (bool relayed : {false, true}) {
      std::string core = "core = " + std::to_string(other) + " : i64}";
      check(weights("w", 8, 64) +
            function(
                "%x: tensor<3x53x8xi8>", "tensor<3x53x64xi8>",
                "  %a = cim.mvm %x " + mvm +
                    "k_begin = 0 : i64, k_size = 5 : i64, macros = array<i64: "
                    "0>, core = 0 : i64} : (tensor<3x53x8xi8>) -> " +
                    sums + "\n  %b = cim.mvm %x " + mvm +
                    "k_begin = 5 : i64, k_size = 3 : i64, macros = array<i64: "
                    "1>, " +
                    core + " : (tensor<3x53x8xi8>) -> " + sums + "\n" +
                    (relayed ? "  %c = cim.reshape %b {cim.copy, " + core +
                                   " : (" + sums + ") -> " + sums + "\n"
                             : "") +
                    "  %s = cim.sum %a, " + (relayed ? "%c" : "%b") +
                    " {core = 0 : i64} : (" + sums + ", " + sums + ") -> " +
                    sums + "\n  %y = cim.requantize %s {" + constants(64) +
                    ", core = 0 : i64} : (" + sums +
                    ") -> tensor<3x53x64xi8>\n",
                "%y"));
    }
}

TEST_CASE("a residual block over three cores") {
  for (int size : {4, 11}) {
    std::string map = "tensor<" + std::to_string(size) + "x" +
                      std::to_string(size) + "x4xi8>";
    check(weights("a", 36, 4) + weights("b", 36, 4) +
          function(
              "%x: " + map, map,
              conv("%p", "%x", "a", size, 4, 4, 0) +
                  conv("%q", "%p", "a", size, 4, 4, 1) +
                  conv("%r", "%q", "b", size, 4, 4, 2) +
                  "  %y = cim.add %r, %p {ra = 0.5 : f32, rb = 0.75 : f32, f = "
                  "1.5 : f32, low = -128 : i64, high = 127 : i64, core = 2 : "
                  "i64} : (" +
                  map + ", " + map + ") -> " + map + "\n",
              "%y"));
  }
}

TEST_CASE("tiles of columns and pixels join without a copy") {
  std::string tile =
      "window = " + window(3, 1, 1) +
      ", k_begin = 0 : i64, k_size = 18 : i64, pad_value = 1 : i64, "
      "macros = array<i64: 0>";
  check(weights("w", 18, 7) +
        function(
            "%x: tensor<5x9x2xi8>", "tensor<5x9x10xi8>",
            "  %a = cim.mvm %x {weights = @w, n_begin = 0 : i64, core = 0 : "
            "i64, " +
                tile +
                "} : (tensor<5x9x2xi8>) -> tensor<5x9x4xi32>\n"
                "  %b = cim.mvm %x {weights = @w, n_begin = 4 : i64, core = 1 "
                ": i64, " +
                tile +
                "} : (tensor<5x9x2xi8>) -> tensor<5x9x3xi32>\n"
                "  %c = cim.mvm %x {weights = @w, n_begin = 4 : i64, core = 2 "
                ": i64, " +
                tile +
                "} : (tensor<5x9x2xi8>) -> tensor<5x4x3xi32>\n"
                "  %d = cim.mvm %x {weights = @w, n_begin = 4 : i64, core = 3 "
                ": i64, x_begin = 4 : i64, " +
                tile +
                "} : (tensor<5x9x2xi8>) -> tensor<5x5x3xi32>\n"
                "  %ra = cim.requantize %a {" +
                constants(4) +
                ", core = 0 : i64} : (tensor<5x9x4xi32>) -> tensor<5x9x4xi8>\n"
                "  %rb = cim.requantize %b {" +
                constants(3) +
                ", core = 1 : i64} : (tensor<5x9x3xi32>) -> tensor<5x9x3xi8>\n"
                "  %rc = cim.requantize %c {" +
                constants(3) +
                ", core = 2 : i64} : (tensor<5x4x3xi32>) -> tensor<5x4x3xi8>\n"
                "  %rd = cim.requantize %d {" +
                constants(3) +
                ", core = 3 : i64} : (tensor<5x5x3xi32>) -> tensor<5x5x3xi8>\n"
                "  %p = cim.concat %rc, %rd {axis = 1 : i64} : "
                "(tensor<5x4x3xi8>, tensor<5x5x3xi8>) -> tensor<5x9x3xi8>\n"
                "  %y = cim.concat %ra, %rb, %p {axis = 2 : i64} : "
                "(tensor<5x9x4xi8>, tensor<5x9x3xi8>, tensor<5x9x3xi8>) -> "
                "tensor<5x9x10xi8>\n",
            "%y"));
}

TEST_CASE("concatenations of inputs and constants, reshapes, moves") {
  check(function(
      "%x: tensor<4x3x2xi8>, %z: tensor<2x3x2xi8>", "tensor<1x1x48xi8>",
      "  %k = cim.constant {value = dense<[[[1, 2], [3, 4], [5, 6]], [[7, 8], "
      "[9, 10], [11, 12]]]> : tensor<2x3x2xi8>, core = 1 : i64} : () -> "
      "tensor<2x3x2xi8>\n"
      "  %r = cim.concat %x, %z, %k {axis = 0 : i64} : (tensor<4x3x2xi8>, "
      "tensor<2x3x2xi8>, tensor<2x3x2xi8>) -> tensor<8x3x2xi8>\n"
      "  %t = cim.move %r {counts = array<i64: 8, 3, 2>, src_strides = "
      "array<i64: 6, 2, 1>, dst_strides = array<i64: 2, 16, 1>, core = 1 : "
      "i64} : (tensor<8x3x2xi8>) -> tensor<3x8x2xi8>\n"
      "  %v = cim.reshape %t {core = 2 : i64} : (tensor<3x8x2xi8>) -> "
      "tensor<1x1x48xi8>\n",
      "%v"));
  check(function(
      "%x: tensor<3x2x4xi8>, %z: tensor<3x4x2xi8>", "tensor<3x4x5xi8>",
      "  %k = cim.constant {value = dense<9> : tensor<3x4x1xi8>} : () -> "
      "tensor<3x4x1xi8>\n"
      "  %a = cim.reshape %x {core = 2 : i64} : (tensor<3x2x4xi8>) -> "
      "tensor<3x4x2xi8>\n"
      "  %y = cim.concat %z, %k, %a {axis = 2 : i64} : (tensor<3x4x2xi8>, "
      "tensor<3x4x1xi8>, tensor<3x4x2xi8>) -> tensor<3x4x5xi8>\n",
      "%y"));
  check(function("%x: tensor<3x2x4xi8>", "tensor<3x2x4xi8>", "", "%x"));
}

TEST_CASE("vector operations") {
  auto unary = [](const std::string &op, const std::string &in,
                  const std::string &out) {
    std::string attributes = op.substr(op.find(' ') + 1);
    check(function("%x: " + in, out,
                   "  %y = cim." + op.substr(0, op.find(' ')) + " %x {" +
                       attributes + (attributes.empty() ? "" : ", ") + onCore0 +
                       "} : (" + in + ") -> " + out + "\n",
                   "%y"));
  };
  unary("max_pool window = " + window(3, 2, 1), "tensor<7x7x3xi8>",
        "tensor<4x4x3xi8>");
  unary("max_pool window = " + window(2, 1, 0), "tensor<2x2x3xui8>",
        "tensor<1x1x3xui8>");
  unary("avg_pool window = " + window(3, 2, 1) +
            ", scale_in = 0.1 : f32, zero_in = 3 : i64, scale_out = 0.07 : "
            "f32, zero_out = -5 : i64",
        "tensor<7x7x3xi8>", "tensor<4x4x3xi8>");
  unary("avg_pool window = " + window(3, 2, 1) +
            ", scale_in = 0.1 : f32, zero_in = 3 : i64, scale_out = 0.07 : "
            "f32, zero_out = -5 : i64, count_include_pad",
        "tensor<5x5x3xi8>", "tensor<3x3x3xi8>");
  unary("quantize scale = 0.05 : f32, zero = 7 : i64", "tensor<5x1x3xf32>",
        "tensor<5x1x3xi8>");
  unary("dequantize scale = 0.05 : f32, zero = 7 : i64", "tensor<5x3x1xui8>",
        "tensor<5x3x1xf32>");
  unary("map function = \"tanh\"", "tensor<3x2x5xf32>", "tensor<3x2x5xf32>");
  unary("map function = \"leaky_relu\", alpha = 0.125 : f32",
        "tensor<3x2x5xf32>", "tensor<3x2x5xf32>");
  unary("softmax_f32 ", "tensor<2x1x11xf32>", "tensor<2x1x11xf32>");
  for (int rows : {1, 2, 5})
    check(function(
        "%x: tensor<" + std::to_string(rows) + "x3x2xi8>", "tensor<1x1x2xi8>",
        "  %s = cim.row_sum %x {core = 0 : i64} : (tensor<" +
            std::to_string(rows) +
            "x3x2xi8>) -> tensor<1x1x2xi32>\n  %y = cim.requantize %s {" +
            constants(2) +
            ", core = 1 : i64} : (tensor<1x1x2xi32>) -> tensor<1x1x2xi8>\n",
        "%y"));
  check(function(
      "%x: tensor<5x5x2xui8>", "tensor<3x3x4xi8>",
      "  %s = cim.depthwise %x {weights = dense<[[[1, -2, 3, 4], [5, 6, -7, "
      "8], [9, 1, 2, 3]], [[4, 5, 6, 7], [-8, 9, 1, 2], [3, 4, 5, 6]], [[7, 8, "
      "9, 1], [2, -3, 4, 5], [6, 7, 8, -9]]]> : tensor<3x3x4xi8>, window = " +
          window(3, 2, 1) +
          ", pad_value = 128 : i64, core = 0 : i64} : (tensor<5x5x2xui8>) -> "
          "tensor<3x3x4xi32>\n  %y = cim.requantize %s {" +
          constants(4) +
          ", core = 0 : i64} : (tensor<3x3x4xi32>) -> tensor<3x3x4xi8>\n",
      "%y"));
}

TEST_CASE("two operands, broadcast") {
  for (std::string b : {"4x3x2", "1x3x2", "1x1x2", "4x3x1", "1x1x1"}) {
    std::string types =
        "(tensor<4x3x2xi8>, tensor<" + b + "xi8>) -> tensor<4x3x2xi8>\n";
    check(function(
        "%a: tensor<4x3x2xi8>, %b: tensor<" + b + "xi8>", "tensor<4x3x2xi8>",
        "  %m = cim.mul %a, %b {za = 3 : i64, zb = -4 : i64, r = 0.013 : f32, "
        "zc = 5 : i64, low = -128 : i64, high = 127 : i64, core = 0 : i64} : " +
            types +
            "  %y = cim.add %m, %b {ra = 0.5 : f32, rb = 0.75 : f32, f = 1.5 : "
            "f32, low = -100 : i64, high = 127 : i64, core = 1 : i64} : " +
            types,
        "%y"));
    std::string floats =
        "(tensor<4x3x2xf32>, tensor<" + b + "xf32>) -> tensor<4x3x2xf32>\n";
    check(function(
        "%a: tensor<4x3x2xf32>, %b: tensor<" + b + "xf32>", "tensor<4x3x2xf32>",
        "  %y = cim.map %a, %b {function = \"div\", core = 0 : i64} : " +
            floats,
        "%y"));
  }
}

TEST_CASE("products of activations") {
  for (std::string transpose : {"", "transpose_b, "})
    check(function(
        "%a: tensor<4x1x3xi8>, %b: tensor<6x1x5xi8>", "tensor<4x1x5xi8>",
        "  %s = cim.matmul %a, %b {batch = 2 : i64, m = 2 : i64, k = 3 : i64, "
        "n = 5 : i64, " +
            transpose +
            "za = 3 : i64, zb = -1 : i64, core = 0 : i64} : (tensor<4x1x3xi8>, "
            "tensor<6x1x5xi8>) -> tensor<4x1x5xi32>\n"
            "  %y = cim.requantize %s {" +
            constants(5) +
            ", core = 0 : i64} : (tensor<4x1x5xi32>) -> tensor<4x1x5xi8>\n",
        "%y"));
}
