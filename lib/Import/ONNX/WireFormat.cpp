//===- WireFormat.cpp - serialized models without their weights -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WireFormat.h"

#include "google/protobuf/unknown_field_set.h"

#include <cstring>

using namespace cimc;
using namespace cimc::onnx_import;

namespace {

/// The messages in which a tensor can be.
enum class Kind {
  Model,
  Training,
  Function,
  Graph,
  Node,
  Attribute,
  Sparse,
  Tensor,
  Other
};

/// The message that field `field` of a message holds; numbers of onnx.proto.
Kind childOf(Kind kind, uint64_t field) {
  switch (kind) {
  case Kind::Model:
    return field == 7    ? Kind::Graph
           : field == 20 ? Kind::Training
           : field == 25 ? Kind::Function
                         : Kind::Other;
  case Kind::Training:
    return field == 1 || field == 2 ? Kind::Graph : Kind::Other;
  case Kind::Function:
    return field == 7    ? Kind::Node
           : field == 11 ? Kind::Attribute
                         : Kind::Other;
  case Kind::Graph:
    return field == 1    ? Kind::Node
           : field == 5  ? Kind::Tensor
           : field == 15 ? Kind::Sparse
                         : Kind::Other;
  case Kind::Node:
    return field == 5 ? Kind::Attribute : Kind::Other;
  case Kind::Attribute:
    return field == 5 || field == 10    ? Kind::Tensor
           : field == 6 || field == 11  ? Kind::Graph
           : field == 22 || field == 23 ? Kind::Sparse
                                        : Kind::Other;
  case Kind::Sparse:
    return field == 1 || field == 2 ? Kind::Tensor : Kind::Other;
  case Kind::Tensor:
  case Kind::Other:
    return Kind::Other;
  }
  return Kind::Other;
}

constexpr uint64_t kFloatData = 4, kRawData = 9, kDoubleData = 10;
/// The marker is a field that onnx.proto does not have: the last number there
/// is. Such fields of the file are left out, so that none is forged.
constexpr int kMarker = 536870911;
enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

/// One field, as bytes of the model.
struct Field {
  uint64_t number = 0;
  unsigned wire = 0;
  /// The field with its tag, and what a bytes field holds.
  std::string_view all, content;
};

/// Reads the fields of a message one by one.
class Fields {
public:
  explicit Fields(std::string_view bytes) : bytes(bytes) {}

  /// False at the end and where the bytes are no message (see `damaged`).
  bool next(Field &field) {
    if (at == bytes.size())
      return false;
    size_t begin = at;
    uint64_t tag, value;
    if (!varint(tag) || tag >> 32)
      return fail();
    field.number = tag >> 3;
    field.wire = tag & 7;
    field.content = {};
    if (!field.number)
      return fail();
    switch (field.wire) {
    case kVarint:
      if (!varint(value))
        return fail();
      break;
    case kFixed64:
    case kFixed32:
      if (!skip(field.wire == kFixed64 ? 8 : 4))
        return fail();
      break;
    case kBytes:
      if (!varint(value) || !skip(value))
        return fail();
      field.content = bytes.substr(at - value, value);
      break;
    default: // groups: ONNX has none
      return fail();
    }
    field.all = bytes.substr(begin, at - begin);
    return true;
  }
  bool damaged = false;

private:
  bool fail() {
    damaged = true;
    return false;
  }
  bool skip(uint64_t size) {
    if (size > bytes.size() - at)
      return false;
    at += size;
    return true;
  }
  bool varint(uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 70 && at < bytes.size(); shift += 7) {
      uint64_t byte = static_cast<uint8_t>(bytes[at++]);
      value |= shift < 64 ? (byte & 127) << shift : 0;
      if (byte < 128)
        return true;
    }
    return false;
  }

  std::string_view bytes;
  size_t at = 0;
};

void putVarint(std::string &out, uint64_t value) {
  for (; value >= 128; value >>= 7)
    out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

class Reducer {
public:
  Reducer(std::string_view model, std::string &out) : model(model), out(out) {}

  WireError message(Kind kind, std::string_view bytes, int depth) {
    if (depth > kMaxNesting)
      return WireError::TooDeep;
    if (kind == Kind::Node && ++nodes > kMaxNodes)
      return WireError::TooManyNodes;
    bool leaveOut = kind == Kind::Tensor && hasOneLongValue(bytes);
    Fields fields(bytes);
    for (Field field; fields.next(field);) {
      Kind child = childOf(kind, field.number);
      if (field.number == kMarker)
        continue;
      if (field.wire == kBytes && child != Kind::Other) {
        if (WireError error = nested(child, field, depth);
            error != WireError::None)
          return error;
      } else if (leaveOut && isValue(field)) {
        LongValue value{
            field.number,
            static_cast<uint64_t>(field.content.data() - model.data()),
            field.content.size()};
        putVarint(out, uint64_t(kMarker) << 3 | kBytes);
        putVarint(out, sizeof value);
        out.append(reinterpret_cast<const char *>(&value), sizeof value);
      } else {
        out.append(field.all);
      }
    }
    return fields.damaged ? WireError::Damaged : WireError::None;
  }

private:
  static bool isValue(const Field &field) {
    return field.number == kRawData || field.number == kFloatData ||
           field.number == kDoubleData;
  }

  /// Values in pieces, or of two kinds, are left to protobuf to put together.
  static bool hasOneLongValue(std::string_view tensor) {
    int count = 0;
    size_t size = 0;
    Fields fields(tensor);
    for (Field field; fields.next(field);)
      if (isValue(field)) {
        ++count;
        size = field.content.size();
      }
    return count == 1 && size >= kLongTensor;
  }

  /// The length of what is written is known only afterwards, so it takes the
  /// five bytes of the longest one.
  WireError nested(Kind kind, const Field &field, int depth) {
    putVarint(out, field.number << 3 | kBytes);
    size_t length = out.size();
    out.append(5, '\0');
    WireError error = message(kind, field.content, depth + 1);
    size_t size = out.size() - length - 5;
    for (int i = 0; i < 5; ++i, size >>= 7)
      out[length + i] = static_cast<char>((size & 127) | (i < 4 ? 128 : 0));
    return error;
  }

  std::string_view model;
  std::string &out;
  int64_t nodes = 0;
};

} // namespace

WireError onnx_import::leaveOutLongTensors(std::string_view model,
                                           std::string &reduced) {
  reduced.clear();
  return Reducer(model, reduced).message(Kind::Model, model, 0);
}

std::optional<LongValue>
onnx_import::longValue(const onnx::TensorProto &tensor) {
  const google::protobuf::UnknownFieldSet &fields =
      tensor.GetReflection()->GetUnknownFields(tensor);
  for (int i = 0; i < fields.field_count(); ++i) {
    const google::protobuf::UnknownField &field = fields.field(i);
    LongValue value;
    if (field.number() != kMarker ||
        field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED ||
        field.length_delimited().size() != sizeof value)
      continue;
    std::memcpy(&value, field.length_delimited().data(), sizeof value);
    return value;
  }
  return std::nullopt;
}
