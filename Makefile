# Every command of the project; `make help` prints them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
SERVICE ?=
MODE ?=
BENCH ?=

# The project's own Node (24), whatever the machine has; npm may run on an older one.
NODE := node_modules/.bin/node
BIN := node_modules/.bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

# A link to the process that installs: two makes at once would install over each other. A dead owner's link is taken over.
INSTALL_LOCK := .oceanchat/install.lock
# Whoever is interrupted while he waits must not remove what the other has installed.
.PRECIOUS: node_modules/.package-lock.json

.PHONY: install
install: node_modules/.package-lock.json ## Install the npm packages when package-lock.json has changed

node_modules/.package-lock.json: package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js (any version from 20 on) from your package manager"; exit 1; }
	@mkdir -p $(dir $(INSTALL_LOCK)); told=; \
	until ln -s $$$$ $(INSTALL_LOCK) 2>/dev/null; do \
	  owner=$$(readlink $(INSTALL_LOCK) || true); \
	  if [ -n "$$owner" ] && ! kill -0 "$$owner" 2>/dev/null; then rm -f $(INSTALL_LOCK); continue; fi; \
	  [ -n "$$told" ] || echo "waiting for process $$owner, which installs the packages ($(INSTALL_LOCK))"; told=1; sleep 0.5; \
	done; \
	trap 'rm -f $(INSTALL_LOCK)' EXIT; \
	if [ ! $@ -nt $< ]; then echo "npm ci --no-audit --no-fund"; npm ci --no-audit --no-fund; touch $@; fi

.PHONY: up
up: install ## Start everything on this machine and print the URLs; Ctrl-C stops it. MODE=standalone: all services in one process
	@$(if $(filter command,$(origin MODE)),OCEANCHAT_MODE=$(MODE) )exec $(NODE) infra/src/up.ts

.PHONY: down
down: ## Stop a running `make up`
	@if [ -x $(NODE) ]; then $(NODE) infra/src/down.ts; else echo "nothing is running"; fi

.PHONY: logs
logs: ## Follow the log of one service: make logs SERVICE=auth
	@exec $(NODE) infra/src/logs.ts $(SERVICE)

.PHONY: demo
demo: install ## Send one group message and show every step on its way
	@exec $(NODE) tests/demo.ts

.PHONY: test
test: install ## Run all tests: unit, service by service on real servers, end to end
	@exec $(NODE) tests/run.ts

.PHONY: planted
planted: install ## Plant bugs in a copy, one at a time, and see that the tests catch them
	@exec $(NODE) tests/planted.ts

.PHONY: check
check: install ## Types, lint, format, contracts, gen/, imports, Envoy's configuration
	$(BIN)/tsc --noEmit -p tsconfig.json
	$(BIN)/biome check --error-on-warnings .
	$(NODE) infra/src/check-sources.ts
	$(NODE) infra/src/check-proto.ts
	$(NODE) infra/src/check-gen.ts
	$(NODE) infra/src/check-envoy.ts

.PHONY: generate
generate: install ## Write gen/ from proto/
	$(NODE) infra/src/generate.ts

.PHONY: bench
bench: install ## Measure everything that has a budget, budget beside figure (about 16 minutes); BENCH="--runs 3" and the like
	@exec $(NODE) bench/src/main.ts --budgets $(BENCH)

.PHONY: bench-log
bench-log: install ## Measure the message log on the fast store (make infra-fast), each figure beside its ceiling
	@OCEANCHAT_STORE=$${OCEANCHAT_STORE:-fast} exec $(NODE) bench/src/log/main.ts

.PHONY: infra-fast
infra-fast: ## Build the fast store once (Rust, clang, cmake; about 6 minutes); use it with OCEANCHAT_STORE=fast
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust (and clang, cmake) first"; exit 1; }
	cargo install secantus-mdb --version 0.5.3-beta.196 --ignore-rust-version --root .oceanchat/cargo

.PHONY: clean
clean: ## Remove servers, caches and the data of `make up`
	@$(MAKE) --no-print-directory down
	rm -rf .oceanchat
