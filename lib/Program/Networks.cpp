//===- Networks.cpp - several networks in one program -----------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Program/Program.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <type_traits>

using namespace cimc;

/// Whether a name in a program of several networks is one of the network's.
static bool isOf(const std::string &name, const Network &network) {
  return name.compare(0, network.name.size() + 1, network.name + "/") == 0;
}

/// The name in the network alone.
static std::string alone(const std::string &name, const Network &network) {
  return isOf(name, network) ? name.substr(network.name.size() + 1) : name;
}

template <typename Record, typename = void>
struct HasChannel : std::false_type {};
template <typename Record>
struct HasChannel<Record, std::void_t<decltype(Record::channel)>>
    : std::true_type {};

Program cimc::join(std::vector<Program> programs, std::string name) {
  Program all;
  all.model = std::move(name);
  uint32_t firstChannel = 0;
  for (Program &program : programs) {
    all.chip = program.chip;
    Network network{program.model, {}};
    uint32_t nextChannel = firstChannel;
    for (isa::Channel &channel : program.channels) {
      channel.id += firstChannel;
      nextChannel = std::max(nextChannel, channel.id + 1);
      all.channels.push_back(channel);
    }
    for (CoreProgram &core : program.cores) {
      for (Stream &stream : core.streams) {
        stream.layer = network.name + "/" + stream.layer;
        for (isa::Instruction &instruction : stream.instructions)
          std::visit(
              [&](auto &record) {
                if constexpr (HasChannel<std::decay_t<decltype(record)>>::value)
                  record.channel += firstChannel;
              },
              instruction);
      }
      network.cores.push_back(core.id);
      all.cores.push_back(std::move(core));
    }
    for (IOBinding &io : program.ios) {
      io.name = network.name + "/" + io.name;
      for (uint32_t &channel : io.channels)
        channel += firstChannel;
      all.ios.push_back(std::move(io));
    }
    std::sort(network.cores.begin(), network.cores.end());
    all.networks.push_back(std::move(network));
    firstChannel = nextChannel;
  }
  auto byId = [](const CoreProgram &a, const CoreProgram &b) {
    return a.id < b.id;
  };
  std::sort(all.cores.begin(), all.cores.end(), byId);
  return all;
}

Program cimc::extract(const Program &program, const Network &network) {
  Program one;
  one.chip = program.chip;
  one.model = network.name;
  std::set<int64_t> cores(network.cores.begin(), network.cores.end());
  std::set<uint32_t> ends; ///< channels of its inputs and outputs
  for (const IOBinding &io : program.ios)
    if (isOf(io.name, network)) {
      one.ios.push_back(io);
      one.ios.back().name = alone(io.name, network);
      ends.insert(io.channels.begin(), io.channels.end());
    }
  for (const isa::Channel &channel : program.channels)
    if (channel.core < 0 ? ends.count(channel.id) : cores.count(channel.core))
      one.channels.push_back(channel);
  for (const CoreProgram &core : program.cores)
    if (cores.count(core.id)) {
      one.cores.push_back(core);
      for (Stream &stream : one.cores.back().streams)
        stream.layer = alone(stream.layer, network);
    }
  for (const MacroRepair &repair : program.repairs)
    if (cores.count(repair.core))
      one.repairs.push_back(repair);
  return one;
}

Result<Program> cimc::extract(const Program &program, const std::string &name) {
  std::string names;
  for (const Network &network : program.networks) {
    if (network.name == name)
      return extract(program, network);
    names += (names.empty() ? "'" : ", '") + network.name + "'";
  }
  return Error{ExitCode::Usage,
               names.empty()
                   ? fmt::format("the program is of one network, '{}', and has "
                                 "no others to choose from",
                                 program.model)
                   : fmt::format("the program has no network '{}'; it has {}",
                                 name, names)};
}

bool cimc::isNetworkName(const std::string &name) {
  return !name.empty() && isUtf8(name) &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return c == '/' || c == '\x7f' ||
                  static_cast<unsigned char>(c) < ' ';
         });
}

bool cimc::isUtf8(const std::string &name) {
  using nlohmann::json;
  std::string text =
      json(name).dump(-1, ' ', false, json::error_handler_t::ignore);
  return json::parse(text, nullptr, /*allow_exceptions=*/false) == name;
}

Status cimc::verifyNetworks(const Program &program) {
  auto fail = [](std::string what) {
    return Error{ExitCode::InvalidInput, std::move(what)};
  };
  std::set<std::string> names;
  std::set<uint32_t> cores;
  size_t ends = 0;
  for (const Network &network : program.networks) {
    if (!isNetworkName(network.name))
      return fail(fmt::format("network '{}': a name is not empty and has no "
                              "'/' or control characters",
                              network.name));
    if (network.cores.empty())
      return fail(fmt::format("network '{}' has no cores", network.name));
    if (!names.insert(network.name).second)
      return fail(fmt::format("there are two networks '{}'", network.name));
    for (uint32_t core : network.cores)
      if (!cores.insert(core).second)
        return fail(fmt::format("network '{}': core {} is of another one, or "
                                "named twice",
                                network.name, core));
    ends += size_t(std::count_if(
        program.ios.begin(), program.ios.end(),
        [&](const IOBinding &io) { return isOf(io.name, network); }));
  }
  if (program.networks.empty())
    return {};
  for (const CoreProgram &core : program.cores)
    if (!cores.count(core.id))
      return fail(fmt::format("core {} is of no network", core.id));
  if (ends != program.ios.size())
    return fail("an input or output is of no network: each is named "
                "NETWORK/NAME");
  // Alone, each is whole: it has all channels that it uses and no other has a
  // part in them.
  for (const Network &network : program.networks)
    if (Status status = verify(extract(program, network)); !status)
      return fail(fmt::format("network '{}': {}", network.name,
                              status.error().message));
  return {};
}
