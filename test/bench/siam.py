#!/usr/bin/env python3
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One network on 1 to 64 chiplets: what the networks between them cost, and the energy of GPUs beside it.

usage: siam.py [NETWORK ...] [--chiplets 1,2,...] [--presets card,card-dense] [--mode MODE] [--cimc PATH]
       [--work DIR] [--json FILE]

The questions of SIAM (Krishnan et al., 2021, a simulator of chiplet-based compute-in-memory), asked of this compiler
and chip model: ResNet-50 and VGG-16 at 224 x 224, VGG-19 at 32 x 32 (CIFAR), int8, random weights. Chips are those of
scale.py: the chiplets of a preset in a mesh of so many, with power limit and DRAM in proportion. Where
a network does not fit, the row says so.

  energy   of one sample in steady state; the shares of the network on a chiplet (NoC), between chiplets (NoP), of
           DRAM, of the chip's static power
  time     of the chain of waits that decides the period, what is spent on messages within a chiplet and between
           chiplets, and in DRAM

The last table is SIAM's claim, ResNet-50 at 130 times the energy efficiency of a V100 and 72 times that of a T4,
with what this chip model takes. GPUs (GPUS below) count with their board's power limit and images a second that
were measured or assumed as noted; SIAM gives neither batch nor power.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import onnx

import scale

sys.path.insert(0, str(pathlib.Path(__file__).parent / "pimcomp"))
import networks  # noqa: E402

# name: (images/s of ResNet-50 at 224 x 224, W, where from, SIAM's factor)
GPUS = {
    "V100, batch 1": (817.8, 300, "TensorRT 4.0, INT8, measured (gist 1duo/efd3be1d); power limit", 130),
    "V100, batch 32": (4716, 300, "the same", 130),
    "T4, batch 1": (900, 70, "assumed: 1.1 times the V100, INT8; power limit", 72),
    "T4, large batch": (5000, 70, "assumed: vendor's order of magnitude, INT8; power limit", 72),
}


def vgg19_cifar():
    n = networks.Net("vgg19_cifar", 32)
    x = n.x
    for width, count in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(count):
            x = n.conv(x, width, 3)
        x = n.pool(x, 2, 2)
    return n.model(n.linear(n.linear(n.linear(x, 512, True), 512, True), 100))


NETWORKS = {"resnet50": networks.NETWORKS["resnet50"], "vgg16": networks.NETWORKS["vgg16"], "vgg19_cifar": vgg19_cifar}


def compile_on(args, model, chip):
    done = subprocess.run([args.cimc, "compile", str(model), "--chip", str(chip), "--mode", args.mode, "--explain",
                           "-o", str(args.work / "siam.cimx"), "--json"], capture_output=True, text=True)
    report = json.loads(done.stdout)
    if done.returncode:
        return {"error": report["error"]["message"].splitlines()[0], "exit_code": done.returncode}
    energy, total = report["energy_by_component_nj"], report["energy_nj"]
    row = {key: report[key] for key in (
        "latency_ns", "period_ns", "energy_nj", "average_power_w", "arrays_used", "arrays_total", "chiplets_used",
        "macs", "compile_s", "energy_by_component_nj", "throttled")}
    row["energy_share"] = {name: energy.get(name, 0) / total for name in ("noc", "nop", "dram", "static")}
    spent = {}
    for part in report["critical_path"]:
        spent[part["what"]] = spent.get(part["what"], 0) + part["ns"]
    whole = sum(spent.values())
    row["time_share"] = {name: spent.get(what, 0) / whole for name, what in (
        ("noc", "networks"), ("nop", "chiplet network"), ("dram", "dram"))}
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="*", metavar="NETWORK", help="of " + ", ".join(NETWORKS))
    parser.add_argument("--chiplets", default="1,2,4,8,16,32,64")
    parser.add_argument("--presets", default="card,card-dense")
    parser.add_argument("--mode", default="throughput")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--cimc", default="cimc")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    if unknown := [name for name in args.network if name not in NETWORKS]:
        parser.error(f"{unknown}: networks are {list(NETWORKS)}")
    args.work = args.work or pathlib.Path(tempfile.mkdtemp(prefix="cimc-siam-"))
    args.work.mkdir(parents=True, exist_ok=True)
    rows = []
    print("| network | chip | arrays | latency us | period us | energy uJ | power W | energy: NoC, NoP, DRAM, static % | "
          "time: NoC, NoP, DRAM % |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for network in args.network or NETWORKS:
        model = args.work / f"{network}.onnx"
        onnx.save(NETWORKS[network](), model)
        for preset in args.presets.split(","):
            for chiplets in map(int, args.chiplets.split(",")):
                chip = args.work / f"{preset}-{chiplets}.json"
                scale.write_chip(args.cimc, preset, chiplets, chip)
                row = {"network": network, "preset": preset, "chiplets": chiplets, **compile_on(args, model, chip)}
                rows.append(row)
                head = f"| {network} | `{chip.stem}` |"
                if "error" in row:
                    print(f"{head} exit {row['exit_code']}: {row['error'][:150]} | | | | | | |", flush=True)
                    continue
                shares = [", ".join(f"{100 * value:.1f}" for value in row[key].values())
                          for key in ("energy_share", "time_share")]
                print(f"{head} {row['arrays_used']:,} of {row['arrays_total']:,} | {row['latency_ns'] / 1e3:.1f} | "
                      f"{row['period_ns'] / 1e3:.1f} | {row['energy_nj'] / 1e3:,.0f} | {row['average_power_w']:.1f} | "
                      f"{shares[0]} | {shares[1]} |", flush=True)
    least = min((row for row in rows if row["network"] == "resnet50" and "error" not in row),
                key=lambda row: row["energy_nj"], default=None)
    claim = []
    if least:
        own = least["energy_nj"] * 1e-9
        print(f"\nResNet-50: {own * 1e3:.2f} mJ an image on `{least['preset']}-{least['chiplets']}`, of all chips the least\n")
        print("| GPU | images/s | W | mJ an image | times ours | SIAM's | from |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
        for name, (rate, watts, source, siam) in GPUS.items():
            joules = watts / rate
            claim.append({"gpu": name, "mj": joules * 1e3, "ratio": joules / own, "siam": siam, "source": source})
            print(f"| {name} | {rate:,} | {watts} | {joules * 1e3:.0f} | {joules / own:.0f} | {siam} | {source} |")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "claim": claim}, indent=1) + "\n")
    sys.exit(any("error" in row and row["exit_code"] != 5 for row in rows))


if __name__ == "__main__":
    main()
