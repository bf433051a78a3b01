# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Compares structural operators at the nn level with ONNX Runtime.

usage: structural_ops.py CIMC WORKDIR [--only NAME]

Every case is a model of one node, run by `CIMC run --level nn` and by ONNX
Runtime (by ONNX's reference implementation where that has no kernel). Moved
elements must be equal; computed ones agree to 1e-5. Some cases also run on the
chip (--precision float).
"""

import argparse
import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
import onnxruntime as ort

RNG = np.random.default_rng(20261121)


def reals(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


class Const:
    """An operand that is an initializer."""

    def __init__(self, *values, dtype=np.int64, scalar=False):
        self.value = np.array(values[0] if scalar else list(values), dtype)


def weight(array):
    constant = Const()
    constant.value = np.asarray(array)
    return constant


def case(name, op, inputs, outputs=1, opset=18, domain="", oracle="ort", chip=False, **attributes):
    """`oracle`: ort, reference, or the outputs themselves."""
    return dict(name=name, op=op, inputs=inputs, outputs=outputs, opset=opset, domain=domain,
                oracle=oracle, chip=chip, attributes=attributes)


def scan_body():
    """state + x[t] times the step's y: the state, and what it was before."""
    value = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3])
    return helper.make_graph([helper.make_node("Mul", ["x", "y"], ["xy"]), helper.make_node("Add", ["state", "xy"], ["next"]),
                              helper.make_node("Identity", ["state"], ["before"])], "body",
                             [value("state"), value("x"), value("y")], [value("next"), value("before")])


def max_roi_pool(image, regions, pooled, scale):
    """The definition of ONNX Runtime's kernel, in words: bounds round half away from 0, parts overlap."""
    away = lambda v: int(np.sign(v) * np.floor(np.abs(v) + np.float32(0.5)))
    result = np.zeros((len(regions), image.shape[1], *pooled), np.float32)
    for r, (sample, *box) in enumerate(regions):
        left, top, right, bottom = (away(np.float32(v) * np.float32(scale)) for v in box)
        spans = []
        for first, last, parts, length in ((top, bottom, pooled[0], image.shape[2]), (left, right, pooled[1], image.shape[3])):
            step = np.float32(max(last - first + 1, 1)) / np.float32(parts)
            spans.append([(min(max(int(np.floor(p * step)) + first, 0), length),
                           min(max(int(np.ceil((p + 1) * step)) + first, 0), length)) for p in range(parts)])
        for i, (y0, y1) in enumerate(spans[0]):
            for j, (x0, x1) in enumerate(spans[1]):
                if y1 > y0 and x1 > x0:
                    result[r, :, i, j] = image[int(sample), :, y0:y1, x0:x1].max((1, 2))
    return result


def recurrent(gates, hidden, inputs, directions, biases=2):
    return [weight(reals(directions, gates * hidden, inputs)),
            weight(reals(directions, gates * hidden, hidden)),
            weight(reals(directions, biases * gates * hidden))]


MS = "com.microsoft"
i64 = lambda *v: np.array(v, np.int64)


