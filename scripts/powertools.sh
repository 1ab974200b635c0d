#!/usr/bin/env bash
# Has the Powertools libraries, as pinned under dedupe/powertools/testdata, write their records to a ministack, and keeps them
# there as the fixtures of the Go tests. A language whose tools are missing is passed over and keeps its fixture.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=$root/dedupe/powertools/testdata
cache=$root/.cache/powertools

if [ -z "${ONLYONCE_DYNAMODB_ENDPOINT:-}" ]; then
	exec "$root/scripts/ministack.sh" "$0"
fi
mkdir -p "$cache"

# needs tells whether all the given commands are there, and if not, says so.
needs() {
	local command
	for command in "$@"; do
		if ! command -v "$command" >/dev/null; then
			echo "powertools: no $command command: passed over" >&2
			return 1
		fi
	done
}

if needs python3; then
	python3 -m venv "$cache/python"
	"$cache/python/bin/pip" -q --disable-pip-version-check install -r "$data/python/requirements.txt"
	version=$(sed -n 's/^aws-lambda-powertools==//p' "$data/python/requirements.txt")
	(cd "$data/python" && "$cache/python/bin/python" -B -c \
		"import write; write.main('$data/cases.json', '$data/python-$version.json')")
fi
if needs node npm; then
	mkdir -p "$cache/node"
	cp "$data/node/package.json" "$data/node/write.mjs" "$cache/node"
	npm --prefix "$cache/node" install --silent --no-audit --no-fund
	version=$(sed -n 's/.*"@aws-lambda-powertools\/idempotency": "\(.*\)".*/\1/p' "$data/node/package.json")
	node "$cache/node/write.mjs" "$data/cases.json" "$data/typescript-$version.json"
fi
if needs java mvn; then
	mvn -q -B -f "$data/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/java"
	version=$(sed -n '/powertools-idempotency/{n;s/.*<version>\(.*\)<.*/\1/p;}' "$data/java/pom.xml")
	AWS_LAMBDA_FUNCTION_NAME=orders java -cp "$cache/java/*" "$data/java/Write.java" \
		"$data/cases.json" "$data/java-$version.json" "$version"
fi
