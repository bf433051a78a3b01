//===- Main.cpp - the cimc command ----------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Main.h"
#include "Commands.h"
#include "cimc/Driver/ModuleFile.h"
#include "cimc/Support/Memory.h"

#include "llvm/Support/ErrorHandling.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <unistd.h>

using namespace cimc;

//===----------------------------------------------------------------------===//
// Progress
//===----------------------------------------------------------------------===//

static bool progressShown = false;

std::function<void(const char *)> cimc::terminalProgress(bool quiet) {
  if (quiet || !isatty(STDERR_FILENO))
    return nullptr;
  return [](const char *what) {
    std::fprintf(stderr, "\r\033[K%s", what);
    std::fflush(stderr);
    progressShown = true;
  };
}

void cimc::clearProgress() {
  if (progressShown)
    std::fprintf(stderr, "\r\033[K");
  progressShown = false;
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

/// Writes to standard output and makes sure that it arrived.
static bool writeOut(const std::string &text) {
  size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written == text.size() && std::fflush(stdout) == 0)
    return true;
  std::fprintf(stderr, "cimc: error: cannot write to standard output: %s\n",
               std::strerror(errno));
  return false;
}

/// A line that a terminal shows as it is: names of a model may hold anything,
/// and may be long.
static std::string printable(const std::string &line) {
  constexpr size_t most = 2000;
  std::string text;
  for (size_t i = 0; i < std::min(line.size(), most); ++i) {
    auto c = static_cast<unsigned char>(line[i]);
    if ((c < 32 && c != '\t') || c == 127)
      text += fmt::format("\\x{:02x}", c);
    else
      text += line[i];
  }
  if (line.size() > most)
    text += fmt::format("... ({} more characters)", line.size() - most);
  return text;
}

/// Every line of a message that has several gets the prefix.
static void printMessage(const char *severity, const std::string &text) {
  std::string line = fmt::format("cimc: {}: ", severity);
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string part = text.substr(begin, end - begin);
    bool continued = !part.empty() && part.front() == ' ';
    if (!part.empty())
      std::fprintf(stderr, "%s%s\n", continued ? "" : line.c_str(),
                   printable(part).c_str());
    begin = end + 1;
  }
}

static const char *codeName(ExitCode code) {
  switch (code) {
  case ExitCode::Ok:
    return "ok";
  case ExitCode::Internal:
    return "internal";
  case ExitCode::Usage:
    return "usage";
  case ExitCode::InvalidInput:
    return "invalid_input";
  case ExitCode::Unsupported:
    return "unsupported";
  case ExitCode::DoesNotFit:
    return "does_not_fit";
  case ExitCode::AccuracyMissed:
    return "accuracy_missed";
  case ExitCode::ResourceLimit:
    return "resource_limit";
  case ExitCode::Mismatch:
    return "mismatch";
  }
  return "internal";
}

static Json messageJson(const Message &message) {
  Json json = {{"severity", message.severity},
               {"location", message.location},
               {"message", message.text}};
  if (!message.notes.empty())
    json["notes"] = message.notes;
  return json;
}

/// Says how a command ended; returns the exit code.
static int finish(const Status &status, CommandOutput &output, bool json) {
  int code = status ? 0 : static_cast<int>(status.error().code);
  for (const Message &message : output.messages)
    if (message.severity == "warning")
      printMessage("warning", format(message));
  std::string text = output.text;
  if (json) {
    text = output.rawJson;
    if (!status || text.empty()) {
      if (!status) {
        Json error = {{"kind", codeName(status.error().code)},
                      {"message", status.error().message}};
        Json messages = Json::array();
        for (const Message &message : output.messages)
          if (message.severity == "error") {
            messages.push_back(messageJson(message));
            if (!error.contains("location"))
              error["location"] = message.location;
          }
        if (!messages.empty())
          error["messages"] = std::move(messages);
        output.json["error"] = std::move(error);
      }
      output.json["exit_code"] = code;
      text = dump(output.json);
    }
  }
  if ((status || json || !output.text.empty()) && !writeOut(text))
    return static_cast<int>(ExitCode::ResourceLimit);
  if (!status)
    printMessage("error", status.error().message);
  return code;
}

//===----------------------------------------------------------------------===//
// Main
//===----------------------------------------------------------------------===//

