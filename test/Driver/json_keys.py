# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: json_keys.py KEY[=VALUE] ...: standard input is one JSON object with these keys.

KEY.KEY reaches into objects; a value is compared as text; `+KEY` wants a number above 0.
"""
import json
import sys

data = json.load(sys.stdin)
for wanted in sys.argv[1:]:
    positive = wanted.startswith("+")
    key, _, value = wanted.lstrip("+").partition("=")
    found = data
    for part in key.split("."):
        if part not in found:
            sys.exit("no %s in %s" % (key, json.dumps(data)[:2000]))
        found = found[part]
    if value and str(found) != value:
        sys.exit("%s is %r, not %s" % (key, found, value))
    if positive and not found > 0:
        sys.exit("%s is %r, not above 0" % (key, found))
