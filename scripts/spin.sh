#!/usr/bin/env bash
# Checks proof/spin/once.pml with Spin: every setting must hold, with its assertions and with its formula, and every defect must
# be found. FAULTS (1) bounds what goes wrong in one run: with 2 it takes minutes and 1 GB.
#
# As root it installs spin and a C compiler with apt-get where they are missing. FIGURES names a file, by its whole path, for the
# figures: an object of JSON on each line, a search or a mistake of proof/figures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=6.5.2 # what the model was written with: another one may count states differently
faults=${FAULTS:-1}
figures=${FIGURES:-/dev/null}

missing=()
command -v spin >/dev/null || missing+=(spin)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
if [ "${#missing[@]}" -gt 0 ]; then
	if ! command -v apt-get >/dev/null; then
		echo "spin: install ${missing[*]}" >&2
		exit 1
	fi
	echo "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
found=$(spin -V)
if [[ $found != "Spin Version $version "* ]]; then
	echo "spin: found $found, want version $version" >&2
	exit 1
fi

mkdir -p "$(dirname "$figures")"
: >"$figures"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp proof/spin/once.pml "$dir"
cd "$dir"

# check KIND SETTING... runs pan and leaves its report in pan.txt. KIND is assertions or formula.
check() {
	local kind=$1 define=-DSAFETY flags=-m1000000
	shift
	if [ "$kind" = formula ]; then
		define=-DNFAIR=3 flags="-m1000000 -a -f"
		set -- "$@" LIVENESS
	fi
	rm -f ./*.trail
	spin -a "-DFAULTS=$faults" "${@/#/-D}" once.pml >spin.txt || { cat spin.txt; return 1; }
	gcc -O0 -w $define -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c
	# shellcheck disable=SC2086 # a list of flags
	./pan $flags >pan.txt
	if ! grep -q '^State-vector.*errors: [01]$' pan.txt || grep -q 'max search depth too small\|out of memory' pan.txt; then
		cat pan.txt >&2
		return 1
	fi
}

# figure prints the figures of pan.txt as this format of awk's printf says.
figure() {
	awk -v format="$1" '
		/states, stored/ { states = $1 }
		/transitions/ { transitions = $1 }
		/depth reached/ { sub(",", "", $6); depth = $6 }
		END { printf format "\n", states, transitions, depth }' pan.txt
}

# report prints them for people.
report() { figure "$(printf '  %-44s %%10d states, %%10d transitions, depth %%d' "$1")"; }

failed=
echo "with $faults faults, these hold:"
for setting in "" AT_MOST_ONCE TRANSACTION; do
	for kind in assertions formula; do
		check "$kind" ${setting:+"$setting"}
		report "${setting:-AT_LEAST_ONCE}, $kind"
		violation=
		if [ -e once.pml.trail ]; then
			violation=$(sed -n 's/^pan:1: //p' pan.txt | tr -d '\\"')
			violation=${violation:-without a word}
		fi
		{
			printf '{"model": "%s", "check": "%s", "faults": %d, "violation": "%s", ' \
				"${setting:-AT_LEAST_ONCE}" "$kind" "$faults" "$violation"
			figure '"states": %d, "transitions": %d, "depth": %d}'
		} >>"$figures"
		if [ -e once.pml.trail ]; then
			grep '^pan:1' pan.txt || true
			live=
			[ "$kind" != formula ] || live=-DLIVENESS
			spin -t -p -g -l "-DFAULTS=$faults" ${setting:+"-D$setting"} $live once.pml | tail -n 400
			failed="$failed ${setting:-AT_LEAST_ONCE}/$kind"
		fi
	done
done

# must_find KIND DEFECT [SETTING]: the defect must be found, with 2 faults at most.
must_find() {
	local kind=$1
	shift
	for faults in 1 2; do
		check "$kind" "$@"
		[ -e once.pml.trail ] && break
	done
	if [ ! -e once.pml.trail ]; then
		report "$* was NOT found"
		echo "{\"mistake\": \"$1\", \"found\": false}" >>"$figures"
		failed="$failed $1"
		return 0
	fi
	echo "{\"mistake\": \"$1\", \"found\": true}" >>"$figures"
	report "$*: $(sed -n 's/^pan:1: //p' pan.txt | cut -c1-60)"
}

echo "these are found:"
must_find assertions NO_OWNER_CHECK
must_find assertions ACK_BUSY
must_find assertions ACK_UNDECIDED
must_find assertions RELEASE_AFTER_SUCCESS
must_find assertions EARLY_TAKEOVER
must_find assertions OWN_CLAIM_ALWAYS
must_find assertions KEEP_FENCE
must_find assertions COMPLETE_FIRST
must_find assertions START_ANYHOW
must_find assertions PARK_NOTHING AT_MOST_ONCE
must_find formula NEVER_TAKE_OVER
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