static Status execute(const CommandLine &line, CommandOutput &output) {
  switch (line.command) {
  case Command::Compile:
    return compileCommand(line, output);
  case Command::Run:
    return runCommand(line, output);
  case Command::Quantize:
    return quantizeCommand(line, output);
  case Command::Evaluate:
    return evaluateCommand(line, output);
  case Command::Inspect:
    return inspectCommand(line, output);
  case Command::Disasm:
    return disasmCommand(line, output);
  case Command::Asm:
    return asmCommand(line, output);
  case Command::Chips:
    return chipsCommand(line, output);
  case Command::Doctor:
    return doctorCommand(line, output);
  case Command::Explain:
    return explainCommand(line, output);
  case Command::Ops:
    return opsCommand(line, output);
  }
  return {};
}

/// The last words of a process that cannot go on: memory ran out where no
/// exception gets through (inside LLVM, on a worker thread), or a bug.
[[noreturn]] static void die(ExitCode code, const char *message, bool json) {
  if (json)
    std::fprintf(stdout,
                 "{\"error\": {\"kind\": \"%s\", \"message\": \"%s\"}, "
                 "\"exit_code\": %d}\n",
                 codeName(code), message, static_cast<int>(code));
  std::fflush(stdout);
  clearProgress();
  std::fprintf(stderr, "cimc: error: %s\n", message);
  std::_Exit(static_cast<int>(code));
}

static constexpr const char outOfMemory[] =
    "out of memory; the model or batch needs more than this machine or its "
    "limits allow";

static bool jsonAsked = false;

static void installLastWords() {
  llvm::install_bad_alloc_error_handler([](void *, const char *, bool) {
    die(ExitCode::ResourceLimit, outOfMemory, jsonAsked);
  });
  // MLIR's bytecode reader believes the sizes in a file and gives up as a
  // whole where they are absurd.
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
      if (const std::string &plugin = pluginBeingLoaded(); !plugin.empty()) {
        std::string text = fmt::format(
            "--load-pass-plugin: the passes of '{}' cannot be registered: {}",
            plugin, reason);
        die(ExitCode::InvalidInput, text.c_str(), jsonAsked);
      }
      const std::string &file = bytecodeBeingRead();
      if (file.empty())
        die(ExitCode::Internal, reason, jsonAsked);
      std::string text = fmt::format(
          "{}: the file is damaged ({}); write it again", file, reason);
      die(ExitCode::InvalidInput, text.c_str(), jsonAsked);
    });
  });
  std::set_terminate([] {
    try {
      if (std::current_exception())
        std::rethrow_exception(std::current_exception());
    } catch (const std::bad_alloc &) {
      die(ExitCode::ResourceLimit, outOfMemory, jsonAsked);
    } catch (...) {
    }
    die(ExitCode::Internal, "internal error: the program was terminated",
        jsonAsked);
  });
}

int cimc::cimcMain(int argc, const char *const *argv) {
  // A closed pipe is an error of writing, with a message.
  std::signal(SIGPIPE, SIG_IGN);
  // So is a file past the size that the system allows.
  std::signal(SIGXFSZ, SIG_IGN);
  keepFreedMemory();
  std::vector<std::string> args(argv + std::min(argc, 1), argv + argc);
  bool json = false;
  for (const std::string &arg : args)
    json |= arg == "--json";
  jsonAsked = json;
  installLastWords();
  CommandOutput output;
  try {
    if (args.size() == 1 && args[0] == "--version")
      return writeOut(fmt::format("cimc {}\n", CIMC_VERSION)) ? 0 : 7;
    bool help = !args.empty() &&
                (args[0] == "--help" || args[0] == "-h" || args[0] == "help");
    if (help && args.size() == 2 && args[0] == "help")
      args = {args[1], "--help"};
    else if (help && args.size() == 1)
      return writeOut(helpText()) ? 0 : 7;
    if (args.empty())
      std::fputs(helpText().c_str(), stderr);
    Result<CommandLine> line = parseCommandLine(args);
    if (!line)
      return finish(line.takeError(), output, json);
    if (line->has(Option::Help))
      return writeOut(helpText(line->command)) ? 0 : 7;
    return finish(execute(*line, output), output, json);
  } catch (const std::bad_alloc &) {
    output = CommandOutput();
    clearProgress();
    return finish(Error{ExitCode::ResourceLimit, outOfMemory}, output, json);
  } catch (const std::exception &error) {
    output = CommandOutput();
    clearProgress();
    return finish(Error{ExitCode::Internal,
                        fmt::format("internal error: {}", error.what())},
                  output, json);
  }
}
