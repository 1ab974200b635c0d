#!/usr/bin/env bash
# Checks template.yaml: cfn-lint, sam validate --lint and sam build, of the versions in scripts/sam.txt, installed into
# .cache/sam. They need neither credentials nor, once installed, a network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/venv.sh sam
PATH=$PWD/.cache/sam/bin:$PATH

export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1
# As README.md says: a binary that needs nothing of the machine it was built on.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -tags=lambda.norpc -ldflags=-s"

cfn-lint template.yaml
sam validate --lint
sam build

for function in MessageWorker EventWorker DirectWorker; do
	if [ ! -x ".aws-sam/build/$function/bootstrap" ]; then
		echo "sam build made no bootstrap for $function" >&2
		exit 1
	fi
done
