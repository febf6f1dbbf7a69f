#!/usr/bin/env python3
"""From the first byte to committed rows, evidence included: messages a second over a minute, and
what a thousand messages cost each process in CPU seconds and bytes written.

PostgreSQL runs on the same machine with fsync on. The generator sends at a set rate, so that the
journal does not just grow. Each return path is signed and names another recipient, so that each message
becomes a suppression. --stored fills the database before. Asked for: >= 5,000 messages/s sustained for 60 s
into an empty database, >= 3,500 with 10 million events stored."""
import resource
import time

import bench
import stored
from bench import harness, sandbox


# What is not of stored.py, whose last events are a day old.
NEW = {"message": "received_at > now() - interval '12 hours'", "event": "received_at > now() - interval '12 hours'",
       "evidence": "true", "suppression": "address_key NOT LIKE 'old.%'"}


def test(setup):
    options = setup.options
    setup.configure(
        spool={"max_bytes": 0, "segment_bytes": "64MiB", "keep_processed": "1ms"},
        database={"batch_events": options.batch, "batch_wait": "50ms"},
        processor={"workers": options.workers}, receiver={"threads": options.threads},
        log={"level": "warning", "addresses": "redacted"})
    setup.database(durable=True, options=("shared_buffers=1GB", "max_wal_size=8GB"))
    if options.stored:
        stored.fill(setup.pg, stored.OURS, 0, options.stored)
        setup.pg.sql("VACUUM ANALYZE; CHECKPOINT", timeout=3600)
    receive, process = setup.start("receive"), setup.start("process")
    template = bench.template(setup)
    # The first messages make connections, caches and partitions.
    bench.generator_end(bench.generator_start(setup, setup.port, template=template, connections=4, messages=500,
                                              first=900000000000, sign=bench.RECIPIENT))

    def written(table="message"):
        return setup.pg.count(f"select count(*) from bouncemx.{table} where {NEW[table]}")
    harness.wait_until("the first messages", 60, lambda: written() == 500)
    usage = bench.Usage({
        "receiver": lambda: [receive.pid],
        "processor": lambda: [process.pid] + sandbox.proc_descendants(process.pid),
        "postgres": setup.pg.pids})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    load = bench.generator_start(setup, setup.port, template=template,
                                 connections=options.connections, seconds=options.seconds,
                                 rate=options.rate, pipeline=True,
                                 sign=bench.RECIPIENT)
    series = []
    while load.poll() is None:
        due = time.monotonic() + min(5, options.seconds / 4)
        while time.monotonic() < due and load.poll() is None:
            time.sleep(0.05)
        series.append((time.monotonic() - started, written() - 500))
        print(f"  {series[-1][0]:6.1f} s  {series[-1][1]:8d} messages committed", flush=True)
    sent = bench.generator_end(load)
    in_time = written() - 500
    sending = time.monotonic() - started
    harness.wait_until("the journal to drain", 300, lambda: written() - 500 >= sent["acked"],
                       every=0.2)
    whole = time.monotonic() - started
    sums = usage.since()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # with psql's few looks
    sums["bench_generator"] = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 0)
    for table in NEW:
        count = written(table)
        harness.expect(count == sent["acked"] + 500, f"{count} rows in {table} of {sent['acked'] + 500}")
    setup.stop("receive")
    setup.stop("process")
    if sent["refused"]:
        raise harness.Failure(f"{sent['refused']} messages were refused")

    print(f"\n{bench.machine()}, {options.workers} workers, {options.threads} threads, batches of "
          f"{options.batch}\n")
    bench.table([["offered", f"{options.rate}"],
                 ["accepted (250)", f"{sent['acked'] / sent['seconds']:.0f}"],
                 ["committed while sending", f"{in_time / sending:.0f}"],
                 ["first byte to last commit", f"{sent['acked'] / whole:.0f}"]],
                ["messages/s", ""])
    bench.table([[name, f"{cpu * 1000 / sent['acked']:.3f}", f"{octets / sent['acked']:.0f} KB"]
                 for name, (cpu, octets) in sums.items()],
                ["per 1,000 messages", "CPU s", "written"])
    setup.note(acked=sent["acked"], sending_seconds=round(sending, 1),
               drained_after_seconds=round(whole - sending, 1),
               per_second_committed_while_sending=round(in_time / sending),
               per_second_first_byte_to_last_commit=round(sent["acked"] / whole),
               dot_to_250_ms_p99=sent["ms_p99"],
               cpu_us_per_message={k: round(v[0] * 1e6 / sent["acked"], 1) for k, v in sums.items()},
               bytes_written_per_message={k: round(v[1] / sent["acked"]) for k, v in sums.items()})


def arguments(parser):
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=5000, help="messages a second offered")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--stored", type=int, default=0, help="events in the database before")


if __name__ == "__main__":
    bench.main("end_to_end", test, arguments, 7200)
