# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: explain.py MODEL SAMPLES DIR: `cimc explain` against what compiling and inspecting say.

The numbers of copies that explain tried are given to the compiler by hand, in
`cim.copies`, and its program must cost what explain said.
"""
import json
import re
import subprocess
import sys

model, samples, folder = sys.argv[1:]
options = ["--chip", "wearable", "--calibrate", samples]


def cimc(*arguments):
    return subprocess.run(["cimc", *arguments], check=True, capture_output=True, text=True).stdout


def cost_with(copies):
    """What a program costs in which conv2 is cut into (ranges of pixels, turns of rows)."""
    placed = cimc("compile", model, *options, "--to", "placed")
    note = re.search(r"cim\.copies = (\[.*?\}\])", placed).group(1)
    layers = note.split("}, {")
    for i, layer in enumerate(layers):
        if '"conv2"' in layer and "macros = 0" not in layer:
            layers[i] = re.sub(r"phases = \d+", "phases = %d" % copies[1],
                               re.sub(r"copies = \d+", "copies = %d" % copies[0], layer))
    mapped = folder + "/mapped.mlir"
    cimc("compile", model, *options, "--to", "cim", "-o", mapped)
    text = open(mapped).read()
    head = re.search(r"func\.func [^\n]*", text)
    line = head.group(0)
    assert line.endswith("{"), line
    with open(mapped, "w") as file:
        file.write(text[:head.start()] + line[:-1] + "attributes {cim.copies = %s} {" % "}, {".join(layers) +
                   text[head.end():])
    return json.loads(cimc("compile", mapped, "-o", folder + "/again.cimx", "--json"))


report = json.loads(cimc("explain", model, *options, "conv2", "conv1", "--json"))
assert [node["name"] for node in report["nodes"]] == ["conv2", "conv1"]
whole = json.loads(cimc("compile", model, *options, "-o", folder + "/whole.cimx", "--json"))
for key in ("period_ns", "latency_ns", "arrays_used", "arrays_total"):
    assert report[key] == whole[key], key
cores = {core["core"]: core for core in json.loads(cimc("inspect", folder + "/whole.cimx", "--json"))["cores"]}
for node in report["nodes"]:
    layer = [one for one in node["layers"] if one["arrays_of_a_copy"]][0]
    tiles = [(stream["core"], tile) for stream in node["streams"] for tile in stream["tiles"]]
    assert len(tiles) == layer["copies"] == layer["ranges_of_pixels"] * layer["turns_of_rows"]
    for core, tile in tiles:
        assert node["name"] in cores[core]["layers"] and len(tile["arrays"]) <= cores[core]["arrays"]
    assert abs(sum(part["ns"] for part in report["critical_path"] if part["layer"] == node["name"]) -
               node["critical_ns"]) < 1e-6
layer = [one for one in report["nodes"][0]["layers"] if one["arrays_of_a_copy"]][0]
fewer = layer["fewer"]
assert fewer["copies"] < layer["copies"] and fewer["arrays_used"] < whole["arrays_used"]
again = cost_with((layer["ranges_of_pixels"], fewer["copies"] // layer["ranges_of_pixels"]))
for key in ("period_ns", "latency_ns", "arrays_used", "energy_nj"):
    assert again[key] == fewer[key], (key, again[key], fewer[key])
