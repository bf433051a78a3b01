#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""Runs operations of the vector unit, in awkward shapes, at every level.

usage: vector_levels.py [--cimc PATH]

Each case is one operation of the nn level. All cases of a group form one
network, which runs at the levels nn, cim, sched and isa (--precision float):
cim, sched and isa must agree bit for bit, nn within 1e-5 of the largest value
(sums may be added in another order), integers and truth values exactly.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

TYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64, "i32": np.int32,
         "i8": np.int8, "ui32": np.uint32, "ui8": np.uint8, "i1": np.bool_}


def tensor(shape, element):
    return "tensor<" + "".join(f"{n}x" for n in shape) + element + ">"


class Network:
    """A function with one result for each case."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.inputs, self.results, self.lines = [], [], []

    def input(self, shape, element="f32", low=-4, high=5):
        name = f"%x{len(self.inputs)}"
        dtype = TYPES[element]
        if np.issubdtype(dtype, np.floating):
            values = (self.random.standard_normal(shape) * 2).astype(dtype)
        else:
            values = self.random.integers(max(low, 0) if element[0] == "u" else low, high, shape).astype(dtype)
        self.inputs.append((name, tensor(shape, element), values))
        return name

    def op(self, op, operands, attributes, result, more=()):
        """operands: (value, type), or a shape or (shape, type, low, high) of a new input."""
        names, types = [], []
        for operand in operands:
            if isinstance(operand, tuple) and operand and isinstance(operand[0], str):
                name, type_ = operand
            else:
                shape, element, *limits = operand if isinstance(operand, tuple) else (operand, "f32")
                name, type_ = self.input(shape, element, *limits), tensor(shape, element)
            names.append(name)
            types.append(type_)
        name = f"%r{len(self.lines)}"
        results = [result, *more]
        suffix = f":{len(results)}" if more else ""
        text = ", ".join(results)
        self.lines.append(f"{name}{suffix} = nn.{op} {', '.join(names)} {attributes} : "
                          f"({', '.join(types)}) -> {'(' + text + ')' if more else text}")
        for i, type_ in enumerate(results):
            self.results.append((f"{name}#{i}" if more else name, type_))
        return name, result

    def text(self):
        arguments = ", ".join(f'{name}: {type_} {{nn.name = "{name[1:]}"}}' for name, type_, _ in self.inputs)
        types = ", ".join(f'{type_} {{nn.name = "y{i}"}}' for i, (_, type_) in enumerate(self.results))
        body = "\n".join("  " + line for line in self.lines)
        names = ", ".join(name for name, _ in self.results)
        returned = ", ".join(type_ for _, type_ in self.results)
        return f"func.func @main({arguments}) -> ({types}) {{\n{body}\n  return {names} : {returned}\n}}\n"


def elementwise(n):
    for shape in ([1], [], [7], [5, 3], [2, 3, 5], [1, 3, 5, 7], [2, 3, 1, 5, 2]):
        n.op("sigmoid", [shape], "", tensor(shape, "f32"))
        n.op("add", [shape, shape], "", tensor(shape, "f32"))
    n.op("mul", [[2, 3, 5, 7], [5, 1]], "", tensor([2, 3, 5, 7], "f32"))
    n.op("sub", [[3, 1, 7], [2, 1, 5, 1]], "", tensor([2, 3, 5, 7], "f32"))
    n.op("div", [[5, 1], [1, 5]], "", tensor([5, 5], "f32"))
    n.op("less", [[4, 5], [5]], "", tensor([4, 5], "i1"))
    n.op("leaky_relu", [[1, 13]], "{alpha = 0.25 : f32}", tensor([1, 13], "f32"))


def integers(n):
    for element in ("i64", "i32", "i8", "ui8"):
        for op in ("add", "sub", "mul", "max", "min"):
            n.op(op, [([3, 5], element), ([5], element)], "", tensor([3, 5], element))
        n.op("equal", [([3, 5], element), ([3, 1], element)], "", tensor([3, 5], "i1"))
    for op in ("and", "or", "xor"):
        n.op(op, [([2, 3], "i1"), ([3], "i1")], "", tensor([2, 3], "i1"))
    n.op("not", [([7], "i1")], "", tensor([7], "i1"))
    n.op("where", [([2, 1], "i1"), ([3], "f32"), ([2, 3], "f32")], "", tensor([2, 3], "f32"))
    n.op("where", [([3], "i1"), ([2, 3], "i64"), ([], "i64")], "", tensor([2, 3], "i64"))
    for a, b in (("f32", "i64"), ("i64", "f32"), ("f32", "i1"), ("i1", "f32"), ("i32", "i8"), ("f64", "f32"),
                 ("f32", "f16"), ("f16", "f32"), ("ui8", "i64")):
        n.op("cast", [([3, 5], a)], "", tensor([3, 5], b))
    # The low bits.
    for a in ("f32", "i64", "i8"):
        for b in ("i4", "ui4", "i2", "ui2"):
            n.op("cast", [([3, 17], a, -40, 40)], "", tensor([3, 17], b))
    # What is too large saturates, becomes infinity or no number.
    for b in ("f8E4M3FN", "f8E5M2", "f8E4M3FNUZ", "f4E2M1FN"):
        for saturate in ("true", "false"):
            n.op("cast", [([3, 5], "i32", -99999, 99999)], f"{{saturate = {saturate}}}", tensor([3, 5], b))


def roundings(n):
    """Smaller floats between operations, whose rounding is seen only behind them."""
    def cast(x, element):
        return n.op("cast", [x], "", tensor([3, 17], element))
    for element in ("f16", "bf16", "f8E4M3FN", "f8E4M3FNUZ", "f8E5M2", "f8E5M2FNUZ", "f8E8M0FNU", "f4E2M1FN"):
        small = n.op("cast", [[3, 17]], "", tensor([3, 17], element))
        n.op("mul", [cast(small, "f32"), [17]], "", tensor([3, 17], "f32"))
        # One that overflows, and then one that is the model's output as well.
        n.op("sigmoid", [cast(n.op("cast", [([3, 17], "i32", -99999, 99999)], "{saturate = false}",
                                   tensor([3, 17], element)), "f32")], "", tensor([3, 17], "f32"))
    bits = n.op("bit_cast", [[3, 17]], "", tensor([3, 17], "i32"))
    n.op("and", [bits, ([17], "i32", 0, 1 << 30)], "", tensor([3, 17], "i32"))
    n.op("bit_cast", [([3, 17], "i32", 0x3f000000, 0x40800000)], "", tensor([3, 17], "f32"))
    n.op("bit_cast", [([3, 17], "ui32", 0x3f000000, 0x40800000)], "", tensor([3, 17], "f32"))


def products(n):
    for a, b, y in (([3, 5], [5, 7], [3, 7]), ([2, 3, 5], [2, 5, 7], [2, 3, 7]), ([5], [5, 3], [3]), ([3, 5], [5], [3]),
                    ([1, 2, 3, 5], [1, 2, 5, 7], [1, 2, 3, 7]), ([2, 3, 4, 5], [5, 7], [2, 3, 4, 7]),
                    ([4, 5], [2, 5, 3], [2, 4, 3]), ([2, 1, 4, 5], [3, 5, 3], [2, 3, 4, 3])):
        n.op("matmul", [a, b], "", tensor(y, "f32"))
    n.op("matmul", [[2, 3, 5], [2, 7, 5]], "{transpose_b}", tensor([2, 3, 7], "f32"))
    n.op("matmul", [[5, 3], [7, 5], [7]], "{transpose_a, transpose_b}", tensor([3, 7], "f32"))
    x = n.op("transpose", [[1, 5, 2, 3]], "{perm = array<i64: 0, 2, 3, 1>}", tensor([1, 2, 3, 5], "f32"))
    n.op("matmul", [x, [1, 2, 5, 4]], "", tensor([1, 2, 3, 4], "f32"))
    n.op("softmax", [[2, 3, 5]], "{axis = 1 : i64}", tensor([2, 3, 5], "f32"))


    # Transposed convolutions whose weights are inputs.
    n.op("conv_transpose", [[2, 4, 3, 5], [4, 3, 2, 3], [3]], "{strides = array<i64: 2, 1>, pads = array<i64: 0, 1, 1, 0>,"
         " dilations = array<i64: 1, 2>, output_padding = array<i64: 1, 0>, group = 1 : i64}", tensor([2, 3, 6, 8], "f32"))
    n.op("conv_transpose", [[1, 4, 7], [4, 3, 2]], "{strides = array<i64: 3>, pads = array<i64: 1, 0>,"
         " dilations = array<i64: 1>, output_padding = array<i64: 0>, group = 2 : i64}", tensor([1, 6, 19], "f32"))


def pools(n):
    def attributes(kernel, strides, pads, dilations, more=""):
        fields = (("kernel", kernel), ("strides", strides), ("pads", pads), ("dilations", dilations))
        return "{" + ", ".join(f"{k} = array<i64: {', '.join(map(str, v))}>" for k, v in fields) + more + "}"
    square = attributes([3, 3], [2, 2], [1, 1, 1, 1], [1, 1])
    for op in ("max_pool", "avg_pool"):
        n.op(op, [[1, 3, 7, 6]], square, tensor([1, 3, 4, 3], "f32"))
        n.op(op, [[2, 3, 7, 6]], square, tensor([2, 3, 4, 3], "f32"))
        n.op(op, [[1, 2, 9]], attributes([2], [1], [0, 0], [3]), tensor([1, 2, 6], "f32"))
        n.op(op, [[1, 2, 3, 5, 4]], attributes([2, 3, 2], [1, 2, 1], [0, 1, 0, 0, 1, 0], [1, 1, 1]),
             tensor([1, 2, 2, 3, 3], "f32"))
    n.op("avg_pool", [[1, 3, 7, 6]], attributes([3, 3], [2, 2], [1, 1, 1, 1], [1, 1], ", count_include_pad"),
         tensor([1, 3, 4, 3], "f32"))
    for shape in ([1, 3, 5, 7], [2, 3, 5], [2, 3, 2, 2, 3]):
        n.op("global_avg_pool", [shape], "", tensor(shape[:2] + [1] * (len(shape) - 2), "f32"))


def reductions(n):
    for op in ("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min"):
        for shape, axes, left in (([3, 5], [1], [3]), ([2, 3, 5], [1], [2, 5]), ([2, 3, 4, 5], [0, 2], [3, 5]),
                                  ([2, 3, 4], [0, 1, 2], []), ([1, 3, 4, 5], [1, 2], [1, 5])):
            text = "array<i64: " + ", ".join(map(str, axes)) + ">"
            kept = [1 if i in axes else size for i, size in enumerate(shape)]
            n.op(op, [shape], f"{{axes = {text}, keep_dims}}", tensor(kept, "f32"))
            n.op(op, [(shape, "i64")] if op != "reduce_mean" else [shape], f"{{axes = {text}}}",
                 tensor(left, "i64" if op != "reduce_mean" else "f32"))
    for op in ("arg_max", "arg_min"):
        n.op(op, [[3, 5, 2]], "{axis = 1 : i64}", tensor([3, 2], "i64"))
        n.op(op, [([3, 5, 2], "i64")], "{axis = 2 : i64, keep_dims, last}", tensor([3, 5, 1], "i64"))
    for op in ("cum_sum", "cum_prod"):
        n.op(op, [[3, 5, 2]], "{axis = 1 : i64}", tensor([3, 5, 2], "f32"))
        n.op(op, [([4, 3], "i32")], "{axis = 1 : i64, exclusive, reverse}", tensor([4, 3], "i32"))
    n.op("log_softmax", [[3, 5, 2]], "{axis = 1 : i64}", tensor([3, 5, 2], "f32"))
    n.op("rms_norm", [[3, 5], [5]], "{axis = 1 : i64, epsilon = 1.0e-5 : f32}", tensor([3, 5], "f32"))


def indexing(n):
    n.op("gather", [[4, 5], ([3, 2], "i64", -5, 5)], "{axis = 1 : i64}", tensor([4, 3, 2], "f32"))
    n.op("gather", [[4, 5, 3], ([7], "i32", -4, 4)], "{axis = 0 : i64}", tensor([7, 5, 3], "f32"))
    n.op("gather", [([4, 5, 3], "i64"), ([], "i64", -5, 5)], "{axis = 1 : i64}", tensor([4, 3], "i64"))
    n.op("gather_elements", [[3, 5], ([3, 2], "i64", -5, 5)], "{axis = 1 : i64}", tensor([3, 2], "f32"))
    n.op("gather_elements", [[3, 5, 2], ([4, 5, 1], "i64", -3, 3)], "{axis = 0 : i64}", tensor([4, 5, 1], "f32"))
    n.op("gather_nd", [[4, 5, 6], ([7, 2], "i64", -4, 4)], "{batch_dims = 0 : i64}", tensor([7, 6], "f32"))
    n.op("gather_nd", [[2, 5, 6], ([2, 3, 1], "i64", -5, 5)], "{batch_dims = 1 : i64}", tensor([2, 3, 6], "f32"))
    for reduction in ("none", "add", "mul", "max", "min"):
        n.op("scatter_elements", [[3, 5], ([3, 2], "i64", -5, 5), [3, 2]],
             f'{{axis = 1 : i64, reduction = "{reduction}"}}', tensor([3, 5], "f32"))
        n.op("scatter_nd", [[4, 5], ([2, 1], "i64", -4, 4), [2, 5]], f'{{reduction = "{reduction}"}}',
             tensor([4, 5], "f32"))
    n.op("cache_update", [[2, 3, 7, 4], [2, 3, 2, 4], ([2], "i64", 0, 6)], "{axis = 2 : i64}",
         tensor([2, 3, 7, 4], "f32"))
    n.op("topk", [[2, 9]], "{k = 3 : i64, axis = 1 : i64}", tensor([2, 3], "f32"), [tensor([2, 3], "i64")])
    n.op("topk", [[5, 2, 3]], "{k = 2 : i64, axis = 0 : i64, smallest}", tensor([2, 2, 3], "f32"),
         [tensor([2, 2, 3], "i64")])
    n.op("expand", [[3, 1]], "{shape = array<i64: 2, 3, 4>}", tensor([2, 3, 4], "f32"))


def composites(n):
    n.op("attention", [[1, 4, 7, 8], [1, 2, 9, 8], [1, 2, 9, 5], [7, 9]], "{scale = 0.25 : f32}",
         tensor([1, 4, 7, 5], "f32"))
    n.op("attention", [[2, 2, 3, 4], [2, 2, 3, 4], [2, 2, 3, 4]], "{scale = 0.5 : f32, softcap = 2.0 : f32}",
         tensor([2, 2, 3, 4], "f32"))
    for more in ("{interleaved}", ""):
        n.op("rotary_embedding", [[1, 2, 5, 8], [5, 4], [5, 4]], more, tensor([1, 2, 5, 8], "f32"))
        n.op("rotary_embedding", [[1, 2, 5, 8], [5, 3], [5, 3]], more, tensor([1, 2, 5, 8], "f32"))
    for mode in ("nearest", "linear", "cubic"):
        n.op("resize", [[1, 2, 3, 4]], '{sizes = array<i64: 1, 2, 6, 10>, scales = array<f32: 1.0, 1.0, 2.0, 2.5>, '
             f'mode = "{mode}", coordinates = "half_pixel"}}', tensor([1, 2, 6, 10], "f32"))


def sampling(n):
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            more = ", align_corners" if padding == "border" else ""
            n.op("grid_sample", [[2, 3, 4, 5], [2, 3, 2, 2]], f'{{mode = "{mode}", padding = "{padding}"{more}}}',
                 tensor([2, 3, 3, 2], "f32"))
    n.op("grid_sample", [[1, 2, 3, 4, 5], [1, 2, 1, 3, 3]], '{mode = "linear", padding = "reflection", align_corners}',
         tensor([1, 2, 2, 1, 3], "f32"))
    for mode, more in (("avg", ""), ("max", ", half_pixel")):
        n.op("roi_align", [[2, 3, 6, 7], [4, 4], ([4], "i64", 0, 2)],
             f'{{size = array<i64: 2, 3>, scale = 1.0 : f32, sampling = 2 : i64, mode = "{mode}"{more}}}',
             tensor([4, 3, 2, 3], "f32"))
    for group, offsets, segments, operands in ((1, 1, "1, 1, 1, 0, 0", []), (2, 2, "1, 1, 1, 1, 1", [[4], [2, 8, 4, 4]])):
        n.op("deform_conv", [[2, 4, 5, 5], [4, 4 // group, 2, 2], [2, offsets * 8, 4, 4], *operands],
             f"{{strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = {group} : i64,"
             f" offset_group = {offsets} : i64, operandSegmentSizes = array<i32: {segments}>}}", tensor([2, 4, 4, 4], "f32"))
    for element in ("f32", "i64"):
        n.op("reverse_sequence", [([5, 3, 2], element), ([3], "i64", 0, 6)], "{time_axis = 0 : i64, batch_axis = 1 : i64}",
             tensor([5, 3, 2], element))


def recurrent(n):
    """Weights that are inputs, and samples of different lengths."""
    T, B, I, H = 4, 3, 5, 6
    state, result = tensor([B, H], "f32"), tensor([T, B, H], "f32")
    for more in ("", ", reverse", ", input_forget, clip = 0.5 : f32"):
        n.op("lstm", [[T, B, I], [4 * H, I], [4 * H, H], [4 * H], ([B], "i32", 0, T + 1), [B, H], [B, H], [3 * H]],
             '{activations = ["sigmoid", "tanh", "softsign"], operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1>'
             + more + "}", result, [state, state])
    for more in ("", ", linear_before_reset, reverse"):
        n.op("gru", [[T, B, I], [3 * H, I], [3 * H, H], [3 * H], [3 * H], [B, H]],
             '{activations = ["hard_sigmoid", "elu"], alpha = array<f32: 0.2, 1.0>, beta = array<f32: 0.5, 0.0>,'
             ' operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 1>' + more + "}", result, [state])
    for activation in ("affine", "scaled_tanh", "leaky_relu", "thresholded_relu", "relu", "softplus", "tanh"):
        n.op("rnn", [[T, B, I], [H, I], [H, H]],
             f'{{activations = ["{activation}"], alpha = array<f32: 0.3>, beta = array<f32: 0.7>,'
             ' operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}', result, [state])


GROUPS = (elementwise, integers, products, pools, reductions, indexing, composites, sampling, recurrent, roundings)


def run(cimc, folder, group, seed):
    network = Network(seed)
    group(network)
    model = folder / f"{group.__name__}.mlir"
    model.write_text(network.text())
    inputs = folder / f"{group.__name__}.in"
    inputs.mkdir()
    for name, _, values in network.inputs:
        np.save(inputs / f"{name[1:]}.npy", values)
    outputs = {}
    for level in ("nn", "cim", "sched", "isa"):
        out = folder / f"{group.__name__}.{level}"
        out.mkdir()
        command = [cimc, "run", str(model), "--level", level, "--precision", "float", "--input", str(inputs),
                   "--output", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stderr}")
        outputs[level] = [np.load(out / f"y{i}.npy") for i in range(len(network.results))]
    failed = False
    for i, (name, type_) in enumerate(network.results):
        nn, cim, sched, isa = (outputs[level][i] for level in ("nn", "cim", "sched", "isa"))
        line = network.lines[int(name[2:].split("#")[0])]
        if not all(x.dtype == cim.dtype and x.tobytes() == cim.tobytes() for x in (sched, isa)):
            print(f"{group.__name__}: the levels differ on {line}\n{cim}\n{sched}\n{isa}")
            failed = True
        if np.issubdtype(nn.dtype, np.floating):
            bound = 1e-5 * max(1, np.abs(nn[np.isfinite(nn)]).max(initial=0))
            same = np.allclose(cim, nn, rtol=1e-5, atol=bound, equal_nan=True)
        else:
            same = np.array_equal(cim, nn)
        if not same or cim.shape != nn.shape or cim.dtype != nn.dtype:
            print(f"{group.__name__}: the chip differs from nn on {line}\n{nn}\n{cim}")
            failed = True
    print(f"{group.__name__}: {len(network.results)} results {'DIFFER' if failed else 'equal'}")
    return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cimc", default="cimc")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = [run(args.cimc, pathlib.Path(folder), group, seed) for seed, group in enumerate(GROUPS)]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
