#!/bin/bash
# format.sh SOURCE_DIR - is every C file laid out as .clang-format says? Names those that are not.
set -euo pipefail
cd "$1"
tool=$(command -v clang-format-14 || command -v clang-format) ||
    { echo "format.sh: no clang-format-14" >&2; exit 1; }
if ! wrong=$(find . \( -path ./build -o -path ./var -o -path ./.git \) -prune -o -name '*.[ch]' -print0 |
    sort -z | xargs -0 -r "$tool" --dry-run -Werror --ferror-limit=1 2>&1); then
    echo "Not laid out as .clang-format says; run clang-format-14 -i on:"
    grep -E '^[^ ]+:[0-9]+:[0-9]+: error' <<<"$wrong" | cut -d: -f1 | sort -u || echo "$wrong"
    exit 1
fi
