// RUN: cim-opt %s | cim-opt | FileCheck %s

// CHECK: sched.program @main
// CHECK: sched.channel @x
// CHECK: sched.io "x"
// CHECK: sched.stream "a" on 0
// CHECK: sched.loop 2
// CHECK: sched.send {channel = @x, first = 0 : i64, joined = 0 : i64, offset = 0 : i64, pitch = 2 : i64, producer = 0 : i64, row = array<i64: 0, 1, 0>, skipped = 0 : i64, src = @v}
module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    sched.io "x" {output = false, shape = array<i64: 2, 4>, perm = array<i64: 0, 1>, type = i8, channels = [@x]}
    sched.buffer @c {core = 0 : i64, bytes = 8 : i64}
    sched.view @v {of = @c, rows = 1 : i64, pixels = 1 : i64, channels = 2 : i64, pixel_pitch = 2 : i64, row_pitch = 2 : i64, slots = 1 : i64, type = i8}
    sched.stream "a" on 0 {
      sched.loop 2 {
        sched.send {channel = @x, producer = 0 : i64, src = @v, row = array<i64: 0, 1, 0>, offset = 0 : i64, pitch = 2 : i64, joined = 0 : i64, first = 0 : i64, skipped = 0 : i64}
      }
    }
  }
}
