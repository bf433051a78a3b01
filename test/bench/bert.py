#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""BERT with random weights, compiled for both modes and compared with its bounds.

usage: bert.py [--layers N] [--width N] [--heads N] [--inner N] [--tokens N] [--embeddings]
       [--chip NAME [--chiplets N]] [--precision P] [--work DIR] [--cimc PATH] [--json FILE] [--no-run]

The network, BERT-base for 128 tokens if nothing else is said, is written as exporters
write it: MatMul and Add, softmax(q k^T / 8) v with 12 heads, LayerNormalization, GELU
by Erf. Its input is the sum of the embeddings (1 x tokens x width, float), which a host looks
up; with --embeddings it is token numbers and the three tables are part of the network. There
is no mask: all tokens are real.

Weights are seeded noise (layers keep the size of what they pass on); ranges are calibrated with four
random inputs. The network is quantized once. For each mode: period beside the time
that all arrays of the chip would need, and all vector units for what softmax(q k^T) v multiplies
alone, latency, TOPS, TOPS/W, utilization, R by MACs, power; and what decides the period. The outputs of
one random input are compared with those of the nn level, bit by bit; exit code 1 where they differ.
"""

import argparse
import collections
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import scale


class Bert:
    def __init__(self, args, path):
        self.nodes, self.initializers, self.shared = [], [], {}
        self.random = np.random.default_rng(3)
        self.path = path
        self.data = open(path.with_suffix(".bin"), "wb")
        self.args = args

    def weights(self, name, *shape, scale):
        """External data; the same noise for all layers would be cheaper, but then tiles would be shared."""
        values = (self.random.standard_normal(shape, dtype=np.float32) * np.float32(scale)).tobytes()
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", self.path.stem + ".bin"), ("offset", self.data.tell()), ("length", len(values))):
            tensor.external_data.add(key=key, value=str(text))
        self.data.write(values)
        self.initializers.append(tensor)
        return name

    def constant(self, value, dtype=np.float32):
        value = np.asarray(value, dtype)
        key = (str(value.dtype), value.tobytes(), value.shape)
        if key not in self.shared:
            self.shared[key] = f"c{len(self.shared)}"
            self.initializers.append(numpy_helper.from_array(value, self.shared[key]))
        return self.shared[key]

    def node(self, op, name, *inputs, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def linear(self, name, x, rows, columns):
        y = self.node("MatMul", name, x, self.weights(name + "_w", rows, columns, scale=rows ** -0.5))
        return self.node("Add", name + "_bias", self.weights(name + "_b", columns, scale=0.1), y)

    def norm(self, name, x):
        d = self.args.width
        return self.node("LayerNormalization", name, x, self.constant(np.ones(d)), self.constant(np.zeros(d)),
                         axis=-1, epsilon=1e-12)

    def layer(self, p, x):
        a, d = self.args, self.args.width

        def heads(name, perm):
            y = self.linear(p + name, x, d, d)
            y = self.node("Reshape", p + name + "_heads", y,
                          self.constant([1, a.tokens, a.heads, d // a.heads], np.int64))
            return self.node("Transpose", p + name + "_t", y, perm=perm)

        q, v = heads("query", [0, 2, 1, 3]), heads("value", [0, 2, 1, 3])
        scores = self.node("MatMul", p + "scores", q, heads("key", [0, 2, 3, 1]))
        scores = self.node("Div", p + "scaled", scores, self.constant(math.sqrt(d // a.heads)))
        y = self.node("MatMul", p + "mixed", self.node("Softmax", p + "softmax", scores, axis=-1), v)
        y = self.node("Transpose", p + "mixed_t", y, perm=[0, 2, 1, 3])
        y = self.node("Reshape", p + "merged", y, self.constant([1, a.tokens, d], np.int64))
        x = self.norm(p + "norm1", self.node("Add", p + "residual1", self.linear(p + "out", y, d, d), x))
        y = self.linear(p + "up", x, d, a.inner)
        e = self.node("Erf", p + "erf", self.node("Div", p + "erf_in", y, self.constant(math.sqrt(2))))
        e = self.node("Add", p + "erf_1", e, self.constant(1.0))
        y = self.node("Mul", p + "gelu", self.node("Mul", p + "gelu_x", y, e), self.constant(0.5))
        return self.norm(p + "norm2", self.node("Add", p + "residual2", self.linear(p + "down", y, a.inner, d), x))

    def write(self):
        a = self.args
        shape = [1, a.tokens, a.width]
        if a.embeddings:
            inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape[:2])
                      for name in ("input_ids", "token_type_ids")]
            word = self.node("Gather", "words", self.weights("word_table", 30522, a.width, scale=1), "input_ids")
            kind = self.node("Gather", "types", self.weights("type_table", 2, a.width, scale=1), "token_type_ids")
            x = self.node("Add", "word_type", word, kind)
            x = self.node("Add", "embedded", x, self.weights("positions", 1, a.tokens, a.width, scale=1))
        else:
            x = "embedded"
            inputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)]
        x = self.norm("norm0", x)
        for l in range(a.layers):
            x = self.layer(f"l{l}_", x)
        self.data.close()
        graph = helper.make_graph(self.nodes, "bert", inputs, [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)],
                                  self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.path.write_bytes(model.SerializeToString())

    def samples(self, seed, count):
        """Random inputs by name, with a leading axis of samples."""
        random = np.random.default_rng(seed)
        a = self.args
        if a.embeddings:
            return {"input_ids": random.integers(0, 30522, (count, 1, a.tokens)),
                    "token_type_ids": random.integers(0, 2, (count, 1, a.tokens))}
        return {"embedded": random.standard_normal((count, 1, a.tokens, a.width)).astype(np.float32) * np.float32(3 ** 0.5)}


def products(args):
    """(K, N, count) of the products with weights of a layer."""
    return [(args.width, args.width, 4), (args.width, args.inner, 1), (args.inner, args.width, 1)]


def bounds_us(args, chip, bits):
    """(all arrays busy with whole row groups and groups of columns, all vector units with attention's products)."""
    value = lambda group, key: chip[group][key]["value"]
    hierarchy = {key: entry["value"] for key, entry in chip["hierarchy"].items()}
    cores = math.prod(hierarchy[k] for k in ("chiplet_rows", "chiplet_columns", "tile_rows", "tile_columns",
                                             "cores_per_tile"))
    rows, columns = value("macro", "active_rows"), value("macro", "columns") // bits
    groups = sum(math.ceil(k / rows) * math.ceil(n / columns) * c for k, n, c in products(args))
    cycles = args.layers * args.tokens * groups * 8 / (cores * hierarchy["macros_per_core"])
    macs = 2 * args.layers * args.tokens ** 2 * args.width
    mhz = value("core", "clock_mhz")
    return cycles / mhz, macs / (cores * value("core", "vector_fp_lanes") * mhz)


def call(command, allowed=(0,)):
    done = subprocess.run([str(c) for c in command] + ["--json"], capture_output=True, text=True)
    if done.returncode not in allowed:
        sys.exit(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{(done.stderr or done.stdout)[-3000:]}")
    return json.loads(done.stdout)


def same_bits(a, b):
    """Elements, those that differ."""
    files = sorted(p.name for p in a.glob("*.npy"))
    if not files or files != sorted(p.name for p in b.glob("*.npy")):
        sys.exit("no outputs, or others at the other level")
    pairs = [(np.load(a / name).view(np.uint32), np.load(b / name).view(np.uint32)) for name in files]
    return sum(x.size for x, _ in pairs), sum(int(np.count_nonzero(x != y)) for x, y in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 12), ("width", 768), ("heads", 12), ("inner", 3072), ("tokens", 128)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument("--chip", default="card-dense")
    parser.add_argument("--chiplets", type=int, help="a chip of so many of the preset's chiplets, a power of two")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--no-run", action="store_true", help="times only")
    args = parser.parse_args()
    work = args.work or pathlib.Path(tempfile.mkdtemp(prefix="cimc-bert-"))
    work.mkdir(parents=True, exist_ok=True)
    if args.chiplets:
        scale.write_chip(args.cimc, args.chip, args.chiplets, work / "chip.json")
        args.chip = str(work / "chip.json")
    bert = Bert(args, work / "bert.onnx")
    bert.write()
    np.savez(work / "calibration.npz", **bert.samples(4, 4))
    (work / "x").mkdir(exist_ok=True)
    for name, values in bert.samples(5, 1).items():
        np.save(work / "x" / f"{name}.npy", values[0])

    quantized = call([args.cimc, "compile", bert.path, "--calibrate", work / "calibration.npz", "--precision",
                      args.precision, "--to", "qnn", "-o", work / "q.mlirbc", "-j", 2])
    chip = call([args.cimc, "chips", args.chip])
    arrays_us, vector_us = bounds_us(args, chip, 4 if args.precision == "w4a8" else 8)
    print(f"quantized in {quantized['compile_s']:.1f} s; no period on {args.chip} is below {arrays_us:.1f} us (arrays), "
          f"{vector_us:.1f} us (fp32 products of attention on vector units)", flush=True)
    result = {"chip": args.chip, "arrays_bound_us": arrays_us, "attention_bound_us": vector_us,
              "quantize_s": quantized["compile_s"], "modes": {}}
    failed = False
    if not args.no_run:
        call([args.cimc, "run", work / "q.mlirbc", "--level", "nn", "--input", work / "x", "--output", work / "nn"])
    print("mode         period us  / arrays  latency us    TOPS  TOPS/W  used %  power W  arrays  instructions  "
          "compile s     MB", flush=True)
    for mode in ("throughput", "latency"):
        program = work / f"{mode}.cimx"
        cost = call([args.cimc, "compile", work / "q.mlirbc", "--chip", args.chip, "--mode", mode, "-o", program,
                     "-j", 2, "--explain"])
        period = cost["period_ns"] / 1e3
        tops = 2e-3 * cost["macs"] / cost["period_ns"]
        cost.update(tops=tops, tops_per_w=tops / cost["average_power_w"])
        print(f"{mode:11}{period:11.1f}{period / arrays_us:10.2f}{cost['latency_ns'] / 1e3:12.1f}{tops:8.1f}"
              f"{cost['tops_per_w']:8.2f}{cost['utilization'] * 100:8.1f}{cost['average_power_w']:9.1f}"
              f"{cost['arrays_used']:8}{cost['instructions']:14,}{cost['compile_s']:11.2f}{cost['peak_rss_mb']:7.0f}",
              flush=True)
        if not args.no_run:
            ran = call([args.cimc, "run", program, "--input", work / "x", "--output", work / mode])
            cost["elements"], cost["different"] = same_bits(work / "nn", work / mode)
            print(f"  {cost['elements']:,} elements, {cost['different']} differ from the nn level; {ran['run_s']:.1f} s")
            failed |= cost["different"] > 0 or not cost["elements"]
        path = cost.get("critical_path", [])[:5]
        print("  decided by " + ", ".join(f"{p['name'] or 'host'} ({p['what']}) {p['ns'] / cost['period_ns']:.0%}"
                                          for p in path), flush=True)
        result["modes"][mode] = {k: v for k, v in cost.items() if k not in ("layers", "inputs", "outputs")}
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
