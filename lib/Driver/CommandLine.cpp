//===- CommandLine.cpp - parsing the command line -------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/CommandLine.h"
#include "cimc/Driver/Phases.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

using namespace cimc;

namespace {
struct CommandInfo {
  Command id;
  const char *name, *operands, *summary;
  char letter;
};
struct OptionInfo {
  Option id;
  const char *name;
  char shortName;
  const char *value, *commands, *help;
};
} // namespace

static constexpr CommandInfo commands[] = {
#define CIMC_COMMAND(ID, NAME, OPERANDS, SUMMARY)                              \
  {Command::ID, NAME, OPERANDS, SUMMARY,                                       \
   Command::ID == Command::Chips     ? 'h'                                     \
   : Command::ID == Command::Doctor  ? 't'                                     \
   : Command::ID == Command::Explain ? 'x'                                     \
                                     : NAME[0]},
#include "cimc/Driver/Options.def"
};

static constexpr OptionInfo options[] = {
#define CIMC_OPTION(ID, NAME, SHORT, VALUE, COMMANDS, HELP)                    \
  {Option::ID, NAME, SHORT, VALUE, COMMANDS, HELP},
#include "cimc/Driver/Options.def"
};

static const CommandInfo &entry(Command command) {
  return commands[static_cast<int>(command)];
}
static const OptionInfo &entry(Option option) {
  return options[static_cast<int>(option)];
}

static bool takes(const CommandInfo &command, const OptionInfo &option) {
  return std::string_view(option.commands).find(command.letter) !=
         std::string_view::npos;
}

const char *cimc::name(Command command) { return entry(command).name; }

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

std::string cimc::suggestion(std::string_view word,
                             const std::vector<std::string> &candidates) {
  std::string best;
  unsigned bestDistance = unsigned(word.size() / 3 + 2);
  for (const std::string &candidate : candidates) {
    unsigned distance =
        llvm::StringRef(candidate).edit_distance({word.data(), word.size()});
    bool prefix = word.size() >= 3 &&
                  std::string_view(candidate).substr(0, word.size()) == word;
    if (prefix)
      distance = 0;
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : fmt::format(" (did you mean '{}'?)", best);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

std::string CommandLine::get(Option option, std::string fallback) const {
  auto found = options.find(option);
  return found == options.end() ? fallback : found->second.back();
}

std::vector<std::string> CommandLine::all(Option option) const {
  auto found = options.find(option);
  return found == options.end() ? std::vector<std::string>() : found->second;
}

Result<int64_t> CommandLine::integer(Option option, int64_t fallback,
                                     int64_t low, int64_t high) const {
  if (!has(option))
    return fallback;
  std::string text = get(option);
  errno = 0;
  char *end = nullptr;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end || errno || value < low || value > high)
    return usage(fmt::format("{}: '{}' is not a whole number from {} to {}",
                             entry(option).name, text, low, high));
  return int64_t(value);
}

Result<double> CommandLine::real(Option option, double fallback) const {
  if (!has(option))
    return fallback;
  std::string text = get(option);
  char *end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end || !std::isfinite(value) || value < 0)
    return usage(fmt::format("{}: '{}' is not a number of at least 0",
                             entry(option).name, text));
  return value;
}

