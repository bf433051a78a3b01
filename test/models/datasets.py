# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""The data set of each real model: inputs, which of them calibrate, and how
outputs are judged. Used by score.py.

A task's inputs are arrays with a leading axis of samples, by name. `score`
turns outputs, by name and with that axis too, into named figures; `targets`
are the least (">=") or most ("<=") they may be, `w4a8_targets` those with
weights of 4 bits. Percentages are 0 to 100.
"""

import csv
import gzip
import itertools
import json
from dataclasses import dataclass, field
from typing import Callable, Dict, Optional

import numpy as np


@dataclass
class Task:
    inputs: Dict[str, np.ndarray]
    # None: the model is quantized already.
    calibration: Optional[np.ndarray]
    # score(outputs, reference outputs of the float model, sample numbers)
    score: Callable
    targets: Dict[str, tuple] = field(default_factory=dict)
    # Whether `score` reads the float model's outputs.
    needs_reference: bool = True
    # Compare every element with ONNX Runtime.
    oracle: bool = False
    w4a8_targets: Dict[str, tuple] = field(default_factory=dict)
    # Weights of these layers keep more bits than --precision says.
    w4a8_bits: Dict[str, int] = field(default_factory=dict)

    def samples(self):
        return len(next(iter(self.inputs.values())))


def read_pb(path):
    import onnx
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return onnx.numpy_helper.to_array(tensor)


def test_sets(shared, model, names):
    folders = sorted((shared / "models" / model).glob("test_data_set_*"))
    return {name: np.stack([read_pb(folder / f"input_{k}.pb") for folder in folders])
            for k, name in enumerate(names)}


def only(outputs):
    return next(iter(outputs.values()))


def sqnr(outputs, reference):
    """Of all float outputs together, in dB."""
    error = sum(np.sum((outputs[n].astype(np.float64) - reference[n]) ** 2) for n in reference)
    signal = sum(np.sum(reference[n].astype(np.float64) ** 2) for n in reference)
    return round(float(10 * np.log10(signal / max(error, 1e-300))), 2)


def cosine(outputs, reference):
    a = np.concatenate([outputs[n].ravel() for n in reference]).astype(np.float64)
    b = np.concatenate([reference[n].ravel() for n in reference]).astype(np.float64)
    return round(float(a @ b / np.sqrt((a @ a) * (b @ b))), 5)


def percent(values):
    return round(100 * float(np.mean(values)), 2)


def interval(share, count):
    """95 % (Wilson) of a share in percent, as [low, high]."""
    p, z = share / 100, 1.96
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return [round(100 * float(middle - half), 2), round(100 * float(middle + half), 2)]


def classification(shared, model, inputs, labels, calibration, targets, oracle=False, background=0, **w4a8):
    """Top-1 against labels and agreement with the unquantized model, all
    samples and those that did not calibrate."""
    path = shared / "models" / model / "predictions.json"
    predictions = np.array(json.loads(path.read_text())["predictions"])

    def score(outputs, reference, numbers):
        answers = only(outputs).reshape(len(numbers), -1).argmax(1) - background
        right, same = answers == labels[numbers], answers == predictions[numbers]
        result = {"top1": percent(right), "agreement": percent(same)}
        result["top1_95"] = interval(result["top1"], len(numbers))
        if calibration is not None:
            held = ~np.isin(numbers, calibration)
            if held.any():
                result["held_out_top1"] = percent(right[held])
                result["held_out_agreement"] = percent(same[held])
        return result

    return Task(inputs, calibration, score, targets, needs_reference=False, oracle=oracle, **w4a8)


def mnist_images(shared):
    def read(name, header):
        return np.frombuffer(gzip.open(shared / "data/mnist_test" / name).read(), np.uint8, offset=header)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28).astype(np.float32)
    return images, read("t10k-labels-idx1-ubyte.gz", 8)


def mnist_cntk(shared):
    images, labels = mnist_images(shared)
    return classification(shared, "mnist_cntk", {"Input3": images[:, None, None]}, labels, np.arange(300),
                          {"top1": (">=", 98.81), "agreement": (">=", 99.95)})


def mnist_lstm(shared):
    images, labels = mnist_images(shared)
    return classification(shared, "mnist_lstm_fp32", {"input": images[:, None] / np.float32(255)}, labels,
                          np.arange(300), {"agreement": (">=", 99.9)})


def cifar(shared, normalized):
    folder = shared / "data/cifar10_test_2000"
    images = np.load(folder / "images_u8_nhwc.npy").transpose(0, 3, 1, 2).astype(np.float32)
    if normalized:
        mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
        std = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
        images = ((images / 255 - mean) / std).astype(np.float32)
    return images[:, None], np.load(folder / "labels_u8.npy")


def cifar_resnet20(shared):
    images, labels = cifar(shared, True)
    return classification(shared, "cifar_resnet20", {"input": images}, labels, np.arange(300),
                          {"top1": (">=", 81.3), "agreement": (">=", 99.0)},
                          w4a8_targets={"top1": (">=", 81.0)})


def tiny_resnet8(shared):
    images, labels = cifar(shared, False)
    return classification(shared, "tiny_resnet8_qdq", {"input": images}, labels, None,
                          {"top1": (">=", 75.9)}, oracle=True)


def tiny_dscnn(shared, model, calibration, targets, oracle, **w4a8):
    import onnx
    folder = shared / "data/kws01_mfcc_1000"
    graph = onnx.load(shared / "models/tiny_dscnn_qdq/model.onnx").graph
    values = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    first = next(n for n in graph.node if n.op_type == "QuantizeLinear")
    scale, zero = values[first.input[1]], values[first.input[2]]
    features = np.load(folder / "features_i8.npy").astype(np.float32)
    features = ((features - np.float32(zero)) * scale).reshape(-1, 1, 1, 49, 10).astype(np.float32)
    return classification(shared, model, {"input": features}, np.load(folder / "labels_u8.npy"), calibration,
                          targets, oracle, **w4a8)


def imagenet(shared, model, name, normalized, background, targets, **w4a8):
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
    labels = np.array([int(row["class_index_0_999"]) for row in rows])
    return classification(shared, model, {name: images[:, None].astype(np.float32)}, labels,
                          np.arange(0, 200, 4), targets, background=background, **w4a8)


def gpt_nano_sort(shared):
    digits = np.array(list(itertools.product(range(3), repeat=6)))
    answers = np.sort(digits, axis=1)
    inputs = np.concatenate([digits, answers[:, :5]], axis=1).astype(np.int64)

    def score(outputs, reference, numbers):
        logits = only(outputs).reshape(len(numbers), 11, 3)[:, 5:]
        exact = (logits.argmax(2) == answers[numbers]).all(1)
        return {"exact": int(exact.sum()), "of": len(numbers),
                "sqnr_db": sqnr({"y": logits}, {"y": only(reference).reshape(-1, 11, 3)[:, 5:]})}

    calibration = np.sort(np.random.default_rng(0).permutation(729)[:100])
    return Task({"input_ids": inputs[:, None]}, calibration, score, {"exact": (">=", 729), "sqnr_db": (">=", 50)})


def stories(shared):
    tokens = np.load(shared / "data/stories260k_tokens/sampled_64x64_t0.8.npy")

    def perplexity(logits, numbers):
        logits = logits.reshape(len(numbers), 64, 512)[:, :-1].astype(np.float64)
        top = logits.max(2, keepdims=True)
        logs = logits - top - np.log(np.exp(logits - top).sum(2, keepdims=True))
        return float(np.exp(-np.mean(np.take_along_axis(logs, tokens[numbers][:, 1:, None], 2))))

    def score(outputs, reference, numbers):
        got, real = only(outputs), only(reference)
        same = got.reshape(-1, 512).argmax(1) == real.reshape(-1, 512).argmax(1)
        result = {"perplexity": round(perplexity(got, numbers), 4), "next_token": percent(same),
                  "float_perplexity": round(perplexity(real, numbers), 4), "sqnr_db": sqnr(outputs, reference)}
        held = numbers >= 16
        if held.any():
            result["held_out_perplexity"] = round(perplexity(got[held], numbers[held]), 4)
            result["held_out_next_token"] = percent(same.reshape(len(numbers), -1)[held])
        return result

    return Task({"input_ids": tokens[:, None]}, np.arange(16), score,
                {"perplexity": ("<=", 2.238), "next_token": (">=", 98.0)}, w4a8_targets={"perplexity": ("<=", 2.33)})


def neumf(shared):
    folder = shared / "data/movielens1m_ncf_test"
    held = [line.split("\t") for line in (folder / "ml-1m.test.rating").read_text().splitlines()]
    others = [line.split("\t")[1:] for line in (folder / "ml-1m.test.negative").read_text().splitlines()]
    items = np.array([[int(h[1])] + [int(i) for i in o[:99]] for h, o in zip(held, others)], np.int64)
    users = np.repeat(np.array([int(h[0]) for h in held], np.int64)[:, None], 100, axis=1)

    def score(outputs, reference, numbers):
        scores = only(outputs).reshape(len(numbers), 100)
        # Scores of 8 bits tie: what is expected of a random order of equals.
        above = (scores[:, 1:] > scores[:, :1]).sum(1)[:, None]
        equal = (scores[:, 1:] == scores[:, :1]).sum(1)[:, None]
        places = np.arange(10)[None]
        chance = ((places >= above) & (places <= above + equal)) / (equal + 1)
        return {"hr10": percent(chance.sum(1)), "ndcg10": percent((chance / np.log2(places + 2)).sum(1)),
                "sqnr_db": sqnr(outputs, reference)}

    calibration = np.sort(np.random.default_rng(0).permutation(len(users))[:100])
    return Task({"user": users, "item": items}, calibration, score, {"hr10": (">=", 67.07)},
                w4a8_targets={"hr10": (">=", 66.0)})


def signal_task(inputs, calibration, targets):
    """Judged by the distance from the float model's outputs."""

    def score(outputs, reference, numbers):
        result = {"sqnr_db": sqnr(outputs, reference), "cosine": cosine(outputs, reference)}
        held = ~np.isin(numbers, calibration)
        if held.any():
            some = {n: v[held] for n, v in outputs.items()}, {n: v[held] for n, v in reference.items()}
            result["held_out_sqnr_db"], result["held_out_cosine"] = sqnr(*some), cosine(*some)
        return result

    return Task(inputs, calibration, score, targets)


