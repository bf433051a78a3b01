// RUN: cim-opt %s --convert-sched-to-isa --split-input-file --verify-diagnostics

// expected-error @+1 {{the module has no sched.program; run --convert-cim-to-sched first}}
module {
}

// -----

module {
  sched.program @main {
    // expected-error @+1 {{'sched.channel' op has no address; run --sched-allocate first}}
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
  }
}

// -----

module {
  sched.program @main {
    // expected-error @+1 {{takes rows 0 to 3 and columns 0 to 2 of weights 'w' of type 'tensor<2x2xi8>'}}
    sched.cells {core = 0 : i64, k_begin = 0 : i64, k_size = 3 : i64, macro = 0 : i64, n_begin = 0 : i64, n_size = 2 : i64, row = 0 : i64, weights = @w}
  }
  cim.weights @w dense<1> : tensor<2x2xi8>
}

// -----

module {
  sched.program @main {
    sched.buffer @b {core = 0 : i64, bytes = 8 : i64, address = 0 : i64}
    // expected-error @+1 {{has element type 'f64', which the machine does not know}}
    sched.view @v {of = @b, rows = 1 : i64, pixels = 1 : i64, channels = 1 : i64, pixel_pitch = 8 : i64, row_pitch = 8 : i64, slots = 1 : i64, type = f64}
  }
}
