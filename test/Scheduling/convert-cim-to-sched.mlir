// RUN: cim-opt %s --convert-cim-to-sched | FileCheck %s

#chip = #cim.chip<"card", {hierarchy.chiplet_rows = 2 : i64, hierarchy.chiplet_columns = 4 : i64, hierarchy.tile_rows = 4 : i64, hierarchy.tile_columns = 4 : i64, hierarchy.cores_per_tile = 4 : i64, hierarchy.macros_per_core = 2 : i64, macro.rows = 1024 : i64, macro.columns = 512 : i64, macro.active_rows = 64 : i64, macro.partial_sum_depth = 8 : i64, macro.fill_cycles = 4 : i64, macro.row_read_ns = 1.000000e+01 : f64, macro.read_fj_per_bit = 3.000000e+01 : f64, macro.mac_fj = 9.270000e+01 : f64, macro.partial_sum_fj_per_mac = 1.300000e+00 : f64, macro.write_pulse_ns = 1.000000e+03 : f64, macro.write_loops = 3 : i64, macro.write_parallel_cells = 64 : i64, macro.write_parallel_macros = 16 : i64, macro.write_pj_per_bit = 6.000000e+02 : f64, macro.endurance_writes = 1.000000e+04 : f64, macro.area_mm2 = 3.200000e-01 : f64, core.clock_mhz = 5.000000e+02 : f64, core.streams = 16 : i64, core.sram_kb = 32 : i64, core.sram_pj_per_byte = 1.000000e+00 : f64, core.vector_int_lanes = 64 : i64, core.vector_fp_lanes = 16 : i64, core.vector_latency_cycles = 4 : i64, core.vector_pj_per_op = 5.000000e-01 : f64, tile.sram_kb = 256 : i64, tile.sram_pj_per_byte = 3.000000e+00 : f64, noc.clock_mhz = 1.000000e+03 : f64, noc.link_bits = 128 : i64, noc.inject_cycles = 1 : i64, noc.hop_cycles = 2 : i64, noc.pj_per_bit_hop = 2.500000e-01 : f64, nop.link_gb_per_s = 6.400000e+01 : f64, nop.hop_ns = 1.000000e+01 : f64, nop.pj_per_bit_hop = 1.000000e+00 : f64, dram.gb_per_s = 1.024000e+02 : f64, dram.latency_ns = 1.000000e+02 : f64, dram.pj_per_bit = 5.000000e+00 : f64, host.gb_per_s = 1.600000e+01 : f64, host.latency_ns = 5.000000e+02 : f64, host.pj_per_bit = 6.000000e+00 : f64, power.clock_fraction = 1.500000e-01 : f64, power.static_w_per_chiplet = 6.000000e-01 : f64, power.static_w = 3.000000e+00 : f64, power.regulator_loss = 8.000000e-02 : f64, power.tdp_w = 7.500000e+01 : f64}>
#k3 = #cim.window<kernel = [3, 3], stride = [1, 1], pad = [1, 1], dilation = [1, 1]>
#k1 = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
module attributes {cim.chip = #chip} {
  cim.weights @a dense<1> : tensor<18x4xi8>
  cim.weights @b dense<2> : tensor<4x64xi8>

