// Rows of sums above a quarter of the core's SRAM pass in chunks.
// RUN: cim-opt %s --convert-cim-to-sched | FileCheck %s

#chip = #cim.chip<"card", {hierarchy.chiplet_rows = 2 : i64, hierarchy.chiplet_columns = 4 : i64, hierarchy.tile_rows = 4 : i64, hierarchy.tile_columns = 4 : i64, hierarchy.cores_per_tile = 4 : i64, hierarchy.macros_per_core = 2 : i64, macro.rows = 1024 : i64, macro.columns = 512 : i64, macro.active_rows = 64 : i64, macro.partial_sum_depth = 8 : i64, macro.fill_cycles = 4 : i64, macro.row_read_ns = 1.000000e+01 : f64, macro.read_fj_per_bit = 3.000000e+01 : f64, macro.mac_fj = 9.270000e+01 : f64, macro.partial_sum_fj_per_mac = 1.300000e+00 : f64, macro.write_pulse_ns = 1.000000e+03 : f64, macro.write_loops = 3 : i64, macro.write_parallel_cells = 64 : i64, macro.write_parallel_macros = 16 : i64, macro.write_pj_per_bit = 6.000000e+02 : f64, macro.endurance_writes = 1.000000e+04 : f64, macro.area_mm2 = 3.200000e-01 : f64, core.clock_mhz = 5.000000e+02 : f64, core.streams = 16 : i64, core.sram_kb = 32 : i64, core.sram_pj_per_byte = 1.000000e+00 : f64, core.vector_int_lanes = 64 : i64, core.vector_fp_lanes = 16 : i64, core.vector_latency_cycles = 4 : i64, core.vector_pj_per_op = 5.000000e-01 : f64, tile.sram_kb = 256 : i64, tile.sram_pj_per_byte = 3.000000e+00 : f64, noc.clock_mhz = 1.000000e+03 : f64, noc.link_bits = 128 : i64, noc.inject_cycles = 1 : i64, noc.hop_cycles = 2 : i64, noc.pj_per_bit_hop = 2.500000e-01 : f64, nop.link_gb_per_s = 6.400000e+01 : f64, nop.hop_ns = 1.000000e+01 : f64, nop.pj_per_bit_hop = 1.000000e+00 : f64, dram.gb_per_s = 1.024000e+02 : f64, dram.latency_ns = 1.000000e+02 : f64, dram.pj_per_bit = 5.000000e+00 : f64, host.gb_per_s = 1.600000e+01 : f64, host.latency_ns = 5.000000e+02 : f64, host.pj_per_bit = 6.000000e+00 : f64, power.clock_fraction = 1.500000e-01 : f64, power.static_w_per_chiplet = 6.000000e-01 : f64, power.static_w = 3.000000e+00 : f64, power.regulator_loss = 8.000000e-02 : f64, power.tdp_w = 7.500000e+01 : f64}>
#k1 = #cim.window<kernel = [1, 1], stride = [1, 1], pad = [0, 0], dilation = [1, 1]>
module attributes {cim.chip = #chip} {
  cim.weights @w dense<2> : tensor<4x64xi8>
  // 53 x 64 x 4 bytes in two chunks of 27 pixels.
  // CHECK: sched.channel @[[S:c[0-9]+]] {core = 0 : i64, row_bytes = 6912 : i64, rows = 6 : i64}
  // CHECK: sched.loop 3
  // CHECK-NEXT: sched.wait
  // CHECK-NEXT: sched.loop 2
  // CHECK-NEXT: sched.acquire {channel = @[[S]]
  // CHECK-NEXT: sched.mvm {{.*}}count = 27 : i64, {{.*}}dst_row = array<i64: 0, 2, 1>, end = 53 : i64, {{.*}}pixel = array<i64: 0, 0, 27>
  // CHECK: sched.requantize {{.*}}count = 27 : i64, {{.*}}dst_pixel = array<i64: 0, 0, 27>, {{.*}}src_row = array<i64: 0, 2, 1>
  func.func @main(%x: tensor<3x53x4xi8>) -> tensor<3x53x64xi8> {
    %s = cim.mvm %x {weights = @w, window = #k1, k_begin = 0 : i64, k_size = 4 : i64, n_begin = 0 : i64, pad_value = 1 : i64, core = 0 : i64, macros = array<i64: 0>} : (tensor<3x53x4xi8>) -> tensor<3x53x64xi32>
    %p = cim.requantize %s {bias = array<i32: 1>, multiplier = array<f32: 0.5>, zero = 0 : i64, low = -128 : i64, high = 127 : i64, core = 0 : i64} : (tensor<3x53x64xi32>) -> tensor<3x53x64xi8>
    return %p : tensor<3x53x64xi8>
  }
}
