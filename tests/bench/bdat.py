#!/usr/bin/env python3
"""BDAT (RFC 3030) against DATA: the same messages, sessions and journal, rounds interleaved.

BDAT saves a round trip where commands are sent one at a time, and the search for the final dot."""
import statistics

import bench
from bench import harness

WAYS = {"DATA": {}, "BDAT": {"bdat": True}, "DATA, pipelined": {"pipeline": True},
        "BDAT, pipelined": {"bdat": True, "pipeline": True}}


def offers_chunking(setup):
    client = bench.smtp.Client(setup.port)
    text = client.features[1]
    client.quit()
    return "CHUNKING" in text


def test(setup):
    options = setup.options
    setup.configure(spool={"max_bytes": 0, "segment_bytes": "64MiB"},
                    receiver={"threads": options.threads}, log={"level": "warning"})
    setup.start("receive")
    if not offers_chunking(setup):
        raise harness.Skip("EHLO does not offer CHUNKING")
    receive = setup.roles["receive"]
    found = {}
    for size in options.sizes:
        template = bench.template(setup, size)
        for _ in range(options.rounds):
            for sessions in options.sessions:
                for name, way in WAYS.items():
                    usage = bench.Usage({"receiver": lambda: [receive.pid]})
                    done = bench.generator_end(bench.generator_start(
                        setup, setup.port, template=template, connections=sessions,
                        seconds=options.seconds, **way))
                    cpu = usage.since()["receiver"][0] / done["acked"] * 1e6
                    found.setdefault((size, sessions, name), []).append((done["per_second"], cpu))
    setup.stop("receive", 60)
    rows = []
    for size in options.sizes:
        for sessions in options.sessions:
            row = [f"{size} octets, {sessions} sessions"]
            for name in WAYS:
                rate, cpu = (statistics.median(v[i] for v in found[size, sessions, name])
                             for i in (0, 1))
                row += [f"{rate:.0f}", f"{cpu:.0f}"]
                setup.note(**{f"{name} {size} {sessions}": [round(rate), round(cpu)]})
            rows.append(row)
    bench.table(rows, ["messages/s and CPU us each"] + [w for name in WAYS for w in (name, "us")])


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="of one measurement")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000, 100000])
    parser.add_argument("--threads", type=int, default=2)


if __name__ == "__main__":
    bench.main("bdat", test, arguments)
