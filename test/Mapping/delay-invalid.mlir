// RUN: echo 'module {}' | cim-opt --convert-nn-to-cim=chip=card -o %t.chip
// RUN: sed -e '/^}/d' %t.chip > %t.mlir
// RUN: cat %s >> %t.mlir
// RUN: echo '}' >> %t.mlir
// RUN: cim-opt %t.mlir --cim-verify-mapped --verify-diagnostics

func.func private @open(%z: tensor<1x1x2xf32> {cim.shape = array<i64: 2>, cim.perm = array<i64: 0>}) {
  // expected-error@+1 {{number 3 has no cim.delay_input}}
  %a = cim.delay %z {number = 3 : i64} : (tensor<1x1x2xf32>) -> tensor<4x1x2xf32>
  return
}

func.func private @twice(%z: tensor<1x1x2xf32> {cim.shape = array<i64: 2>, cim.perm = array<i64: 0>}) {
  %a = cim.delay %z {number = 0 : i64} : (tensor<1x1x2xf32>) -> tensor<4x1x2xf32>
  // expected-error@+1 {{number 0 is used twice}}
  %b = cim.delay %z {number = 0 : i64} : (tensor<1x1x2xf32>) -> tensor<4x1x2xf32>
  return
}

func.func private @order(%x: tensor<4x1x2xf32> {cim.shape = array<i64: 4, 2>, cim.perm = array<i64: 0, 1>}) {
  // expected-error@+1 {{is before any cim.delay of number 1}}
  cim.delay_input %x {number = 1 : i64} : tensor<4x1x2xf32>
  return
}

func.func private @type(%z: tensor<1x1x2xf32> {cim.shape = array<i64: 2>, cim.perm = array<i64: 0>}, %x: tensor<3x1x2xf32> {cim.shape = array<i64: 3, 2>, cim.perm = array<i64: 0, 1>}) {
  %a = cim.delay %z {number = 0 : i64} : (tensor<1x1x2xf32>) -> tensor<4x1x2xf32>
  // expected-error@+1 {{has type 'tensor<3x1x2xf32>', the cim.delay of number 0 has type 'tensor<4x1x2xf32>'}}
  cim.delay_input %x {number = 0 : i64} : tensor<3x1x2xf32>
  return
}

// A row that a later row gives: the network could never begin.
func.func private @backwards(%z: tensor<1x1x2xf32> {cim.shape = array<i64: 2>, cim.perm = array<i64: 0>}) {
  %a = cim.delay %z {number = 0 : i64} : (tensor<1x1x2xf32>) -> tensor<4x1x2xf32>
  // expected-error@+1 {{lies between a cim.delay and its input, where row r may need row r only}}
  %b = cim.move %a {counts = array<i64: 4, 2>, src_strides = array<i64: -2, 1>, dst_strides = array<i64: 2, 1>, src_offset = 6 : i64} : (tensor<4x1x2xf32>) -> tensor<4x1x2xf32>
  cim.delay_input %b {number = 0 : i64} : tensor<4x1x2xf32>
  return
}
