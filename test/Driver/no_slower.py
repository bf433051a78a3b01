#!/usr/bin/env python3
"""no_slower.py FIRST.json BEST.json [KEY]: BEST's KEY [period_ns] is at most FIRST's."""
import json
import sys

first, best = (json.load(open(path)) for path in sys.argv[1:3])
key = sys.argv[3] if len(sys.argv) > 3 else "period_ns"
assert best[key] <= first[key], (key, first[key], best[key])
