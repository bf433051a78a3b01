# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled programs."""

import ctypes
import json
import os
import tempfile

import numpy

from cimc._library import check, library, text


def version():
    """The version of the library."""
    return library().cimcVersion().decode()


def chip(name="card"):
    """The complete description of a chip, a preset's name or a file, as a dictionary."""
    return json.loads(text(library().cimcChip(os.fsencode(name))))


def compile(model, chip=None, calibrate=None, mode=None, precision=None, input_shapes=None,
            dims=None, constant_inputs=None, threads=0, seed=0):
    """Compiles a model file and returns a Program.

    model: path of an ONNX (.onnx, .onnxtxt) or MLIR (.mlir, .mlirbc) file.
    chip: a preset's name or the path of a chip file.
    calibrate: samples for a float model: a path (directory, .npz, .npy), an array with a
        leading sample axis for a model with one input, or a dictionary of such arrays.
    input_shapes, dims: {"name": (1, 3, 224, 224)}, {"N": 1}.
    constant_inputs: {"name": array}: inputs that become constants of the program.

    Raises a subclass of cimc.Error.
    """
    options = {"chip": None if chip is None else os.fspath(chip), "mode": mode,
               "precision": precision, "threads": threads, "seed": seed,
               "input_shapes": {name: [int(size) for size in shape]
                                for name, shape in (input_shapes or {}).items()},
               "dims": {name: int(size) for name, size in (dims or {}).items()}}
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(calibrate, dict):
            options["calibrate"] = os.path.join(folder, "calibrate.npz")
            numpy.savez(options["calibrate"], **calibrate)
        elif isinstance(calibrate, numpy.ndarray):
            options["calibrate"] = os.path.join(folder, "calibrate.npy")
            numpy.save(options["calibrate"], calibrate)
        elif calibrate is not None:
            options["calibrate"] = os.fspath(calibrate)
        options["constant_inputs"] = {}
        for number, (name, value) in enumerate((constant_inputs or {}).items()):
            path = options["constant_inputs"][name] = os.path.join(folder, f"{number}.npy")
            numpy.save(path, numpy.asarray(value))
        handle = ctypes.c_void_p()
        check(library().cimcCompile(os.fsencode(model), json.dumps(options).encode(),
                                    ctypes.byref(handle)))
    return Program(handle)


class Program:
    """A compiled program. Made by `cimc.compile` and `Program.load`."""

    def __init__(self, handle):
        self._handle = handle
        self._description = json.loads(library().cimcDescribe(handle).decode())

    def __del__(self):
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            library().cimcDestroy(handle)

    @staticmethod
    def load(path):
        """Reads a .cimx file; it is verified before it is accepted."""
        handle = ctypes.c_void_p()
        check(library().cimcLoad(os.fsencode(path), ctypes.byref(handle)))
        return Program(handle)

    def save(self, path):
        """Writes a .cimx file, all or nothing."""
        check(library().cimcSave(self._handle, os.fsencode(path)))

    @property
    def model(self):
        """The name of the model it was compiled from."""
        return self._description["model"]

    @property
    def chip(self):
        """The name of the chip it was compiled for."""
        return self._description["chip"]

    @property
    def inputs(self):
        """[{"name", "type", "shape"}]."""
        return self._description["inputs"]

    @property
    def outputs(self):
        """[{"name", "type", "shape"}]."""
        return self._description["outputs"]

    def cost(self):
        """What one sample costs: the keys of `cimc compile --json`."""
        return json.loads(text(library().cimcCost(self._handle)))

    def disassemble(self):
        """The assembly text."""
        return text(library().cimcDisassemble(self._handle))

    def _run(self, arrays, samples, threads):
        """Runs dense arrays in the order of the inputs; `samples` None: no batch axis."""
        lead = () if samples is None else (samples,)
        results = [numpy.empty(lead + tuple(io["shape"]), numpy.dtype(io["type"]))
                   for io in self.outputs]

        def table(items):
            pointers = (ctypes.c_void_p * max(len(items), 1))(*[a.ctypes.data for a in items])
            sizes = (ctypes.c_size_t * max(len(items), 1))(*[a.nbytes for a in items])
            return pointers, sizes, len(items)

        check(library().cimcRunBatch(self._handle, 1 if samples is None else samples, threads,
                                     *table(arrays), *table(results)))
        return results
