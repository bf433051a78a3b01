#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Imports what PyTorch's exporters write today, and compares with ONNX Runtime.

usage: exporters.py [--work DIR] [--cimc PATH] [--bench PATH] [--only NAME,...]
       [--exporters new,old] [--rapidocr DIR] [--json FILE] [MODEL.onnx...]

Networks of torchvision and transformers are built from their configurations
with random weights (seed 0) and exported by the current exporter
(dynamo=True, weights in external data) and by the older one (dynamo=False).
Each is imported, brought into canonical form and evaluated at the nn level on
noise (networks that read text: on rows of bars); the outputs are compared with
ONNX Runtime's. One row is printed per file: nodes of the ONNX graph, nn
operations after import and in canonical form (constants not counted),
milliseconds for both, peak memory, which composite operations were recovered
from smaller ones, the largest difference from ONNX Runtime's in any output
relative to its largest value, or the refusal. Models named on the command line
get a row each, too.

Needs torch, torchvision, transformers, onnx, onnxscript and onnxruntime (5 GB),
and `ninja -C build/release cimc cimc-bench-nn`. --rapidocr names a folder with
the .onnx files of the package rapidocr-onnxruntime. Exported files stay in the
work folder and are not exported again.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

# name: code that sets `model` and `args` (and `kwargs`).
VISION = "import torchvision as tv; model = tv.models.{}({}); args = (torch.rand({}),)"
IMAGE = "1, 3, 224, 224"
TRANSFORMERS = """
import transformers as tf
class First(torch.nn.Module):
    '''The first output of a model of tokens.'''
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, tokens):
        # Without a mask, transformers looks for sequences packed into one by aten::diff, and without
        # return_dict it replaces arguments of forward: the older exporter takes neither.
        return self.inner(input_ids=tokens, attention_mask=torch.ones_like(tokens), return_dict=False)[0]
args = (torch.arange(1, 17)[None],)
"""
WHISPER = TRANSFORMERS + """
config = tf.WhisperConfig(encoder_layers=2, decoder_layers=2, d_model=128, encoder_attention_heads=4,
                          decoder_attention_heads=4, encoder_ffn_dim=256, decoder_ffn_dim=256, vocab_size=1000,
                          pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, return_dict=False)
"""
NETWORKS = {
    "resnet18": VISION.format("resnet18", "", IMAGE),
    "resnet50": VISION.format("resnet50", "", IMAGE),
    "mobilenet_v3_small": VISION.format("mobilenet_v3_small", "", IMAGE),
    "efficientnet_b0": VISION.format("efficientnet_b0", "", IMAGE),
    # Of new networks of these two, one answers 0 and the other hardly uses its blocks.
    "vit_b_16": VISION.format("vit_b_16", "", IMAGE) + "; torch.nn.init.normal_(model.heads.head.weight)",
    "swin_t": VISION.format("swin_t", "", IMAGE),
    "convnext_tiny": VISION.format("convnext_tiny", "", IMAGE)
                     + "\nfor name, p in model.named_parameters(): p.data += 0.1 * name.endswith('layer_scale')",
    "inception_v3": VISION.format("inception_v3", "init_weights=False", "1, 3, 299, 299"),
    "googlenet": VISION.format("googlenet", "init_weights=False", IMAGE),
    "shufflenet_v2": VISION.format("shufflenet_v2_x1_0", "", IMAGE),
    "densenet121": VISION.format("densenet121", "", IMAGE),
    "deeplabv3": VISION.format("segmentation.deeplabv3_mobilenet_v3_large",
                               "weights=None, weights_backbone=None", IMAGE),
    "ssd_head": """
class Head(torch.nn.Module):
    '''Boxes and scores of the maps of a MobileNetV2, without suppression.'''
    def __init__(self):
        super().__init__()
        import torchvision as tv
        self.features = tv.models.mobilenet_v2().features
        self.boxes = torch.nn.ModuleList([torch.nn.Conv2d(c, 6 * 4, 3, padding=1) for c in (96, 1280)])
        self.scores = torch.nn.ModuleList([torch.nn.Conv2d(c, 6 * 21, 3, padding=1) for c in (96, 1280)])
    def forward(self, x):
        first = self.features[:14](x)
        maps = (first, self.features[14:](first))
        flat = lambda y, n: y.view(y.shape[0], 6, n, y.shape[2], y.shape[3]).permute(0, 3, 4, 1, 2).reshape(1, -1, n)
        boxes = torch.cat([flat(layer(m), 4) for layer, m in zip(self.boxes, maps)], 1)
        scores = torch.cat([flat(layer(m), 21) for layer, m in zip(self.scores, maps)], 1)
        return boxes, torch.softmax(scores, -1)
model = Head(); args = (torch.rand(1, 3, 224, 224),)
""",
    "yolo_head": """
class Head(torch.nn.Module):
    '''SiLU blocks, upsampling, concatenation and decoded boxes of two scales.'''
    def __init__(self):
        super().__init__()
        def block(i, o, s):
            return torch.nn.Sequential(torch.nn.Conv2d(i, o, 3, s, 1, bias=False), torch.nn.BatchNorm2d(o), torch.nn.SiLU())
        self.down = torch.nn.ModuleList([block(i, o, 2) for i, o in ((3, 16), (16, 32), (32, 64), (64, 128))])
        self.merge = block(192, 64, 1)
        self.out = torch.nn.ModuleList([torch.nn.Conv2d(c, 3 * 85, 1) for c in (64, 128)])
    def forward(self, x):
        for layer in self.down[:3]:
            x = layer(x)
        low = self.down[3](x)
        x = self.merge(torch.cat([torch.nn.functional.interpolate(low, scale_factor=2.0), x], 1))
        decoded = []
        for layer, m, stride in zip(self.out, (x, low), (8, 16)):
            y = layer(m)
            n, _, h, w = y.shape
            y = y.view(n, 3, 85, h, w).permute(0, 1, 3, 4, 2).sigmoid()
            v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            place = (y[..., :2] * 2 - 0.5 + torch.stack((u, v), 2)) * stride
            decoded.append(torch.cat((place, (y[..., 2:4] * 2) ** 2 * stride, y[..., 4:]), -1).view(n, -1, 85))
        return torch.cat(decoded, 1)
model = Head(); args = (torch.rand(1, 3, 160, 160),)
""",
    "bert": TRANSFORMERS + """
model = First(tf.BertModel(tf.BertConfig(num_hidden_layers=2, hidden_size=128, num_attention_heads=4,
                                   intermediate_size=256, vocab_size=1000)))
""",
    "distilbert": TRANSFORMERS + """
model = First(tf.DistilBertModel(tf.DistilBertConfig(n_layers=2, dim=128, n_heads=4, hidden_dim=256, vocab_size=1000)))
""",
    "gpt2": TRANSFORMERS + """
model = First(tf.GPT2LMHeadModel(tf.GPT2Config(n_layer=2, n_embd=128, n_head=4, vocab_size=1000, use_cache=False)))
""",
    "llama": TRANSFORMERS + """
model = First(tf.LlamaForCausalLM(tf.LlamaConfig(num_hidden_layers=2, hidden_size=128, num_attention_heads=4,
                                           num_key_value_heads=2, intermediate_size=256, vocab_size=1000,
                                           use_cache=False)))
""",
    "whisper_encoder": WHISPER + """
class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = tf.WhisperModel(config).encoder
    def forward(self, x):
        return self.encoder(x)[0]
model = Encoder(); args = (torch.rand(1, 80, 3000),)
""",
    "whisper_decoder": WHISPER + """
class Step(torch.nn.Module):
    '''One token: scores, and the keys and values of both layers with the new ones behind.'''
    def __init__(self):
        super().__init__()
        self.inner = tf.WhisperForConditionalGeneration(config)
    def forward(self, token, audio, keys, values):
        cache = tf.EncoderDecoderCache(tf.DynamicCache([(keys[i], values[i]) for i in range(2)]), tf.DynamicCache())
        states = self.inner.model.decoder(input_ids=token, encoder_hidden_states=audio, past_key_values=cache,
                                          position_ids=torch.full((1, 1), keys.shape[3]),
                                          attention_mask=torch.ones(1, keys.shape[3] + 1, dtype=torch.long),
                                          use_cache=True, return_dict=False)[0]
        layers = cache.self_attention_cache.layers
        return self.inner.proj_out(states), torch.stack([l.keys for l in layers]), torch.stack([l.values for l in layers])
past = torch.rand(2, 1, 4, 15, 32)
model = Step(); args = (torch.tensor([[7]]), torch.rand(1, 1500, 128), past, past.flip(0))
""",
}

