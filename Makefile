# Recoup's commands. `make` alone lists them. GOFLAGS and friends are the machine's own.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help run build test race races simulate chaos crash crash-pairs fuzz canaries resets record check fmt fmt-check tidy tidy-check vet lint workflowcheck vuln clean clean-data bin/recoup bin/devstack

ARGS  ?=
# make test PKGS=./store/... tests these packages of the main module and leaves the nested one out.
PKGS  ?= ./...
NESTED ?= $(if $(filter command,$(firstword $(origin PKGS))),,./...)
# The race detector needs a C compiler; the continuous integration has one.
RACE  ?= $(if $(CI),-race)
TOOLS := bin/tools
FORMAT := $(if $(CI),pkgname-and-test-fails,pkgname)

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: bin/recoup bin/devstack ## Start everything on this machine: make run ARGS="--port-base 9000 --no-story"
	@./bin/devstack $(ARGS)

build: bin/recoup bin/devstack ## Build bin/recoup, the shipped binary, and bin/devstack

bin/recoup:
	@go build -o bin/recoup ./cmd/recoup

# The embedded Temporal server is big: say so while it is built.
bin/devstack:
	@[ -x bin/devstack ] || echo "Building the stack. The first build compiles the Temporal server: about 4 minutes on 2 cores, seconds from then on."
	@(while sleep 20 >/dev/null; do echo "  still building, $$SECONDS s …"; done) & ticker=$$!; trap 'kill $$ticker' EXIT; \
	go -C devstack build -o ../bin/devstack ./cmd/devstack

