// Sums with something that comes after all rows of the input: their other operands wait in rings of 32 KB,
// which are planned for, so that not all sums lie on one core. Scheduling then needs no second try.
// RUN: cim-opt %s --convert-nn-to-cim=chip=card --cim-place > %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: cim-opt %t.mlir --convert-cim-to-sched --sched-size-rings --sched-allocate | FileCheck %s --check-prefix=FITS
// The plan counts the rows that wait for the product: all 90.
// CHECK: cim.map {{.*}}cim.rings = array<i64: {{90, [0-9]+|[0-9]+, 90}}>, core = 1 :
// CHECK: cim.map {{.*}}core = 1 :
// CHECK: cim.map {{.*}}core = 2 :
// CHECK: cim.map {{.*}}core = 2 :
// FITS: sched.program @waiting
!map = tensor<90x90xf32>
func.func @waiting(%a: !map, %b: !map, %c: !map, %d: !map, %e: !map) -> (!map, !map, !map, !map) {
  %t = nn.matmul %a, %a : (!map, !map) -> !map
  %0 = nn.add %t, %b : (!map, !map) -> !map
  %1 = nn.add %t, %c : (!map, !map) -> !map
  %2 = nn.add %t, %d : (!map, !map) -> !map
  %3 = nn.add %t, %e : (!map, !map) -> !map
  return %0, %1, %2, %3 : !map, !map, !map, !map
}
