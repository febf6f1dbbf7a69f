#!/usr/bin/env python3
"""Live tests of the receiver over plain sockets. Usage: live_receiver.py PATH-OF-bench_receiver_sink

Each test starts a receiver of its own on a free port with limits low enough to be waited for, and
reads its counters when it has ended."""
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = sys.argv.pop(1)


def free_port():
    """A port where nobody listens, IPv4 nor IPv6; below the ephemeral range."""
    while True:
        port = random.randrange(20000, 32000)
        try:
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as s:
                    s.bind((address, port))
            return port
        except OSError:
            continue


class Receiver:
    def __init__(self, **options):
        self.folder = tempfile.mkdtemp()
        self.port = free_port()
        self.counters, self.errors = {}, ""
        words = [f"{name}={each}" for name, value in options.items()
                 for each in (value if isinstance(value, list) else [value])]
        self.process = subprocess.Popen(
            [PROGRAM, os.path.join(self.folder, "spool"), str(self.port)] + words,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise AssertionError("no start: " + self.process.stderr.read())

    def __enter__(self):
        return self

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def end(self):
        out, err = self.process.communicate(timeout=30)
        self.errors = err
        self.counters = dict((k, int(v)) for k, v in (l.split("=") for l in out.split()))
        if self.process.returncode != 0:
            raise AssertionError(f"ended with {self.process.returncode}: {err}")

    def __exit__(self, kind, value, trace):
        try:
            if self.process.poll() is None:
                self.terminate()
            if kind is None and not self.counters:
                self.end()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()
            shutil.rmtree(self.folder)

    def stored(self):
        """All segments, one behind the other."""
        found = b""
        for folder, _, names in os.walk(self.folder):
            for name in sorted(names):
                if name.endswith(".seg"):
                    with open(os.path.join(folder, name), "rb") as f:
                        found += f.read()
        return found

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(l.split()[1]) * 1024 for l in f if l.startswith("VmRSS"))


class Client:
    def __init__(self, receiver, greet=True, address="127.0.0.1"):
        self.socket = socket.create_connection((address, receiver.port), timeout=20)
        self.buffer = b""
        if greet:
            self.expect("220")
            self.say("HELO client.example", "250")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """The next reply line; empty when the connection has ended."""
        while b"\n" not in self.buffer:
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                return ""
            if not got:
                return ""
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode().rstrip("\r")

    def expect(self, start):
        line = self.line()
        if not line.startswith(start):
            raise AssertionError(f"expected {start!r}, got {line!r}")
        return line

    def say(self, text, start):
        self.send(text.encode() + b"\r\n")
        return self.expect(start)

    def expect_end(self):
        if self.line() != "":
            raise AssertionError("the connection goes on")

    def data(self):
        self.say("MAIL FROM:<>", "250")
        self.say("RCPT TO:<b+u=x.example@rp.example>", "250")
        self.say("DATA", "354")

    def message(self, start="250 2.0.0"):
        self.data()
        return self.say("Subject: x\r\n\r\ntext\r\n.", start)


