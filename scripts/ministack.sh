#!/usr/bin/env bash
# Runs a command against ministack, which serves the AWS APIs on this machine:
#
#   scripts/ministack.sh go test -run Ministack ./dedupe/dynamodedupe
#
# It installs the pinned packages of scripts/ministack.txt into .cache/ministack, checked by hash, starts the server on a free
# port of 127.0.0.1, tells the command where it is (ONLYONCE_DYNAMODB_ENDPOINT) and ends it afterwards. Without a command it
# prints the endpoint and serves until it is interrupted.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.cache/ministack
pins=$root/scripts/ministack.txt

# The copy of the pins is written last: it says that the installation is complete.
if ! cmp -s "$pins" "$venv/pins.txt"; then
	if ! command -v python3 >/dev/null; then
		echo "ministack: no python3 command: install Python 3.11 or newer" >&2
		exit 1
	fi
	echo "ministack: installing into .cache/ministack" >&2
	python3 -m venv --clear "$venv"
	"$venv/bin/pip" -q --disable-pip-version-check install --require-hashes --only-binary :all: -r "$pins"
	cp "$pins" "$venv/pins.txt"
fi

port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
endpoint=http://127.0.0.1:$port
log=$venv/server.log

BIND_HOST=127.0.0.1 GATEWAY_PORT=$port "$venv/bin/ministack" >"$log" 2>&1 &
server=$!
stop() {
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

answers() {
	"$venv/bin/python" - "$endpoint/_ministack/health" <<-'PYTHON' 2>/dev/null
		import sys, urllib.request
		urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=2)
	PYTHON
}
for _ in $(seq 100); do
	if ! kill -0 "$server" 2>/dev/null; then
		break
	fi
	if answers; then
		ready=yes
		break
	fi
	sleep 0.1
done
if [ -z "${ready:-}" ]; then
	echo "ministack: did not start; its output:" >&2
	tail -n 20 "$log" >&2
	exit 1
fi

export ONLYONCE_DYNAMODB_ENDPOINT=$endpoint ONLYONCE_SQS_ENDPOINT=$endpoint
if [ $# -eq 0 ]; then
	echo "$endpoint"
	wait "$server"
else
	"$@"
fi
