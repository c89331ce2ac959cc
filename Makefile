# SPDX-License-Identifier: GPL-2.0-or-later
# Builds, tests and installs btrfs-crypt.  `make help` lists the targets.

PKGS     := libcrypto popt libsodium zlib libzstd libxxhash libisal uuid blkid json-c libarchive libkeyutils libnbd
PKG_FLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llzo2
LIBS     += -lbtrfsutil -ldl
B        ?= build$(if $(SAN),-san)
PREFIX   ?= /usr/local
SBINDIR  ?= $(PREFIX)/sbin
MANDIR   ?= $(PREFIX)/share/man
BASHDIR  ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR   ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR  ?= $(PREFIX)/share/fish/vendor_completions.d
# Of the sanitized programs only the lines are asked, and they are run about as often as they are built.
CFLAGS   ?= $(if $(SAN),-Og -g1,-O2 -g)
FUZZ_SECONDS ?= 60
CRASH_STATES ?= 10000

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory

# Those warnings that do not depend on what the optimizer knows, and sanitizers keep from it.
CERTAIN  := $(addprefix -Werror=,unused shadow format vla missing-prototypes strict-prototypes)
override CFLAGS   += -std=c11 -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes $(if $(CI),$(if $(SAN),$(CERTAIN),-Werror)) \
                     $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all,-fstack-protector-strong)
override CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(PKG_FLAGS)
override LDFLAGS  += -Wl,--as-needed

