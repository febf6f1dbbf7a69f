#!/bin/bash
# documents.sh SOURCE_DIR PROGRAM - do configuration sample, manual pages and docs say what the program
# says?
set -euo pipefail
cd "$1"
program=$2
failed=0
wrong() {
    printf '%s\n' "$*"
    failed=1
}

# conf/bouncemx.yaml is what the program writes.
if ! difference=$("$program" check-config --defaults | diff -u conf/bouncemx.yaml -); then
    wrong "conf/bouncemx.yaml is not what \`bouncemx check-config --defaults\` writes:" "$difference"
fi

# Every key of it, with the sections before it, stands in bouncemx.yaml(5).
keys=$(awk '
    /^ *#[^a-z]/ || /^ *$/ { next }
    { line = $0; sub(/^#/, "", line); item = line ~ /^ *- /
      indent = match(line, /[^ -]/) - 1; key = substr(line, indent + 1); sub(/:.*/, "", key) }
    key !~ /^[a-z_]+$/ { next }
    indent == 0 { section = key; list = 0; if (line ~ /: *[^ ]/) print key; next }
    { if (item) list = 1; print section (list ? "[]" : "") "." key }' conf/bouncemx.yaml | sort -u)
[[ $(wc -l <<<"$keys") -gt 30 ]] || wrong "keys of conf/bouncemx.yaml not found: $keys"
while read -r key; do
    grep -Fxq ".B $key" docs/man/bouncemx.yaml.5 || wrong "docs/man/bouncemx.yaml.5 lacks the key $key"
done <<<"$keys"

# Every command stands in bouncemx(1) with its own summary.
commands=$("$program" --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)   *[A-Z].*/\1/p')
[[ $(wc -l <<<"$commands") -gt 10 ]] || wrong "commands of bouncemx --help not found: $commands"
while read -r command; do
    grep -Eq "^\.BR? \"?$command(\"| |$)" docs/man/bouncemx.1 ||
        wrong "docs/man/bouncemx.1 lacks the command $command"
done <<<"$commands"

# Links between pages lead somewhere.
while IFS=: read -r page link; do
    link=${link#](}
    link=${link%)}
    link=${link%%#*}
    [[ -z $link || $link == *://* ]] && continue
    [[ -e $(dirname "$page")/$link ]] || wrong "$page links to $link, which is not there"
done < <(grep -Eo '\]\([^)]+\)' README.md CHANGELOG.md docs/*.md tests/bench/README.md | sort -u)

# Tests that these pages name are there.
for page in docs/reliability.md docs/threat-model.md; do
    while read -r path; do
        [[ -e $path ]] || wrong "$page names $path, which is not there"
    done < <(grep -Eo 'tests/[a-z_0-9/-]+(\.py|\.sh|\.txt|\.sql|\.c|/)' "$page" | sort -u)
done

exit $failed
