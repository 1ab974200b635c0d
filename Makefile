# Every goal works on all modules of the repository (scripts/modules.sh finds them), each with its own go.mod.
# Only go, make and bash are needed; "make lint" builds its linter from tools/go.mod first.

SHELL := bash
export GOWORK := off

BIN := $(CURDIR)/.cache/bin
EACH := scripts/each-module.sh

# The linter's cache stays with the checkout, so that clean removes it and two checkouts do not share it.
export GOLANGCI_LINT_CACHE := $(CURDIR)/.cache/golangci-lint

# Settings of single goals, from the command line or the environment.
export FUZZTIME ?= 20s
export COUNT ?= 6
export TESTFLAGS BASE BENCH BENCHFLAGS

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the goals
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run all tests of all modules, in random order, with the race detector if there is a C compiler (TESTFLAGS=-short)
	@scripts/test.sh

.PHONY: test-dynamodb
test-dynamodb: ## Run the DynamoDB tests against a ministack of their own (needs Python 3.11; installs it once, into .cache)
	@scripts/ministack.sh go test -count=1 -timeout 5m -run Endpoint ./dedupe/dynamodedupe ./dedupe/dynamostate ./internal/ddbtest ./cmd/example-worker

.PHONY: test-sqs
test-sqs: ## Compare the SQS of the tests with ministack and ElasticMQ (needs Python 3.11, Java 17 and Maven; installs both once)
	@scripts/ministack.sh scripts/elasticmq.sh go test -count=1 -timeout 5m -run Endpoint ./sources/sqstest

.PHONY: powertools
powertools: ## Have Powertools (Python, TypeScript, Java) write the records of dedupe/powertools/testdata again, and test with them
	@scripts/powertools.sh
	@ONLYONCE_DIFFERENTIAL=1 go test -count=1 ./dedupe/powertools

.PHONY: test-aws
test-aws: ## Deploy template.yaml with the example worker on a ministack of its own, and send messages and events through it
	@scripts/ministack.sh go -C e2e test -count=1 -timeout 10m ./...

.PHONY: race
race: ## The same, but fail if the race detector cannot run
	@RACE=require scripts/test.sh

.PHONY: vet
vet: ## Run go vet
	@$(EACH) go vet ./...

.PHONY: fmt
fmt: ## Format all Go files
	@find . -name '.?*' -prune -o -name '*.go' -exec gofmt -w {} +

.PHONY: fmt-check
fmt-check: ## Fail if a Go file is not formatted
	@scripts/fmt-check.sh

.PHONY: lint
lint: $(BIN)/golangci-lint ## Run golangci-lint as .golangci.yml says (builds it first: one to two minutes, once)
	@$(EACH) $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...

.PHONY: tidy-check
tidy-check: ## Fail if a go.mod or go.sum is not tidy
	@$(EACH) go mod tidy -diff

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (20s)
	@scripts/fuzz.sh

.PHONY: build-lambda
build-lambda: ## Build the example worker for Lambda (provided.al2023, arm64) into dist/bootstrap
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -trimpath -tags lambda.norpc -o dist/bootstrap ./cmd/example-worker

.PHONY: check-template
check-template: ## Check template.yaml: cfn-lint, sam validate --lint, sam build (needs Python 3.11; installs them once, into .cache)
	@scripts/check-template.sh

.PHONY: check-deploy
check-deploy: ## Check the Dockerfile, the manifest and the policy of deploy/ (needs Python 3.11; installs its tools once, into .cache)
	@scripts/check-deploy.sh

.PHONY: bench
bench: $(BIN)/benchstat ## Run the benchmarks COUNT (6) times into dist/bench.txt; BASE=FILE compares with an earlier run
	@scripts/bench.sh

.PHONY: bench-poller
bench-poller: ## Measure pollers side by side on a load server, ten minutes, into dist/bench-poller.txt (POLLERFLAGS=--help)
	@mkdir -p dist
	@go -C bench build -o $(CURDIR)/dist/bench-poller ./poller
	@set -o pipefail; dist/bench-poller --json dist/bench-poller.json $(POLLERFLAGS) | tee dist/bench-poller.txt

.PHONY: bench-dynamodb
bench-dynamodb: ## Measure what DynamoDB costs: onlyonce, a bare SDK loop, a handler by hand (6 minutes; BENCHFLAGS=--help)
	@scripts/bench-dynamodb.sh

.PHONY: demo
demo: ## Run the example worker's demo: duplicates, failures and a crash, nothing lost, nothing doubled
	@go run ./cmd/example-worker demo

.PHONY: ci
ci: ## Do what continuous integration does
	@.ci/run

.PHONY: clean
clean: ## Remove what was built, the linter and its cache included
	rm -rf dist .cache .aws-sam

# A tool is rebuilt when the versions in tools/go.mod change.
$(BIN)/%: tools/go.mod
	@echo "building $* (version: tools/go.mod)"
	@GOBIN=$(BIN) go -C tools install "$$(go -C tools list tool | grep '/$*$$')"
	@touch $@
