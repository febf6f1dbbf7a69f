#!/usr/bin/env python3
"""document.py SOURCE_DIR [--write] - holds docs/sql.md and docs/schema.svg to the schema.

The picture must be what schema_picture.py draws of a new database (--write: make it so). Each SQL
block of the page is run, all in one session over the rows of support/recipes.psql, and must answer
with at least one row. The cluster is found as by run_tap.py.
"""
import os
import re
import subprocess
import sys
import tempfile

import run_tap

MARK = "-- recipe "


def picture(source, conninfo):
    done = subprocess.run([sys.executable, os.path.join(source, "tests/support/schema_picture.py"), conninfo],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def recipes(source):
    with open(os.path.join(source, "docs/sql.md"), encoding="utf-8") as f:
        return re.findall(r"^```sql\n(.*?)^```$", f.read(), re.M | re.S)


def failures(source, database, blocks):
    """What is wrong with each block that is."""
    script = [f"\\ir {os.path.join(source, 'tests/sql/support/recipes.psql')}"]
    for i, block in enumerate(blocks):
        script += [f"\\echo {MARK}{i}", block]
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as f:
        f.write("\n".join(script) + "\n")
        f.flush()
        done = run_tap.psql("bouncemx", database, "-c", "SET timezone = 'UTC'", "-f", f.name)
    answers = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.M)[1:]
    for i, block in enumerate(blocks):
        if i >= len(answers):
            yield f"{block}\ndid not run: {done.stderr}"
        elif not answers[i].strip():
            yield f"{block}\nhas no row"
    if done.returncode != 0 and len(answers) == len(blocks):
        yield f"{blocks[-1]}\nfailed: {done.stderr}"


def main():
    source = os.path.abspath(sys.argv[1])
    run_tap.fresh_database(os.path.join(source, "migrations"), "document")
    svg = os.path.join(source, "docs/schema.svg")
    drawn = picture(source, f"host={run_tap.cluster()}/socket port=5432 user=bouncemx dbname=document")
    if "--write" in sys.argv:
        with open(svg, "w", encoding="utf-8") as f:
            f.write(drawn)
    with open(svg, encoding="utf-8") as f:
        same = f.read() == drawn
    blocks = recipes(source)
    wrong = list(failures(source, "document", blocks))
    if not same:
        wrong.append("docs/schema.svg is of another schema: tests/sql/document.py --write draws it anew")
    if len(blocks) < 10:
        wrong.append(f"docs/sql.md has {len(blocks)} recipes, not ten")
    print("\n".join(wrong) or f"{len(blocks)} recipes ran")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
