//===- LongTensorTest.cpp - values that stay in the file -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Support/TemporaryFolder.h"
#include "Wire.h"

#include "cimc/Import/ONNX/Import.h"

#include "NN/NN.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <catch2/catch.hpp>

#include <cstring>
#include <fstream>

using namespace cimc;
using cimc::test::TemporaryFolder;
using namespace wire;

namespace {

constexpr int64_t kCount = 3000;

std::vector<float> values() {
  std::vector<float> result(kCount);
  for (int64_t i = 0; i < kCount; ++i)
    result[i] = 0.5f * i - 7;
  return result;
}

template <typename T> std::string raw(const std::vector<T> &v) {
  return std::string(reinterpret_cast<const char *>(v.data()),
                     v.size() * sizeof(T));
}

/// y = x + w, `w` being a tensor whose value the fields of `value` hold; the
/// documentation string moves it through the file.
std::string modelWith(const std::string &value, int padding, int type = 1) {
  std::string w = number(1, kCount) + number(2, type) + bytes(8, "w") + value;
  return model(bytes(10, std::string(padding, '.')) + bytes(5, w) +
               bytes(11, valueInfo("x", {kCount})) +
               bytes(12, valueInfo("y", {kCount})) +
               node("Add", {"x", "w"}, {"y"}));
}

/// The bytes of the only constant; from memory, or from a file.
std::string constantOf(const std::string &contents, bool file) {
  mlir::MLIRContext context;
  TemporaryFolder folder;
  std::string path = folder.file("model.onnx");
  if (file)
    std::ofstream(path, std::ios::binary) << contents;
  auto module = file ? importONNX(path, context)
                     : importONNXBytes(contents, "test.onnx", context);
  if (!module)
    return module.error().message;
  std::string result = "no constant";
  (*module)->walk([&](cimc::nn::ConstantOp op) {
    auto value = mlir::cast<mlir::DenseResourceElementsAttr>(op.getValue());
    llvm::ArrayRef<char> data = value.getRawHandle().getBlob()->getData();
    CHECK(reinterpret_cast<uintptr_t>(data.data()) % 4 == 0);
    result = std::string(data.begin(), data.end());
  });
  return result;
}

} // namespace

TEST_CASE("long values at every address") {
  for (bool file : {false, true})
    for (int padding = 0; padding < 8; ++padding) {
      CHECK(constantOf(modelWith(bytes(9, raw(values())), padding), file) ==
            raw(values()));
      CHECK(constantOf(modelWith(bytes(4, raw(values())), padding), file) ==
            raw(values()));
    }
}

TEST_CASE("values in pieces are put together") {
  std::vector<float> all = values(), a(all.begin(), all.begin() + 1500),
                     b(all.begin() + 1500, all.end());
  CHECK(constantOf(modelWith(bytes(4, raw(a)) + bytes(4, raw(b)), 0), true) ==
        raw(all));
  std::string single;
  for (float value : all)
    single += varint(4 << 3 | 5) + raw(std::vector<float>{value});
  CHECK(constantOf(modelWith(single, 0), true) == raw(all));
}

TEST_CASE("long values that do not fit") {
  auto message = [](const std::string &value, int type) {
    return constantOf(modelWith(value, 0, type), true);
  };
  using Catch::Contains;
  CHECK_THAT(message(bytes(9, raw(values()) + "1"), 1),
             Contains("needs 12000 bytes, but the file holds 12001"));
  CHECK_THAT(message(bytes(4, raw(values())), 6), Contains("of another type"));
  CHECK_THAT(message(bytes(10, raw(values())), 1), Contains("of another type"));
}

TEST_CASE("a marker in the file is no marker") {
  uint64_t marker[3] = {9, 0, uint64_t(kCount) * 4};
  std::string forged =
      varint(uint64_t(536870911) << 3 | 2) + varint(sizeof marker) +
      std::string(reinterpret_cast<const char *>(marker), sizeof marker);
  CHECK_THAT(constantOf(modelWith(forged, 20000), true),
             Catch::Contains("holds 0 elements"));
}

TEST_CASE("long messages cut anywhere") {
  std::string good = modelWith(bytes(9, raw(values())), 3);
  mlir::MLIRContext context;
  for (size_t size = 0; size < good.size(); size += 97)
    CHECK(!importONNXBytes(good.substr(0, size), "test.onnx", context));
}

TEST_CASE("graphs in graphs in graphs") {
  std::string graph;
  for (int depth = 0; depth < 3000; ++depth)
    graph = node(
        "If", {"c"}, {"y"},
        bytes(5, bytes(1, "then_branch") + bytes(6, graph) + number(20, 5)));
  mlir::MLIRContext context;
  auto result = importONNXBytes(model(graph), "test.onnx", context);
  REQUIRE(!result);
  CHECK(result.error().code == ExitCode::InvalidInput);
  CHECK_THAT(result.error().message, Catch::Contains("nested in graphs"));
}
