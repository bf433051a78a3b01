#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compiles a real model with cimc, runs its whole data set through the program
on the chip model and checks the answers.

usage: score.py MODEL [--shared DIR] [--limit N] [--chip NAME] [--json FILE]

Models and data sets are not part of the repository; DIR is the folder that
holds `models` and `data`. Quantized (QDQ) models are compared with ONNX Runtime
in every element, float models by top-1 accuracy. Exit code 1 where a target is
missed, and where nothing was compared.
"""

import argparse
import csv
import gzip
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np


def mnist(shared):
    def read(name, header):
        return np.frombuffer(gzip.open(shared / "data/mnist_test" / name).read(), np.uint8, offset=header)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 1, 28, 28).astype(np.float32)
    return images, read("t10k-labels-idx1-ubyte.gz", 8)


def cifar(shared, normalized):
    folder = shared / "data/cifar10_test_2000"
    images = np.load(folder / "images_u8_nhwc.npy").transpose(0, 3, 1, 2).astype(np.float32)
    if normalized:
        mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
        std = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
        images = ((images / 255 - mean) / std).astype(np.float32)
    return images[:, None], np.load(folder / "labels_u8.npy")


def keywords(shared):
    import onnx
    folder = shared / "data/kws01_mfcc_1000"
    model = onnx.load(shared / "models/tiny_dscnn_qdq/model.onnx")
    values = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    first = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")
    scale, zero = values[first.input[1]], values[first.input[2]]
    features = np.load(folder / "features_i8.npy").astype(np.float32)
    features = (features - np.float32(zero)) * scale
    return features.reshape(-1, 1, 1, 49, 10).astype(np.float32), np.load(folder / "labels_u8.npy")


def imagenet(shared, normalized):
    from PIL import Image
    folder = shared / "data/imagenet_sample_200"
    rows = list(csv.DictReader(open(folder / "labels.csv")))
    images = np.stack([np.asarray(Image.open(folder / "images" / row["file"]).convert("RGB"), np.float32)
                       for row in rows]).transpose(0, 3, 1, 2)
    if normalized:
        mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
        std = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
        images = (images / 255 - mean) / std
    else:
        images = (images - 127.5) / 127.5
    return images[:, None].astype(np.float32), np.array([int(row["class_index_0_999"]) for row in rows])


# model: (input name, data, calibration samples, lowest top-1, compare with ONNX Runtime)
MODELS = {
    "mnist_cntk": ("Input3", mnist, slice(0, 300), 0.9881, False),
    "cifar_resnet20": ("input", lambda s: cifar(s, True), slice(0, 300), 0.808, False),
    "tiny_resnet8_qdq": ("input", lambda s: cifar(s, False), None, 0.7590, True),
    "tiny_dscnn_qdq": ("input", keywords, None, 0.902, True),
    "mobilenetv2_tf": ("input", lambda s: imagenet(s, False), slice(0, 200, 4), None, False),
    "squeezenet1_1": ("input", lambda s: imagenet(s, True), slice(0, 200, 4), None, False),
}


def run(arguments):
    start = time.time()
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout, time.time() - start


def runtime_outputs(path, name, images):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.stack([session.run(None, {name: image})[0] for image in images])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--shared", default="../shared", type=pathlib.Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--chip", default="card")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--json")
    args = parser.parse_args()
    name, data, calibration, lowest, oracle = MODELS[args.model]
    path = args.shared / "models" / args.model / "model.onnx"
    images, labels = data(args.shared)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = [args.cimc, "compile", path, "--chip", args.chip, "-o", folder / "p.cimx", "--json", "-j", "2",
                   "--precision", args.precision]
        if calibration is not None:
            np.save(folder / "calibration.npy", images[calibration])
            command += ["--calibrate", folder / "calibration.npy"]
        report = json.loads(run(command)[0])
        images = images[:args.limit]
        np.save(folder / f"{name}.npy", images)
        (folder / "out").mkdir()
        _, seconds = run([args.cimc, "run", folder / "p.cimx", "--input", f"{name}={folder / f'{name}.npy'}",
                          "--output", folder / "out", "-j", "2"])
        outputs = np.load(next((folder / "out").glob("*.npy")))
    answers = outputs.reshape(len(images), -1).argmax(1)
    if outputs.shape[-1] == 1001:  # class 0 is background
        answers = answers - 1
    result = {"model": args.model, "samples": len(images), "run_s": round(seconds, 2)}
    result.update({k: report[k] for k in ("compile_s", "peak_rss_mb", "arrays_used", "instructions",
                                          "latency_ns", "period_ns", "energy_nj")})
    failed = len(images) == 0
    result["top1"] = float(np.mean(answers == labels[:len(images)]))
    if lowest is not None and args.limit is None:
        failed |= result["top1"] < lowest - 1e-9
    predictions = json.loads((args.shared / "models" / args.model / "predictions.json").read_text())["predictions"]
    result["agreement"] = float(np.mean(answers == np.array(predictions[:len(images)])))
    if oracle:
        expected = runtime_outputs(path, name, images)
        result["compared"] = int(expected.size)
        result["mismatches"] = int(np.count_nonzero(outputs.reshape(expected.shape) != expected))
        failed |= expected.size == 0 or result["mismatches"] > 0
    result["peak_rss_mb_children"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(json.dumps(result))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(result) + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