def cases():
    x = reals(3, 5, 7)
    image = reals(2, 3, 7, 5)
    yield case("gather", "Gather", [x, i64(4, -1, 0)], axis=1)
    yield case("gather2d", "Gather", [reals(9, 4), np.array([[1, 8], [0, -9]], np.int32)])
    yield case("gather_elements", "GatherElements", [x, RNG.integers(-5, 5, (3, 4, 7))], axis=1)
    yield case("gather_nd", "GatherND", [x, RNG.integers(-3, 3, (2, 4, 2))])
    yield case("gather_nd_batch", "GatherND", [x, RNG.integers(0, 5, (3, 2, 1))], batch_dims=1)
    for kind in ("none", "add", "mul", "max", "min"):
        yield case("scatter_elements_" + kind, "ScatterElements",
                   [reals(3, 9), i64(*[[7, 2], [0, -1]]), reals(2, 2)], axis=1, reduction=kind)
        yield case("scatter_nd_" + kind, "ScatterND",
                   [reals(6, 4), i64(*[[5], [0], [2]]), reals(3, 4)], reduction=kind)
    yield case("tensor_scatter", "TensorScatter", [reals(2, 3, 8, 4), reals(2, 3, 2, 4), i64(5, 0)],
               opset=24, oracle="reference")
    yield case("tensor_scatter_circular", "TensorScatter",
               [reals(2, 3, 8, 4), reals(2, 3, 3, 4), i64(7, 1)], opset=24, oracle="reference",
               mode="circular")
    yield case("reverse_sequence", "ReverseSequence", [reals(7, 3, 2), i64(7, 1, 4)])
    yield case("topk", "TopK", [x, Const(3)], outputs=2, axis=2)
    yield case("topk_smallest", "TopK", [np.round(x * 2), Const(4)], outputs=2, axis=1, largest=0)
    yield case("one_hot", "OneHot", [i64(1, 9, -1, 4, 10), Const(10, scalar=True), reals(2)])
    yield case("compress", "Compress", [x, Const(1, 0, 1, 1, dtype=bool)], axis=1)
    yield case("split", "Split", [x, Const(1, 4)], outputs=2, axis=1)
    yield case("split_uneven", "Split", [x], outputs=3, axis=2, num_outputs=3)
    yield case("expand", "Expand", [reals(3, 1), Const(2, 1, 6)])
    yield case("tile", "Tile", [x, Const(2, 1, 3)])
    yield case("depth_to_space", "DepthToSpace", [reals(2, 12, 3, 5)], blocksize=2)
    yield case("depth_to_space_crd", "DepthToSpace", [reals(2, 12, 3, 5)], blocksize=2, mode="CRD")
    yield case("space_to_depth", "SpaceToDepth", [reals(2, 3, 4, 6)], blocksize=2)
    yield case("trilu", "Trilu", [reals(2, 5, 7), Const(1, scalar=True)], upper=0)
    yield case("center_crop_pad", "CenterCropPad", [x, Const(9, 4)], oracle="reference", axes=[0, 2])
    for mode in ("reflect", "edge", "wrap"):
        yield case("pad_" + mode, "Pad", [image, Const(0, 1, 2, 3, 1, 0, 4, 1)], mode=mode, opset=19)
    yield case("pad_negative", "Pad", [x, Const(-1, 2, 0, 1, -1, 3)])
    for mode in ("nearest", "linear", "cubic"):
        for where in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
            for scale in ((1, 1, 2, 1.5), (1, 1, 0.6, 0.5)):
                yield case(f"resize_{mode}_{where}_{scale[2]}", "Resize",
                           [image, None, Const(*scale, dtype=np.float32)], mode=mode,
                           coordinate_transformation_mode=where,
                           # ONNX Runtime rounds the result's length first.
                           oracle="reference" if where == "align_corners" else "ort")
    yield case("resize_antialias", "Resize", [image, None, None, Const(2, 3, 3, 2)], mode="linear",
               antialias=1, oracle="reference")
    yield case("resize_exclude", "Resize", [image, None, Const(1, 1, 1.7, 0.7, dtype=np.float32)],
               mode="cubic", exclude_outside=1, oracle="reference")
    yield case("resize_crop", "Resize",
               [image, Const(0, 0, -0.2, 0.1, 1, 1, 0.9, 1.3, dtype=np.float32), None,
                Const(2, 3, 6, 4)], mode="linear",
               coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=7.0)
    yield case("upsample", "Upsample", [image, Const(1, 1, 2, 3, dtype=np.float32)], opset=9)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            yield case(f"grid_sample_{mode}_{padding}", "GridSample",
                       [image, RNG.uniform(-1.4, 1.4, (2, 4, 3, 2)).astype(np.float32)],
                       mode=mode, padding_mode=padding)
    yield case("affine_grid", "AffineGrid", [reals(2, 2, 3), Const(2, 3, 4, 5)], opset=20)
    boxes = np.float32([[0, 0, 4, 4], [1, 2, 4.5, 6], [3, 3, 3, 3]])
    for mode in ("avg", "max"):
        yield case("roi_align_" + mode, "RoiAlign", [image, boxes, i64(0, 1, 1)], mode=mode,
                   output_height=3, output_width=2, sampling_ratio=2, spatial_scale=0.9)
    regions = np.float32([[0, 0, 0, 4, 6], [1, 1, 2, 3, 3], [1, -3, 1, 1, 9], [0, 4, 6, 2, 2], [1, 9, 9, 12, 12]])
    yield case("max_roi_pool", "MaxRoiPool", [image, regions], pooled_shape=[3, 2], chip=True)
    yield case("max_roi_pool_scaled", "MaxRoiPool", [image, regions], pooled_shape=[2, 4], spatial_scale=0.7, chip=True,
               oracle=[max_roi_pool(image, regions, (2, 4), 0.7)])
    singular = reals(2, 4, 4)
    singular[0, 2] = singular[0, 1]
    singular[1, 0] = 0
    for name, matrix in (("one", reals(3, 1, 1)), ("two", reals(2, 2)), ("batch", reals(2, 3, 5, 5)),
                         ("large", reals(9, 9)), ("singular", singular), ("zero_pivot", np.float32([[0, 2], [3, 4]]))):
        # In double precision, because single loses more than is compared.
        yield case("det_" + name, "Det", [matrix], chip=True, oracle=[np.linalg.det(matrix.astype(np.float64)).astype(np.float32)])
    for to, value in ((onnx.TensorProto.INT32, reals(2, 3)), (onnx.TensorProto.UINT32, reals(5)),
                      (onnx.TensorProto.FLOAT, reals(4).view(np.int32)), (onnx.TensorProto.UINT8, np.int8([-1, 5])),
                      (onnx.TensorProto.INT16, np.uint16([1, 65535])), (onnx.TensorProto.UINT8, np.array([True, False])),
                      (onnx.TensorProto.UINT64, i64(-7, 9))):
        dtype = helper.tensor_dtype_to_np_dtype(to)
        yield case(f"bit_cast_{value.dtype}_{dtype}", "BitCast", [value], opset=26, to=to, chip=True,
                   oracle=[value.view(dtype)])
    batched = [None, reals(2, 3), reals(2, 4, 3), reals(2, 4, 3)]
    yield case("scan_8", "Scan", batched, outputs=2, opset=8, body=scan_body(), num_scan_inputs=2, chip=True)
    yield case("scan_8_backwards", "Scan", batched, outputs=2, opset=8, body=scan_body(), num_scan_inputs=2,
               directions=[0, 1])
    yield case("scan", "Scan", [reals(3), reals(4, 3), reals(3, 4)], outputs=2, body=scan_body(), num_scan_inputs=2,
               scan_input_axes=[0, 1], scan_input_directions=[1, 0], scan_output_axes=[1], chip=True)
    yield case("conv_transpose", "ConvTranspose", [reals(2, 4, 5, 3), weight(reals(4, 3, 3, 2)),
                                                   weight(reals(6))],
               group=2, strides=[2, 3], dilations=[2, 1], pads=[1, 0, 2, 1], output_padding=[1, 2])
    yield case("conv_transpose_same", "ConvTranspose", [reals(1, 2, 5), weight(reals(2, 3, 4))],
               strides=[2], auto_pad="SAME_UPPER")
    yield case("conv_transpose_3d", "ConvTranspose", [reals(1, 2, 3, 2, 4),
                                                      weight(reals(2, 3, 2, 3, 2))])
    yield case("deform_conv", "DeformConv",
               [reals(1, 4, 6, 5), weight(reals(2, 2, 3, 2)), 0.7 * reals(1, 24, 4, 4),
                weight(reals(2)), reals(1, 12, 4, 4)], opset=19, oracle="reference",
               group=2, offset_group=2, kernel_shape=[3, 2])
    yield case("col2im", "Col2Im", [reals(2, 12, 6), Const(4, 5), Const(2, 3)], opset=18,
               strides=[2, 1], pads=[0, 0, 0, 0])
    yield case("max_pool_indices", "MaxPool", [image], outputs=2, kernel_shape=[3, 2],
               strides=[2, 1], pads=[1, 0, 1, 1])
    yield case("max_pool_columns", "MaxPool", [image], outputs=2, kernel_shape=[2, 2],
               storage_order=1)
    yield case("global_max_pool", "GlobalMaxPool", [image])
    yield case("lp_pool", "LpPool", [image], kernel_shape=[3, 2], strides=[2, 2], p=3,
               pads=[1, 0, 1, 1])
    yield case("global_lp_pool", "GlobalLpPool", [image], p=2)
    for equation, shapes in (("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("ij->ji", [(3, 5)]),
                             ("...ii->...i", [(2, 4, 4)]), ("i,j", [(3,), (4,)]),
                             ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
                             ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]), ("ij->", [(3, 4)]),
                             ("...ij,jk->...ik", [(2, 3, 4), (4, 5)])):
        yield case("einsum_" + equation, "Einsum", [reals(*s) for s in shapes], equation=equation)
    for axis, length in ((1, 6), (0, 3)):
        yield case(f"dft_{axis}", "DFT", [reals(3, 6, 1)], opset=17, axis=axis, onesided=1)
    yield case("dft_inverse", "DFT", [reals(2, 5, 2)], opset=17, axis=1, inverse=1)
    yield case("stft", "STFT", [reals(2, 40, 1), Const(5, scalar=True),
                                weight(np.hanning(8).astype(np.float32)), Const(8, scalar=True)],
               opset=17)
    for direction in ("forward", "reverse", "bidirectional"):
        d = 2 if direction == "bidirectional" else 1
        lengths = np.int32([4, 6, 2])
        common = dict(direction=direction, hidden_size=5, opset=14)
        yield case("lstm_" + direction, "LSTM",
                   [reals(6, 3, 4), *recurrent(4, 5, 4, d), lengths, reals(d, 3, 5),
                    reals(d, 3, 5), weight(reals(d, 15))], outputs=3, **common)
        yield case("gru_" + direction, "GRU",
                   [reals(6, 3, 4), *recurrent(3, 5, 4, d), lengths, reals(d, 3, 5)], outputs=2,
                   **common)
        yield case("gru_before_" + direction, "GRU", [reals(6, 3, 4), *recurrent(3, 5, 4, d)],
                   outputs=2, linear_before_reset=1, **common)
        yield case("rnn_" + direction, "RNN",
                   [reals(6, 3, 4), *recurrent(1, 5, 4, d), lengths], outputs=2,
                   activations=["Relu"] * d, clip=0.8, **common)
    yield case("lstm_activations", "LSTM", [reals(4, 2, 3), *recurrent(4, 5, 3, 1)], outputs=3,
               opset=14, hidden_size=5, activations=["HardSigmoid", "ScaledTanh", "Softsign"],
               activation_alpha=[0.3, 1.2], activation_beta=[0.4, 0.7])
    yield case("attention", "Attention",
               [reals(2, 4, 3, 8), reals(2, 2, 5, 8), reals(2, 2, 5, 6), reals(3, 5)], opset=23,
               oracle="reference", softcap=2.0)
    yield case("attention_cache", "Attention",
               [reals(2, 3, 24), reals(2, 3, 12), reals(2, 3, 12), None, reals(2, 2, 4, 6),
                reals(2, 2, 4, 6)], outputs=3, opset=23, oracle="reference", is_causal=1,
               q_num_heads=4, kv_num_heads=2)
    yield case("rotary", "RotaryEmbedding",
               [reals(2, 3, 4, 8), reals(9, 3), reals(9, 3), RNG.integers(0, 9, (2, 4))], opset=23,
               oracle="reference", rotary_embedding_dim=6, interleaved=1)
    yield case("ms_multi_head", "MultiHeadAttention",
               [reals(2, 3, 8), reals(2, 5, 8), reals(2, 5, 8), weight(reals(24)), None,
                reals(1, 2, 3, 5)], domain=MS, num_heads=2)
    yield case("ms_attention", "Attention",
               [reals(2, 5, 8), weight(reals(8, 24)), weight(reals(24)), np.int32([3, 5])],
               domain=MS, num_heads=2)
    yield case("ms_group_query", "GroupQueryAttention",
               [reals(1, 3, 32), reals(1, 3, 16), reals(1, 3, 16), None, None, np.int32([2]),
                Const(3, dtype=np.int32)], outputs=3, domain=MS, num_heads=4, kv_num_heads=2)
    cache = reals(2, 1, 2, 6, 16)
    cache[:, :, :, 4:] = 0  # rows that no token has written yet
    angle = RNG.uniform(-3, 3, (16, 8))
    yield case("ms_group_query_cache", "GroupQueryAttention",
               [reals(1, 1, 64), reals(1, 1, 32), reals(1, 1, 32), cache[0],
                cache[1], np.int32([4]), Const(5, dtype=np.int32),
                weight(np.cos(angle).astype(np.float32)), weight(np.sin(angle).astype(np.float32))],
               outputs=3, domain=MS, num_heads=4, kv_num_heads=2, do_rotary=1)
    yield case("ms_rotary", "RotaryEmbedding",
               [reals(2, 4, 24), np.array([3], np.int64), weight(reals(16, 4)),
                weight(reals(16, 4))], domain=MS, num_heads=3)
    qkv = [reals(1, 9, 32), reals(1, 9, 16), reals(1, 9, 16), None, None, np.int32([8]), Const(9, dtype=np.int32)]
    yield case("ms_group_query_window", "GroupQueryAttention", qkv, outputs=3, domain=MS, num_heads=4, kv_num_heads=2,
               local_window_size=3)
    yield case("ms_group_query_softcap", "GroupQueryAttention", qkv, outputs=3, domain=MS, num_heads=4,
               kv_num_heads=2, softcap=1.5, scale=0.4)
    yield case("ms_group_query_packed", "GroupQueryAttention",
               [reals(1, 3, 64), None, None, None, None, np.int32([2]), Const(3, dtype=np.int32)], outputs=3,
               domain=MS, num_heads=4, kv_num_heads=2)
    yield case("ms_fused_gemm", "FusedGemm", [reals(3, 4), weight(reals(5, 4)), weight(reals(5))], domain=MS,
               activation="LeakyRelu", activation_alpha=0.3, transB=1, alpha=0.5, beta=2.0)
    yield case("ms_dynamic_matmul", "DynamicQuantizeMatMul",
               [reals(2, 5, 8), weight(RNG.integers(-128, 128, (8, 6)).astype(np.int8)),
                weight(np.abs(reals(6)) + 0.01), weight(RNG.integers(-9, 9, 6).astype(np.int8)), weight(reals(6))],
               domain=MS)
    scale, zero = weight(np.float32(0.05)), weight(np.uint8(130))
    integers = lambda *shape: RNG.integers(0, 256, shape).astype(np.uint8)
    other, out = weight(np.float32(0.031)), weight(np.uint8(99))
    yield case("ms_qlinear_where", "QLinearWhere",
               [RNG.random((3, 1)) > 0.5, integers(3, 4), scale, zero, integers(4), other, zero, other, out], domain=MS)
    # ONNX Runtime has no kernel: the mean of the dequantized values, quantized.
    bytes = integers(2, 3, 4)
    mean = np.round(((bytes.astype(np.float32) - 130) * np.float32(0.05)).mean(2) / np.float32(0.031)) + 99
    yield case("ms_qlinear_mean", "QLinearReduceMean", [bytes, scale, zero, other, out], domain=MS, axes=[2], keepdims=0,
               oracle=[np.clip(mean, 0, 255).astype(np.uint8)])
    yield case("ms_embed", "EmbedLayerNormalization",
               [np.int32([[1, 4, 2], [0, 3, 3]]), np.int32([[0, 1, 1], [1, 0, 0]]), weight(reals(5, 8)),
                weight(reals(4, 8)), weight(reals(2, 8)), weight(reals(8)), weight(reals(8)),
                np.int32([[1, 1, 0], [1, 1, 1]])], outputs=3, domain=MS, epsilon=1e-5)
    for bits in (2, 4, 8):
        packed = RNG.integers(0, 256, (5, 3, 16 * bits // 8)).astype(np.uint8)
        yield case(f"ms_nbits_{bits}", "MatMulNBits",
                   [reals(2, 40), weight(packed), weight(reals(15)),
                    weight(RNG.integers(0, 256, 5 * (3 * bits + 7 >> 3)).astype(np.uint8))],
                   domain=MS, K=40, N=5, bits=bits, block_size=16)
    yield case("ms_fused_matmul", "FusedMatMul", [reals(2, 4, 3), reals(2, 4, 5)], domain=MS,
               transA=1, alpha=0.5)
    yield case("ms_fused_conv", "FusedConv", [image, weight(reals(4, 3, 3, 2)), weight(reals(4))],
               domain=MS, activation="Relu", pads=[1, 0, 1, 0])


def build(c):
    names, inputs, initializers = [], [], []
    for i, operand in enumerate(c["inputs"]):
        names.append("" if operand is None else f"x{i}")
        if isinstance(operand, Const):
            initializers.append(numpy_helper.from_array(operand.value, names[-1]))
        elif operand is not None:
            inputs.append(helper.make_tensor_value_info(
                names[-1], helper.np_dtype_to_tensor_dtype(operand.dtype), operand.shape))
    outputs = [f"y{i}" for i in range(c["outputs"])]
    node = helper.make_node(c["op"], names, outputs, name="node", domain=c["domain"],
                            **c["attributes"])
    infos = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([node], "graph", inputs, infos, initializers)
    opsets = [helper.make_opsetid("", c["opset"])]
    if c["domain"]:
        opsets.append(helper.make_opsetid(c["domain"], 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def expected(c, model, feeds):
    if isinstance(c["oracle"], list):
        return c["oracle"]
    if c["oracle"] == "reference":
        return ReferenceEvaluator(model).run(None, feeds)
    return ort.InferenceSession(model.SerializeToString(),
                                providers=["CPUExecutionProvider"]).run(None, feeds)


def check(cimc, folder, c):
    os.makedirs(folder + "/in", exist_ok=True)
    model = build(c)
    feeds = {f"x{i}": v for i, v in enumerate(c["inputs"]) if isinstance(v, np.ndarray)}
    want = expected(c, model, feeds)
    onnx.save(model, folder + "/model.onnx")
    for name, value in feeds.items():
        np.save(f"{folder}/in/{name}.npy", value)
    if not feeds:
        return "has no inputs"
    for level in ("nn", "isa") if c["chip"] else ("nn",):
        done = subprocess.run([cimc, "run", folder + "/model.onnx", "--level", level, "--precision", "float",
                               "--input", folder + "/in", "--output", folder + "/" + level], capture_output=True, text=True)
        if done.returncode:
            return f"{level}: exit code {done.returncode}: {done.stderr.strip()[:300]}"
        for i, w in enumerate(want):
            got = np.load(f"{folder}/{level}/y{i}.npy")
            if got.shape != w.shape or got.dtype != w.dtype:
                return f"{level}: y{i} is {got.dtype}{got.shape}, not {w.dtype}{w.shape}"
            if not np.allclose(got, w, rtol=1e-5, atol=1e-5, equal_nan=True):
                return f"{level}: y{i} differs by {np.abs(got.astype(float) - w.astype(float)).max()}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cimc")
    parser.add_argument("workdir")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    ort.set_default_logger_severity(3)
    failed = count = 0
    for c in cases():
        if options.only not in c["name"]:
            continue
        count += 1
        folder = os.path.join(options.workdir, c["name"].replace(">", "").replace(".", "_"))
        problem = check(options.cimc, folder, c)
        if problem:
            failed += 1
            print(f"{c['name']}: {problem}")
    print(f"{failed} of {count} cases differ" if failed else f"all {count} cases agree")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
