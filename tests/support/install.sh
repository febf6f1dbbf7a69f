#!/bin/bash
# install.sh SOURCE_DIR RELEASE_BUILD_DIR - does `cmake --install` put everything in its place, and
# does what it put there work?
set -euo pipefail

source=$(cd -- "$1" && pwd)
build=$(cd -- "$2" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() {
    echo "install.sh: $*" >&2
    exit 1
}

DESTDIR=$root cmake --install "$build" >"$root/log" || { cat "$root/log"; fail "cmake --install failed"; }
cd "$root/$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")"

for file in bin/bouncemx share/man/man1/bouncemx.1 share/man/man5/bouncemx.yaml.5 \
    share/doc/bouncemx/README.md share/doc/bouncemx/LICENSE share/doc/bouncemx/CHANGELOG.md \
    share/doc/bouncemx/architecture.md share/doc/bouncemx/examples/bouncemx.yaml \
    lib/systemd/system/bouncemx.service lib/systemd/system/bouncemx-receive.service \
    lib/systemd/system/bouncemx-process.service lib/systemd/system/bouncemx-keeper.service \
    lib/systemd/system/bouncemx.socket \
    lib/systemd/system/bouncemx-receive.socket lib/sysusers.d/bouncemx.conf \
    lib/tmpfiles.d/bouncemx.conf share/bouncemx/shipped.rules; do
    [[ -s $file ]] || fail "not installed, or empty: $file"
done

[[ $(bin/bouncemx --version) == "bouncemx "[0-9]* ]] || fail "--version of the installed program"
while read -r file; do
    fail "can be written by all: $file"
done < <(find . -perm -o+w ! -type l)

# A manual page that man can't read is no page: no warning allowed.
if command -v groff >/dev/null; then
    for page in share/man/man?/*; do
        warnings=$(groff -man -Tutf8 -ww -z "$page" 2>&1)
        [[ -z $warnings ]] || fail "$page: $warnings"
    done
fi
# The units name the program where it is installed.
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
for unit in lib/systemd/system/*.service; do
    grep -q "^ExecStart=$prefix/bin/bouncemx " "$unit" || fail "$unit: ExecStart is not $prefix/bin/bouncemx"
done
if command -v systemd-analyze >/dev/null; then
    mkdir -p "$root/units"
    for unit in lib/systemd/system/*; do
        # The program is not at its place on this host: check all but that.
        sed "s|^ExecStart=[^ ]*|ExecStart=/bin/true|" "$unit" >"$root/units/${unit##*/}"
    done
    wrong=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify "$root"/units/* 2>&1 | grep -F "$root/units/" || true)
    [[ -z $wrong ]] || fail "systemd: $wrong"
fi
[[ -s $source/LICENSE ]] && cmp -s "$source/LICENSE" share/doc/bouncemx/LICENSE || fail "LICENSE differs"
echo "everything is in its place under DESTDIR"
