// RUN: cim-opt %s --sched-size-rings --split-input-file --verify-diagnostics

// expected-error @+1 {{the module has no sched.program; run --convert-cim-to-sched first}}
module {
}

// -----

module {
  // expected-error @+1 {{deadlocks whatever the sizes of its rings: 'a' waits for rows of @y, 'b' waits for rows of @x}}
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.channel @y {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.stream "a" on 0 {
      sched.wait {channel = @y, consumer = 0 : i64, rows = array<i64: 1, 0, 0>}
      sched.post {channel = @x, producer = 0 : i64}
    }
    sched.stream "b" on 0 {
      sched.wait {channel = @x, consumer = 0 : i64, rows = array<i64: 1, 0, 0>}
      sched.post {channel = @y, producer = 0 : i64}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    sched.stream "a" on 0 {
      sched.acquire {channel = @x, producer = 0 : i64}
      sched.post {channel = @x, producer = 0 : i64}
      sched.acquire {channel = @x, producer = 0 : i64}
      sched.post {channel = @x, producer = 0 : i64}
    }
    // expected-error @+1 {{'sched.stream' op consumer 0 frees 1 rows of @x, which has 2 a sample}}
    sched.stream "b" on 0 {
      sched.wait {channel = @x, consumer = 0 : i64, rows = array<i64: 2, 0, 0>}
      sched.free {channel = @x, consumer = 0 : i64, rows = array<i64: 1, 0, 0>}
    }
  }
}

// -----

module {
  sched.program @main {
    sched.channel @x {core = 0 : i64, rows = 2 : i64, row_bytes = 4 : i64}
    // expected-error @+1 {{'sched.stream' op producer 0 posts a row of @x without having acquired it}}
    sched.stream "a" on 0 {
      sched.post {channel = @x, producer = 0 : i64}
    }
  }
}
