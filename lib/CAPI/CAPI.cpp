//===- CAPI.cpp - the C interface -----------------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/CAPI/cimc.h"
#include "cimc/Driver/Compiler.h"
#include "cimc/Driver/Report.h"
#include "cimc/Driver/TensorFile.h"
#include "cimc/Sim/Simulator.h"
#include "cimc/Support/File.h"
#include "cimc/Support/Parallel.h"

#include <fmt/format.h>

#include <cstring>
#include <mutex>
#include <new>

using namespace cimc;

struct CimcProgram {
  explicit CimcProgram(Program given)
      : program(std::move(given)), simulator(program),
        inputs(programIO(program, false)), outputs(programIO(program, true)) {
    description = dump(Json{{"model", program.model},
                            {"chip", program.chip.name},
                            {"inputs", ioJson(inputs)},
                            {"outputs", ioJson(outputs)}});
  }

  Program program;
  Simulator simulator;
  std::vector<ModelIO> inputs, outputs;
  std::string description, cost, assembly;
  std::mutex mutex; ///< of the texts that are made when asked for
  double compileSeconds = 0;
};

static thread_local std::string lastError;
static thread_local CimcStatus lastStatus = CIMC_OK;

static CimcStatus fail(const Error &error) {
  lastError = error.message;
  lastStatus = static_cast<int>(error.code);
  return lastStatus;
}

/// Calls `body`; nothing is thrown over the border.
template <typename Body> static CimcStatus guarded(const Body &body) {
  lastError.clear();
  lastStatus = CIMC_OK;
  try {
    Status status = body();
    return status ? CIMC_OK : fail(status.error());
  } catch (const std::bad_alloc &) {
    return fail({ExitCode::ResourceLimit, "out of memory"});
  } catch (const std::exception &error) {
    return fail({ExitCode::Internal, error.what()});
  }
}

const char *cimcLastError(void) { return lastError.c_str(); }

CimcStatus cimcLastStatus(void) { return lastStatus; }

const char *cimcVersion(void) { return CIMC_VERSION; }

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

static Error usage(std::string message) {
  return {ExitCode::Usage, std::move(message)};
}

static bool isCount(const Json &value, int64_t low) {
  return value.is_number_integer() && value.get<int64_t>() >= low;
}

static Status readOption(const std::string &key, const Json &value,
                         CompileOptions &options) {
  auto text = [&](std::string &target) -> Status {
    if (!value.is_string())
      return usage(fmt::format("option '{}' must be a string", key));
    target = value.get<std::string>();
    return {};
  };
  if (value.is_null())
    return {};
  if (key == "chip")
    return text(options.chip);
  if (key == "mode") {
    Status status = text(options.mode);
    if (status && options.mode != "throughput" && options.mode != "latency")
      return usage(fmt::format("option 'mode': '{}' is not one of throughput, "
                               "latency",
                               options.mode));
    return status;
  }
  if (key == "precision")
    return text(options.precision);
  if (key == "calibrate")
    return text(options.calibrate);
  if (key == "threads" || key == "seed") {
    if (!isCount(value, 0))
      return usage(fmt::format("option '{}' must be a whole number", key));
    if (key == "threads")
      options.threads = unsigned(std::min<int64_t>(value.get<int64_t>(), 4096));
    else
      options.seed = value.get<uint64_t>();
    return {};
  }
  if (key == "dims") {
    for (const auto &[name, size] : value.items()) {
      if (!isCount(size, 1))
        return usage(
            fmt::format("option 'dims': '{}' must be a whole number of "
                        "at least 1",
                        name));
      options.dims.emplace_back(name, size.get<int64_t>());
    }
    return {};
  }
  if (key == "input_shapes") {
    for (const auto &[name, sizes] : value.items()) {
      std::vector<int64_t> shape;
      bool good = sizes.is_array();
      for (const Json &size : sizes) {
        good = good && isCount(size, 0);
        shape.push_back(good ? size.get<int64_t>() : 0);
      }
      if (!good)
        return usage(
            fmt::format("option 'input_shapes': '{}' must be a list of "
                        "sizes",
                        name));
      options.inputShapes.emplace_back(name, std::move(shape));
    }
    return {};
  }
  if (key == "constant_inputs") {
    for (const auto &[name, path] : value.items()) {
      if (!path.is_string())
        return usage(
            fmt::format("option 'constant_inputs': '{}' must be a file", name));
      Result<HostTensor> tensor = readTensor(path.get<std::string>());
      if (!tensor)
        return tensor.takeError();
      options.constantInputs.emplace_back(name, std::move(*tensor));
    }
    return {};
  }
  return usage(fmt::format("unknown option '{}'", key));
}

CimcStatus cimcCompile(const char *path, const char *optionsJson,
                       CimcProgram **program) {
  return guarded([&]() -> Status {
    CompileOptions options;
    Json json =
        optionsJson ? Json::parse(optionsJson, nullptr, false) : Json::object();
    if (!json.is_object())
      return usage("the options are not a JSON object");
    for (const auto &[key, value] : json.items())
      if (Status status = readOption(key, value, options); !status)
        return status;
    Compilation compilation;
    if (Status status = compileModel(path, options, compilation); !status)
      return status;
    *program = new CimcProgram(std::move(*compilation.program));
    (*program)->compileSeconds = compilation.seconds;
    return {};
  });
}

