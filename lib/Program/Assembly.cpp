//===- Assembly.cpp - programs as text, and back --------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// One line for every record, as isa::formatRecord writes it; what has no record
// (names, constants, weights, the chip) has lines of its own. docs/isa.md
// describes the instructions, docs/user-guide.md the rest.
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

using namespace cimc;

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

template <typename Record>
static void printRecords(std::string &out, const std::vector<Record> &records,
                         const char *indent) {
  for (const Record &record : records)
    out += indent + isa::formatRecord(isa::infoOf<Record>(), &record) + "\n";
}

template <typename T> static std::string listed(const std::vector<T> &values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

/// Bytes as hexadecimal digits, 32 a line.
template <typename T>
static void printBytes(std::string &out, const std::vector<T> &bytes) {
  constexpr size_t perLine = 32;
  static constexpr char digits[] = "0123456789abcdef";
  for (size_t at = 0; at < bytes.size(); at += perLine) {
    out += "    ";
    for (size_t i = at; i < std::min(at + perLine, bytes.size()); ++i) {
      auto byte = static_cast<uint8_t>(bytes[i]);
      out += {digits[byte >> 4], digits[byte & 15]};
    }
    out += '\n';
  }
}

template <typename T> static std::string formatted(const T &instruction) {
  return isa::formatRecord(isa::infoOf(instruction),
                           isa::addressOf(instruction));
}

std::string cimc::disassemble(const Program &program, bool complete) {
  std::string out = fmt::format("program {} chip={}\n", quoted(program.model),
                                quoted(program.chip.name));
  if (complete)
    out += "chip\n" + printChip(program.chip) + "end\n";
  for (const Network &network : program.networks)
    out += fmt::format("network {} cores={}\n", quoted(network.name),
                       listed(network.cores));
  for (const IOBinding &io : program.ios)
    out += fmt::format("{} {} type={} shape={} perm={} channels={}\n",
                       io.isOutput ? "output" : "input", quoted(io.name),
                       name(io.type), listed(io.shape), listed(io.perm),
                       listed(io.channels));
  printRecords(out, program.channels, "");
  for (const MacroRepair &repair : program.repairs) {
    std::vector<uint16_t> moved, spares;
    for (const MacroRepair::Move &move : repair.moves) {
      moved.push_back(move.column);
      spares.push_back(move.spare);
    }
    out += fmt::format("repair core={} macro={} moved={} spares={} "
                       "complemented={} rotations={}\n",
                       repair.core, repair.macro, listed(moved), listed(spares),
                       listed(repair.complemented), listed(repair.rotations));
  }
  for (const CoreProgram &core : program.cores) {
    out += fmt::format("\ncore {}\n", core.id);
    printRecords(out, core.views, "  ");
    printRecords(out, core.windows, "  ");
    printRecords(out, core.patterns, "  ");
    for (const DataBlock &block : core.data) {
      out += fmt::format("  data address={} bytes={}\n", block.address,
                         block.bytes.size());
      if (complete)
        printBytes(out, block.bytes);
    }
    for (const CellBlock &block : core.cells) {
      out += fmt::format(
          "  cells row={} column={} rows={} columns={} bits={}\n", block.row,
          block.column, block.rows, block.columns, block.bits);
      if (complete)
        printBytes(out, block.weights);
    }
    for (const isa::SetupInstruction &instruction : core.setup)
      out += "  " + formatted(instruction) + "\n";
    for (size_t s = 0; s < core.streams.size(); ++s) {
      const Stream &stream = core.streams[s];
      out += fmt::format("  stream {} {}\n", s, quoted(stream.layer));
      size_t depth = 0;
      for (const isa::Instruction &instruction : stream.instructions) {
        if (std::holds_alternative<isa::Next>(instruction) && depth > 0)
          --depth;
        out += std::string(4 + 2 * depth, ' ') + formatted(instruction) + "\n";
        if (std::holds_alternative<isa::Loop>(instruction))
          ++depth;
      }
    }
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

/// Words of a line: up to a blank outside of quotes and brackets.
std::vector<std::string_view> wordsOf(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < line.size();) {
    if (line[at] == ' ' || line[at] == '\t' || line[at] == '\r') {
      ++at;
      continue;
    }
    size_t begin = at;
    bool inQuotes = false, inList = false;
    for (; at < line.size(); ++at) {
      char c = line[at];
      if (inQuotes && c == '\\')
        ++at;
      else if (c == '"')
        inQuotes = !inQuotes;
      else if (!inQuotes && (c == '[' || c == ']'))
        inList = c == '[';
      else if (!inQuotes && !inList && (c == ' ' || c == '\t' || c == '\r'))
        break;
    }
    at = std::min(at, line.size());
    words.push_back(line.substr(begin, at - begin));
  }
  return words;
}

class Assembler {
public:
  Assembler(std::string_view text, const std::string &origin)
      : text(text), origin(origin) {}
  Result<Program> run();

private:
  Error fail(const std::string &what) const {
    return {ExitCode::InvalidInput,
            fmt::format("{}:{}: {}", origin, number, what)};
  }
  bool nextLine();
  Status readLine();
  Status readChip();
  Status readIO();
  Status readNetwork();
  Status readRepair();
  Status readRecord(const isa::RecordInfo &info);
  template <typename T> Status readBytes(size_t count, std::vector<T> &out);
  Status readString(std::string_view word, std::string &out) const;
  /// The words from `first` on, which must be these names in this order.
  Status readValues(size_t first, const std::vector<const char *> &names,
                    std::vector<std::string_view> &values) const;
  template <typename T> Status readInteger(std::string_view word, T &out) const;
  template <typename T>
  Status readList(std::string_view word, std::vector<T> &out) const;
  CoreProgram *core() {
    return program.cores.empty() ? nullptr : &program.cores.back();
  }

  std::string_view text;
  const std::string &origin;
  size_t next = 0, number = 0;
  std::string_view line;
  std::vector<std::string_view> words;
  bool hasChip = false;
  Program program;
};

bool Assembler::nextLine() {
  while (next < text.size()) {
    size_t end = std::min(text.find('\n', next), text.size());
    line = text.substr(next, end - next);
    next = end + 1;
    ++number;
    words = wordsOf(line);
    if (!words.empty() && words[0][0] != '#')
      return true;
  }
  return false;
}

template <typename T>
Status Assembler::readInteger(std::string_view word, T &out) const {
  std::string digits(word);
  char *stop = nullptr;
  errno = 0;
  long long value = std::strtoll(digits.c_str(), &stop, 10);
  out = static_cast<T>(value);
  if (digits.empty() || *stop || errno || static_cast<long long>(out) != value)
    return fail(fmt::format("'{}' is not a whole number that fits here", word));
  return {};
}

template <typename T>
Status Assembler::readList(std::string_view word, std::vector<T> &out) const {
  if (word.size() < 2 || word.front() != '[' || word.back() != ']')
    return fail(fmt::format("'{}' is not a list such as [1, 2]", word));
  word = word.substr(1, word.size() - 2);
  for (size_t begin = 0; begin < word.size();) {
    size_t end = std::min(word.find(',', begin), word.size());
    std::string_view item = word.substr(begin, end - begin);
    while (!item.empty() && item.front() == ' ')
      item.remove_prefix(1);
    out.emplace_back();
    if (Status status = readInteger(item, out.back()); !status)
      return status;
    begin = end + 1;
  }
  return {};
}

Status Assembler::readString(std::string_view word, std::string &out) const {
  if (word.size() < 2 || word.front() != '"' || word.back() != '"')
    return fail(fmt::format("'{}' is not a name in quotes", word));
  word = word.substr(1, word.size() - 2);
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '\\') {
      out += word[i];
      continue;
    }
    if (++i < word.size() && word[i] != 'x') {
      out += word[i];
      continue;
    }
    std::string digits(word.substr(std::min(i + 1, word.size()), 2));
    char *stop = nullptr;
    unsigned long value = std::strtoul(digits.c_str(), &stop, 16);
    if (digits.size() != 2 || *stop)
      return fail(fmt::format("\"{}\" ends in a bad escape", word));
    out += static_cast<char>(value);
    i += 2;
  }
  return {};
}

