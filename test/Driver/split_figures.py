# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: split_figures.py REPROGRAM.json CARDS.json: figures of `cimc run` agree with those of the parts."""
import json
import math
import sys

reprogram, cards = (json.load(open(path)) for path in sys.argv[1:])


def same(got, expected, what):
    if not math.isclose(got, expected, rel_tol=1e-9):
        sys.exit("%s is %r, not %r" % (what, got, expected))


parts, batch = reprogram["parts"], reprogram["batch"]
# The link of `wearable`: 0.1 GB/s (bytes per ns) and 1 us. Nothing overlaps.
for profile, key in (("foundry", "program_arrays_ns"), ("fast", "program_arrays_fast_ns")):
    its = reprogram[profile]
    computing = sum(p["latency_ns"] + (batch - 1) * p["period_ns"] for p in parts)
    same(its["computing_ns"], computing, "computing")
    link = 1000 * len(parts) + reprogram["weight_bytes"] / 0.1
    if not max(link, sum(p[key] for p in parts)) <= its["writing_ns"] * (1 + 1e-9):
        sys.exit("writing %s takes %r" % (profile, its["writing_ns"]))
    if its["writing_ns"] > link + sum(p[key] for p in parts):
        sys.exit("writing %s takes too long, %r" % (profile, its["writing_ns"]))
    same(its["batch_ns"], its["writing_ns"] + its["computing_ns"], "a batch")
    same(its["period_ns"], its["batch_ns"] / batch, "the period")
    years = 1e4 * its["batch_ns"] / reprogram["writes_a_batch"] / (365.25 * 24 * 3600e9)
    same(its["lifetime_years"], years, "lifetime")
    same(its["warn_years"], years / 10, "warning")
    if its["energy_nj"] < its["writing_nj"] / batch + sum(p["energy_nj"] for p in parts):
        sys.exit("energy misses a share")
same(reprogram["period_ns"], reprogram["foundry"]["period_ns"], "period")
same(reprogram["latency_ns"], reprogram["foundry"]["batch_ns"], "latency")
if [b["fast"]["batch"] for b in reprogram["batches"]] != sorted(b["fast"]["batch"] for b in reprogram["batches"]):
    sys.exit("batches are not in order")
rates = [1 / b["foundry"]["period_ns"] for b in reprogram["batches"]]
if rates != sorted(rates):
    sys.exit("larger batches are slower")

parts = cards["parts"]
same(cards["period_ns"], max(p["period_ns"] for p in parts), "the pipeline's period")
same(parts[cards["slowest_part"]]["period_ns"], cards["period_ns"], "the slowest")
same(cards["latency_ns"], sum(p["latency_ns"] for p in parts), "the pipeline's latency")
# Cards at rest take 0.01 W, and 8 % are lost.
rest = sum(0.01 * 1.08 * (cards["period_ns"] - p["period_ns"]) for p in parts)
same(cards["energy_nj"], sum(p["energy_nj"] for p in parts) + rest, "energy")