/// The values allowed, or nothing where any is.
static std::vector<std::string> choices(const OptionInfo &option) {
  llvm::StringRef value = option.value;
  if (value.empty() || std::any_of(value.begin(), value.end(),
                                   [](char c) { return c >= 'A' && c <= 'Z'; }))
    return {};
  std::vector<std::string> result;
  llvm::SmallVector<llvm::StringRef> parts;
  value.split(parts, '|');
  for (llvm::StringRef part : parts)
    result.push_back(part.str());
  return result;
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

/// The option named by an argument such as "--chip", "-o" or "-j4"; for the
/// last form the value is put into `attached`.
static const OptionInfo *findOption(const CommandInfo &command,
                                    const std::string &argument,
                                    std::string &attached) {
  for (const OptionInfo &option : options) {
    if (!takes(command, option))
      continue;
    if (argument == option.name)
      return &option;
    if (option.shortName && argument.size() >= 2 && argument[0] == '-' &&
        argument[1] == option.shortName) {
      attached = argument.substr(2);
      return &option;
    }
  }
  return nullptr;
}

Result<CommandLine>
cimc::parseCommandLine(const std::vector<std::string> &args) {
  CommandLine line;
  if (args.empty())
    return usage("no command given; see 'cimc --help'");
  const CommandInfo *command =
      std::find_if(std::begin(commands), std::end(commands),
                   [&](const CommandInfo &c) { return args[0] == c.name; });
  if (command == std::end(commands)) {
    std::vector<std::string> names;
    for (const CommandInfo &c : commands)
      names.push_back(c.name);
    return usage(fmt::format("unknown {} '{}'{}; see 'cimc --help'",
                             args[0].substr(0, 1) == "-" ? "option" : "command",
                             args[0], suggestion(args[0], names)));
  }
  line.command = command->id;
  bool onlyOperands = false;
  for (size_t i = 1; i < args.size(); ++i) {
    std::string argument = args[i];
    if (onlyOperands || argument.size() < 2 || argument[0] != '-') {
      line.operands.push_back(argument);
      continue;
    }
    if (argument == "--") {
      onlyOperands = true;
      continue;
    }
    std::string value;
    bool hasValue = false;
    size_t equals = argument.find('=');
    if (argument.substr(0, 2) == "--" && equals != std::string::npos) {
      value = argument.substr(equals + 1);
      argument.resize(equals);
      hasValue = true;
    }
    std::string attached;
    const OptionInfo *option = findOption(*command, argument, attached);
    if (!option) {
      std::vector<std::string> names;
      for (const OptionInfo &o : options)
        if (takes(*command, o))
          names.push_back(o.name);
      return usage(fmt::format("cimc {}: unknown option '{}'{}; see "
                               "'cimc {} --help'",
                               command->name, argument,
                               suggestion(argument, names), command->name));
    }
    if (!attached.empty()) {
      value = attached;
      hasValue = true;
    }
    if (!*option->value) {
      if (hasValue)
        return usage(fmt::format("{} takes no value", option->name));
      line.options[option->id].push_back("");
      continue;
    }
    if (!hasValue) {
      if (i + 1 == args.size())
        return usage(
            fmt::format("{} needs a value: {}", argument, option->value));
      value = args[++i];
    }
    std::vector<std::string> allowed = choices(*option);
    if (!allowed.empty() &&
        std::find(allowed.begin(), allowed.end(), value) == allowed.end())
      return usage(fmt::format("{}: '{}' is not one of {}{}", option->name,
                               value, fmt::join(allowed, ", "),
                               suggestion(value, allowed)));
    line.options[option->id].push_back(value);
  }
  if (line.has(Option::Help))
    return line;
  llvm::StringRef operands = command->operands;
  if (line.operands.empty() && !operands.empty() && operands[0] != '[')
    return usage(
        fmt::format("cimc {}: no {} given; see 'cimc {} --help'", command->name,
                    operands.split(' ').first.rtrim('.').str(), command->name));
  bool isMany = operands.ends_with("...") || operands.ends_with("...]");
  size_t most = operands.empty() ? 0 : 1;
  if (line.operands.size() > most && !isMany)
    return usage(fmt::format("cimc {}: unexpected argument '{}'", command->name,
                             line.operands[most]));
  return line;
}

//===----------------------------------------------------------------------===//
// Help
//===----------------------------------------------------------------------===//

/// Text broken into lines of at most `width`, all but the first indented.
static std::string wrap(std::string_view text, size_t indent, size_t width) {
  std::string result;
  size_t column = indent;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    if (column != indent && column + 1 + end > width) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column != indent) {
      result += ' ';
      ++column;
    }
    result += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string cimc::helpText() {
  std::string text = "cimc: a deep-learning compiler for compute-in-memory "
                     "chips\n\nusage: cimc COMMAND [options]\n\n";
  for (const CommandInfo &command : commands)
    text += fmt::format("  {:<10}{}\n", command.name,
                        wrap(command.summary, 12, 80));
  text += "\n'cimc COMMAND --help' lists a command's options; 'cimc --version' "
          "prints the version.\n\n"
          "exit codes: 0 ok, 1 internal error, 2 usage, 3 unreadable or "
          "invalid input,\n4 unsupported operator or shape, 5 does not fit the "
          "chip, 6 accuracy target missed,\n7 resource limit, 8 outputs differ "
          "from those expected\n";
  return text;
}

std::string cimc::helpText(Command command) {
  const CommandInfo &about = entry(command);
  std::string text = fmt::format(
      "cimc {}: {}\n\nusage: cimc {} {}{}[options]\n\noptions:\n", about.name,
      about.summary, about.name, about.operands, *about.operands ? " " : "");
  for (const OptionInfo &option : options) {
    if (!takes(about, option))
      continue;
    std::string head = "  ";
    if (option.shortName)
      head += fmt::format("-{}, ", option.shortName);
    head += option.name;
    if (*option.value)
      head += fmt::format(" {}", option.value);
    head += "\n";
    text += head + std::string(8, ' ') + wrap(option.help, 8, 80) + "\n";
  }
  if (command == Command::Compile) {
    text += "\nphases, in order, for --from and --to:\n";
    for (const PhaseInfo &phase : phases())
      text += fmt::format("  {:<8}{}\n", phase.name, phase.summary);
  }
  return text;
}
