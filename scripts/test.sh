#!/usr/bin/env bash
# Runs every test of every module, with the race detector where it can run and in a random order. Skipped tests are listed
# with their reasons. TESTFLAGS adds flags of go test: TESTFLAGS=-short, TESTFLAGS='-run Poller -count 5'.
#
# RACE=auto (the default) says so and goes on when the race detector cannot run; RACE=require fails instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# can_race tells whether the race detector can run here, and if not, why not.
can_race() {
	local cc
	cc=$(go env CC)
	if ! command -v "${cc%% *}" >/dev/null; then
		echo "no C compiler (install gcc)"
		return 1
	fi
	CGO_ENABLED=1 go list -race errors 2>&1 # in go's own words: not every platform has it
}

race=
if reason=$(can_race); then
	race=-race
	export CGO_ENABLED=1
fi
if [ -z "$race" ]; then
	if [ "${RACE:-auto}" = require ]; then
		echo "FAILED: no race detector: $reason" >&2
		exit 1
	fi
	echo "SKIP race detector: $reason"
	export CGO_ENABLED=0 # else a CC that names a missing compiler breaks the build
fi

go -C tools build -o ../.cache/bin/testreport ./testreport
report=$PWD/.cache/bin/testreport

test_module() {
	# TESTFLAGS is split into words on purpose: it is a list of flags.
	# shellcheck disable=SC2086
	(cd "$1" && go test -json ${race:+"$race"} -shuffle=on ${TESTFLAGS:-} ./... | "$report")
}

modules=$(scripts/modules.sh)
failed=
for module in $modules; do
	echo "-- $module: go test${race:+ $race} -shuffle=on${TESTFLAGS:+ $TESTFLAGS} ./..."
	test_module "$module" || failed="$failed $module"
done
if [ -n "$failed" ]; then
	echo "FAILED tests in$failed" >&2
	exit 1
fi
