#!/usr/bin/env python3
"""Lanes and positions: an emptied spool directory, lost segments, a renamed node, fewer threads than
lanes, a database that was restored, a damaged middle, a body that imitates records: nothing is
skipped, nothing counted twice."""
import glob
import os
import shutil
import subprocess

import harness
from harness import expect
from smtp import Client, Ledger, bounce, stream


def accept(setup, ledger, count):
    stream(setup.port, ledger, count, connections=8, size=2500)
    expect(not ledger.refused, f"refused: {list(ledger.refused.values())[:1]}")


def restart(setup, between=lambda: None, **config):
    for role in ("receive", "process"):
        if role in setup.roles and setup.roles[role].running():
            setup.stop(role)
    between()
    setup.configure(**config)
    setup.start("receive")
    setup.start("process")


def settle(setup, ledger):
    setup.wait_drained(ledger, 30)
    setup.check_exactly_once(ledger)


def empty_directory(directory):
    for entry in os.listdir(directory):
        path = os.path.join(directory, entry)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def emptied(setup, ledger):
    accept(setup, ledger, 60)
    settle(setup, ledger)
    restart(setup, lambda: empty_directory(setup.spool))
    accept(setup, ledger, 60)
    settle(setup, ledger)


def lost_lanes(setup, ledger):
    """The lanes are gone but the journal's id is not: new segments must not lie before the position
    that the database knows."""
    def remove():
        for lane in glob.glob(os.path.join(setup.spool, "lane-*")):
            shutil.rmtree(lane)
    restart(setup, remove)
    accept(setup, ledger, 60)
    settle(setup, ledger)


def renamed(setup, ledger):
    """With mail waiting, and with processed segments that must not come again."""
    setup.stop("process")
    accept(setup, ledger, 60)
    restart(setup, node="mx1-renamed")
    settle(setup, ledger)
    accept(setup, ledger, 60)
    settle(setup, ledger)


def fewer_threads(setup, ledger):
    restart(setup, receiver={"threads": 6}, processor={"workers": 3})
    setup.stop("process")
    accept(setup, ledger, 240)
    lanes = len(glob.glob(os.path.join(setup.spool, "lane-*")))
    expect(lanes == 6, f"{lanes} lanes for 6 threads")
    restart(setup, receiver={"threads": 1}, processor={"workers": 1})
    accept(setup, ledger, 30)
    settle(setup, ledger)
    restart(setup, receiver={"threads": 2}, processor={"workers": 8})
    accept(setup, ledger, 30)
    settle(setup, ledger)


def back_in_time(setup, ledger):
    """PostgreSQL is replaced by an older copy of itself, as after a restore, while the processor
    runs: what the copy lacks comes again from processed segments."""
    restart(setup)
    accept(setup, ledger, 40)
    settle(setup, ledger)
    data = os.path.join(setup.pg.directory, "data")
    setup.pg.stop()
    subprocess.run(["cp", "-a", data, data + ".old"], check=True)
    setup.pg.start()
    accept(setup, ledger, 80)
    settle(setup, ledger)
    setup.pg.stop()
    shutil.rmtree(data)
    os.rename(data + ".old", data)
    setup.pg.start()
    accept(setup, ledger, 40)
    settle(setup, ledger)


def segments_with(setup, word):
    """(path, offset) of word in the segments."""
    found = []
    for path in glob.glob(os.path.join(setup.spool, "lane-*", "*.seg")):
        with open(path, "rb") as f:
            data = f.read()
        at = data.find(word)
        if at >= 0:
            found.append((path, at))
    return found


def damaged(setup, ledger):
    """Flips one byte in the middle of each of three records."""
    restart(setup, receiver={"threads": 1}, processor={"workers": 1})
    setup.stop("process")
    before = set(ledger.acked)
    accept(setup, ledger, 90)
    setup.stop("receive")
    order = [a for a in ledger.acked if a not in before]
    victims = [order[10], order[45], order[46]]
    for victim in victims:
        places = segments_with(setup, victim.encode())
        expect(len(places) == 1, f"{victim} stands in {len(places)} segments")
        path, at = places[0]
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 0x20]))
    for victim in victims:
        del ledger.acked[victim]
        ledger.unsure[victim] = "damaged by the test"
    restart(setup)
    settle(setup, ledger)
    left = setup.addresses()
    expect(not any(v in left for v in victims), "a damaged record was believed")
    kept = sum(os.path.getsize(os.path.join(d, f))
               for d, _, files in os.walk(os.path.join(setup.spool, "damaged")) for f in files)
    expect(kept >= 3 * 2000, f"{kept} bytes kept aside of three records of 2.5 kB")
    accept(setup, ledger, 10)
    settle(setup, ledger)
    setup.note(damaged_records=len(victims), kept_aside=f"{kept} bytes")


def imitation(setup, ledger):
    """Bodies that hold the bytes of a segment that the attacker has seen, and whose own record is
    damaged, so that the reader looks for the next record among them."""
    setup.stop("process")
    setup.stop("receive")
    newest = max(glob.glob(os.path.join(setup.spool, "lane-00", "*.seg")), key=os.path.getmtime)
    with open(newest, "rb") as f:
        seen = f.read(100000).rstrip(b"\0")
    expect(len(seen) > 2000, f"{newest} holds {len(seen)} bytes")
    # What SMTP can carry of it: lines end with CRLF, no bare CR or LF; both of a pair are tried.
    copied = seen[:40000].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    setup.start("receive")
    client = Client(setup.port)
    for i in range(6):
        address = ledger.new_address()
        body = bounce(address) + copied[i * 7:] + b"\r\n"
        try:
            ledger.attempt(client, body, address)
        except harness.smtp.Refused as e:
            raise harness.Failure(f"a binary body was refused: {e.text}") from None
    victim = address
    accept(setup, ledger, 20)
    client.quit()
    setup.stop("receive")
    for path, at in segments_with(setup, victim.encode()):
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(b"X")
    del ledger.acked[victim]
    ledger.unsure[victim] = "damaged by the test"
    restart(setup)
    settle(setup, ledger)


def test(setup):
    setup.configure(spool={"segment_bytes": "128KiB"})
    setup.database()
    restart(setup)
    ledger = Ledger("lanes")
    for part in (emptied, lost_lanes, renamed, fewer_threads, back_in_time, damaged, imitation):
        try:
            part(setup, ledger)
        except harness.Failure as e:
            raise harness.Failure(f"{part.__name__}: {e}") from None
    setup.stop("receive")
    setup.stop("process")
    setup.note(messages=len(ledger.acked), parts=7)


if __name__ == "__main__":
    harness.main("lanes", test)