test: $(TOOLS)/gotestsum $(TOOLS)/counts ## Test both modules on a private Postgres; RACE=-race adds the race detector to the first
	@mkdir -p bin/test; rm -f bin/test/*.json; failed=0; \
	$(TOOLS)/gotestsum --format $(FORMAT) --jsonfile bin/test/recoup.json -- $(RACE) -shuffle=on -count=1 -timeout 20m $(PKGS) || failed=1; \
	$(if $(NESTED),(cd devstack && ../$(TOOLS)/gotestsum --format $(FORMAT) --jsonfile ../bin/test/devstack.json -- \
		-shuffle=on -count=1 -timeout 20m $(NESTED)) || failed=1; )\
	$(TOOLS)/counts bin/test/*.json; exit $$failed

race: $(TOOLS)/gotestsum ## Test the main module with the race detector: make race PKGS=./store/...
	@$(TOOLS)/gotestsum --format $(FORMAT) -- -race -shuffle=on -count=1 -timeout 20m $(PKGS)

ROUNDS ?= 1000
races: ## Run every pair of store operations ROUNDS times at the same moment, and held at every statement (long)
	@RACES_ROUNDS=$(ROUNDS) RACES_HOLDS=-1 go test -count=1 -v -timeout 0 ./store/races

FOR ?= 30s
fuzz: ## Fuzz every parser that meets the outside, each FOR so long: make fuzz FOR=30s
	@targets=0; total=0; failed=0; \
	while IFS=: read -r file name; do \
		dir=./$$(dirname $$file); module=.; case $$dir in ./devstack/*) module=devstack; dir=./$${dir#./devstack/};; esac; \
		out=$$(go -C $$module test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FOR) -fuzzminimizetime 1s -parallel 2 $$dir 2>&1) && verdict=ok || { verdict=FAILED; failed=$$((failed+1)); }; \
		runs=$$(grep -o 'execs: [0-9]*' <<<"$$out" | tail -1 | cut -d' ' -f2 || true); \
		printf '%-6s %-28s %9s executions  %s\n' $$verdict $$name "$${runs:-0}" $$file; \
		[ $$verdict = ok ] || grep -v '^fuzz:' <<<"$$out" | head -40; \
		targets=$$((targets+1)); total=$$((total+$${runs:-0})); \
	done < <(git grep -o 'func Fuzz[A-Za-z0-9]*' -- '*_test.go' | sed 's/:func /:/'); \
	echo "fuzz: $$targets targets, $$total executions, $$failed failed"; [ $$failed -eq 0 ]

ONLY ?=
canaries: ## Plant each bug of docs/canaries.md and see that a test fails: make canaries ONLY=webhook (about 8 minutes)
	@go run ./canaries $(if $(ONLY),-only "$(ONLY)")

CHAOS_FOR ?= 10m
# 0: a new seed; 0: as many invoices as the time is for.
CHAOS_SEED ?= 0
CHAOS_INVOICES ?= 0
chaos: ## Kill, fail and upset everything for CHAOS_FOR, then judge: make chaos CHAOS_SEED=7 CHAOS_FOR=1m CHAOS_INVOICES=250
	@go -C devstack build -o ../bin/chaos ./cmd/chaos
	@./bin/chaos -for $(CHAOS_FOR) -seed $(CHAOS_SEED) -invoices $(CHAOS_INVOICES)

resets: ## Reset every case of the story to every one of its workflow tasks, with and without messages (about five minutes)
	@RECOUP_RESETS=all go -C devstack test -count=1 -v -timeout 60m -run TestResetToEveryTask ./e2e

crash: ## Let real processes die at every labelled boundary of every story, and audit (minutes)
	@CRASH=all ONLY="$(ONLY)" go -C devstack test -count=1 -timeout 40m -run TestEverySingleCrash -v ./crash

PAIRS ?= 300
SEED  ?=
crash-pairs: ## Let them die twice in one story: make crash-pairs PAIRS=500 SEED=7 (minutes)
	@CRASH=pairs PAIRS=$(PAIRS) SEED=$(SEED) go -C devstack test -count=1 -timeout 60m -run TestPairsOfCrashes -v ./crash

SIM_CASES ?= 3000
SIM_SEED  ?= 1
simulate: ## Play SIM_CASES drawn cases of SIM_SEED against the model of the rules, and audit them (minutes)
	@SIM_CASES=$(SIM_CASES) SIM_SEED=$(SIM_SEED) go test -count=1 -v -timeout 0 -run 'TestSimulation$$' ./workflows

record: ## Record the history of every case of the story anew, for the replay test (some minutes)
	@go -C devstack run ./cmd/record --out ../workflows/testdata/histories

check: fmt-check tidy-check vet lint workflowcheck ## Everything that looks at the code without running it

fmt: ## Format the code
	@gofmt -w .

fmt-check:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { printf 'not formatted (make fmt):\n%s\n' "$$unformatted"; exit 1; }

tidy: ## Bring go.mod and go.sum of all modules in line with the imports
	@for module in . devstack tools tools/lint; do GOWORK=off go -C $$module mod tidy; done

# Each module must build by itself, without go.work, as in the Dockerfile.
tidy-check:
	@for module in . devstack; do GOWORK=off go -C $$module mod tidy -diff >/dev/null || { echo "$$module/go.mod is not tidy: make tidy"; exit 1; }; done

vet: ## Run go vet on all modules
	@go vet ./...
	@go -C devstack vet ./...
	@GOWORK=off go -C tools vet ./counts

lint: $(TOOLS)/golangci-lint ## Run the linters of .golangci.yml on both modules
	@$(TOOLS)/golangci-lint run ./...
	@cd devstack && ../$(TOOLS)/golangci-lint run ./...

workflowcheck: $(TOOLS)/workflowcheck ## Look for what would replay differently in workflow code
	@$(TOOLS)/workflowcheck -config tools/workflowcheck.yaml ./workflows ./workers

vuln: $(TOOLS)/govulncheck ## Look for known vulnerabilities, where the vulnerability database can be reached
	@$(TOOLS)/govulncheck ./...
	@cd devstack && ../$(TOOLS)/govulncheck ./...

clean: ## Remove what was built
	@rm -rf bin

clean-data: ## Remove the development stack's data: every case, mail and charge of it
	@rm -rf .recoup

# Tools are pinned in modules of their own, so that they and the product never choose each other's versions.
$(TOOLS)/counts: tools/counts/main.go
	@GOWORK=off go -C tools build -o ../$@ ./counts
$(TOOLS)/gotestsum: tools/go.mod tools/go.sum
	@GOWORK=off go -C tools build -o ../$@ gotest.tools/gotestsum
$(TOOLS)/workflowcheck: tools/go.mod tools/go.sum
	@GOWORK=off go -C tools build -o ../$@ go.temporal.io/sdk/contrib/tools/workflowcheck
$(TOOLS)/govulncheck: tools/go.mod tools/go.sum
	@GOWORK=off go -C tools build -o ../$@ golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	@GOWORK=off go -C tools/lint build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
