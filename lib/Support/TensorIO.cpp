//===- TensorIO.cpp - tensors in .npy and .npz files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/TensorIO.h"

#include "cimc/Support/File.h"
#include "cimc/Support/SmallFloat.h"

#include <fmt/format.h>
#include <zip.h>

#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

namespace cimc {

namespace {

struct TypeName {
  DType type;
  const char *descr;
};
constexpr TypeName typeNames[] = {
    {DType::F32, "<f4"},  {DType::F64, "<f8"}, {DType::F16, "<f2"},
    {DType::I8, "|i1"},   {DType::U8, "|u1"},  {DType::I16, "<i2"},
    {DType::U16, "<u2"},  {DType::I32, "<i4"}, {DType::I64, "<i8"},
    {DType::Bool, "|b1"}, {DType::U32, "<u4"}, {DType::U64, "<u8"}};

Error invalid(const std::string &origin, const std::string &what) {
  return {ExitCode::InvalidInput, origin + ": " + what};
}

/// Reads the header of an .npy file: the Python dictionary
/// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;

  /// What is wrong, or nothing.
  std::optional<std::string> parse() {
    bool haveDescr = false, haveOrder = false, haveShape = false;
    if (!take('{'))
      return "the header is not a dictionary";
    while (!take('}')) {
      std::string key;
      if (!string(key) || !take(':'))
        return "the header is not a dictionary of strings";
      if (key == "descr" && !haveDescr) {
        if (!string(descr))
          return "structured element types are not supported";
        haveDescr = true;
      } else if (key == "fortran_order" && !haveOrder) {
        if (word("True"))
          fortranOrder = true;
        else if (!word("False"))
          return "'fortran_order' is neither True nor False";
        haveOrder = true;
      } else if (key == "shape" && !haveShape) {
        if (!tuple())
          return "'shape' is not a tuple of non-negative integers below 2^63";
        haveShape = true;
      } else {
        return fmt::format("unexpected or repeated header key '{}'", key);
      }
      if (!take(',') && !peek('}'))
        return "the header is not a dictionary";
    }
    if (!haveDescr || !haveOrder || !haveShape)
      return "the header lacks one of 'descr', 'fortran_order', 'shape'";
    skip();
    if (position != text.size())
      return "there is text after the header's dictionary";
    return std::nullopt;
  }

private:
  void skip() {
    while (position < text.size() &&
           std::isspace(static_cast<unsigned char>(text[position])))
      ++position;
  }
  bool peek(char c) {
    skip();
    return position < text.size() && text[position] == c;
  }
  bool take(char c) {
    if (!peek(c))
      return false;
    ++position;
    return true;
  }
  bool word(std::string_view w) {
    skip();
    if (text.substr(position, w.size()) != w)
      return false;
    position += w.size();
    return true;
  }
  bool string(std::string &out) {
    skip();
    if (position >= text.size() ||
        (text[position] != '\'' && text[position] != '"'))
      return false;
    size_t end = text.find(text[position], position + 1);
    if (end == std::string_view::npos)
      return false;
    out = text.substr(position + 1, end - position - 1);
    position = end + 1;
    return true;
  }
  bool integer(int64_t &out) {
    skip();
    size_t start = position;
    uint64_t value = 0;
    while (position < text.size() &&
           std::isdigit(static_cast<unsigned char>(text[position]))) {
      uint64_t digit = static_cast<uint64_t>(text[position] - '0');
      if (value > (uint64_t(std::numeric_limits<int64_t>::max()) - digit) / 10)
        return false;
      value = value * 10 + digit;
      ++position;
    }
    out = static_cast<int64_t>(value);
    return position > start;
  }
  bool tuple() {
    if (!take('('))
      return false;
    while (!take(')')) {
      int64_t extent;
      if (!integer(extent))
        return false;
      shape.push_back(extent);
      if (!take(',') && !peek(')'))
        return false;
    }
    return true;
  }

  std::string_view text;
  size_t position = 0;
};

/// Reorders column-major elements to row-major ones.
HostTensor fromFortranOrder(const HostTensor &in) {
  HostTensor out(in.type, in.shape);
  size_t width = byteSize(in.type);
  std::vector<int64_t> index(in.shape.size(), 0);
  int64_t n = in.size();
  for (int64_t i = 0; i < n; ++i) {
    int64_t source = 0, stride = 1;
    for (size_t axis = 0; axis < index.size(); ++axis) {
      source += index[axis] * stride;
      stride *= in.shape[axis];
    }
    std::memcpy(out.data.data() + i * width, in.data.data() + source * width,
                width);
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < in.shape[axis])
        break;
      index[axis] = 0;
    }
  }
  return out;
}

} // namespace