Status Assembler::readValues(size_t first,
                             const std::vector<const char *> &names,
                             std::vector<std::string_view> &values) const {
  for (size_t i = 0; i < names.size(); ++i) {
    std::string begin = fmt::format("{}=", names[i]);
    if (first + i >= words.size() ||
        words[first + i].substr(0, begin.size()) != begin)
      return fail(fmt::format("'{}...' must follow", begin));
    values.push_back(words[first + i].substr(begin.size()));
  }
  if (words.size() > first + names.size())
    return fail(fmt::format("'{}' is too much", words[first + names.size()]));
  return {};
}

template <typename T>
Status Assembler::readBytes(size_t count, std::vector<T> &out) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  // A digit pair a byte: no more can follow than the text has left.
  if (count > (text.size() - std::min(next, text.size())) / 2 + 1)
    return fail(fmt::format("{} bytes must follow in hexadecimal digits ('cimc "
                            "disasm --complete' writes them)",
                            count));
  while (out.size() < count) {
    if (!nextLine() || words.size() != 1)
      return fail(fmt::format("{} of {} bytes; hexadecimal digits must follow "
                              "('cimc disasm --complete' writes them)",
                              out.size(), count));
    std::string_view digits = words[0];
    if (digits.size() % 2 || digits.size() / 2 > count - out.size())
      return fail(fmt::format("{} digits where {} bytes are left",
                              digits.size(), count - out.size()));
    for (size_t i = 0; i < digits.size(); i += 2) {
      int high = digit(digits[i]), low = digit(digits[i + 1]);
      if (high < 0 || low < 0)
        return fail(fmt::format("'{}' is not a byte in hexadecimal digits",
                                digits.substr(i, 2)));
      out.push_back(static_cast<T>(high * 16 + low));
    }
  }
  return {};
}

