#!/usr/bin/env bash
# Measures client CPU, requests and time per record with DynamoDB, of onlyonce, of a bare loop of the same requests and of a
# handler written by hand, into dist/bench-dynamodb.txt and .json. BENCHFLAGS are flags of the program:
#
#   make bench-dynamodb BENCHFLAGS='--rounds 3 --batch 10 --case fresh'
#   make bench-dynamodb BENCHFLAGS=--help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p dist
go -C bench build -o ../dist/bench-dynamodb ./dynamodb
# BENCHFLAGS is split into words on purpose: it is a list of flags.
# shellcheck disable=SC2086
dist/bench-dynamodb --json dist/bench-dynamodb.json ${BENCHFLAGS:-} | tee dist/bench-dynamodb.txt
