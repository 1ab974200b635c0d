#!/usr/bin/env bash
# Runs the given command in every module, all of them even if one fails, and names at the end those that failed.
#
#   scripts/each-module.sh go vet ./...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

modules=$(scripts/modules.sh)
failed=
for module in $modules; do
	echo "-- $module: $*"
	(cd "$module" && "$@") || failed="$failed $module"
done
if [ -n "$failed" ]; then
	echo "FAILED in$failed: $*" >&2
	exit 1
fi
