#!/bin/bash
# postgres.sh - a private PostgreSQL cluster, reached by a Unix socket only.
#
#   postgres.sh start DIR [--no-fsync]   makes the cluster if DIR has none, starts it, prints conninfo
#   postgres.sh stop DIR                 fast shutdown; nothing to do when it does not run
#   postgres.sh kill9 DIR                SIGKILL to the server and all its children
#   postgres.sh status DIR               prints the pid; exit 1 when it does not run
#   postgres.sh conninfo DIR [DATABASE]  database bouncemx, owned by role bouncemx (no superuser)
#   postgres.sh copy DIR OF NAME         makes DIR a streaming standby, named NAME, of the server of OF
#   postgres.sh promote DIR              makes a standby a server of its own
#   postgres.sh backup DIR TO            base backup of the server of DIR into the new folder TO
#   postgres.sh restore DIR FROM S=V...  puts the backup FROM into DIR, to be recovered with these
#                                        settings at the next start
#   postgres.sh start-temp FILE          no-fsync cluster in a new temporary folder named in FILE
#   postgres.sh stop-temp FILE           stops and removes that one
#   postgres.sh run [--fsync] CMD...     temporary cluster around CMD, which sees
#                                        BOUNCEMX_TEST_CONNINFO and BOUNCEMX_TEST_POSTGRES (the DIR)
#
# PostgreSQL refuses root: as root the server runs as user $BOUNCEMX_PG_USER (postgres, else nobody),
# who must be able to reach DIR; else as whoever calls. $BOUNCEMX_PG_OPTIONS goes to the server.
# The superuser's role is "postgres". Every wait ends after $BOUNCEMX_PG_WAIT (60) seconds.
set -euo pipefail

wait_s=${BOUNCEMX_PG_WAIT:-60}

say() { echo "postgres.sh: $*" >&2; }
die() { say "$*"; exit 1; }

server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif [ -n "${BOUNCEMX_PG_USER:-}" ]; then
        echo "$BOUNCEMX_PG_USER"
    elif id -u postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}
user=$(server_user)

# Runs "$@" as the server's user; exec'd, so that a pid is the program's own.
as_user() {
    if [ "$(id -u)" -eq 0 ]; then
        exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups ${pdeathsig:-} -- "$@"
    else
        exec ${pdeathsig:+setpriv $pdeathsig --} "$@"
    fi
}

bin_dir() {
    local dir
    for dir in "${BOUNCEMX_PG_BIN:-}" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) \
               "$(dirname "$(command -v postgres 2>/dev/null || echo /none/postgres)")"; do
        if [ -n "$dir" ] && [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ]; then
            echo "$dir"
            return
        fi
    done
    die "no PostgreSQL server found (apt-get install postgresql-15, or set BOUNCEMX_PG_BIN)"
}

# The pid of the server of DIR, only if it really is that one: its working directory is the data.
server_pid() {
    local pid
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(readlink -f "$1/data")" ] || return 1
    echo "$pid"
}

conninfo() {
    echo "host=$(readlink -f "$1")/socket port=5432 user=bouncemx dbname=${2:-bouncemx}"
}

super() { # DIR DATABASE SQL
    "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 \
        -d "host=$1/socket port=5432 user=postgres dbname=$2 connect_timeout=10" -c "$3"
}