COMPOSITES = ("attention", "gelu", "gelu_tanh", "layer_norm", "rms_norm", "rotary_embedding", "softmax", "softplus",
              "swish")

EXPORT = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import torch
torch.manual_seed(0)
torch.set_num_threads(2)
{code}
model.eval()
torch.onnx.export(model, args, sys.argv[1], dynamo=sys.argv[2] == "new", external_data=sys.argv[2] == "new")
"""


def export(name, kind, folder, timeout):
    """The path of the exported file, or why there is none."""
    path = folder / f"{name}-{kind}" / "model.onnx"
    if path.exists():
        return path, None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run([sys.executable, "-c", EXPORT.format(code=NETWORKS[name]), str(path), kind],
                              capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        path.unlink(missing_ok=True)
        return None, f"the exporter took more than {timeout} s"
    if done.returncode == 0 and path.exists():
        return path, None
    path.unlink(missing_ok=True)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return None, "the exporter failed: " + (lines[-1] if lines else "no message")[:160]


def oracle(path, shapes, folder):
    """Writes noise and ONNX Runtime's outputs as .npy files."""
    import onnxruntime

    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    random = np.random.default_rng(1)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {}
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for value in session.get_inputs():
        shape = shapes.get(value.name, [d if isinstance(d, int) else 1 for d in value.shape])
        kind = kinds[value.type]
        if value.name in shapes:
            feed[value.name] = print_of_bars(shape, random)
        elif kind is np.float32:
            feed[value.name] = random.random(shape).astype(kind)
        else:
            feed[value.name] = (np.arange(np.prod(shape)) % 3).reshape(shape).astype(kind)
        np.save(folder / "in" / f"{value.name.replace('/', '_')}.npy", feed[value.name])
    for value, result in zip(session.get_outputs(), session.run(None, feed)):
        np.save(folder / "out" / f"{value.name.replace('/', '_')}.npy", result)