Status Assembler::readChip() {
  size_t begin = next, first = number;
  while (nextLine())
    if (words.size() == 1 && words[0] == "end") {
      auto length = static_cast<size_t>(line.data() - (text.data() + begin));
      Result<ChipSpec> chip = parseChip(text.substr(begin, length), "chip");
      if (!chip)
        return fail(fmt::format("in the chip from line {} on: {}", first + 1,
                                chip.error().message));
      program.chip = std::move(*chip);
      hasChip = true;
      return {};
    }
  return fail(fmt::format("the chip of line {} has no 'end'", first));
}

Status Assembler::readIO() {
  IOBinding io;
  io.isOutput = words[0] == "output";
  if (words.size() < 2)
    return fail("a name must follow");
  std::vector<std::string_view> values;
  for (Status status :
       {readString(words[1], io.name),
        readValues(2, {"type", "shape", "perm", "channels"}, values)})
    if (!status)
      return status;
  bool known = false;
  for (int t = 0; t <= static_cast<int>(kLastDType); ++t)
    if (values[0] == name(static_cast<DType>(t))) {
      io.type = static_cast<DType>(t);
      known = true;
    }
  if (!known)
    return fail(fmt::format("'{}' is not an element type", values[0]));
  for (Status status :
       {readList(values[1], io.shape), readList(values[2], io.perm),
        readList(values[3], io.channels)})
    if (!status)
      return status;
  program.ios.push_back(std::move(io));
  return {};
}

Status Assembler::readNetwork() {
  Network network;
  if (words.size() < 2)
    return fail("a name must follow");
  std::vector<std::string_view> values;
  for (Status status :
       {readString(words[1], network.name), readValues(2, {"cores"}, values)})
    if (!status)
      return status;
  if (Status status = readList(values[0], network.cores); !status)
    return status;
  program.networks.push_back(std::move(network));
  return {};
}

Status Assembler::readRepair() {
  MacroRepair repair;
  std::vector<std::string_view> values;
  std::vector<uint16_t> moved, spares;
  if (Status status = readValues(
          1, {"core", "macro", "moved", "spares", "complemented", "rotations"},
          values);
      !status)
    return status;
  for (Status status :
       {readInteger(values[0], repair.core),
        readInteger(values[1], repair.macro), readList(values[2], moved),
        readList(values[3], spares), readList(values[4], repair.complemented),
        readList(values[5], repair.rotations)})
    if (!status)
      return status;
  if (moved.size() != spares.size())
    return fail(fmt::format("{} columns are moved to {} spares", moved.size(),
                            spares.size()));
  for (size_t i = 0; i < moved.size(); ++i)
    repair.moves.push_back({moved[i], spares[i]});
  program.repairs.push_back(std::move(repair));
  return {};
}

