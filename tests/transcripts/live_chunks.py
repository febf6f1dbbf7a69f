#!/usr/bin/env python3
"""Live tests of what a transcript can't say of BDAT and SIZE: time, memory, room, the stop. Usage:
live_chunks.py PATH-OF-bench_receiver_sink"""
import os
import socket
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
from live_receiver import Client, Receiver  # noqa: E402  takes the program's path from the arguments


class Chunker(Client):
    """Has said EHLO."""

    def __init__(self, receiver):
        super().__init__(receiver)
        self.send(b"EHLO client.example\r\n")
        while not self.expect("250").startswith("250 "):
            pass

    def mail(self, sender="<>", to="x@dom.example", more=""):
        self.say(f"MAIL FROM:{sender}{more}", "250")
        self.say(f"RCPT TO:<{to}>", "250")

    def chunk(self, content, start, last=False):
        self.send(b"BDAT %d%s\r\n" % (len(content), b" LAST" if last else b"") + content)
        return self.expect(start)


def drip_until_told(client, start):
    """Sends a little now and then, until a reply comes; it begins with start."""
    told = threading.Event()

    def drip():
        while not told.is_set():
            try:
                client.send(b"x" * 20)
            except OSError:
                return
            time.sleep(0.05)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        client.expect(start)
    finally:
        told.set()
        thread.join()


class Chunks(unittest.TestCase):
    def test_timeout_inside(self):
        """A chunk that does not come, of a message and of none."""
        with Receiver(data_timeout=700, command_timeout=60000) as r:
            for wanted in (True, False):
                with Chunker(r) as c:
                    if wanted:
                        c.mail()
                    c.send(b"BDAT 1000000 LAST\r\nbegun")
                    c.expect("421 4.4.2")
                    c.expect_end()
        self.assertEqual(r.counters["timeouts"], 2)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_timeout_between(self):
        with Receiver(command_timeout=500, data_timeout=60000) as r, Chunker(r) as c:
            c.mail()
            c.chunk(b"text\r\n", "250")
            c.expect("421 4.4.2")
            c.expect_end()
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_one_timeout_for_all(self):
        """data_timeout is of the message, however many chunks bring it."""
        with Receiver(data_timeout=1000, command_timeout=60000) as r, Chunker(r) as c:
            c.mail()
            line = "250"
            while line.startswith("250"):
                c.send(b"BDAT 1\r\nx")
                line = c.line()
                time.sleep(0.02)
            self.assertTrue(line.startswith("421 4.4.2"), line)

    def test_slow(self):
        """data_min_rate holds in a chunk, of a message and of none; between chunks nothing has to come."""
        with Receiver(data_min_rate=2000, data_timeout=10000) as r:
            for wanted in (True, False):
                with Chunker(r) as c:
                    if wanted:
                        c.mail()
                    c.send(b"BDAT 1000000\r\n")
                    drip_until_told(c, "421 4.4.2")
            with Chunker(r) as c:
                c.mail()
                c.chunk(b"text\r\n", "250")
                time.sleep(2.5)
                c.chunk(b"text\r\n", "250 2.0.0", last=True)
        self.assertEqual(r.counters["slow_senders"], 2)
        self.assertEqual(r.counters["messages"], 1)

    def test_given_up(self):
        """What was held for a message that ends between its chunks is given back."""
        big = b"x" * 998 + b"\r\n"
        with Receiver() as r:
            for how in ("RSET", "EHLO a", "DATA", "QUIT", "close", "reset", "bare"):
                with Chunker(r) as c:
                    c.mail()
                    c.chunk(big * 100, "250")
                    if how == "bare":
                        c.chunk(b"\n", "550 5.6.0")
                        c.chunk(b"x", "503 5.5.1")
                    elif how == "reset":
                        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                            b"\1\0\0\0\0\0\0\0")
                    elif how != "close":
                        c.say(how, {"QUIT": "221", "DATA": "503"}.get(how, "250"))
            with Chunker(r) as c:
                c.message()
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["messages_refused"], 1)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_stop(self):
        """A message whose chunks have begun may end; then the connection does. Who is in a chunk of no
        message is not waited for."""
        with Receiver(grace=20000) as r, Chunker(r) as c, Chunker(r) as idle, Chunker(r) as lost:
            c.mail()
            c.chunk(b"text\r\n", "250")
            lost.send(b"BDAT 1000\r\n")
            idle.say("NOOP", "250")
            r.terminate()
            idle.expect("421 4.3.2")
            lost.expect("421 4.3.2")
            c.chunk(b"more\r\n", "250")
            c.chunk(b"", "250 2.0.0", last=True)
            c.expect("421 4.3.2")
            c.expect_end()
        self.assertEqual(r.counters["messages"], 1)

    def test_body_memory(self):
        """Many bodies in chunks over the limit: those that wait hear 452, what is held stays bounded."""
        with Receiver(body_memory=1 << 20, data_timeout=5000, keep_bytes=1 << 20, threads=1) as r:
            content = (b"x" * 998 + b"\r\n") * 50
            clients = [Chunker(r) for _ in range(4)]
            refused = []
            for c in clients:
                c.mail()
            for _ in range(16):
                for c in clients:
                    if c in refused:
                        continue
                    c.send(b"BDAT 50000\r\n" + content)
                    if c.line()[:9] != "250 2.0.0":
                        refused.append(c)
                        c.chunk(b"x", "503 5.5.1 A chunk was refused")
                        c.say("RSET", "250")
            self.assertTrue(0 < len(refused) < 4, len(refused))
            for c in clients:
                if c not in refused:
                    c.chunk(b"", "250 2.0.0", last=True)
            for c in clients:
                c.message()
                c.socket.close()
        self.assertEqual(r.counters["body_bytes_now"], 0)
        self.assertEqual(r.counters["messages"], 8 - len(refused))
        self.assertEqual(r.counters["messages_failed"], len(refused))

    def test_large(self):
        """Octets of several chunks, each more than a read, as they are in the journal."""
        lines = [b"line %d of the message\r\n" % i for i in range(20000)]
        content = b"".join(lines)
        with Receiver(keep_bytes=1 << 20) as r, Chunker(r) as c:
            c.mail(more=" SMTPUTF8")
            for at in range(0, len(content), 100001):
                c.chunk(content[at:at + 100001], "250")
            c.chunk(b"", "250 2.0.0", last=True)
            r.terminate()
            r.end()
            found = b""
            for folder, _, names in os.walk(r.folder):
                for name in names:
                    if name.endswith(".seg"):
                        with open(os.path.join(folder, name), "rb") as f:
                            found += f.read()
            self.assertIn(b" with UTF8SMTP id ", found)
            self.assertIn(b"+0000\r\n" + content, found)

    def test_huge(self):
        """Told, and the rest of what it sends is not waited for."""
        with Receiver(message_bytes=1000) as r, Chunker(r) as c:
            c.mail()
            c.send(b"BDAT 4004\r\n" + b"x" * 4004)
            c.expect("552 5.3.4")
            c.expect_end()
            with Chunker(r) as c:
                c.mail()
                c.chunk(b"x" * 4000, "552 5.3.4", last=True)
                c.message()
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["messages_refused"], 1)


