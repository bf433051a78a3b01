// RUN: cim-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{'cim.chip' must be a #cim.chip attribute}}
module attributes {cim.chip = "card"} {}

// -----

// What is not stated is the card's.
// expected-error@+1 {{chip 'card' has unknown key '"macro.row"'}}
module attributes {cim.chip = #cim.chip<"card", {macro.row = 1024 : i64}>} {}

// -----

// expected-error@+1 {{window stride is 0, must be within [1, 65535]}}
#w = #cim.window<kernel = [1, 1], stride = [0, 1], pad = [0, 0], dilation = [1, 1]>

// -----

// expected-error@+1 {{window pad needs two entries, rows and pixels, got 3}}
#w = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0, 0], dilation = [1, 1]>

// -----

// expected-error@+1 {{bits is 3, must be 1, 2, 4 or 8}}
cim.weights @w {bits = 3 : i64} dense<1> : tensor<2x2xi8>

// -----

// expected-error@+1 {{needs a K x N tensor of i8, got 'tensor<2xi8>'}}
cim.weights @w dense<1> : tensor<2xi8>

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
cim.weights @w dense<1> : tensor<3x2xi8>
func.func @rows(%x: tensor<1x1x2xi8>) {
  // expected-error@+1 {{the window has 2 elements, weights 'w' have 3 rows}}
  %0 = cim.mvm %x {weights = @w, window = #one, k_begin = 0, k_size = 2, n_begin = 0, pad_value = 0} : (tensor<1x1x2xi8>) -> tensor<1x1x2xi32>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
cim.weights @w dense<1> : tensor<2x2xi8>
func.func @columns(%x: tensor<1x1x2xi8>) {
  // expected-error@+1 {{columns [1, 3) are not within the 2 of 'w'}}
  %0 = cim.mvm %x {weights = @w, window = #one, k_begin = 0, k_size = 2, n_begin = 1, pad_value = 0} : (tensor<1x1x2xi8>) -> tensor<1x1x2xi32>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
cim.weights @w dense<1> : tensor<2x2xi8>
func.func @columns(%x: tensor<1x1x2xi8>) {
  // expected-error@+1 {{elements [1, 3) are not within the window's 2}}
  %1 = cim.mvm %x {weights = @w, window = #one, k_begin = 1, k_size = 2, n_begin = 0, pad_value = 0} : (tensor<1x1x2xi8>) -> tensor<1x1x2xi32>
  return
}

// -----

#one = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @unknown(%x: tensor<1x1x2xi8>) {
  // expected-error@+1 {{'nothing' is no cim.weights of this module}}
  %0 = cim.mvm %x {weights = @nothing, window = #one, k_begin = 0, k_size = 2, n_begin = 0, pad_value = 0} : (tensor<1x1x2xi8>) -> tensor<1x1x2xi32>
  return
}

// -----

func.func @types(%x: tensor<1x1x2xf32>) {
  // expected-error@+1 {{operand has element type 'f32', expected one of i32}}
  %0 = cim.requantize %x {bias = array<i32: 0>, multiplier = array<f32: 1.0>, zero = 0, low = 0, high = 1} : (tensor<1x1x2xf32>) -> tensor<1x1x2xi8>
  return
}

// -----

func.func @channels(%x: tensor<1x1x3xi32>) {
  // expected-error@+1 {{bias has 2 entries, expected 1 or 3}}
  %0 = cim.requantize %x {bias = array<i32: 0, 0>, multiplier = array<f32: 1.0>, zero = 0, low = 0, high = 1} : (tensor<1x1x3xi32>) -> tensor<1x1x3xi8>
  return
}

// -----

func.func @channels(%x: tensor<1x1x3xi32>) {
  // expected-error@+1 {{range [0, 255] is not within that of 'i8'}}
  %1 = cim.requantize %x {bias = array<i32: 0>, multiplier = array<f32: 1.0>, zero = 0, low = 0, high = 255} : (tensor<1x1x3xi32>) -> tensor<1x1x3xi8>
  return
}

// -----

func.func @broadcast(%a: tensor<2x1x3xi8>, %b: tensor<1x1x2xi8>) {
  // expected-error@+1 {{operand 'tensor<1x1x2xi8>' does not broadcast to 'tensor<2x1x3xi8>'}}
  %0 = cim.add %a, %b {ra = 1.0 : f32, rb = 1.0 : f32, f = 0.0 : f32, low = 0, high = 1} : (tensor<2x1x3xi8>, tensor<1x1x2xi8>) -> tensor<2x1x3xi8>
  return
}

// -----

func.func @table(%x: tensor<2x1x3xi8>) {
  // expected-error@+1 {{table has 2 entries, expected 256}}
  %0 = cim.lookup %x {table = array<i8: 0, 1>} : (tensor<2x1x3xi8>) -> tensor<2x1x3xi8>
  return
}

// -----

func.func @join(%x: tensor<2x1x3xi8>) {
  // expected-error@+1 {{operands have 6 entries along axis 2, the result 7}}
  %0 = cim.concat %x, %x {axis = 2 : i64} : (tensor<2x1x3xi8>, tensor<2x1x3xi8>) -> tensor<2x1x7xi8>
  return
}

// -----

func.func @join(%x: tensor<2x1x3xi8>) {
  // expected-error@+1 {{axis is 3, must be 0, 1 or 2}}
  %1 = cim.concat %x, %x {axis = 3 : i64} : (tensor<2x1x3xi8>, tensor<2x1x3xi8>) -> tensor<2x1x6xi8>
  return
}

// -----

func.func @move(%x: tensor<2x1x3xi8>) {
  // expected-error@+1 {{reads elements 1 to 6 of 6}}
  %0 = cim.move %x {counts = array<i64: 6>, src_strides = array<i64: 1>, dst_strides = array<i64: 1>, src_offset = 1 : i64} : (tensor<2x1x3xi8>) -> tensor<2x1x3xi8>
  return
}

// -----

func.func @move(%x: tensor<2x1x3xi8>) {
  // expected-error@+1 {{loop of 9223372036854775807 steps of 2 is out of range}}
  %1 = cim.move %x {counts = array<i64: 9223372036854775807>, src_strides = array<i64: 2>, dst_strides = array<i64: 1>} : (tensor<2x1x3xi8>) -> tensor<2x1x3xi8>
  return
}

// -----

func.func @function(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{unknown function 'gelo'}}
  %0 = cim.map %x {function = "gelo"} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @function(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{function 'add' takes 2 operands}}
  %1 = cim.map %x {function = "add"} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @rank(%x: tensor<2x3xi8>) {
  // expected-error@+1 {{operand #0 must be feature map tensor<RxPxCxT>}}
  %0 = cim.reshape %x : (tensor<2x3xi8>) -> tensor<2x1x3xi8>
  return
}

// -----

func.func @slice_pixels(%x: tensor<2x4x3xi8>) {
  // expected-error @+1 {{pixels from 3 on in steps of 1, 2 of them, are not within the 4 of a row}}
  %0 = cim.slice %x {begin = 3 : i64} : (tensor<2x4x3xi8>) -> tensor<2x2x3xi8>
  return
}

// -----

func.func @slice_channels(%x: tensor<2x4x3xi8>) {
  // expected-error @+1 {{operand 'tensor<2x4x3xi8>' and result 'tensor<2x2x1xi8>' differ in more than the pixels and the rows chosen}}
  %0 = cim.slice %x {begin = 0 : i64} : (tensor<2x4x3xi8>) -> tensor<2x2x1xi8>
  return
}

// -----

func.func @slice_rows(%x: tensor<5x4x3xi8>) {
  // expected-error @+1 {{rows from 2 on in steps of 2: the first must be less than the step and than the 5 rows of the operand}}
  %0 = cim.slice %x {begin = 0 : i64, row_begin = 2 : i64, row_step = 2 : i64} : (tensor<5x4x3xi8>) -> tensor<2x4x3xi8>
  return
}

// -----

func.func @slice_pixel_step(%x: tensor<5x4x3xi8>) {
  // expected-error @+1 {{pixels from 0 on in steps of 2, 3 of them, are not within the 4 of a row}}
  %0 = cim.slice %x {begin = 0 : i64, step = 2 : i64} : (tensor<5x4x3xi8>) -> tensor<5x3x3xi8>
  return
}

// -----

func.func @interleave_rows(%a: tensor<2x4x3xi8>, %b: tensor<2x4x3xi8>) {
  // expected-error @+1 {{operand 0 is 'tensor<2x4x3xi8>', rows 0, 2, ... of the result are 'tensor<3x4x3xi8>'}}
  %0 = cim.interleave %a, %b : (tensor<2x4x3xi8>, tensor<2x4x3xi8>) -> tensor<5x4x3xi8>
  return
}

// -----

func.func @interleave_nothing() {
  // expected-error @+1 {{needs at least one operand}}
  %0 = cim.interleave : () -> tensor<5x4x3xi8>
  return
}

// -----

func.func @delay(%x: tensor<2x1x2xf32>) {
  // expected-error@+1 {{needs one row of 'tensor<4x1x2xf32>', got 'tensor<2x1x2xf32>'}}
  %0 = cim.delay %x {number = 0 : i64} : (tensor<2x1x2xf32>) -> tensor<4x1x2xf32>
  return
}
