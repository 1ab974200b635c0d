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
SOAK ?= 10m
export COUNT ?= 6
MUTATIONS ?= 0
KILLS ?= 200

N ?= 2000
HOURS ?= 4
export TESTFLAGS BASE BENCH BENCHFLAGS FUZZ FUZZFLAGS

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
test-sqs: ## Compare the SQS of the tests with ministack and ElasticMQ, and poll these (needs Python 3.11, Java 17 and Maven; installs both once)
	@scripts/ministack.sh scripts/elasticmq.sh go test -count=1 -p 1 -timeout 5m -run Endpoint ./sources/sqstest ./sources/sqssource

.PHONY: powertools
powertools: ## Have Powertools (Python, TypeScript, Java) write the records of dedupe/powertools/testdata again, and test with them
	@scripts/powertools.sh
	@ONLYONCE_DIFFERENTIAL=1 go test -count=1 ./dedupe/powertools

.PHONY: test-aws
test-aws: ## Deploy template.yaml with the example worker on a ministack of its own, and send messages and events through it
	@scripts/ministack.sh go -C e2e test -count=1 -timeout 10m ./...

.PHONY: proof
proof: ## Run the whole proof, print what it counted and write it into RELIABILITY.md: minutes (QUICK=1 for a little of it, PROOFFLAGS=--help)
	@go -C proof build -o $(CURDIR)/dist/report ./report
	@dist/report -json dist/proof.json $(if $(QUICK),-quick) $(PROOFFLAGS)

.PHONY: proof-long
proof-long: ## The same for about HOURS (4) hours, with more of everything
	@go -C proof build -o $(CURDIR)/dist/report ./report
	@dist/report -json dist/proof.json -hours $(HOURS) $(PROOFFLAGS)

.PHONY: model
model: ## Search all that can happen to one record with FAULTS (2) faults, and find mistakes so: seconds with 2, minutes and 2 GB with 3
	@cd proof && go test -count=1 -timeout 2h -v -run 'Properties|Mutants' ./model -faults $${FAULTS:-2}

.PHONY: spin
spin: ## Check the protocol's model for Spin with FAULTS (1) faults (installs spin and gcc where apt-get is there)
	@scripts/spin.sh

.PHONY: linearizability
linearizability: ## Check histories of every store with porcupine, ROUNDS (100) on each (needs Python 3.11; installs ministack once)
	@cd proof && go test -count=1 -timeout 4h -v ./linear -run 'TestMemory|TestBolt|TestDynamoDB$$|TestBroken' -rounds $${ROUNDS:-100}
	@scripts/ministack.sh bash -c "cd proof && go test -count=1 -timeout 4h -v ./linear -run TestDynamoDBEndpoint -rounds $${ROUNDS:-100}"

.PHONY: sim
sim: ## Play N (2000) drawn schedules of workers, queues and faults in fake time, and judge them (SIMFLAGS=-rapid.seed=1)
	@case '$(N)' in *[!0-9]*|'') echo "make sim: N=$(N) is no number of schedules" >&2; exit 2 ;; esac
	@go -C proof/sim test -count=1 -timeout 0 -rapid.checks=$$((($(N) + 4) / 5)) $(SIMFLAGS)

.PHONY: damage
damage: ## Kill a writer of bbolt's file, fail its power, cut the file off, garble it, also under a store, and count what is left
	@go test -count=1 -v -run 'Crash|Power|Disk|Truncated|Page|Tree|UnderUse' ./dedupe/boltdedupe

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
fuzz: ## Fuzz every target for FUZZTIME (20s; 1000x is so many inputs), or those that match FUZZ; counts into dist/fuzz.json (FUZZFLAGS=-parallel=1)
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

.PHONY: soak
soak: ## Run pollers for SOAK (10m) while network, queue, store, handlers and they themselves fail by chance (SOAKFLAGS=--help)
	@mkdir -p dist
	@go -C bench build -o $(CURDIR)/dist/soak ./soak
	@dist/soak --time $(SOAK) $(SOAKFLAGS)

.PHONY: million
million: ## Measure the memory of a poller's process over a million messages, with each store, some minutes (MEMORYFLAGS=--help)
	@mkdir -p dist
	@go -C bench build -o $(CURDIR)/dist/memory ./memory
	@set -o pipefail; dist/memory $(MEMORYFLAGS) | tee dist/million.txt

.PHONY: bench-dynamodb
bench-dynamodb: ## Measure what DynamoDB costs: onlyonce, a bare SDK loop, a handler by hand (6 minutes; BENCHFLAGS=--help)
	@scripts/bench-dynamodb.sh

.PHONY: mutations
mutations: ## Break the code in a hundred places, one by one, and name the test that notices each, in proof/mutations.md (MUTATIONS=8 for some, in dist)
	@go -C proof run ./mutate -n $(MUTATIONS) -o $(if $(filter 0,$(MUTATIONS)),,../dist/)mutations.md $(if $(FIGURES),-json $(abspath $(FIGURES)))

.PHONY: crash
crash: ## Kill workers KILLS (200) times, on bbolt and DynamoDB, and judge what is left, in dist/crash.md (CRASHFLAGS='-seed 6'; with Python 3.11 on ministack)
	@$$(scripts/venv.sh ministack >&2 && echo scripts/ministack.sh) go -C proof run ./crash -kills $(KILLS) -o ../dist/crash.md $(if $(FIGURES),-json $(abspath $(FIGURES))) $(CRASHFLAGS)

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
