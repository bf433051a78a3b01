// RUN: cim-opt %s | cim-opt | FileCheck %s

// CHECK: isa.program @main
// CHECK: isa.channel
// CHECK: isa.core 0
// CHECK: isa.view
// CHECK: isa.data 16 dense<1> : tensor<4xi8>
// CHECK: isa.cells {{.*}} dense<1> : tensor<2x2xi8>
// CHECK: isa.setup {
// CHECK: isa.load_data {block = 0 : i64, blocks = 1 : i64}
// CHECK: isa.program_macro {block = 0 : i64, blocks = 1 : i64, macro = 1 : i64}
// CHECK: isa.stream "a"
// CHECK: isa.loop {count = 2 : i64}
// CHECK: isa.next
// CHECK: isa.halt
isa.program @main {
  isa.channel {id = 0 : i64, core = 0 : i64, address = 0 : i64, row_bytes = 8 : i64, slots = 2 : i64, rows = 4 : i64, producers = 1 : i64, consumers = 1 : i64}
  isa.core 0 {
    isa.view {id = 0 : i64, address = 0 : i64, row_pitch = 8 : i64, slots = 2 : i64, pixel_pitch = 8 : i64, rows = 4 : i64, pixels = 1 : i64, channels = 8 : i64, type = 0 : i64, pad = 0 : i64}
    isa.data 16 dense<1> : tensor<4xi8>
    isa.cells {row = 0 : i64, column = 0 : i64, bits = 8 : i64} dense<1> : tensor<2x2xi8>
    isa.setup {
      isa.load_data {block = 0 : i64, blocks = 1 : i64}
      isa.program_macro {macro = 1 : i64, block = 0 : i64, blocks = 1 : i64}
    }
    isa.stream "a" {
      isa.loop {count = 2 : i64}
      isa.wait {channel = 0 : i64, consumer = 0 : i64, rows = array<i64: 1, 1, 0>}
      isa.next
      isa.halt
    }
  }
}