# Waits until "$@" succeeds, in steps of 50 ms.
await() {
    local i
    for ((i = 0; i < wait_s * 20; i++)); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

is_zombie() {
    grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

gone() {
    local pid
    for pid in "$@"; do
        # A zombie has no memory mapped any more; who reaps it is not our affair.
        [ ! -e "/proc/$pid" ] || is_zombie "$pid" || return 1
    done
}

make_cluster() { # DIR FSYNC
    local dir=$1 fsync=$2 sync_flag=
    [ "$fsync" = on ] || sync_flag=--no-sync
    say "new cluster in $dir/data, run by user $user"
    (as_user "$bin/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 $sync_flag >"$dir/initdb.log" 2>&1) ||
        { rm -rf "$dir/data"; cat "$dir/initdb.log" >&2; die "initdb failed"; }
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
timezone = 'UTC'
log_timezone = 'UTC'
max_wal_size = '4GB'
shared_buffers = '256MB'
fsync = $fsync
full_page_writes = $fsync
CONF
}

ready_or_dead() { # DIR PID: 0 when it answers or is gone
    gone "$2" || "$bin/pg_isready" -q -t 1 -U postgres -d postgres -h "$1/socket" -p 5432
}

start() { # DIR FSYNC
    local dir fsync=$2 pid made=
    mkdir -p "$1" || die "can't make $1"
    dir=$(readlink -f "$1")
    if pid=$(server_pid "$dir"); then
        conninfo "$dir"
        return
    fi
    [ ${#dir} -le 80 ] ||
        die "$dir/socket is too long for a Unix socket (107 bytes with its file): use a shorter folder"
    if [ ! -e "$dir/data/PG_VERSION" ]; then
        rm -rf "$dir/data"
        mkdir -p "$dir/data" "$dir/socket"
        chmod 700 "$dir/data" "$dir/socket"
        [ "$(id -u)" -ne 0 ] || chown "$user" "$dir" "$dir/data" "$dir/socket"
    fi
    (as_user test -w "$dir/data") ||
        die "user $user, who runs PostgreSQL, can't reach $dir: use a folder open to that user"
    if [ ! -e "$dir/data/PG_VERSION" ]; then
        make_cluster "$dir" "$fsync"
        made=yes
    fi
    # The dead server of a kill9 whose process nobody has reaped looks alive to PostgreSQL.
    pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null || true)
    [ -z "$pid" ] || ! is_zombie "$pid" ||
        rm -f "$dir/data/postmaster.pid" "$dir/socket/.s.PGSQL.5432.lock"
    # In a session of its own: a Ctrl-C at the terminal is for whoever started us, who stops it.
    (as_user setsid "$bin/postgres" -D "$dir/data" -k "$dir/socket" -p 5432 ${BOUNCEMX_PG_OPTIONS:-}) \
        </dev/null >>"$dir/server.log" 2>&1 9>&- &
    pid=$!
    disown "$pid"
    await ready_or_dead "$dir" "$pid" || die "the server in $dir does not answer; see $dir/server.log"
    if gone "$pid"; then
        tail -n 20 "$dir/server.log" >&2
        die "the server in $dir did not start"
    fi
    # Also after a start that was killed between initdb and here.
    if [ -n "$made" ] || [ ! -e "$dir/ready" ]; then
        [ -n "$(super "$dir" postgres "SELECT 1 FROM pg_roles WHERE rolname = 'bouncemx'")" ] ||
            super "$dir" postgres "CREATE ROLE bouncemx LOGIN CREATEDB"
        # Roles of the schema; the tests of the owner become them by SET ROLE.
        [ -n "$(super "$dir" postgres "SELECT 1 FROM pg_roles WHERE rolname = 'bouncemx_admin'")" ] ||
            super "$dir" postgres "CREATE ROLE bouncemx_writer; CREATE ROLE bouncemx_reader;
                CREATE ROLE bouncemx_admin; GRANT bouncemx_writer, bouncemx_reader, bouncemx_admin TO bouncemx"
        [ -n "$(super "$dir" postgres "SELECT 1 FROM pg_database WHERE datname = 'bouncemx'")" ] ||
            super "$dir" postgres "CREATE DATABASE bouncemx OWNER bouncemx"
        touch "$dir/ready"
    fi
    conninfo "$dir"
}

stop() { # DIR
    local pid
    pid=$(server_pid "$1") || return 0
    kill -INT "$pid"
    await gone "$pid" && return 0
    kill -QUIT "$pid"
    await gone "$pid" || die "the server $pid of $1 does not stop"
}

kill9() { # DIR
    local pid all
    pid=$(server_pid "$1") || return 0
    kill -STOP "$pid" # else it would start children while we count them
    all="$pid $(cat "/proc/$pid/task/$pid/children")"
    # A child may be gone already.
    kill -KILL $all 2>/dev/null || true
    await gone $all || die "the server $pid of $1 does not die"
}

# An empty DIR that the server's user may fill; prints its path.
cluster_dir() { # DIR
    mkdir -p "$1/socket"
    chmod 700 "$1/socket"
    rm -f "$1/socket/.s.PGSQL.5432.lock" # of a server that was killed
    [ "$(id -u)" -ne 0 ] || chown "$user" "$1" "$1/socket"
    readlink -f "$1"
}

base_backup() { # TO FROM NAME [OPTION...]
    local to=$1 from=$2 name=$3
    shift 3
    (as_user "$bin/pg_basebackup" -D "$to" -X stream -c fast --no-sync "$@" \
        -d "host=$from/socket port=5432 user=postgres application_name=$name") ||
        die "pg_basebackup of $from failed"
}

copy() { # DIR OF NAME
    local dir
    ! server_pid "$1" >/dev/null || die "the server in $1 runs"
    dir=$(cluster_dir "$1")
    rm -rf "$dir/data"
    base_backup "$dir/data" "$(readlink -f "$2")" "$3" -R
    touch "$dir/ready"
}

restore() { # DIR FROM S=V...
    local dir setting
    ! server_pid "$1" >/dev/null || die "the server in $1 runs"
    dir=$(cluster_dir "$1")
    rm -rf "$dir/data"
    cp -a "$2" "$dir/data"
    shift 2
    for setting in "$@"; do
        printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}" >>"$dir/data/postgresql.auto.conf"
    done
    (as_user touch "$dir/data/recovery.signal")
}

temp_dir() {
    local dir
    dir=$(mktemp -d "${BOUNCEMX_PG_TMP:-/tmp}/bouncemx-pg.XXXXXX")
    chmod 755 "$dir"
    echo "$dir"
}

run() {
    local fsync=off dir rc=0 child=
    if [ "${1:-}" = --fsync ]; then
        fsync=on
        shift
    fi
    [ $# -gt 0 ] || die "run: which command?"
    dir=$(temp_dir)
    trap 'stop "$dir"; rm -rf "$dir"' EXIT
    # CMD runs beside us, so that a signal is passed on at once.
    trap '[ -z "$child" ] || { kill -TERM "$child" 2>/dev/null; wait "$child"; } || true; exit 130' \
        INT TERM HUP
    # A wrapper that is killed takes its server along.
    command -v setpriv >/dev/null && pdeathsig="--pdeathsig INT"
    start "$dir" $fsync >/dev/null
    BOUNCEMX_TEST_CONNINFO=$(conninfo "$dir") BOUNCEMX_TEST_POSTGRES=$dir "$@" <&0 &
    child=$!
    wait "$child" || rc=$?
    exit $rc
}

usage() {
    sed -n '4,18s/^# \{0,3\}//p' "$0" >&2
    exit 2
}

command=${1:-}
[ $# -ge 2 ] || usage
shift
bin=$(bin_dir)
case $command in
start)
    case ${2:-} in
    '') start "$1" on ;;
    --no-fsync) start "$1" off ;;
    *) usage ;;
    esac
    ;;
stop) stop "$1" ;;
kill9) kill9 "$1" ;;
status) server_pid "$1" ;;
conninfo) conninfo "$1" "${2:-}" ;;
copy) [ $# -eq 3 ] || usage; copy "$@" ;;
promote) (as_user "$bin/pg_ctl" promote -D "$1/data" -w -t "$wait_s" >/dev/null) || die "$1 was not promoted" ;;
backup) [ $# -eq 2 ] || usage; base_backup "$2" "$(readlink -f "$1")" backup ;;
restore) [ $# -ge 2 ] || usage; restore "$@" ;;
start-temp)
    [ ! -s "$1" ] || { dir=$(cat "$1"); stop "$dir"; rm -rf "$dir"; }
    dir=$(temp_dir)
    echo "$dir" >"$1"
    start "$dir" off
    ;;
stop-temp)
    [ -s "$1" ] || exit 0
    dir=$(cat "$1")
    stop "$dir"
    rm -rf "$dir" "$1"
    ;;
run) run "$@" ;;
*) usage ;;
esac
