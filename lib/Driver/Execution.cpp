//===- Execution.cpp - inputs and batches ---------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Execution.h"
#include "cimc/Driver/CommandLine.h"
#include "cimc/Driver/Files.h"
#include "cimc/Driver/TensorFile.h"
#include "cimc/Support/Parallel.h"
#include "cimc/Support/TensorIO.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

using namespace cimc;

static Error invalid(std::string message) {
  return {ExitCode::InvalidInput, std::move(message)};
}

static std::vector<std::string> namesOf(const std::vector<ModelIO> &ios) {
  std::vector<std::string> names;
  for (const ModelIO &io : ios)
    names.push_back(io.name);
  return names;
}

std::string cimc::fileNameOf(const std::string &name) {
  std::string result = name;
  std::replace(result.begin(), result.end(), '/', '_');
  return result;
}

//===----------------------------------------------------------------------===//
// Fitting tensors to inputs
//===----------------------------------------------------------------------===//

Status cimc::fitInput(HostTensor &tensor, const ModelIO &input,
                      const std::string &origin, BatchForm &form) {
  form = BatchForm::One;
  if (!input.isRead) {
    tensor = HostTensor(input.type, input.shape);
    return {};
  }
  const std::vector<int64_t> &want = input.shape, &have = tensor.shape;
  auto tailEquals = [&](size_t skipHave, size_t skipWant) {
    return have.size() - skipHave == want.size() - skipWant &&
           std::equal(have.begin() + int64_t(skipHave), have.end(),
                      want.begin() + int64_t(skipWant));
  };
  if (have == want) {
    // One sample.
  } else if (have.size() == want.size() + 1 && tailEquals(1, 0)) {
    form = BatchForm::NewAxis;
  } else if (!want.empty() && want[0] == 1 && have.size() == want.size() &&
             tailEquals(1, 1)) {
    form = BatchForm::FirstAxis;
  } else {
    return invalid(fmt::format("{}: shape {} does not fit input '{}' of shape "
                               "{} (a batch of N samples "
                               "is {})",
                               origin, shapeString(have), input.name,
                               shapeString(want),
                               want.empty() ? "N" : "Nx" + shapeString(want)));
  }
  if (form != BatchForm::One && have[0] == 0)
    return invalid(fmt::format("{}: the batch holds no samples", origin));
  if (tensor.type != input.type) {
    Result<HostTensor> converted = convertTo(tensor, input.type);
    if (!converted)
      return invalid(fmt::format("{}: {} does not fit input '{}' of {}: {}",
                                 origin, name(tensor.type), input.name,
                                 name(input.type), converted.error().message));
    tensor = std::move(*converted);
  }
  if (tensor.type == DType::F64)
    for (int64_t i = 0, size = tensor.size(); i < size; ++i)
      if (double value = tensor.as<double>()[i];
          std::isfinite(value) && std::isinf(static_cast<float>(value)))
        return invalid(fmt::format(
            "{}: element {} is {}; float64 is computed in single precision, so "
            "values must lie within [-3.4e38, 3.4e38]",
            origin, i, value));
  return {};
}

Result<InputSet> cimc::makeInputSet(std::vector<HostTensor> tensors,
                                    const std::vector<ModelIO> &inputs,
                                    const std::vector<std::string> &origins) {
  InputSet set;
  set.tensors = std::move(tensors);
  set.forms.resize(inputs.size());
  size_t first = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Status status =
            fitInput(set.tensors[i], inputs[i], origins[i], set.forms[i]);
        !status)
      return status.takeError();
    if (set.forms[i] == BatchForm::One)
      continue;
    int64_t samples = set.tensors[i].shape[0];
    if (set.isBatch() && samples != set.samples)
      return invalid(fmt::format("{} holds {} samples and {} holds {}",
                                 origins[first], set.samples, origins[i],
                                 samples));
    if (!set.isBatch())
      first = i;
    // One input with a new axis makes it so for all outputs.
    if (set.form != BatchForm::NewAxis)
      set.form = set.forms[i];
    set.samples = samples;
  }
  return set;
}

