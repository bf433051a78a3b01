//===- NN.td - the nn dialect: what is computed ------------*- tablegen -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DIALECTS_NN_TD
#define CIMC_DIALECTS_NN_TD

// One file for each family of operations; lib/Reference/NN*.cpp and
// NN*Shapes.cpp are split the same way.
include "NNAttention.td"
include "NNConversion.td"
include "NNElementwise.td"
include "NNIndexing.td"
include "NNMovement.td"
include "NNNormalization.td"
include "NNPooling.td"
include "NNRecurrent.td"
include "NNResampling.td"
include "NNReduction.td"
include "NNWeighted.td"

#endif // CIMC_DIALECTS_NN_TD
