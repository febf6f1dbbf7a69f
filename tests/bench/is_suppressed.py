#!/usr/bin/env python3
"""How long bouncemx.is_suppressed takes for one address in a join over many.

    is_suppressed.py CONNINFO [--addresses N] [--suppressed N]

CONNINFO is of a database of which nothing is kept: the schema of migrations/ is made anew in it.
Prints one JSON object with microseconds a look-up: bare (the same query around no look-up), the
function, the join written out by hand, with one erased person, and check_addresses.
"""
import argparse
import glob
import json
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def psql(conninfo, *arguments):
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", conninfo, *arguments],
                          capture_output=True, text=True, check=True)
    return done.stdout


def time_of(conninfo, query):
    """The best of three, in microseconds."""
    best = None
    for _ in range(3):
        out = psql(conninfo, "-c", "SET max_parallel_workers_per_gather = 0", "-c", "SET jit = off",
                   "-c", f"EXPLAIN (ANALYZE, TIMING OFF) {query}")
        took = float(re.search(r"Execution Time: ([0-9.]+) ms", out).group(1)) * 1000
        best = took if best is None else min(best, took)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("conninfo")
    parser.add_argument("--addresses", type=int, default=1_000_000)
    parser.add_argument("--suppressed", type=int, default=1_000_000)
    options = parser.parse_args()
    db = options.conninfo
    psql(db, "-c", "DROP SCHEMA IF EXISTS bouncemx CASCADE", "-c", "DROP SCHEMA IF EXISTS bouncemx_private CASCADE")
    for step in sorted(glob.glob(os.path.join(ROOT, "migrations", "*.sql"))):
        psql(db, "-1", "-f", step)
    psql(db, "-c", "DROP TABLE IF EXISTS customer", "-c",
         # One of ten stands on the list, in an order that is not the list's; some in capitals.
         f"""CREATE TABLE customer AS SELECT CASE WHEN n % 20 = 0 THEN 'User' ELSE 'user' END
             || (n::bigint * 7919 % ({options.addresses} * 10)) || '@mail' || n % 100 || '.example.com' AS email
             FROM generate_series(1, {options.addresses}) n""",
         "-c", "ALTER TABLE bouncemx.suppression DISABLE TRIGGER USER", "-c",
         f"""INSERT INTO bouncemx.suppression (address_key, tenant, scope, address, event_stream, origin, event_at, kind, events, last_event_at)
             SELECT k, 'main', 'tenant', k, '', 'import', now(), 'bounce', 0, now()
               FROM (SELECT bouncemx.address_key(email) AS k FROM customer WHERE hashtext(email) % 10 = 0
                     UNION SELECT 'other' || n || '@mail' || n % 100 || '.example.com' FROM generate_series(1, {options.suppressed} * 9 / 10) n) a""",
         "-c", "ALTER TABLE bouncemx.suppression ENABLE TRIGGER USER", "-c", "VACUUM ANALYZE bouncemx.suppression", "-c", "VACUUM ANALYZE customer")
    n = options.addresses
    bare = time_of(db, "SELECT count(*) FROM customer WHERE length(email) < 4")
    result = {
        "addresses": n, "suppressed": int(psql(db, "-c", "SELECT count(*) FROM bouncemx.suppression")),
        "hits": int(psql(db, "-c", "SELECT count(*) FROM customer WHERE bouncemx.is_suppressed(email, 'news', 'main')")),
        "bare_us": bare / n,
        "is_suppressed_us": time_of(db, "SELECT count(*) FROM customer WHERE bouncemx.is_suppressed(email, 'news', 'main')") / n,
        "address_key_us": time_of(db, "SELECT count(bouncemx.address_key(email)) FROM customer") / n,
        "check_addresses_us": time_of(db, "SELECT count(*) FROM bouncemx.check_addresses(ARRAY(SELECT email FROM customer LIMIT 100000), 'news', 'main')") / min(n, 100000),
    }
    psql(db, "-c", "INSERT INTO bouncemx.erased (address_hash, pepper_id, erased_at) VALUES (bouncemx.address_hash('z@x'), 1, now())")
    result["with_erased_us"] = time_of(db, "SELECT count(*) FROM customer WHERE bouncemx.is_suppressed(email, 'news', 'main')") / n
    print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in result.items()}))


main()
