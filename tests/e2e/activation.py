#!/usr/bin/env python3
"""Sockets that somebody else has bound (LISTEN_FDS), and what systemd is told (NOTIFY_SOCKET)."""
import os
import signal
import socket
import subprocess
import sys
import time

import harness
from harness import expect, wait_until
from sandbox import proc_children
from smtp import Client, Ledger, Lost, Refused, stream

# Binds nothing itself: makes what it was given descriptors 3 and up, as systemd does.
LAUNCH = """
import os, sys
fds = [int(n) for n in sys.argv[1].split(",") if n]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid() if sys.argv[2] == "mine" else 1), LISTEN_FDS=str(len(fds)),
                  LISTEN_FDNAMES="smtp")
os.execv(sys.argv[3], sys.argv[3:])
"""


def bound(port, address="127.0.0.1", listen=True, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    if listen:
        s.listen(64)
    return s


class Systemd:
    """The receiving end of sd_notify(3)."""

    def __init__(self, setup):
        self.path = setup.box.path("notify")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def wait(self, *states):
        def probe():
            try:
                while True:
                    self.heard += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                pass
            return all(any(h.startswith(s) for h in self.heard) for s in states)
        wait_until(f"{states} to be told to systemd", 60, probe)
        heard, self.heard = self.heard, []
        return heard


def command(setup, role, sockets, whose="mine"):
    fds = [s.fileno() for s in sockets]
    return [sys.executable, "-c", LAUNCH, ",".join(map(str, fds)), whose, setup.program, role,
            "--config", setup.config_path], fds


def start(setup, role, sockets, whose="mine"):
    """A role with these sockets, and who hears what it tells."""
    systemd = Systemd(setup)
    argv, fds = command(setup, role, sockets, whose)
    setup.roles[role] = setup.box.start(role, argv, env={"NOTIFY_SOCKET": systemd.path}, pass_fds=fds)
    systemd.wait("READY=1")
    return systemd


def refused(setup, role, sockets):
    """What it says when it does not start."""
    argv, fds = command(setup, role, sockets)
    done = subprocess.run(argv, pass_fds=fds, capture_output=True, text=True, timeout=120,
                          cwd=setup.box.run_directory, check=False)
    expect(done.returncode == 1, f"exit {done.returncode}: {done.stderr[-2000:]}")
    return done.stderr


def alone(setup):
    """The port is not ours to bind, the one socket serves all threads, and it outlives us."""
    listener = bound(setup.port)
    systemd = start(setup, "receive", [listener])
    ledger = Ledger("one")
    stream(setup.port, ledger, 200, connections=16)
    setup.roles["receive"].kill(signal.SIGHUP)
    heard = systemd.wait("RELOADING=1", "MONOTONIC_USEC=", "READY=1")
    expect(abs(int(next(h for h in heard if h.startswith("MONOTONIC_USEC="))[15:]) / 1e6 -
               time.monotonic()) < 600, f"{heard}")
    setup.roles["receive"].kill(signal.SIGTERM)
    systemd.wait("STOPPING=1")
    expect(setup.roles["receive"].wait(30) == 0, "a stop that is no clean end")
    # Who comes now waits for the next receiver, and is not turned away.
    early = socket.create_connection(("127.0.0.1", setup.port), 30)
    start(setup, "receive", [listener])
    expect(early.recv(3) == b"220", "a client that came between was not greeted")
    early.close()
    setup.stop("receive")
    listener.close()
    return ledger


def both_families(setup):
    """One socket for two families, as systemd makes it unless told otherwise: an IPv4 client is one."""
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", setup.port))
    listener.listen(64)
    setup.configure(listen=[{"address": "::", "port": setup.port}])
    start(setup, "receive", [listener])
    client = Client(setup.port)
    client.send("a@example.org", ["news@bounces.example.test"], b"Subject: four\r\n\r\n")
    client.quit()
    setup.stop("receive")
    listener.close()
    found = b""
    for folder, _, names in os.walk(setup.spool):
        for name in names:
            if name.endswith(".seg"):
                with open(os.path.join(folder, name), "rb") as f:
                    found += f.read()
    expect(b"([127.0.0.1])" in found, "an IPv4 client on an IPv6 socket is not recorded as one")
    expect(b"::ffff:" not in found, "an IPv4 client is recorded as IPv6")
    setup.configure(listen=[{"address": "127.0.0.1", "port": setup.port}])


def by_serve(setup, ledger):
    """serve hands them to its receiver, also to the next one, and keeps no port open behind drain."""
    listener = bound(setup.port)
    systemd = start(setup, "serve", [listener])
    stream(setup.port, ledger, 100)
    children = {}
    for pid in proc_children(setup.roles["serve"].pid):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            children[f.read().split(b"\0")[1].decode()] = pid
    os.kill(children["receive"], signal.SIGKILL)
    stream(setup.port, ledger, 100)
    setup.roles["serve"].kill(signal.SIGHUP)
    systemd.wait("RELOADING=1", "READY=1")
    setup.wait_drained(ledger)
    setup.command("drain", timeout=90)
    listener.close()  # ours; nobody else may hold it
    def closed():
        try:
            Client(setup.port, timeout=5).close()
        except (Lost, Refused):
            return True
        return False
    wait_until("the port to be closed behind drain", 30, closed)
    setup.roles["serve"].kill(signal.SIGTERM)
    systemd.wait("STOPPING=1")
    expect(setup.roles["serve"].wait(30) == 0, "serve does not end well")


def mistakes(setup):
    other = harness.sandbox.free_port()
    for make, words in (
            (lambda: bound(other), f"listens on 127.0.0.1 port {other}, which no entry of listen names"),
            (lambda: bound(other, listen=False), "expected one that listens"),
            (lambda: bound(other, listen=False, kind=socket.SOCK_DGRAM), "expected a TCP socket")):
        listener = make()
        said = refused(setup, "receive", [listener])
        expect(words in said, f"expected {words!r}:\n{said}")
        listener.close()
    with open(os.devnull, "rb") as f:
        said = refused(setup, "receive", [f])
        expect("expected a socket" in said, said)
    # Meant for another process: not ours to use, and the port is bound as always.
    listener = bound(other)
    start(setup, "receive", [listener], whose="init")
    Client(setup.port).quit()
    setup.stop("receive")
    listener.close()


def test(setup):
    setup.database()
    ledger = alone(setup)
    both_families(setup)
    by_serve(setup, ledger)
    mistakes(setup)
    setup.note(messages=len(ledger.acked))


if __name__ == "__main__":
    harness.main("activation", test)
