//===- QuantizationTable.cpp - choices as text ----------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Quantize/Quantize.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using llvm::StringRef;

namespace cimc {

namespace {

StringRef takeWord(StringRef &line) {
  line = line.ltrim();
  StringRef word =
      line.take_until([](char c) { return c == ' ' || c == '\t'; });
  line = line.drop_front(word.size()).trim();
  return word;
}

bool takeNumber(StringRef &line, double &value) {
  return !takeWord(line).getAsDouble(value) && std::isfinite(value);
}

} // namespace

std::string printTable(const QuantizationTable &table) {
  std::string text =
      "# bits N LAYER: the weights of a layer have N bits.\n"
      "# equalize SHARE BITS: scales move where an estimate of the noise with "
      "such weights falls below such a share.\n"
      "# inputs N LAYER: the input of a layer has N bits.\n"
      "# range LOW HIGH TENSOR: its bits cover these numbers.\n";
  for (const auto &[name, bits] : table.bits)
    text += "bits " + std::to_string(bits) + " " + name + "\n";
  for (const auto &[name, bits] : table.inputBits)
    text += "inputs " + std::to_string(bits) + " " + name + "\n";
  char numbers[80];
  if (table.equalization) {
    std::snprintf(numbers, sizeof(numbers), "equalize %g %d\n",
                  table.equalization->first, table.equalization->second);
    text += numbers;
  }
  for (const auto &[name, range] : table.ranges) {
    std::snprintf(numbers, sizeof(numbers), "range %.10g %.10g ", range.first,
                  range.second);
    text += numbers + name + "\n";
  }
  return text;
}

Result<QuantizationTable> parseTable(const std::string &text) {
  QuantizationTable table;
  StringRef rest = text;
  for (int number = 1; !rest.empty(); ++number) {
    StringRef line;
    std::tie(line, rest) = rest.split('\n');
    line = line.trim();
    if (line.empty() || line.front() == '#')
      continue;
    auto fail = [&](const std::string &problem) {
      return Error{ExitCode::InvalidInput,
                   "line " + std::to_string(number) + ": " + problem};
    };
    StringRef form = takeWord(line);
    bool isNew = true;
    if (form == "equalize") {
      double share = 0;
      int bits = 0;
      if (!takeNumber(line, share) || takeWord(line).getAsInteger(10, bits) ||
          share < 0 || share > 1 || bits < 2 || bits > 8)
        return fail("equalize takes a share from 0 to 1 and 2 to 8 bits: "
                    "equalize SHARE BITS");
      if (table.equalization)
        return fail("'equalize' is given twice");
      table.equalization.emplace(share, bits);
      continue;
    }
    if (form == "bits") {
      int bits = 0;
      StringRef word = takeWord(line);
      if (word.getAsInteger(10, bits) || bits < 2 || bits > 8)
        return fail("weights cannot have '" + word.str() +
                    "' bits, but 2 to 8");
      isNew = table.bits.emplace(line.str(), bits).second;
    } else if (form == "inputs") {
      StringRef word = takeWord(line);
      if (word != "8" && word != "16")
        return fail("inputs cannot have '" + word.str() +
                    "' bits, but 8 or 16");
      isNew = table.inputBits.emplace(line.str(), word == "8" ? 8 : 16).second;
    } else if (form == "range") {
      double low = 0, high = 0;
      if (!takeNumber(line, low) || !takeNumber(line, high))
        return fail("a range is two numbers: range LOW HIGH TENSOR");
      if (!(low <= 0 && high >= 0 && low < high))
        return fail("a range has a low end of at most 0 and a high end of at "
                    "least 0, and they differ");
      isNew = table.ranges.emplace(line.str(), std::pair(low, high)).second;
    } else {
      return fail("none of 'bits N LAYER', 'inputs N LAYER', 'range LOW HIGH "
                  "TENSOR' and 'equalize SHARE BITS'");
    }
    if (line.empty())
      return fail("the name is missing");
    if (!isNew)
      return fail("'" + line.str() + "' is given twice");
  }
  return table;
}

} // namespace cimc
