#!/usr/bin/env python3
"""Hostile clients in numbers, all at once, and an honest one beside them: it is served, its messages
become rows exactly once, memory stays within what the limits allow, everything ends, and the
counters add up. How long the honest one waits is printed, not judged: tests/bench/attack.py."""
import resource

import attacks
import harness
import tls_pair
from attacks import Attackers, Held, Honest, Memory, at_once
from harness import expect, wait_until

IDLE, SLOW, LEAVE, BAD, GARBAGE, ABANDONED = 500, 40, 2000, 10000, 100, 100
ENDLESS = 100 << 20
ADDRESS_LIMIT, CROWD = 200, 20
BODY_MEMORY = 16 << 20
CONNECTION = 32 << 10  # what one may cost, TLS included, when it holds no body
ENDED_AFTER = 90       # seconds: the time limits below, and a busy machine


def held_allowed(setup, wanted):
    """How many TLS connections may be held: a process needs a descriptor for each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open("/proc/meminfo", encoding="ascii") as f:
        free = next(int(line.split()[1]) << 10 for line in f if line.startswith("MemAvailable"))
    allowed = min(wanted, hard - 2000, free // 4 // (150 << 10))
    if allowed < wanted:
        setup.note(held_tls_scaled_down=f"to {allowed} of {wanted}: {hard} open files (was {soft}), "
                                        f"{free >> 20} MiB of memory")
    expect(allowed > 0, f"{hard} open files are too few for anything")
    return allowed


def counters(setup):
    return setup.json_lines("status")[0]


def configure(setup):
    implicit = harness.sandbox.free_port()
    setup.configure(
        listen=[{"address": "127.0.0.1", "port": setup.port, "tls": "starttls"},
                {"address": "127.0.0.1", "port": implicit, "tls": "implicit"}],
        tls={"certificates": [tls_pair.make(setup.box, "mx1.bounces.example.test")]},
        limits={"connections_per_address": ADDRESS_LIMIT, "body_memory": f"{BODY_MEMORY}B",
                "command_timeout": "12s", "data_timeout": "20s", "session_timeout": "60s"})
    return implicit


def attack(setup, attackers, held):
    """All at once; returns when the receiver has ended what did not end by itself."""
    half = IDLE // 2
    holder = Held(setup, held, setup.port)
    at_once((attacks.connect_and_leave, (attackers, LEAVE)),
            (attacks.idle, (attackers, half, ENDED_AFTER)),
            (attacks.idle, (attackers, IDLE - half, ENDED_AFTER)),
            (attacks.crowd, (attackers, ADDRESS_LIMIT, CROWD)),
            (attacks.slow, (attackers, SLOW, ENDED_AFTER)),
            (attacks.bad_commands, (attackers, BAD)),
            (attacks.endless_line, (attackers, ENDLESS, False)),
            (attacks.endless_line, (attackers, ENDLESS, True)),
            (attacks.tls_garbage, (attackers, GARBAGE)),
            (attacks.tls_abandoned, (attackers, ABANDONED, ENDED_AFTER)))
    result = holder.wait()
    expect(result["holding"] == held, f"{result['holding']} of {held} TLS connections are held")
    attackers.count(connects=held)
    during = counters(setup)
    holder.end()
    return during


def check_counters(before, after, done, honest, held):
    grown = {name: after[name] - before[name] for name in after
             if isinstance(after[name], int) and name in before}

    def equal(name, expected, why):
        expect(grown[name] == expected, f"counter {name} grew by {grown[name]}, expected {expected}: {why}")

    connects = done["connects"] + honest["connects"] - done["refused"]
    # A peer that has reset its connection before it is taken has no address any more.
    expect(connects - done["resets"] <= grown["connections"] <= connects,
           f"connections: {grown['connections']} of {connects}, {done['resets']} were reset")
    equal("connections_refused_address", done["refused"], "one address had too many")
    equal("connections_refused", 0, "there is room for all")
    equal("messages", honest["acked"], "only the honest client sends whole messages")
    equal("tls_handshakes", held + honest["handshakes"], "held and honest ones")
    equal("tls_failed", done["tls_garbage"] + done["tls_abandoned"], "garbage and abandoned ones")
    expect(grown["bad_commands"] >= done["bad_commands"] >= BAD,
           f"bad commands: {grown['bad_commands']} counted, {done['bad_commands']} answered")
    expect(grown["timeouts"] >= done["timed_out"] == IDLE,
           f"{grown['timeouts']} time limits counted, {done['timed_out']} of {IDLE} idle ones told")
    expect(done["slow_ended"] == SLOW, f"{done['slow_ended']} of {SLOW} slow senders were ended")
    expect(grown["slow_senders"] + grown["timeouts"] >= done["slow_messages"] + done["timed_out"],
           "slow messages are not counted")


def test(setup):
    implicit = configure(setup)
    held = held_allowed(setup, setup.options.held)
    setup.database()
    receive = setup.start("receive", env={"ASAN_OPTIONS": "quarantine_size_mb=1"})
    setup.start("process")
    wait_until("the greeted probe to be gone", 30, lambda: counters(setup)["connections_now"] == 0)
    before = counters(setup)
    base = harness.sandbox.proc_memory(receive.pid)
    attackers = Attackers(setup.port, implicit)
    honest = Honest(setup, setup.options.rate)
    memory = Memory(receive.pid)

    during = attack(setup, attackers, held)
    expect(during["body_bytes_now"] <= BODY_MEMORY,
           f"{during['body_bytes_now']} octets of bodies are held, {BODY_MEMORY} allowed")
    result = honest.end()
    wait_until("all connections to be gone", ENDED_AFTER,
               lambda: counters(setup)["connections_now"] == 0, every=0.2)
    most = memory.end()
    after = counters(setup)

    expect(result["acked"] > 0 and result["refused"] == 0,
           f"the honest client: {result['acked']} taken, {result['refused']} refused")
    expect(after["body_bytes_now"] == 0, f"{after['body_bytes_now']} octets of bodies are still held")
    check_counters(before, after, attackers.done, result, held)
    allowed = BODY_MEMORY + CONNECTION * (held + IDLE + SLOW + ADDRESS_LIMIT + 2 * GARBAGE)
    if "libasan" in harness.libraries_of(setup.program):
        allowed *= 2  # red zones, and shadow memory
    expect(most - base <= allowed, f"memory grew by {most - base} octets, {allowed} are allowed")

    ledger = honest.ledger(result)
    setup.wait_drained(ledger)
    setup.stop("receive")
    setup.stop("process")
    setup.check_exactly_once(ledger)
    setup.note(held_tls=held, connects_of_attackers=attackers.done["connects"],
               bad_commands=attackers.done["bad_commands"], honest_messages=result["acked"],
               honest_ms_p50=result["ms_p50"], honest_ms_p99=result["ms_p99"],
               honest_ms_max=result["ms_max"], memory_grew=f"{(most - base) / 1e6:.1f} MB",
               memory_allowed=f"{allowed / 1e6:.1f} MB")


def arguments(parser):
    parser.add_argument("--held", type=int, default=10000, help="idle TLS connections")
    parser.add_argument("--rate", type=int, default=50, help="messages a second of the honest client")


if __name__ == "__main__":
    harness.main("attack", test, arguments)
