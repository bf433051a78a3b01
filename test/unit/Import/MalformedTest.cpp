//===- MalformedTest.cpp - models and tensors that are none -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Wire.h"

#include "cimc/Import/ONNX/Import.h"
#include "cimc/Import/ONNX/TensorProto.h"

#include <catch2/catch.hpp>

#include <cstring>

using namespace cimc;
using namespace wire;

namespace {

const std::string kInput = bytes(11, valueInfo("x", {1, 4}));
const std::string kOutput = bytes(12, valueInfo("y", {1, 4}));

Error import(const std::string &contents) {
  mlir::MLIRContext context;
  auto result = importONNXBytes(contents, "test.onnx", context);
  if (result)
    return {ExitCode::Ok, ""};
  CHECK(result.error().message.find("test.onnx") != std::string::npos);
  return result.error();
}

void checkInvalid(const std::string &contents, const std::string &text) {
  Error error = import(contents);
  INFO(error.message);
  CHECK(error.code == ExitCode::InvalidInput);
  CHECK(error.message.find(text) != std::string::npos);
}

} // namespace

TEST_CASE("a good model is read") {
  CHECK(import(model(kInput + kOutput + node("Relu", {"x"}, {"y"}))).code ==
        ExitCode::Ok);
}

TEST_CASE("bytes that are no model") {
  checkInvalid("", "empty");
  checkInvalid("hello world, this is no model", "not an ONNX model");
  checkInvalid(std::string(1000, '\0'), "not an ONNX model");
  checkInvalid(std::string(1000, '\xff'), "not an ONNX model");
  checkInvalid("PK\x03\x04", "not an ONNX model");
  checkInvalid(number(1, 8), "no graph");
  checkInvalid("<ir_version: 8", "text form");
  checkInvalid("<ir_version: 8, opset_import: [\"\" : 13]> g (float[1] x) => "
               "(float[1] y) { y = Relu (",
               "text form");
  checkInvalid("<", "text form");
  checkInvalid("#", "not an ONNX model");
}

TEST_CASE("every truncation and every flipped bit gives an answer") {
  std::string good =
      model(kInput + kOutput +
            bytes(5, tensor("w", {4, 4}, 1, std::string(64, '\1'))) +
            bytes(5, tensor("b", {4}, 1, std::string(16, '\2'))) +
            node("Gemm", {"x", "w", "b"}, {"y"}));
  REQUIRE(import(good).code == ExitCode::Ok);
  mlir::MLIRContext context;
  for (size_t size = 0; size < good.size(); ++size)
    (void)importONNXBytes(good.substr(0, size), "test.onnx", context);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] ^= 1 << (bit % 8);
    auto result = importONNXBytes(bad, "test.onnx", context);
    if (!result)
      CHECK(!result.error().message.empty());
  }
}

TEST_CASE("graphs that do not hang together") {
  checkInvalid(model(kInput + kOutput), "output 'y' is not defined");
  checkInvalid(model(kInput + node("Relu", {"x"}, {"y"})), "no outputs");
  checkInvalid(model(kInput + kOutput + node("Relu", {"z"}, {"y"})),
               "'z' is not defined");
  checkInvalid(model(kInput + kOutput + node("Relu", {"a"}, {"y"}) +
                     node("Relu", {"x"}, {"a"})),
               "made by a later node");
  checkInvalid(model(kInput + kOutput + node("Relu", {"y"}, {"y"})),
               "must be sorted");
  checkInvalid(model(kInput + kOutput + node("Relu", {"x"}, {"y"}) +
                     node("Relu", {"x"}, {"y"})),
               "made twice");
  checkInvalid(model(kInput + kInput + kOutput + node("Relu", {"x"}, {"y"})),
               "defined twice");
  checkInvalid(model(kInput + kOutput + node("Relu", {}, {"y"})),
               "input 0 is missing");
  checkInvalid(model(kInput + kOutput + node("Relu", {"x"}, {"y"}), -1),
               "operator set version");
  std::string axis = bytes(5, bytes(1, "axis") + number(3, 7) + number(20, 2));
  checkInvalid(model(kInput + kOutput + node("Softmax", {"x"}, {"y"}, axis)),
               "axis 7 does not exist");
  checkInvalid(
      model(kInput + kOutput + node("Softmax", {"x"}, {"y"}, axis + axis)),
      "axis");
}

