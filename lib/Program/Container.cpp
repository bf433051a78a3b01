//===- Container.cpp - .cimx files ----------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Container.h"
#include "ByteStream.h"
#include "cimc/Program/Program.h"
#include "cimc/Support/File.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <map>

using namespace cimc;

namespace {

constexpr const char *sectionNames[] = {"META", "CHANNELS", "CORES",  "CELLS",
                                        "DATA", "IO",       "REPAIR", "DEBUG"};
constexpr size_t sectionCount = std::size(sectionNames);
/// Records take far more room in memory than in a file; a program of this many
/// is no compiler's output.
constexpr uint64_t maxInstructions = 1 << 23;

/// Bytes of one bit plane.
size_t planeBytes(const CellBlock &block) {
  return static_cast<size_t>(block.rows) * ((block.columns + 7u) / 8);
}

void putPlanes(const CellBlock &block, std::vector<uint8_t> &out) {
  size_t pitch = (block.columns + 7u) / 8, plane = planeBytes(block);
  size_t begin = out.size();
  out.resize(begin + plane * block.bits, 0);
  for (size_t r = 0; r < block.rows; ++r)
    for (size_t c = 0; c < block.columns; ++c) {
      auto value = static_cast<uint8_t>(block.weights[r * block.columns + c]);
      for (size_t b = 0; b < block.bits; ++b)
        out[begin + b * plane + r * pitch + c / 8] |=
            static_cast<uint8_t>(((value >> b) & 1) << (c % 8));
    }
}

void getPlanes(const uint8_t *in, CellBlock &block) {
  size_t pitch = (block.columns + 7u) / 8, plane = planeBytes(block);
  block.weights.resize(static_cast<size_t>(block.rows) * block.columns);
  unsigned sign = 1u << (block.bits - 1);
  for (size_t r = 0; r < block.rows; ++r)
    for (size_t c = 0; c < block.columns; ++c) {
      unsigned value = 0;
      for (size_t b = 0; b < block.bits; ++b)
        value |= ((in[b * plane + r * pitch + c / 8] >> (c % 8)) & 1u) << b;
      // One bit is 0 or -1, as the sign plane says.
      block.weights[r * block.columns + c] = static_cast<int8_t>(
          static_cast<int>(value ^ sign) - static_cast<int>(sign));
    }
}

template <typename T>
void putInstructions(const std::vector<T> &instructions, ByteWriter &out) {
  std::vector<uint8_t> records;
  for (const T &instruction : instructions)
    isa::encodeRecord(isa::infoOf(instruction), isa::addressOf(instruction),
                      records);
  out.put(static_cast<uint32_t>(instructions.size()));
  out.put(static_cast<uint32_t>(records.size()));
  out.bytes.insert(out.bytes.end(), records.begin(), records.end());
}

std::vector<uint8_t> writeSection(const Program &program, size_t section) {
  ByteWriter out;
  switch (section) {
  case 0: {
    std::string model =
        nlohmann::json(program.model)
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    std::string networks;
    for (const Network &network : program.networks)
      networks += fmt::format(
          "{}{{\"name\": {}, \"cores\": [{}]}}", networks.empty() ? "" : ", ",
          nlohmann::json(network.name)
              .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
          fmt::join(network.cores, ", "));
    if (!networks.empty())
      networks = fmt::format("\"networks\": [{}],\n", networks);
    std::string text = fmt::format("{{\"model\": {},\n{}\"chip\": {}}}\n",
                                   model, networks, printChip(program.chip));
    out.bytes.assign(text.begin(), text.end());
    break;
  }
  case 1:
    out.put(static_cast<uint32_t>(program.channels.size()));
    for (const isa::Channel &channel : program.channels)
      isa::encode(channel, out.bytes);
    break;
  case 2:
    out.put(static_cast<uint32_t>(program.cores.size()));
    for (const CoreProgram &core : program.cores) {
      out.put(core.id);
      out.put(static_cast<uint32_t>(core.views.size()));
      out.put(static_cast<uint32_t>(core.windows.size()));
      out.put(static_cast<uint32_t>(core.patterns.size()));
      for (const isa::View &view : core.views)
        isa::encode(view, out.bytes);
      for (const isa::Window &window : core.windows)
        isa::encode(window, out.bytes);
      for (const isa::Pattern &pattern : core.patterns)
        isa::encode(pattern, out.bytes);
      putInstructions(core.setup, out);
      out.put(static_cast<uint32_t>(core.streams.size()));
      for (const Stream &stream : core.streams)
        putInstructions(stream.instructions, out);
    }
    break;
  case 3:
    for (const CoreProgram &core : program.cores) {
      out.put(static_cast<uint32_t>(core.cells.size()));
      for (const CellBlock &block : core.cells) {
        for (uint16_t field :
             {block.row, block.column, block.rows, block.columns})
          out.put(field);
        out.put(block.bits);
        out.put(uint8_t(0));
        putPlanes(block, out.bytes);
      }
    }
    break;
  case 4:
    for (const CoreProgram &core : program.cores) {
      out.put(static_cast<uint32_t>(core.data.size()));
      for (const DataBlock &block : core.data) {
        out.put(block.address);
        out.put(static_cast<uint32_t>(block.bytes.size()));
        out.bytes.insert(out.bytes.end(), block.bytes.begin(),
                         block.bytes.end());
      }
    }
    break;
  case 5:
    out.put(static_cast<uint32_t>(program.ios.size()));
    for (const IOBinding &io : program.ios) {
      out.string(io.name);
      out.put(static_cast<uint8_t>(io.isOutput));
      out.put(static_cast<uint8_t>(io.type));
      for (const std::vector<int64_t> *axes : {&io.shape, &io.perm}) {
        out.put(static_cast<uint32_t>(axes->size()));
        for (int64_t value : *axes)
          out.put(value);
      }
      out.put(static_cast<uint32_t>(io.channels.size()));
      for (uint32_t channel : io.channels)
        out.put(channel);
    }
    break;
  case 6:
    out.put(static_cast<uint32_t>(program.repairs.size()));
    for (const MacroRepair &repair : program.repairs) {
      out.put(repair.core);
      out.put(repair.macro);
      out.put(uint16_t(0));
      out.put(static_cast<uint32_t>(repair.moves.size()));
      for (const MacroRepair::Move &move : repair.moves) {
        out.put(move.column);
        out.put(move.spare);
      }
      for (const std::vector<uint16_t> *list :
           {&repair.complemented, &repair.rotations}) {
        out.put(static_cast<uint32_t>(list->size()));
        for (uint16_t value : *list)
          out.put(value);
      }
    }
    break;
  case 7: {
    // Many streams belong to one layer.
    std::map<std::string, uint32_t> numbers;
    std::vector<const std::string *> names;
    ByteWriter uses;
    for (const CoreProgram &core : program.cores)
      for (const Stream &stream : core.streams) {
        auto [it, isNew] =
            numbers.emplace(stream.layer, static_cast<uint32_t>(names.size()));
        if (isNew)
          names.push_back(&it->first);
        uses.put(it->second);
      }
    out.put(static_cast<uint32_t>(names.size()));
    for (const std::string *name : names)
      out.string(*name);
    out.bytes.insert(out.bytes.end(), uses.bytes.begin(), uses.bytes.end());
    break;
  }
  }
  return std::move(out.bytes);
}

/// Reads the sections of one container.
class ContainerReader {
public:
  explicit ContainerReader(const std::string &origin) : origin(origin) {}

