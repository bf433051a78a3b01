//===- WeightRounding.cpp - integers for the weights of one sum -----------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightRounding.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cimc::quantization {

namespace {

// Replaces a symmetric positive definite matrix by its lower Cholesky factor,
// column by column: what a column takes off the others is a row operation,
// which vector units are good at.
bool cholesky(std::vector<double> &a, int64_t n) {
  std::vector<double> column(n);
  for (int64_t j = 0; j < n; ++j) {
    double pivot = a[j * n + j];
    if (!(pivot > 0))
      return false;
    pivot = std::sqrt(pivot);
    a[j * n + j] = pivot;
    std::fill(&a[j * n] + j + 1, &a[j * n] + n, 0.0);
    for (int64_t i = j + 1; i < n; ++i)
      column[i] = a[i * n + j] /= pivot;
    for (int64_t i = j + 1; i < n; ++i) {
      double *row = &a[i * n];
      double l = column[i];
      for (int64_t p = j + 1; p <= i; ++p)
        row[p] -= l * column[p];
    }
  }
  return true;
}

// The upper factor U with U^T U = A^-1, from the lower factor of A with its
// rows and columns reversed: with J the reversal and J A J = L L^T,
// A^-1 = (J L^-T)(L^-1 J), whose reversal J L^-T J is upper triangular.
std::vector<double> inverseFactor(const std::vector<double> &a, int64_t n) {
  std::vector<double> lower(n * n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      lower[i * n + j] = a[(n - 1 - i) * n + (n - 1 - j)];
  if (!cholesky(lower, n))
    return {};
  // inverse = L^-1, row by row.
  std::vector<double> inverse(n * n, 0.0);
  for (int64_t i = 0; i < n; ++i) {
    double *row = &inverse[i * n];
    for (int64_t p = 0; p < i; ++p) {
      double l = lower[i * n + p];
      if (l == 0)
        continue;
      const double *other = &inverse[p * n];
      for (int64_t j = 0; j <= p; ++j)
        row[j] -= l * other[j];
    }
    row[i] = 1;
    for (int64_t j = 0; j <= i; ++j)
      row[j] /= lower[i * n + i];
  }
  // A^-1 = M^T M with M = L^-1 J, and U = J L^-1 J has the same product.
  std::vector<double> upper(n * n, 0.0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i; j < n; ++j)
      upper[i * n + j] = inverse[(n - 1 - i) * n + (n - 1 - j)];
  return upper;
}

int32_t nearest(double value, int32_t limit) {
  return static_cast<int32_t>(
      std::clamp(std::nearbyint(value), double(-limit), double(limit)));
}

} // namespace

RoundingProblem::RoundingProblem(std::vector<double> given, int64_t k)
    : k(k), moment(std::move(given)), order(k) {
  double mean = 0;
  for (int64_t i = 0; i < k; ++i)
    mean += moment[i * k + i];
  mean /= static_cast<double>(std::max<int64_t>(k, 1));
  damping = mean > 0 ? 0.1 * mean : 1.0;
  for (int64_t i = 0; i < k; ++i)
    moment[i * k + i] += damping;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return moment[a * k + a] > moment[b * k + b];
  });
  std::vector<double> permuted(k * k);
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j)
      permuted[i * k + j] = moment[order[i] * k + order[j]];
  factor = inverseFactor(permuted, k);
}

double RoundingProblem::error(const float *weights, float scale,
                              const int32_t *integers) const {
  std::vector<double> e(k);
  for (int64_t i = 0; i < k; ++i)
    e[i] = static_cast<double>(weights[i]) -
           static_cast<double>(scale) * integers[i];
  double sum = 0;
  for (int64_t i = 0; i < k; ++i) {
    double row = 0;
    for (int64_t j = 0; j < k; ++j)
      row += moment[i * k + j] * e[j];
    sum += row * e[i];
  }
  return sum;
}

double RoundingProblem::round(const float *weights, float scale, int32_t limit,
                              int32_t *integers) const {
  const double s = scale;
  std::vector<double> open(k);
  for (int64_t i = 0; i < k; ++i)
    open[i] = weights[order[i]];
  for (int64_t i = 0; i < k; ++i) {
    int32_t q = nearest(open[i] / s, limit);
    integers[order[i]] = q;
    if (factor.empty())
      continue;
    const double *row = &factor[i * k];
    double shift = (open[i] - s * q) / row[i];
    for (int64_t j = i + 1; j < k; ++j)
      open[j] -= shift * row[j];
  }
  // Coordinate descent: gradient = moment * e.
  std::vector<double> e(k), gradient(k, 0.0);
  for (int64_t i = 0; i < k; ++i)
    e[i] = static_cast<double>(weights[i]) - s * integers[i];
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j)
      gradient[j] += e[i] * moment[i * k + j];
  const int sweeps = 20;
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    bool changed = false;
    for (int64_t i : order) {
      // The form changes by delta^2 s^2 m_ii - 2 delta s g_i.
      double best = gradient[i] / (s * moment[i * k + i]);
      int32_t to = nearest(integers[i] + best, limit);
      double delta = to - integers[i];
      if (delta == 0 ||
          delta * s * (delta * s * moment[i * k + i] - 2 * gradient[i]) >= 0)
        continue;
      integers[i] = to;
      e[i] -= delta * s;
      for (int64_t j = 0; j < k; ++j)
        gradient[j] -= delta * s * moment[i * k + j];
      changed = true;
    }
    if (!changed)
      break;
  }
  double sum = 0;
  for (int64_t i = 0; i < k; ++i)
    sum += e[i] * gradient[i];
  return sum;
}

std::vector<float>
RoundingProblem::retarget(const float *weights,
                          const std::vector<double> &cross) const {
  std::vector<float> result(weights, weights + k);
  if (factor.empty())
    return result;
  std::vector<double> right(k), half(k, 0.0), solved(k, 0.0);
  for (int64_t j = 0; j < k; ++j)
    right[j] = damping * weights[j];
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j)
      right[j] += weights[i] * cross[i * k + j];
  // moment^-1 = P^T U^T U P.
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = i; j < k; ++j)
      half[i] += factor[i * k + j] * right[order[j]];
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = i; j < k; ++j)
      solved[j] += factor[i * k + j] * half[i];
  for (int64_t j = 0; j < k; ++j)
    result[order[j]] = static_cast<float>(solved[j]);
  return result;
}

float RoundingProblem::chooseScale(const float *weights, float full,
                                   float least, int32_t limit,
                                   int32_t *integers) const {
  // A scale matters where there are few integers to choose from; few weights
  // are cheap to round.
  int steps = limit >= 64 ? 0 : k <= 64 ? 40 : 8;
  float best = full;
  double smallest = round(weights, full, limit, integers);
  std::vector<int32_t> other(k);
  for (int step = 1; step <= steps; ++step) {
    float scale =
        full * (1.0f - 0.5f * static_cast<float>(step) / float(steps));
    if (scale < least)
      break;
    double error = round(weights, scale, limit, other.data());
    if (error >= smallest)
      continue;
    smallest = error;
    best = scale;
    std::copy(other.begin(), other.end(), integers);
  }
  return best;
}

} // namespace cimc::quantization