TEST_CASE("sizes that lie") {
  auto with = [](const std::string &initializer) {
    return model(kInput + kOutput + bytes(5, initializer) +
                 node("Add", {"x", "w"}, {"y"}));
  };
  checkInvalid(with(tensor("w", {4}, 1, std::string(15, '\0'))), "16 bytes");
  checkInvalid(with(tensor("w", {-4}, 1, "")), "negative dimension");
  checkInvalid(with(tensor("w", {INT64_MAX, INT64_MAX}, 1, "")), "too large");
  checkInvalid(with(tensor("w", {int64_t(1) << 32, int64_t(1) << 32}, 1, "")),
               "too large");
  checkInvalid(with(tensor("w", std::vector<int64_t>(100, 1), 1, "0000")),
               "100 axes");
  checkInvalid(with(number(1, 4) + number(2, 1) + bytes(8, "w")),
               "holds 0 elements");
  checkInvalid(with(tensor("w", {4}, 0, "")), "no element type");
  checkInvalid(with(tensor("", {4}, 1, std::string(16, '\0'))), "no name");
  checkInvalid(with(tensor("w", {3}, 1, std::string(12, '\0'))),
               "cannot be broadcast");
  CHECK(import(with(tensor("w", {4}, 8, ""))).code == ExitCode::Unsupported);
  CHECK(import(with(tensor("w", {4}, 99, ""))).code == ExitCode::Unsupported);
  checkInvalid(model(bytes(11, valueInfo("x", {1, -3})) + kOutput +
                     node("Relu", {"x"}, {"y"})),
               "open");
  checkInvalid(model(bytes(11, valueInfo("x", {INT64_MAX, 3})) + kOutput +
                     node("Relu", {"x"}, {"y"})),
               "too large");
}

TEST_CASE("external data stays inside the model's folder") {
  auto with = [](const std::string &location, const std::string &offset) {
    std::string w = number(1, 4) + number(2, 1) + bytes(8, "w") +
                    bytes(13, bytes(1, "location") + bytes(2, location)) +
                    bytes(13, bytes(1, "offset") + bytes(2, offset)) +
                    number(14, 1);
    return model(kInput + kOutput + bytes(5, w) +
                 node("Add", {"x", "w"}, {"y"}));
  };
  checkInvalid(with("/etc/passwd", "0"), "relative");
  checkInvalid(with("../../../../../../../../etc/passwd", "0"),
               "external data");
  checkInvalid(with("", "0"), "relative");
  checkInvalid(with("no-such-file", "0"), "cannot read");
  checkInvalid(with("no-such-file", "-1"), "not a number");
  checkInvalid(with("no-such-file", "99999999999999999999999"), "not a number");
}

TEST_CASE("tensor files") {
  auto good = parseTensorProtoBytes(
      tensor("t", {2, 3}, 3, std::string("\1\2\3\4\5\xff", 6)), "t.pb");
  REQUIRE(good);
  CHECK(good->type == DType::I8);
  CHECK(good->shape == std::vector<int64_t>{2, 3});
  CHECK(good->as<int8_t>()[5] == -1);
  CHECK(!parseTensorProtoBytes("", "t.pb"));
  CHECK(!parseTensorProtoBytes("garbage", "t.pb"));
  CHECK(!parseTensorProtoBytes(tensor("t", {2, 3}, 3, "12345"), "t.pb"));
  CHECK(!readTensorProto("/no/such/file"));
  CHECK(!readTensorProto("/"));
}
