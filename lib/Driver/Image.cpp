//===- Image.cpp - pixels as the input of a network -----------------------===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Driver/Image.h"
#include "cimc/Driver/CommandLine.h"
#include "cimc/Support/TensorIO.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <memory>

// After cstdio, which it needs.
#include <jpeglib.h>
#include <png.h>

using namespace cimc;

namespace {

/// Rows of pixels of interleaved channels.
struct Pixels {
  int64_t width = 0, height = 0, channels = 0;
  std::vector<float> values;
};

/// Decoders allocate what a header says; nobody needs more.
constexpr int64_t maxPixels = int64_t(1) << 26;

Error damaged(const std::string &path, const std::string &why) {
  return {ExitCode::InvalidInput,
          fmt::format("cannot read the image '{}': {}", path, why)};
}

Status checkSize(const std::string &path, int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width > maxPixels / height)
    return damaged(
        path, fmt::format("{} x {} pixels are out of range", width, height));
  return {};
}

Result<Pixels> readPng(const std::string &path, FILE *file, bool gray) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_stdio(&image, file))
    return damaged(path, image.message);
  std::unique_ptr<png_image, decltype(&png_image_free)> owner(&image,
                                                              png_image_free);
  if (Status status = checkSize(path, image.width, image.height); !status)
    return status.takeError();
  // Colors and transparency as they are stored: transparency is dropped below.
  image.format = gray ? PNG_FORMAT_GA : PNG_FORMAT_RGBA;
  int64_t stored = gray ? 2 : 4;
  std::vector<png_byte> bytes(PNG_IMAGE_SIZE(image));
  if (!png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr))
    return damaged(path, image.message);
  Pixels pixels{image.width, image.height, gray ? 1 : 3, {}};
  for (size_t i = 0; i < bytes.size(); ++i)
    if (int64_t(i) % stored < pixels.channels)
      pixels.values.push_back(bytes[i]);
  return pixels;
}

/// libjpeg reports errors by a jump.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

void jumpBack(j_common_ptr common) {
  auto *errors = reinterpret_cast<JpegErrors *>(common->err);
  common->err->format_message(common, errors->message);
  std::longjmp(errors->back, 1);
}

/// Decodes into `pixels`; false after an error, whose text is in `errors`. No
/// object with a destructor lives where the jump crosses.
bool decodeJpeg(FILE *file, bool gray, jpeg_decompress_struct &jpeg,
                JpegErrors &errors, std::vector<uint8_t> &bytes, int64_t &width,
                int64_t &height) {
  if (setjmp(errors.back))
    return false;
  jpeg_create_decompress(&jpeg);
  jpeg_stdio_src(&jpeg, file);
  jpeg_read_header(&jpeg, TRUE);
  width = jpeg.image_width;
  height = jpeg.image_height;
  if (width > maxPixels / std::max<int64_t>(height, 1)) {
    std::snprintf(errors.message, sizeof errors.message, "too many pixels");
    return false;
  }
  jpeg.out_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  size_t row = size_t(jpeg.output_width) * jpeg.output_components;
  bytes.resize(row * jpeg.output_height);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW at = bytes.data() + jpeg.output_scanline * row;
    jpeg_read_scanlines(&jpeg, &at, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

Result<Pixels> readJpeg(const std::string &path, FILE *file, bool gray) {
  jpeg_decompress_struct jpeg = {};
  JpegErrors errors = {};
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jumpBack;
  // Warnings of damaged files are printed by default.
  errors.manager.output_message = [](j_common_ptr) {};
  std::vector<uint8_t> bytes;
  Pixels pixels;
  bool done =
      decodeJpeg(file, gray, jpeg, errors, bytes, pixels.width, pixels.height);
  bool cut = errors.manager.num_warnings > 0;
  jpeg_destroy_decompress(&jpeg);
  if (!done)
    return damaged(path, errors.message);
  if (cut)
    return damaged(path, "the file is damaged or cut");
  pixels.channels = gray ? 1 : 3;
  pixels.values.assign(bytes.begin(), bytes.end());
  return pixels;
}

Result<Pixels> decode(const std::string &path, bool gray) {
  std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path.c_str(), "rb"),
                                              std::fclose);
  if (!file)
    return damaged(path, "it cannot be opened");
  unsigned char head[8] = {};
  size_t size = std::fread(head, 1, sizeof head, file.get());
  std::rewind(file.get());
  if (size == sizeof head && png_sig_cmp(head, 0, sizeof head) == 0)
    return readPng(path, file.get(), gray);
  if (size > 2 && head[0] == 0xff && head[1] == 0xd8)
    return readJpeg(path, file.get(), gray);
  return damaged(path, "it is neither a PNG nor a JPEG file");
}