Result<HostTensor> parseNpy(std::string_view bytes, const std::string &origin) {
  static constexpr char magic[] = "\x93NUMPY";
  if (bytes.size() < 10)
    return invalid(origin,
                   fmt::format("not an .npy file: {} bytes are fewer than its "
                               "shortest header",
                               bytes.size()));
  if (bytes.substr(0, 6) != std::string_view(magic, 6))
    return invalid(origin, "not an .npy file: it does not begin with the bytes "
                           "\\x93NUMPY");
  auto byte = [&](size_t i) {
    return static_cast<size_t>(static_cast<uint8_t>(bytes[i]));
  };
  size_t major = byte(6);
  if (major < 1 || major > 3)
    return invalid(origin, fmt::format(".npy version {}.{} is not known; "
                                       "versions 1 to 3 are",
                                       major, byte(7)));
  size_t start = major == 1 ? 10 : 12;
  if (bytes.size() < start)
    return invalid(origin, "the .npy header is cut off");
  size_t length = byte(8) | byte(9) << 8;
  if (major > 1)
    length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - start)
    return invalid(origin,
                   fmt::format("the .npy header should have {} bytes, but only "
                               "{} follow",
                               length, bytes.size() - start));
  HeaderParser header(bytes.substr(start, length));
  if (std::optional<std::string> wrong = header.parse())
    return invalid(origin, "malformed .npy header: " + *wrong);

  std::optional<DType> type;
  for (const TypeName &entry : typeNames) {
    // '<', '|' and '=' mean the same for one byte; '=' is this machine's order.
    std::string_view descr = header.descr;
    if (descr.size() == 3 && descr.substr(1) == entry.descr + 1 &&
        (descr[0] == '<' || descr[0] == '=' ||
         (byteSize(entry.type) == 1 && (descr[0] == '|' || descr[0] == '>'))))
      type = entry.type;
  }
  if (!type)
    return invalid(
        origin,
        fmt::format("element type '{}' is not supported; save the array as "
                    "little-endian float32, float64, float16, bool, int8, "
                    "uint8, int16, uint16, int32 or int64",
                    header.descr));
  // Empty arrays do not excuse the other extents from the limit.
  uint64_t elements = 1;
  const uint64_t limit =
      uint64_t(std::numeric_limits<int64_t>::max()) / byteSize(*type);
  for (int64_t extent : header.shape) {
    uint64_t factor = extent ? static_cast<uint64_t>(extent) : 1;
    if (elements > limit / factor)
      return invalid(origin, fmt::format("shape {} has more bytes than 2^63",
                                         shapeString(header.shape)));
    elements *= factor;
  }
  for (int64_t extent : header.shape)
    if (extent == 0)
      elements = 0;
  uint64_t need = elements * byteSize(*type);
  uint64_t have = bytes.size() - start - length;
  if (need != have)
    return invalid(origin, fmt::format("shape {} of {} needs {} bytes, but {} "
                                       "follow the header",
                                       shapeString(header.shape), name(*type),
                                       need, have));
  HostTensor tensor(*type, header.shape);
  if (need)
    std::memcpy(tensor.data.data(), bytes.data() + start + length, need);
  if (*type == DType::Bool)
    for (std::byte &b : tensor.data)
      b = b == std::byte{0} ? std::byte{0} : std::byte{1};
  if (header.fortranOrder && tensor.shape.size() > 1)
    return fromFortranOrder(tensor);
  return tensor;
}

Result<HostTensor> readNpy(const std::string &path) {
  Result<std::string> bytes = readFile(path);
  if (!bytes)
    return bytes.takeError();
  return parseNpy(*bytes, path);
}

/// What stands for the types that numpy has no name for.
static DType npyType(DType type) {
  switch (type) {
  case DType::I4:
  case DType::I2:
    return DType::I8;
  case DType::U4:
  case DType::U2:
    return DType::U8;
  default:
    return isSmallFloat(type) && type != DType::F16 ? DType::F32 : type;
  }
}

std::string formatNpy(const HostTensor &tensor) {
  if (npyType(tensor.type) != tensor.type)
    if (Result<HostTensor> wide = convertTo(tensor, npyType(tensor.type)))
      return formatNpy(*wide);
  std::string shape;
  for (int64_t extent : tensor.shape)
    shape += std::to_string(extent) + (tensor.shape.size() == 1 ? "," : ", ");
  if (tensor.shape.size() > 1)
    shape.resize(shape.size() - 2);
  const char *descr = "";
  for (const TypeName &entry : typeNames)
    if (entry.type == tensor.type)
      descr = entry.descr;
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                  descr, shape);
  // numpy aligns the data to 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char *>(tensor.data.data()),
               tensor.data.size());
  return bytes;
}

Status writeNpy(const std::string &path, const HostTensor &tensor) {
  return writeFileAtomically(path, formatNpy(tensor));
}

