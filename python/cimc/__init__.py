# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile ONNX models for compute-in-memory chips and run them on the chip model.

>>> import cimc                                                   # doctest: +SKIP
>>> program = cimc.compile("model.onnx", chip="card", calibrate="samples.npy")
>>> session = cimc.InferenceSession(program)
>>> outputs = session.run(None, {"input": array})
>>> program.cost()["latency_ns"]
"""

from cimc.errors import (AccuracyMissedError, DoesNotFitError, Error, InternalError,
                         InvalidInputError, MismatchError, ResourceLimitError,
                         UnsupportedError, UsageError)
from cimc.program import Program, chip, compile, version
from cimc.session import InferenceSession, NodeArg

__version__ = "0.1.0"
__all__ = ["AccuracyMissedError", "DoesNotFitError", "Error", "InferenceSession",
           "InternalError", "InvalidInputError", "MismatchError", "NodeArg", "Program",
           "ResourceLimitError", "UnsupportedError", "UsageError", "chip", "compile",
           "version"]
