#!/usr/bin/env python3
"""schema_picture.py CONNINFO - draws the tables of schema bouncemx, as the catalogue has them, as SVG
on standard output. docs/schema.svg is its output; tests/sql/document.py holds it to the migrations.

A table has its place in GROUPS: one that has none is an error, so that a new table gets drawn.
"""
import collections
import html
import subprocess
import sys

# The panels, in the order in which a message passes them; each in one of the four columns.
GROUPS = (
    (0, "What came in", "#eef3fb", ("message", "event", "evidence")),
    (1, "Whose it is", "#eef3fb", ("sent", "event_waiting", "token_seen", "content_seen", "token_flood")),
    (1, "What suppresses", "#fdf6e3", ("policy", "address_score", "struck", "strike")),
    (2, "The list", "#e6f4ea", ("suppression", "allowed", "erased")),
    (2, "The circuit breaker", "#fdf6e3", ("breaker_policy", "breaker_hour", "breaker_state", "domain_operator")),
    (3, "The feed", "#e6f4ea", ("suppression_change", "feed", "feed_state")),
    (3, "Journals", "#f4f4f4", ("lane_position", "set_aside")),
    (0, "Reports", "#f4f4f4", ("event_hourly", "message_hourly", "diagnostic_daily", "block_daily", "attempt_daily",
                               "complaint_daily", "latency_daily", "volume")),
    (3, "The house", "#f4f4f4", ("schema_migration", "maintenance", "audit", "import_job")),
)
# Columns that name a row of another table; PostgreSQL is not told, since partitions come and go.
POINTS_TO = {"event_id": "event", "last_event_id": "event", "change_id": "suppression_change",
             "sample_event_id": "event", "unmatched_event_id": "event", "held_hour": "breaker_hour"}
SHORT = {"timestamp with time zone": "timestamptz", "character varying": "varchar"}
WIDTH, GAP, LINE, HEAD, SHOWN = 262, 14, 15, 22, 16

CATALOGUE = r"""
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       coalesce(a.attnum = ANY (i.indkey::smallint[]), false)::int,
       coalesce(CASE p.partstrat WHEN 'r' THEN pg_get_partkeydef(c.oid) END, '')
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
 WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname, a.attnum
"""


def read(conninfo):
    """{table: (partition key, [(column, type, is key)])}"""
    done = subprocess.run(["psql", "-XAtq", "-F", "\t", "-d", conninfo, "-c", CATALOGUE],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    tables = collections.OrderedDict()
    for line in done.stdout.splitlines():
        table, column, kind, key, partition = line.split("\t")
        kind = kind.replace("bouncemx.", "")
        for long, short in SHORT.items():
            kind = kind.replace(long, short)
        tables.setdefault(table, (partition, []))[1].append((column, kind, key == "1"))
    return tables


def text(x, y, words, **style):
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x}" y="{y}"{more}>{html.escape(words)}</text>'


def box(x, y, name, partition, columns):
    """One table; (height, lines of SVG)."""
    keys_first = sorted(columns, key=lambda c: not c[2])
    shown = keys_first if len(columns) <= SHOWN + 1 else keys_first[:SHOWN]
    rows = len(shown) + (len(shown) < len(columns))
    height = HEAD + rows * LINE + 6
    out = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="4" fill="#fff" stroke="#333"/>',
           f'<path d="M{x} {y + HEAD}h{WIDTH}" stroke="#333"/>',
           text(x + 8, y + 15, name, font_weight="bold")]
    if partition:
        out.append(text(x + WIDTH - 8, y + 15, "parted " + partition.lower(), text_anchor="end", fill="#777"))
    for i, (column, kind, key) in enumerate(shown):
        at = y + HEAD + 13 + i * LINE
        style = {"font_weight": "bold"} if key else {}
        out.append(text(x + 8, at, column, **style))
        to = POINTS_TO.get(column)
        out.append(text(x + WIDTH - 8, at, f"\u2192 {to}" if to and to != name else kind, text_anchor="end",
                        fill="#1a5fb4" if to and to != name else "#777"))
    if len(shown) < len(columns):
        out.append(text(x + 8, y + HEAD + 13 + len(shown) * LINE,
                        f"and {len(columns) - len(shown)} more", fill="#777"))
    return height, out


def draw(tables):
    placed = {t for group in GROUPS for t in group[3]}
    for table in tables:
        if table not in placed:
            sys.exit(f"schema_picture.py: table {table} has no place in GROUPS")
    for table in placed:
        if table not in tables:
            sys.exit(f"schema_picture.py: GROUPS names {table}, which the schema does not have")
    bottom = [GAP] * 4
    out = []
    for column, title, colour, members in GROUPS:
        x, top = GAP + column * (WIDTH + 3 * GAP), bottom[column]
        y, inner = top + 24, []
        for name in members:
            height, lines = box(x + GAP, y, name, *tables[name])
            inner += lines
            y += height + 8
        out.append(f'<rect x="{x}" y="{top}" width="{WIDTH + 2 * GAP}" height="{y - top}" rx="8" '
                   f'fill="{colour}" stroke="none"/>')
        out.append(text(x + GAP, top + 17, title, font_size=14, font_weight="bold"))
        out += inner
        bottom[column] = y + GAP
    width, height = 4 * (WIDTH + 3 * GAP) + GAP, max(bottom)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
          f'font-size="12" role="img" aria-label="The tables of schema bouncemx with their columns; '
          f'keys are bold, blue arrows name the table that a column points to.">')
    print(f'<rect width="{width}" height="{height}" fill="#fff"/>')
    print("\n".join(out))
    print("</svg>")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: schema_picture.py CONNINFO")
    draw(read(sys.argv[1]))
