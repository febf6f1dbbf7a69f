#!/bin/bash
# hardening.sh PROGRAM - is the release program hardened? exit 1 and a line for each thing missing.
# hardening.sh --self-test - an unhardened program must fail on every point.
set -euo pipefail

check() {
    local program=$1 header dynamic segments symbols failed=0
    header=$(readelf -hW "$program")
    dynamic=$(readelf -dW "$program")
    segments=$(readelf -lW "$program")
    symbols=$(readelf -sW --dyn-syms "$program")

    expect() { # WHAT TEXT PATTERN
        if ! grep -Eq -- "$3" <<<"$2"; then
            printf '%s: no %s\n' "$program" "$1"
            failed=1
        fi
    }
    expect "position independence (PIE)" "$header" 'Type: +DYN '
    expect "position independence (PIE flag)" "$dynamic" 'Flags:.* PIE'
    expect "read-only relocations (RELRO)" "$segments" '^ +GNU_RELRO '
    expect "binding at start (NOW)" "$dynamic" 'Flags:.* NOW|BIND_NOW'
    expect "stack that is not executable" "$segments" '^ +GNU_STACK .* RW +0x'
    expect "stack protector" "$symbols" ' __stack_chk_fail'
    # A function of the C library in its checking form: FORTIFY_SOURCE was on.
    expect "fortified functions" "$symbols" ' __(vf?|f|vsn|sn)?printf_chk| __mem(cpy|move|set)_chk'
    if grep -Eq '^ +LOAD .* RWE ' <<<"$segments"; then
        printf '%s: a segment that can be written and executed\n' "$program"
        failed=1
    fi
    if grep -Eq '\((RPATH|RUNPATH)\)' <<<"$dynamic"; then
        printf '%s: it looks for libraries in a path of the build (RUNPATH)\n' "$program"
        failed=1
    fi
    if [[ $(uname -m) == x86_64 ]]; then
        # Debian 12's start files carry no IBT mark, so the program has none; its code is what counts.
        expect "landing pads for indirect calls (-fcf-protection)" \
            "$(objdump -d --no-show-raw-insn -j .text "$program")" 'endbr64'
    fi
    return $failed
}

self_test() {
    local dir found
    dir=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$dir'" EXIT
    printf '%s\n' '#include <stdio.h>' '#include <string.h>' \
        'int main(int n, char **v) { char b[64]; strcpy(b, v[0]); return printf("%s%d", b, n) < 0; }' \
        >"$dir/soft.c"
    ${CC:-cc} -no-pie -O0 -U_FORTIFY_SOURCE -fno-stack-protector -fcf-protection=none \
        -Wl,-z,norelro,-z,lazy,-z,execstack,-rpath,/nowhere -o "$dir/soft" "$dir/soft.c"
    if found=$(check "$dir/soft"); then
        echo "an unhardened program passed"
        return 1
    fi
    for word in PIE RELRO NOW "not executable" "stack protector" fortified RUNPATH; do
        grep -q "$word" <<<"$found" || { echo "not noticed: $word"; return 1; }
    done
    echo "an unhardened program fails on every point"
}

case ${1:-} in
'') echo "usage: hardening.sh PROGRAM | --self-test" >&2; exit 2 ;;
--self-test) self_test ;;
*)
    [[ -x $1 ]] || { echo "hardening.sh: no program $1: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
    check "$1"
    echo "$1: PIE, RELRO, NOW, no executable stack, stack protector, FORTIFY"
    ;;
esac
