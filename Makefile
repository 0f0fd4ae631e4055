# The front door. Everything behind it is meson (meson.build) and the scripts in scripts/.

PREFIX ?= /usr/local
DESTDIR ?=
NAME ?= hello_world
ARGS ?=
MATRIX = clang-asan gcc-tsan clang-release valgrind

.PHONY: help demo check check-matrix check-long bench example install format symbols clean

help:
	@echo 'make demo                     build, then watch a pipeline crash and recover'
	@echo 'make example NAME=hello_world build and run one example (ARGS=... are passed on)'
	@echo 'make check                    build with sanitizers, run all tests'
	@echo 'make check-matrix             the tests again: clang, thread sanitizer, -O2, valgrind'
	@echo 'make check-long               the tests in their long form (hours)'
	@echo 'make bench                    run the benchmarks'
	@echo 'make install PREFIX=/usr/local DESTDIR='
	@echo '                              library, headers, docket.pc, manual pages'
	@echo 'make format                   lay out the sources with clang-format'
	@echo 'make symbols                  rewrite src/docket.symbols from the built library'
	@echo 'make clean                    remove build/'

demo:
	@scripts/run-example crash_recovery
	@echo; echo 'Now with a process that really dies:'; echo
	@scripts/run-example crash_recovery --kill

example:
	@scripts/run-example $(NAME) $(ARGS)

check:
	@scripts/check check

check-matrix:
	@scripts/check $(MATRIX)

check-long:
	@scripts/check --long check

bench:
	@scripts/run-bench

install:
	@scripts/install-deps build
	@scripts/configure build/release --buildtype=release --prefix='$(PREFIX)' -Dtests=disabled -Dexamples=disabled
	@meson compile -C build/release
	@DESTDIR='$(DESTDIR)' meson install -C build/release --no-rebuild

format:
	@scripts/install-deps format
	@find include src tests examples bench fuzz -name '*.[ch]' 2>/dev/null | xargs -r clang-format -i

symbols:
	@scripts/install-deps build
	@scripts/configure build/demo --buildtype=release -Dtests=disabled
	@meson compile -C build/demo
	@tests/docs/check_symbols --update build/demo/libdocket.so src/docket.symbols
	@tests/docs/check_symbols --update build/demo/src/testing/libdocket-testing.so src/testing/docket-testing.symbols

clean:
	@rm -rf build
