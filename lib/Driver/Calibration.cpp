//===- Calibration.cpp - samples from files -------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Calibration.h"
#include "cimc/Driver/CommandLine.h"
#include "cimc/Driver/Files.h"
#include "cimc/Driver/TensorFile.h"
#include "cimc/Support/TensorIO.h"

#include <fmt/format.h>

#include <algorithm>

using namespace cimc;

static Error invalid(std::string message) {
  return {ExitCode::InvalidInput, std::move(message)};
}

namespace {
/// Samples that lie in memory.
class BatchSamples : public SampleSource {
public:
  explicit BatchSamples(InputSet set) : set(std::move(set)) {}
  Result<std::optional<std::vector<HostTensor>>> next() override {
    if (index == set.samples)
      return std::optional<std::vector<HostTensor>>();
    return std::optional<std::vector<HostTensor>>(set.sample(index++));
  }
  int64_t size() const override { return set.samples; }

private:
  InputSet set;
  int64_t index = 0;
};

/// One sample for each file or folder, read when it is its turn.
class FolderSamples : public SampleSource {
public:
  FolderSamples(std::vector<std::string> paths, std::vector<ModelIO> inputs)
      : paths(std::move(paths)), inputs(std::move(inputs)) {}
  Result<std::optional<std::vector<HostTensor>>> next() override {
    if (index == paths.size())
      return std::optional<std::vector<HostTensor>>();
    const std::string &path = paths[index++];
    Result<InputSet> set = readInputs({path}, inputs);
    if (!set)
      return set.takeError();
    if (set->isBatch())
      return invalid(
          fmt::format("'{}' holds a batch where one sample is needed", path));
    return std::optional<std::vector<HostTensor>>(std::move(set->tensors));
  }
  int64_t size() const override { return int64_t(paths.size()); }

private:
  std::vector<std::string> paths;
  std::vector<ModelIO> inputs;
  size_t index = 0;
};
} // namespace

static Result<std::unique_ptr<SampleSource>> batch(Result<InputSet> set) {
  if (!set)
    return set.takeError();
  return std::unique_ptr<SampleSource>(
      std::make_unique<BatchSamples>(std::move(*set)));
}

static Result<std::unique_ptr<SampleSource>>
fromArchive(const std::string &path, const std::vector<ModelIO> &inputs) {
  auto arrays = readNpz(path);
  if (!arrays)
    return arrays.takeError();
  std::vector<std::string> names, origins;
  for (auto &array : *arrays)
    names.push_back(array.first);
  std::vector<HostTensor> tensors;
  for (const ModelIO &input : inputs) {
    auto found = std::find(names.begin(), names.end(), input.name);
    if (found == names.end())
      found = std::find(names.begin(), names.end(), fileNameOf(input.name));
    if (found == names.end() && inputs.size() == 1 && names.size() == 1)
      found = names.begin();
    if (found == names.end())
      return invalid(fmt::format(
          "'{}' holds no array named '{}', an input of the network; it holds "
          "{}",
          path, input.name,
          names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    origins.push_back(path + ":" + *found);
    tensors.push_back(
        std::move((*arrays)[size_t(found - names.begin())].second));
  }
  return batch(makeInputSet(std::move(tensors), inputs, origins));
}

static Result<std::unique_ptr<SampleSource>>
fromDirectory(const std::string &path, const std::vector<ModelIO> &inputs) {
  auto folders = [&](std::vector<std::string> paths) {
    return std::unique_ptr<SampleSource>(
        std::make_unique<FolderSamples>(std::move(paths), inputs));
  };
  if (!inputs.empty() &&
      (fileExists(path + "/input_0.pb") ||
       fileExists(path + "/" + fileNameOf(inputs[0].name) + ".npy")))
    return batch(readInputs({path}, inputs));
  std::vector<std::string> paths;
  for (const std::string &name : listDirectories(path))
    if (fileExists(path + "/" + name + "/input_0.pb") ||
        (!inputs.empty() && fileExists(path + "/" + name + "/" +
                                       fileNameOf(inputs[0].name) + ".npy")))
      paths.push_back(path + "/" + name);
  if (paths.empty() && inputs.size() == 1)
    for (const char *suffix : {".npy", ".pb"})
      for (const std::string &name : listFiles(path, suffix))
        paths.push_back(path + "/" + name);
  if (!paths.empty())
    return folders(std::move(paths));
  std::vector<std::string> names;
  for (const ModelIO &input : inputs)
    names.push_back(fileNameOf(input.name) + ".npy");
  return invalid(
      fmt::format("'{}' holds no calibration samples: it needs {} or "
                  "test_data_set folders with input_0.pb",
                  path, fmt::join(names, " and ")));
}

Result<std::unique_ptr<SampleSource>>
cimc::openSamples(const std::string &path, const std::vector<ModelIO> &inputs) {
  if (isDirectory(path))
    return fromDirectory(path, inputs);
  Result<FileKind> kind = sniff(path);
  if (!kind)
    return kind.takeError();
  if (*kind == FileKind::Zip)
    return fromArchive(path, inputs);
  if (*kind != FileKind::Npy)
    return invalid(
        fmt::format("calibration data '{}' is {}; give a directory, a "
                    ".npz archive or a .npy file",
                    path, describe(*kind)));
  if (inputs.size() != 1)
    return Error{
        ExitCode::Usage,
        fmt::format("the network has {} inputs and '{}' holds one array; "
                    "give a .npz archive or a directory with one array "
                    "for each input",
                    inputs.size(), path)};
  return batch(readInputs({path}, inputs));
}
