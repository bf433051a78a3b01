# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""What import says about nodes that are wrong or not supported: one row a message.

usage: messages.py CIMC WORKDIR

Every row is a graph in ONNX's text form: inputs, outputs and body, the operator set if not 18,
the exit code (3: not valid, 4: not supported) and a part of the message.
"""

import os
import subprocess
import sys

INVALID, UNSUPPORTED = 3, 4
V, U = INVALID, UNSUPPORTED
TWO = "c = Constant <value: tensor = int64[2] {%d, %d}> () "
ONE = "c = Constant <value: tensor = int64[1] {%d}> () "

ROWS = [
    # Attention and recurrent layers.
    ("float[2,3,8] q, float[2,3,8] k", "y = Attention (q, k, k)", 23, V, "needs 4 axes, or 3 and 'q_num_heads'"),
    ("float[1,2,3,4] q, int32[3,3] m", "y = Attention (q, q, q, m)", 23, U, "must be boolean or float32"),
    ("float[1,2,3,4] q, float[3,5] m", "y = Attention (q, q, q, m)", 23, V, "has more columns than the 3 keys"),
    ("float[1,2,3,4] q, float[1,2,1,4] p", "y = Attention (q, q, q, , p)", 23, V, "past_key and past_value belong together"),
    ("float[1,3,2,4] q, float[1,2,2,4] k", "y = Attention (q, k, k)", 23, V, "are no multiple of the 2 heads of the key"),
    ("float[2,3,4] x, float[1,5,3] w, float[1,5,5] r", "y = RNN <hidden_size = 5, direction = \"sideways\"> (x, w, r)",
     18, V, "forward, reverse and bidirectional exist"),
    ("float[2,3,4] x, float[1,5,4] w, float[1,5,5] r", "y = RNN <hidden_size = 5, direction = \"bidirectional\"> (x, w, r)",
     18, V, "has 1 directions, but direction is bidirectional"),
    ("float[2,3,4] x, float[1,5,4] w, float[1,5,5] r", "y = RNN <hidden_size = 6> (x, w, r)", 18, V,
     "hidden_size is 6, but the recurrence is 1x5x5"),
    ("float[2,3,4] x, float[1,5,4] w, float[1,5,5] r, int64[3] n", "y = RNN <hidden_size = 5> (x, w, r, , n)", 18, V,
     "must be int32"),
    ("float[2,3,4] x, float[1,5,4] w, float[1,5,5] r, float[2,3,5] h", "y = RNN <hidden_size = 5> (x, w, r, , , h)", 18, V,
     "must have 3 axes and 1 directions"),
    ("float[2,3,4] x, float[1,5,4] w, float[1,5,5] r", "y = RNN <hidden_size = 5, activations = [\"Gauss\"]> (x, w, r)",
     18, V, "the activation 'Gauss' does not exist"),
    # Constants and conversions.
    ("float[3] x", "t = Constant <value: tensor = bool[1] {1}> () y = Dropout (x, , t)", 18, U,
     "training mode is not supported"),
    ("float[3] x", "z, y = Dropout (x)", 9, U, "a mask of floats (opset below 10) is not supported"),
    ("float[3] x", "c = Constant <value_string = \"a\"> () y = Identity (c)", 18, U, "a constant of kind 'value_string'"),
    ("float[3] x", "c = Constant <value_int = 1, value_float = 2.0> () y = Identity (c)", 18, V,
     "needs exactly one value, not 2"),
    ("float[3] x", ONE % 3 + "y = ConstantOfShape <value: tensor = float[2] {1, 2}> (c)", 18, V,
     "attribute 'value' must have one element"),
    # Control flow.
    ("float[3] x, bool[2] c", "y = If (c) <then_branch = t () => (float[3] a) { a = Relu (x) }, "
     "else_branch = e () => (float[3] b) { b = Neg (x) }>", 18, V, "must be one truth value"),
    ("float[3] x", TWO % (2, 3) + "y = Loop (c, , x) <body = b (int64 i, bool g, float[3] s) => (bool h, float[3] t) "
     "{ h = Identity (g) t = Relu (s) }>", 18, V, "must be one number"),
    ("float[3,2] x, float[4,2] z", "y = Scan (x, z) <num_scan_inputs = 2, body = b (float[2] p, float[2] q) => "
     "(float[2] r) { r = Add (p, q) }>", 18, V, "'z' has 4 steps along axis 0, others have 3"),
    # Products.
    ("float[3,4] x", "y = Einsum <equation = \"i!->i\"> (x)", 18, V, "is not a label"),
    ("float[3,4] x", "y = Einsum <equation = \"...ijk->i\"> (x)", 18, V, "names more axes than the 2 of its operand"),
    ("float[3,4] x", "y = Einsum <equation = \"i->i\"> (x)", 18, V, "does not name the 2 axes of its operand"),
    ("float[3,4] x", "y = Einsum <equation = \"ij,jk->ik\"> (x)", 18, V, "has 2 operands, the node 1"),
    ("float[3,4] x", "y = Einsum <equation = \"ij->iz\"> (x)", 18, V, "has the label 'z' twice or no operand has it"),
    ("float[3,4,5] x, float[4,3] w", "y = Gemm (x, w)", 18, V, "A and B must have 2 axes, not 3x4x5 and 4x3"),
    ("float[3,4] x, float[4,3] w", "y = Conv (x, w)", 18, V, "needs at least 3 axes"),
    ("float[1,1,5] x, float[1,1,3] w", "y = Conv <kernel_shape = [2]> (x, w)", 18, V,
     "kernel_shape is 2 but the weight has kernel 3"),
    ("float[1,1,5] x, float[1,1,3] w", "y = ConvTranspose <kernel_shape = [2]> (x, w)", 18, V,
     "kernel_shape is 2 but the weight has kernel 3"),
    # Indexing.
    ("float x, int64[1] i", "y = Gather (x, i)", 18, V, "the data is a scalar"),
    ("float[5] x", TWO % (2, 3) + "v, y = TopK (x, c)", 18, V, "k ('c') must be one number"),
    ("int64[3] x, float[2] v", TWO % (2, 3) + "y = OneHot (x, c, v)", 18, V, "must be one positive number"),
    ("int64[3] x, float[3] v", ONE % 4 + "y = OneHot (x, c, v)", 18, V, "must be two numbers, off and on"),
    # Movement.
    ("float[4] x", "a, y = Split <num_outputs = 3> (x)", 18, V, "num_outputs is 3, but the node has 2 outputs"),
    ("float[4] x", TWO % (5, -1) + "a, y = Split (x, c)", 18, V, "a part has the size -1"),
    ("float[4] x", TWO % (1, 2) + "y = Tile (x, c)", 18, V, "there are 2 repeats for the 1 axes of 4"),
    ("float[4] x", ONE % -1 + "y = Tile (x, c)", 18, V, "axis 0 is repeated -1 times"),
    ("float[4] x", TWO % (2, -3) + "y = Expand (x, c)", 18, V, "shapes 4 and 2x-3 cannot be broadcast together"),
    ("float[4] x", "y = Trilu (x)", 18, V, "must have at least 2 axes"),
    ("float[4,4] x", TWO % (1, 2) + "y = Trilu (x, c)", 18, V, "k ('c') must be one number"),
    ("float[4] x", "y = EyeLike (x)", 18, V, "must have 2 axes"),
    ("float[1] x", "a = Constant <value: tensor = float {0}> () b = Constant <value: tensor = float {9}> () y = Range (a, b, a)",
     18, V, "the step is 0"),
    ("float[1] x", "a = Constant <value: tensor = float {0}> () b = Constant <value: tensor = int64 {9}> () y = Range (a, b, b)",
     18, V, "start, limit and step must be numbers of one type"),
    ("float[6] x", TWO % (4, -1) + "y = Reshape (x, c)", 18, V, "6 elements of shape 6 cannot take the shape 4x-1"),
    ("float[6] x", TWO % (6, 0) + "y = Reshape (x, c)", 18, V, "copies dimension 1 of 6, which does not exist"),
    ("float[6] x", TWO % (6, -2) + "y = Reshape (x, c)", 18, V, "has the dimension -2"),
    ("float[6] x", ONE % 3 + "y = Unsqueeze (x, c)", 18, V, "axis 3 does not exist"),
    ("float[6] x", "y = Unsqueeze (x)", 18, V, "the axes are missing"),
    ("float x", "y = Concat <axis = 0> (x, x)", 18, V, "scalars cannot be joined"),
    ("float[2] x", "y = Concat (x, x)", 18, V, "attribute 'axis' is missing"),
    ("float[2] x, int64[2] z", "y = Concat <axis = 0> (x, z)", 18, V, "cannot be joined"),
    ("float[6] x", "a = Constant <value: tensor = int64[1] {0}> () y = Slice (x, a, a, a, a)", 18, V, "step 0 along axis 0"),
    ("float[6] x", TWO % (3, 1) + "y = Pad <mode = \"mirror\"> (x, c)", 18, V, "constant, reflect, edge and wrap exist"),
    ("float[6] x", TWO % (1, 1) + "y = Pad (x, c, c)", 18, V, "must be one number"),
    ("float[6] x", TWO % (-4, -4) + "y = Pad (x, c)", 18, V, "removes more than axis 0 of 6 has"),
    ("float[6] x", "y = Transpose <perm = [1]> (x)", 18, V, "perm is not a permutation of the 1 axes of 6"),
    ("float[6] x", "y = Flatten <axis = 3> (x)", 18, V, "axis 3 does not exist in a tensor with 1 axes"),
    ("float[6] x, float[2] z", "y = Reshape (x, z)", 18, U, "the shape ('z') must be known at compile time"),
    # Elementwise.
    ("float[3] x", "y = Relu <colour = 1> (x)", 18, U, "attribute 'colour' is not known for opset 18"),
    ("float[3] x", "y = Max ()", 18, V, "needs at least one input"),
    ("float[3] x", "y = Gelu <approximate = \"fast\"> (x)", 20, V, "it is none or tanh"),
    ("uint8[3] x", "y = BitShift <direction = \"UP\"> (x, x)", 18, V, "it is LEFT or RIGHT"),
    ("float[3] x, int64[3] z", "y = Add (x, z)", 18, V, "is float32 but 'z' is int64"),
    ("float[3] x, float[2] z", "y = Clip (x, z)", 18, V, "must be one float32 number"),
    ("float[3] x", "a = Relu (b) y = Relu (a)", 18, V,
     "input 'b' is not defined: no graph input, initializer or node has that name"),
    # Normalization and pooling.
    ("float x", "y = Softmax <axis = 0> (x)", 12, V, "the input is a scalar"),
    ("float[1,5,2] x, float[5] s", "y = GroupNormalization <num_groups = 2> (x, s, s)", 21, V, "has no 2 groups of channels"),
    ("float[3] x", "y = LRN <size = 3> (x)", 18, V, "has no 3 neighbouring channels"),
    ("float[1,2,3] x, float[2] s", "y = BatchNormalization <spatial = 0> (x, s, s, s, s)", 8, U,
     "statistics for each position (spatial=0) are not supported"),
    ("float[1,2,3] x, float[2] s", "y, m = BatchNormalization (x, s, s, s, s)", 9, U, "training outputs are not supported"),
    ("float[3] x, int64[3] t", "y = SoftmaxCrossEntropyLoss (x, t)", 18, V, "class axis"),
    ("float[1,1,5] x", "y = MaxPool <kernel_shape = [0]> (x)", 18, V, "attribute 'kernel_shape' has the entry 0; it must be positive"),
    ("float[1,1,5] x", "y = MaxPool <kernel_shape = [2], pads = [-1, 0]> (x)", 18, U,
     "negative or huge padding (-1) is not supported"),
    # Resampling and signals.
    ("float[1,1,4,4] x", "c = Constant <value: tensor = float[2] {2, 2}> () y = Resize (x, , c)", 18, V,
     "there are 2 scales and 0 sizes for 4 axes"),
    ("float[1,1,4,4] x", "y = Resize (x)", 18, V, "needs scales or sizes, one of both"),
    ("float[3,5,7] x", "y = DFT (x)", 17, V, "must end in an axis of 1 or 2 parts"),
    ("float[3,5,2] x", TWO % (2, 3) + "y = DFT (x, c)", 17, V, "must be one number"),
    ("float[3] x", TWO % (2, 3) + "y = CumSum (x, c)", 18, V, "the axis ('c') must be one number"),
    # Integers.
    ("float[3] x", "s = Constant <value: tensor = int32 {1}> () y = QuantizeLinear (x, s)", 13, V, "the scale 's' is int32, not a float"),
    ("uint8[2,3] x, uint8[3,2] w", "y = ConvInteger (x, w)", 18, V, "needs at least 3 axes"),
    ("uint8[3] x", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = int8 {1}> () "
     "y = DequantizeLinear (x, s, z)", 13, V, "the zero point 'z' is int8 but the integers are uint8"),
    ("uint8[1,1,5] x, uint8[2] w", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = uint8 {1}> () "
     "k = Constant <value: tensor = uint8[2,2] {1, 2, 3, 4}> () y = QLinearConv (x, s, z, k, s, z, s, z)", 13, V,
     "needs at least 3 axes"),
    ("uint8[1,1,5] x, float b", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = uint8 {1}> () "
     "k = Constant <value: tensor = uint8[1,1,2] {1, 2}> () c = Constant <value: tensor = int32[2] {1, 2}> () "
     "y = QLinearConv (x, s, z, k, s, z, s, z, c)", 13, V, "must be 1 int32 numbers"),
    ("float[4,3] x", "s = Constant <value: tensor = float[2] {1, 2}> () y = QuantizeLinear <axis = 0> (x, s)", 13, V,
     "there are 2 scales along axis 0 of shape 4x3; it needs 4"),
    ("float[3] x", "s = Constant <value: tensor = float {0}> () y = QuantizeLinear (x, s)", 13, V,
     "scales are positive and finite"),
    ("float[4,4] x", "s = Constant <value: tensor = float[3,4] {1,1,1,1,1,1,1,1,1,1,1,1}> () "
     "y = QuantizeLinear <axis = 0, block_size = 2> (x, s)", 21, V, "in blocks of 2 along axis 0"),
    # Windows.
    ("float[1,4,5] x", "c = Constant <value: tensor = int64[2] {4, 4}> () k = Constant <value: tensor = int64[2] {3, 3}> () "
     "y = Col2Im (x, c, k)", 18, V, "does not hold blocks of"),
    ("float[1,1,2,2] x, int32[1,1,2,2] i", "y = MaxUnpool <kernel_shape = [2, 2]> (x, i)", 18, V, "must be int64"),
    ("float[1,1,2,2] x, int64[1,1,2,2] i", "c = Constant <value: tensor = int64[4] {1, 1, 2, 2}> () "
     "y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, i, c)", 18, V, "is smaller than"),
    # Signals.
    ("float[1,8,1] x", "c = Constant <value: tensor = int64 {0}> () y = DFT (x, c)", 17, V, "a transform of 0 samples"),
    ("float[1,8,1] x", "y = DFT <axis = 2> (x)", 17, V, "the axis 2 holds the parts of numbers"),
    ("float[8] x", "c = Constant <value: tensor = int64 {4}> () y = STFT (x, c)", 17, V, "must be [batch, samples, parts]"),
    ("float[1,8,1] x", "c = Constant <value: tensor = int64 {9}> () y = STFT (x, c, , c)", 17, V, "do not fit the signal"),
    # Normalization.
    ("float[2] x, int64[2] t", "y = NegativeLogLikelihoodLoss (x, t)", 18, V, "class axis"),
    ("float[2,3] x, float[3] s", "y = LayerNormalization <axis = 2> (x, s)", 17, V, "axis 2 does not exist"),
    # Control flow.
    ("float[3] x", ONE % 2 + "b = Constant <value: tensor = bool[2] {1, 1}> () y = Loop (c, b, x) <body = b (int64 i, bool g, float[3] s)"
     " => (bool h, float[3] t) { h = Identity (g) t = Relu (s) }>", 18, V, "truth value"),
    ("float[3] x", "y = If (x)", 18, V, "attribute 'then_branch' must be a graph"),
    # com.microsoft.
    ("float[1,3,8] x", "y = com.microsoft.MultiHeadAttention <num_heads = 0> (x, x, x)", 18, V, "num_heads is 0"),
    ("float[1,3,8] x", "y = com.microsoft.MultiHeadAttention <num_heads = 2> (x, , x)", 18, V, "the key is missing"),
    ("float[1,3,8] x, float[8,24] w", "y = com.microsoft.Attention <num_heads = 2, do_rotary = 1> (x, w)", 18, U,
     "do_rotary is not supported"),
    ("float[1,3,8] x, int32[1] n", "y = com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 3> (x, x, x, , , n)",
     18, V, "4 query heads are no multiple of 3 key heads"),
    ("float[8] x, int32[1] n", "y = com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2> (x, x, x, , , n)",
     18, V, "must have 3 axes"),
    ("int32[1,3] x, float[5,8] t, float[2,8] p, float[8] s", "y, m = com.microsoft.EmbedLayerNormalization (x, , t, p, , s, s)",
     18, V, "there are 3 tokens but 2 position embeddings"),
    ("int32[3] x, float[5,8] t, float[2,8] p, float[8] s", "y, m = com.microsoft.EmbedLayerNormalization (x, , t, p, , s, s)",
     18, V, "must have 2 axes"),
    ("int32[1,3] x, float[5,8] t, float[4,8] p, float[8] s",
     "y, m = com.microsoft.EmbedLayerNormalization <mask_index_type = 1> (x, , t, p, , s, s)", 18, U, "mask_index_type is 1"),
    ("float[1,3,8] x, float[8,20] w", "y = com.microsoft.Attention <num_heads = 2> (x, w)", 18, V,
     "qkv_hidden_sizes 6x6x6 do not fit the weight 8x20"),
    ("float[3,8] x, float[8,24] w", "y = com.microsoft.Attention <num_heads = 2> (x, w)", 18, V,
     "must have 3 and 2 axes, and num_heads is 2"),
    ("float[1,3,8] x, int32[2] n", "y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 2> (x, x, x, , , n)",
     18, V, "must have one entry for each of 1 samples"),
    ("float[1,3,8] x, int32[1] n", "y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 2, smooth_softmax = 1> "
     "(x, x, x, , , n)", 18, U, "smooth softmax and attention sinks are not supported"),
    ("float[8] x, int64[1] p, float[9,2] c", "y = com.microsoft.RotaryEmbedding (x, p, c, c)", 18, V, "must have 3 or 4 axes"),
    ("float[1,3,8] x, int64[2,2] p, float[9,2] c", "y = com.microsoft.RotaryEmbedding <num_heads = 2> (x, p, c, c)", 18, V,
     "the positions of shape 2x2 must be 1x3"),
    ("uint8[1,2,2,4] x", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = uint8 {1}> () "
     "y = com.microsoft.QLinearGlobalAveragePool <channels_last = 1> (x, s, z, s, z)", 18, U, "channels_last is not supported"),
    ("uint8[1,2] x", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = uint8 {1}> () "
     "y = com.microsoft.QLinearConcat <axis = 1> (s, z, x, s)", 18, V,
     "needs a scale, a zero point and three inputs for each tensor"),
    ("uint8[2,3,4] x", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = uint8 {1}> () "
     "y = com.microsoft.QLinearSoftmax <opset = 12, axis = 1> (x, s, z, s, z)", 18, U,
     "softmax over several axes (opset below 13) is not supported here"),
    ("float[1,3,3,2] x, float[1,3] w, float[3] n", "y = com.microsoft.MatMulNBits <K = 0, N = 1, bits = 4, block_size = 16> (x, w, n)",
     18, V, "K is 0, N 1 and block_size 16"),
    # Operators one by one.
    ("float[1,2,3,0] q", "y = Attention (q, q, q)", 23, V, "has no channels"),
    ("float[1,2,3,4] q", "y, a, b, s = Attention <qk_matmul_output_mode = 7> (q, q, q)", 23, V, "qk_matmul_output_mode is 7; 0 to 3 exist"),
    ("float[1,2,3,8] x, float[9,3] c", "y = RotaryEmbedding (x, c, c)", 23, V, "the caches have 3 columns; 8 rotated channels need 4"),
    ("float[1,2,8] x, float[3,1,4] w", "y, s = CausalConvWithState (x, w)", 26, V, "must be [N, C, L] and [C, 1, K]"),
    ("float[1,2,8] x, float[2,1,4] w", "y, s = CausalConvWithState <activation = \"tanh\"> (x, w)", 26, V,
     "activation is 'tanh'; none, silu and swish exist"),
    ("float[1,3,8] x, int64[2] t", ONE % 2 + "y = Loop (c, , x) <body = b (int64 i, bool g) => (bool h, float[1,3,8] r) "
     "{ h = Identity (g) r = Relu (x) }>", 18, V,
     "a body has 2 inputs; it needs 3"),
    ("float[3] x", TWO % (2, 3) + "t = Constant <value: tensor = bool {1}> () y = If (t) <then_branch = a () => "
     "(float[3] p, float[3] q) { p = Relu (x) q = Neg (x) }, else_branch = e () => (float[3] r) { r = Neg (x) }>", 18, V,
     "a branch has 2 results; the node needs 1"),
    ("float[3] x", "t = Constant <value: tensor = bool[2] {1, 0}> () y = If (t) <then_branch = a () => "
     "(float[3] p) { p = Relu (x) }, else_branch = e () => (float[3] r) { r = Neg (x) }>", 18, V,
     "the condition 't' must be one truth value"),
    ("float[3] x", "n = Constant <value: tensor = int64 {2}> () y = Loop (n, , x) <body = b (int64 i, bool g, float[3] g) => "
     "(bool h, float[3] t) { h = Identity (g) t = Relu (g) }>", 18, V, "the name 'g' is defined twice in a body"),
    ("float[3] x", "n = Constant <value: tensor = int64 {2}> () y = Loop (n, , x, x) <body = b (int64 i, bool g, float[3] a, "
     "float[3] c) => (bool h, float[3] t) { h = Identity (g) t = Relu (a) }>", 18, V, "the body has 2 results; 2 are carried"),
    ("float[3] x", "n = Constant <value: tensor = int64 {0}> () y = Loop (n, ) <body = b (int64 i, bool g) => "
     "(bool h, float[3] t) { h = Identity (g) t = Relu (x) }>", 18, U, "of no steps has no elements"),
    ("float[2,3,4] x, float[3,4] s", TWO % (3, 3) + "y, z = Scan (c, s, x) <num_scan_inputs = 1, body = b (float[4] p, float[4] q) => "
     "(float[4] r, float[4] t) { r = Add (p, q) t = Neg (q) }>", 8, V, "an input has shape 3x4; others have 2 samples"),
    ("float[2,600,4] x, float[2,4] s", TWO % (600, 600) + "y, z = Scan (c, s, x) <num_scan_inputs = 1, body = b (float[4] p, float[4] q) => "
     "(float[4] r, float[4] t) { r = Add (p, q) t = Neg (q) }>", 8, U, "a scan of 600 steps for 2 samples; at most 1024 are written out"),
    ("float[2,3,4] x, float[2,4] s, int64[2] n", "y, z = Scan (n, s, x) <num_scan_inputs = 1, body = b (float[4] p, float[4] q) => "
     "(float[4] r, float[4] t) { r = Add (p, q) t = Neg (q) }>", 8, U, "sequences with lengths of their own ('n') are not supported"),
    ("float[2000,4] x", "y = Scan (x) <num_scan_inputs = 1, body = b (float[4] q) => (float[4] r) { r = Neg (q) }>", 18, U,
     "a scan of 2000 steps; at most 1024 are written out"),
    ("float[2,3] x", "y = Det (x)", 18, V, "the input 'x' of shape 2x3 is no square matrix"),
    ("float[99,99] x", "y = Det (x)", 18, U, "a determinant of 99 rows; 1 to 64 are written out"),
    ("float[3] x", "y = BitCast <to = 7> (x)", 26, V, "elements of float32 have 32 bits and cannot be those of int64, which have 64"),
    ("int16[3] x", "y = BitCast <to = 10> (x)", 26, U, "the bits of float16 are not known: the network is computed in single precision"),
    ("float[1,2,4] x, float[1,5] r", "y = MaxRoiPool <pooled_shape = [2, 2]> (x, r)", 18, V,
     "needs an input of 4 axes and regions of 5 numbers, not 1x2x4 and 1x5"),
    ("float[1,2,4,4] x, float[1,5] r", "y = MaxRoiPool <pooled_shape = [2]> (x, r)", 18, V,
     "attribute 'pooled_shape' must be two positive numbers"),
    ("float[2,4] x, int64[2] i, float[2,1] u", "y = TensorScatter <mode = \"round\"> (x, u, i)", 24, V, "linear and circular exist"),
    ("float[3,4] x", "c = Constant <value: tensor = bool[9] {1,0,1,0,1,1,1,1,1}> () y = Compress <axis = 0> (x, c)", 18, V,
     "does not fit axis 0 of 3x4"),
    ("float[1,4,2,2] x", "y = DepthToSpace <blocksize = 0> (x)", 18, V, "blocksize is 0; it must be positive"),
    ("float[1,4,2,2] x", "y = DepthToSpace <blocksize = 2, mode = \"XYZ\"> (x)", 18, V, "mode is 'XYZ'; DCR and CRD exist"),
    ("float[1,4,3,2] x", "y = SpaceToDepth <blocksize = 2> (x)", 18, V, "is no multiple of blocksize 2"),
    ("float[1,4,3] x", "y = SpaceToDepth <blocksize = 2> (x)", 18, V, "must be [N, C, H, W]"),
    ("float[6] x", TWO % (4000000000000000000, 4000000000000000000) + "y = Pad (x, c)", 18, V, "is too much"),
    ("float[3] x", "y = LpNormalization <p = 3> (x)", 18, V, "p is 3; it is 1 or 2"),
    ("float x, int64 t", "y = NegativeLogLikelihoodLoss (x, t)", 18, V, "has no class axis"),
    ("float[3] x, int64 t", "y = SoftmaxCrossEntropyLoss (x, t)", 18, V, "the scores have no class axis"),
    ("float[2,3] x, int64[2] t", "y = SoftmaxCrossEntropyLoss <reduction = \"most\"> (x, t)", 18, V,
     "reduction is 'most'; it is none, mean or sum"),
    ("float[1,1,5] x", "y = MaxPool <kernel_shape = [2, 2]> (x)", 18, V, "attribute 'kernel_shape' has 2 entries; the input has 1 spatial axes"),
    ("float[3,5] x", "y = MaxPool <kernel_shape = [2]> (x)", 18, U, "an input of shape 3x5 has 2 axes; 3 to 5 are supported"),
    ("float[1,1,5] x", "y = MaxPool <kernel_shape = [2], pads = [1]> (x)", 18, V, "attribute 'pads' has 1 entries; the input needs 2"),
    ("float[1,1,5] x", "y = MaxPool <kernel_shape = [2], auto_pad = \"NONE\"> (x)", 18, V,
     "auto_pad is 'NONE'; NOTSET, VALID, SAME_UPPER and SAME_LOWER exist"),
    ("float[1,1,5] x, float[1,1,0] w", "y = Conv <auto_pad = \"SAME_UPPER\"> (x, w)", 18, V, "the kernel 0 is not positive"),
    ("float[2,3] x", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = int32 {0}> () "
     "y = QuantizeLinear (x, s, z)", 18, V, "the result cannot be int32"),
    ("uint8[1,4,3] x", "s = Constant <value: tensor = float {1}> () z = Constant <value: tensor = uint8[2] {1, 2}> () "
     "y = DequantizeLinear (x, s, z)", 18, V, "there are 2 scales or zero points along axis 1 of shape 1x4x3; it needs 4"),
    ("float[1] x", "a = Constant <value: tensor = uint8[0] {}> () s = Constant <value: tensor = float {1}> () "
     "y = DequantizeLinear (a, s)", 18, U, "has no elements"),
    ("float[2,3,4] x, float[1,5,4] w, float[1,5,5] r, float[1,9] b", "y = RNN <hidden_size = 5> (x, w, r, b)", 18, V,
     "the bias 'b' of shape 1x9 must be 1x10"),
    ("float[1,1,4,4] x", "c = Constant <value: tensor = float[4] {1, 1, 2, 2}> () y = Resize <mode = \"spline\"> (x, , c)", 18, V,
     "mode is 'spline'; nearest, linear and cubic exist"),
    ("float[1,1,4,0] x", "c = Constant <value: tensor = int64[4] {1, 1, 2, 2}> () y = Resize (x, , , c)", 18, V, "cannot resize axis 3"),
    ("float[1,1,4,4] x", "c = Constant <value: tensor = int64[4] {1, 1, 2, 2}> () y = Resize <keep_aspect_ratio_policy = \"same\"> "
     "(x, , , c)", 18, V, "keep_aspect_ratio_policy is 'same'; stretch, not_larger and not_smaller exist"),
    ("float[1,1,4,4] x", "c = Constant <value: tensor = int64[4] {1, 1, 2, 2}> () r = Constant <value: tensor = float[2] {0, 1}> () "
     "y = Resize <coordinate_transformation_mode = \"tf_crop_and_resize\"> (x, r, , c)", 18, V, "the region has 2 numbers for 4 axes"),
    ("float[1,40000,1] x", "y = DFT <axis = 1> (x)", 17, U, "a transform of 40000 samples to 40000 bins is too large"),
    ("float[1,40000,2] x", "y = DFT <axis = 1, inverse = 1, onesided = 1> (x)", 17, U, "is too large"),
    ("float[1,9000000,1] x", "s = Constant <value: tensor = int64 {1}> () n = Constant <value: tensor = int64 {64}> () "
     "y = STFT (x, s, , n)", 17, U, "frames of 64 samples are too large"),
    ("float[1] x", "a = Constant <value: tensor = int64 {0}> () b = Constant <value: tensor = float {1}> () "
     "y = MelWeightMatrix (a, a, a, b, b)", 17, V, "0 bands of 0 samples at 0 Hz from 1 to 1 Hz"),
    ("float[1,2,4] x, float[2,2,1] w, float[1,2,4] o", "y = DeformConv (x, w, o)", 19, U, "only two spatial axes are supported"),
    ("float[1,4,4] x", TWO % (4, 4) + "d = Constant <value: tensor = int64[4] {1, 1, 1, 1}> () y = Col2Im (x, d, d)", 18, U,
     "1 to 3 are supported"),
    ("float[1,16,5] x", TWO % (2, 2) + "d = Constant <value: tensor = int64[2] {4, 4}> () y = Col2Im (x, c, d)", 18, V, "do not fit the map"),
    ("float[1,4] x", "y = GlobalLpPool (x)", 18, U, "1 to 3 spatial axes are supported"),
    ("float[1,3,8] x, float[8,24] w, float[5,1,2,4,4] p", "y, q = com.microsoft.Attention <num_heads = 2> (x, w, , , p)", 18, V,
     "must be [2, batch, heads, tokens, channels]"),
    ("float[1,3,9] x, int32[1] n", "y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 2> (x, , , , , n)", 18, V,
     "channels are no 2 query and 2 key and value heads"),
    ("float[1,3,8] x, int64[1,3] p, float[9,3] c", "y = com.microsoft.RotaryEmbedding <num_heads = 2, rotary_embedding_dim = 4> (x, p, c, c)", 18, V,
     "rotated channels need caches with"),
    ("float[1,3,4] x, float[4,4] w", "y = com.microsoft.FusedGemm <activation = \"Gauss\"> (x, w)", 18, V, "A and B must have 2 axes"),
    ("float[3,4] x, float[4,4] w", "y = com.microsoft.FusedGemm <activation = \"Gauss\"> (x, w)", 18, U, "the activation 'Gauss' is not supported"),
    ("float[2,16] x, uint8[3,1,8] w, float[3] n", "y = com.microsoft.MatMulNBits <K = 16, N = 3, bits = 5, block_size = 16> (x, w, n)", 18, U,
     "weights of 5 bits; 2, 4 and 8 are supported"),
    ("float[2,16] x, int32[16] g", "w = Constant <value: tensor = uint8[1,1,8] {0,0,0,0,0,0,0,0}> () n = Constant <value: tensor = float[1] {1}> () "
     "y = com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (x, w, n, , g)", 18, U, "reordered groups ('g') are not supported"),
    ("float[2,16] x", "w = Constant <value: tensor = uint8[1,1,4] {0,0,0,0}> () n = Constant <value: tensor = float[1] {1}> () "
     "y = com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (x, w, n)", 18, V, "must have 8 bytes"),
    ("float[2,16] x", "w = Constant <value: tensor = uint8[1,1,8] {0,0,0,0,0,0,0,0}> () n = Constant <value: tensor = float[2] {1, 2}> () "
     "y = com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (x, w, n)", 18, V, "the scales of shape 2 must be 1"),
    ("float[1,1,3,8] x", "y, a, m = com.microsoft.SkipLayerNormalization (x, x, x)", 18, U, "the training output"),
    ("float[1,2,3,4] x, float[1,2,3,4] q, float[1,2,3] d", "y, s = LinearAttention <update_rule = \"best\", q_num_heads = 1, kv_num_heads = 1> (x, x, x)", 26, V,
     "linear, gated, delta and gated_delta exist"),
    ("float[1,4,4] q", "y, s = LinearAttention <update_rule = \"gated\", q_num_heads = 2, kv_num_heads = 2> (q, q, q)", 26, V, "a decay and"),
    ("float[1,4,4] q, float[1,4,6] d", "y, s = LinearAttention <update_rule = \"gated\", q_num_heads = 2, kv_num_heads = 2> (q, q, q, , d)", 26, V, "the decay"),
    ("float[1,4,4] q, float[1,2,3,2] z", "y, s = LinearAttention <update_rule = \"linear\", q_num_heads = 2, kv_num_heads = 2> (q, q, q, z)", 26, V, "the state"),
    ("float[1,2,3,4] q", "y = ai.onnx.preview.FlexAttention <score_mod = m (float[1,2,3,3] s) => (float[1,2,3] t) "
     "{ a = Constant <value: tensor = int64[1] {3}> () t = ReduceSum <keepdims = 0> (s, a) }> (q, q, q)", 24, V,
     "'score_mod' changes the shape 1x2x3x3 to 1x2x3"),
    ("float[1,2,3,4] q", "y = ai.onnx.preview.FlexAttention <score_mod = m (float[1,2,3,3] s) => (float[1,2,3,3] t) "
     "{ t = Bernoulli (s) }> (q, q, q)", 24, U, "cimc has no such operator"),
]


def main():
    cimc, work = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    path = os.path.join(work, "model.onnxtxt")
    failed = 0
    for inputs, body, opset, code, message in ROWS:
        with open(path, "w") as file:
            file.write('<ir_version: 10, opset_import: ["" : %d, "com.microsoft" : 1, "ai.onnx.preview" : 1]>\ng (%s) => (float[N] y) {\n%s\n}\n' %
                       (opset, inputs, body))
        done = subprocess.run([cimc, "compile", path, "--to", "import", "-o", os.devnull], capture_output=True,
                              text=True)
        if done.returncode != code or message not in done.stderr:
            failed += 1
            print("%s: exit code %d, not %d, or not '%s':\n%s" % (body, done.returncode, code, message, done.stderr[:400]))
    print("%d of %d messages differ" % (failed, len(ROWS)) if failed else "all %d messages" % len(ROWS))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
