//===- VectorOps.cpp - general operations of the vector unit ----*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/VectorOps.h"

#include "cimc/Support/IntegerFunctions.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

namespace cimc::numerics {

static constexpr const char *reductionNames[reductionCount] = {
    "sum",     "prod",         "max",          "min", "arg_max",
    "arg_min", "arg_max_last", "arg_min_last", "set"};

const char *mnemonic(Reduction reduction) {
  auto i = static_cast<size_t>(reduction);
  return i < reductionCount ? reductionNames[i] : "unknown";
}

bool parseReduction(const char *mnemonic, Reduction &reduction) {
  for (int i = 0; i < reductionCount; ++i)
    if (std::strcmp(reductionNames[i], mnemonic) == 0) {
      reduction = static_cast<Reduction>(i);
      return true;
    }
  return false;
}

/// Calls fn with a value of a machine type.
template <typename Fn> static void visit(DType type, Fn fn) {
  switch (type) {
  case DType::I8:
    return fn(int8_t{});
  case DType::U8:
  case DType::Bool:
    return fn(uint8_t{});
  case DType::I16:
    return fn(int16_t{});
  case DType::U16:
    return fn(uint16_t{});
  case DType::I32:
    return fn(int32_t{});
  default:
    return fn(float{});
  }
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

/// Functions whose results are truth values.
static bool isTruth(Function function) {
  return function == Function::Equal || function == Function::Less ||
         function == Function::LessOrEqual || function == Function::IsNaN;
}

bool isIterated(Function function) {
  switch (function) {
  case Function::Identity:
  case Function::Relu:
  case Function::Neg:
  case Function::Abs:
  case Function::LeakyRelu:
  case Function::Clip:
  case Function::Add:
  case Function::Sub:
  case Function::Mul:
  case Function::Max:
  case Function::Min:
  case Function::Sign:
  case Function::Ceil:
  case Function::Floor:
  case Function::Round:
  case Function::ThresholdedRelu:
  case Function::Shrink:
  case Function::PRelu:
  case Function::Not:
  case Function::And:
  case Function::Or:
  case Function::Xor:
    return false;
  default:
    return !isTruth(function);
  }
}

bool mapResult(Function function, DType type, DType &result) {
  // Whether there is an integer form does not depend on the type.
  if (type != DType::F32 && !integerFunction<int32_t>(function, 1, 1))
    return false;
  result = isTruth(function) ? DType::U8 : type;
  return true;
}

/// out[i] = fn(a[i * stepA], b[i * stepB]).
template <typename T, typename To, typename Fn>
static void loop(const void *a, int64_t stepA, const void *b, int64_t stepB,
                 void *out, int64_t n, Fn fn) {
  const T *x = static_cast<const T *>(a), *y = static_cast<const T *>(b);
  To *z = static_cast<To *>(out);
  if (stepA == 1 && stepB == 1) {
    for (int64_t i = 0; i < n; ++i)
      z[i] = static_cast<To>(fn(x[i], y[i]));
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    z[i] = static_cast<To>(fn(x[i * stepA], y[i * stepB]));
}

void mapElements(Function function, DType type, const void *x, int64_t stepX,
                 const void *y, int64_t stepY, void *out, int64_t n,
                 float alpha, float beta) {
  bool truth = isTruth(function);
  if (type != DType::F32) {
    visit(type, [&](auto tag) {
      using T = decltype(tag);
      if constexpr (!std::is_same_v<T, float>) {
        auto integer = [&](T a, T b) {
          return integerFunction<T>(function, a, b).value_or(T(0));
        };
        if (truth)
          loop<T, uint8_t>(x, stepX, y, stepY, out, n, integer);
        else
          loop<T, T>(x, stepX, y, stepY, out, n, integer);
      }
    });
    return;
  }
  (void)alpha;
  (void)beta;
  // The switch outside the loop.
  switch (function) {
#define CIMC_FUNCTION(NAME, MNEMONIC, ARITY, EXPRESSION)                       \
  case Function::NAME: {                                                       \
    auto fn = [=](float a, float b) -> float {                                 \
      (void)b;                                                                 \
      return EXPRESSION;                                                       \
    };                                                                         \
    if (truth)                                                                 \
      loop<float, uint8_t>(x, stepX, y, stepY, out, n, fn);                    \
    else                                                                       \
      loop<float, float>(x, stepX, y, stepY, out, n, fn);                      \
    return;                                                                    \
  }
#include "cimc/Support/Functions.def"
  }
}

void selectElements(int64_t bytes, const uint8_t *c, int64_t stepC,
                    const void *a, int64_t stepA, const void *b, int64_t stepB,
                    void *out, int64_t n) {
  const auto *x = static_cast<const uint8_t *>(a);
  const auto *y = static_cast<const uint8_t *>(b);
  auto *to = static_cast<uint8_t *>(out);
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(to + i * bytes,
                c[i * stepC] ? x + i * stepA * bytes : y + i * stepB * bytes,
                static_cast<size_t>(bytes));
}

template <typename To, typename From> static To converted(From x) {
  if constexpr (std::is_same_v<To, float>) {
    return static_cast<float>(x);
  } else if constexpr (std::is_same_v<From, float>) {
    if (std::isnan(x))
      return To(0);
    constexpr double low = std::numeric_limits<To>::min(),
                     high = std::numeric_limits<To>::max();
    return static_cast<To>(std::clamp(static_cast<double>(x), low, high));
  } else {
    return static_cast<To>(x);
  }
}

void convertElements(DType from, const void *in, DType to, void *out,
                     int64_t n) {
  visit(from, [&](auto fromTag) {
    visit(to, [&](auto toTag) {
      using From = decltype(fromTag);
      using To = decltype(toTag);
      const From *x = static_cast<const From *>(in);
      To *y = static_cast<To *>(out);
      for (int64_t i = 0; i < n; ++i)
        y[i] = converted<To>(x[i]);
    });
  });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// a op b. Integers wrap: 16 bits and less are exact in int, 32 in unsigned.
template <typename T> static T combine(Reduction reduction, T a, T b) {
  using U = std::conditional_t<std::is_same_v<T, float>, float, uint32_t>;
  switch (reduction) {
  case Reduction::Sum:
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  case Reduction::Prod:
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  case Reduction::Max:
    return a > b || a != a ? a : b;
  case Reduction::Min:
    return a < b || a != a ? a : b;
  default:
    return b;
  }
}

template <typename T>
static int32_t argument(Reduction reduction, const T *in, int64_t n) {
  bool largest =
      reduction == Reduction::ArgMax || reduction == Reduction::ArgMaxLast;
  bool last =
      reduction == Reduction::ArgMaxLast || reduction == Reduction::ArgMinLast;
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i)
    if ((largest ? in[i] > in[best] : in[i] < in[best]) ||
        (last && in[i] == in[best]))
      best = i;
  return static_cast<int32_t>(best);
}

void reduce(Reduction reduction, DType type, const void *in, int64_t n,
            void *out) {
  visit(type, [&](auto tag) {
    using T = decltype(tag);
    const T *x = static_cast<const T *>(in);
    if (isArgument(reduction)) {
      int32_t position = argument(reduction, x, n);
      std::memcpy(out, &position, sizeof(position));
      return;
    }
    T value = x[0];
    for (int64_t i = 1; i < n; ++i)
      value = combine(reduction, value, x[i]);
    std::memcpy(out, &value, sizeof(T));
  });
}

void addElements(float *acc, const float *in, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    acc[i] += in[i];
}

void scan(Reduction reduction, DType type, const void *in, void *out, int64_t n,
          bool exclusive, bool reverse) {
  visit(type, [&](auto tag) {
    using T = decltype(tag);
    const T *x = static_cast<const T *>(in);
    T *y = static_cast<T *>(out);
    T value = T(reduction == Reduction::Prod ? 1 : 0);
    for (int64_t i = 0; i < n; ++i) {
      int64_t at = reverse ? n - 1 - i : i;
      if (exclusive)
        y[at] = value;
      // The first element enters as it is, also a -0.
      value = i == 0 ? x[at] : combine(reduction, value, x[at]);
      if (!exclusive)
        y[at] = value;
    }
  });
}

void topK(DType type, const void *in, int64_t n, int64_t k, bool smallest,
          bool indices, void *out) {
  visit(type, [&](auto tag) {
    using T = decltype(tag);
    const T *x = static_cast<const T *>(in);
    std::vector<int32_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    auto above = [](T a, T b) { return a > b || (a != a && b == b); };
    std::partial_sort(order.begin(), order.begin() + k, order.end(),
                      [&](int32_t a, int32_t b) {
                        T p = x[a], q = x[b];
                        if (smallest ? above(q, p) : above(p, q))
                          return true;
                        if (smallest ? above(p, q) : above(q, p))
                          return false;
                        return a < b;
                      });
    for (int64_t i = 0; i < k; ++i)
      if (indices)
        static_cast<int32_t *>(out)[i] = order[i];
      else
        static_cast<T *>(out)[i] = x[order[i]];
  });
}

//===----------------------------------------------------------------------===//
// Whole maps
//===----------------------------------------------------------------------===//

void gather(const void *in, int64_t blocks, int64_t bytes, const int32_t *index,
            int64_t n, void *out) {
  const auto *from = static_cast<const uint8_t *>(in);
  auto *to = static_cast<uint8_t *>(out);
  for (int64_t i = 0; i < n; ++i, to += bytes) {
    if (index[i] >= 0 && index[i] < blocks)
      std::memcpy(to, from + index[i] * bytes, static_cast<size_t>(bytes));
    else
      std::memset(to, 0, static_cast<size_t>(bytes));
  }
}

void scatter(Reduction reduction, DType type, void *inout, int64_t blocks,
             int64_t block, const int32_t *index, int64_t n,
             const void *updates) {
  visit(type, [&](auto tag) {
    using T = decltype(tag);
    const T *from = static_cast<const T *>(updates);
    for (int64_t i = 0; i < n; ++i, from += block) {
      if (index[i] < 0 || index[i] >= blocks)
        continue;
      T *to = static_cast<T *>(inout) + index[i] * block;
      for (int64_t j = 0; j < block; ++j)
        to[j] = combine(reduction, to[j], from[j]);
    }
  });
}

void matmulF32(const float *a, const float *b, float *out, int64_t m, int64_t k,
               int64_t n, bool transposeB) {
  std::vector<float> straight;
  if (transposeB) {
    straight.resize(static_cast<size_t>(k * n));
    for (int64_t j = 0; j < n; ++j)
      for (int64_t x = 0; x < k; ++x)
        straight[x * n + j] = b[j * k + x];
    b = straight.data();
  }
  std::fill(out, out + m * n, 0.0f);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t x = 0; x < k; ++x) {
      const float left = a[i * k + x], *right = b + x * n;
      float *sums = out + i * n;
      for (int64_t j = 0; j < n; ++j)
        sums[j] += left * right[j];
    }
}

} // namespace cimc::numerics
