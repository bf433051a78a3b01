# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: broken_pipe.py COMMAND...: runs a command whose reader has gone; it must say so."""
import os
import subprocess
import sys

read, write = os.pipe()
os.close(read)
done = subprocess.run(sys.argv[1:], stdout=write, stderr=subprocess.PIPE)
message = done.stderr.decode()
if done.returncode != 7 or message != "cimc: error: cannot write to standard output: Broken pipe\n":
    sys.exit("exit code %d, %r" % (done.returncode, message))
