#!/usr/bin/env python3
"""run_tap.py MIGRATIONS FILE.sql - runs a pgTAP file in a new database that has every migration.

The cluster is that of BOUNCEMX_TEST_CLUSTER (the ctest fixture) or BOUNCEMX_TEST_POSTGRES
(postgres.sh run): a folder. The schema belongs to a role that is no superuser, and the file runs
as that role. Exit 1 unless the plan was met and every line is ok.
"""
import glob
import os
import re
import subprocess
import sys


def cluster():
    folder = os.environ.get("BOUNCEMX_TEST_POSTGRES")
    if not folder:
        with open(os.environ["BOUNCEMX_TEST_CLUSTER"], encoding="utf-8") as f:
            folder = f.read().strip()
    return folder


def psql(user, database, *arguments):
    conninfo = f"host={cluster()}/socket port=5432 user={user} dbname={database}"
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", conninfo, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def must(done):
    if done.returncode != 0:
        sys.exit(f"{' '.join(done.args)}\n{done.stdout}{done.stderr}")


def check(output):
    """The complaint about a TAP text, or None."""
    plan = re.search(r"^1\.\.(\d+)$", output, re.M)
    if not plan or int(plan.group(1)) == 0:
        return "no plan"
    lines = re.findall(r"^(not ok|ok) (\d+)", output, re.M)
    if [int(n) for _, n in lines] != list(range(1, int(plan.group(1)) + 1)):
        return f"{len(lines)} results, not {plan.group(1)} in order"
    failed = sum(word == "not ok" for word, _ in lines)
    return f"{failed} of {len(lines)} failed" if failed else None


def fresh_database(migrations, database):
    """A new database that has every step."""
    must(psql("postgres", "postgres", "-c", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
    must(psql("postgres", "postgres", "-c", f"CREATE DATABASE {database} OWNER bouncemx"))
    must(psql("postgres", database, "-c", "CREATE EXTENSION pgtap"))
    steps = sorted(glob.glob(os.path.join(migrations, "*.sql")))
    if not steps:
        sys.exit(f"{migrations}: no step")
    for step in steps:
        must(psql("bouncemx", database, "-1", "-f", step))


def main():
    migrations, tap = sys.argv[1:3]
    database = "tap_" + os.path.splitext(os.path.basename(tap))[0]
    fresh_database(migrations, database)
    os.environ["BOUNCEMX_VECTORS"] = os.path.join(os.path.dirname(os.path.realpath(migrations)),
                                                  "tests/golden/token-vectors.json")
    done = psql("bouncemx", database, "-c", "SET timezone = 'UTC'", "-f", tap)
    print(done.stdout + done.stderr)
    complaint = check(done.stdout)
    if done.returncode != 0 or complaint:
        sys.exit(f"{tap}: {complaint or 'psql failed'}")


if __name__ == "__main__":
    main()
