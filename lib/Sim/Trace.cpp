//===- Trace.cpp - what every unit did, for trace viewers -------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Timing.h"

#include <algorithm>
#include <cstdio>

namespace cimc::sim {

static void appendQuoted(std::string &out, const std::string &text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string traceJson(const std::vector<TraceEvent> &events) {
  // A process for each core, a thread for each of its units; links and the
  // memories of tiles are threads of processes of their own.
  std::map<int64_t, std::map<std::string, int>> units;
  for (const TraceEvent &event : events)
    units[event.core][event.unit] = 0;
  std::string out = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
  for (auto &[core, names] : units) {
    std::string process = "{\"ph\":\"M\",\"pid\":" + std::to_string(core);
    std::string title = core == TraceEvent::networks   ? "networks"
                        : core == TraceEvent::memories ? "memories of tiles"
                        : core == TraceEvent::host
                            ? "host"
                            : "core " + std::to_string(core);
    out += process + ",\"name\":\"process_name\",\"args\":{\"name\":\"" +
           title + "\"}},\n";
    int number = 0;
    for (auto &[name, thread] : names) {
      thread = number++;
      out += process + ",\"tid\":" + std::to_string(thread) +
             ",\"name\":\"thread_name\",\"args\":{\"name\":\"" + name +
             "\"}},\n";
    }
  }
  for (size_t i = 0; i < events.size(); ++i) {
    const TraceEvent &event = events[i];
    char numbers[160];
    std::snprintf(numbers, sizeof numbers,
                  ",\"ph\":\"X\",\"pid\":%lld,\"tid\":%d,\"ts\":%.4f,"
                  "\"dur\":%.4f,\"args\":{\"sample\":%u}}%s\n",
                  static_cast<long long>(event.core),
                  units[event.core][event.unit], event.startNs * 1e-3,
                  event.durationNs * 1e-3, event.sample,
                  i + 1 < events.size() ? "," : "");
    out += "{\"name\":";
    appendQuoted(out, event.name);
    out += numbers;
  }
  return out + "]}\n";
}

} // namespace cimc::sim