Result<std::vector<std::pair<std::string, HostTensor>>>
readNpz(const std::string &path) {
  int code = 0;
  zip_t *archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    return invalid(path, "not a readable .npz archive: " + text);
  }
  struct Closer {
    zip_t *archive;
    ~Closer() { zip_discard(archive); }
  } closer{archive};

  std::vector<std::pair<std::string, HostTensor>> tensors;
  zip_int64_t count = zip_get_num_entries(archive, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t info;
    if (zip_stat_index(archive, i, 0, &info) != 0 ||
        !(info.valid & ZIP_STAT_NAME) || !(info.valid & ZIP_STAT_SIZE))
      return invalid(path, fmt::format("entry {} of the archive has no name or "
                                       "size",
                                       i));
    std::string entry = info.name;
    std::string origin = fmt::format("{}[{}]", path, entry);
    zip_file_t *file = zip_fopen_index(archive, i, 0);
    if (!file)
      return invalid(
          origin, fmt::format("cannot be unpacked: {}", zip_strerror(archive)));
    // Grown as data arrives: a forged size costs nothing.
    std::string bytes;
    std::string wrong;
    while (bytes.size() <= info.size) {
      size_t have = bytes.size();
      size_t want = std::min<uint64_t>(info.size - have + 1, 1 << 20);
      bytes.resize(have + want);
      zip_int64_t got = zip_fread(file, bytes.data() + have, want);
      bytes.resize(have + static_cast<size_t>(std::max<zip_int64_t>(got, 0)));
      if (got < 0)
        wrong = zip_error_strerror(zip_file_get_error(file));
      if (got <= 0)
        break;
    }
    zip_fclose(file);
    if (wrong.empty() && bytes.size() != info.size)
      wrong = fmt::format("it holds {} bytes where its entry says {}",
                          bytes.size(), info.size);
    if (!wrong.empty())
      return invalid(origin, "cannot be unpacked: " + wrong);
    Result<HostTensor> tensor = parseNpy(bytes, origin);
    if (!tensor)
      return tensor.takeError();
    if (entry.size() > 4 && entry.compare(entry.size() - 4, 4, ".npy") == 0)
      entry.resize(entry.size() - 4);
    tensors.emplace_back(std::move(entry), std::move(*tensor));
  }
  return tensors;
}

float halfToFloat(uint16_t half) { return fromSmallFloat(DType::F16, half); }

namespace {

template <typename Fn> void forType(DType type, Fn &&fn) {
  switch (type) {
  case DType::I8:
  case DType::I4:
  case DType::I2:
    return fn(int8_t());
  case DType::I16:
    return fn(int16_t());
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return fn(uint16_t());
  case DType::I32:
    return fn(int32_t());
  case DType::U32:
    return fn(uint32_t());
  case DType::I64:
    return fn(int64_t());
  case DType::U64:
    return fn(uint64_t());
  case DType::F32:
    return fn(float());
  case DType::F64:
    return fn(double());
  default: // one byte, and small floats
    return fn(uint8_t());
  }
}

/// Whether an integer keeps its value in To, and the conversion.
template <typename To> bool convertInteger(int64_t from, To &to) {
  if constexpr (std::is_floating_point_v<To>) {
    constexpr int64_t exact = int64_t(1) << std::numeric_limits<To>::digits;
    to = static_cast<To>(from);
    // Beyond 2^53 (2^24) most integers are not representable; none is needed.
    return from >= -exact && from <= exact;
  } else {
    to = static_cast<To>(from);
    return from >= int64_t(std::numeric_limits<To>::min()) &&
           from <= int64_t(std::numeric_limits<To>::max());
  }
}

} // namespace

Result<HostTensor> convertTo(const HostTensor &tensor, DType type) {
  if (tensor.type == type)
    return tensor;
  if (tensor.type == DType::F32 && npyType(type) == DType::F32) {
    HostTensor out(type, tensor.shape);
    for (int64_t i = 0, n = tensor.size(); i < n; ++i) {
      uint16_t bits = toSmallFloat(type, tensor.as<float>()[i]);
      std::memcpy(out.data.data() + i * byteSize(type), &bits, byteSize(type));
    }
    return out;
  }
  Error refused{ExitCode::InvalidInput,
                fmt::format("{} values of shape {} cannot be taken as {}",
                            name(tensor.type), shapeString(tensor.shape),
                            name(type))};
  if (isSmallFloat(type) || type == DType::Bool ||
      (isFloat(tensor.type) && !isFloat(type)))
    return refused;
  HostTensor out(type, tensor.shape);
  int64_t n = tensor.size(), bad = -1;
  forType(tensor.type, [&](auto fromTag) {
    forType(type, [&](auto toTag) {
      using From = decltype(fromTag);
      using To = decltype(toTag);
      const From *from = tensor.as<From>();
      To *to = out.as<To>();
      for (int64_t i = 0; i < n; ++i) {
        if (isSmallFloat(tensor.type))
          to[i] = static_cast<To>(
              fromSmallFloat(tensor.type, static_cast<uint16_t>(from[i])));
        else if constexpr (std::is_floating_point_v<From>)
          to[i] = static_cast<To>(from[i]);
        else if (!convertInteger(static_cast<int64_t>(from[i]), to[i]) &&
                 bad < 0)
          bad = i;
      }
    });
  });
  if (bad >= 0) {
    forType(tensor.type, [&](auto tag) {
      refused.message += fmt::format(": element {} is {}", bad,
                                     tensor.as<decltype(tag)>()[bad]);
    });
    return refused;
  }
  return out;
}

} // namespace cimc
