//===- Split.h - a network in parts, each a program -------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_PROGRAM_SPLIT_H
#define CIMC_PROGRAM_SPLIT_H

#include "cimc/Program/Program.h"

#include <functional>
#include <string>
#include <vector>

namespace cimc {

/// Where the parts of a network larger than the chip run: on one chip, whose
/// cells are written anew for each, or each on a card of its own.
enum class SplitGoal { Reprogram, Cards };

const char *name(SplitGoal goal);

/// A network in parts that are run in order. A part's inputs are inputs of the
/// network or outputs of earlier parts, which have the same name, type and
/// shape; the host keeps them in between.
struct SplitProgram {
  std::string model;
  SplitGoal goal = SplitGoal::Reprogram;
  int64_t batch = 1; ///< samples that pass a part before the next, at least 1
  std::vector<std::string> inputs, outputs; ///< of the network, in its order
  std::vector<Program> parts;               ///< two at least, for equal chips

  const ChipSpec &chip() const { return parts.front().chip; }
};

/// The binding of a network's input or output in the part that has it first;
/// null where none has.
const IOBinding *findIO(const SplitProgram &program, const std::string &name,
                        bool isOutput);

/// Bytes, a sample, that the host keeps from one part for another.
int64_t bytesBetweenParts(const SplitProgram &program);

/// Proves each part safe, and that each finds its inputs.
Status verify(const SplitProgram &program);

/// Runs one sample: `run` a part with its inputs, in the order of its bindings.
Result<std::vector<HostTensor>>
runParts(const SplitProgram &program, const std::vector<HostTensor> &inputs,
         const std::function<Result<std::vector<HostTensor>>(
             size_t part, const std::vector<HostTensor> &inputs)> &run);

/// The container of a network in parts (Program/Container.h). Reading verifies;
/// errors are InvalidInput and begin with the origin.
std::vector<uint8_t> serialize(const SplitProgram &program);
Result<SplitProgram> deserializeSplit(const uint8_t *data, size_t size,
                                      const std::string &origin);

/// Whether bytes begin like the container of a network in parts.
bool holdsSplit(const uint8_t *data, size_t size);

} // namespace cimc

#endif // CIMC_PROGRAM_SPLIT_H
