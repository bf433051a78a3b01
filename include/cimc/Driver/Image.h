//===- Image.h - pixels as the input of a network ---------------*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef CIMC_DRIVER_IMAGE_H
#define CIMC_DRIVER_IMAGE_H

#include "cimc/Driver/Execution.h"
#include "cimc/Support/Status.h"

#include <string>
#include <vector>

namespace cimc {

/// What becomes of the pixels of an image, 0 to 255, before a network reads
/// them: `(pixel / divide - mean) / std`, in fp32, step by step.
struct ImageOptions {
  /// Resizes until the shorter side has so many pixels (bilinear, averaging
  /// where the image shrinks), then cuts the input's size out of the middle; 0:
  /// images have the input's size.
  int64_t resize = 0;
  float divide = 1;
  /// One number, or one for each channel.
  std::vector<float> mean = {0}, std = {1};
  /// Channels are blue, green, red.
  bool bgr = false;
};

/// True for names that end like those of PNG and JPEG files.
bool isImageName(const std::string &name);

/// Reads a PNG or JPEG file for an input of shape [.., C, H, W] or [.., H, W,
/// C] with 1 (gray) or 3 channels, the axes before having length 1, and of any
/// element type that holds the values. Transparency is dropped. Errors are
/// `InvalidInput` and name the file, and `Usage` where the options do not fit
/// the input.
Result<HostTensor> readImage(const std::string &path, const ModelIO &input,
                             const ImageOptions &options);

} // namespace cimc

#endif // CIMC_DRIVER_IMAGE_H
