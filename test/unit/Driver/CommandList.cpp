//===- CommandList.cpp - many cimc commands in one process ----------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// usage: cimcCommandList LIST FIRST SECONDS MESSAGES
//
// Runs the command lines of the file LIST, one per line with tabs between the
// arguments, from number FIRST (from 0) on, and prints the exit code of each.
// What a command writes to standard error goes to the file MESSAGES and is
// printed, in short, after its exit code. A command that takes longer than
// SECONDS ends the process by SIGALRM, as a crash ends it by its own signal:
// the first number without an exit code is the culprit.
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Main.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 5)
    return 2;
  std::ifstream list(argv[1]);
  size_t first = std::strtoul(argv[2], nullptr, 10);
  unsigned seconds = static_cast<unsigned>(std::atoi(argv[3]));
  int results = ::dup(1), null = ::open("/dev/null", O_WRONLY);
  int messages = ::open(argv[4], O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0644);
  if (!list || results < 0 || null < 0 || messages < 0)
    return 2;
  ::dup2(null, 1);
  ::dup2(messages, 2);
  std::string line;
  for (size_t number = 0; std::getline(list, line); ++number) {
    if (number < first)
      continue;
    std::vector<std::string> words{"cimc"};
    std::istringstream stream(line);
    for (std::string word; std::getline(stream, word, '\t');)
      words.push_back(word);
    std::vector<const char *> arguments;
    for (const std::string &word : words)
      arguments.push_back(word.c_str());
    if (::ftruncate(messages, 0) != 0)
      return 2;
    ::alarm(seconds);
    int code =
        cimc::cimcMain(static_cast<int>(arguments.size()), arguments.data());
    ::alarm(0);
    std::fflush(stderr);
    char head[200];
    ssize_t size = ::pread(messages, head, sizeof head, 0);
    std::string text(head, size > 0 ? static_cast<size_t>(size) : 0);
    text = text.substr(0, text.find('\n'));
    ::dprintf(results, "%zu\t%d\t%s\n", number, code, text.c_str());
  }
  return 0;
}
