//===- Commands.h - what each command does --------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_DRIVER_COMMANDS_H
#define CIMC_LIB_DRIVER_COMMANDS_H

#include "cimc/Driver/CommandLine.h"
#include "cimc/Driver/Compiler.h"
#include "cimc/Driver/Report.h"

namespace cimc {

/// What a command has to say when it ends, well or not.
struct CommandOutput {
  std::string text; ///< for people
  Json json = Json::object();
  std::string rawJson;           ///< instead of `json` where not empty
  std::vector<Message> messages; ///< of the compiler
};

Status compileCommand(const CommandLine &line, CommandOutput &output);
/// Compiles several models into one program.
Status compileNetworks(const CommandLine &line, CommandOutput &output);
/// Compiles a model larger than the chip as --split says.
Status compileSplit(const CommandLine &line, CompileOptions options,
                    CommandOutput &output);
/// Compiles by `run`, with the options it is given; an error that says that the
/// network does not fit then also says what may, with options to type.
Status withProposals(const CompileOptions &options,
                     const std::function<Status(const CompileOptions &)> &run);
Status runCommand(const CommandLine &line, CommandOutput &output);
Status quantizeCommand(const CommandLine &line, CommandOutput &output);
Status inspectCommand(const CommandLine &line, CommandOutput &output);
Status disasmCommand(const CommandLine &line, CommandOutput &output);
Status asmCommand(const CommandLine &line, CommandOutput &output);
Status chipsCommand(const CommandLine &line, CommandOutput &output);
Status doctorCommand(const CommandLine &line, CommandOutput &output);
Status explainCommand(const CommandLine &line, CommandOutput &output);
Status evaluateCommand(const CommandLine &line, CommandOutput &output);
Status opsCommand(const CommandLine &line, CommandOutput &output);

/// The options that compile, run and quantize share.
Result<CompileOptions> compileOptions(const CommandLine &line);

/// Writes what quantizing chose where --save-table says.
Status saveTable(const CommandLine &line, const Compilation &compilation);

/// Whether a result can be written to `path`, which must not be the `source` it
/// is made from.
Status checkOutputFile(const std::string &path, const std::string &source);

/// Shows progress on a terminal, never in a file or pipe.
std::function<void(const char *)> terminalProgress(bool quiet);
/// Takes the progress line away.
void clearProgress();

/// Loads a .cimx file; its size in bytes goes to `bytes`.
Result<Program> loadProgram(const std::string &path, int64_t *bytes = nullptr);

/// The same of a command line's first operand; of several networks the one that
/// --network names, or all, and of a network in parts the one of --part.
Result<Program> loadProgram(const CommandLine &line, int64_t *bytes = nullptr);
/// The network in parts that a command line's first operand holds; none where
/// it holds one program, or --part takes one.
Result<std::optional<SplitProgram>> loadSplit(const CommandLine &line,
                                              int64_t *bytes = nullptr);
/// A Usage error where --network or --part is given with a model instead.
Status checkNoNetwork(const CommandLine &line);
/// That no option of the compiler is given with a program.
Status checkNoCompileOptions(const CommandLine &line);

} // namespace cimc

#endif // CIMC_LIB_DRIVER_COMMANDS_H
