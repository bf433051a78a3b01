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

#include <string>

namespace cimc {

/// The type in which elements of a model's tensor travel on channels: i64 as
/// i32, bool as u8, f64 and f16 as f32, others as they are.
DType machineType(DType type);

/// A tensor of the model in its machine type. `name` says in messages what it
/// is; integers that int32 does not hold are an InvalidInput error.
Result<HostTensor> toMachine(const HostTensor &tensor, const std::string &name);

/// Back to the model's `type`, exact but for f16, which rounds half to even.
HostTensor fromMachine(const HostTensor &tensor, DType type);

} // namespace cimc

#endif // CIMC_SUPPORT_MACHINETYPES_H
