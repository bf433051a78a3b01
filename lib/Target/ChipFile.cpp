//===- ChipFile.cpp - reading chip files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/File.h"
#include "cimc/Target/ChipSpec.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <sys/stat.h>

using namespace cimc;

namespace {

struct Preset {
  const char *name;
  std::string_view text;
};
const Preset presets[] = {
#include "Presets.inc"
};

/// A JSON value that knows its line.
struct Node {
  enum Kind { Null, Boolean, Integer, Real, String, Array, Object } kind = Null;
  int64_t line = 0;
  double number = 0;
  std::string text;
  std::vector<std::pair<std::string, Node>> members;
};

const char *describe(Node::Kind kind) {
  static const char *const names[] = {"null",     "a boolean", "a whole number",
                                      "a number", "a string",  "an array",
                                      "an object"};
  return names[kind];
}

/// Walks text and tells how far the parser has come.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;
  const char *at;
  const char **reached;

  reference operator*() const { return *at; }
  CountingIterator &operator++() {
    *reached = ++at;
    return *this;
  }
  bool operator==(const CountingIterator &o) const { return at == o.at; }
  bool operator!=(const CountingIterator &o) const { return at != o.at; }
};

/// Builds Nodes; stops at the first thing that is wrong.
class Builder : public nlohmann::json_sax<nlohmann::json> {
public:
  Builder(std::string_view text, const std::string &origin)
      : text(text), origin(origin), reached(text.data()), counted(text.data()) {
  }

  Result<Node> parse() {
    CountingIterator begin{text.data(), &reached};
    CountingIterator end{text.data() + text.size(), &reached};
    bool ok = nlohmann::json::sax_parse(begin, end, this);
    if (!ok)
      return Error{ExitCode::InvalidInput, failure};
    return std::move(root);
  }