std::vector<HostTensor> InputSet::sample(int64_t index) const {
  std::vector<HostTensor> result;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (forms[i] == BatchForm::One) {
      result.push_back(tensors[i]);
      continue;
    }
    result.push_back(sampleOf(tensors[i], index));
    if (forms[i] == BatchForm::FirstAxis)
      result.back().shape.insert(result.back().shape.begin(), 1);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Reading what --input names
//===----------------------------------------------------------------------===//

/// Reads the tensor of input `index` from a directory: input_K.pb or NAME.npy.
static Result<HostTensor> readFromDirectory(const std::string &directory,
                                            const char *prefix, size_t index,
                                            const ModelIO &io,
                                            std::string &origin) {
  std::string pb = fmt::format("{}/{}_{}.pb", directory, prefix, index);
  std::string npy = fmt::format("{}/{}.npy", directory, fileNameOf(io.name));
  if (fileExists(pb))
    origin = pb;
  else if (fileExists(npy))
    origin = npy;
  else
    return invalid(fmt::format("'{}' holds neither {}_{}.pb nor {}.npy for {} "
                               "'{}'",
                               directory, prefix, index, fileNameOf(io.name),
                               prefix, io.name));
  return readTensor(origin);
}

Result<InputSet> cimc::readInputs(const std::vector<std::string> &arguments,
                                  const std::vector<ModelIO> &inputs) {
  std::vector<std::optional<HostTensor>> found(inputs.size());
  std::vector<std::string> origins(inputs.size());
  auto take = [&](size_t i, HostTensor tensor, std::string origin) -> Status {
    if (found[i])
      return Error{ExitCode::Usage,
                   fmt::format("input '{}' is given twice, by "
                               "{} and {}",
                               inputs[i].name, origins[i], origin)};
    found[i] = std::move(tensor);
    origins[i] = std::move(origin);
    return {};
  };
  for (const std::string &argument : arguments) {
    size_t named = inputs.size();
    std::string path = argument;
    // Names may contain '=', so the longest name that fits wins.
    for (size_t i = 0; i < inputs.size(); ++i) {
      const std::string &name = inputs[i].name;
      if (argument.size() > name.size() && argument[name.size()] == '=' &&
          argument.compare(0, name.size(), name) == 0 &&
          (named == inputs.size() || inputs[named].name.size() < name.size())) {
        named = i;
        path = argument.substr(name.size() + 1);
      }
    }
    size_t equals = argument.find('=');
    if (named == inputs.size() && equals != std::string::npos &&
        !fileExists(argument))
      return Error{
          ExitCode::Usage,
          fmt::format("--input {}: the network has no input '{}'{}; its inputs "
                      "are {}",
                      argument, argument.substr(0, equals),
                      suggestion(argument.substr(0, equals), namesOf(inputs)),
                      fmt::join(namesOf(inputs), ", "))};
    if (path.empty())
      return Error{ExitCode::Usage,
                   fmt::format("--input {}: no file name given", argument)};
    bool directory = isDirectory(path);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (named != inputs.size() ? i != named : !directory && i != 0)
        continue;
      std::string origin = path;
      HostTensor tensor;
      if (directory) {
        Result<HostTensor> read =
            readFromDirectory(path, "input", i, inputs[i], origin);
        if (!read)
          return read.takeError();
        tensor = std::move(*read);
      } else {
        if (named == inputs.size() && inputs.size() > 1)
          return Error{ExitCode::Usage,
                       fmt::format("--input {}: the network has several inputs "
                                   "({}), write NAME={}",
                                   path, fmt::join(namesOf(inputs), ", "),
                                   path)};
        Result<HostTensor> read = readTensor(path);
        if (!read)
          return read.takeError();
        tensor = std::move(*read);
      }
      if (Status status = take(i, std::move(tensor), origin); !status)
        return status.takeError();
    }
  }
  std::vector<HostTensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!found[i] && !inputs[i].isRead)
      found[i].emplace(inputs[i].type, inputs[i].shape);
    if (!found[i])
      return Error{
          ExitCode::Usage,
          fmt::format("input '{}' ({} of {}) is not given; use --input "
                      "{}=FILE.npy",
                      inputs[i].name, name(inputs[i].type),
                      shapeString(inputs[i].shape), inputs[i].name)};
    tensors.push_back(std::move(*found[i]));
  }
  return makeInputSet(std::move(tensors), inputs, origins);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Result<std::vector<HostTensor>>
cimc::runAll(const Executable &executable, const InputSet &inputs,
             unsigned threads, const std::function<void(int64_t)> &progress) {
  if (!inputs.isBatch())
    return executable.run(inputs.tensors);
  std::vector<HostTensor> outputs;
  for (const ModelIO &io : executable.outputs) {
    std::vector<int64_t> shape = io.shape;
    if (inputs.form == BatchForm::FirstAxis && !shape.empty() && shape[0] == 1)
      shape[0] = inputs.samples;
    else
      shape.insert(shape.begin(), inputs.samples);
    outputs.emplace_back(io.type, std::move(shape));
  }
  // The error of the first sample that fails, whatever the threads do.
  std::mutex mutex;
  std::optional<Error> error;
  int64_t failed = inputs.samples, done = 0;
  parallelFor(inputs.samples, threads, [&](int64_t sample) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (sample > failed)
        return;
    }
    Result<std::vector<HostTensor>> result =
        executable.run(inputs.sample(sample));
    std::string problem;
    if (result)
      for (size_t i = 0; i < outputs.size(); ++i) {
        size_t bytes = outputs[i].data.size() / size_t(inputs.samples);
        if ((*result)[i].data.size() != bytes) {
          problem = fmt::format("output '{}' has {} bytes instead of {}",
                                executable.outputs[i].name,
                                (*result)[i].data.size(), bytes);
          break;
        }
        if (bytes)
          std::memcpy(outputs[i].data.data() + size_t(sample) * bytes,
                      (*result)[i].data.data(), bytes);
      }
    std::lock_guard<std::mutex> lock(mutex);
    if ((!result || !problem.empty()) && sample < failed) {
      failed = sample;
      error = result ? Error{ExitCode::Internal, problem} : result.takeError();
      error->message = fmt::format("sample {}: {}", sample, error->message);
    }
    ++done;
    if (progress)
      progress(done);
  });
  if (error)
    return *error;
  return outputs;
}

//===----------------------------------------------------------------------===//
// What is expected
//===----------------------------------------------------------------------===//

Result<std::vector<HostTensor>>
cimc::readExpected(const std::vector<ModelIO> &outputs,
                   const std::string &directory) {
  if (!isDirectory(directory))
    return invalid(fmt::format("--expect: '{}' is not a directory", directory));
  std::vector<HostTensor> result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::string origin;
    Result<HostTensor> expected =
        readFromDirectory(directory, "output", i, outputs[i], origin);
    if (!expected)
      return expected.takeError();
    result.push_back(std::move(*expected));
  }
  return result;
}