  // CHECK-LABEL: sched.program @main
  // The input has two readers on core 0, which share a channel, and one on core 1.
  // CHECK: sched.io "x0" {{.*}}channels = [@[[X0:c[0-9]+]], @[[X1:c[0-9]+]]], output = false
  // CHECK: sched.io "y0" {{.*}}channels = [@[[Y:c[0-9]+]]], output = true
  // CHECK: sched.channel @[[X0]] {consumers = 2 : i64, core = 0 : i64, row_bytes = 10 : i64, rows = 5 : i64}
  // CHECK: sched.channel @[[S0:c[0-9]+]] {core = 0 : i64, row_bytes = 80 : i64
  // CHECK: sched.channel @[[X1]] {core = 1 : i64, row_bytes = 10 : i64
  // Both tiles write their part of the result's rows.
  // CHECK: sched.channel @[[Y]] {core = -1 : i64, producers = 3 : i64, row_bytes = 50 : i64, rows = 5 : i64, slots = 5 : i64}
  // CHECK: sched.cells {core = 0 : i64, k_begin = 0 : i64, k_size = 18 : i64, macro = 1 : i64, n_begin = 0 : i64, n_size = 4 : i64, row = 0 : i64, weights = @a}
  // CHECK: sched.stream "first" on 0
  // CHECK-NEXT: sched.loop 5
  // CHECK-NEXT: sched.wait {channel = @[[X0]], consumer = 0 : i64, rows = array<i64: 2, 1, 0>}
  // CHECK-NEXT: sched.acquire {channel = @[[S0]]
  // CHECK-NEXT: sched.mvm {{.*}}macros = 2 : i64
  // CHECK-NEXT: sched.post {channel = @[[S0]]
  // CHECK-NEXT: sched.free {channel = @[[X0]], consumer = 0 : i64, rows = array<i64: 0, 1, 0>}
  // CHECK: sched.free {channel = @[[X0]], consumer = 0 : i64, rows = array<i64: 5, 0, 0>}
  // CHECK: sched.stream "first" on 0
  // CHECK: sched.requantize
  // Two readers of the same pixels: one message.
  // CHECK-NEXT: sched.free
  // CHECK-NEXT: sched.send {channel = @{{c[0-9]+}}, first = 0 : i64, joined = 0 : i64
  // CHECK-NEXT: sched.send {channel = @[[Y]], first = 0 : i64, joined = 1 : i64, offset = 0 : i64, pitch = 10 : i64, producer = 0 : i64
  // CHECK: sched.stream "second" on 0
  // CHECK: sched.send {channel = @[[Y]], first = 0 : i64, joined = 0 : i64, offset = 4 : i64, pitch = 10 : i64, producer = 1 : i64
  // CHECK: sched.stream "third" on 1
  // CHECK: sched.send {channel = @[[Y]], first = 0 : i64, joined = 0 : i64, offset = 8 : i64, pitch = 10 : i64, producer = 2 : i64
  func.func @main(%x: tensor<5x5x2xi8> {nn.name = "x0"}) -> (tensor<5x5x10xi8> {nn.name = "y0"}) {
    %s = cim.mvm %x {weights = @a, window = #k3, k_begin = 0 : i64, k_size = 18 : i64, n_begin = 0 : i64, pad_value = 1 : i64, core = 0 : i64, macros = array<i64: 1>} : (tensor<5x5x2xi8>) -> tensor<5x5x4xi32> loc("first")
    %p = cim.requantize %s {bias = array<i32: 1>, multiplier = array<f32: 0.5>, zero = 0 : i64, low = -128 : i64, high = 127 : i64, core = 0 : i64} : (tensor<5x5x4xi32>) -> tensor<5x5x4xi8> loc("first")
    %m = cim.add %p, %p {ra = 0.5 : f32, rb = 0.5 : f32, f = 0.0 : f32, low = -128 : i64, high = 127 : i64, core = 0 : i64} : (tensor<5x5x4xi8>, tensor<5x5x4xi8>) -> tensor<5x5x4xi8> loc("second")
    %d = cim.max_pool %x {window = #k3, core = 0 : i64} : (tensor<5x5x2xi8>) -> tensor<5x5x2xi8> loc("dead")
    %e = cim.max_pool %x {window = #k3, core = 0 : i64} : (tensor<5x5x2xi8>) -> tensor<5x5x2xi8> loc("pool")
    %q = cim.add %x, %e {ra = 0.5 : f32, rb = 0.5 : f32, f = 0.0 : f32, low = -128 : i64, high = 127 : i64, core = 1 : i64} : (tensor<5x5x2xi8>, tensor<5x5x2xi8>) -> tensor<5x5x2xi8> loc("third")
    %y = cim.concat %p, %m, %q {axis = 2 : i64} : (tensor<5x5x4xi8>, tensor<5x5x4xi8>, tensor<5x5x2xi8>) -> tensor<5x5x10xi8>
    return %y : tensor<5x5x10xi8>
  }
}
