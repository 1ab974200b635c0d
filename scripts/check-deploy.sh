#!/usr/bin/env bash
# Checks what is in deploy/ without a cluster and without Docker: lints the Dockerfile, builds the program as it says from what
# .dockerignore leaves, runs it in an empty root as the image's user, and has checkmanifest.py look at the rest.
#
# It installs the pinned packages of scripts/check-deploy.txt into .cache/check-deploy, checked by hash; after that it needs no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$PWD/.cache/check-deploy

scripts/venv.sh check-deploy

"$venv/bin/hadolint" --failure-threshold style deploy/Dockerfile
echo "ok: deploy/Dockerfile has no findings"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src" "$work/root"

# What the image is built from: the ! lines of the ignore file, without what it takes out of them again.
sed -n 's/^!//p' deploy/Dockerfile.dockerignore | while read -r name; do cp -R "$name" "$work/src/"; done
find "$work/src" \( -name '*_test.go' -o -name testdata \) -prune -exec rm -rf {} +

# The build is the Dockerfile's own line, for this machine.
build=$(sed -n 's/^RUN \(.* go build .*\)$/\1/p' deploy/Dockerfile)
settings=$(sed -n 's/^ENV //p' deploy/Dockerfile)
user=$(sed -n 's/^USER //p' deploy/Dockerfile)
TARGETOS=$(go env GOOS) TARGETARCH=$(go env GOARCH)
(cd "$work/src" && export TARGETOS TARGETARCH && eval "export $settings; ${build//\/out\//$work/root/}")
echo "ok: $(wc -c <"$work/root/example-worker") bytes from: $build"

# Where there is no other file only a static program runs, and only a user that is a number.
worker=("$work/root/example-worker")
if [ "$(id -u)" = 0 ] && [ "$TARGETOS" = linux ]; then
	worker=("$(command -v chroot)" "--userspec=$user" "$work/root" /example-worker)
	if ! "${worker[@]}" --help >/dev/null; then
		echo "check-deploy: the program does not run as user $user in an empty root" >&2
		exit 1
	fi
	echo "ok: runs as user $user in an empty root"
else
	echo "SKIP the run in an empty root: only Linux' root can change it" >&2
fi
"$venv/bin/python" scripts/checkmanifest.py "${worker[@]}"
