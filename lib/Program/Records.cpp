//===- Records.cpp - encoding, decoding and text of machine records -------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Records.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "cimc/Program/Records.cpp.inc"

using namespace cimc;
using namespace cimc::isa;

namespace {

constexpr unsigned addBits = 32, mulBits = 24;

bool fitsSigned(int64_t value, unsigned bits) {
  int64_t limit = INT64_C(1) << (bits - 1);
  return value >= -limit && value < limit;
}

/// Writes numbers low bit first.
class BitWriter {
public:
  BitWriter(uint8_t *out) : out(out) {}
  void put(uint64_t value, unsigned bits) {
    for (unsigned done = 0; done < bits;) {
      unsigned offset = at % 8;
      unsigned take = std::min(8 - offset, bits - done);
      uint64_t part = (value >> done) & ((1u << take) - 1);
      out[at / 8] = static_cast<uint8_t>(out[at / 8] | (part << offset));
      at += take;
      done += take;
    }
  }

private:
  uint8_t *out;
  size_t at = 0;
};

class BitReader {
public:
  BitReader(const uint8_t *data) : data(data) {}
  uint64_t take(unsigned bits) {
    uint64_t value = 0;
    for (unsigned done = 0; done < bits;) {
      unsigned offset = at % 8;
      unsigned part = std::min(8 - offset, bits - done);
      uint64_t piece = (data[at / 8] >> offset) & ((1u << part) - 1);
      value |= piece << done;
      at += part;
      done += part;
    }
    return value;
  }
  int64_t takeSigned(unsigned bits) {
    uint64_t value = take(bits), sign = UINT64_C(1) << (bits - 1);
    return static_cast<int64_t>((value ^ sign) - sign);
  }

private:
  const uint8_t *data;
  size_t at = 0;
};

std::string formatAffine(const Affine &a) {
  std::string out;
  auto term = [&](int64_t factor, const char *variable) {
    if (factor == 0)
      return;
    if (factor > 0 && !out.empty())
      out += '+';
    out += fmt::format("{}*{}", factor, variable);
  };
  if (a.add != 0)
    out = std::to_string(a.add);
  term(a.mul0, "i0");
  term(a.mul1, "i1");
  return out.empty() ? "0" : out;
}

} // namespace

bool FieldInfo::fits(const FieldValue &value) const {
  switch (kind) {
  case FieldKind::Unsigned:
    return value.integer >= 0 && value.integer < (INT64_C(1) << width);
  case FieldKind::Signed:
    return fitsSigned(value.integer, width);
  case FieldKind::Float:
    return true;
  case FieldKind::Affine:
    return fitsSigned(value.affine.mul0, mulBits) &&
           fitsSigned(value.affine.mul1, mulBits);
  }
  return false;
}

const FieldInfo *RecordInfo::find(std::string_view name) const {
  for (const FieldInfo &field : *this)
    if (name == field.name)
      return &field;
  return nullptr;
}

const RecordInfo *isa::findRecord(std::string_view mnemonic) {
  for (const RecordInfo *info : allRecords())
    if (mnemonic == info->mnemonic)
      return info;
  return nullptr;
}

const RecordInfo *isa::findRecord(uint8_t opcode) {
  static const std::array<const RecordInfo *, 256> table = [] {
    std::array<const RecordInfo *, 256> byOpcode{};
    for (const RecordInfo *info : allRecords())
      byOpcode[info->opcode] = info;
    return byOpcode;
  }();
  return table[opcode];
}

void isa::encodeRecord(const RecordInfo &info, const void *record,
                       std::vector<uint8_t> &out) {
  size_t begin = out.size();
  out.resize(begin + info.bytes, 0);
  BitWriter bits(out.data() + begin);
  bits.put(info.opcode, 8);
  for (const FieldInfo &field : info) {
    FieldValue value = field.get(record);
    switch (field.kind) {
    case FieldKind::Unsigned:
    case FieldKind::Signed:
      bits.put(static_cast<uint64_t>(value.integer), field.width);
      break;
    case FieldKind::Float: {
      uint32_t raw;
      std::memcpy(&raw, &value.real, sizeof raw);
      bits.put(raw, 32);
      break;
    }
    case FieldKind::Affine:
      bits.put(static_cast<uint32_t>(value.affine.add), addBits);
      bits.put(static_cast<uint32_t>(value.affine.mul0), mulBits);
      bits.put(static_cast<uint32_t>(value.affine.mul1), mulBits);
      break;
    }
  }
}

Status isa::decodeRecord(const RecordInfo &info, const uint8_t *data,
                         size_t size, void *record) {
  if (size < info.bytes)
    return Error{ExitCode::InvalidInput,
                 fmt::format("'{}' takes {} bytes but {} are left",
                             info.mnemonic, info.bytes, size)};
  BitReader bits(data);
  if (uint64_t opcode = bits.take(8); opcode != info.opcode)
    return Error{ExitCode::InvalidInput,
                 fmt::format("opcode {:#04x} where '{}' ({:#04x}) must be",
                             opcode, info.mnemonic, info.opcode)};
  size_t used = 8;
  for (const FieldInfo &field : info) {
    FieldValue value;
    switch (field.kind) {
    case FieldKind::Unsigned:
      value.integer = static_cast<int64_t>(bits.take(field.width));
      break;
    case FieldKind::Signed:
      value.integer = bits.takeSigned(field.width);
      break;
    case FieldKind::Float: {
      uint32_t raw = static_cast<uint32_t>(bits.take(32));
      std::memcpy(&value.real, &raw, sizeof raw);
      break;
    }
    case FieldKind::Affine:
      value.affine.add = static_cast<int32_t>(bits.takeSigned(addBits));
      value.affine.mul0 = static_cast<int32_t>(bits.takeSigned(mulBits));
      value.affine.mul1 = static_cast<int32_t>(bits.takeSigned(mulBits));
      break;
    }
    field.set(record, value);
    used += field.width;
  }
  if (size_t rest = info.bytes * 8 - used; rest && bits.take(rest) != 0)
    return Error{
        ExitCode::InvalidInput,
        fmt::format("'{}' has padding bits that are not 0", info.mnemonic)};
  return {};
}

