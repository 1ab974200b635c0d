#!/usr/bin/env bash
# Prints the directory of every module of this repository, one a line, the root first. It asks the file system and not git:
# a module that is not committed yet, or an unpacked archive, counts as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find . \( -name '.?*' -o -name testdata -o -name dist -o -name node_modules \) -prune -o -name go.mod -print |
	sed 's|/go.mod$||' | LC_ALL=C sort
