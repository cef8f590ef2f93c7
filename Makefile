# make help lists the targets.
.DEFAULT_GOAL := help
JOBS ?= 2
SECONDS_PER_FUZZ_TARGET ?= 60
PRESET ?= release

.PHONY: help packages configure build web demo test test-images run bench fuzz sanitize fmt lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages: ## install the Debian packages to build, run and test
	@tools/install-packages build run test demo

build: configure ## the program, at build/strowger
	@cmake --build --preset $(PRESET) -j $(JOBS) --target strowger

web: ## the broker's page and the Node provider, at build/web
	@tools/install-packages web
	@cd web && npm ci --no-audit --no-fund --loglevel=error && node build.mjs ../build/web

configure:
	@log=$$(mktemp); cmake --preset $(PRESET) >$$log 2>&1 || { cat $$log; rm $$log; exit 1; }; rm $$log

demo: build ## two phones, one call, and a report of it
	@tools/demo

test: ## unit, simulation and interop tests
	@./test

test-images: ## builds the container images and tests them by running them
	@docker/tests/test-image.sh

run: build ## the exchange on this machine with the default configuration, until Ctrl-C
	@tools/run-exchange

bench: ## measurements beside their peers; prints the table of ratios
	@tools/install-packages bench test
	@cmake --preset bench >/dev/null && cmake --build --preset bench -j $(JOBS)
	@bench/run

fuzz: ## every fuzz target for SECONDS_PER_FUZZ_TARGET (60)
	@tools/install-packages build develop
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz -j $(JOBS)
	@tests/fuzz/run $(SECONDS_PER_FUZZ_TARGET)

sanitize: ## the tests under ASan+UBSan, threads under TSan
	@tools/install-packages build run test develop
	@cmake --preset asan >/dev/null && cmake --build --preset asan -j $(JOBS)
	@tests/run --build build/asan --jobs 2
	@STROWGER=$(CURDIR)/build/asan/strowger tools/demo
	@cmake --preset tsan >/dev/null && cmake --build --preset tsan -j $(JOBS)
	@tests/run --build build/tsan --jobs 1
	@STROWGER=$(CURDIR)/build/tsan/strowger tools/demo

fmt: ## format the sources in place
	@tools/install-packages develop
	@git ls-files 'src/*.cpp' 'src/*.hpp' 'tests/*.cpp' 'bench/*.cpp' | xargs clang-format-19 -i

lint: ## clang-tidy over the sources
	@tools/install-packages build develop
	@cmake --preset asan >/dev/null
	@git ls-files 'src/*.cpp' | grep -v _test.cpp | xargs -P $(JOBS) -n 4 clang-tidy-19 -p build/asan --quiet

clean: ## remove what was built
	@rm -rf build