  Result<Program> read(const uint8_t *data, size_t size);

private:
  Error fail(size_t section, const std::string &what) const {
    return {
        ExitCode::InvalidInput,
        fmt::format("{}: section {}: {}; the file is damaged, compile again",
                    origin, sectionNames[section], what)};
  }
  Status readSection(size_t section, ByteReader in);
  Status readMeta(ByteReader &in);
  Status readCores(ByteReader &in);
  Status readCells(ByteReader &in);
  Status readIO(ByteReader &in);
  Status readRepairs(ByteReader &in);
  template <typename Record>
  Status readRecords(size_t section, ByteReader &in, uint32_t count,
                     std::vector<Record> &out);
  /// Those of the setup or of a stream; `of` names which.
  template <typename T>
  Status readInstructions(ByteReader &in, const std::string &of,
                          std::vector<T> &out);

  const std::string &origin;
  Program program;
  uint64_t instructions = 0; ///< read so far
};

template <typename Record>
Status ContainerReader::readRecords(size_t section, ByteReader &in,
                                    uint32_t count, std::vector<Record> &out) {
  const isa::RecordInfo &info = isa::infoOf<Record>();
  if (in.failed || count > in.left() / info.bytes)
    return fail(section, fmt::format("{} '{}' records do not fit in the {} "
                                     "bytes left",
                                     count, info.mnemonic, in.left()));
  out.resize(count);
  for (Record &record : out) {
    if (Status status = isa::decodeRecord(info, in.here(), in.left(), &record);
        !status)
      return fail(section, status.error().message);
    in.take(info.bytes);
  }
  return {};
}

Status ContainerReader::readMeta(ByteReader &in) {
  const char *begin = reinterpret_cast<const char *>(in.here());
  size_t length = in.left();
  in.take(length);
  nlohmann::json meta =
      nlohmann::json::parse(begin, begin + length, nullptr, false);
  if (meta.is_discarded() || !meta.is_object())
    return fail(0, "it is not a JSON object");
  auto model = meta.find("model"), chip = meta.find("chip");
  if (model == meta.end() || !model->is_string() || chip == meta.end() ||
      !chip->is_object())
    return fail(0, "\"model\" or \"chip\" is missing");
  program.model = model->get<std::string>();
  for (const nlohmann::json &entry :
       meta.value("networks", nlohmann::json::array())) {
    bool isNetwork = entry.is_object() && entry.contains("name") &&
                     entry["name"].is_string() && entry.contains("cores") &&
                     entry["cores"].is_array();
    for (size_t i = 0; isNetwork && i < entry["cores"].size(); ++i)
      isNetwork = entry["cores"][i].is_number_unsigned() &&
                  entry["cores"][i].get<uint64_t>() <= UINT32_MAX;
    if (!isNetwork)
      return fail(0, "a network is not {\"name\": \"...\", \"cores\": "
                     "[numbers]}");
    program.networks.push_back({entry["name"].get<std::string>(),
                                entry["cores"].get<std::vector<uint32_t>>()});
  }
  Result<ChipSpec> spec = parseChip(
      chip->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
      "chip");
  if (!spec)
    return fail(0, spec.error().message);
  program.chip = std::move(*spec);
  return {};
}

template <typename T>
Status ContainerReader::readInstructions(ByteReader &in, const std::string &of,
                                         std::vector<T> &out) {
  auto count = in.get<uint32_t>(), bytes = in.get<uint32_t>();
  const uint8_t *records = in.take(bytes);
  if (!records)
    return {};
  instructions += count;
  if (count > bytes || instructions > maxInstructions)
    return fail(2, fmt::format("{}: {} instructions in {} bytes (at most {} in "
                               "all)",
                               of, count, bytes, maxInstructions));
  out.resize(count);
  size_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    auto where = [&] { return fmt::format("{}, instruction {}: ", of, i); };
    if (at >= bytes)
      return fail(2, where() + "missing");
    const isa::RecordInfo *info = isa::findRecord(records[at]);
    if (!info || info->use == isa::RecordUse::Descriptor)
      return fail(2, where() + fmt::format("{:#04x} is not the opcode of an "
                                           "instruction",
                                           records[at]));
    if (!isa::makeInstruction(*info, out[i]))
      return fail(2, where() + info->mnemonic +
                         (info->use == isa::RecordUse::Setup
                              ? " belongs to a setup, which runs once; a "
                                "stream runs for every sample"
                              : " belongs to a stream"));
    if (Status status = isa::decodeRecord(*info, records + at, bytes - at,
                                          isa::addressOf(out[i]));
        !status)
      return fail(2, where() + status.error().message);
    at += info->bytes;
  }
  if (at != bytes)
    return fail(2, fmt::format("{}: {} bytes follow its last instruction", of,
                               bytes - at));
  return {};
}

