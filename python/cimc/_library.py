# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds and declares libcimc.so (include/cimc/CAPI/cimc.h)."""

import ctypes
import functools
import os

from cimc import errors

_HERE = os.path.dirname(os.path.abspath(__file__))


def candidates():
    """Where the library is looked for, in order."""
    paths = []
    if os.environ.get("CIMC_LIBRARY"):
        paths.append(os.environ["CIMC_LIBRARY"])
    paths.append(os.path.join(_HERE, "libcimc.so"))
    root = os.path.dirname(os.path.dirname(_HERE))
    for build in ("build", os.path.join("build", "release")):
        paths.append(os.path.join(root, build, "lib", "libcimc.so"))
    return paths


@functools.lru_cache(maxsize=None)
def library():
    """The loaded library; raises UsageError where there is none."""
    found = [path for path in candidates() if os.path.exists(path)]
    if not found:
        raise errors.UsageError(
            "libcimc.so is not found; build the target 'cimc-capi' and set CIMC_LIBRARY to "
            "its path. Looked at: " + ", ".join(candidates()))
    try:
        lib = ctypes.CDLL(found[0])
    except OSError as error:
        raise errors.UsageError("%s cannot be loaded: %s" % (found[0], error)) from None
    handle, text = ctypes.c_void_p, ctypes.c_char_p
    buffers, sizes = ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t)
    out = ctypes.POINTER(handle)
    run = [buffers, sizes, ctypes.c_size_t, buffers, sizes, ctypes.c_size_t]
    for name, result, arguments in [
            ("cimcLastError", text, []),
            ("cimcLastStatus", ctypes.c_int, []),
            ("cimcVersion", text, []),
            ("cimcCompile", ctypes.c_int, [text, text, out]),
            ("cimcLoad", ctypes.c_int, [text, out]),
            ("cimcSave", ctypes.c_int, [handle, text]),
            ("cimcDestroy", None, [handle]),
            ("cimcDescribe", text, [handle]),
            ("cimcCost", text, [handle]),
            ("cimcDisassemble", text, [handle]),
            ("cimcRun", ctypes.c_int, [handle] + run),
            ("cimcRunBatch", ctypes.c_int,
             [handle, ctypes.c_int64, ctypes.c_uint] + run),
            ("cimcChip", text, [text])]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def check(code):
    """Raises the exception for a failed call."""
    if code != 0:
        message = library().cimcLastError().decode("utf-8", "replace")
        raise errors.from_code(code, message)


def text(value):
    """The text that a function returned, or the exception for its failure."""
    if value is None:
        check(library().cimcLastStatus() or 1)
    return value.decode("utf-8", "replace")