class Size(unittest.TestCase):
    def test_room(self):
        """What SIZE announces has to have room, as far as it is kept."""
        with Receiver(spool_bytes=1 << 20, keep_bytes=1 << 21, threads=1) as r, Chunker(r) as c:
            c.say("MAIL FROM:<> SIZE=1048576", "452 4.3.1")
            c.mail(more=" SIZE=10000")
            c.chunk(b"x" * 10000, "250", last=True)
        self.assertEqual(r.counters["no_room"], 1)
        with Receiver(spool_bytes=1 << 20, keep_bytes=10000, threads=1) as r, Chunker(r) as c:
            c.mail(more=" SIZE=1048576")
            c.chunk(b"x" * 1048576, "250", last=True)
        self.assertEqual(r.counters["messages_truncated"], 1)


class Recipients(unittest.TestCase):
    def test_null_sender(self):
        with Receiver(null_sender_recipients=2) as r, Chunker(r) as c:
            c.mail()
            c.say("RCPT TO:<y@dom.example>", "250")
            c.say("RCPT TO:<z@dom.example>", "452 4.5.3")
            c.say("RSET", "250")
            c.mail(sender="<somebody@elsewhere.example>")
            for i in range(99):
                c.say(f"RCPT TO:<{i}@dom.example>", "250")
            c.say("RCPT TO:<z@dom.example>", "452 4.5.3")
        self.assertEqual(r.counters["rcpt_null_many"], 1)


if __name__ == "__main__":
    unittest.main()
