"""Compiles a network for chips with less and less memory and counts the chips
on which it fits."""

import json
import pathlib
import subprocess
import sys

NETWORK = """
!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8:f32, 0.25>
!m = tensor<1x8x16xWIDTHx!x>
func.func @main(%x: !m {nn.name = "x"}) -> (!m {nn.name = "y"}) {
  %w = nn.constant dense<1> : tensor<8x8x3x3xi8> : tensor<8x8x3x3x!w>
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>,
                       group = 1 : i64} : (!m, tensor<8x8x3x3x!w>) -> !m
  %1 = nn.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>,
                       group = 1 : i64} : (!m, tensor<8x8x3x3x!w>) -> !m
  %2 = nn.conv %1, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>,
                       group = 1 : i64} : (!m, tensor<8x8x3x3x!w>) -> !m
  %3 = nn.conv %2, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>,
                       group = 1 : i64} : (!m, tensor<8x8x3x3x!w>) -> !m
  %4 = nn.add %0, %3 : (!m, !m) -> !m
  return %4 : !m
}
"""


def number(value):
    return {"value": value, "kind": "assumed", "source": "test"}


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
fits, errors = 0, 0
for width in (48, 64):
    model = folder / f"model{width}.mlir"
    model.write_text(NETWORK.replace("WIDTH", str(width)))
    for sram in range(1, 4):
        for tile in range(9):
            chip = folder / "chip.json"
            chip.write_text(json.dumps({"name": "tight", "summary": "test", "extends": "wearable",
                                        "core": {"sram_kb": number(sram)}, "tile": {"sram_kb": number(tile)}}))
            done = subprocess.run(["cimc", "compile", model, "--chip", chip, "-o", folder / "x.cimx", "--explain"],
                                  capture_output=True, text=True)
            fits += done.returncode == 0
            # Success, or the chip is too small at any rate.
            errors += done.returncode not in (0, 5)
print(f"{errors} other errors")
print(f"fits {fits} of 54 chips")
