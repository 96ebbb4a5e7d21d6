# Every target sets up what it needs in .venv. A CPU-only torch on Linux: see docs/install.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

DOCS := .venv-docs

DIST := .venv-dist
DEPLOY := .venv-deploy
WHEEL = $(DIST)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-cache-dir --wheel-dir

.PHONY: setup run test test-fast test-remote test-dist test-deploy test-clients test-editors check bench dist docs format lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml setup.py $(wildcard model/native/*.cpp model/native/*.h)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "midfill needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

run: $(READY)  ## pull and quantize the default model, then let the real server complete six samples
	$(BIN)/midfill model pull
	$(BIN)/python -P -m evals.showcase

# All parts run, whatever the first says: a fault of one must not hide what the next would find. What starts a server
# waits more than it computes, so four run at a time; what loads the real model has the machine to itself. Where all
# cores have a worker, torch's threads would wait for each other, and take a core to do so.
# Stealing leaves a module's tests to one worker as long as it can, which makes what they share once.
test: $(READY)  ## on all cores, then the real server, then one at a time what loads the real model
	@failed=0; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not e2e and not model" -n auto --dist worksteal || failed=1; \
	$(BIN)/python -m pytest -m "e2e and not model" -n 4 --dist worksteal || failed=1; \
	$(BIN)/python -m pytest -m "model" || failed=1; \
	exit $$failed

test-fast: $(READY)  ## the core, the parsers and the rules: no model, no server, in less than a minute
	$(BIN)/python -m pytest -m "not e2e and not model" -n auto tests/completion tests/parsers tests/test_repo_rules.py

test-remote: $(READY)  ## servers as the engine: one that misbehaves, llama.cpp's real one, vLLM's with MIDFILL_TEST_VLLM
	$(BIN)/midfill model pull
	$(BIN)/python -m pytest -m "apart or not apart" -o addopts="--strict-markers" tests/model/remote \
		tests/lsp_server/e2e/test_remote.py

test-dist: $(READY)  ## the wheels: made, installed where no compiler and no torch is, and complete with the real model
	$(BIN)/midfill model pull
	$(BIN)/python -m pytest -m apart tests/test_dist.py

test-deploy: $(READY) $(DEPLOY)/.ready  ## docs/deploy by docker compose, Kubernetes' schemas, and Caddy and kubeconform on the path
	$(BIN)/python -m pytest -m apart tests/test_deploy.py

test-clients: $(READY)  ## others' Neovim plugins: llama.vim and minuet-ai.nvim before `midfill serve`; plugin managers
	$(BIN)/midfill model pull
	$(BIN)/python -m pytest -m apart tests/lsp_server/serve tests/neovim

test-editors: $(READY)  ## the plugins in the real Neovim and VS Code, with the real server and model
	$(BIN)/midfill model pull
	@failed=0; neovim/tests/run.sh || failed=1; vscode-extension/e2e/run.sh || failed=1; exit $$failed

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/deptry completion lsp_server model parsers --optional-dependencies-dev-groups deploy,dev,dist,docs,eval,tune
	$(BIN)/python -m tests.audit

bench: $(READY)
	$(BIN)/midfill bench

# zig brings a C library of every age for every processor, so glibc's 2.28 is linked against on any machine.
dist: $(DIST)/.ready  ## the sdist; wheels for Linux on x86-64 and ARM64; one without kernels, for every other machine
	rm -rf dist build/wheels
	$(DIST)/bin/python -m build --sdist --outdir dist
	set -e; zig=$$($(DIST)/bin/python -c 'import ziglang; print(ziglang.__path__[0])')/zig; \
	for processor in x86_64 aarch64; do \
		CC="$$zig cc -target $$processor-linux-gnu.2.28" CXX="$$zig c++ -target $$processor-linux-gnu.2.28" \
			LDFLAGS=-s _PYTHON_HOST_PLATFORM=linux-$$processor $(WHEEL) build/wheels dist/*.tar.gz; \
		PATH="$(abspath $(DIST))/bin:$$PATH" $(DIST)/bin/auditwheel repair --plat auto --wheel-dir dist \
			build/wheels/*_$$processor.whl; \
	done
	CC=false CXX=false $(WHEEL) dist dist/*.tar.gz

docs: $(DOCS)/.ready  ## the documents as a site, in build/site; a dead link fails
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

# The packages of one extra alone: they need nothing of midfill, and no torch.
.venv-%/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$*"], sep="\n")' > .venv-$*/requirements.txt
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-$*/requirements.txt
	@touch $@

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## write the versions installed now
	@echo '# Exact versions for `make setup`, development tools included. Made by `make lock`.' > requirements.lock
	@$(BIN)/python -m pip freeze --exclude-editable --exclude midfill \
		| sed -e 's/+cpu$$//' -e "s/^ik-llama.*/&; sys_platform == 'linux' and platform_machine == 'x86_64'/" >> requirements.lock

clean:
	rm -rf $(VENV) $(DIST) $(DOCS) $(DEPLOY) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