Status ContainerReader::readCores(ByteReader &in) {
  program.cores.resize(in.count(28));
  for (CoreProgram &core : program.cores) {
    core.id = in.get<uint32_t>();
    auto views = in.get<uint32_t>(), windows = in.get<uint32_t>(),
         patterns = in.get<uint32_t>();
    for (Status status :
         {readRecords(2, in, views, core.views),
          readRecords(2, in, windows, core.windows),
          readRecords(2, in, patterns, core.patterns),
          readInstructions(in, fmt::format("core {}, setup", core.id),
                           core.setup)})
      if (!status)
        return status;
    core.streams.resize(in.count(8));
    for (size_t s = 0; s < core.streams.size() && !in.failed; ++s)
      if (Status status = readInstructions(
              in, fmt::format("core {}, stream {}", core.id, s),
              core.streams[s].instructions);
          !status)
        return status;
    if (in.failed)
      break;
  }
  return {};
}

Status ContainerReader::readCells(ByteReader &in) {
  for (CoreProgram &core : program.cores) {
    core.cells.resize(in.count(10));
    for (CellBlock &block : core.cells) {
      for (uint16_t *field :
           {&block.row, &block.column, &block.rows, &block.columns})
        *field = in.get<uint16_t>();
      block.bits = in.get<uint8_t>();
      auto zero = in.get<uint8_t>();
      if (in.failed)
        return {};
      if (block.bits < 1 || block.bits > 8 || zero != 0)
        return fail(3, fmt::format("core {}: a block of {}-bit weights; 1 to 8 "
                                   "can be stored",
                                   core.id, block.bits));
      const uint8_t *planes = in.take(planeBytes(block) * block.bits);
      if (!planes)
        return {};
      getPlanes(planes, block);
    }
  }
  return {};
}

