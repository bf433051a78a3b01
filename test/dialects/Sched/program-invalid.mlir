// RUN: cim-opt %s --split-input-file --verify-diagnostics

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    sched.stream "a" on 0 {
      // expected-error @+1 {{is consumer 1 of 'x', which has 1}}
      sched.wait {channel = @x, consumer = 1 : i64, rows = array<i64: 1, 0, 0>}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    sched.stream "a" on 0 {
      // expected-error @+1 {{is producer -1 of 'x', which has 1}}
      sched.post {channel = @x, producer = -1 : i64}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    sched.stream "a" on 0 {
      // expected-error @+1 {{'rows' has 2 entries; must have 3}}
      sched.wait {channel = @x, consumer = 0 : i64, rows = array<i64: 1, 0>}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    sched.stream "a" on 0 {
      // expected-error @+1 {{'channel' names 'b', which is not a sched.channel}}
      sched.post {channel = @b, producer = 0 : i64}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-note @+1 {{'v' is declared here}}
    sched.view @v {of = @b, rows = 1 : i64, pixels = 1 : i64, channels = 2 : i64, pixel_pitch = 2 : i64, row_pitch = 2 : i64, slots = 1 : i64, type = i8}
    sched.stream "a" on 0 {
      // expected-error @+1 {{on core 0 uses memory of core 1}}
      sched.fill {dst = @v, dst_row = array<i64: 0, 0, 0>, value = 0 : i64}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-error @+1 {{reaches byte 9 of the 8 of 'b'}}
    sched.view @v {of = @b, offset = 7 : i64, rows = 1 : i64, pixels = 1 : i64, channels = 2 : i64, pixel_pitch = 2 : i64, row_pitch = 2 : i64, slots = 1 : i64, type = i8}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-error @+1 {{must state slots and row_pitch, as it is not of a channel's rows}}
    sched.view @v {of = @b, rows = 1 : i64, pixels = 1 : i64, channels = 2 : i64, pixel_pitch = 2 : i64, type = i8}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-error @+1 {{is of 'none', which is not a channel, buffer or constant}}
    sched.view @v {of = @none, rows = 1 : i64, pixels = 1 : i64, channels = 2 : i64, pixel_pitch = 2 : i64, type = i8}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    sched.stream "a" on 0 {
      sched.loop 2 {
        sched.loop 2 {
          // expected-error @+1 {{is nested three deep; the machine has two loops}}
          sched.loop 2 {
          }
        }
      }
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-error @+1 {{has 3 slots; must be 1 to its 2 rows}}
    sched.channel @y {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64, slots = 3 : i64}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-error @+1 {{is held whole but has 1 slots for 2 rows}}
    sched.channel @y {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64, whole}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.buffer @b {core = 1 : i64, bytes = 8 : i64}
    // expected-error @+1 {{has 0 rows of 4 bytes; both must be at least 1}}
    sched.channel @y {core = 0 : i64, rows = 0 : i64, row_bytes = 4 : i64}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    // expected-error @+1 {{has perm [0, 2], which is not a permutation of its 2 axes}}
    sched.io "x" {output = false, shape = array<i64: 2, 4>, perm = array<i64: 0, 2>, type = i8, channels = [@x]}
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    // expected-error @+1 {{has shape [2, -1]; every axis must be at least 0}}
    sched.io "x" {output = false, shape = array<i64: 2, -1>, perm = array<i64: 0, 1>, type = i8, channels = [@x]}
  }
}

// -----

module {
  sched.program @main {
    // expected-error @+1 {{names 'x', which is not a sched.channel}}
    sched.io "x" {output = false, shape = array<i64: 2, 4>, perm = array<i64: 0, 1>, type = i8, channels = [@x]}
  }
}
