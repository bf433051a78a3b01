//===- TensorFile.h - tensors in .npy and .pb files -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_TENSORFILE_H
#define CIMC_DRIVER_TENSORFILE_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include <string>

namespace cimc {

/// Reads a tensor from NumPy's .npy or from a serialized ONNX TensorProto
/// (.pb), told apart by content. Errors are `InvalidInput`.
Result<HostTensor> readTensor(const std::string &path);

/// Sample `index` along the first axis.
HostTensor sampleOf(const HostTensor &batch, int64_t index);

} // namespace cimc

#endif // CIMC_DRIVER_TENSORFILE_H
