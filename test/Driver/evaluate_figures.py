# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `cimc evaluate --json` on standard input says of accuracy."""
import json
import sys

figures = json.load(sys.stdin)
assert figures["samples"] == 60 and figures["evaluate_s"] > 0 and figures["peak_rss_mb"] > 0
print(json.dumps({name: figures[name] for name in ("samples", "top1", "top5")}, sort_keys=True))
