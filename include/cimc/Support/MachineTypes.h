//===- MachineTypes.h - what the host converts at the interface -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_SUPPORT_MACHINETYPES_H
#define CIMC_SUPPORT_MACHINETYPES_H

#include "cimc/Support/HostTensor.h"
#include "cimc/Support/Status.h"

#include <optional>
#include <string>

namespace cimc {

/// The type in which elements of a model's tensor travel on channels: int64,
/// uint64 and uint32 as int32, bool and smaller integers as 8 bits, all floats
/// as float32.
DType machineType(DType type);

/// The name of a model's type in bindings of programs: "f32", "i64", "bool";
/// and back.
const char *bindingName(DType type);
std::optional<DType> parseBinding(const std::string &name);

/// A tensor of the model in its machine type. `name` says in messages what it
/// is; integers that int32 does not hold are an InvalidInput error.
Result<HostTensor> toMachine(const HostTensor &tensor, const std::string &name);

/// Back to the model's `type`: exact but for smaller floats, which round half
/// to even and do not saturate. Unsigned integers wrap.
HostTensor fromMachine(const HostTensor &tensor, DType type);

} // namespace cimc

#endif // CIMC_SUPPORT_MACHINETYPES_H
