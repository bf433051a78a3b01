// RUN: cim-opt %s --split-input-file --verify-diagnostics

func.func @predicate(%x: tensor<4xf32>) {
  // expected-error @+1 {{needs a result of element type i1}}
  %0 = nn.less %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @where(%x: tensor<4xf32>) {
  // expected-error @+1 {{needs a condition of element type i1}}
  %0 = nn.where %x, %x, %x : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @axes(%x: tensor<4x2xf32>) {
  // expected-error @+1 {{axes must be sorted axes of the input 4x2; entry 1 is 0}}
  %0 = nn.reduce_sum %x {axes = array<i64: 1, 0>} : (tensor<4x2xf32>) -> tensor<f32>
  return
}

// -----

func.func @position(%x: tensor<4x2xf32>) {
  // expected-error @+1 {{gives positions of type i64}}
  %0 = nn.arg_min %x {axis = 0 : i64} : (tensor<4x2xf32>) -> tensor<2xi32>
  return
}

// -----

func.func @nothing(%x: tensor<0x2xf32>) {
  // expected-error @+1 {{has no elements along axis 0}}
  %0 = nn.arg_max %x {axis = 0 : i64} : (tensor<0x2xf32>) -> tensor<2xi64>
  return
}

// -----

func.func @scan(%x: tensor<4x2xf32>) {
  // expected-error @+1 {{the input 4x2 has no axis 2}}
  %0 = nn.cum_sum %x {axis = 2 : i64} : (tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @parameter(%x: tensor<4x2xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{a parameter of shape 3 cannot be broadcast to the input 4x2}}
  %0 = nn.rms_norm %x, %s {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<4x2xf32>, tensor<3xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @integers(%x: tensor<4x2xi32>) {
  // expected-error @+1 {{is computed in f32}}
  %0 = nn.layer_norm %x {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<4x2xi32>) -> tensor<4x2xi32>
  return
}
