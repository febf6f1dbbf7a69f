"""What hostile clients do to a receiver, and an honest one that wants to be served meanwhile.

Each attack is a function of an Attackers that ends by itself; it adds up what it has done in
Attackers.done, so that the receiver's counters can be held against it."""
import collections
import itertools
import json
import os
import selectors
import socket
import struct
import subprocess
import threading
import time

import smtp
from sandbox import TIME_SCALE, Failure, Skip, expect, proc_memory

MARK = "@" * 12  # becomes a number, see tests/bench/generator.c
PER_ADDRESS = 150  # below the default of limits.connections_per_address
# The first bytes of a ClientHello of 512 octets.
HELLO_START = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
GARBAGE = (b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", b"EHLO in-clear.example\r\n", b"\xff" * 4096,
           HELLO_START + b"\xff" * 600)


def generator_path(program):
    path = os.path.join(os.path.dirname(program), "tests", "bench", "bench_generator")
    if not os.access(path, os.X_OK):
        raise Skip(f"{path} is not built")
    return path


class Attackers:
    """port speaks STARTTLS, implicit_port TLS from the first byte on."""

    def __init__(self, port, implicit_port):
        self.port, self.implicit_port = port, implicit_port
        self.lock = threading.Lock()
        self.done = collections.Counter()
        self.networks = itertools.cycle(range(1, 255))

    def count(self, **what):
        with self.lock:
            self.done.update(what)

    def network(self):
        with self.lock:
            return next(self.networks)

    def connect(self, network, number, port=None, per_address=PER_ADDRESS):
        """A connection from one of an attack's addresses."""
        s = socket.socket()
        s.bind((f"127.{network}.{1 + number // per_address}.1", 0))
        s.settimeout(60 * TIME_SCALE)
        s.connect(("127.0.0.1", port or self.port))
        self.count(connects=1)
        return s


def read_to_end(s):
    """All that the server says until it closes, however it does."""
    said = b""
    try:
        while piece := s.recv(65536):
            said += piece
    except ConnectionError:
        pass
    finally:
        s.close()
    return said


def all_to_end(sockets, seconds):
    """Waits until the server has closed all of them; what each was told."""
    said = {s: b"" for s in sockets}
    with selectors.DefaultSelector() as poll:
        for s in sockets:
            s.setblocking(False)
            poll.register(s, selectors.EVENT_READ)
        end = time.monotonic() + seconds * TIME_SCALE
        while poll.get_map():
            expect(time.monotonic() < end, f"{len(poll.get_map())} connections are never ended")
            for key, _ in poll.select(1):
                try:
                    piece = key.fileobj.recv(65536)
                except ConnectionError:
                    piece = b""
                said[key.fileobj] += piece
                if not piece:
                    poll.unregister(key.fileobj)
                    key.fileobj.close()
    return list(said.values())


# ---- attacks ----

def connect_and_leave(a, count):
    """Half of them by a reset."""
    network = a.network()
    for i in range(count):
        s = a.connect(network, i)
        if i % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            a.count(resets=1)
        s.close()


def idle(a, count, seconds):
    """Greeted, and silent until they are told to go."""
    network = a.network()
    said = all_to_end([a.connect(network, i) for i in range(count)], seconds)
    a.count(timed_out=sum(b"\r\n421 " in each for each in said))


def crowd(a, limit, more):
    """More connections from one address than it may have."""
    network = a.network()
    sockets = [a.connect(network, 0) for _ in range(limit)]
    for s in sockets:
        expect(s.recv(512).startswith(b"220 "), "one of the first was not greeted")
    for _ in range(more):
        said = read_to_end(a.connect(network, 0))
        expect(said.startswith(b"421 "), f"one too many of an address was told {said!r}")
        a.count(refused=1)
    for s in sockets:
        s.close()


def slow(a, count, seconds):
    """One octet a second: of a command, or of a message."""
    network = a.network()
    clients = []
    for i in range(count):
        s = a.connect(network, i)
        s.recv(512)
        s.sendall(b"HELO slow.example\r\n")
        s.recv(512)
        if i % 2:
            for command in (b"MAIL FROM:<>", b"RCPT TO:<list@" + smtp.DOMAIN.encode() + b">", b"DATA"):
                s.sendall(command + b"\r\n")
                s.recv(512)
            a.count(slow_messages=1)
        clients.append(s)
    end = time.monotonic() + seconds * TIME_SCALE
    while clients:
        expect(time.monotonic() < end, f"{len(clients)} slow senders are never ended")
        for s in list(clients):
            try:
                s.setblocking(False)
                try:
                    ended = s.recv(512) is not None  # a 421, or the end behind it
                except BlockingIOError:
                    ended = False
                    s.send(b"x")
            except ConnectionError:
                ended = True
            if ended:
                s.close()
                clients.remove(s)
                a.count(slow_ended=1)
        time.sleep(1)


