#!/usr/bin/env bash
# Fuzzes every Fuzz target of every module for FUZZTIME (20s unless set), one after the other: a fuzz target already uses
# all cores. An input that fails is written by go into the package's testdata/fuzz, from where "make test" runs it again:
# commit it with the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-20s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# targets prints "package target" for every target of the module in the current directory. go test -list prints the
# targets of a package before its closing line.
targets() {
	go test -list '^Fuzz' ./... |
		awk '/^Fuzz/ { name[++n] = $1 } $1 == "ok" { for (i = 1; i <= n; i++) print $2, name[i]; n = 0 }'
}

# fuzz runs one target, and shrinks what it finds interesting by a few tries only: with the default of a minute each, little
# else happens in the time. Up to Go 1.26 the end of the fuzz time can itself be reported as a failure (golang/go#75804): no
# input was found then, and the time was spent, so it counts as a pass. Every other failure stays one.
fuzz() {
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$1" 2>&1 | tee "$log" && return
	grep -qx '    context deadline exceeded' "$log" || return 1
	! grep -qE 'Failing input written|panic:|_test\.go:[0-9]+:' "$log" || return 1
	echo "-- the deadline above is golang/go#75804, not a finding"
}

modules=$(scripts/modules.sh)
count=0
for module in $modules; do
	list=$(cd "$module" && targets)
	while read -r package target; do
		[ -n "$target" ] || continue
		echo "-- $module: $package $target for $fuzztime"
		if ! (cd "$module" && fuzz "$package" "$target"); then
			echo "FAILED: $target in $package" >&2
			exit 1
		fi
		count=$((count + 1))
	done <<<"$list"
done
echo "fuzzed $count targets for $fuzztime each"
