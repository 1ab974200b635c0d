#!/usr/bin/env bash
# Runs a command against ministack, which serves the AWS APIs on this machine:
#
#   scripts/ministack.sh go test -run Ministack ./dedupe/dynamodedupe
#
# It installs the pinned packages of scripts/ministack.txt into .cache/ministack, checked by hash, starts the server on a free
# port of 127.0.0.1, tells the command where it is (ONLYONCE_AWS_ENDPOINT, and ONLYONCE_DYNAMODB_ENDPOINT for the tests that
# need no more) and ends it afterwards. Without a command it prints the endpoint and serves until it is interrupted.
#
# Where ministack cannot be had, the command is skipped and the reason told; in continuous integration (CI=true) that is a failure.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.cache/ministack

# absent ends this script because there is no ministack, for the given reason.
absent() {
	if [ $# -gt 1 ] && [ "${CI:-}" != true ]; then
		echo "SKIP ${*:2}: ministack $1" >&2
		exit 0
	fi
	echo "FAILED: ministack $1" >&2
	exit 1
}

"$root/scripts/venv.sh" ministack || absent "could not be installed" "$@"

port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
endpoint=http://127.0.0.1:$port
log=$venv/server.log
scratch=$(mktemp -d)

# Lambda functions inherit the server's environment: AWS_ENDPOINT_URL is where they find DynamoDB.
BIND_HOST=127.0.0.1 GATEWAY_PORT=$port AWS_ENDPOINT_URL=$endpoint TMPDIR=$scratch "$venv/bin/ministack" >"$log" 2>&1 &
server=$!
stop() {
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	rm -rf "$scratch" # the functions' programs
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
	tail -n 20 "$log" >&2
	absent "did not start; its output is above" "$@"
fi

export ONLYONCE_AWS_ENDPOINT=$endpoint ONLYONCE_DYNAMODB_ENDPOINT=$endpoint ONLYONCE_SQS_ENDPOINT=$endpoint
if [ $# -eq 0 ]; then
	echo "$endpoint"
	wait "$server"
elif ! "$@"; then
	echo "FAILED: $*; the output of ministack and its functions: $log" >&2
	exit 1
fi