def nsnet2(shared):
    def score(outputs, reference, numbers):
        return {"sqnr_db": sqnr({"output": outputs["output"]}, {"output": reference["output"]}),
                "cosine": cosine({"output": outputs["output"]}, {"output": reference["output"]}),
                "states_sqnr_db": sqnr(outputs, {n: reference[n] for n in reference if n != "output"})}

    return Task(test_sets(shared, "nsnet2", ["input", "h1", "h2"]), np.arange(2), score, {"sqnr_db": (">=", 33)})


def kwt1(shared):
    """Three words, each at five places in time: "yes" and "silence" calibrate,
    "no" is held out."""
    words = test_sets(shared, "kwt1_core_fp32", ["input"])["input"]
    named = {int(read_pb(f / "output_0.pb").argmax()): words[k]
             for k, f in enumerate(sorted((shared / "models/kwt1_core_fp32").glob("test_data_set_*")))}
    silence, yes, no = named[0], named[2], named[3]
    shifts = [np.roll(w, s, axis=0) for w in (yes, silence, no) for s in (-4, -2, 0, 2, 4)]
    return signal_task({"input": np.stack(shifts)}, np.arange(10), {"held_out_sqnr_db": (">=", 30)})


def two_samples(shared, model):
    inputs = test_sets(shared, model, ["input"])
    return signal_task(inputs, np.arange(2), {"cosine": (">=", 0.99)})


