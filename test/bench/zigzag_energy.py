#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
"""The energy of one product beside ZigZag's model of the same array.

usage: zigzag_energy.py [--cimc cimc]

Builds the macro of the preset `card` (64 columns of 8 bits, 64 active rows, 16
row groups, inputs bit by bit) with ZigZag's digital in-memory array at 28 nm and
prints both models' fJ per int8 product, part by part, as a Markdown table.
ZigZag's peak has every gate switching. Ours is at 50 % toggle of inputs and 50 %
ones, where a bit of a product switches in a quarter of the cycles, and with it
AND gates and adder tree; accumulators switch in every cycle. Its parts are also
shown scaled like that. Needs `zigzag-dse` 3.9.1 and
`six` from PyPI; says so and ends with exit code 77 where they are missing. Exit
code 1 where the totals are further apart than the 30 % that docs promise.
"""

import argparse
import json
import subprocess
import sys

# Parts of macro.mac_fj, whose sum it is.
PARTS = {"adder tree": 59.6, "AND gates": 4.5, "accumulator": 10.2, "registers": 5.1, "pipeline": 13.2}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cimc", default="cimc")
    args = parser.parse_args()
    try:
        from zigzag.datatypes import OADimension
        from zigzag.hardware.architecture.imc_array import ImcArray
    except ImportError as error:
        print(f"SKIPPED: {error}; pip install zigzag-dse==3.9.1 six")
        sys.exit(77)
    chip = json.loads(subprocess.run([args.cimc, "chips", "card", "--json"], check=True, capture_output=True,
                                     text=True).stdout)
    macro = {key: value["value"] for key, value in chip["macro"].items()}
    active, outputs = macro["active_rows"], macro["columns"] // 8
    array = ImcArray(is_analog_imc=False, bit_serial_precision=1, input_precision=[8, 8], adc_resolution=0,
                     cells_size=8 * macro["rows"] // active, cells_area=0.0,
                     dimension_sizes={OADimension("D1"): outputs, OADimension("D2"): active})
    products = outputs * active / 8  # a cycle
    theirs = {name: 1000 * pj / products for name, pj in array.get_peak_energy_single_cycle().items() if pj}
    switching = {"mults": 0.25, "adders_regular": 0.25, "accumulators": 1}
    print("| part | card, fJ | ZigZag at its peak, fJ | ZigZag as inputs toggle, fJ |")
    print("| --- | --- | --- | --- |")
    rows = [("adder tree", ["adder tree"], "adders_regular"), ("AND gates", ["AND gates"], "mults"),
            ("accumulator and its register", ["accumulator", "registers"], "accumulators")]
    total, peak, scaled = 0.0, 0.0, 0.0
    for title, ours, name in rows:
        mine = sum(PARTS[part] for part in ours)
        part = theirs.pop(name)
        print(f"| {title} | {mine:.1f} | {part:.1f} | {part * switching[name]:.1f} |")
        total, peak, scaled = total + mine, peak + part, scaled + part * switching[name]
    print(f"| pipeline registers | {PARTS['pipeline']:.1f} | not modelled | |")
    print(f"| sum without the pipeline | {total:.1f} | {peak:.1f} | {scaled:.1f} |")
    if theirs:
        sys.exit(f"ZigZag has parts that are not compared: {sorted(theirs)}")
    if abs(sum(PARTS.values()) - macro["mac_fj"]) > 0.2:
        sys.exit(f"macro.mac_fj is {macro['mac_fj']}, but its parts sum to {sum(PARTS.values()):.1f}")
    ratio = total / scaled
    print(f"\ncard / ZigZag as inputs toggle: {ratio:.2f}")
    sys.exit(0 if 1 / 1.3 <= ratio <= 1.3 else 1)


if __name__ == "__main__":
    main()
