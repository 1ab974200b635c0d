#!/usr/bin/env bash
# Installs the Python packages of scripts/NAME.txt into .cache/NAME, unless they are there. Every package is pinned and checked
# by hash; the list is complete, so nothing else is looked for.
#
#   scripts/venv.sh ministack
set -euo pipefail
name=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$root/.cache"
venv=$(cd -P "$root/.cache" && pwd)/$name # its own name is written into its programs, so not that of a link
pins=$root/scripts/$name.txt

# works tells whether the programs of the installation find their Python: they do not when the folder was moved.
works() {
	local python
	python=$(sed -n '1s/^#!//p' "$venv/bin/pip") && [ -x "$python" ]
}

# The copy of the pins is written last: it says that the installation is complete.
if cmp -s "$pins" "$venv/pins.txt" && works; then
	exit
fi
if ! command -v python3 >/dev/null; then
	echo "$name: no python3 command: install Python 3.11 or newer" >&2
	exit 1
fi
echo "$name: installing into .cache/$name" >&2
python3 -m venv --clear "$venv"
"$venv/bin/pip" -q --disable-pip-version-check install --require-hashes --only-binary :all: --no-deps --no-compile -r "$pins"
cp "$pins" "$venv/pins.txt"
