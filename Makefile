# Every target is one a developer runs too; CI calls nothing else. Shell logic
# lives in hack/ and in Go programs, so that this file stays a table of contents.

SHELL := /usr/bin/env bash -o pipefail
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
GO_BUILD := go build -ldflags '$(LDFLAGS)' -o
DOCKER   ?= docker
IMAGE    ?= sluice:dev
# One setting for all builds: programs are static, and tests share their build cache.
export CGO_ENABLED ?= 0
# The version is set by LDFLAGS; asking git again fails in checkouts of another user.
export GOFLAGS += -buildvcs=false

# What generate writes; verify compares it with what is checked in.
GENERATED := $(wildcard apis/*/zz_generated.*.go) config/crd config/rbac/role.yaml deploy/install.yaml docs/state-machine.md
MARKERS   := $(foreach folder,controllers routers analysis,paths=./$(folder)/...)

CLUSTER := bin/sluice-cluster
# With E2E_CONTEXT the cluster is yours: nothing is brought up, and images are yours to push (E2E_IMAGE_PREFIX).
ifdef E2E_CONTEXT
inside :=
else
inside := $(CURDIR)/$(CLUSTER) exec --
endif

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##
## Every day

.PHONY: build
build: bin/sluice bin/kubectl-sluice ## Build the controller and the kubectl plugin into bin/

.PHONY: generate
generate: bin/controller-gen bin/kustomize ## Write deepcopy functions, CRDs, RBAC, deploy/install.yaml and docs/state-machine.md
	bin/controller-gen object:headerFile=hack/boilerplate.go.txt paths=./apis/...
	bin/controller-gen crd:generateEmbeddedObjectMeta=true paths=./apis/... output:crd:dir=config/crd
	go run ./hack/crdtrim config/crd/sluice.dev_rollouts.yaml
	bin/controller-gen rbac:roleName=sluice $(MARKERS) output:rbac:dir=config/rbac
	hack/render-install.sh bin/kustomize > deploy/install.yaml.tmp && mv deploy/install.yaml.tmp deploy/install.yaml
	go run ./hack/statemachine -out docs/state-machine.md

.PHONY: fmt
fmt: bin/golangci-lint ## Format the code and add missing file headers
	bin/golangci-lint fmt
	bin/golangci-lint run --enable-only goheader --fix

.PHONY: lint
lint: bin/golangci-lint ## Run the linters
	bin/golangci-lint run

.PHONY: test
test: $(CLUSTER) ## Run unit tests and tests against a real API server
	$(CLUSTER) build --api
	go test -timeout 20m $(TESTFLAGS) ./...
	go test -C analysis/promqltest $(TESTFLAGS) ./...
	go test -C routers/istio/istiotest $(TESTFLAGS) ./...
	go test -C e2e/apps/grpcshop $(TESTFLAGS) ./...

.PHONY: test-loki
test-loki: ## Hold the Loki provider to a real Loki, which is built from its module first (10 min on 2 cores, once)
	go test -tags loki -count=1 -timeout 30m $(TESTFLAGS) ./analysis/lokitest

.PHONY: bench
bench: bin/sluice $(CLUSTER) ## Measure the controller's cost in requests and memory, and run Go's benchmarks
	$(CLUSTER) build --api
	go run ./e2e/bench $(BENCHFLAGS)
	go test -run '^$$' -bench . -benchmem ./...

# The seed to begin with is printed; FIRST=seed repeats a run, and SEED=seed tells one schedule in full.
SEEDS ?= 100000

.PHONY: sim
sim: ## Play SEEDS random schedules against the simulated cluster, every law checked after every event
	go test -count=1 -timeout 0 -v -run '^TestRandomSchedules$$' ./internal/world -seeds $(SEEDS) -first $(or $(FIRST),0) $(if $(SEED),-seed $(SEED))

.PHONY: stats-sim
stats-sim: ## Simulate how often the analysis errs and how fast it is, into docs/benchmarks-analysis.md
	go run ./hack/statsim -out docs/benchmarks-analysis.md

.PHONY: verify
verify: ## Check what reviewers need not: generated files, lint, arrows, budgets, licences
	hack/verify-generated.sh $(GENERATED)
	hack/verify-gofmt.sh
	hack/verify-tidy.sh
	go test -count=1 ./internal/arch
	go run ./hack/budgets
	go run ./hack/licences ./cmd/...
	$(MAKE) --no-print-directory lint

.PHONY: presubmit
presubmit: test verify ## Do what CI does, without the full tier

##
## A real cluster

.PHONY: cluster-build
cluster-build: $(CLUSTER) ## Build what the test cluster is made of (once, 35 min on 2 cores)
	$(CLUSTER) build

.PHONY: cluster-up
cluster-up: $(CLUSTER) ## Bring the test cluster up; needs root on Linux
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: $(CLUSTER) ## Remove the test cluster and every trace of it
	$(CLUSTER) down

.PHONY: cluster-shell
cluster-shell: $(CLUSTER) ## Open a shell beside the test cluster, with kubectl
	$(CLUSTER) shell

.PHONY: cluster-ready
cluster-ready: build bin/shop bin/grpcshop $(if $(inside),cluster-up)
	$(if $(inside),$(CLUSTER) load sluice:dev=bin/sluice shop:dev=bin/shop grpcshop:dev=bin/grpcshop prometheus:dev=@prometheus)

.PHONY: e2e
e2e: cluster-ready ## Run the user stories on the test cluster, or on E2E_CONTEXT; STORY=name for one
	go test -tags e2e ./e2e -count=1 -v -parallel 4 -timeout 40m $(if $(inside),-exec '$(inside)')

.PHONY: e2e-mesh
e2e-mesh: cluster-ready ## Run the stories of istiod with clients that speak xDS, on the test cluster
	go test -tags e2e,mesh ./e2e -count=1 -v -parallel 3 -timeout 20m -run 'TestStory(Istio|Mesh)' $(if $(inside),-exec '$(inside)')

.PHONY: demo
demo: cluster-ready ## See a good release promoted and a bad one rolled back; TRANSCRIPT=file keeps it
	$(GO_BUILD) bin/demo ./e2e/demo
	$(inside) bin/demo $(if $(TRANSCRIPT),-transcript $(TRANSCRIPT))

##
## Shipping

.PHONY: image images
image images: ## Build the controller's image with docker
	$(DOCKER) build -f deploy/Dockerfile --build-arg VERSION=$(VERSION) -t $(IMAGE) .

.PHONY: clean
clean: ## Remove what was built here; the cluster's own cache stays
	rm -rf bin out

##
## Programs. Go knows what is out of date in ours; the tools change with their go.sum.

.PHONY: bin/sluice bin/kubectl-sluice bin/shop bin/grpcshop $(CLUSTER)
bin/sluice bin/kubectl-sluice:
	$(GO_BUILD) $@ ./cmd/$(@F)

bin/shop:
	$(GO_BUILD) $@ ./e2e/apps/shop

bin/grpcshop:
	go build -C e2e/apps/grpcshop -ldflags '$(LDFLAGS)' -o ../../../$@ .

$(CLUSTER):
	@$(GO_BUILD) $@ ./e2e/cluster/cmd/sluice-cluster

bin/controller-gen: PACKAGE := sigs.k8s.io/controller-tools/cmd/controller-gen
bin/kustomize:      PACKAGE := sigs.k8s.io/kustomize/kustomize/v5
bin/golangci-lint:  PACKAGE := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/controller-gen bin/kustomize bin/golangci-lint: hack/tools/go.mod hack/tools/go.sum
	@echo "Building $(@F), once"
	@go build -C hack/tools -o ../../$@ $(PACKAGE)
	@touch $@
