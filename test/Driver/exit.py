# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# See the file LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""usage: exit.py CODE COMMAND...: runs a command and fails unless it ends with CODE."""
import subprocess
import sys

done = subprocess.run(sys.argv[2:])
if done.returncode != int(sys.argv[1]):
    sys.exit("exit code %d instead of %s" % (done.returncode, sys.argv[1]))
