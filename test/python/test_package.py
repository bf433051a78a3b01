# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the Python package on the digits network."""
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy

import cimc
from cimc._library import library

MODELS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "models")
MODEL = os.path.join(MODELS, "digits.onnx")
CALIBRATION = os.path.join(MODELS, "digits_calibration.npy")
SAMPLES = numpy.load(os.path.join(MODELS, "digits_samples.npy")).reshape(-1, 1, 1, 8, 8)


class PackageTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.program = cimc.compile(MODEL, chip="wearable", calibrate=CALIBRATION)
        cls.session = cimc.InferenceSession(cls.program)
        cls.directory = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def test_names_shapes_and_types(self):
        image, = self.session.get_inputs()
        scores, = self.session.get_outputs()
        self.assertEqual((image.name, image.shape, image.type),
                         ("image", [1, 1, 8, 8], "tensor(float)"))
        self.assertEqual((scores.name, scores.shape, scores.dtype),
                         ("scores", [1, 10], numpy.float32))
        self.assertEqual(self.program.chip, "wearable")

    def test_run_one_and_batch(self):
        one, = self.session.run(None, {"image": SAMPLES[0]})
        self.assertEqual((one.shape, one.dtype), ((1, 10), numpy.float32))
        batch, = self.session.run(["scores"], {"image": SAMPLES})
        self.assertEqual(batch.shape, (len(SAMPLES), 1, 10))
        numpy.testing.assert_array_equal(batch[0], one)
        # Samples in place of a first size of 1.
        flat, = self.session.run(None, {"image": SAMPLES[:, 0]})
        numpy.testing.assert_array_equal(flat, batch[:, 0])

    def test_same_as_the_command_line(self):
        self.program.save(self.path("digits.cimx"))
        subprocess.run(["cimc", "run", self.path("digits.cimx"), "--input",
                        os.path.join(MODELS, "digits_samples.npy"), "--output",
                        self.directory.name], check=True, stdout=subprocess.DEVNULL)
        batch, = self.session.run(None, {"image": SAMPLES})
        numpy.testing.assert_array_equal(batch, numpy.load(self.path("scores.npy")))

    def test_save_and_load(self):
        self.program.save(self.path("again.cimx"))
        loaded = cimc.Program.load(self.path("again.cimx"))
        self.assertEqual(loaded.inputs, self.program.inputs)
        loaded.save(self.path("twice.cimx"))
        with open(self.path("again.cimx"), "rb") as a, open(self.path("twice.cimx"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        mine, = cimc.InferenceSession(self.path("again.cimx")).run(None, {"image": SAMPLES[1]})
        expected, = self.session.run(None, {"image": SAMPLES[1]})
        numpy.testing.assert_array_equal(mine, expected)

    def test_cost(self):
        cost = self.program.cost()
        for key in ("latency_ns", "period_ns", "energy_nj", "peak_power_w", "arrays_used",
                    "arrays_total", "instructions", "compile_s", "peak_rss_mb"):
            self.assertGreater(cost[key], 0, key)

    def test_calibration_from_arrays(self):
        array = numpy.load(CALIBRATION)
        for calibrate in (array, {"image": array}):
            program = cimc.compile(MODEL, chip="wearable", calibrate=calibrate)
            mine, = cimc.InferenceSession(program).run(None, {"image": SAMPLES})
            expected, = self.session.run(None, {"image": SAMPLES})
            numpy.testing.assert_array_equal(mine, expected)

    def test_element_types(self):
        whole = numpy.round(SAMPLES)
        expected, = self.session.run(None, {"image": whole})
        for kind in ("f8", "i8", "i4", "u1"):
            mine, = self.session.run(None, {"image": whole.astype(kind)})
            numpy.testing.assert_array_equal(mine, expected)
        strided = numpy.zeros((2 * len(SAMPLES),) + SAMPLES.shape[1:], "f4")
        strided[::2] = whole
        mine, = self.session.run(None, {"image": strided[::2]})
        numpy.testing.assert_array_equal(mine, expected)

    def test_threads(self):
        expected, = self.session.run(None, {"image": SAMPLES})
        results = [None] * 4

        def work(index):
            results[index], = self.session.run(None, {"image": SAMPLES})

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(results))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            numpy.testing.assert_array_equal(result, expected)

    def test_errors_have_the_exit_codes(self):
        with open(self.path("noise.onnx"), "wb") as file:
            file.write(b"\x08\x07" + bytes(range(256)))
        for code, kind, call in [
                (2, cimc.UsageError, lambda: cimc.compile(MODEL, mode="quick")),
                (2, cimc.UsageError, lambda: self.session.run(["label"], {"image": SAMPLES[0]})),
                (2, cimc.UsageError, lambda: self.session.run(None, {"img": SAMPLES[0]})),
                (2, cimc.UsageError, lambda: self.session.run(None, {})),
                (3, cimc.InvalidInputError, lambda: cimc.compile(self.path("missing.onnx"))),
                (3, cimc.InvalidInputError, lambda: cimc.compile(self.path("noise.onnx"))),
                (3, cimc.InvalidInputError, lambda: cimc.Program.load(MODEL)),
                (3, cimc.InvalidInputError,
                 lambda: self.session.run(None, {"image": numpy.zeros((8, 8), "f4")})),
                (3, cimc.InvalidInputError,
                 lambda: self.session.run(None, {"image": numpy.full((1, 1, 8, 8), 2**24 + 1)})),
                (4, cimc.UnsupportedError,
                 lambda: cimc.compile(MODEL, precision="int16", calibrate=CALIBRATION))]:
            with self.assertRaises(kind) as raised:
                call()
            self.assertEqual(raised.exception.code, code)
            self.assertTrue(str(raised.exception))
            self.assertIsInstance(raised.exception, cimc.Error)

    def test_constant_inputs(self):
        model = os.path.join(os.path.dirname(MODELS), "Import", "constant-input.onnxtxt")
        program = cimc.compile(model, precision="float", constant_inputs={"axes": numpy.int64([1])})
        x = numpy.arange(24, dtype="f4").reshape(2, 3, 4)
        y, = cimc.InferenceSession(program).run(None, {"x": x})
        numpy.testing.assert_array_equal(y, x.sum(2))
        for name, value in (("axis", numpy.int64([1])), ("axes", numpy.int32([1]))):
            with self.assertRaises(cimc.UsageError):
                cimc.compile(model, constant_inputs={name: value})
        for options, message in (({"axes": 1}, "option 'constant_inputs': 'axes' must be a file"),
                                 ({"axes": "missing.npy"}, "missing.npy")):
            text = json.dumps({"constant_inputs": options}).encode()
            handle = ctypes.c_void_p()
            self.assertNotEqual(library().cimcCompile(os.fsencode(model), text, ctypes.byref(handle)), 0)
            self.assertIn(message, library().cimcLastError().decode())

    def test_chip_and_version(self):
        self.assertEqual(cimc.chip("wearable")["name"], "wearable")
        self.assertEqual(cimc.version(), cimc.__version__)
        with self.assertRaises(cimc.UsageError):
            cimc.chip("wearables")

    def test_missing_library_is_said(self):
        code = ("import cimc, sys\ntry:\n  cimc.version()\nexcept cimc.Error as e:\n"
                "  print(e.code, e)")
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                              env=dict(os.environ, CIMC_LIBRARY=__file__))
        self.assertIn("cannot be loaded", done.stdout.decode())

    def test_disassembly(self):
        self.assertIn("mvm", self.program.disassemble())
        json.dumps(self.program.cost())


if __name__ == "__main__":
    unittest.main()
