#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares reported periods with what no mapping can be below.

usage: period_bounds.py [NETWORK ...]

All arrays of `card` busy all the time: a product of a K x N matrix takes an array
8 cycles for each 64 rows and 64 columns begun. Compiles each network (those of
test/bench/pimcomp) for both modes, prints periods beside the bound, and ends
with exit code 1 where one is below it. The bounds that are known from elsewhere
are checked too, so that the bound itself is right. Depthwise convolutions may run
on vector units and are not counted.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile

import onnx
from onnx import shape_inference

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "bench" / name) for name in ("", "pimcomp")]
import networks  # noqa: E402
import resnet  # noqa: E402

MACROS, CYCLE_NS = 1024, 2
# With depthwise convolutions on arrays; vector units are no faster.
AT_LEAST_US = {"mobilenetv2": 7.61}


def bound_us(model):
    model = shape_inference.infer_shapes(model)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
              for v in (*model.graph.value_info, *model.graph.output, *model.graph.input)}
    weights = {i.name: list(i.dims) for i in model.graph.initializer}
    made_by = {n.output[0]: n for n in model.graph.node}
    cycles = 0
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        name = node.input[1]
        dims = weights[name if name in weights else made_by[name].input[0]]
        if node.op_type == "Conv" and dims[1] == 1 and dims[0] > 1:
            continue
        pixels = math.prod(shapes[node.output[0]][2:]) if node.op_type == "Conv" else 1
        rows = math.prod(dims[1:])
        cycles += pixels * math.ceil(rows / 64) * math.ceil(dims[0] / 64) * 8
    return cycles * CYCLE_NS / MACROS / 1e3


def main():
    # ResNet-50 with its strides in the 3 x 3 convolutions, and ResNet-18.
    failed = False
    for depth, known in ((50, 15.737), (18, 7.06)):
        bound = bound_us(resnet.network(depth, 224))
        print(f"bound of resnet{depth}: {bound:.3f} us, known {known}")
        failed |= abs(bound - known) > 0.005 * known
    for name in sys.argv[1:] or ["resnet18", "resnet50", "mobilenetv2", "squeezenet", "googlenet"]:
        model = networks.NETWORKS[name]()
        bound = max(bound_us(model), AT_LEAST_US.get(name, 0))
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(model, f"{folder}/m.onnx")
            for mode in ("throughput", "latency"):
                done = subprocess.run(["cimc", "compile", f"{folder}/m.onnx", "--mode", mode, "-o", f"{folder}/m.cimx",
                                       "--json"], check=True, capture_output=True, text=True)
                cost = json.loads(done.stdout)
                period, latency = cost["period_ns"] / 1e3, cost["latency_ns"] / 1e3
                print(f"{name:12} {mode:10} bound {bound:7.2f} us, period {period:7.2f}, latency {latency:7.2f}")
                failed |= period < bound or cost["unthrottled_period_ns"] / 1e3 < bound or latency < bound
    print("BELOW A BOUND" if failed else "no period is below its bound")
    sys.exit(failed)


if __name__ == "__main__":
    main()
