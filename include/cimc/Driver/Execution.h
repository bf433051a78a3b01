//===- Execution.h - inputs, batches and comparison -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_EXECUTION_H
#define CIMC_DRIVER_EXECUTION_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cimc {

/// An input or output of a network.
struct ModelIO {
  std::string name;
  DType type = DType::F32;
  std::vector<int64_t> shape;
  /// Of an input: whether the network depends on it. Others take any tensor and
  /// need none.
  bool isRead = true;
};

/// A network that can be run, at whatever level. `run` is thread safe and takes
/// and gives one sample, in the order of `inputs` and `outputs`.
struct Executable {
  std::vector<ModelIO> inputs, outputs;
  std::function<Result<std::vector<HostTensor>>(
      const std::vector<HostTensor> &)>
      run;
};

/// How a tensor holds the values of an input of shape [1, 3, 8]: one sample, or
/// N samples as [N, 1, 3, 8] or, where the first size of the input is 1, as
/// [N, 3, 8].
enum class BatchForm { One, NewAxis, FirstAxis };

/// The values of all inputs of a network.
struct InputSet {
  /// In the order of the network's inputs, with its element types.
  std::vector<HostTensor> tensors;
  std::vector<BatchForm> forms;
  int64_t samples = 1;
  BatchForm form = BatchForm::One; ///< of the set, and so of the outputs

  bool isBatch() const { return form != BatchForm::One; }

  /// The inputs of one sample.
  std::vector<HostTensor> sample(int64_t index) const;
};

/// Reads what `--input` names: "FILE" or "DIR" where that is unambiguous,
/// "NAME=FILE" or "NAME=DIR". Shapes and types are checked against the
/// network's. Errors are `InvalidInput` or `Usage`.
Result<InputSet> readInputs(const std::vector<std::string> &arguments,
                            const std::vector<ModelIO> &inputs);

/// Fits a tensor to an input: converts the elements where every value survives
/// and recognizes batches. `origin` is used in messages.
Status fitInput(HostTensor &tensor, const ModelIO &input,
                const std::string &origin, BatchForm &form);

/// Puts tensors, one for each input, together; their batches must agree.
Result<InputSet> makeInputSet(std::vector<HostTensor> tensors,
                              const std::vector<ModelIO> &inputs,
                              const std::vector<std::string> &origins);

/// Runs all samples on up to `threads` threads. Where the inputs are a batch,
/// so are the outputs: with a new axis, or in place of a first size of 1 where
/// the inputs are of that form. `progress` is called with the number of samples
/// done, from one thread at a time.
Result<std::vector<HostTensor>>
runAll(const Executable &executable, const InputSet &inputs, unsigned threads,
       const std::function<void(int64_t)> &progress = nullptr);

/// The name of the file that holds an input or output: '/' becomes '_'.
std::string fileNameOf(const std::string &name);

/// How one output compares with what was expected.
struct Comparison {
  std::string output;
  int64_t elements = 0, different = 0;
  std::vector<int64_t> first;   ///< index of the first difference
  double got = 0, expected = 0; ///< the values there
  double largest = 0;           ///< the largest absolute difference
  std::string problem;          ///< shapes or types differ
  bool equal() const { return different == 0 && problem.empty(); }
};

/// Tolerances; unset: integers exactly, floats 1e-3 and 1e-7.
struct Tolerance {
  std::optional<double> relative, absolute;
};

/// Compares element by element: |got - expected| <= atol + rtol * |expected|;
/// a NaN equals a NaN.
Comparison compare(const std::string &name, const HostTensor &got,
                   const HostTensor &expected, const Tolerance &tolerance);

/// Reads what is expected of all outputs from the output_K.pb or NAME.npy files
/// in a directory.
Result<std::vector<HostTensor>>
readExpected(const std::vector<ModelIO> &outputs, const std::string &directory);

/// One line for people.
std::string describe(const Comparison &comparison);

} // namespace cimc

#endif // CIMC_DRIVER_EXECUTION_H
