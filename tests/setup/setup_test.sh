#!/usr/bin/env bash
# Tests of ./dev and its set-up that need no network.
set -u
unset SEEDBED_TORCH_ROOT
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# expect DESCRIPTION COMMAND...: fails the test unless the command succeeds.
expect() {
  local description=$1
  shift
  "$@" || { echo "FAILED: $description"; failures=$((failures + 1)); }
}

# expect_refusal FRAGMENT COMMAND...: the command exits 2 and says FRAGMENT.
expect_refusal() {
  local fragment=$1 output status=0
  shift
  output=$("$@" 2>&1) || status=$?
  expect "\`$*\` should exit 2, exits $status: $output" test "$status" -eq 2
  expect "\`$*\` should say \`$fragment\`: $output" grep -qF -- "$fragment" <<<"$output"
}

# --- the stamp of an unpacked LibTorch ---
top=$tree cache="$scratch/cache"
# shellcheck source=/dev/null
source "$tree/setup/torch.sh"
folder=$(torch_folder)
expect "the cache folder should be named by version and hash: $folder" grep -qE '/torch-[0-9.]+-[0-9a-f]{12}$' <<<"$folder"
expect "an absent folder is not intact" test "$(torch_intact "$folder" && echo intact)" = ""
mkdir -p "$folder"/{torch/lib,torch/include,nvidia}
echo code >"$folder/torch/lib/libtorch_cpu.so"
echo text >"$folder/torch/include/a.h"
torch_listing "$folder" >"$folder/stamp"
expect "an untouched folder is intact" torch_intact "$folder"
expect "an intact folder is taken without a download" test "$(setup_torch && echo "$SEEDBED_TORCH_ROOT")" = "$folder/torch"
touch -d '1 hour ago' "$folder/torch/include/a.h"
expect "a rewritten file is noticed" test "$(torch_intact "$folder" && echo intact)" = ""
torch_listing "$folder" >"$folder/stamp"
rm "$folder/torch/include/a.h"
expect "a missing file is noticed" test "$(torch_intact "$folder" && echo intact)" = ""

# --- refusals in words ---
expect_refusal 'There is no verb `nonsense`' "$tree/dev" nonsense
expect_refusal 'SEEDBED_TORCH_ROOT names no LibTorch: `/nowhere`' env SEEDBED_TORCH_ROOT=/nowhere "$tree/dev" setup

# A system without apt: what is missing is listed, and nothing is installed.
mkdir "$scratch/bin"
for tool in awk bash cat cut dirname env grep head id mkdir nproc paste sed sort touch tr; do
  ln -s "$(command -v $tool)" "$scratch/bin/$tool"
done
expect_refusal 'ninja-build' env PATH="$scratch/bin" XDG_CACHE_HOME="$scratch/none" bash "$tree/dev" setup

# --- the last line of `./dev test` ---
reports="$scratch/reports"
mkdir -p "$reports/gtest"
cat >"$reports/ctest.xml" <<'XML'
<testsuite>
	<testcase name="cases" classname="cases" time="0.1" status="fail">
	<testcase name="crashed" classname="crashed" time="0.1" status="fail">
	<testcase name="script" classname="script" time="0.1" status="run">
	<testcase name="left_out" classname="left_out" time="0" status="disabled">
XML
echo '<testsuites tests="5" failures="1" disabled="0" errors="0"><testcase><skipped message="x"/></testcase>' \
  | sed 's/<skipped/\n&/' >"$reports/gtest/cases.xml"
line=$(cmake -DREPORTS="$reports" -P "$tree/tests/setup/count_tests.cmake" | tail -n 1)
expect "cases and programs are counted, found \`$line\`" test "$line" = "4 passed, 2 failed, 2 skipped"

[ "$failures" -eq 0 ] && echo "all expectations hold"
exit "$failures"
