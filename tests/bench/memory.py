#!/usr/bin/env python3
"""What an idle connection costs the receiver, plain or (--tls) inside TLS: held are connections that
were greeted and said EHLO, and then nothing.

Asked for: <= 8 KiB an idle connection, <= 32 KiB inside TLS; <= 120 MB with 10,000 plain ones."""
import resource
import time

import bench
from bench import attacks, harness, sandbox


def hold(setup, count):
    held = attacks.Held(setup, count, setup.port, tls=setup.options.tls)
    held.wait()
    return held


def test(setup):
    most = setup.options.connections
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit < most + 200:
        raise harness.Skip(f"{limit} open files are allowed, {most + 200} needed")
    setup.configure(
        listen=[{"address": "127.0.0.1", "port": setup.port, "tls": "starttls"}],
        tls={"certificates": [bench.certificate(setup)]},
        limits={"connections": 20000, "connections_per_address": 0},
        receiver={"threads": setup.options.threads})
    receive = setup.start("receive")
    hold(setup, 50).end()  # what the first ones cost once
    time.sleep(1)
    base = sandbox.proc_memory(receive.pid)
    rows = [["0", f"{base / 1e6:.1f}", "-"]]
    setup.note(rss_without=base)
    held = []
    for count in (most // 10, most // 2, most):
        held.append(hold(setup, count - sum(h.count for h in held)))
        time.sleep(1)
        now = sandbox.proc_memory(receive.pid)
        rows.append([str(count), f"{now / 1e6:.1f}", f"{(now - base) / count:.0f}"])
        setup.note(**{f"rss_with_{count}": now,
                      f"bytes_a_connection_of_{count}": round((now - base) / count)})
    for each in held:
        each.end()
    time.sleep(1)
    rows.append(["closed again", f"{sandbox.proc_memory(receive.pid) / 1e6:.1f}", "-"])
    setup.stop("receive")
    bench.table(rows, ["idle, in TLS" if setup.options.tls else "idle connections", "RSS MB", "bytes each"])


def arguments(parser):
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--threads", type=int, default=2)


if __name__ == "__main__":
    bench.main("memory", test, arguments)
