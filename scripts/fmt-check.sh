#!/usr/bin/env bash
# Fails, naming the files, when a Go file is not formatted as gofmt does it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unformatted=$(find . -name '.?*' -prune -o -name '*.go' -exec gofmt -l {} +)
if [ -n "$unformatted" ]; then
	printf 'not formatted (run make fmt):\n%s\n' "$unformatted" >&2
	exit 1
fi
