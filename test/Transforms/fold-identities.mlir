// RUN: cim-opt %s --nn-canonicalize | FileCheck %s

// CHECK-LABEL: func.func @neutral
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>)
// CHECK-NEXT: return %[[X]]
func.func @neutral(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = nn.constant dense<0.0> : tensor<3xf32> : tensor<3xf32>
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %0 = nn.add %zero, %x : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = nn.sub %0, %zero : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %2 = nn.mul %1, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %3 = nn.div %2, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %4 = nn.pow %3, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %5 = nn.neg %4 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = nn.neg %5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %6 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @cheaper
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>, %[[Y:.*]]: tensor<2x3xf32>)
// CHECK-DAG: %[[Q:.*]] = nn.constant dense<2.500000e-01>
// CHECK-DAG: %[[S:.*]] = nn.mul %[[X]], %[[X]]
// CHECK-DAG: %[[D:.*]] = nn.mul %[[X]], %[[Q]]
// CHECK-DAG: %[[M:.*]] = nn.sub %[[Y]], %[[X]]
// CHECK: return %[[S]], %[[D]], %[[M]]
func.func @cheaper(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %two = nn.constant dense<2.0> : tensor<f32> : tensor<f32>
  %four = nn.constant dense<4.0> : tensor<f32> : tensor<f32>
  %0 = nn.pow %x, %two : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %1 = nn.div %x, %four : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = nn.neg %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = nn.add %2, %y : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0, %1, %3 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// What broadcasts, subtracts from 0, divides 1 or rounds stays.
// CHECK-LABEL: func.func @others
// CHECK: nn.add
// CHECK: nn.sub
// CHECK: nn.div
// CHECK: nn.div
// CHECK: return
func.func @others(%x: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %zeros = nn.constant dense<0.0> : tensor<2x3xf32> : tensor<2x3xf32>
  %zero = nn.constant dense<0.0> : tensor<f32> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %three = nn.constant dense<3.0> : tensor<f32> : tensor<f32>
  %0 = nn.add %x, %zeros : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = nn.sub %zero, %x : (tensor<f32>, tensor<3xf32>) -> tensor<3xf32>
  %2 = nn.div %one, %x : (tensor<f32>, tensor<3xf32>) -> tensor<3xf32>
  %3 = nn.div %x, %three : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
  return %0, %1, %2, %3 : tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}
