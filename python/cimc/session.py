# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running programs with the interface of ONNX Runtime."""

import os

import numpy

from cimc import errors
from cimc.program import Program, compile

_ONNX_TYPES = {"float32": "float", "float64": "double", "float16": "float16"}


class NodeArg:
    """An input or output: `name`, `shape`, `type` ("tensor(float)") and NumPy `dtype`."""

    def __init__(self, io):
        self.name = io["name"]
        self.shape = list(io["shape"])
        self.dtype = numpy.dtype(io["type"])
        self.type = "tensor(%s)" % _ONNX_TYPES.get(io["type"], io["type"])

    def __repr__(self):
        return "NodeArg(name=%r, type=%r, shape=%r)" % (self.name, self.type, self.shape)


class InferenceSession:
    """Runs a program on the chip model. Takes a Program or the path of a .cimx file; any
    other path is compiled first, with `options` as for `cimc.compile`."""

    def __init__(self, program, threads=0, **options):
        if not isinstance(program, Program):
            path = os.fspath(program)
            program = Program.load(path) if path.endswith(".cimx") else compile(path, **options)
        self._program = program
        self._threads = threads
        self._inputs = [NodeArg(io) for io in program.inputs]
        self._outputs = [NodeArg(io) for io in program.outputs]

    def get_inputs(self):
        return list(self._inputs)

    def get_outputs(self):
        return list(self._outputs)

    def run(self, output_names, input_feed):
        """The outputs named, or all for None, as a list of arrays.

        Arrays with one axis more than the inputs are a batch: the samples run one by one and
        the outputs get the same leading axis. So are arrays of N samples for an input whose
        first size is 1; outputs whose first size is 1 then have N there. Element types are
        converted where every value survives.
        """
        by_name = {node.name: index for index, node in enumerate(self._outputs)}
        wanted = list(by_name) if output_names is None else list(output_names)
        for name in wanted:
            if name not in by_name:
                raise errors.UsageError("there is no output '%s'; the outputs are %s" %
                                        (name, ", ".join(by_name)))
        names = [node.name for node in self._inputs]
        for name in input_feed:
            if name not in names:
                raise errors.UsageError("there is no input '%s'; the inputs are %s" %
                                        (name, ", ".join(names)))
        arrays, samples, new_axis = [], None, False
        for node in self._inputs:
            if node.name not in input_feed:
                raise errors.UsageError("input '%s' is not given" % node.name)
            array = _fit(node, numpy.asarray(input_feed[node.name]))
            if list(array.shape) != node.shape:
                if samples not in (None, array.shape[0]):
                    raise errors.InvalidInputError("the inputs are batches of %d and %d samples" %
                                                   (samples, array.shape[0]))
                samples = array.shape[0]
                new_axis |= array.ndim != len(node.shape)
            arrays.append(array)
        if samples is not None:
            arrays = [numpy.broadcast_to(array, [samples] + node.shape)
                      if list(array.shape) == node.shape else
                      array.reshape([samples] + node.shape)
                      for node, array in zip(self._inputs, arrays)]
        arrays = [numpy.ascontiguousarray(array) for array in arrays]
        results = self._program._run(arrays, samples, self._threads)
        if samples is not None and not new_axis:
            results = [result.reshape([samples] + node.shape[1:]) if node.shape[:1] == [1] else
                       result for node, result in zip(self._outputs, results)]
        return [results[by_name[name]] for name in wanted]


def _fit(node, array):
    """The array with the element type and shape of an input, or an error."""
    shape = list(array.shape)
    if (shape != node.shape and shape[1:] != node.shape and
            not (node.shape[:1] == [1] and shape[1:] == node.shape[1:] and shape)):
        raise errors.InvalidInputError("input '%s' has shape %s, not %s or a batch of it" %
                                       (node.name, shape, node.shape))
    if array.dtype == node.dtype:
        return array
    if array.dtype.kind not in "biuf":
        raise errors.InvalidInputError("input '%s' has type %s, not %s" %
                                       (node.name, array.dtype, node.dtype))
    with numpy.errstate(all="ignore"):
        converted = array.astype(node.dtype)
        same = converted.astype(array.dtype) == array
        rounded = array.dtype.kind == "f" and node.dtype.kind == "f"
    if not rounded and not numpy.all(same):
        raise errors.InvalidInputError("input '%s' holds values that %s does not have" %
                                       (node.name, node.dtype))
    return converted
