# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exceptions whose `code` is the exit code that the cimc command would end with."""


class Error(Exception):
    """What every failure of the library is raised as."""

    code = 1


class InternalError(Error):
    """A bug in cimc; the message names a reproducer where there is one."""

    code = 1


class UsageError(Error):
    """Arguments that make no sense."""

    code = 2


class InvalidInputError(Error):
    """A file or array that cannot be read or does not fit."""

    code = 3


class UnsupportedError(Error):
    """An operator, shape or precision that cimc does not know yet."""

    code = 4


class DoesNotFitError(Error):
    """The model is too large for the chip."""

    code = 5


class AccuracyMissedError(Error):
    """An accuracy target was missed."""

    code = 6


class ResourceLimitError(Error):
    """Out of memory or disk space."""

    code = 7


class MismatchError(Error):
    """Outputs differ from those expected."""

    code = 8


def from_code(code, message):
    """The exception for an exit code."""
    for kind in Error.__subclasses__():
        if kind.code == code:
            return kind(message)
    return InternalError(message)
