#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Speed of the chip model on ResNet-18 and ResNet-50 with random weights.

usage: resnet.py [--depth 18|50] [--images N] [--rounds N] [--cimc cimc] [--size 224]

Makes the network, quantizes it (`cimc quantize`, one random image), compiles
it, and runs the images in turns through the program and through ONNX Runtime's
integer kernels, on one thread and on two. Every output must be equal (on a CPU
with VNNI; exit code 1 where not). Prints one JSON object: the best round's
seconds an image, by the clock and of the processor; the latter counts other
work on the machine less. What the program needs once, loading and timing, is
left out: it is the run of one image. Also the timed run of the network with the
chip full of copies, as `pimcomp/run.py` makes it: its seconds, and the cycles of
the core's clock that it simulates a second, of the chip and summed over the cores
in use.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parent / "pimcomp"))
import networks  # noqa: E402


def network(depth, size, blocks=None):
    """A ResNet as an ONNX model; `blocks`: of each stage, where not those of that depth."""
    random = np.random.default_rng(1)
    nodes, weights = [], []
    count = 0

    def name(kind):
        nonlocal count
        count += 1
        return f"{kind}{count}"

    def conv(x, cin, cout, kernel, stride=1, relu=True):
        w = name("w")
        scale = (2.0 / (cin * kernel * kernel)) ** 0.5
        weights.append(numpy_helper.from_array(
            (random.standard_normal((cout, cin, kernel, kernel)) * scale).astype(np.float32), w))
        b = name("b")
        weights.append(numpy_helper.from_array((random.standard_normal(cout) * 0.1).astype(np.float32), b))
        y = name("conv")
        nodes.append(helper.make_node("Conv", [x, w, b], [y], y, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                                      pads=[kernel // 2] * 4))
        if relu:
            nodes.append(helper.make_node("Relu", [y], [y + "_relu"], y + "_relu"))
            y += "_relu"
        return y

    bottleneck = depth == 50
    x = conv("image", 3, 64, 7, 2)
    nodes.append(helper.make_node("MaxPool", [x], ["pool"], "pool", kernel_shape=[3, 3], strides=[2, 2],
                                  pads=[1, 1, 1, 1]))
    x, cin = "pool", 64
    for stage, count_of in enumerate(blocks or {18: [2, 2, 2, 2], 50: [3, 4, 6, 3]}[depth]):
        width = 64 << stage
        out = 4 * width if bottleneck else width
        for block in range(count_of):
            stride = 2 if stage and not block else 1
            if bottleneck:
                y = conv(conv(x, cin, width, 1), width, width, 3, stride)
                y = conv(y, width, out, 1, relu=False)
            else:
                y = conv(conv(x, cin, width, 3, stride), width, width, 3, relu=False)
            short = x if cin == out and stride == 1 else conv(x, cin, out, 1, stride, relu=False)
            total = name("add")
            nodes.append(helper.make_node("Add", [y, short], [total], total))
            nodes.append(helper.make_node("Relu", [total], [total + "_relu"], total + "_relu"))
            x, cin = total + "_relu", out
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"], "mean"))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"], "flat"))
    weights.append(numpy_helper.from_array(
        (random.standard_normal((1000, cin)) * cin ** -0.5).astype(np.float32), "fc_w"))
    weights.append(numpy_helper.from_array(np.zeros(1000, np.float32), "fc_b"))
    nodes.append(helper.make_node("Gemm", ["flat", "fc_w", "fc_b"], ["scores"], "fc", transB=1))
    graph = helper.make_graph(
        nodes, f"resnet{depth}", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1000])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}\nexit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, choices=[18, 50], default=50)
    parser.add_argument("--images", type=int, default=17)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--cimc", default="cimc")
    args = parser.parse_args()
    import onnxruntime
    random = np.random.default_rng(2)
    images = random.standard_normal((args.images, 1, 3, args.size, args.size)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(network(args.depth, args.size), folder / "m.onnx")
        np.save(folder / "all.npy", images)
        np.save(folder / "one.npy", images[:1])
        run([args.cimc, "quantize", folder / "m.onnx", "--calibrate", folder / "one.npy", "-o", folder / "q.onnx",
             "-j", 2, "--json"])
        compiled = run([args.cimc, "compile", folder / "q.onnx", "-o", folder / "m.cimx", "-j", 2, "--json"])
        result = {"network": f"resnet{args.depth}", "images": args.images}
        for key in ("arrays_used", "instructions", "latency_ns", "period_ns", "compile_s", "peak_rss_mb"):
            result[key] = compiled[key]

        full = networks.NETWORKS[f"resnet{args.depth}"]()
        onnx.save(full, folder / "full.onnx")
        clock_mhz = run([args.cimc, "chips", "card", "--json"])["core"]["clock_mhz"]["value"]
        timed = min((run([args.cimc, "compile", folder / "full.onnx", "-o", folder / "full.cimx", "--json"])
                     for _ in range(args.rounds)), key=lambda t: t["timing_s"])
        cycles = timed["simulated_ns"] * clock_mhz * 1e-3
        result["timing_s"] = timed["timing_s"]
        result["timing_samples"] = timed["samples_timed"]
        result["chip_cycles_per_s"] = cycles / timed["timing_s"]
        result["core_cycles_per_s"] = cycles * timed["cores_used"] / timed["timing_s"]

        def simulate(name, threads):
            before = children_s()
            ran = run([args.cimc, "run", folder / "m.cimx", "--input", folder / f"{name}.npy", "--output",
                       folder / "out", "-j", threads, "--json"])
            return ran["run_s"], children_s() - before

        def session(threads):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.add_session_config_entry("session.qdqisint8allowed", "1")
            made = onnxruntime.InferenceSession(str(folder / "q.onnx"), options, providers=["CPUExecutionProvider"])
            made.run(None, {"image": images[0]})  # warms up
            return made

        sessions = {threads: session(threads) for threads in (1, 2)}
        best = {}

        def note(key, seconds):
            best[key] = min(best.get(key, seconds), seconds)

        expected = None
        for _ in range(args.rounds):
            for threads in (1, 2):
                one, all_ = simulate("one", threads), simulate("all", threads)
                for kind, i in (("", 0), ("_processor", 1)):
                    note(f"s_per_image{kind}_{threads}", (all_[i] - one[i]) / (args.images - 1))
                begin, processor = time.time(), time.process_time()
                outputs = [sessions[threads].run(None, {"image": image})[0] for image in images]
                note(f"onnxruntime_s_per_image_{threads}", (time.time() - begin) / args.images)
                note(f"onnxruntime_s_per_image_processor_{threads}", (time.process_time() - processor) / args.images)
                expected = np.stack(outputs).reshape(args.images, -1)
        result.update(best)
        for threads in (1, 2):
            for kind in ("", "_processor"):
                result[f"throughput_of_onnxruntime{kind}_{threads}"] = \
                    best[f"onnxruntime_s_per_image{kind}_{threads}"] / best[f"s_per_image{kind}_{threads}"]
        outputs = np.load(folder / "out/scores.npy").reshape(args.images, -1)
        result["compared"] = int(expected.size)
        result["mismatches"] = int(np.count_nonzero(outputs != expected))
    print(json.dumps(result, indent=1))
    sys.exit(1 if result["mismatches"] else 0)


if __name__ == "__main__":
    main()
