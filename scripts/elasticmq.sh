#!/usr/bin/env bash
# Runs a command with ElasticMQ, which serves the SQS API on this machine:
#
#   scripts/elasticmq.sh go test -run Endpoint ./sources/sqstest
#
# It installs the jars of scripts/elasticmq.txt into .cache/elasticmq with Maven, checked by hash, starts the server on a free
# port of 127.0.0.1, tells the command where it is (ONLYONCE_ELASTICMQ_ENDPOINT) and ends it afterwards. Without a command it
# prints the endpoint and serves until it is interrupted.
#
# Java and Maven are much to ask for: without them it says so and runs the command without ElasticMQ. With CI=true it fails.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache/elasticmq
pins=$root/scripts/elasticmq.txt

# without REASON goes on without the server, or fails where it has to be there.
without() {
	if [ "${CI:-}" = true ] || [ $# -eq 1 ]; then
		echo "elasticmq: $1" >&2
		exit 1
	fi
	echo "SKIP elasticmq: $1" >&2
	shift
	exec "$@"
}

checked() {
	local sum=(sha256sum)
	command -v sha256sum >/dev/null || sum=(shasum -a 256)
	(cd "$cache/jars" && "${sum[@]}" -c "$pins" >/dev/null)
}

# On some systems java is there and only says that it is not.
if ! java -version >/dev/null 2>&1; then
	without "no Java: install a Java runtime, 17 or newer" "$@"
fi
# The copy of the pins is written last: it says that the installation is complete.
if ! cmp -s "$pins" "$cache/pins.txt"; then
	if ! mvn -version >/dev/null 2>&1; then
		without "no mvn command: install Maven, which fetches the server" "$@"
	fi
	echo "elasticmq: installing into .cache/elasticmq" >&2
	rm -rf "$cache"
	mkdir -p "$cache"
	mvn -B -q -f "$root/scripts/elasticmq.pom.xml" dependency:copy-dependencies </dev/null >&2
	if ! checked; then
		echo "elasticmq: the jars are not those of scripts/elasticmq.txt" >&2
		exit 1
	fi
	cp "$pins" "$cache/pins.txt"
fi

# What the list does not name is not loaded.
classpath=$(awk -v dir="$cache/jars/" '{ printf "%s%s%s", sep, dir, $2; sep = ":" }' "$pins")
log=$(mktemp)
server=
stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -f "$log"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start starts the server on a port and waits until it serves. The settings are those of its own application.conf.
start() {
	java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		-Dnode-address.host=127.0.0.1 -Dnode-address.port="$1" \
		-Drest-sqs.bind-hostname=127.0.0.1 -Drest-sqs.bind-port="$1" -Drest-sqs.sqs-limits=strict \
		-Drest-stats.enabled=false -cp "$classpath" org.elasticmq.server.Main >"$log" 2>&1 &
	server=$!
	for _ in $(seq 300); do
		if grep -q 'ElasticMQ server .* started in' "$log"; then
			return 0
		fi
		if ! kill -0 "$server" 2>/dev/null; then
			return 1
		fi
		sleep 0.1
	done
	return 1
}

# The server does not tell a port that the system chose, so it tries some below those that the system gives away.
for _ in 1 2 3 4 5; do
	port=$((20000 + RANDOM % 12000))
	if start "$port"; then
		ready=yes
		break
	fi
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	grep -q 'Address already in use' "$log" || break
done
if [ -z "${ready:-}" ]; then
	echo "elasticmq: did not start; its output:" >&2
	tail -n 20 "$log" >&2
	exit 1
fi

export ONLYONCE_ELASTICMQ_ENDPOINT=http://127.0.0.1:$port
if [ $# -eq 0 ]; then
	echo "$ONLYONCE_ELASTICMQ_ENDPOINT"
	wait "$server"
else
	"$@"
fi
