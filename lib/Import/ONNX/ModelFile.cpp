//===- ModelFile.cpp - the bytes of a model as a message -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelFile.h"
#include "WireFormat.h"

#include "cimc/Import/ONNX/Import.h"

#include "google/protobuf/io/coded_stream.h"
#include "onnx/defs/parser.h"

#include <limits>
#include <stdexcept>

using namespace cimc;
using namespace cimc::onnx_import;

OnnxForm cimc::sniffOnnxForm(std::string_view beginning) {
  for (size_t i = 0; i < beginning.size(); ++i) {
    char c = beginning[i];
    if (c == '#') // a comment of the text form
      i = std::min(beginning.find('\n', i), beginning.size());
    else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
      return c == '<' ? OnnxForm::Text : OnnxForm::Binary;
  }
  return OnnxForm::Binary;
}

bool onnx_import::parseMessage(std::string_view bytes,
                               google::protobuf::Message &message) {
  // Protobuf logs to stderr where a file is no message; the caller says it.
  google::protobuf::LogSilencer silence;
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t *>(bytes.data()),
      static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  return message.ParseFromCodedStream(&stream) &&
         stream.ConsumedEntireMessage();
}

/// ONNX's text parser calls itself for every bracket, so a file of brackets
/// would overflow the stack.
static void checkTextNesting(std::string_view text, const std::string &path) {
  int64_t depth = 0, line = 1;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    line += c == '\n';
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '{' || c == '(' || c == '[' || c == '<') {
      if (++depth > kMaxNesting)
        failInvalid("{}:{}: brackets are nested more than {} deep", path, line,
                    kMaxNesting);
    } else if ((c == '}' || c == ')' || c == ']' ||
                (c == '>' && i > 0 && text[i - 1] != '=')) &&
               depth > 0) {
      --depth;
    }
  }
}

void onnx_import::parseModel(std::string_view bytes, const std::string &path,
                             onnx::ModelProto &model) {
  if (bytes.empty())
    failInvalid("{}: the file is empty; an ONNX model was expected", path);
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    failInvalid("{}: {} bytes are more than a serialized ONNX model can have "
                "(2 GiB); store its weights as external data",
                path, bytes.size());
  if (sniffOnnxForm(bytes) == OnnxForm::Text) {
    checkTextNesting(bytes, path);
    std::string text(bytes);
    onnx::OnnxParser parser(text.c_str());
    onnx::Common::Status status;
    try {
      status = parser.Parse(model);
    } catch (const std::logic_error &) { // of std::stoll and the like
      failInvalid("{}: the text form of ONNX cannot be read: a number is out "
                  "of range",
                  path);
    }
    if (!status.IsOK())
      failInvalid("{}: the text form of ONNX cannot be read: {}", path,
                  status.ErrorMessage());
    if (!parser.EndOfInput())
      failInvalid("{}: there is text behind the end of the model", path);
    return;
  }
  std::string reduced;
  WireError error = leaveOutLongTensors(bytes, reduced);
  if (error == WireError::TooDeep)
    failInvalid("{}: graphs are nested in graphs more than {} messages deep",
                path, kMaxNesting);
  if (error == WireError::TooManyNodes)
    failUnsupported("{}: the model has more than {} nodes", path, kMaxNodes);
  if (error == WireError::Damaged || !parseMessage(reduced, model))
    failInvalid("{}: not an ONNX model, or a damaged one: its bytes are not "
                "a complete ModelProto message",
                path);
  if (!model.has_graph())
    failInvalid("{}: not an ONNX model: the message has no graph", path);
}
