#!/usr/bin/env bash
# Runs the benchmarks of bench/ COUNT times (6 unless set, the least that benchstat can judge) into dist/bench.txt. With
# BASE=FILE, the output of an earlier run, benchstat compares the two. BENCH is a regular expression of names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p dist
(cd bench && go test -run '^$' -bench "${BENCH:-.}" -benchmem -count "${COUNT:-6}" -timeout 60m ./...) | tee dist/bench.txt
if [ -n "${BASE:-}" ]; then
	.cache/bin/benchstat "$BASE" dist/bench.txt
fi
