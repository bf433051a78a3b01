//===- WeightRounding.h - integers for the weights of one sum ---*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_LIB_QUANTIZE_WEIGHTROUNDING_H
#define CIMC_LIB_QUANTIZE_WEIGHTROUNDING_H

#include <cstdint>
#include <vector>

namespace cimc::quantization {

/// Chooses integers q for the weights w of sums `y = w x` such that the
/// expected square of `(w - s q) x` is small: a quadratic form in the rounding
/// errors whose matrix is the second moment E[x x^T] of the inputs.
///
/// Weights are rounded one after the other, largest input energy first, and
/// each error is spread over the weights still open (Frantar and Alistarh,
/// "Optimal Brain Compression", NeurIPS 2022, and "GPTQ", ICLR 2023); then
/// single integers change by one step as long as that lowers the form, the
/// layer objective of Nagel et al., "Up or Down?", ICML 2020.
class RoundingProblem {
public:
  /// `moment` is the symmetric k x k matrix, row-major. A tenth of its mean
  /// diagonal is added to the diagonal, so that inputs which the samples do not
  /// show are rounded to nearest.
  RoundingProblem(std::vector<double> moment, int64_t k);

  /// The integers in [-limit, limit] for the k weights of one output. Returns
  /// the value of the quadratic form.
  double round(const float *weights, float scale, int32_t limit,
               int32_t *integers) const;

  /// The real weights v that bring `v x` nearest to other sums `w r`, for
  /// `cross` = E[r x^T], k x k: the weights to round where what the sums were
  /// before, `w r`, matters more than `w x`. Damped like the form.
  std::vector<float> retarget(const float *weights,
                              const std::vector<double> &cross) const;

  /// The form's value for integers given.
  double error(const float *weights, float scale,
               const int32_t *integers) const;

  /// The scale from `full` down to half of it, but not below `least`, whose
  /// integers by `round` have the least error, and these integers: among 41 for
  /// up to 64 weights, 9 for more, and `full` alone from 7 bits on.
  float chooseScale(const float *weights, float full, float least,
                    int32_t limit, int32_t *integers) const;

private:
  int64_t k;
  double damping = 0;
  std::vector<double> moment;
  /// Positions in the order of rounding.
  std::vector<int64_t> order;
  /// Upper Cholesky factor of the inverse, in that order, row-major.
  std::vector<double> factor;
};

} // namespace cimc::quantization

#endif // CIMC_LIB_QUANTIZE_WEIGHTROUNDING_H