Status Assembler::readRecord(const isa::RecordInfo &info) {
  auto parse = [&](void *record) -> Status {
    Status status =
        isa::parseRecord(info, {words.begin() + 1, words.end()}, record);
    return status ? status : Status(fail(status.error().message));
  };
  auto append = [&](auto &list) {
    list.emplace_back();
    return parse(&list.back());
  };
  if (&info == &isa::infoOf<isa::Channel>())
    return append(program.channels);
  if (!core())
    return fail("it belongs to a core; 'core NUMBER' must come before");
  if (&info == &isa::infoOf<isa::View>())
    return append(core()->views);
  if (&info == &isa::infoOf<isa::Window>())
    return append(core()->windows);
  if (&info == &isa::infoOf<isa::Pattern>())
    return append(core()->patterns);
  if (info.use == isa::RecordUse::Setup) {
    // What runs once is not written among what runs for every sample.
    if (!core()->streams.empty())
      return fail(fmt::format("'{}' belongs to the setup of a core, before its "
                              "streams",
                              info.mnemonic));
    core()->setup.emplace_back();
    isa::makeInstruction(info, core()->setup.back());
    return parse(isa::addressOf(core()->setup.back()));
  }
  if (core()->streams.empty())
    return fail("it belongs to a stream; 'stream 0 \"NAME\"' must come before");
  auto &code = core()->streams.back().instructions;
  code.emplace_back();
  isa::makeInstruction(info, code.back());
  return parse(isa::addressOf(code.back()));
}

Status Assembler::readLine() {
  std::string_view word = words[0];
  std::vector<std::string_view> values;
  if (const isa::RecordInfo *info = isa::findRecord(word))
    return readRecord(*info);
  if (word == "input" || word == "output")
    return readIO();
  if (word == "network")
    return readNetwork();
  if (word == "repair")
    return readRepair();
  if (word == "chip")
    return readChip();
  if (word == "core") {
    program.cores.emplace_back();
    return words.size() == 2 ? readInteger(words[1], core()->id)
                             : Status(fail("a core is 'core NUMBER'"));
  }
  if (!core())
    return fail(fmt::format("'{}' begins nothing that is known here", word));
  if (word == "data") {
    DataBlock block;
    size_t bytes = 0;
    if (Status status = readValues(1, {"address", "bytes"}, values); !status)
      return status;
    for (Status status :
         {readInteger(values[0], block.address), readInteger(values[1], bytes)})
      if (!status)
        return status;
    core()->data.push_back(std::move(block));
    return readBytes(bytes, core()->data.back().bytes);
  }
  if (word == "cells") {
    CellBlock block;
    if (Status status =
            readValues(1, {"row", "column", "rows", "columns", "bits"}, values);
        !status)
      return status;
    for (Status status : {readInteger(values[0], block.row),
                          readInteger(values[1], block.column),
                          readInteger(values[2], block.rows),
                          readInteger(values[3], block.columns),
                          readInteger(values[4], block.bits)})
      if (!status)
        return status;
    core()->cells.push_back(block);
    return readBytes(size_t{block.rows} * block.columns,
                     core()->cells.back().weights);
  }
  if (word == "stream") {
    size_t index = 0;
    if (words.size() != 3)
      return fail("a stream is 'stream NUMBER \"NAME\"'");
    if (Status status = readInteger(words[1], index); !status)
      return status;
    if (index != core()->streams.size())
      return fail(fmt::format("stream {} where stream {} must be", index,
                              core()->streams.size()));
    core()->streams.emplace_back();
    return readString(words[2], core()->streams.back().layer);
  }
  return fail(fmt::format("'{}' begins nothing that is known here", word));
}

Result<Program> Assembler::run() {
  if (!nextLine() || words[0] != "program" || words.size() != 3)
    return fail("the first line must be 'program \"NAME\" chip=\"NAME\"'");
  std::vector<std::string_view> values;
  std::string chip;
  for (Status status :
       {readString(words[1], program.model), readValues(2, {"chip"}, values)})
    if (!status)
      return status.takeError();
  if (Status status = readString(values[0], chip); !status)
    return status.takeError();
  while (nextLine())
    if (Status status = readLine(); !status)
      return status.takeError();
  if (!hasChip) {
    // A text by hand may name a preset.
    Result<ChipSpec> preset = loadPreset(chip);
    if (!preset)
      return fail(preset.error().message);
    program.chip = std::move(*preset);
  }
  return std::move(program);
}

} // namespace

Result<Program> cimc::assemble(std::string_view text,
                               const std::string &origin) {
  Result<Program> program = Assembler(text, origin).run();
  if (!program)
    return program;
  return verified(std::move(*program), origin);
}
