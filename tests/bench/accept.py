#!/usr/bin/env python3
"""Accept rate against smtp-sink (stores nothing) and Postfix's smtpd (queues, then discards).

One generator (smtp-source) and one machine for all, rounds interleaved, the processor stopped.
Modes: many messages a connection (-d) and one. Then the time from the final dot to the 250 at 10
sessions, by a generator of our own. Beside them what the disk alone allows: a bare loop of pwrite and
fdatasync of as many messages as there are sessions. Asked for: >= 0.85 x smtp-sink with many messages a
connection, >= 0.9 x with one, at 10 to 100 sessions; p99 under 4 ms."""
import os
import re
import shutil
import statistics
import subprocess
import time

import bench
import mail_server
from bench import harness, sandbox, smtp

SESSIONS = (1, 10, 100)
MODES = {"many": ["-d"], "one": []}


def smtp_source(setup, port, mode, sessions, count, body):
    argv = ["smtp-source", "-4", "-s", str(sessions), "-m", str(count), "-F", body,
            "-f", "sender@example.org", "-t", f"list@{smtp.DOMAIN}", *MODES[mode],
            f"127.0.0.1:{port}"]
    seconds, done = bench.timed(lambda: subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=300,
        cwd=setup.box.run_directory))
    if done.returncode != 0:
        raise harness.Failure(f"smtp-source: exit {done.returncode}: {done.stderr[-500:]}")
    return count / seconds


class Bouncemx:
    def __init__(self, setup):
        self.setup = setup
        self.port = setup.port

    def begin(self):
        """A fresh journal: what was measured before must not fill the disk."""
        self.setup.start("receive")

    def end(self):
        self.setup.stop("receive", 60)
        shutil.rmtree(self.setup.spool, ignore_errors=True)


class Other:
    def __init__(self, port):
        self.port = port

    def begin(self):
        pass

    def end(self):
        pass


def rates(setup, servers, body):
    options = setup.options
    found = {}
    for number in range(options.rounds):
        for mode in MODES:
            for sessions in SESSIONS:
                for name, server in servers.items():
                    server.begin()
                    try:
                        # A short run says how many fill the time.
                        guess = smtp_source(setup, server.port, mode, sessions, 300, body)
                        count = max(300, min(int(guess * options.seconds), 400000))
                        rate = smtp_source(setup, server.port, mode, sessions, count, body)
                    finally:
                        server.end()
                    found.setdefault((mode, sessions, name), []).append(rate)
                    print(f"round {number + 1} {mode} {sessions} {name}: {rate:.0f}/s", flush=True)
    return {key: statistics.median(values) for key, values in found.items()}


def floors(setup):
    """sessions -> records a second of a loop that writes and syncs so many at a time, and no more."""
    program = os.path.join(os.path.dirname(setup.program), "tests", "bench", "bench_spool_append")
    os.makedirs(setup.spool, exist_ok=True)
    done = subprocess.run([program, setup.spool, "1"], capture_output=True, text=True, check=True,
                          timeout=300)
    shutil.rmtree(setup.spool, ignore_errors=True)
    return {int(n): int(rate) for n, rate in
            re.findall(r"^bare, (\d+) a fdatasync +(\d+) records/s", done.stdout, re.M)}


def show(setup, medians, floor):
    rows = []
    for mode in MODES:
        for sessions in SESSIONS:
            sink, postfix, own = (medians.get((mode, sessions, name), 0)
                                  for name in ("smtp-sink", "postfix", "bouncemx"))
            rows.append([f"{mode} a connection, {sessions} sessions", f"{sink:.0f}",
                         f"{postfix:.0f}", f"{own:.0f}", f"{own / sink:.2f}",
                         f"{own / postfix:.1f}" if postfix else "-",
                         f"{floor[sessions]}", f"{own / floor[sessions]:.2f}"])
            setup.note(**{f"{mode}_{sessions}": {
                "smtp_sink": round(sink), "postfix": round(postfix), "bouncemx": round(own),
                "of_smtp_sink": round(own / sink, 3), "bare_sync": floor[sessions],
                "of_postfix": round(own / postfix, 2) if postfix else None}})
    bench.table(rows, ["messages/s", "smtp-sink", "postfix", "bouncemx", "÷ sink", "÷ postfix",
                       "bare sync", "÷ bare sync"])


def latency(setup, own, template):
    rows = []
    for name, more in (("one command at a time", {}), ("pipelined", {"pipeline": True})):
        own.begin()
        try:
            bench.generator_end(bench.generator_start(
                setup, own.port, template=template, connections=10, seconds=1, **more))
            done = bench.generator_end(bench.generator_start(
                setup, own.port, template=template, connections=10,
                seconds=setup.options.seconds * 2, **more))
        finally:
            own.end()
        if done["refused"]:
            raise harness.Failure(f"{done['refused']} refused")
        rows.append([name, f"{done['per_second']:.0f}"] +
                    [f"{done[k]:.2f}" for k in ("ms_p50", "ms_p99", "ms_p999", "ms_max")])
        setup.note(**{"dot_to_250_" + name.split()[0]: done})
    bench.table(rows, ["final dot to 250, 10 sessions", "messages/s", "p50 ms", "p99 ms",
                       "p99.9 ms", "max ms"])


def test(setup):
    for program in ("smtp-source", "smtp-sink"):
        if not shutil.which(program):
            raise harness.Skip(f"{program} is not installed")
    setup.spool = os.path.join(setup.options.spool or setup.box.root, f"spool-{os.getpid()}")
    setup.configure(spool={"max_bytes": 0, "segment_bytes": "64MiB"},
                    receiver={"threads": setup.options.threads}, log={"level": "warning"})
    template = bench.template(setup)
    body = setup.box.write("body.eml", open(template, "rb").read().replace(b"\r\n", b"\n"))
    print(f"{bench.machine()}, {os.path.getsize(template)} octets a message, "
          f"{setup.options.threads} threads, rounds of {setup.options.seconds} s\n")
    own = Bouncemx(setup)
    try:
        sink_port = sandbox.free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        setup.box.start("smtp-sink", ["smtp-sink", "-4", *user, f"127.0.0.1:{sink_port}", "1000"])
        servers = {"smtp-sink": Other(sink_port), "bouncemx": own}
        try:
            postfix = mail_server.Postfix(setup.box, destination="", settings={
                "smtpd_client_connection_count_limit": "0", "default_process_limit": "150",
                "relay_domains": smtp.DOMAIN, "relay_transport": "discard:"})
            servers["postfix"] = Other(postfix.port)
        except harness.Skip as e:
            print(f"without Postfix: {e}")
        time.sleep(0.5)
        if not setup.options.latency_only:
            before = floors(setup)
            medians = rates(setup, servers, body)
            after = floors(setup)
            show(setup, medians, {n: (before[n] + after[n]) // 2 for n in before})
        latency(setup, own, template)
    finally:
        shutil.rmtree(setup.spool, ignore_errors=True)


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--spool", help="directory for the journal, to measure another disk")
    parser.add_argument("--latency-only", action="store_true")


if __name__ == "__main__":
    bench.main("accept", test, arguments)
