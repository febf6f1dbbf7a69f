#!/usr/bin/env python3
"""Rows a second into a database that already holds many events, beside the bare shape in the same run.

Ours: db_write with policy, roll-ups, audit of the list and 4 KB of evidence a message
(bench_db_write alone), batches of 1,000. Bare: batches of 1,000 rows into one table without
partitions: unique key, two indexes, 4 KB of evidence (lz4), an upsert into a list for one row in
five, by COPY from a file through psql. Both are filled to each size before (events of the last 30 days; evidence is not filled), then measured in turns.
Asked for: >= 0.5 x bare at every size, and at the largest >= 0.7 x the rate at a million."""
import os
import random
import statistics
import subprocess
import time
import uuid

import bench
import stored
from bench import harness

BARE = """
CREATE TABLE bare_event (id uuid NOT NULL, received_at timestamptz NOT NULL, kind text NOT NULL, tenant text NOT NULL,
    stream text NOT NULL, address text, address_key text COLLATE "C", class text, category text, rule text,
    mx_operator text, status text, diagnostic text, raw text, PRIMARY KEY (id));
ALTER TABLE bare_event ALTER COLUMN raw SET COMPRESSION lz4;
ALTER TABLE bare_event ALTER COLUMN raw SET STORAGE MAIN;
CREATE INDEX ON bare_event (address_key, received_at);
CREATE INDEX ON bare_event (received_at);
CREATE TABLE bare_list (address_key text COLLATE "C" PRIMARY KEY, event_id uuid NOT NULL, events bigint NOT NULL);
"""
FILL_BARE = """
INSERT INTO bare_event
SELECT gen_random_uuid(), now() - random() * interval '30 days', 'bounce', 'main', 'default', a, a, 'hard', 'bad_mailbox',
       'google.no_such_user', 'google', '5.1.1', 'filled', NULL
  FROM (SELECT 'old.' || {first} + n || '@example.net' AS a FROM generate_series(1, {count}) n) x;
INSERT INTO bare_list SELECT 'old.' || {first} + n || '@example.net', gen_random_uuid(), 1 FROM generate_series(1, {count}, 5) n;
"""


def ours(setup, messages):
    path = os.path.join(os.path.dirname(setup.program), "tests", "bench", "bench_db_write")
    done = subprocess.run([path, str(messages), "1000", "alone"], capture_output=True, text=True, timeout=600, check=False,
                          env=dict(os.environ, BOUNCEMX_TEST_CONNINFO=setup.pg.conninfo))
    if done.returncode != 0:
        raise harness.Failure(done.stderr)
    return float(done.stdout.split()[1])


def bare_script(setup, messages):
    """Transactions of a thousand rows by COPY and their upsert, as a file for psql."""
    words = "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient"
    bodies = ["".join(f"{random.getrandbits(128):032x} with ESMTPS id mail.example.com " for _ in range(64))
              for _ in range(100)]
    path = setup.box.path("bare.sql")
    with open(path, "w", encoding="ascii") as f:
        for batch in range(messages // 1000):
            f.write("BEGIN;\nCOPY bare_event FROM stdin;\n")
            listed = []
            for n in range(1000):
                row_id, address = uuid.uuid4(), f"user.{random.getrandbits(48):x}@example.net"
                f.write(f"{row_id}\tnow\tbounce\tmain\tdefault\t{address}\t{address}\thard\tbad_mailbox\t"
                        f"google.no_such_user\tgoogle\t5.1.1\t{words}\t{bodies[n % 100]}\n")
                if n % 5 == 0:
                    listed.append(f"('{address}', '{row_id}'::uuid, 1)")
            f.write("\\.\nINSERT INTO bare_list VALUES " + ",".join(listed) +
                    " ON CONFLICT (address_key) DO UPDATE SET events = bare_list.events + 1;\nCOMMIT;\n")
    return path


def bare(setup, messages):
    script = bare_script(setup, messages)
    started = time.monotonic()
    subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", setup.pg.conninfo, "-f", script], check=True, timeout=600)
    return messages / (time.monotonic() - started)


def test(setup):
    options = setup.options
    setup.database(durable=True, options=("shared_buffers=1GB", "max_wal_size=8GB"))
    setup.pg.sql(BARE, login="bouncemx")
    rows, filled, first_rate, million = [], 0, None, None
    for size in options.sizes:
        started = time.monotonic()
        stored.fill(setup.pg, stored.OURS, filled, size)
        stored.fill(setup.pg, FILL_BARE, filled, size)
        filled = max(filled, size)
        setup.pg.sql("VACUUM ANALYZE; CHECKPOINT", timeout=3600)
        print(f"  filled to {size} in {time.monotonic() - started:.0f} s", flush=True)
        found = [(ours(setup, options.messages), bare(setup, options.messages)) for _ in range(options.rounds)]
        mine, theirs = (statistics.median(v) for v in zip(*found))
        million = mine if size == 1000000 else million
        rows.append([f"{size}", f"{mine:.0f}", f"{theirs:.0f}", f"{mine / theirs:.2f}",
                     f"{mine / million:.2f}" if million else "-"])
        print("  " + "  ".join(rows[-1]), flush=True)
    bench.table(rows, ["events stored", "ours rows/s", "bare rows/s", "ratio", "to a million"])
    setup.note(rows=rows)


def arguments(parser):
    parser.add_argument("--sizes", type=lambda t: [int(n) for n in t.split(",")], default=[0, 1000000, 10000000],
                        metavar="N,N,...", help="events stored before each measurement, ascending")
    parser.add_argument("--messages", type=int, default=50000)
    parser.add_argument("--rounds", type=int, default=3)


if __name__ == "__main__":
    bench.main("db_full", test, arguments)
