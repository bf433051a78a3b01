//===- File.cpp - whole files -*- C++ -*-===//
//
// Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
// See the file LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cimc/Support/File.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cimc {

Result<std::string> readFile(const std::string &path) {
  auto fail = [&](const char *what) {
    return Error{ExitCode::InvalidInput,
                 fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
  };
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail("cannot open");
  struct stat info;
  if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    ::close(fd);
    errno = EISDIR;
    return fail("cannot read");
  }
  std::string bytes;
  if (S_ISREG(info.st_mode))
    bytes.reserve(static_cast<size_t>(info.st_size) + 1);
  // Also right for pipes and for files that grow.
  while (true) {
    size_t have = bytes.size();
    size_t want = have < bytes.capacity() ? bytes.capacity() - have : 1 << 16;
    bytes.resize(have + want);
    ssize_t got = ::read(fd, bytes.data() + have, want);
    if (got < 0 && errno == EINTR)
      got = 0;
    else if (got <= 0) {
      bytes.resize(have);
      if (got < 0) {
        Error error = fail("cannot read");
        ::close(fd);
        return error;
      }
      break;
    }
    bytes.resize(have + static_cast<size_t>(got));
  }
  ::close(fd);
  return bytes;
}

Status writeFileAtomically(const std::string &path, std::string_view contents) {
  return writeFileAtomically(path, [&](const FileSink &write) -> Status {
    write(contents);
    return {};
  });
}

Status
writeFileAtomically(const std::string &path,
                    const std::function<Status(const FileSink &)> &make) {
  auto fail = [&](const char *what) {
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return Error{full ? ExitCode::ResourceLimit : ExitCode::Usage,
                 fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
  };
  // Devices and pipes cannot be replaced, only written.
  struct stat info;
  bool direct = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
  std::string target = direct ? path : path + ".XXXXXX";
  int fd = direct ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC)
                  : ::mkostemp(target.data(), O_CLOEXEC);
  if (fd < 0)
    return fail("cannot create");
  auto abandon = [&](const char *what) {
    Error error = fail(what);
    ::close(fd);
    if (!direct)
      ::unlink(target.c_str());
    return error;
  };
  int problem = 0;
  Status made = make([&](std::string_view piece) {
    while (!piece.empty() && !problem) {
      ssize_t wrote = ::write(fd, piece.data(), piece.size());
      if (wrote > 0)
        piece.remove_prefix(static_cast<size_t>(wrote));
      else if (wrote == 0 || errno != EINTR)
        problem = wrote == 0 ? EIO : errno;
    }
  });
  if (!made) {
    ::close(fd);
    if (!direct)
      ::unlink(target.c_str());
    return made;
  }
  if (problem) {
    errno = problem;
    return abandon("cannot write");
  }
  if (!direct) {
    // mkostemp makes private files; take the mode a plain creation would give.
    mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd, 0666 & ~mask);
  }
  if (::close(fd) != 0) {
    Error error = fail("cannot write");
    if (!direct)
      ::unlink(target.c_str());
    return error;
  }
  if (!direct && ::rename(target.c_str(), path.c_str()) != 0) {
    Error error = fail("cannot replace");
    ::unlink(target.c_str());
    return error;
  }
  return {};
}

} // namespace cimc
