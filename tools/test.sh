#!/usr/bin/env bash
# Part of the cimc project, under the Apache License v2.0 with LLVM Exceptions.
# Installs what the tests need, builds, and passes all of them: the quick suite,
# the slow suites, and the hostile-input suite under sanitizers. Ends with a
# line "N passed, N failed, N skipped".
#   CIMC_SHARED=DIR  real models and data sets (default: ../shared)
#   tools/test.sh --quick   only the quick suite of the release build
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0 failed=0 skipped=0
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
step() { # a build or install step counts only when it fails
  echo "== $*" >&2
  "$@" || { echo "failed: $*" >&2; failed=$((failed + 1)); finish; }
}
# suite NAME lit arguments...: runs lit and adds up its counts.
suite() {
  local name=$1 log
  shift
  log=$(mktemp)
  echo "== suite $name" >&2
  /usr/lib/llvm-22/bin/lit -s -v --timeout 1200 "$@" 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]}
  count() { sed -nE "s/^ *$1 *: *([0-9]+).*/\1/p" "$log" | awk '{s+=$1} END {print s+0}'; }
  local p f
  p=$(count Passed)
  f=$(($(count Failed) + $(count "Timed Out") + $(count Unresolved)))
  [ "$status" -ne 0 ] && [ "$f" -eq 0 ] && f=1
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + $(count Unsupported)))
  sed -nE 's/^UNSUPPORTED: /skipped: /p' "$log"
  rm -f "$log"
}

step tools/install-deps.sh test
venv=build/venv
if [ ! -x "$venv/bin/python" ]; then
  step python3 -m venv "$venv"
fi
step "$venv/bin/python" -m pip install -q --disable-pip-version-check -r test/requirements.txt
export CIMC_TEST_PYTHON=$PWD/$venv/bin/python
# Python children of a sanitized library leak on exit by design.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

step tools/build.sh release all cimc-unit-tests
if [ "${1:-}" = --quick ]; then
  suite quick build/release/test
  finish
fi
suite all -D CIMC_SLOW=1 build/release/test
step tools/build.sh asan cimc cim-opt cim-reduce cim-lsp-server cimc-unit-tests cimc-test-plugins
suite sanitized build/asan/test
finish
