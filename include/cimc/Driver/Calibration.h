//===- Calibration.h - samples from files ---------------------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_CALIBRATION_H
#define CIMC_DRIVER_CALIBRATION_H

#include "cimc/Driver/Execution.h"
#include "cimc/Driver/Image.h"
#include "cimc/Quantize/Quantize.h"

#include <memory>
#include <string>
#include <vector>

namespace cimc {

/// The samples that `--calibrate` names, for a network with these inputs:
///   - a .npy file with a leading axis of samples, where there is one input;
///   - a .npz archive with such an array for every input, by name;
///   - a directory with NAME.npy for every input, each with a leading axis;
///   - a directory of test_data_set folders, one sample each (input_K.pb or
///     NAME.npy), or one such folder;
///   - a directory of .npy, .pb or image files, one sample each, for one input.
/// Errors are `InvalidInput` and name the file.
Result<std::unique_ptr<SampleSource>>
openSamples(const std::string &path, const std::vector<ModelIO> &inputs,
            const ImageOptions &images = {});

/// One sample of numbers within [-1, 1), and zeros for integers: enough where
/// only time and arrays are asked for, which never depend on ranges.
std::unique_ptr<SampleSource> inventSample(const std::vector<ModelIO> &inputs);

} // namespace cimc

#endif // CIMC_DRIVER_CALIBRATION_H
