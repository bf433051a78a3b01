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

void onnx_import::parseModel(std::string_view bytes, const std::string &path,
                             onnx::ModelProto &model) {
  if (bytes.empty())
    failInvalid("{}: the file is empty; an ONNX model was expected", path);
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    failInvalid("{}: {} bytes are more than a serialized ONNX model can have "
                "(2 GiB); store its weights as external data",
                path, bytes.size());
  if (sniffOnnxForm(bytes) == OnnxForm::Text) {
    std::string text(bytes);
    onnx::OnnxParser parser(text.c_str());
    auto status = parser.Parse(model);
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
  if (error == WireError::Damaged || !parseMessage(reduced, model))
    failInvalid("{}: not an ONNX model, or a damaged one: its bytes are not "
                "a complete ModelProto message",
                path);
  if (!model.has_graph())
    failInvalid("{}: not an ONNX model: the message has no graph", path);
}
