#!/usr/bin/env python3
"""What an idle connection costs the receiver, and what it holds with 10,000 of them.

Asked for: <= 8 KiB an idle connection; <= 120 MB with 10,000."""
import resource
import socket
import time

import bench
from bench import harness, sandbox


def open_idle(setup, count):
    """Connections that were greeted and said EHLO, and now say nothing."""
    out = []
    for i in range(count):
        s = socket.socket()
        # Many source addresses: 28,000 ports of one would do, but not twice in a minute.
        s.bind((f"127.0.{1 + i // 5000}.1", 0))
        s.settimeout(30)
        s.connect(("127.0.0.1", setup.port))
        out.append(s)
    for s in out:
        s.recv(512)
        s.sendall(b"EHLO idle.example.test\r\n")
    for s in out:
        s.recv(2048)
    return out


def test(setup):
    most = setup.options.connections
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit < most + 200:
        raise harness.Skip(f"{limit} open files are allowed, {most + 200} needed")
    setup.configure(limits={"connections": 20000, "connections_per_address": 0},
                    receiver={"threads": setup.options.threads})
    receive = setup.start("receive")
    for s in open_idle(setup, 50):  # what the first ones cost once
        s.close()
    time.sleep(1)
    base = sandbox.proc_memory(receive.pid)
    rows = [["0", f"{base / 1e6:.1f}", "-"]]
    setup.note(rss_without=base)
    held = []
    for count in (most // 10, most):
        held += open_idle(setup, count - len(held))
        time.sleep(1)
        now = sandbox.proc_memory(receive.pid)
        rows.append([str(count), f"{now / 1e6:.1f}", f"{(now - base) / count:.0f}"])
        setup.note(**{f"rss_with_{count}": now,
                      f"bytes_a_connection_of_{count}": round((now - base) / count)})
    for s in held:
        s.close()
    time.sleep(1)
    rows.append(["closed again", f"{sandbox.proc_memory(receive.pid) / 1e6:.1f}", "-"])
    setup.stop("receive")
    bench.table(rows, ["idle connections", "RSS MB", "bytes each"])


def arguments(parser):
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--threads", type=int, default=2)


if __name__ == "__main__":
    bench.main("memory", test, arguments)
