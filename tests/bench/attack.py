#!/usr/bin/env python3
"""How long an honest client waits for its 250 while hostile ones do what tests/e2e/attack.py does:
each attack alone, then all at once. No database; loopback; the attackers run on the same cores.

Asked for: p99 under 50 ms."""
import os
import time

import bench
from bench import harness

import attacks  # noqa: E402  found by way of bench

ATTACKS = {
    "nothing": lambda a: [(time.sleep, (4,))],
    "2,000 connect and leave": lambda a: [(attacks.connect_and_leave, (a, 2000))],
    "500 idle": lambda a: [(attacks.idle, (a, 500, 60))],
    "40 slow": lambda a: [(attacks.slow, (a, 40, 60))],
    "10,000 bad commands": lambda a: [(attacks.bad_commands, (a, 10000))],
    "100 MB lines": lambda a: [(attacks.endless_line, (a, 100 << 20, False)),
                               (attacks.endless_line, (a, 100 << 20, True))],
    "1,000 times garbage for TLS": lambda a: [(attacks.tls_garbage, (a, 1000))],
    "500 abandoned handshakes": lambda a: [(attacks.tls_abandoned, (a, 500, 60))],
}


def measure(setup, name, pieces, held):
    """One receiver, one honest client, the attacks; what the client measured."""
    receive = setup.start("receive")
    honest = attacks.Honest(setup, setup.options.rate)
    memory = attacks.Memory(receive.pid)
    base = memory.most
    holder = attacks.Held(setup, held, setup.port) if held else None

    def enough():
        end = time.monotonic() + setup.options.seconds
        while True:  # some are over in no time
            attacks.at_once(*pieces)
            if time.monotonic() > end:
                return
    seconds, _ = bench.timed(enough)
    if holder:
        took = holder.wait()["seconds"]
        setup.note(**{f"handshakes_per_second_{name}": round(held / took)})
        time.sleep(2)  # with all of them there
        holder.end()
    done = honest.end()
    grown = memory.end() - base
    setup.stop("receive", 60)
    setup.note(**{name: {**done, "rss_grew": grown}})
    return [name, f"{seconds:.0f}", str(done["acked"])] + [
        f"{done[k]:.2f}" for k in ("ms_p50", "ms_p99", "ms_p999", "ms_max")] + [f"{grown / 1e6:.0f}"]


def test(setup):
    implicit = harness.sandbox.free_port()
    pair = bench.certificate(setup)
    setup.configure(
        listen=[{"address": "127.0.0.1", "port": setup.port, "tls": "starttls"},
                {"address": "127.0.0.1", "port": implicit, "tls": "implicit"}],
        tls={"certificates": [pair]}, receiver={"threads": setup.options.threads},
        limits={"command_timeout": "8s", "data_timeout": "10s"}, log={"level": "warning"})
    print(f"{bench.machine()}, load {os.getloadavg()[0]:.1f} before, {setup.options.threads} threads, "
          f"{setup.options.rate} honest messages/s in TLS, a new connection every fifth\n")
    a = attacks.Attackers(setup.port, implicit)
    held = setup.options.held
    rows = [measure(setup, name, pieces(a), 0) for name, pieces in ATTACKS.items()]
    label = f"{held} TLS connections"
    rows.append(measure(setup, label, [(time.sleep, (4,))], held))
    every = [piece for pieces in ATTACKS.values() for piece in pieces(a)]
    rows.append(measure(setup, "all at once", every, held))
    bench.table(rows, ["honest client beside", "seconds", "250s", "p50 ms", "p99 ms", "p99.9 ms",
                       "max ms", "RSS + MB"])


def arguments(parser):
    parser.add_argument("--held", type=int, default=10000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4, help="attacks are repeated so long")
    parser.add_argument("--threads", type=int, default=2)


if __name__ == "__main__":
    bench.main("attack", test, arguments)
