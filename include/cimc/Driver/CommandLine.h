//===- CommandLine.h - parsing the command line ---------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_COMMANDLINE_H
#define CIMC_DRIVER_COMMANDLINE_H

#include "cimc/Support/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cimc {

enum class Command {
#define CIMC_COMMAND(ID, NAME, OPERANDS, SUMMARY) ID,
#include "cimc/Driver/Options.def"
};

enum class Option {
#define CIMC_OPTION(ID, NAME, SHORT, VALUE, COMMANDS, HELP) ID,
#include "cimc/Driver/Options.def"
};

/// A command with its options and operands. Values have been checked against
/// the table, numbers not yet.
struct CommandLine {
  Command command = Command::Compile;
  std::vector<std::string> operands;
  std::map<Option, std::vector<std::string>> options;

  bool has(Option option) const { return options.count(option) != 0; }
  /// The last value given, or `fallback`.
  std::string get(Option option, std::string fallback = "") const;
  std::vector<std::string> all(Option option) const;
  /// A number within [low, high], or a usage error that names the option.
  Result<int64_t> integer(Option option, int64_t fallback, int64_t low,
                          int64_t high) const;
  Result<double> real(Option option, double fallback) const;
};

/// Parses the arguments behind the program's name. Errors are `Usage` and name
/// the nearest option or command.
Result<CommandLine> parseCommandLine(const std::vector<std::string> &args);

/// What `cimc --help` and `cimc COMMAND --help` print.
std::string helpText();
std::string helpText(Command command);

const char *name(Command command);

/// " (did you mean 'X'?)" for the candidate nearest to `word`, or "".
std::string suggestion(std::string_view word,
                       const std::vector<std::string> &candidates);

} // namespace cimc

#endif // CIMC_DRIVER_COMMANDLINE_H