def print_of_bars(shape, random):
    """Dark bars in lines on white, what print looks like from afar: on noise
    text detection answers nothing but zeros."""
    image = np.ones(shape, np.float32)
    for top in range(8, shape[2] - 32, 60):
        for left in range(8, shape[3] - 16, 8):
            first, last = top + random.integers(0, 8), top + 16 + random.integers(0, 8)
            image[:, :, first:last, left:left + random.integers(2, 6)] = -1
    return image


def difference(path, expected):
    """The largest difference of one output, relative to its largest value."""
    got, expected = np.load(path), np.load(expected)
    if got.shape != expected.shape or got.dtype != expected.dtype:
        sys.exit(f"{path.name}: {got.dtype}{got.shape} instead of {expected.dtype}{expected.shape}")
    if not expected.size:
        return 0.0
    if not np.array_equal(np.isfinite(got), np.isfinite(expected)):
        return float("inf")
    got, expected = np.nan_to_num(got).astype(np.float64), np.nan_to_num(expected).astype(np.float64)
    return float(np.abs(got - expected).max() / (np.abs(expected).max() or 1.0))


def firstLines(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:4])[:300]


def measure(path, shapes, args):
    """A row of the table for one file."""
    import onnx

    row = {"nodes": len(onnx.load(str(path), load_external_data=False).graph.node)}
    flags = []
    for name, shape in shapes.items():
        flags += ["--input-shape", f"{name}={'x'.join(map(str, shape))}"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        oracle(path, shapes, folder)
        bench = subprocess.run([args.bench, str(path), "2", "import"] + flags[1::2], capture_output=True, text=True,
                               timeout=args.timeout)
        if bench.returncode != 0:
            row["refused"] = f"exit code {bench.returncode}: {firstLines(bench.stderr)}"
            return row
        row.update(json.loads(bench.stdout.splitlines()[0]))
        imported, canonical = row["imported_ops"], row["canonical_ops"]
        row["recovered"] = {name: canonical[name] - imported.get(name, 0) for name in COMPOSITES
                            if canonical.get(name, 0) > imported.get(name, 0)}
        row["imported_ops"], row["canonical_ops"] = sum(imported.values()), sum(canonical.values())
        run = subprocess.run([args.cimc, "run", str(path), "--level", "nn", "--input", str(folder / "in"),
                              "--output", str(folder / "got"), "-j", "2"] + flags,
                             capture_output=True, text=True, timeout=args.timeout)
        if run.returncode != 0:
            row["refused"] = f"exit code {run.returncode}: {firstLines(run.stderr)}"
            return row
        row["error"] = max(difference(folder / "got" / expected.name, expected)
                           for expected in sorted((folder / "out").iterdir()))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--work", default=str(pathlib.Path(tempfile.gettempdir()) / "cimc-exporters"))
    parser.add_argument("--cimc", default="build/release/bin/cimc")
    parser.add_argument("--bench", default="build/release/bin/cimc-bench-nn")
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--exporters", default="new,old")
    parser.add_argument("--rapidocr")
    parser.add_argument("--export-only", action="store_true")
    parser.add_argument("--timeout", type=int, default=900)
    parser.add_argument("--json")
    args = parser.parse_args()
    folder = pathlib.Path(args.work)
    jobs = [(name, kind) for name in args.only.split(",") if name for kind in args.exporters.split(",")]
    files = []
    for name, kind in jobs:
        path, problem = export(name, kind, folder, args.timeout)
        if args.export_only:
            print(name, kind, problem or "exported", flush=True)
        files.append((name, kind, path, {}, problem))
    files += [(path.parent.name if path.stem == "model" else path.stem, "", path, {}, None)
              for path in args.models]
    if args.rapidocr:
        for path in sorted(pathlib.Path(args.rapidocr).glob("*.onnx")):
            import onnx

            value = onnx.load(str(path), load_external_data=False).graph.input[0]
            sizes = {"det": [1, 3, 320, 320], "rec": [1, 3, 48, 320], "cls": [1, 3, 48, 192]}
            shape = next(s for key, s in sizes.items() if f"_{key}_" in f"_{path.stem}_")
            files.append((path.stem, "rapidocr", path, {value.name: shape}, None))
    if args.export_only:
        return
    rows = []
    print("| network | exporter | ONNX nodes | nn imported | nn canonical | import ms | canonical ms | peak MB | "
          "recovered | error | refusal |\n" + "| --- " * 11 + "|")
    for name, kind, path, shapes, problem in files:
        row = {"network": name, "exporter": kind}
        if problem:
            row["refused"] = problem
        else:
            try:
                row.update(measure(path, shapes, args))
            except subprocess.TimeoutExpired:
                row["refused"] = f"took more than {args.timeout} s"
        rows.append(row)
        recovered = ", ".join(f"{count} {kind}" for kind, count in row.get("recovered", {}).items())
        number = lambda key, form: format(row[key], form) if key in row else ""
        print(f"| `{name}` | {kind} | {number('nodes', 'd')} | {number('imported_ops', 'd')} | "
              f"{number('canonical_ops', 'd')} | {number('import_ms', '.0f')} | {number('canonicalize_ms', '.0f')} | "
              f"{number('peak_mb', '.0f')} | {recovered} | {number('error', '.1e')} | {row.get('refused', '')} |", flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