  bool null() override { return scalar(Node::Null, 0); }
  bool boolean(bool value) override { return scalar(Node::Boolean, value); }
  bool number_integer(int64_t value) override {
    return scalar(Node::Integer, static_cast<double>(value));
  }
  bool number_unsigned(uint64_t value) override {
    return scalar(Node::Integer, static_cast<double>(value));
  }
  bool number_float(double value, const std::string &) override {
    return scalar(Node::Real, value);
  }
  bool string(std::string &value) override {
    Node node = make(Node::String);
    node.text = value;
    return add(std::move(node)) != nullptr;
  }
  bool binary(nlohmann::json::binary_t &) override { return false; }
  bool start_object(size_t) override { return open(Node::Object); }
  bool start_array(size_t) override { return open(Node::Array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string &name) override {
    for (const auto &member : stack.back()->members)
      if (member.first == name)
        return fail(
            fmt::format("\"{}\" is given twice; the first is on line {}", name,
                        member.second.line));
    pendingKey = name;
    return true;
  }
  bool parse_error(size_t, const std::string &,
                   const nlohmann::detail::exception &error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 3: what"
    std::string what = error.what();
    size_t cut = what.find("column");
    if (cut == std::string::npos ||
        (cut = what.find(": ", cut)) == std::string::npos)
      cut = what.find("] ");
    return fail("this is not JSON: " +
                (cut == std::string::npos ? what : what.substr(cut + 2)));
  }

private:
  bool fail(const std::string &message) {
    failure = fmt::format("{}:{}: {}", origin, line(), message);
    return false;
  }
  int64_t line() {
    // Numbers are followed by one character that has been read already.
    const char *last = reached > text.data() ? reached - 1 : reached;
    if (last > counted) {
      lines += std::count(counted, last, '\n');
      counted = last;
    }
    return lines;
  }
  Node make(Node::Kind kind) {
    Node node;
    node.kind = kind;
    node.line = line();
    return node;
  }
  Node *add(Node node) {
    if (stack.empty()) {
      root = std::move(node);
      return &root;
    }
    auto &members = stack.back()->members;
    members.emplace_back(std::move(pendingKey), std::move(node));
    pendingKey.clear();
    return &members.back().second;
  }
  bool scalar(Node::Kind kind, double value) {
    Node node = make(kind);
    node.number = value;
    return add(std::move(node)) != nullptr;
  }
  bool open(Node::Kind kind) {
    // No key of a chip file lies deeper; also keeps destructors shallow.
    if (stack.size() >= 16)
      return fail("values are nested too deeply for a chip file");
    stack.push_back(add(make(kind)));
    return true;
  }
  bool close() {
    stack.pop_back();
    return true;
  }

  std::string_view text;
  const std::string &origin;
  const char *reached, *counted;
  int64_t lines = 1;
  Node root;
  std::vector<Node *> stack;
  std::string pendingKey, failure;
};

size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t cost = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({cost, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// "; did you mean X?", or nothing where no name is near.
std::string suggest(std::string_view name,
                    const std::vector<std::string> &candidates) {
  // Names that users mistype are short; the table would grow with long ones.
  if (name.size() > 200)
    return "";
  size_t best = std::max<size_t>(2, name.size() / 3) + 1;
  std::string found;
  for (const std::string &candidate : candidates) {
    size_t distance = editDistance(name, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found.empty() ? "" : fmt::format("; did you mean \"{}\"?", found);
}

const Preset *findPreset(std::string_view name) {
  for (const Preset &preset : presets)
    if (name == preset.name)
      return &preset;
  return nullptr;
}

/// "a, b and c"
std::string listed(const std::vector<std::string> &names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

class Reader {
public:
  Result<ChipSpec> read(std::string_view json, const std::string &origin,
                        std::vector<std::string> chain);
  Result<ChipSpec> load(const std::string &nameOrPath,
                        std::vector<std::string> chain);

private:
  Error fail(const std::string &origin, int64_t line, const std::string &what) {
    return {ExitCode::InvalidInput,
            fmt::format("{}:{}: {}", origin, line, what)};
  }
  Status readGroup(ChipSpec &spec, const std::string &group, const Node &node,
                   const std::string &origin);
  Status readValue(ChipSpec &spec, const ChipKey &key, const Node &node,
                   const std::string &origin);
};

Status Reader::readValue(ChipSpec &spec, const ChipKey &key, const Node &node,
                         const std::string &origin) {
  std::string name = fmt::format("{}.{}", key.group, key.name);
  const Node *value = &node;
  ChipSource source;
  if (node.kind == Node::Object) {
    value = nullptr;
    for (const auto &[field, child] : node.members) {
      if (field == "value") {
        value = &child;
        continue;
      }
      if (field != "kind" && field != "source")
        return fail(origin, child.line,
                    fmt::format("{}: unknown field \"{}\"; a value with its "
                                "origin has \"value\", \"kind\" and \"source\"",
                                name, field));
      if (child.kind != Node::String)
        return fail(origin, child.line,
                    fmt::format("{}: \"{}\" must be a string, not {}", name,
                                field, describe(child.kind)));
      (field == "kind" ? source.kind : source.text) = child.text;
      static const std::vector<std::string> kinds = {"measured", "modelled",
                                                     "derived", "assumed"};
      if (field == "kind" &&
          std::find(kinds.begin(), kinds.end(), child.text) == kinds.end())
        return fail(origin, child.line,
                    fmt::format("{}: \"kind\" is \"{}\" but must be one of {}",
                                name, child.text, listed(kinds)));
    }
    if (!value)
      return fail(origin, node.line,
                  fmt::format("{}: the field \"value\" is missing", name));
  }
  if (value->kind != Node::Integer && value->kind != Node::Real)
    return fail(origin, value->line,
                fmt::format("{} must be a number, not {}", name,
                            describe(value->kind)));
  if (key.isInteger && value->kind != Node::Integer)
    return fail(
        origin, value->line,
        fmt::format("{} must be a whole number, not {}", name, value->number));
  if (!(value->number >= key.min && value->number <= key.max))
    return fail(origin, value->line,
                fmt::format("{} is {}, {} its limit {} ({} to {})", name,
                            value->number,
                            value->number < key.min ? "below" : "above",
                            value->number < key.min ? key.min : key.max,
                            key.min, key.max));
  bool changed = key.get(spec) != value->number;
  key.set(spec, value->number);
  if (!source.kind.empty() || !source.text.empty()) {
    if (source.kind.empty())
      source.kind = "assumed";
    // What the table says already need not be kept apart.
    if (value->number == key.defaultValue && source.kind == key.kind &&
        source.text == key.source)
      spec.sources.erase(name);
    else
      spec.sources[name] = std::move(source);
  } else if (changed) {
    spec.sources.erase(name);
  }
  return {};
}

Status Reader::readGroup(ChipSpec &spec, const std::string &group,
                         const Node &node, const std::string &origin) {
  if (node.kind != Node::Object)
    return fail(origin, node.line,
                fmt::format("group \"{}\" must be an object, not {}", group,
                            describe(node.kind)));
  for (const auto &[name, value] : node.members) {
    const ChipKey *found = nullptr;
    std::vector<std::string> near, elsewhere;
    for (const ChipKey &key : chipKeys()) {
      if (group == key.group) {
        near.push_back(key.name);
        if (name == key.name)
          found = &key;
      } else if (name == key.name) {
        elsewhere.push_back(key.group);
      }
    }
    if (!found) {
      std::string hint = suggest(name, near);
      if (!elsewhere.empty())
        hint = fmt::format("; it belongs to group {}", listed(elsewhere));
      return fail(origin, value.line,
                  fmt::format("unknown key \"{}\" in group \"{}\"{}", name,
                              group, hint));
    }
    if (Status status = readValue(spec, *found, value, origin); !status)
      return status;
  }
  return {};
}

Result<ChipSpec> Reader::read(std::string_view json, const std::string &origin,
                              std::vector<std::string> chain) {
  Result<Node> parsed = Builder(json, origin).parse();
  if (!parsed)
    return parsed.takeError();
  const Node &root = *parsed;
  if (root.kind != Node::Object)
    return fail(
        origin, root.line,
        fmt::format("a chip file is an object, not {}", describe(root.kind)));
  std::vector<std::string> names = {"name", "summary", "extends"};
  for (const ChipKey &key : chipKeys())
    if (names.back() != key.group)
      names.push_back(key.group);

  ChipSpec spec;
  spec.name.clear();
  spec.summary.clear();
  for (const auto &[name, value] : root.members) {
    if (name != "name" && name != "summary" && name != "extends")
      continue;
    if (value.kind != Node::String)
      return fail(origin, value.line,
                  fmt::format("\"{}\" must be a string, not {}", name,
                              describe(value.kind)));
    if (name == "extends") {
      std::string base = value.text;
      size_t slash = origin.rfind('/');
      if (!findPreset(base) && !base.empty() && base[0] != '/' &&
          slash != std::string::npos)
        base = origin.substr(0, slash + 1) + base;
      Result<ChipSpec> parent = load(base, chain);
      if (!parent)
        return fail(origin, value.line, parent.error().message);
      ChipSpec merged = std::move(*parent);
      merged.name = spec.name;
      merged.summary = spec.summary;
      spec = std::move(merged);
    }
  }
  for (const auto &[name, value] : root.members) {
    if (name == "extends")
      continue;
    if (name == "name" || name == "summary") {
      (name == "name" ? spec.name : spec.summary) = value.text;
      continue;
    }
    if (std::find(names.begin() + 3, names.end(), name) == names.end()) {
      std::vector<std::string> groups;
      for (const ChipKey &key : chipKeys())
        if (name == key.name)
          groups.push_back(key.group);
      std::string hint =
          groups.empty()
              ? suggest(name, names)
              : fmt::format("; write it inside group {}", listed(groups));
      return fail(origin, value.line,
                  fmt::format("unknown key \"{}\"{}", name, hint));
    }
    if (Status status = readGroup(spec, name, value, origin); !status)
      return status.takeError();
  }
  if (spec.name.empty()) {
    // Unnamed: the file's name.
    size_t begin = origin.rfind('/') + 1;
    size_t dot = origin.rfind('.');
    spec.name = origin.substr(begin, dot != std::string::npos && dot > begin
                                         ? dot - begin
                                         : std::string::npos);
  }
  if (Status status = checkChip(spec); !status)
    return Error{ExitCode::InvalidInput,
                 origin + ": " + status.error().message};
  return spec;
}

Result<ChipSpec> Reader::load(const std::string &nameOrPath,
                              std::vector<std::string> chain) {
  const Preset *preset = findPreset(nameOrPath);
  std::string identity = nameOrPath, text;
  if (!preset) {
    struct stat info;
    if (::stat(nameOrPath.c_str(), &info) != 0) {
      std::string hint = suggest(nameOrPath, presetNames());
      return Error{
          ExitCode::InvalidInput,
          fmt::format("there is no chip or chip file \"{}\"{}; chips are "
                      "{}",
                      nameOrPath, hint, listed(presetNames()))};
    }
    // A chip file is a few kilobytes; reading a huge one by mistake would take
    // long and say little.
    constexpr int64_t limit = 16 << 20;
    if (S_ISREG(info.st_mode) && info.st_size > limit)
      return Error{ExitCode::InvalidInput,
                   fmt::format("{}: {} bytes are too many for a chip file (at "
                               "most {})",
                               nameOrPath, int64_t(info.st_size), limit)};
    if (char *real = ::realpath(nameOrPath.c_str(), nullptr)) {
      identity = real;
      std::free(real);
    }
    Result<std::string> file = readFile(nameOrPath);
    if (!file)
      return file.takeError();
    text = std::move(*file);
  }
  if (std::find(chain.begin(), chain.end(), identity) != chain.end())
    return Error{ExitCode::InvalidInput,
                 fmt::format("\"{}\" extends itself through {}", nameOrPath,
                             listed(chain))};
  if (chain.size() >= 32)
    return Error{ExitCode::InvalidInput,
                 "chip files extend one another more than 32 deep"};
  chain.push_back(identity);
  return read(preset ? preset->text : std::string_view(text),
              preset ? fmt::format("chip {}", nameOrPath) : nameOrPath,
              std::move(chain));
}

} // namespace

std::vector<std::string> cimc::presetNames() {
  std::vector<std::string> names;
  for (const Preset &preset : presets)
    names.push_back(preset.name);
  return names;
}

Result<ChipSpec> cimc::loadPreset(std::string_view name) {
  if (!findPreset(name))
    return Error{ExitCode::InvalidInput,
                 fmt::format("there is no chip \"{}\"{}; chips are {}", name,
                             suggest(name, presetNames()),
                             listed(presetNames()))};
  return Reader().load(std::string(name), {});
}

Result<ChipSpec> cimc::loadChip(const std::string &nameOrPath) {
  return Reader().load(nameOrPath, {});
}

Result<ChipSpec> cimc::parseChip(std::string_view json,
                                 const std::string &origin) {
  return Reader().read(json, origin, {});
}
