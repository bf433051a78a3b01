// RUN: cim-opt %s --convert-cim-to-sched --sched-size-rings --sched-allocate | FileCheck %s
// RUN: cim-opt %s --convert-cim-to-sched --sched-size-rings | sed 's/@c0 {/@c0 {kept_slots = 7 : i64, /' | cim-opt --sched-allocate | FileCheck %s --check-prefix=KEPT
// RUN: cim-opt %s --convert-cim-to-sched --sched-size-rings | sed 's/@c. {/&kept_slots = 8 : i64, /' | cim-opt --sched-allocate | FileCheck %s

// Of 2 KB a row of slack each is left to both rings, which would have twice as
// many. The first is touched most, so it lies first.
// CHECK-DAG: sched.channel @c0 {address = 0 : i64, consumers = 2 : i64, core = 0 : i64, {{.*}}min_slots = 5 : i64, row_bytes = 207 : i64, rows = 9 : i64, slots = 6 : i64}
// CHECK-DAG: sched.channel @c1 {address = 1456 : i64, core = 0 : i64, {{.*}}min_slots = 1 : i64, {{.*}}slots = 2 : i64}
// What a ring is to keep is taken from others first, and from it where there is
// no other way.
// KEPT-DAG: sched.channel @c0 {{.*}}slots = 7 : i64}
// KEPT-DAG: sched.channel @c1 {{.*}}rows = 9 : i64}
// CHECK-DAG: sched.channel @c2 {address = 0 : i64, core = -1 : i64
#chip = #cim.chip<"card", {hierarchy.chiplet_rows = 2 : i64, hierarchy.chiplet_columns = 4 : i64, hierarchy.tile_rows = 4 : i64, hierarchy.tile_columns = 4 : i64, hierarchy.cores_per_tile = 4 : i64, hierarchy.macros_per_core = 2 : i64, macro.rows = 1024 : i64, macro.columns = 512 : i64, macro.active_rows = 64 : i64, macro.partial_sum_depth = 8 : i64, macro.fill_cycles = 4 : i64, macro.row_read_ns = 1.000000e+01 : f64, macro.read_fj_per_bit = 3.000000e+01 : f64, macro.mac_fj = 9.270000e+01 : f64, macro.partial_sum_fj_per_mac = 1.300000e+00 : f64, macro.write_pulse_ns = 1.000000e+03 : f64, macro.write_loops = 3 : i64, macro.write_parallel_cells = 64 : i64, macro.write_parallel_macros = 16 : i64, macro.write_pj_per_bit = 6.000000e+02 : f64, macro.endurance_writes = 1.000000e+04 : f64, macro.area_mm2 = 3.200000e-01 : f64, core.clock_mhz = 5.000000e+02 : f64, core.streams = 16 : i64, core.sram_kb = 1 : i64, core.sram_pj_per_byte = 1.000000e+00 : f64, core.vector_int_lanes = 64 : i64, core.vector_fp_lanes = 16 : i64, core.vector_latency_cycles = 4 : i64, core.vector_pj_per_op = 5.000000e-01 : f64, tile.sram_kb = 4 : i64, tile.sram_pj_per_byte = 3.000000e+00 : f64, noc.clock_mhz = 1.000000e+03 : f64, noc.link_bits = 128 : i64, noc.inject_cycles = 1 : i64, noc.hop_cycles = 2 : i64, noc.pj_per_bit_hop = 2.500000e-01 : f64, nop.link_gb_per_s = 6.400000e+01 : f64, nop.hop_ns = 1.000000e+01 : f64, nop.pj_per_bit_hop = 1.000000e+00 : f64, dram.gb_per_s = 1.024000e+02 : f64, dram.latency_ns = 1.000000e+02 : f64, dram.pj_per_bit = 5.000000e+00 : f64, host.gb_per_s = 1.600000e+01 : f64, host.latency_ns = 5.000000e+02 : f64, host.pj_per_bit = 6.000000e+00 : f64, power.clock_fraction = 1.500000e-01 : f64, power.static_w_per_chiplet = 6.000000e-01 : f64, power.static_w = 3.000000e+00 : f64, power.regulator_loss = 8.000000e-02 : f64, power.tdp_w = 7.500000e+01 : f64}>
#k5 = #cim.window<kernel = [5, 5], stride = [1, 1], pad = [2, 2], dilation = [1, 1]>
module attributes {cim.chip = #chip} {
  func.func @main(%x: tensor<9x9x23xi8>) -> tensor<9x9x23xi8> {
    %p = cim.max_pool %x {window = #k5, core = 0 : i64} : (tensor<9x9x23xi8>) -> tensor<9x9x23xi8> loc("pool")
    %y = cim.add %p, %x {ra = 0.5 : f32, rb = 0.5 : f32, f = 0.0 : f32, low = -128 : i64, high = 127 : i64, core = 0 : i64} : (tensor<9x9x23xi8>, tensor<9x9x23xi8>) -> tensor<9x9x23xi8> loc("join")
    return %y : tensor<9x9x23xi8>
  }
}
