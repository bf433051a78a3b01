// RUN: cim-opt %s --nn-fuse-qdq --split-input-file --verify-diagnostics

!a = !quant.uniform<u8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.5>
!bias = !quant.uniform<i32:f32, 0.5>

func.func @bias_scale(%x: tensor<1x1x!a>) -> tensor<1x1x!a> {
  %wq = nn.constant dense<1> : tensor<1x1xi8> : tensor<1x1x!w>
  %bq = nn.constant dense<3> : tensor<1xi32> : tensor<1x!bias>
  %d = nn.dequantize %x : (tensor<1x1x!a>) -> tensor<1x1xf32>
  %w = nn.dequantize %wq : (tensor<1x1x!w>) -> tensor<1x1xf32>
  %b = nn.dequantize %bq : (tensor<1x!bias>) -> tensor<1xf32>
  // expected-warning @below {{'nn.matmul': the bias of channel 0 has scale 5.000000e-01 and zero point 0, but input scale times weight scale is 2.500000e-01; the bias is rescaled}}
  %y = nn.matmul %d, %w, %b : (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  %q = nn.quantize %y : (tensor<1x1xf32>) -> tensor<1x1x!a>
  return %q : tensor<1x1x!a>
}

// -----

!a = !quant.uniform<u8:f32, 1.0e-5:3>
!w = !quant.uniform<i8:f32, 1.0e-5>

func.func @bias_overflow(%x: tensor<1x1x!a>) -> tensor<1x1x!a> {
  %wq = nn.constant dense<1> : tensor<1x1xi8> : tensor<1x1x!w>
  %b = nn.constant dense<3.0> : tensor<1xf32> : tensor<1xf32>
  %d = nn.dequantize %x : (tensor<1x1x!a>) -> tensor<1x1xf32>
  %w = nn.dequantize %wq : (tensor<1x1x!w>) -> tensor<1x1xf32>
  // expected-warning @below {{the bias of channel 0, 3.000000e+00, does not fit int32 at scale 9.999999e-11 and is cut; quantize its weight with a larger scale}}
  %y = nn.matmul %d, %w, %b : (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  %q = nn.quantize %y : (tensor<1x1xf32>) -> tensor<1x1x!a>
  return %q : tensor<1x1x!a>
}
