# Every command of the project. `make` or `make help` lists them.

CACHE := $(CURDIR)/.cache
# The distribution's Python, not the first one on PATH: only that one sees the distribution's libvirt bindings.
PYTHON := /usr/bin/python3
VENV := $(CACHE)/venv
OLDEST := $(CACHE)/venv-oldest

# Everything that tools write for their own use stays inside the checkout; only git keeps the user's own settings.
GIT_CONFIG_GLOBAL := $(or $(GIT_CONFIG_GLOBAL),$(HOME)/.gitconfig)
export GIT_CONFIG_GLOBAL
export HOME := $(CACHE)/home
export PATH := $(VENV)/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Whoever logs in by ssh may bring a locale that this machine has not, and with that Ansible does not start.
export LC_ALL := C.UTF-8
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# By the content of the requirements and by the place, which an environment cannot leave.
key = $(firstword $(shell (pwd; cat $(1)) | sha256sum))
VENV_READY := $(VENV)/ready-$(call key,tests/requirements.txt)
OLDEST_READY := $(OLDEST)/ready-$(call key,tests/requirements-oldest.txt)
RUN := $(VENV)/bin/python tests/suite
# Laboratory hosts: boot, ssh, stop, list. `$(LAB) --help` tells more.
LAB := cd tests && $(VENV)/bin/python -m lab
# T chooses: a tool of lint, a test of sanity, tests by a word in their name, a scenario.
ONLY = $(if $(T),-k '$(T)')

.DEFAULT_GOAL := help
.PHONY: help demo login stop test fast lint sanity units oldest integration molecule bench lock venv clean

help: ## list the targets
	@awk -F ': .*## ' '/^[a-z]+: .*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV_READY) ## see it work: boot a host with SR-IOV cards, provision it, start two guests from the pool (root)
	@$(LAB).demo

login: $(VENV_READY) ## log in to the host of the demo
	@$(LAB) ssh demo

stop: $(VENV_READY) ## end the hosts of the demo and of interrupted tests, and remove what they left
	@$(LAB) stop

test: $(VENV_READY) $(OLDEST_READY) ## all tests: lint, sanity, units, oldest, integration and molecule, with one closing line
	@$(RUN) lint sanity units oldest integration molecule

fast: $(VENV_READY) ## what needs neither root nor a virtual machine, except sanity
	@$(RUN) lint units

lint: $(VENV_READY) ## linters, types, licences, documentation, changelog, and the built archive; one of them: make lint T=mypy
	@$(RUN) lint $(ONLY)

sanity: $(VENV_READY) ## ansible-test sanity, without an ignore entry; one test: make sanity T=pylint
	@$(RUN) sanity $(ONLY)

units: $(VENV_READY) ## unit tests; one of them: make units T=ranges
	@$(RUN) units $(ONLY)

oldest: $(VENV_READY) $(OLDEST_READY) ## units, and integration as far as it starts Ansible, under the oldest supported ansible-core (root)
	@$(RUN) oldest $(ONLY)

integration: $(VENV_READY) ## tests against a real libvirtd (root); one of them: make integration T=expands
	@$(RUN) integration $(ONLY)

molecule: $(VENV_READY) ## scenarios on the laboratory VM (root); one of them: make molecule T=default
	@$(RUN) molecule $(ONLY)

bench: $(VENV_READY) ## speed and size against real peers on this machine (root); parts of it: make bench T='facts lab'
	@$(VENV)/bin/python tests/suite/host_packages.py tests/integration/packages.txt tests/lab/packages.txt
	@PYTHONPATH=$(CURDIR)/.collections $(VENV)/bin/python -m ansible_collections.vfpool.sriov.tests.bench $(T)

venv: $(VENV_READY) ## only the virtual environment, .cache/venv

$(VENV_READY): requirements = tests/requirements.txt
$(OLDEST_READY): requirements = tests/requirements-oldest.txt
# Named by the content of its requirements, so a change of those makes it anew; the marker is written last.
$(VENV_READY) $(OLDEST_READY):
	@echo "Making $(@D) from $(requirements) ..."
	@rm -rf $(@D) && mkdir -p $(HOME)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install --quiet --no-deps --requirement $(requirements)
	@$(@D)/bin/pip check && touch $@

lock: ## pin tests/requirements*.txt anew from tests/requirements*.in
	@for name in requirements requirements-oldest; do \
	  rm -rf $(CACHE)/lock && $(PYTHON) -m venv $(CACHE)/lock && \
	  $(CACHE)/lock/bin/pip install --quiet --requirement tests/$$name.in && \
	  { echo "# Written by 'make lock' from $$name.in."; $(CACHE)/lock/bin/pip freeze; } > tests/$$name.txt || exit 1; \
	done; rm -rf $(CACHE)/lock

clean: ## remove .cache: environments, images, logs
	@if [ -d $(CACHE)/lab/machines ]; then cd tests && $(PYTHON) -m lab stop; fi
	rm -rf $(CACHE)