Status ContainerReader::readIO(ByteReader &in) {
  program.ios.resize(in.count(18));
  for (IOBinding &io : program.ios) {
    io.name = in.string();
    auto output = in.get<uint8_t>(), type = in.get<uint8_t>();
    if (output > 1 || type > static_cast<uint8_t>(kLastDType))
      return fail(5, fmt::format("'{}' has direction {} and element type {}",
                                 io.name, output, type));
    io.isOutput = output;
    io.type = static_cast<DType>(type);
    for (std::vector<int64_t> *axes : {&io.shape, &io.perm}) {
      axes->resize(in.count(8));
      for (int64_t &value : *axes)
        value = in.get<int64_t>();
    }
    io.channels.resize(in.count(4));
    for (uint32_t &channel : io.channels)
      channel = in.get<uint32_t>();
  }
  return {};
}

Status ContainerReader::readRepairs(ByteReader &in) {
  program.repairs.resize(in.count(20));
  for (MacroRepair &repair : program.repairs) {
    repair.core = in.get<uint32_t>();
    repair.macro = in.get<uint16_t>();
    if (in.get<uint16_t>() != 0)
      return fail(6, fmt::format("core {}, macro {}: padding that is not 0",
                                 repair.core, repair.macro));
    repair.moves.resize(in.count(4));
    for (MacroRepair::Move &move : repair.moves) {
      move.column = in.get<uint16_t>();
      move.spare = in.get<uint16_t>();
    }
    for (std::vector<uint16_t> *list :
         {&repair.complemented, &repair.rotations}) {
      list->resize(in.count(2));
      for (uint16_t &value : *list)
        value = in.get<uint16_t>();
    }
  }
  return {};
}

