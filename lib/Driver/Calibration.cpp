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
  FolderSamples(std::vector<std::string> paths, std::vector<ModelIO> inputs,
                ImageOptions images)
      : paths(std::move(paths)), inputs(std::move(inputs)),
        images(std::move(images)) {}
  Result<std::optional<std::vector<HostTensor>>> next() override {
    if (index == paths.size())
      return std::optional<std::vector<HostTensor>>();
    const std::string &path = paths[index++];
    if (isImageName(path)) {
      Result<HostTensor> image = readImage(path, inputs[0], images);
      if (!image)
        return image.takeError();
      std::vector<HostTensor> sample;
      sample.push_back(std::move(*image));
      return std::optional<std::vector<HostTensor>>(std::move(sample));
    }
    Result<InputSet> set = readInputs({path}, inputs);
    if (!set)
      return set.takeError();
    if (set->isBatch())
      return invalid(
          fmt::format("'{}' holds a batch where one sample is needed", path));
    return std::optional<std::vector<HostTensor>>(std::move(set->tensors));
  }
  int64_t size() const override { return int64_t(paths.size()); }
  std::string nameOfLast() const override {
    return index ? paths[index - 1] : std::string();
  }

private:
  std::vector<std::string> paths;
  std::vector<ModelIO> inputs;
  ImageOptions images;
  size_t index = 0;
};

/// One sample of numbers within [-1, 1), and zeros for integers.
class InventedSample : public SampleSource {
public:
  explicit InventedSample(std::vector<ModelIO> inputs)
      : inputs(std::move(inputs)) {}
  Result<std::optional<std::vector<HostTensor>>> next() override {
    if (given)
      return std::optional<std::vector<HostTensor>>();
    given = true;
    std::vector<HostTensor> sample;
    uint32_t state = 1;
    for (const ModelIO &input : inputs) {
      HostTensor tensor(input.type, input.shape);
      if (input.type == DType::F32)
        for (int64_t i = 0, e = tensor.size(); i < e; ++i) {
          state = state * 1664525u + 1013904223u;
          tensor.as<float>()[i] = float(state >> 8) / float(1 << 23) - 1;
        }
      sample.push_back(std::move(tensor));
    }
    return std::optional<std::vector<HostTensor>>(std::move(sample));
  }
  int64_t size() const override { return 1; }

private:
  std::vector<ModelIO> inputs;
  bool given = false;
};
} // namespace

std::unique_ptr<SampleSource>
cimc::inventSample(const std::vector<ModelIO> &inputs) {
  return std::make_unique<InventedSample>(inputs);
}

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
fromDirectory(const std::string &path, const std::vector<ModelIO> &inputs,
              const ImageOptions &images) {
  auto folders = [&](std::vector<std::string> paths) {
    return std::unique_ptr<SampleSource>(
        std::make_unique<FolderSamples>(std::move(paths), inputs, images));
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
  if (paths.empty() && inputs.size() == 1)
    for (const std::string &name : listFiles(path, ""))
      if (isImageName(name))
        paths.push_back(path + "/" + name);
  if (!paths.empty())
    return folders(std::move(paths));
  std::vector<std::string> names;
  for (const ModelIO &input : inputs)
    names.push_back(fileNameOf(input.name) + ".npy");
  return invalid(fmt::format(
      "'{}' holds no calibration samples: it needs {}, "
      "test_data_set folders with input_0.pb{}",
      path, fmt::join(names, " and "),
      inputs.size() == 1 ? ", or .npy, .pb, .png or .jpg files" : ""));
}

Result<std::unique_ptr<SampleSource>>
cimc::openSamples(const std::string &path, const std::vector<ModelIO> &inputs,
                  const ImageOptions &images) {
  if (isDirectory(path))
    return fromDirectory(path, inputs, images);
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
