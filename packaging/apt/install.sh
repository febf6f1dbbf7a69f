#!/bin/bash
# install.sh LIST... - installs the packages of LIST.txt beside this script, only those missing.
#
# Needs root or sudo only when something is missing. Leaves the host as it was otherwise: no
# service is started, no PostgreSQL cluster and no Postfix configuration is made.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
policy=/usr/sbin/policy-rc.d
saved=$policy.before-bouncemx
cluster_d=/etc/postgresql-common/createcluster.d
cluster_conf=$cluster_d/bouncemx-no-main.conf

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

missing() {
    local list name state
    for list in "$@"; do
        [[ -r $here/$list.txt ]] || fail "no list $here/$list.txt"
        while read -r name _; do
            [[ -z $name || $name == \#* ]] && continue
            state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || state=
            [[ $state == installed ]] || printf '%s\n' "$name"
        done <"$here/$list.txt"
    done
}

# As root: what follows runs once, inside this same script (see the end).
restore() {
    rm -f "$policy" "$cluster_conf"
    if [[ -e $saved ]]; then
        mv -f "$saved" "$policy"
    fi
}

install_as_root() {
    export DEBIAN_FRONTEND=noninteractive
    umask 022
    # An earlier run that was killed may have left its saved file: that one is the host's own.
    if [[ ! -e $saved && -e $policy ]]; then
        mv -f "$policy" "$saved"
    fi
    trap restore EXIT
    trap 'exit 1' INT TERM HUP
    # 101: "not allowed to start"; asked by every package's scripts before they start a service.
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    mkdir -p "$cluster_d"
    printf 'create_main_cluster = false\n' >"$cluster_conf"
    if [[ " $* " == *" postfix "* ]]; then
        printf 'postfix postfix/main_mailer_type select No configuration\n' | debconf-set-selections
    fi
    apt-get -q -o DPkg::Lock::Timeout=300 update
    # Missing services are not started, but what is running is not restarted either.
    NEEDRESTART_MODE=l apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@"
}

if [[ ${1:-} == --as-root ]]; then
    shift
    [[ $EUID -eq 0 ]] || fail "--as-root is for root"
    install_as_root "$@"
    exit 0
fi

[[ $# -gt 0 ]] || fail "usage: install.sh LIST... (build, run, postgres, test)"
command -v apt-get >/dev/null || fail "no apt-get: this installs on Debian 12; elsewhere install \
what stands in $here/*.txt by hand"
mapfile -t names < <(missing "$@")
[[ ${#names[@]} -gt 0 ]] || exit 0

echo "Installing ${#names[@]} missing packages: ${names[*]}"
if [[ $EUID -eq 0 ]]; then
    "$0" --as-root "${names[@]}"
elif command -v sudo >/dev/null; then
    sudo -- "$0" --as-root "${names[@]}"
else
    fail "these packages are missing and neither root nor sudo is here to install them: \
${names[*]}. As root: apt-get install ${names[*]}"
fi
mapfile -t names < <(missing "$@")
[[ ${#names[@]} -eq 0 ]] || fail "still missing after the install: ${names[*]}"
