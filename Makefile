# Thin names for what people do. The go command is the build system.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help deps test soak lint bench dist binary summary

BUILD := $(CURDIR)/.build
SUMMARY := $(BUILD)/testsummary

# Modules of their own beside the root: the tests of each run on what is there.
MODULES := $(patsubst %/go.mod,%,$(wildcard tools/go.mod bench/go.mod examples/*/go.mod))

# Allocations are counted without the race detector: the tests in files that it excludes run on their own.
ALLOC_FILES = $(shell grep -rl --include='*_test.go' '^//go:build !race' . 2>/dev/null)
ALLOC_DIRS = $(sort $(dir $(ALLOC_FILES)))
ALLOC_TESTS = $(shell sed -n 's/^func \(Test[A-Za-z0-9_]*\).*/\1/p' $(ALLOC_FILES) /dev/null | paste -sd'|')

# Every fuzz target tries 100 new inputs in make test, and for FUZZTIME in make soak.
FUZZTIME ?= 1m

# What others compute in memory of their own is not watched by the race detector, which takes half of the time there: SQLite,
# translated from C, in memory that the detector does not see anyhow, and Argon2.
UNWATCHED = modernc.org/sqlite/lib modernc.org/libc/... golang.org/x/crypto/argon2
# The race detector is C. Nobody debugs these programs: what a debugger reads (DWARF) is left out, a quarter of the linker's work.
RACE = env CGO_ENABLED=1 go test -race -ldflags=-w $(foreach p,$(UNWATCHED),-gcflags=$(p)=-race=false)

# Servers under test run a binary built without the race detector, and without C, as the release files are.
export DOORWARD_BINARY = $(BUILD)/doorward
export CGO_ENABLED = 0

help: ## show this
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what the tests use (Debian packages, modules); as root or with sudo
	@tools/deps.sh

test: binary summary ## run every test once with -race, allocation tests without; CI=true: a skip fails
	go vet ./...
	@$(SUMMARY) \
		-- $(RACE) -json -count=1 -vet=off -timeout 15m ./... \
		$(if $(ALLOC_FILES),-- go test -json -count=1 -vet=off -timeout 5m -run '^($(ALLOC_TESTS))$$' $(ALLOC_DIRS)) \
		-- tools/fuzz.sh 100x \
		$(foreach m,$(MODULES),-- go -C $(m) test -json -count=1 -timeout 5m ./...)

soak: export DOORWARD_SOAK = 1
soak: binary summary ## run the long variants: more rounds, more sockets
	@$(SUMMARY) \
		-- $(RACE) -json -count=1 -timeout 0 ./... \
		$(if $(ALLOC_FILES),-- go test -json -count=1 -vet=off -timeout 0 -run '^($(ALLOC_TESTS))$$' $(ALLOC_DIRS)) \
		-- tools/fuzz.sh $(FUZZTIME)

lint: ## formatters, vet, linters (pinned in tools/go.mod), untidy modules
	@tools/lint.sh

bench: ## measure and write docs/benchmarks.md and its plots; fails on nothing
	@echo '# Figures of this machine at this moment. Compare rows of one run; nothing here is gated.'
	go test -run '^$$' -bench . -benchmem -benchtime 0.3s ./...
	go -C bench run ./serve -root $(CURDIR)
	go -C bench run ./compare -out $(CURDIR)/docs

dist: ## build the release files: six targets and their checksums, in dist/
	rm -rf dist && mkdir dist
	for os in linux darwin windows; do for arch in amd64 arm64; do \
		ext=; if [ $$os = windows ]; then ext=.exe; fi; \
		GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags='-s -w' -o dist/doorward-$$os-$$arch$$ext ./cmd/doorward; \
	done; done
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

binary:
	@go build -trimpath -o $(BUILD)/doorward ./cmd/doorward

summary:
	@go -C tools build -o $(SUMMARY) ./testsummary
