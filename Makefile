# The front door. Every target sets up what it needs and may be called first on a fresh machine.
# `make` alone lists the targets; what a target does is in scripts/.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
MINUTES ?= 10
ROUNDS ?= 200
SEED ?=
SEEDS ?= 2000
FIRST ?= 1
ARGS ?=

##@ Use it

.PHONY: run
run: ## Build casefile and serve the case files on 127.0.0.1:8000 (ARGS="--listen 127.0.0.1:9000 …")
	@scripts/setup run
	@scripts/build release casefile
	@exec build/release/apps/casefile/casefile $(ARGS)

.PHONY: install
install: ## Install library, headers and programs (PREFIX=/usr/local)
	@scripts/setup run
	@scripts/build release
	@cmake --install build/release --prefix "$(PREFIX)"

##@ Check it

.PHONY: test
test: ## Everything CI checks: set up, build, all tests, packaging, sanitizers, cheap lint
	@scripts/test

.PHONY: test-unit
test-unit: ## The tests beside the sources, and the fuzzers' corpora
	@scripts/setup test
	@scripts/suite dev --label-exclude 'integration|packaging|house'

.PHONY: test-integration
test-integration: ## The tests that start programs and talk to them
	@scripts/setup test
	@scripts/suite dev --label integration

.PHONY: lint
lint: ## Format, house rules, shell scripts, coroutine sweep and clang-tidy over everything
	@scripts/setup test
	@scripts/build dev
	@scripts/lint --full

.PHONY: format
format: ## Rewrite the C++ sources in the project's format
	@scripts/setup test
	@scripts/house --list '*.cpp' '*.hpp' | xargs -r clang-format-14 -i

.PHONY: hooks
hooks: ## Check staged files before each commit (undo: rename .git/hooks/pre-commit)
	@scripts/hooks/install

##@ Prove it (long; each wants a clean tree and writes evidence/NAME.json)

.PHONY: asan
asan: ## The whole suite under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/setup test
	@scripts/evidence asan -- scripts/suite asan --label-exclude 'packaging|house'

.PHONY: tsan
tsan: ## The whole suite under ThreadSanitizer
	@scripts/setup test
	@scripts/evidence tsan -- scripts/suite tsan --label-exclude 'packaging|house'

.PHONY: fuzz
fuzz: ## Every fuzzer, MINUTES=10 split between them
	@scripts/setup test
	@scripts/evidence fuzz --param minutes=$(MINUTES) -- scripts/fuzz $(MINUTES) $(SEED)

.PHONY: crash
crash: ## Power loss and kill -9 while writing, ROUNDS=200 of each
	@scripts/setup test
	@scripts/evidence crash --param rounds=$(ROUNDS) -- scripts/crash $(ROUNDS) $(SEED)

.PHONY: simulate
simulate: ## The whole library in virtual time, SEEDS=2000 runs, each twice (FIRST=1)
	@scripts/setup test
	@scripts/evidence simulate --param seeds=$(SEEDS) --param first=$(FIRST) -- scripts/simulate $(SEEDS) $(FIRST)

.PHONY: mutants
mutants: ## Whether the simulation finds planted mistakes, each under up to 500 seeds
	@scripts/setup test
	@scripts/evidence mutants -- scripts/mutants

.PHONY: bench
bench: ## Benchmarks, and the peers they are compared with
	@scripts/setup bench
	@scripts/evidence bench -- scripts/bench

##@ The rest

.PHONY: clean
clean: ## Remove build/ (the compiler cache and your data stay)
	@rm -rf build

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
