# Two commands on a fresh machine: make demo, make test. Everything they need is set up below build/ and lib/.

SECONDS ?= 60
PORT ?=
CONFIG ?=
ONLY ?=
DAYS ?= 60
SEED ?= 1
COUNT ?= 1000000
PYTHON ?= python3
VENV := build/venv/bin
# Tests that take nothing but computing: on all cores at once. The others wait for answers in real time.
TIMELESS := tests/unit tests/properties $(addprefix tests/system/test_,audit.py audit_lives.py decode.py fuzz.py micropython.py ram.py \
	same_flash.py soak.py store.py)
SETUP := $(PYTHON) tools/setup.py

.DEFAULT_GOAL := help
.PHONY: help setup deps twin demo try test proof soak bench check types format deploy repl clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## Python environment, third-party modules, MicroPython and a broker, below build/ and lib/
	@$(SETUP) venv deps micropython broker

deps: ## third-party modules of the firmware into lib/, checked by sha256
	@$(SETUP) venv deps

twin: ## MicroPython of 32 bits, with a board's traits: build/bin/twin, and build/bin/twin-frozen with the firmware in it
	@$(SETUP) twin

demo: setup ## the whole way on this machine, SECONDS=60: meters, flash, TLS, a data centre; a broker and a gateway are killed
	@$(VENV)/metergate demo --seconds $(SECONDS)

try: setup ## the gateway's console on this terminal, with four simulated meters and no data centre
	@$(VENV)/metergate try

check: setup ## quick: ruff, formatting, import directions, spelling, types of board.py
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check -q . || { echo "metergate: not formatted: make format"; exit 1; }
	@$(VENV)/python tools/layers.py
	@$(VENV)/codespell
	@$(VENV)/python tools/readme.py --check
	@$(VENV)/python tools/boardtypes.py

format: setup ## format the code
	@$(VENV)/ruff check -q --fix .
	@$(VENV)/ruff format -q .

test: setup ## check, unit tests on CPython, MicroPython and the twin, system tests with a real TLS broker
	@$(SETUP) --optional twin
	@$(MAKE) --no-print-directory check
	@$(VENV)/python -m pytest -n auto --dist worksteal --durations=15 --durations-min=1 $(TIMELESS) && \
		$(VENV)/python -m pytest --durations=15 --durations-min=1 $(addprefix --ignore=,$(TIMELESS))

proof: setup ## every cut of a ring's lap; the fuzz with COUNT=1000000 inputs for each decoder, SEED=1: a quarter of an hour on two cores
	@$(VENV)/python -m tests.proof $(COUNT) $(SEED)

soak: setup ## months in minutes: DAYS=60 simulated days of the unchanged firmware, 8 meters, faults drawn from SEED=1
	@$(SETUP) twin
	@$(VENV)/metergate soak --days $(DAYS) --seed $(SEED)

bench: setup ## figures beside their limits and peers: a table, build/bench.json, BENCH.md; ONLY=line for one section
	@$(SETUP) twin
	@$(VENV)/python -m tests.bench $(ONLY)

deploy: setup ## copy what changed to the board on PORT=/dev/tty.. and restart it; CONFIG=folder with its configuration, FROZEN=1 if its image has the firmware
	@test -n "$(PORT)" || { echo "metergate: say where the board is: make deploy PORT=/dev/ttyUSB0"; exit 2; }
	@$(VENV)/metergate deploy $(PORT) $(if $(CONFIG),--config-folder $(CONFIG)) $(if $(FROZEN),--frozen)

repl: setup ## MicroPython's own prompt, or the gateway's console, of the board on PORT=/dev/tty..
	@test -n "$(PORT)" || { echo "metergate: say where the board is: make repl PORT=/dev/ttyUSB0"; exit 2; }
	@$(VENV)/mpremote connect $(PORT) resume repl

clean: ## remove build/ and what was fetched into lib/
	rm -rf build lib/umqtt lib/umodbus
