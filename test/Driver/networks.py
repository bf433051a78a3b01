# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: networks.py FILE.asm: the program with one core given to the other network."""
import re
import sys

text = open(sys.argv[1]).read()
first, second = re.findall(r'^network "[^"]*" cores=\[[^\]]*\]', text, re.M)
core, rest = re.search(r"\[(\d+), (.*)\]", second).groups()
text = text.replace(second, re.sub(r"\[.*\]", "[%s]" % rest, second))
print(text.replace(first, first[:-1] + ", %s]" % core), end="")