Status isa::checkFields(const RecordInfo &info, const void *record) {
  for (const FieldInfo &field : info) {
    FieldValue value = field.get(record);
    if (field.fits(value))
      continue;
    std::string text = field.kind == FieldKind::Affine
                           ? formatAffine(value.affine)
                           : std::to_string(value.integer);
    return Error{
        ExitCode::InvalidInput,
        fmt::format("'{}': {} = {} does not fit its field of {} bits",
                    info.mnemonic, field.name, text,
                    field.kind == FieldKind::Affine ? mulBits : field.width)};
  }
  return {};
}

std::string isa::formatRecord(const RecordInfo &info, const void *record) {
  std::string out = info.mnemonic;
  for (const FieldInfo &field : info) {
    FieldValue value = field.get(record);
    out += fmt::format(" {}=", field.name);
    switch (field.kind) {
    case FieldKind::Unsigned:
    case FieldKind::Signed:
      out += std::to_string(value.integer);
      break;
    case FieldKind::Float:
      // The shortest text that reads back as the same bits.
      if (std::isnan(value.real)) {
        uint32_t raw;
        std::memcpy(&raw, &value.real, sizeof raw);
        out += fmt::format("{:#010x}", raw);
      } else {
        out += fmt::format("{}", value.real);
      }
      break;
    case FieldKind::Affine:
      out += formatAffine(value.affine);
      break;
    }
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Reading text
//===----------------------------------------------------------------------===//

namespace {

bool parseInteger(const std::string &text, int64_t &value) {
  char *stop = nullptr;
  errno = 0;
  value = std::strtoll(text.c_str(), &stop, 10);
  return !text.empty() && *stop == 0 && errno == 0;
}

/// "3", "-1+2*i0", "2*i0-1*i1": a sum of terms.
bool parseAffine(std::string_view text, Affine &value) {
  bool any = false;
  while (!text.empty()) {
    size_t end = text.find_first_of("+-", 1);
    std::string_view term = text.substr(0, end);
    text.remove_prefix(std::min(end, text.size()));
    if (term.front() == '+')
      term.remove_prefix(1);
    int32_t *part = &value.add;
    for (auto [name, factor] :
         {std::pair<std::string_view, int32_t *>{"*i0", &value.mul0},
          {"*i1", &value.mul1}})
      if (term.size() > name.size() &&
          term.substr(term.size() - name.size()) == name) {
        part = factor;
        term.remove_suffix(name.size());
      }
    int64_t number;
    if (!parseInteger(std::string(term), number) ||
        number != static_cast<int32_t>(number))
      return false;
    *part = static_cast<int32_t>(number);
    any = true;
  }
  return any;
}

bool parseValue(FieldKind kind, const std::string &text, FieldValue &value) {
  switch (kind) {
  case FieldKind::Unsigned:
  case FieldKind::Signed:
    return parseInteger(text, value.integer);
  case FieldKind::Float: {
    char *stop = nullptr;
    if (text.substr(0, 2) == "0x") {
      auto raw = static_cast<uint32_t>(std::strtoul(text.c_str(), &stop, 16));
      std::memcpy(&value.real, &raw, sizeof raw);
      return text.size() == 10 && *stop == 0;
    }
    value.real = std::strtof(text.c_str(), &stop);
    return !text.empty() && *stop == 0;
  }
  case FieldKind::Affine:
    return parseAffine(text, value.affine);
  }
  return false;
}

} // namespace

Status isa::parseRecord(const RecordInfo &info,
                        const std::vector<std::string_view> &fields,
                        void *record) {
  auto fail = [&](const std::string &what) {
    return Error{ExitCode::InvalidInput,
                 fmt::format("'{}': {}", info.mnemonic, what)};
  };
  std::vector<bool> seen(info.fieldCount);
  for (std::string_view text : fields) {
    size_t equals = text.find('=');
    const FieldInfo *field = equals == std::string_view::npos
                                 ? nullptr
                                 : info.find(text.substr(0, equals));
    if (!field)
      return fail(fmt::format("'{}' is not one of its fields", text));
    if (seen[field - info.fields])
      return fail(fmt::format("'{}' is given twice", field->name));
    seen[field - info.fields] = true;
    FieldValue value;
    if (!parseValue(field->kind, std::string(text.substr(equals + 1)), value))
      return fail(fmt::format("'{}' is not a value", text));
    if (!field->fits(value))
      return fail(fmt::format("'{}' does not fit its field", text));
    field->set(record, value);
  }
  for (size_t i = 0; i < info.fieldCount; ++i)
    if (!seen[i])
      return fail(fmt::format("'{}' is missing", info.fields[i].name));
  return {};
}