def bad_commands(a, count):
    """As many on each connection as it is let."""
    network = a.network()
    answered = number = 0
    while answered < count:
        s = a.connect(network, number)
        number += 1
        s.sendall(b"XYZZY plugh\r\n" * 100)
        # All of its lines but the greeting are answers to them.
        lines = read_to_end(s).count(b"\r\n") - 1
        expect(lines > 0, "bad commands are not answered")
        answered += lines
    a.count(bad_commands=answered)


def endless_line(a, octets, in_message):
    """Sends until the line is octets long or the server has had enough."""
    s = a.connect(a.network(), 0)
    s.recv(512)
    if in_message:
        s.sendall(b"HELO long.example\r\nMAIL FROM:<>\r\nRCPT TO:<list@" +
                  smtp.DOMAIN.encode() + b">\r\nDATA\r\n")
        said = b""
        while b"354 " not in said:
            said += s.recv(512)
    piece, sent = b"x" * 65536, 0
    try:
        while sent < octets:
            s.sendall(piece)
            sent += len(piece)
    except (ConnectionError, TimeoutError):
        pass
    a.count(endless_octets=sent)
    read_to_end(s)


def tls_garbage(a, count):
    """What is no TLS where TLS is due, behind STARTTLS and on the port for it."""
    network = a.network()
    for i in range(count):
        if i % 2:
            s = a.connect(network, i, a.implicit_port)
        else:
            s = a.connect(network, i)
            s.recv(512)
            s.sendall(b"EHLO garbage.example\r\nSTARTTLS\r\n")
            said = b""
            while b"220 " not in said:
                said += s.recv(4096)
        s.sendall(GARBAGE[i // 2 % len(GARBAGE)])
        a.count(tls_garbage=1)
        # Some leave at once, the others stay to be told.
        if i % 3:
            read_to_end(s)
        else:
            s.shutdown(socket.SHUT_WR)
            read_to_end(s)


def tls_abandoned(a, count, seconds):
    """Handshakes that begin and never go on."""
    network = a.network()
    sockets = []
    for i in range(count):
        s = a.connect(network, i, a.implicit_port)
        s.sendall(HELLO_START if i % 2 else HELLO_START[:3])
        sockets.append(s)
    said = all_to_end(sockets, seconds)
    expect(not any(said), "an unfinished handshake was answered")
    a.count(tls_abandoned=count)


class Held:
    """Idle connections, inside TLS or not, by tests/bench/generator.c."""

    def __init__(self, setup, count, port, tls=True):
        self.count = count
        self.process = subprocess.Popen(
            [generator_path(setup.program), "--hold", "--connections", str(count), "--port",
             str(port), *(("--tls", "starttls", "--resume") if tls else ())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=setup.box.run_directory)

    def wait(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"no TLS connections are held: exit {self.process.wait(60)}")
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(60 * TIME_SCALE)
        expect(code == 0, f"who held TLS connections ended with {code}")


# ---- who wants to be served ----

class Honest:
    """A client that sends one message after the other, each another address's bounce, on a new
    connection every few messages."""

    def __init__(self, setup, rate, tls=True):
        self.template = smtp.bounce(f"user-honest-{MARK}@remote.example.test")
        argv = [generator_path(setup.program), "--port", str(setup.port), "--to",
                f"news@{smtp.DOMAIN}", "--template", setup.box.write("honest.eml", self.template),
                "--connections", "4", "--per-connection", "5", "--rate", str(rate),
                "--seconds", str(300 * TIME_SCALE)]
        self.process = subprocess.Popen(argv + (["--tls", "starttls"] if tls else []),
                                        stdout=subprocess.PIPE, cwd=setup.box.run_directory)

    def end(self):
        """What it measured; every message that it began was answered."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=60 * TIME_SCALE)
        expect(self.process.returncode == 0,
               f"the honest client was not served: exit {self.process.returncode}")
        return json.loads(out)

    def ledger(self, result):
        ledger = smtp.Ledger("honest")
        for i in range(1, result["acked"] + 1):
            number = f"{i:012d}"
            message = self.template.replace(MARK.encode(), number.encode())
            ledger.note("acked", f"user-honest-{number}@remote.example.test", smtp.digest(message))
        return ledger


class Memory:
    """The highest RSS of a process, looked at ten times a second."""

    def __init__(self, pid):
        self.pid, self.most, self.over = pid, proc_memory(pid), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.over.wait(0.1):
            self.most = max(self.most, proc_memory(self.pid))

    def end(self):
        self.over.set()
        self.thread.join()
        return self.most


def at_once(*attacks):
    """Runs (function, arguments) each in a thread of its own, and hands on the first failure."""
    errors = []

    def one(function, arguments):
        try:
            function(*arguments)
        except Exception as e:  # pylint: disable=broad-except
            errors.append(f"{function.__name__}: {type(e).__name__}: {e}")

    threads = [threading.Thread(target=one, args=each, daemon=True) for each in attacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300 * TIME_SCALE)
        expect(not thread.is_alive(), "an attack hangs")
    expect(not errors, "; ".join(errors))
