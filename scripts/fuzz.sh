#!/usr/bin/env bash
# Fuzzes every Fuzz target of every module for FUZZTIME (20s unless set; 1000x is so many inputs), one after the other: a fuzz
# target already uses all cores, unless FUZZFLAGS (flags of go test) says otherwise. First of all go runs what this machine has
# kept of earlier runs, its baseline, and counts that into FUZZTIME. A target that gets no further is fuzzed once more, until
# it has had as many new inputs as least says, however long it takes. An input that fails is written by go into the package's
# testdata/fuzz, from where "make test" runs it again: commit it with the fix. At the end come one line for each target, and
# dist/fuzz.json: [{"target":"dedupe.FuzzField","execs":123,"seconds":20,"findings":0}, ...]. FUZZ, a regular expression,
# picks some of these names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-20s}
least=1000 # inputs
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# targets prints "package target" for every target of the module in the current directory. go test -list prints the
# targets of a package before its closing line.
targets() {
	go test -list '^Fuzz' ./... |
		awk '/^Fuzz/ { name[++n] = $1 } $1 == "ok" { for (i = 1; i <= n; i++) print $2, name[i]; n = 0 }'
}

# fuzz PACKAGE TARGET TIME runs one target, and shrinks what it finds interesting by a few tries only: with the default of a minute each, little
# else happens in the time. Up to Go 1.26 the end of the fuzz time can itself be reported as a failure (golang/go#75804): no
# input was found then, and the time was spent, so it counts as a pass. Every other failure stays one.
fuzz() {
	# FUZZFLAGS is split into words on purpose: it is a list of flags.
	# shellcheck disable=SC2086
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -fuzzminimizetime 10x ${FUZZFLAGS:-} "$1" 2>&1 | tee "$log" && return
	grep -qx '    context deadline exceeded' "$log" || return 1
	! grep -qE 'Failing input written|panic:|_test\.go:[0-9]+:' "$log" || return 1
	echo "-- the deadline above is golang/go#75804, not a finding"
}

# spent prints "execs seconds baseline" of the run in the log, from the last of go's lines of progress: go counts its baseline
# into the execs, here they are without.
spent() {
	awk '/^fuzz: elapsed: / {
		for (i = 1; i < NF; i++) if ($i == "execs:") execs = $(i + 1)
		if (match($0, /\/[0-9]+ completed/)) baseline = substr($0, RSTART + 1, RLENGTH - 1) + 0
		minutes = hours = 0
		clock = $3
		if (match(clock, /^[0-9]+h/)) { hours = substr(clock, 1, RLENGTH - 1); clock = substr(clock, RLENGTH + 1) }
		if (match(clock, /^[0-9]+m/)) { minutes = substr(clock, 1, RLENGTH - 1); clock = substr(clock, RLENGTH + 1) }
		seconds = 3600 * hours + 60 * minutes + clock
	} END { print (execs > baseline ? execs - baseline : 0), seconds + 0, baseline + 0 }' "$log"
}

# as_json turns lines "target execs seconds findings" into the file for other programs.
as_json() {
	awk 'BEGIN { printf "[" }
		{ printf("%s\n  {\"target\":\"%s\",\"execs\":%d,\"seconds\":%d,\"findings\":%d}", (NR > 1 ? "," : ""), $1, $2, $3, $4) }
		END { print "\n]" }'
}

modules=$(scripts/modules.sh)
results=
failed=
for module in $modules; do
	list=$(cd "$module" && targets)
	while read -r package target; do
		name=${package#github.com/onlyonce-go/onlyonce/}.$target
		[[ -n "$target" && "$name" =~ ${FUZZ:-} ]] || continue
		echo "-- $module: $package $target for $fuzztime"
		findings=0
		(cd "$module" && fuzz "$package" "$target" "$fuzztime") || findings=1
		read -r execs seconds baseline < <(spent)
		if [ "$execs$findings" = 00 ]; then
			echo "-- nothing new was tried: once more, with $least inputs after the $baseline of the baseline"
			(cd "$module" && fuzz "$package" "$target" "$((baseline + least))x") || findings=1
			read -r execs more baseline < <(spent)
			seconds=$((seconds + more))
		fi
		[ "$findings" = 0 ] || failed+=" $name"
		results+="$name $execs $seconds $findings"$'\n'
	done <<<"$list"
done

mkdir -p dist
printf '%s' "$results" | as_json >dist/fuzz.json
printf '%s' "$results" | awk '{ printf("%-46s %10d execs %5d s  %s\n", $1, $2, $3, ($4 ? "FAILED" : "nothing found")) }'
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
echo "fuzzed $(printf '%s' "$results" | wc -l) targets for $fuzztime each"
