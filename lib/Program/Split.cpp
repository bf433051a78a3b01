//===- Split.cpp - a network in parts, each a program -----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Split.h"
#include "cimc/Program/Container.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

using namespace cimc;

static Error invalid(std::string what) {
  return {ExitCode::InvalidInput, std::move(what)};
}

const char *cimc::name(SplitGoal goal) {
  return goal == SplitGoal::Cards ? "cards" : "reprogram";
}

const IOBinding *cimc::findIO(const SplitProgram &program,
                              const std::string &name, bool isOutput) {
  for (const Program &part : program.parts)
    for (const IOBinding &io : part.ios)
      if (io.isOutput == isOutput && io.name == name)
        return &io;
  return nullptr;
}

static bool contains(const std::vector<std::string> &names,
                     const std::string &name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int64_t cimc::bytesBetweenParts(const SplitProgram &program) {
  int64_t bytes = 0;
  std::set<std::string> counted(program.inputs.begin(), program.inputs.end());
  for (const Program &part : program.parts)
    for (const IOBinding &io : part.ios) {
      if (io.isOutput || !counted.insert(io.name).second)
        continue;
      bytes += byteSize(io);
    }
  return bytes;
}

//===----------------------------------------------------------------------===//
// Verifying
//===----------------------------------------------------------------------===//

static bool isSame(const IOBinding &a, const IOBinding &b) {
  return a.type == b.type && a.shape == b.shape;
}

static std::string describe(const IOBinding &io) {
  return fmt::format("{} of {}", name(io.type), shapeString(io.shape));
}

/// What `verify` proves beyond that each part is safe.
static Status verifyLinks(const SplitProgram &program) {
  if (program.parts.size() < 2)
    return invalid(fmt::format("a network in parts has two at least, not {}",
                               program.parts.size()));
  if (program.batch < 1)
    return invalid(fmt::format("a batch of {} samples", program.batch));
  if (program.outputs.empty())
    return invalid("it has no outputs");
  std::set<std::string> outputs;
  // What parts may read; and what they made, which may be called like an input
  // of the network but is not read then.
  std::map<std::string, const IOBinding *> known, made;
  for (const std::string &name : program.inputs)
    if (!known.emplace(name, nullptr).second)
      return invalid(fmt::format("there are two inputs '{}'", name));
  for (const auto *names : {&program.inputs, &program.outputs})
    for (const std::string &name : *names)
      if (!isUtf8(name))
        return invalid(fmt::format(
            "{} '{}' has a name that is not valid UTF-8, which the head of a "
            "network in parts cannot hold; rename it in the model",
            names == &program.inputs ? "input" : "output", name));
  std::string chip = printChip(program.chip());
  for (size_t i = 0; i < program.parts.size(); ++i) {
    const Program &part = program.parts[i];
    auto fail = [&](const std::string &what) {
      return invalid(fmt::format("part {}: {}", i, what));
    };
    if (!part.networks.empty())
      return fail("it is a program of several networks");
    if (printChip(part.chip) != chip)
      return fail(fmt::format("it is for another chip, '{}', than part 0, '{}'",
                              part.chip.name, program.chip().name));
    std::set<std::string> read;
    for (const IOBinding &io : part.ios) {
      if (io.isOutput)
        continue;
      auto found = known.find(io.name);
      if (found == known.end())
        return fail(fmt::format("input '{}' is neither the network's nor made "
                                "by an earlier part",
                                io.name));
      if (!read.insert(io.name).second)
        return fail(fmt::format("input '{}' is there twice", io.name));
      if (!found->second)
        found->second = &io;
      if (!isSame(*found->second, io))
        return fail(fmt::format("input '{}' is {}, and {} before", io.name,
                                describe(io), describe(*found->second)));
    }
    for (const IOBinding &io : part.ios) {
      if (!io.isOutput)
        continue;
      if (!made.emplace(io.name, &io).second)
        return fail(fmt::format("output '{}' is made before", io.name));
      known.emplace(io.name, &io);
    }
  }
  for (const std::string &name : program.inputs)
    if (!known[name])
      return invalid(fmt::format("input '{}' is of no part", name));
  for (const std::string &name : program.outputs) {
    if (!outputs.insert(name).second)
      return invalid(fmt::format("there are two outputs '{}'", name));
    if (!made.count(name))
      return invalid(fmt::format("output '{}' is made by no part", name));
  }
  return {};
}

Status cimc::verify(const SplitProgram &program) {
  for (size_t i = 0; i < program.parts.size(); ++i)
    if (Status status = verify(program.parts[i]); !status)
      return invalid(fmt::format("part {}: {}", i, status.error().message));
  return verifyLinks(program);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Result<std::vector<HostTensor>>
cimc::runParts(const SplitProgram &program,
               const std::vector<HostTensor> &inputs,
               const std::function<Result<std::vector<HostTensor>>(
                   size_t part, const std::vector<HostTensor> &inputs)> &run) {
  // Values are kept until the last part that reads them.
  std::map<std::string, HostTensor> values, results;
  for (size_t i = 0; i < inputs.size(); ++i)
    values[program.inputs[i]] = inputs[i];
  std::map<std::string, size_t> lastRead;
  for (size_t i = 0; i < program.parts.size(); ++i)
    for (const IOBinding &io : program.parts[i].ios)
      if (!io.isOutput)
        lastRead[io.name] = i;
  for (size_t i = 0; i < program.parts.size(); ++i) {
    std::vector<HostTensor> arguments;
    for (const IOBinding &io : program.parts[i].ios) {
      if (io.isOutput)
        continue;
      HostTensor &value = values[io.name];
      if (lastRead[io.name] == i)
        arguments.push_back(std::move(value));
      else
        arguments.push_back(value);
    }
    Result<std::vector<HostTensor>> made = run(i, arguments);
    if (!made)
      return Error{made.error().code,
                   fmt::format("part {}: {}", i, made.error().message)};
    size_t next = 0;
    for (const IOBinding &io : program.parts[i].ios) {
      if (!io.isOutput)
        continue;
      HostTensor &value = (*made)[next++];
      if (contains(program.outputs, io.name))
        results[io.name] = value;
      if (!contains(program.inputs, io.name))
        values[io.name] = std::move(value);
    }
  }
  std::vector<HostTensor> outputs;
  for (const std::string &name : program.outputs)
    outputs.push_back(std::move(results[name]));
  return outputs;
}

//===----------------------------------------------------------------------===//
// The container
//===----------------------------------------------------------------------===//

std::vector<uint8_t> cimc::serialize(const SplitProgram &program) {
  nlohmann::ordered_json json = {{"model", program.model},
                                 {"goal", name(program.goal)},
                                 {"batch", program.batch},
                                 {"inputs", program.inputs},
                                 {"outputs", program.outputs}};
  std::string text =
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
      "\n";
  std::vector<SectionContent> sections = {
      {"SPLIT", std::vector<uint8_t>(text.begin(), text.end())}};
  for (const Program &part : program.parts)
    sections.push_back({"PART", serialize(part)});
  return writeSections(sections);
}

bool cimc::holdsSplit(const uint8_t *data, size_t size) {
  constexpr size_t firstName = 16;
  return size >= firstName + 8 && std::memcmp(data, "CIMX", 4) == 0 &&
         std::memcmp(data + firstName, "SPLIT\0\0\0", 8) == 0;
}

/// The names that a JSON object has under a key.
static bool readNames(const nlohmann::json &json, const char *key,
                      std::vector<std::string> &names) {
  auto list = json.find(key);
  if (list == json.end() || !list->is_array())
    return false;
  for (const nlohmann::json &name : *list) {
    if (!name.is_string())
      return false;
    names.push_back(name.get<std::string>());
  }
  return true;
}

Result<SplitProgram> cimc::deserializeSplit(const uint8_t *data, size_t size,
                                            const std::string &origin) {
  Result<std::vector<SectionInfo>> table = readSectionTable(data, size, origin);
  if (!table)
    return table.takeError();
  if (!isSplit(*table))
    return invalid(
        fmt::format("{}: the file holds no network in parts", origin));
  const SectionInfo &head = table->front();
  const char *text = reinterpret_cast<const char *>(data) + head.offset;
  nlohmann::json json =
      nlohmann::json::parse(text, text + head.size, nullptr, false);
  auto has = [&](const char *key, auto is) {
    return json.contains(key) && (json[key].*is)();
  };
  using Json = nlohmann::json;
  SplitProgram program;
  if (json.is_discarded() || !json.is_object() ||
      !has("model", &Json::is_string) || !has("goal", &Json::is_string) ||
      !has("batch", &Json::is_number_unsigned) ||
      json["batch"].get<uint64_t>() > INT32_MAX ||
      !readNames(json, "inputs", program.inputs) ||
      !readNames(json, "outputs", program.outputs))
    return invalid(fmt::format("{}: section SPLIT: it is not the head of a "
                               "network in parts; the file is damaged, compile "
                               "again",
                               origin));
  program.model = json["model"].get<std::string>();
  program.batch = json["batch"].get<int64_t>();
  bool isCards = json["goal"] == name(SplitGoal::Cards);
  if (!isCards && json["goal"] != name(SplitGoal::Reprogram))
    return invalid(fmt::format("{}: section SPLIT: goal '{}' is neither "
                               "'reprogram' nor 'cards'",
                               origin, json["goal"].get<std::string>()));
  program.goal = isCards ? SplitGoal::Cards : SplitGoal::Reprogram;
  for (size_t i = 1; i < table->size(); ++i) {
    const SectionInfo &section = (*table)[i];
    std::string where = fmt::format("{}: part {}", origin, i - 1);
    if (section.name != "PART")
      return invalid(fmt::format("{}: the header is damaged (section {} is "
                                 "'{}'); compile again",
                                 origin, i, section.name));
    Result<Program> part =
        deserialize(data + section.offset, section.size, where);
    if (!part)
      return invalid(part.error().message);
    program.parts.push_back(std::move(*part));
  }
  if (Status status = verifyLinks(program); !status)
    return invalid(fmt::format("{}: {}", origin, status.error().message));
  return program;
}
