# Infusion Inpaint: `make demo` and `make test` do everything on a fresh machine.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
DEMO   := build/demo
BPY_PYTHON ?= python3.11

.PHONY: help demo picture test test-slow test-hosts test-hosts-slow check format clean

help:
	@echo "make demo    generate a burning plate, remove what stands before the fire, show the result"
	@echo "make test    the default test suite"
	@echo "make test-hosts  what runs inside Blender, inside Blender 4.5 (installs bpy, a gigabyte)"
	@echo "make check   lint, format, types, import contracts, the node's Python floor"
	@echo "make format  let ruff rewrite what it can"

# The environment, made again only when what it was made from has changed.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,opencue]'
	touch $@

demo: $(READY)
	$(BIN)/python examples/fire/make_plate.py $(DEMO)
	$(BIN)/infusion-render $(DEMO)/plate --matte $(DEMO)/matte --output $(DEMO)/fire.%04d.exr \
		--preset draft --cache $(DEMO)/cache --contact-sheet $(DEMO)/contact.png \
		--report $(DEMO)/report
	@echo
	@echo "The fill against what was really behind:"
	$(BIN)/infusion-evaluate $(DEMO)/fire.%04d.exr $(DEMO)/truth --matte $(DEMO)/matte --layer infusion
	@echo
	@echo "Look at it:  $(DEMO)/contact.png, $(DEMO)/report/index.html"
	@echo "Frames:      $(DEMO)/fire.1001.exr ... (layer infusion beside the plate's own channels)"

# The README's picture is what the demo really gave.
picture: demo
	mkdir -p docs/images
	cp $(DEMO)/contact.png docs/images/demo.png

# A worker for each core, each file's tests by one of them: what a file's tests share is made once.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

# Blender as a Python module, each release in an environment of its own: about a gigabyte.
build/hosts/bpy45/.installed: BPY = bpy==4.5.*
build/hosts/bpy50/.installed: BPY = bpy==5.0.*
build/hosts/bpy%/.installed:
	$(BPY_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Blender wants Python 3.11: make BPY_PYTHON=...")'
	$(BPY_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check '$(BPY)'
	touch $@

test-hosts: $(READY) build/hosts/bpy45/.installed
	$(BIN)/python -m pytest tests/hosts/blender --numprocesses auto --maxprocesses 4 --dist loadfile

test-hosts-slow: $(READY) build/hosts/bpy50/.installed
	$(BIN)/python -m pytest tests/hosts/blender -m slow

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vermin --quiet --no-tips --violations --target=3.9- infusion_node host_bindings

format: $(READY)
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
