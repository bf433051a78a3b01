// RUN: cim-opt %s --split-input-file --verify-diagnostics

func.func @integers(%x: tensor<2x1x3xi32>) {
  // expected-error@+1 {{function 'exp' has no form on 'i32'}}
  %0 = cim.map %x {function = "exp"} : (tensor<2x1x3xi32>) -> tensor<2x1x3xi32>
  return
}

// -----

func.func @truth(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{result has element type 'f32', expected one of ui8}}
  %0 = cim.map %x, %x {function = "less"} : (tensor<2x1x3xf32>, tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @condition(%c: tensor<2x1x3xi32>, %x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{condition has element type 'i32', expected one of ui8}}
  %0 = cim.select %c, %x, %x : (tensor<2x1x3xi32>, tensor<2x1x3xf32>, tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @larger(%c: tensor<1x1x3xui8>, %x: tensor<1x1x3xf32>) {
  // expected-error@+1 {{is larger than its operands}}
  %0 = cim.select %c, %x, %x : (tensor<1x1x3xui8>, tensor<1x1x3xf32>, tensor<1x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @function(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{unknown function 'mean', expected one of sum prod max min arg_max}}
  %0 = cim.reduce %x {function = "mean"} : (tensor<2x1x3xf32>) -> tensor<2x1x1xf32>
  return
}

// -----

func.func @channel(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{the result has one channel}}
  %0 = cim.reduce %x {function = "sum"} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @pixels(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{differ in rows or pixels}}
  %0 = cim.reduce %x {function = "sum"} : (tensor<2x1x3xf32>) -> tensor<1x1x1xf32>
  return
}

// -----

func.func @scan(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{unknown function 'max', expected one of sum prod}}
  %0 = cim.scan %x {function = "max"} : (tensor<2x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @topk(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{takes 4 of 3 channels}}
  %0 = cim.topk %x : (tensor<2x1x3xf32>) -> tensor<2x1x4xf32>
  return
}

// -----

func.func @gather(%x: tensor<2x1x3xf32>, %i: tensor<1x1x2xi32>) {
  // expected-error@+1 {{the result has 5 elements, 2 blocks have 3 each}}
  %0 = cim.gather %x, %i {block = 3 : i64} : (tensor<2x1x3xf32>, tensor<1x1x2xi32>) -> tensor<1x1x5xf32>
  return
}

// -----

func.func @blocks(%x: tensor<2x1x3xf32>, %i: tensor<1x1x2xi32>) {
  // expected-error@+1 {{the input has 6 elements, 1 blocks have 4 each}}
  %0 = cim.gather %x, %i {block = 4 : i64} : (tensor<2x1x3xf32>, tensor<1x1x2xi32>) -> tensor<2x1x4xf32>
  return
}

// -----

func.func @empty(%x: tensor<2x1x3xf32>, %i: tensor<1x1x2xi32>) {
  // expected-error@+1 {{blocks have 0 elements, must be at least 1}}
  %0 = cim.gather %x, %i {block = 0 : i64} : (tensor<2x1x3xf32>, tensor<1x1x2xi32>) -> tensor<2x1x1xf32>
  return
}

// -----

func.func @scatter(%x: tensor<2x1x3xf32>, %i: tensor<1x1x2xi32>, %u: tensor<1x1x3xf32>) {
  // expected-error@+1 {{updates has 3 elements, 2 blocks have 3 each}}
  %0 = cim.scatter %x, %i, %u {block = 3 : i64, function = "set"}
    : (tensor<2x1x3xf32>, tensor<1x1x2xi32>, tensor<1x1x3xf32>) -> tensor<2x1x3xf32>
  return
}

// -----

func.func @depth(%a: tensor<2x3x4xf32>, %b: tensor<2x5x6xf32>) {
  // expected-error@+1 {{a has 4 channels, the matrices of b 5 rows}}
  %0 = cim.matmul_f32 %a, %b : (tensor<2x3x4xf32>, tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

func.func @rows(%a: tensor<2x3x4xf32>, %b: tensor<1x4x6xf32>) {
  // expected-error@+1 {{do not give}}
  %0 = cim.matmul_f32 %a, %b : (tensor<2x3x4xf32>, tensor<1x4x6xf32>) -> tensor<2x3x6xf32>
  return
}

// -----

#w = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
func.func @pool(%x: tensor<2x1x3xf32>) {
  // expected-error@+1 {{differ in channels}}
  %0 = cim.sum_pool %x {window = #w} : (tensor<2x1x3xf32>) -> tensor<2x1x2xf32>
  return
}