# The first and the last layer.
SQUEEZENET_ENDS = {"Conv_0": 8, "Conv_61": 8}

MODELS = {
    "mnist_cntk": mnist_cntk,
    "mnist_lstm_fp32": mnist_lstm,
    "cifar_resnet20": cifar_resnet20,
    "tiny_resnet8_qdq": tiny_resnet8,
    "tiny_dscnn_qdq": lambda s: tiny_dscnn(s, "tiny_dscnn_qdq", None, {"top1": (">=", 90.2)}, True),
    "tiny_dscnn_fp32": lambda s: tiny_dscnn(s, "tiny_dscnn_fp32", np.arange(200),
                                            {"top1": (">=", 90.1), "agreement": (">=", 99.3)}, False,
                                            w4a8_targets={"top1": (">=", 89.8)}),
    "mobilenetv2_tf": lambda s: imagenet(s, "mobilenetv2_tf", "input", False, 1, {"agreement": (">=", 98.0)},
                                         w4a8_targets={"top1": (">=", 85.5), "agreement": (">=", 94.0)}),
    "squeezenet1_1": lambda s: imagenet(s, "squeezenet1_1", "input", True, 0, {"agreement": (">=", 96.0)},
                                        w4a8_targets={"top1": (">=", 64.5), "agreement": (">=", 88.0)},
                                        w4a8_bits=SQUEEZENET_ENDS),
    "gpt_nano_sort": gpt_nano_sort,
    "stories260k_prefill64": stories,
    "neumf_ml1m": neumf,
    "nsnet2": nsnet2,
    "kwt1_core_fp32": kwt1,
    "tiny_ad_fp32": lambda s: two_samples(s, "tiny_ad_fp32"),
    "tiny_strww_fp32": lambda s: two_samples(s, "tiny_strww_fp32"),
}