# Everything but main() is in one archive, so that a test takes from it only what it needs.  Files of the test
# directories that are no programs of their own are in another.
SOURCES  := $(wildcard format/*.c common/*/*.c cmd/*.c cmd/*/*.c)
OBJECTS  := $(SOURCES:%.c=$(B)/%.o)
ARCHIVE  := $(B)/libbtrfs-crypt.a
UNIT     := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test-*.c))
TOOLS    := $(patsubst %.c,$(B)/%,$(shell grep -ls '^int main' tests/image/*.c tests/crash/*.c tests/bench/*.c))
# These are made of all files of their directory.
FILL     := $(B)/tests/image/filler/fill
ATTACK   := $(B)/tests/image/attack/attack
LEGACY   := $(B)/tests/image/legacy/legacy
HELPERS  := $(filter-out $(UNIT) $(TOOLS),$(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c tests/support/*.c tests/crash/*.c tests/bench/*.c)))
SUPPORT  := $(HELPERS:%=%.o)
HELPERS  := $(B)/tests/helpers.a
FUZZ     := $(patsubst tests/fuzz/fuzz-%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
REPLAY   := $(FUZZ:%=$(B)/tests/fuzz/replay-%)
MAN      := $(wildcard man/*.[78])
COMPLETION := $(B)/completion/btrfs-crypt.bash $(B)/completion/_btrfs-crypt $(B)/completion/btrfs-crypt.fish

all: $(B)/btrfs-crypt $(COMPLETION)	## the program, and what completes its command line in shells (default)

objects: $(OBJECTS) $(SUPPORT)	## every object file

deps:	## install the Debian packages that are missing (as root, or through sudo)
	@scripts/deps

demo: deps	## build, then seal, inspect and unseal a bundled image, explaining each step
	@$(MAKE) all
	@scripts/demo $(B)/btrfs-crypt

ifdef SAN
check: deps	## build and run all tests (SAN=address,undefined: the unit tests only, under these sanitizers)
	@$(MAKE) unit replay
	@tests/run --build $(B) unit fuzz
else
# Only some unit tests run without sanitizers, too: tests/run says which.
check: deps
	@$(MAKE) all tools $$(tests/run --plain | sed 's,^,$(B)/,')
	@$(MAKE) SAN=address,undefined B=$(B)-san unit replay
	@tests/run --build $(B) --sanitized $(B)-san
endif

unit: $(UNIT)	## build the unit tests, for tests/run

tools: $(TOOLS) $(FILL) $(ATTACK) $(LEGACY)	## build the programs that the other tests run

replay: $(REPLAY)	## build the programs that read the fuzz corpora again

crash: deps	## every power cut: at least 10,000 states
	@$(MAKE) all tools
	@CRASH_STATES=$(CRASH_STATES) TEST_CPU_SECONDS=unlimited tests/run --show --build $(B) crash

torture: deps	## the unit and image tests with more tries and larger images
	@$(MAKE) all unit tools
	@TORTURE=1 TEST_CPU_SECONDS=unlimited tests/run --build $(B) unit image

matrix: deps	## what is read of filesystems of every form, in the long plan of combinations
	@$(MAKE) all tools
	@MATRIX=long TEST_CPU_SECONDS=unlimited tests/run --show --build $(B) image/read-matrix

bench: deps	## speed beside a plain rewrite of the same bytes and beside cryptsetup
	@$(MAKE) all tools
	@TEST_CPU_SECONDS=unlimited tests/run --build $(B) --show bench

fuzz:	## libFuzzer on every reader, FUZZ_SECONDS (60) each
	@$(MAKE) CC=clang B=$(B)-fuzz CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzz-targets
	@tests/fuzz/run $(B)-fuzz $(FUZZ_SECONDS) $(FUZZ)

fuzz-targets: $(FUZZ:%=$(B)/tests/fuzz/fuzz-%)

install: all	## to DESTDIR$(PREFIX): the program as it was built, the manual, completion
	install -D -m 755 $(B)/btrfs-crypt $(DESTDIR)$(SBINDIR)/btrfs-crypt
	for page in $(MAN); do install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page#man/} || exit; done
	install -D -m 644 $(B)/completion/btrfs-crypt.bash $(DESTDIR)$(BASHDIR)/btrfs-crypt
	install -D -m 644 $(B)/completion/_btrfs-crypt $(DESTDIR)$(ZSHDIR)/_btrfs-crypt
	install -D -m 644 $(B)/completion/btrfs-crypt.fish $(DESTDIR)$(FISHDIR)/btrfs-crypt.fish

uninstall:	## takes away what install put there
	rm -f $(DESTDIR)$(SBINDIR)/btrfs-crypt $(foreach page,$(MAN),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
		$(DESTDIR)$(BASHDIR)/btrfs-crypt $(DESTDIR)$(ZSHDIR)/_btrfs-crypt $(DESTDIR)$(FISHDIR)/btrfs-crypt.fish

clean:	## takes away what was built
	rm -rf build build-san build-fuzz $(B)

help:	## this list
	@sed -n 's/^\([a-z]*\):.*## */\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $@";) $(if $(V),set -x;) $(CC) $(CPPFLAGS) -MMD -MP $(CFLAGS) -c -o $@ $<

# Rewritten only when the command line changes, so that then everything is compiled again.  But what is installed is what was built, although root has
# another CC.
JUST_INSTALL := $(and $(filter install,$(MAKECMDGOALS)),$(if $(filter-out install,$(MAKECMDGOALS)),,yes),$(wildcard $(B)/flags))
$(B)/flags: $(if $(JUST_INSTALL),,FORCE)
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS)' > $@

$(ARCHIVE): $(filter-out $(B)/cmd/main.o,$(OBJECTS))
$(HELPERS): $(SUPPORT)
$(ARCHIVE) $(HELPERS):
	@mkdir -p $(@D)
	@rm -f $@.new
	@ar qcs $@.new $^ && mv $@.new $@

# Whoever runs the program meanwhile, tests in another window say, always finds a whole one; so does who links with the archives.
link = @echo "  LINK  $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@.new $(filter %.o,$^) $(filter %.a,$^) $(1) && mv $@.new $@

$(B)/btrfs-crypt: $(B)/cmd/main.o $(ARCHIVE)
	$(call link,$(LIBS))

# From the tables of options in the program.
$(B)/completion/btrfs-crypt.bash: SHELL_NAME = bash
$(B)/completion/_btrfs-crypt: SHELL_NAME = zsh
$(B)/completion/btrfs-crypt.fish: SHELL_NAME = fish
$(COMPLETION): $(B)/btrfs-crypt scripts/completion scripts/completion.bash scripts/completion.zsh scripts/completion.fish
	@mkdir -p $(@D)
	@scripts/completion $(SHELL_NAME) $(B)/btrfs-crypt > $@.new && mv $@.new $@

# Some 250 programs for tests: this linker, where it is installed, takes half as long.  The program itself is left to the compiler's own.
QUICK_LINK := $(if $(shell command -v ld.gold),-fuse-ld=gold)
$(UNIT) $(TOOLS) $(FILL) $(ATTACK) $(LEGACY) $(REPLAY): override LDFLAGS += $(QUICK_LINK)

$(UNIT) $(TOOLS): %: %.o $(HELPERS) $(ARCHIVE)
	$(call link,-lcmocka $(LIBS))

$(FILL): $(patsubst %.c,$(B)/%.o,$(wildcard tests/image/filler/*.c))
$(ATTACK): $(patsubst %.c,$(B)/%.o,$(wildcard tests/image/attack/*.c))
$(FILL) $(ATTACK): $(HELPERS) $(ARCHIVE)
	$(call link,$(LIBS))

# Without what it is to judge.
$(LEGACY): $(patsubst %.c,$(B)/%.o,$(wildcard tests/image/legacy/*.c))
	$(call link,-lcrypto)

$(REPLAY): $(B)/tests/fuzz/replay-%: $(B)/tests/fuzz/fuzz-%.o $(B)/tests/fuzz/replay.o $(HELPERS) $(ARCHIVE)
	$(call link,$(LIBS))

$(B)/tests/fuzz/fuzz-%: $(B)/tests/fuzz/fuzz-%.o $(HELPERS) $(ARCHIVE)
	$(call link,-fsanitize=fuzzer $(LIBS))

.PHONY: all objects deps demo check unit tools replay crash torture matrix bench fuzz fuzz-targets install uninstall clean help FORCE
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
