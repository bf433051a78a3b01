// RUN: cim-opt %s --split-input-file --verify-diagnostics

func.func @gather_axis(%x: tensor<3x5xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{'nn.gather': the input 3x5 has no axis 2}}
  %0 = nn.gather %x, %i {axis = 2 : i64} : (tensor<3x5xf32>, tensor<2xi64>) -> tensor<3x2xf32>
  return
}

// -----

func.func @gather_index(%x: tensor<3x5xf32>, %i: tensor<2xf32>) {
  // expected-error @+1 {{has indices of type 'f32'; they are i32 or i64}}
  %0 = nn.gather %x, %i {axis = 0 : i64} : (tensor<3x5xf32>, tensor<2xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @gather_type(%x: tensor<3x5xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{mixes element types: 'f32' and 'i32'}}
  %0 = nn.gather %x, %i {axis = 0 : i64} : (tensor<3x5xf32>, tensor<2xi64>) -> tensor<2x5xi32>
  return
}

// -----

func.func @gather_elements(%x: tensor<3x5xf32>, %i: tensor<4x2xi64>) {
  // expected-error @+1 {{'nn.gather_elements': the indices 4x2 do not fit the data 3x5 along axis 1}}
  %0 = nn.gather_elements %x, %i {axis = 1 : i64} : (tensor<3x5xf32>, tensor<4x2xi64>) -> tensor<4x2xf32>
  return
}

// -----

func.func @gather_nd(%x: tensor<3x5xf32>, %i: tensor<4x3xi64>) {
  // expected-error @+1 {{'nn.gather_nd': the indices 4x3 are tuples of 3; the data 3x5 has 2 axes for them}}
  %0 = nn.gather_nd %x, %i : (tensor<3x5xf32>, tensor<4x3xi64>) -> tensor<4xf32>
  return
}

// -----

func.func @gather_nd_batch(%x: tensor<3x5xf32>, %i: tensor<4x3xi64>) {
  // expected-error @+1 {{'nn.gather_nd': the first 1 axes of the data 3x5 and the indices 4x3 differ}}
  %0 = nn.gather_nd %x, %i {batch_dims = 1 : i64} : (tensor<3x5xf32>, tensor<4x3xi64>) -> tensor<4xf32>
  return
}

// -----

func.func @scatter_shape(%x: tensor<3x5xf32>, %i: tensor<3x2xi64>, %u: tensor<3x1xf32>) {
  // expected-error @+1 {{'nn.scatter_elements': the indices 3x2 and the updates 3x1 do not fit the data 3x5 along axis 1}}
  %0 = nn.scatter_elements %x, %i, %u {axis = 1 : i64} : (tensor<3x5xf32>, tensor<3x2xi64>, tensor<3x1xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @scatter_reduction(%x: tensor<3x5xf32>, %i: tensor<3x2xi64>, %u: tensor<3x2xf32>) {
  // expected-error @+1 {{has the reduction 'mean'; none, add, mul, max and min exist}}
  %0 = nn.scatter_elements %x, %i, %u {axis = 1 : i64, reduction = "mean"}
    : (tensor<3x5xf32>, tensor<3x2xi64>, tensor<3x2xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @scatter_nd(%x: tensor<3x5xf32>, %i: tensor<2x1xi64>, %u: tensor<2x4xf32>) {
  // expected-error @+1 {{'nn.scatter_nd': the updates 2x4 must be 2x5 for the data 3x5 and the indices 2x1}}
  %0 = nn.scatter_nd %x, %i, %u : (tensor<3x5xf32>, tensor<2x1xi64>, tensor<2x4xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @cache(%c: tensor<2x4x8xf32>, %u: tensor<2x9x8xf32>) {
  // expected-error @+1 {{'nn.cache_update': the update 2x9x8 does not fit into the cache 2x4x8 along axis 1}}
  %0 = nn.cache_update %c, %u {axis = 1 : i64} : (tensor<2x4x8xf32>, tensor<2x9x8xf32>) -> tensor<2x4x8xf32>
  return
}

// -----

func.func @cache_position(%c: tensor<2x4x8xf32>, %u: tensor<2x1x8xf32>, %p: tensor<3xi64>) {
  // expected-error @+1 {{'nn.cache_update': the positions 3 must be one for each of the 2 samples of 2x4x8}}
  %0 = nn.cache_update %c, %u, %p {axis = 1 : i64} : (tensor<2x4x8xf32>, tensor<2x1x8xf32>, tensor<3xi64>) -> tensor<2x4x8xf32>
  return
}

// -----

func.func @reverse(%x: tensor<3x5xf32>, %n: tensor<3xi64>) {
  // expected-error @+1 {{'nn.reverse_sequence': the lengths 3 must be one for each of the 5 samples of 3x5}}
  %0 = nn.reverse_sequence %x, %n {time_axis = 0 : i64, batch_axis = 1 : i64} : (tensor<3x5xf32>, tensor<3xi64>) -> tensor<3x5xf32>
  return
}

// -----

func.func @topk(%x: tensor<3x5xf32>) {
  // expected-error @+1 {{'nn.topk': cannot take 6 elements along axis 1 of 3x5}}
  %0, %1 = nn.topk %x {k = 6 : i64, axis = 1 : i64} : (tensor<3x5xf32>) -> (tensor<3x6xf32>, tensor<3x6xi64>)
  return
}

// -----

func.func @expand(%x: tensor<3x5xf32>) {
  // expected-error @+1 {{'nn.expand': the input 3x5 cannot be broadcast to 3x1}}
  %0 = nn.expand %x {shape = array<i64: 3, 1>} : (tensor<3x5xf32>) -> tensor<3x1xf32>
  return
}

// -----

func.func @lstm_weight(%x: tensor<4x2x3xf32>, %w: tensor<8x5xf32>, %r: tensor<8x2xf32>) {
  // expected-error @+1 {{'nn.lstm': the weight 8x5 must be 8x3 for the input 4x2x3 and the recurrence 8x2}}
  %0, %1, %2 = nn.lstm %x, %w, %r {activations = ["sigmoid", "tanh", "tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0>}
    : (tensor<4x2x3xf32>, tensor<8x5xf32>, tensor<8x2xf32>) -> (tensor<4x2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>)
  return
}

// -----

func.func @gru_state(%x: tensor<4x2x3xf32>, %w: tensor<6x3xf32>, %r: tensor<6x2xf32>, %h: tensor<1x2xf32>) {
  // expected-error @+1 {{'nn.gru': the initial state 1x2 must be 2x2 for the input 4x2x3 and the recurrence 6x2}}
  %0, %1 = nn.gru %x, %w, %r, %h {activations = ["sigmoid", "tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 1>}
    : (tensor<4x2x3xf32>, tensor<6x3xf32>, tensor<6x2xf32>, tensor<1x2xf32>) -> (tensor<4x2x2xf32>, tensor<2x2xf32>)
  return
}

// -----

func.func @rnn_activation(%x: tensor<4x2x3xf32>, %w: tensor<2x3xf32>, %r: tensor<2x2xf32>) {
  // expected-error @+1 {{has the unknown activation 'cosine'}}
  %0, %1 = nn.rnn %x, %w, %r {activations = ["cosine"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
    : (tensor<4x2x3xf32>, tensor<2x3xf32>, tensor<2x2xf32>) -> (tensor<4x2x2xf32>, tensor<2x2xf32>)
  return
}

// -----

func.func @rnn_count(%x: tensor<4x2x3xf32>, %w: tensor<2x3xf32>, %r: tensor<2x2xf32>) {
  // expected-error @+1 {{has 2 activations; it needs 1}}
  %0, %1 = nn.rnn %x, %w, %r {activations = ["tanh", "tanh"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}
    : (tensor<4x2x3xf32>, tensor<2x3xf32>, tensor<2x2xf32>) -> (tensor<4x2x2xf32>, tensor<2x2xf32>)
  return
}

// -----

func.func @heads(%q: tensor<1x3x7x8xf32>, %k: tensor<1x2x9x8xf32>) {
  // expected-error @+1 {{'nn.attention': the 3 heads of the query 1x3x7x8 are no multiple of the 2 heads of the key 1x2x9x8}}
  %0 = nn.attention %q, %k, %k {scale = 1.0 : f32} : (tensor<1x3x7x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>) -> tensor<1x3x7x8xf32>
  return
}

// -----

func.func @bias(%q: tensor<1x2x7x8xf32>, %m: tensor<7x8xf32>) {
  // expected-error @+1 {{'nn.attention': the bias 7x8 cannot be broadcast to the scores 1x2x7x7}}
  %0 = nn.attention %q, %q, %q, %m {scale = 1.0 : f32}
    : (tensor<1x2x7x8xf32>, tensor<1x2x7x8xf32>, tensor<1x2x7x8xf32>, tensor<7x8xf32>) -> tensor<1x2x7x8xf32>
  return
}

// -----

func.func @rotary(%x: tensor<1x2x7x8xf32>, %c: tensor<7x5xf32>) {
  // expected-error @+1 {{'nn.rotary_embedding': cosine 7x5 and sine 7x5 must be broadcastable to the tokens of 1x2x7x8 with at most 4 columns}}
  %0 = nn.rotary_embedding %x, %c, %c : (tensor<1x2x7x8xf32>, tensor<7x5xf32>, tensor<7x5xf32>) -> tensor<1x2x7x8xf32>
  return
}

// -----

func.func @resize(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+1 {{has the coordinates 'centered'; half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize exist}}
  %0 = nn.resize %x {sizes = array<i64: 1, 3, 4, 4>, scales = array<f32: 1.0, 1.0, 0.5, 0.5>, mode = "linear", coordinates = "centered"}
    : (tensor<1x3x8x8xf32>) -> tensor<1x3x4x4xf32>
  return
}

// -----

func.func @resize_roi(%x: tensor<8xf32>) {
  // expected-error @+1 {{has no roi, which tf_crop_and_resize needs}}
  %0 = nn.resize %x {sizes = array<i64: 4>, scales = array<f32: 0.5>, mode = "linear", coordinates = "tf_crop_and_resize"}
    : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @grid(%x: tensor<1x3x8x8xf32>, %g: tensor<1x5x7x3xf32>) {
  // expected-error @+1 {{'nn.grid_sample': the grid 1x5x7x3 does not fit the input 1x3x8x8}}
  %0 = nn.grid_sample %x, %g {mode = "linear", padding = "zeros"} : (tensor<1x3x8x8xf32>, tensor<1x5x7x3xf32>) -> tensor<1x3x5x7xf32>
  return
}

// -----

func.func @conv_transpose(%x: tensor<1x3x8xf32>, %w: tensor<4x3x2xf32>) {
  // expected-error @+1 {{'nn.conv_transpose': the weight 4x3x2 in 1 groups does not fit the 3 channels of 1x3x8}}
  %0 = nn.conv_transpose %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, output_padding = array<i64: 0>}
    : (tensor<1x3x8xf32>, tensor<4x3x2xf32>) -> tensor<1x3x9xf32>
  return
}

// -----

func.func @deform_conv(%x: tensor<1x1x3x3xf32>, %w: tensor<1x1x2x2xf32>, %o: tensor<1x4x2x2xf32>) {
  // expected-error @+1 {{'nn.deform_conv': the offset 1x4x2x2 must be 1x8x2x2}}
  %0 = nn.deform_conv %x, %w, %o {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
      operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>}
    : (tensor<1x1x3x3xf32>, tensor<1x1x2x2xf32>, tensor<1x4x2x2xf32>) -> tensor<1x1x2x2xf32>
  return
}