Status ContainerReader::readSection(size_t section, ByteReader in) {
  Status status;
  switch (section) {
  case 0:
    status = readMeta(in);
    break;
  case 1:
    status = readRecords(1, in, in.get<uint32_t>(), program.channels);
    break;
  case 2:
    status = readCores(in);
    break;
  case 3:
    status = readCells(in);
    break;
  case 4:
    for (CoreProgram &core : program.cores) {
      core.data.resize(in.count(8));
      for (DataBlock &block : core.data) {
        block.address = in.get<uint32_t>();
        auto length = in.get<uint32_t>();
        if (const uint8_t *bytes = in.take(length))
          block.bytes.assign(bytes, bytes + length);
      }
    }
    break;
  case 5:
    status = readIO(in);
    break;
  case 6:
    status = readRepairs(in);
    break;
  case 7: {
    std::vector<std::string> names(in.count(4));
    for (std::string &name : names)
      name = in.string();
    for (CoreProgram &core : program.cores)
      for (Stream &stream : core.streams) {
        auto number = in.get<uint32_t>();
        if (in.failed)
          break;
        if (number >= names.size())
          return fail(7, fmt::format("layer {} of {}", number, names.size()));
        stream.layer = names[number];
      }
    break;
  }
  }
  if (!status)
    return status;
  if (in.failed)
    return fail(section,
                fmt::format("it ends too early, after byte {}", in.position()));
  if (in.left() != 0)
    return fail(section, fmt::format("{} bytes too many", in.left()));
  return {};
}

Result<Program> ContainerReader::read(const uint8_t *data, size_t size) {
  Result<std::vector<SectionInfo>> table = readSectionTable(data, size, origin);
  if (!table)
    return table.takeError();
  if (isSplit(*table))
    return Error{ExitCode::Usage,
                 fmt::format("{}: the file holds a network in {} parts, not "
                             "one program; 'cimc run', 'evaluate' and "
                             "'inspect' take it whole, and others a part of "
                             "it, --part N",
                             origin, table->size() - 1)};
  for (size_t i = 0; i < sectionCount; ++i)
    if (table->size() != sectionCount || (*table)[i].name != sectionNames[i])
      return Error{ExitCode::InvalidInput,
                   fmt::format("{}: the header is damaged ({} sections, '{}' "
                               "where '{}' should be); compile again",
                               origin, table->size(),
                               i < table->size() ? (*table)[i].name : "",
                               sectionNames[i])};
  for (size_t i = 0; i < sectionCount; ++i) {
    const SectionInfo &section = (*table)[i];
    if (Status status =
            readSection(i, ByteReader(data + section.offset, section.size));
        !status)
      return status.takeError();
  }
  return std::move(program);
}

} // namespace

std::vector<uint8_t> cimc::serialize(const Program &program) {
  std::vector<SectionContent> sections;
  for (size_t i = 0; i < sectionCount; ++i)
    sections.push_back({sectionNames[i], writeSection(program, i)});
  return writeSections(sections);
}

Result<Program> cimc::deserialize(const uint8_t *data, size_t size,
                                  const std::string &origin) {
  Result<Program> program = ContainerReader(origin).read(data, size);
  if (!program)
    return program;
  return verified(std::move(*program), origin);
}

Status cimc::save(const Program &program, const std::string &path) {
  std::vector<uint8_t> bytes = serialize(program);
  return writeFileAtomically(
      path, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

Result<Program> cimc::load(const std::string &path) {
  Result<std::string> bytes = readFile(path);
  if (!bytes)
    return bytes.takeError();
  return deserialize(reinterpret_cast<const uint8_t *>(bytes->data()),
                     bytes->size(), path);
}
