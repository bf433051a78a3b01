# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: json_keys.py KEY[=VALUE|<NUMBER] ...: standard input is one JSON object with these keys.

KEY.KEY reaches into objects, KEY.0 into lists; a value is compared as text; `+KEY` wants a number above 0,
KEY<NUMBER one below.
"""
import json
import sys

data = json.load(sys.stdin)
for wanted in sys.argv[1:]:
    positive = wanted.startswith("+")
    key, _, most = wanted.lstrip("+").partition("<")
    key, _, value = key.partition("=")
    found = data
    for part in key.split("."):
        if isinstance(found, list) and int(part) < len(found):
            part = int(part)
        elif part not in found:
            sys.exit("no %s in %s" % (key, json.dumps(data)[:2000]))
        found = found[part]
    if value and str(found) != value:
        sys.exit("%s is %r, not %s" % (key, found, value))
    if most and not found < float(most):
        sys.exit("%s is %r, not below %s" % (key, found, most))
    if positive and not found > 0:
        sys.exit("%s is %r, not above 0" % (key, found))