class Live(unittest.TestCase):
    def test_mail_by_both_families(self):
        with Receiver() as r:
            for address in ("127.0.0.1", "::1"):
                with Client(r, address=address) as c:
                    ids = {c.message().split()[2] for _ in range(20)}
                    self.assertEqual(len(ids), 20)
                    c.say("QUIT", "221")
                    c.expect_end()
        self.assertEqual(r.counters["messages"], 40)
        self.assertEqual(r.counters["connections"], 2)
        self.assertEqual(r.counters["connections_now"], 0)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    @unittest.skipUnless(shutil.which("swaks"), "no swaks here")
    def test_swaks(self):
        with Receiver() as r:
            for more in ([], ["--pipeline"], ["--protocol", "SMTP"], ["--from", "a@b.example"]):
                done = subprocess.run(
                    ["swaks", "--server", f"127.0.0.1:{r.port}", "--from", "<>", "--to",
                     "b+u=x.example@rp.example"] + more, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            done = subprocess.run(["swaks", "--server", f"127.0.0.1:{r.port}", "--to",
                                   "a@elsewhere.example"], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 24)
        self.assertEqual(r.counters["messages"], 4)
        self.assertEqual(r.counters["rcpt_relay"], 1)

    def test_stored_bytes(self):
        with Receiver(threads=1) as r:
            with Client(r) as c:
                c.data()
                c.say("..dot of a kind that no other place holds\r\n.", "250 2.0.0")
            r.terminate()
            r.end()
            found = r.stored()
            self.assertIn(b"Received: from client.example ([127.0.0.1])\r\n\tby mx.example with SMTP "
                          b"id ", found)
            self.assertIn(b"+0000\r\n.dot of a kind that no other place holds\r\n", found)

    def test_pipelined_behind_the_dot(self):
        """Commands that came with the final dot are answered behind its reply, in order."""
        one = (b"MAIL FROM:<>\r\nRCPT TO:<x@dom.example>\r\nDATA\r\n" + b"text\r\n" * 700 + b".\r\n")
        with Receiver() as r, Client(r) as c:
            c.send(one * 50 + b"QUIT\r\n")
            for _ in range(50):
                for start in ("250 2.1.0", "250 2.1.5", "354", "250 2.0.0"):
                    c.expect(start)
            c.expect("221")
            c.expect_end()
        self.assertEqual(r.counters["messages"], 50)

    def test_half_closed(self):
        """A client that sends all and shuts its side down still gets its replies."""
        with Receiver() as r, Client(r, greet=False) as c:
            c.send(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@dom.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
            c.socket.shutdown(socket.SHUT_WR)
            for start in ("220", "250", "250", "250", "354", "250 2.0.0", "221"):
                c.expect(start)
            c.expect_end()
        self.assertEqual(r.counters["messages"], 1)

    def test_command_timeout(self):
        """From one command's end to the next one's end: single bytes do not lengthen it."""
        with Receiver(command_timeout=600) as r, Client(r) as c:
            start = time.monotonic()
            ended = threading.Event()

            def drip():
                while not ended.is_set():
                    try:
                        c.send(b"N")
                    except OSError:
                        return
                    time.sleep(0.05)

            t = threading.Thread(target=drip)
            t.start()
            c.expect("421 4.4.2")
            taken = time.monotonic() - start
            ended.set()
            t.join()
            c.expect_end()
            self.assertTrue(0.5 < taken < 3, taken)
        self.assertEqual(r.counters["timeouts"], 1)

    def test_commands_restart_the_timeout(self):
        with Receiver(command_timeout=800) as r, Client(r) as c:
            for _ in range(8):
                time.sleep(0.2)
                c.say("NOOP", "250")

    def test_data_timeout(self):
        with Receiver(data_timeout=700, command_timeout=60000) as r, Client(r) as c:
            c.data()
            start = time.monotonic()
            for _ in range(8):
                c.send(b"line\r\n")
                time.sleep(0.05)
            c.expect("421 4.4.2")
            c.expect_end()
            self.assertTrue(0.6 < time.monotonic() - start < 3)
        self.assertEqual(r.counters["messages"], 0)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_session_timeout(self):
        with Receiver(session_timeout=700) as r, Client(r) as c:
            start = time.monotonic()
            line = "250"
            while line.startswith("250"):
                c.send(b"NOOP\r\n")
                line = c.line()
                time.sleep(0.02)
            self.assertTrue(line.startswith("421 4.4.2"), line)
            self.assertTrue(0.6 < time.monotonic() - start < 3)

    def test_closed_inside_data(self):
        with Receiver() as r:
            for reset in (False, True):
                c = Client(r)
                c.data()
                c.send(b"half a message\r\n")
                if reset:
                    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                c.socket.close()
            with Client(r) as c:
                c.message()
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_closed_behind_the_dot(self):
        """The peer goes while its message is on the way to the disk: nothing breaks."""
        with Receiver() as r:
            for _ in range(50):
                c = Client(r)
                c.data()
                c.send(b"text\r\n.\r\n")
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                c.socket.close()
            with Client(r) as c:
                c.message()
        self.assertEqual(r.counters["connections_now"], 0)

    def test_connections_limit(self):
        with Receiver(connections=3) as r:
            held = [Client(r) for _ in range(3)]
            with Client(r, greet=False) as c:
                c.expect("421 4.3.2")
                c.expect_end()
            held.pop().say("QUIT", "221")
            deadline = time.monotonic() + 5
            line = ""
            while not line.startswith("220") and time.monotonic() < deadline:
                with Client(r, greet=False) as c:
                    line = c.line()
            self.assertTrue(line.startswith("220"), line)
            for c in held:
                c.socket.close()
        self.assertGreaterEqual(r.counters["connections_refused"], 1)

    def test_connections_per_address(self):
        """By address, over all threads; another address is served meanwhile."""
        with Receiver(connections_per_address=3) as r:
            held = [Client(r) for _ in range(3)]
            for _ in range(5):
                with Client(r, greet=False) as c:
                    c.expect("421 4.7.0")
                    c.expect_end()
            with Client(r, address="::1") as c:
                c.message()
            held.pop().say("QUIT", "221")
            deadline = time.monotonic() + 5
            line = ""
            while not line.startswith("220") and time.monotonic() < deadline:
                with Client(r, greet=False) as c:
                    line = c.line()
            self.assertTrue(line.startswith("220"), line)
            for c in held:
                c.message()
                c.socket.close()
        self.assertGreaterEqual(r.counters["connections_refused_address"], 5)
        self.assertEqual(r.counters["connections_refused"], 0)
        self.assertEqual(r.counters["connections_now"], 0)

    def test_messages_per_minute(self):
        with Receiver(messages_per_minute=4) as r:
            # A minute that begins in between allows four more.
            answers = []
            for _ in range(4):
                with Client(r) as c:
                    for _ in range(3):
                        c.send(b"MAIL FROM:<>\r\n")
                        answers.append(c.line())
                        c.say("RSET", "250")
            refused = [a for a in answers if a.startswith("451 4.7.1")]
            accepted = [a for a in answers if a.startswith("250")]
            self.assertEqual(len(refused) + len(accepted), 12, answers)
            self.assertIn(len(accepted), (4, 8), answers)
            with Client(r, address="::1") as c:
                c.message()
        self.assertEqual(r.counters["rate_refused"], len(refused))

    def test_unknown_recipients(self):
        """Half of them at once, the others slowly, then the end; others are not slowed."""
        with Receiver(unknown_recipients=4) as r, Client(r) as c:
            start = time.monotonic()
            c.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@elsewhere.example>\r\n" * 9)
            c.expect("250")
            for _ in range(3):
                c.expect("550 5.7.1")
            self.assertLess(time.monotonic() - start, 0.8)
            with Client(r) as other:
                other.message()
            c.expect("550 5.7.1")
            c.expect("421 4.7.0")
            self.assertGreater(time.monotonic() - start, 1.8)
            self.assertLess(time.monotonic() - start, 5)
            c.expect_end()
        self.assertEqual(r.counters["unknown_recipients"], 1)
        self.assertEqual(r.counters["rcpt_relay"], 4)

    def test_stop_while_slowed(self):
        with Receiver(unknown_recipients=2) as r, Client(r) as c:
            c.say("MAIL FROM:<>", "250")
            c.say("RCPT TO:<a@elsewhere.example>", "550")
            c.say("RCPT TO:<a@elsewhere.example>", "550")
            c.send(b"NOOP\r\n")
            r.terminate()
            c.expect("421 4.3.2")
            c.expect_end()

    def test_slow_sender(self):
        """Under data_min_rate over a tenth of data_timeout; one that is just fast enough stays."""
        with Receiver(data_min_rate=2000, data_timeout=10000) as r:
            with Client(r) as c:
                c.data()
                start = time.monotonic()
                ended = threading.Event()

                def drip():
                    while not ended.is_set():
                        try:
                            c.send(b"x" * 20)
                        except OSError:
                            return
                        time.sleep(0.05)

                t = threading.Thread(target=drip)
                t.start()
                c.expect("421 4.4.2")
                taken = time.monotonic() - start
                ended.set()
                t.join()
                self.assertTrue(0.9 < taken < 4, taken)
            with Client(r) as c:
                c.data()
                for _ in range(30):
                    c.send(b"x" * 498 + b"\r\n")
                    time.sleep(0.1)
                c.say(".", "250 2.0.0")
        self.assertEqual(r.counters["slow_senders"], 1)
        self.assertEqual(r.counters["messages"], 1)

    def test_loop(self):
        with Receiver() as r, Client(r) as c:
            c.data()
            c.send(b"Received: from a by b\r\n" * 101)
            c.say("\r\ntext\r\n.", "554 5.4.6")
            c.message()
        self.assertEqual(r.counters["messages_looping"], 1)
        self.assertEqual(r.counters["messages"], 1)

    def test_bad_commands(self):
        with Receiver(bad_commands=5) as r, Client(r) as c:
            for _ in range(5):
                c.say("JUNK", "500")
            c.say("JUNK", "421 4.7.0")
            c.expect_end()
        self.assertEqual(r.counters["bad_commands"], 6)

    def test_stop(self):
        """421 to the idle; a message in data ends first; a new connection is not taken."""
        with Receiver(grace=20000) as r:
            idle, busy = Client(r), Client(r)
            busy.data()
            r.terminate()
            idle.expect("421 4.3.2")
            idle.expect_end()
            idle.socket.close()
            # Each thread closes its listeners when it gets to it.
            deadline = time.monotonic() + 5
            refused = False
            while not refused and time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", r.port), timeout=2).close()
                except OSError:
                    refused = True
            self.assertTrue(refused)
            busy.say("text\r\n.", "250 2.0.0")
            busy.expect("421 4.3.2")
            busy.expect_end()
            busy.socket.close()
            start = time.monotonic()
            r.end()
            self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(r.counters["messages"], 1)

    def test_stop_grace_ends(self):
        with Receiver(grace=500) as r:
            busy = Client(r)
            busy.data()
            start = time.monotonic()
            r.terminate()
            r.end()
            self.assertTrue(0.4 < time.monotonic() - start < 5)
            busy.expect_end()
            busy.socket.close()
        self.assertEqual(r.counters["messages"], 0)

    def test_replies_not_read(self):
        """A peer that sends and never reads costs little and goes by the command timeout."""
        with Receiver(command_timeout=3000) as r:
            c = Client(r)
            before = r.memory()
            c.socket.settimeout(0.5)
            sent = 0
            try:
                while sent < 200 << 20:
                    sent += c.socket.send(b"NOOP\r\n" * 10000)
            except (TimeoutError, socket.timeout):
                pass
            self.assertLess(sent, 200 << 20)
            self.assertLess(r.memory() - before, 4 << 20)
            with Client(r) as other:
                other.message()
            c.socket.settimeout(10)
            with self.assertRaises(OSError):
                while True:
                    c.socket.send(b"NOOP\r\n" * 10000)
            c.socket.close()

    def test_body_memory(self):
        """Bodies over the limit wait, then hear 452; others are served, and the memory comes back."""
        with Receiver(body_memory=1 << 20, data_timeout=10000, threads=1) as r:
            line = b"x" * 998 + b"\r\n"
            clients = [Client(r) for _ in range(4)]
            threads = []
            replies = []

            for c in clients:
                c.data()

            def send(c):
                for _ in range(800):
                    c.send(line)
                c.send(b".\r\n")
                replies.append(c.line()[:9])

            for c in clients:
                threads.append(threading.Thread(target=send, args=(c,)))
                threads[-1].start()
            for t in threads:
                t.join(30)
            self.assertEqual(len(replies), 4)
            self.assertTrue(set(replies) <= {"250 2.0.0", "452 4.3.1"}, replies)
            self.assertIn("250 2.0.0", replies)
            with Client(r) as c:
                c.message()
            for c in clients:
                c.message()
                c.socket.close()
        self.assertEqual(r.counters["body_bytes_now"], 0)
        self.assertEqual(r.counters["messages"], 5 + replies.count("250 2.0.0"))

    def test_long_message_is_cut(self):
        with Receiver(keep_bytes=1000) as r, Client(r) as c:
            c.data()
            c.send(b"line of text\r\n" * 10000)
            c.say(".", "250 2.0.0")
        self.assertEqual(r.counters["messages_truncated"], 1)
        self.assertEqual(r.counters["octets"], 140000)

    def test_spool_without_room(self):
        with Receiver(spool_bytes=1 << 20, threads=1) as r, Client(r) as c:
            refused = 0
            for _ in range(2000):
                c.send(b"MAIL FROM:<>\r\n")
                line = c.line()
                if line.startswith("452 4.3.1"):
                    refused += 1
                    break
                c.say("RCPT TO:<x@dom.example>", "250")
                c.say("DATA", "354")
                c.send(b"x" * 4000 + b"\r\n.\r\n")
                line = c.line()
                if line.startswith("452 4.3.1"):
                    refused += 1
                    break
                self.assertTrue(line.startswith("250 2.0.0"), line)
            self.assertEqual(refused, 1)
            c.say("NOOP", "250")

    def test_port_in_use(self):
        with Receiver() as r:
            done = subprocess.run([PROGRAM, os.path.join(r.folder, "other"), str(r.port)],
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"listen on 127.0.0.1 port {r.port}: Address already in use", done.stderr)

    def test_idle_connections(self):
        """Memory of an idle connection, behind EHLO."""
        libraries = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
        if "asan" in libraries or "tsan" in libraries:
            count, most = 200, None  # works, but its memory says nothing
        else:
            count, most = 2000, 8192
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
        with Receiver() as r:
            with Client(r) as c:
                c.message()
            before = r.memory()
            clients = []
            for _ in range(count):
                clients.append(Client(r))
            each = (r.memory() - before) / count
            print(f"{each:.0f} bytes an idle connection", file=sys.stderr)
            if most:
                self.assertLess(each, most)
            for c in clients:
                c.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(r.counters["connections"], count + 1)
        self.assertEqual(r.counters["connections_now"], 0)

    def test_many_come_and_go(self):
        with Receiver() as r:
            for _ in range(500):
                socket.create_connection(("127.0.0.1", r.port), timeout=10).close()
            with Client(r) as c:
                c.message()
        self.assertEqual(r.counters["connections_now"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