/// One axis resized: weights of a triangle as wide as two steps.
Pixels resizeAxis(const Pixels &in, bool rows, int64_t size) {
  int64_t from = rows ? in.height : in.width;
  Pixels out = in;
  (rows ? out.height : out.width) = size;
  out.values.assign(out.width * out.height * out.channels, 0.0f);
  double step = double(from) / double(size), reach = std::max(step, 1.0);
  int64_t stride = rows ? in.width * in.channels : in.channels;
  for (int64_t i = 0; i < size; ++i) {
    double center = (double(i) + 0.5) * step;
    auto first = std::max<int64_t>(0, int64_t(center - reach + 0.5));
    auto last = std::min<int64_t>(from, int64_t(center + reach + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int64_t k = first; k < last; ++k) {
      weights.push_back(
          std::max(0.0, 1 - std::fabs((double(k) + 0.5 - center) / reach)));
      sum += weights.back();
    }
    int64_t lines = rows ? 1 : in.height;
    int64_t length = rows ? in.width * in.channels : in.channels;
    for (int64_t line = 0; line < lines; ++line)
      for (int64_t e = 0; e < length; ++e) {
        double value = 0;
        for (int64_t k = first; k < last; ++k)
          value += weights[k - first] *
                   in.values[line * in.width * in.channels + k * stride + e];
        // Pixels stay whole numbers.
        out.values[line * out.width * out.channels + i * stride + e] =
            float(std::floor(value / sum + 0.5));
      }
  }
  return out;
}

Pixels crop(const Pixels &in, int64_t width, int64_t height) {
  Pixels out{width, height, in.channels, {}};
  int64_t left = (in.width - width) / 2, top = (in.height - height) / 2;
  for (int64_t y = 0; y < height; ++y) {
    auto row = in.values.begin() + ((top + y) * in.width + left) * in.channels;
    out.values.insert(out.values.end(), row, row + width * in.channels);
  }
  return out;
}

} // namespace

bool cimc::isImageName(const std::string &name) {
  size_t dot = name.rfind('.');
  if (dot == std::string::npos)
    return false;
  std::string suffix = name.substr(dot);
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return suffix == ".png" || suffix == ".jpg" || suffix == ".jpeg";
}

Result<HostTensor> cimc::readImage(const std::string &path,
                                   const ModelIO &input,
                                   const ImageOptions &options) {
  size_t rank = input.shape.size();
  bool known = rank >= 3;
  for (size_t i = 0; known && i + 3 < rank; ++i)
    known = input.shape[i] == 1;
  auto isChannels = [&](size_t axis) {
    return input.shape[axis] == 1 || input.shape[axis] == 3;
  };
  bool first = known && isChannels(rank - 3);
  if (!known || (!first && !isChannels(rank - 1)))
    return Error{ExitCode::Usage,
                 fmt::format("input '{}' of shape {} takes no images: they "
                             "need 1 or 3 channels, as CxHxW or HxWxC",
                             input.name, shapeString(input.shape))};
  int64_t channels = input.shape[first ? rank - 3 : rank - 1];
  int64_t height = input.shape[first ? rank - 2 : rank - 3];
  int64_t width = input.shape[first ? rank - 1 : rank - 2];
  for (const auto *numbers : {&options.mean, &options.std})
    if (numbers->size() != 1 && int64_t(numbers->size()) != channels)
      return Error{ExitCode::Usage,
                   fmt::format("--pixel-mean and --pixel-std take one number, "
                               "or one for each of the {} channels of input "
                               "'{}', not {}",
                               channels, input.name, numbers->size())};
  Result<Pixels> read = decode(path, channels == 1);
  if (!read)
    return read.takeError();
  Pixels pixels = std::move(*read);
  if (options.resize) {
    if (options.resize < std::max(width, height))
      return Error{ExitCode::Usage,
                   fmt::format("--resize {} is less than the {} x {} pixels of "
                               "input '{}'",
                               options.resize, width, height, input.name)};
    double factor =
        double(options.resize) / double(std::min(pixels.width, pixels.height));
    auto scaled = [&](int64_t size) {
      return std::max(options.resize,
                      int64_t(std::llround(double(size) * factor)));
    };
    int64_t newWidth = scaled(pixels.width), newHeight = scaled(pixels.height);
    if (Status status = checkSize(path, newWidth, newHeight); !status)
      return status.takeError();
    if (newWidth != pixels.width)
      pixels = resizeAxis(pixels, false, newWidth);
    if (newHeight != pixels.height)
      pixels = resizeAxis(pixels, true, newHeight);
    pixels = crop(pixels, width, height);
  }
  if (pixels.width != width || pixels.height != height)
    return Error{ExitCode::InvalidInput,
                 fmt::format("the image '{}' has {} x {} pixels, input '{}' "
                             "takes {} x {}; give --resize N to fit images "
                             "of any size",
                             path, pixels.width, pixels.height, input.name,
                             width, height)};
  HostTensor tensor(DType::F32, input.shape);
  auto at = [](const std::vector<float> &numbers, int64_t c) {
    return numbers[numbers.size() == 1 ? 0 : c];
  };
  for (int64_t p = 0; p < width * height; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      float value =
          pixels.values[p * channels + (options.bgr ? channels - 1 - c : c)];
      value = value / options.divide;
      value = value - at(options.mean, c);
      value = value / at(options.std, c);
      tensor.as<float>()[first ? c * width * height + p : p * channels + c] =
          value;
    }
  if (input.type == DType::F32)
    return tensor;
  Result<HostTensor> converted = convertTo(tensor, input.type);
  if (!converted)
    return Error{ExitCode::InvalidInput,
                 fmt::format("the image '{}' does not fit input '{}' of {}: {}",
                             path, input.name, name(input.type),
                             converted.error().message)};
  return converted;
}
