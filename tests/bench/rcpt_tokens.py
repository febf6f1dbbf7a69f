#!/usr/bin/env python3
"""What it costs to check a signed return path at RCPT TO: plain addresses at a domain with accept:
any against valid tokens at one with accept: signed, by one receiver, rounds interleaved.

Both addresses have the same length, so that the journal has the same to write. Asked for: less than 2 %
of the accept rate; beside it the receiver's CPU time a message, which other load on the machine blurs
less."""
import os
import statistics

import bench
from bench import smtp

SIGNED = "signed.example.test"  # as long as smtp.DOMAIN


def addresses():
    token = smtp.signed("anna.keller@example.test", domain=SIGNED)
    padding = len(token) - len(f"news@{smtp.DOMAIN}")
    return {"plain": f"news{'x' * padding}@{smtp.DOMAIN}", "token": token}


def measure(setup, template, sessions, address):
    receive = setup.roles["receive"]
    usage = bench.Usage({"receiver": lambda: [receive.pid]})
    done = bench.generator_end(bench.generator_start(
        setup, setup.port, template=template, connections=sessions, to=address, pipeline=True,
        seconds=setup.options.seconds))
    if done["refused"]:
        raise bench.harness.Failure(f"{done['refused']} refused, to {address}")
    return done["per_second"], usage.since()["receiver"][0] / done["acked"] * 1e6


def test(setup):
    options = setup.options
    domains = [{"name": smtp.DOMAIN, "accept": "any"}, {"name": SIGNED, "accept": "signed"}]
    setup.configure(domains=domains, spool={"max_bytes": 0, "segment_bytes": "64MiB"},
                    receiver={"threads": options.threads}, log={"level": "warning"})
    setup.start("receive")
    template = bench.template(setup)
    ways = list(addresses().items())
    print(f"{bench.machine()}, {options.threads} threads, load {os.getloadavg()[0]:.1f} at the start")
    rows = []
    for sessions in options.sessions:
        found = {name: [] for name, _ in ways}
        for number in range(options.rounds + 1):
            # Each is first every other time; the first round warms up.
            for name, address in ways if number % 2 else reversed(ways):
                value = measure(setup, template, sessions, address)
                if number:
                    found[name].append(value)
        row = [f"{sessions} sessions"]
        for i, unit in enumerate(("rate", "cpu")):
            plain, token = ([v[i] for v in found[name]] for name, _ in ways)
            more = statistics.median(t / p - 1 for p, t in zip(plain, token))
            row += [f"{statistics.median(plain):.1f}", f"{statistics.median(token):.1f}",
                    f"{100 * more:+.1f} %"]
            setup.note(**{f"{unit}_{sessions}": row[-3:]})
        rows.append(row)
    setup.stop("receive", 60)
    bench.table(rows, ["median of rounds", "plain /s", "token /s", "change", "plain CPU us", "token",
                       "change"])
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement")
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--threads", type=int, default=2)


if __name__ == "__main__":
    bench.main("rcpt_tokens", test, arguments)
