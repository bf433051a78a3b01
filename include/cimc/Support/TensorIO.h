//===- TensorIO.h - tensors in .npy and .npz files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_TENSORIO_H
#define CIMC_SUPPORT_TENSORIO_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cimc {

/// Parses the bytes of an .npy file, versions 1 to 3, little-endian, C or
/// Fortran order, of one of the element types of DType. `origin` names the
/// bytes in messages. Everything the header states is checked against the
/// number of bytes; errors are InvalidInput.
Result<HostTensor> parseNpy(std::string_view bytes, const std::string &origin);

/// Reads an .npy file.
Result<HostTensor> readNpy(const std::string &path);

/// The bytes of a version 1 .npy file. What numpy has no type for is widened:
/// bfloat16 and smaller floats to float32, int4 and int2 to int8.
std::string formatNpy(const HostTensor &tensor);

/// Writes an .npy file in one step (see writeFileAtomically).
Status writeNpy(const std::string &path, const HostTensor &tensor);

/// Reads every array of an .npz archive, in the archive's order, named without
/// ".npy".
Result<std::vector<std::pair<std::string, HostTensor>>>
readNpz(const std::string &path);

/// The same values in another element type. Integers convert to integers where
/// all values fit, and to floats where all are exact; f64 and f16 convert to
/// f32 and f32 to f64 (f64 rounds); f32 converts to the floats that numpy lacks
/// (rounded); anything else is an InvalidInput error.
Result<HostTensor> convertTo(const HostTensor &tensor, DType type);

/// IEEE half to single, exact.
float halfToFloat(uint16_t half);

} // namespace cimc

#endif // CIMC_SUPPORT_TENSORIO_H
