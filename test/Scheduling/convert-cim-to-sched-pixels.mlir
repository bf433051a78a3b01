// RUN: cim-opt %s --convert-cim-to-sched | FileCheck %s

// Who gets pixels that another reader gets in any case is of its message: the
// whole row goes first, then the three pixels in its middle, and every second.
// CHECK: sched.buffer @[[ROW:b[0-9]+]]
// CHECK-NEXT: sched.view @[[ALL:v[0-9]+]] {channels = 4 : i64, of = @[[ROW]], pixel_pitch = 4 : i64, pixels = 6 : i64
// CHECK-NEXT: sched.view @[[MIDDLE:v[0-9]+]] {channels = 4 : i64, of = @[[ROW]], offset = 8 : i64, pixel_pitch = 4 : i64, pixels = 3 : i64
// CHECK-NEXT: sched.view @[[SECOND:v[0-9]+]] {channels = 4 : i64, of = @[[ROW]], offset = 4 : i64, pixel_pitch = 8 : i64, pixels = 3 : i64
// CHECK: sched.stream "pool" on 0
// CHECK: sched.send {channel = @c2, {{.*}}joined = 0 : i64, {{.*}}src = @[[ALL]]}
// CHECK-NEXT: sched.send {channel = @c1, {{.*}}joined = 1 : i64, {{.*}}src = @[[MIDDLE]]}
// CHECK-NEXT: sched.send {channel = @c3, {{.*}}joined = 1 : i64, {{.*}}src = @[[SECOND]]}
// CHECK-NEXT: }
#chip = #cim.chip<"card", {hierarchy.chiplet_rows = 2 : i64, hierarchy.chiplet_columns = 4 : i64, hierarchy.tile_rows = 4 : i64, hierarchy.tile_columns = 4 : i64, hierarchy.cores_per_tile = 4 : i64, hierarchy.macros_per_core = 2 : i64, macro.rows = 1024 : i64, macro.columns = 512 : i64, macro.active_rows = 64 : i64, macro.partial_sum_depth = 8 : i64, macro.fill_cycles = 4 : i64, macro.row_read_ns = 1.000000e+01 : f64, macro.read_fj_per_bit = 3.000000e+01 : f64, macro.mac_fj = 9.270000e+01 : f64, macro.partial_sum_fj_per_mac = 1.300000e+00 : f64, macro.write_pulse_ns = 1.000000e+03 : f64, macro.write_loops = 3 : i64, macro.write_parallel_cells = 64 : i64, macro.write_parallel_macros = 16 : i64, macro.write_pj_per_bit = 6.000000e+02 : f64, macro.endurance_writes = 1.000000e+04 : f64, macro.area_mm2 = 3.200000e-01 : f64, core.clock_mhz = 5.000000e+02 : f64, core.streams = 16 : i64, core.sram_kb = 1 : i64, core.sram_pj_per_byte = 1.000000e+00 : f64, core.vector_int_lanes = 64 : i64, core.vector_fp_lanes = 16 : i64, core.vector_latency_cycles = 4 : i64, core.vector_pj_per_op = 5.000000e-01 : f64, tile.sram_kb = 4 : i64, tile.sram_pj_per_byte = 3.000000e+00 : f64, noc.clock_mhz = 1.000000e+03 : f64, noc.link_bits = 128 : i64, noc.inject_cycles = 1 : i64, noc.hop_cycles = 2 : i64, noc.pj_per_bit_hop = 2.500000e-01 : f64, nop.link_gb_per_s = 6.400000e+01 : f64, nop.hop_ns = 1.000000e+01 : f64, nop.pj_per_bit_hop = 1.000000e+00 : f64, dram.gb_per_s = 1.024000e+02 : f64, dram.latency_ns = 1.000000e+02 : f64, dram.pj_per_bit = 5.000000e+00 : f64, host.gb_per_s = 1.600000e+01 : f64, host.latency_ns = 5.000000e+02 : f64, host.pj_per_bit = 6.000000e+00 : f64, power.clock_fraction = 1.500000e-01 : f64, power.static_w_per_chiplet = 6.000000e-01 : f64, power.static_w = 3.000000e+00 : f64, power.regulator_loss = 8.000000e-02 : f64, power.tdp_w = 7.500000e+01 : f64}>
#k3 = #cim.window<kernel = [3, 3], stride = [1, 1], pad = [1, 1], dilation = [1, 1]>
module attributes {cim.chip = #chip} {
  func.func @main(%x: tensor<6x6x4xi8>) -> (tensor<6x3x4xi8>, tensor<6x6x4xi8>, tensor<6x3x4xi8>) {
    %p = cim.max_pool %x {window = #k3, core = 0 : i64} : (tensor<6x6x4xi8>) -> tensor<6x6x4xi8> loc("pool")
    %m = cim.slice %p {begin = 2 : i64} : (tensor<6x6x4xi8>) -> tensor<6x3x4xi8>
    %s = cim.slice %p {begin = 1 : i64, step = 2 : i64} : (tensor<6x6x4xi8>) -> tensor<6x3x4xi8>
    %a = cim.max_pool %m {window = #k3, core = 1 : i64} : (tensor<6x3x4xi8>) -> tensor<6x3x4xi8> loc("middle")
    %b = cim.max_pool %p {window = #k3, core = 2 : i64} : (tensor<6x6x4xi8>) -> tensor<6x6x4xi8> loc("all")
    %c = cim.max_pool %s {window = #k3, core = 3 : i64} : (tensor<6x3x4xi8>) -> tensor<6x3x4xi8> loc("second")
    return %a, %b, %c : tensor<6x3x4xi8>, tensor<6x6x4xi8>, tensor<6x3x4xi8>
  }
}