CimcStatus cimcLoad(const char *path, CimcProgram **program) {
  return guarded([&]() -> Status {
    Result<Program> loaded = load(path);
    if (!loaded)
      return loaded.takeError();
    *program = new CimcProgram(std::move(*loaded));
    return {};
  });
}

CimcStatus cimcSave(const CimcProgram *program, const char *path) {
  return guarded([&]() -> Status {
    std::vector<uint8_t> bytes = serialize(program->program);
    return writeFileAtomically(
        path, std::string_view(reinterpret_cast<const char *>(bytes.data()),
                               bytes.size()));
  });
}

void cimcDestroy(CimcProgram *program) { delete program; }

//===----------------------------------------------------------------------===//
// Looking
//===----------------------------------------------------------------------===//

const char *cimcDescribe(const CimcProgram *program) {
  return program->description.c_str();
}

const char *cimcCost(CimcProgram *program) {
  CimcStatus status = guarded([&]() -> Status {
    std::lock_guard<std::mutex> lock(program->mutex);
    if (!program->cost.empty())
      return {};
    Result<CostReport> cost = program->simulator.time();
    if (!cost)
      return cost.takeError();
    Json json = {{"chip", program->program.chip.name}};
    addCost(json, program->program, *cost);
    json["compile_s"] = program->compileSeconds;
    json["peak_rss_mb"] = peakMemoryMB();
    program->cost = dump(json);
    return {};
  });
  return status == CIMC_OK ? program->cost.c_str() : nullptr;
}

const char *cimcDisassemble(CimcProgram *program) {
  CimcStatus status = guarded([&]() -> Status {
    std::lock_guard<std::mutex> lock(program->mutex);
    if (program->assembly.empty())
      program->assembly = disassemble(program->program);
    return {};
  });
  return status == CIMC_OK ? program->assembly.c_str() : nullptr;
}

const char *cimcChip(const char *nameOrPath) {
  static thread_local std::string text;
  CimcStatus status = guarded([&]() -> Status {
    Result<ChipSpec> chip = openChip(nameOrPath);
    if (!chip)
      return chip.takeError();
    text = printChip(*chip);
    return {};
  });
  return status == CIMC_OK ? text.c_str() : nullptr;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static size_t bytesOf(const ModelIO &io) {
  size_t bytes = byteSize(io.type);
  for (int64_t size : io.shape)
    bytes *= size_t(size);
  return bytes;
}

/// Checks that buffers are those of `samples` samples.
static Status checkBuffers(const std::vector<ModelIO> &ios, const char *what,
                           int64_t samples, const void *const *buffers,
                           const size_t *sizes, size_t count) {
  if (count != ios.size())
    return usage(fmt::format("the program has {} {}s, {} are given", ios.size(),
                             what, count));
  for (size_t i = 0; i < count; ++i) {
    size_t want = bytesOf(ios[i]) * size_t(samples);
    if (sizes[i] != want)
      return Error{
          ExitCode::InvalidInput,
          fmt::format("{} '{}' ({} of {}) takes {} bytes, {} are given", what,
                      ios[i].name, name(ios[i].type), shapeString(ios[i].shape),
                      want, sizes[i])};
    if (want && !buffers[i])
      return usage(fmt::format("{} '{}' is a null pointer", what, ios[i].name));
  }
  return {};
}

CimcStatus cimcRunBatch(const CimcProgram *program, int64_t samples,
                        unsigned threads, const void *const *inputs,
                        const size_t *inputBytes, size_t inputCount,
                        void *const *outputs, const size_t *outputBytes,
                        size_t outputCount) {
  return guarded([&]() -> Status {
    if (samples < 0)
      return usage("the number of samples is negative");
    if (Status status = checkBuffers(program->inputs, "input", samples, inputs,
                                     inputBytes, inputCount);
        !status)
      return status;
    if (Status status = checkBuffers(program->outputs, "output", samples,
                                     outputs, outputBytes, outputCount);
        !status)
      return status;
    std::mutex mutex;
    std::optional<Error> error;
    int64_t failed = samples;
    parallelFor(samples, threads, [&](int64_t sample) {
      std::vector<HostTensor> tensors;
      for (size_t i = 0; i < inputCount; ++i) {
        HostTensor tensor(program->inputs[i].type, program->inputs[i].shape);
        size_t bytes = tensor.data.size();
        if (bytes)
          std::memcpy(tensor.data.data(),
                      static_cast<const char *>(inputs[i]) +
                          size_t(sample) * bytes,
                      bytes);
        tensors.push_back(std::move(tensor));
      }
      Result<std::vector<HostTensor>> result = program->simulator.run(tensors);
      if (!result) {
        std::lock_guard<std::mutex> lock(mutex);
        if (sample < failed) {
          failed = sample;
          error = result.takeError();
        }
        return;
      }
      for (size_t i = 0; i < outputCount; ++i) {
        size_t bytes = bytesOf(program->outputs[i]);
        if (bytes)
          std::memcpy(static_cast<char *>(outputs[i]) + size_t(sample) * bytes,
                      (*result)[i].data.data(), bytes);
      }
    });
    if (error)
      return *error;
    return {};
  });
}

CimcStatus cimcRun(const CimcProgram *program, const void *const *inputs,
                   const size_t *inputBytes, size_t inputCount,
                   void *const *outputs, const size_t *outputBytes,
                   size_t outputCount) {
  return cimcRunBatch(program, 1, 1, inputs, inputBytes, inputCount, outputs,
                      outputBytes, outputCount);
}
