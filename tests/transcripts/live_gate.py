#!/usr/bin/env python3
"""Who comes in, and as whom: PROXY headers, XCLIENT, early talkers, limits of an address over all
threads, what the log says of refusals. Usage: live_gate.py PATH-OF-bench_receiver_sink"""
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
from live_receiver import Client, Receiver, free_port  # noqa: E402
from live_tls import certificate  # noqa: E402

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n"
MARK = b"\r\n\r\n\0\r\nQUIT\n"


def v2(address="192.0.2.2", command=1, extra=b""):
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    body = socket.inet_pton(family, address) * 2 + struct.pack(">HH", 4000, 25) + extra
    return MARK + bytes([0x20 | command, 0x21 if six else 0x11]) + struct.pack(">H", len(body)) + body


class Proxied(Client):
    """A client whose connection begins with a header."""

    def __init__(self, receiver, header, greet=True):
        super().__init__(receiver, greet=False)
        self.send(header)
        if greet:
            self.expect("220")
            self.say("HELO client.example", "250")


class Gate(unittest.TestCase):
    def test_proxy(self):
        with Receiver(proxy_from="127.0.0.0/8") as r:
            for header in (V1, v2(), v2("2001:db8::7"), v2(extra=b"\x04\0\x01z" * 300)):
                with Proxied(r, header) as c:
                    c.message()
            for header in (b"PROXY UNKNOWN\r\n", v2(command=0)):
                with Proxied(r, header) as c:
                    c.message()
            r.terminate()
            r.end()
            found = r.stored()
        for address, times in ((b"[192.0.2.1]", 1), (b"[192.0.2.2]", 2), (b"[IPv6:2001:db8::7]", 1),
                               (b"[127.0.0.1]", 2)):
            self.assertEqual(found.count(b"Received: from client.example (" + address), times, address)
        self.assertEqual(r.counters["proxy_headers"], 6)
        self.assertEqual(r.counters["proxy_refused"], 0)
        self.assertEqual(r.counters["messages"], 6)

    def test_proxy_byte_by_byte(self):
        """However the header is cut, also together with what follows it."""
        with Receiver(proxy_from="127.0.0.1") as r:
            for header in (V1, v2("2001:db8::1")):
                with Client(r, greet=False) as c:
                    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for i in range(len(header)):
                        c.send(header[i:i + 1])
                    c.expect("220")
                    c.say("HELO x", "250")
                with Proxied(r, header + b"HELO x\r\nNOOP\r\n", greet=False) as c:
                    for code in ("220", "250", "250"):
                        c.expect(code)
        self.assertEqual(r.counters["proxy_headers"], 4)
        self.assertEqual(r.counters["early_talkers"], 2)

    def test_proxy_refused(self):
        bad = [b"EHLO client.example\r\n", b"PROXY TCP4 192.0.2.1\r\n", V1[:-2] + b"\n",
               b"\x16\x03\x01\x02\x00\x01\x00", MARK + b"\x21\x31\x00\xd8" + b"/run/x".ljust(216, b"\0"),
               MARK + b"\x21\x11\xff\xff", b"PROXY UNKNOWN " + b"x" * 200]
        with Receiver(proxy_from="127.0.0.1", proxy_timeout=300) as r:
            for header in bad:
                with Proxied(r, header, greet=False) as c:
                    c.expect_end()
            for header in (b"", V1[:20], v2()[:20]):  # and then nothing
                with Proxied(r, header, greet=False) as c:
                    c.expect_end()
            with Client(r, greet=False) as c:  # goes away by itself
                c.send(V1[:5])
            with Client(r, address="::1") as c:  # a port without it
                c.message()
        self.assertEqual(r.counters["proxy_refused"], len(bad) + 3)
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["connections_now"], 0)

    def test_proxy_from_nobody_else(self):
        with Receiver(proxy_from="192.0.2.0/24") as r:
            with Client(r, greet=False) as c:
                c.expect("554 5.7.1 ")
                c.expect_end()
        self.assertEqual(r.counters["proxy_refused"], 1)
        self.assertEqual(r.errors.count("why=\"554 5.7.1 "), 1)

    def test_proxy_and_tls(self):
        """The header stands before STARTTLS, and before the first byte of implicit TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        port = free_port()
        with Receiver(proxy_from="127.0.0.1") as nothing:  # a folder for the files
            path = certificate(nothing.folder, "mx.example")
            with Receiver(proxy_from="127.0.0.1", implicit=port, certificate=path + ".pem",
                          key=path + ".key") as r:
                with Proxied(r, V1) as c:
                    c.say("STARTTLS", "220")
                    c.socket = context.wrap_socket(c.socket)
                    c.say("HELO client.example", "250")
                    c.message()
                r.port, clear = port, r.port
                with Client(r, greet=False) as c:
                    c.send(v2())
                    c.socket = context.wrap_socket(c.socket)
                    c.expect("220")
                    c.say("HELO client.example", "250")
                    c.message()
                r.port = clear
                r.terminate()
                r.end()
                found = r.stored()
        self.assertIn(b"([192.0.2.1])\r\n\tby mx.example with SMTP", found)
        self.assertIn(b"([192.0.2.2])\r\n\tby mx.example with SMTP", found)
        self.assertEqual(r.counters["tls_handshakes"], 2)

    def test_proxy_limits(self):
        """It is the named client that is counted, not the proxy."""
        with Receiver(proxy_from="127.0.0.1", connections_per_address=2) as r:
            open_ones = [Proxied(r, v2(f"192.0.2.{n}")) for n in (1, 2, 3, 1, 2, 3)]
            with Proxied(r, v2("192.0.2.2"), greet=False) as c:
                c.expect("421 4.7.0 ")
                c.expect_end()
            for c in open_ones:
                c.say("NOOP", "250")
                c.socket.close()
        self.assertEqual(r.counters["connections_refused_address"], 1)
        self.assertIn(" refused client=192.0.2.2 why=\"421 4.7.0 ", r.errors)

    def test_stop_while_a_header_is_awaited(self):
        with Receiver(proxy_from="127.0.0.1") as r:
            with Client(r, greet=False) as c:
                c.send(V1[:10])
                time.sleep(0.1)
                r.terminate()
                c.expect_end()
                r.end()

    def test_xclient(self):
        with Receiver(xclient_from=["127.0.0.1", "::1"], threads=1) as r:
            for address, claim in (("127.0.0.1", "192.0.2.9"), ("::1", "IPV6:2001:db8::9")):
                with Client(r, address=address) as c:
                    c.say(f"XCLIENT ADDR={claim} NAME=[UNAVAILABLE] HELO=first.example PROTO=SMTP",
                          "220 mx.example")
                    c.message()
                    c.say("MAIL FROM:<>", "250")
                    c.say("XCLIENT ADDR=192.0.2.10", "503 5.5.1")
            r.terminate()
            r.end()
            found = r.stored()
        self.assertIn(b"Received: from first.example ([192.0.2.9])", found)
        self.assertIn(b"Received: from first.example ([IPv6:2001:db8::9])", found)
        self.assertEqual(r.counters["xclient"], 2)

    def test_xclient_denied(self):
        """The address that counts is the one that was named, when a proxy names one."""
        with Receiver(xclient_from="127.0.0.1") as r, Client(r, address="::1") as c:
            c.say("XCLIENT ADDR=192.0.2.9", "550 5.7.0")
            c.message()
        self.assertEqual(r.counters["xclient_refused"], 1)
        with Receiver(xclient_from="192.0.2.1", proxy_from="127.0.0.1") as r:
            with Proxied(r, V1) as c:
                c.say("XCLIENT ADDR=192.0.2.9", "220")
            with Proxied(r, v2()) as c:
                c.say("XCLIENT ADDR=192.0.2.9", "550 5.7.0")

    def test_xclient_limits(self):
        with Receiver(xclient_from="127.0.0.1", connections_per_address=2) as r:
            ones = []
            for n in (1, 1, 2, 2):  # else the third from 127.0.0.1 would be refused itself
                ones.append(Client(r))
                ones[-1].say(f"XCLIENT ADDR=192.0.2.{n}", "220")
            with Client(r) as c:
                c.say("XCLIENT ADDR=192.0.2.1", "421 4.7.0")
                c.expect_end()
            for c in ones:
                c.socket.close()
        self.assertEqual(r.counters["connections_refused_address"], 1)
        self.assertEqual(r.counters["connections_now"], 0)

    @unittest.skipUnless(shutil.which("swaks"), "no swaks here")
    def test_xclient_of_swaks(self):
        with Receiver(xclient_from="127.0.0.1", threads=1) as r:
            for attributes in ("ADDR=192.0.2.77 NAME=client.example",
                               "ADDR=IPV6:2001:db8::77 PROTO=ESMTP HELO=other.example"):
                done = subprocess.run(
                    ["swaks", "--server", f"127.0.0.1:{r.port}", "--from", "<>", "--to",
                     "b+u=x.example@rp.example", "--xclient", attributes],
                    capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            r.terminate()
            r.end()
            found = r.stored()
        self.assertIn(b"([192.0.2.77])", found)
        self.assertIn(b"([IPv6:2001:db8::77])", found)
        self.assertEqual((r.counters["xclient"], r.counters["messages"]), (2, 2))

    def test_early_talkers_are_counted(self):
        """Without a delay they are let in. The receiver sleeps until their bytes are there."""
        with Receiver() as r:
            r.process.send_signal(signal.SIGSTOP)
            try:
                clients = [Client(r, greet=False) for _ in range(5)]
                for c in clients:
                    c.send(b"HELO early.example\r\nQUIT\r\n")
            finally:
                r.process.send_signal(signal.SIGCONT)
            for c in clients:
                for code in ("220", "250", "221"):
                    c.expect(code)
                c.socket.close()
            with Client(r) as c:
                c.message()
        self.assertEqual(r.counters["early_talkers"], 5)
        self.assertEqual(r.errors.count(" early_talker client=127.0.0.1 "), 1, r.errors)
        self.assertEqual(r.counters["messages"], 1)

    def test_greeting_delay(self):
        def speaks_early(r):
            with Client(r, greet=False) as c:
                c.send(b"EHLO early.example\r\n")
                c.expect("421 4.7.0 mx.example was spoken to before its greeting")
                c.expect_end()

        with Receiver(greeting_delay=4000, threads=1) as r:
            speaks_early(r)
            began = time.monotonic()
            with Client(r) as c:
                self.assertGreaterEqual(time.monotonic() - began, 3.9)
                c.message()
            with Client(r, greet=False) as c:  # goes before
                pass
            with Client(r, greet=False) as c:
                speaks_early(r)  # one thread takes them in order: the one before is taken, too
                r.terminate()
                c.expect("421 4.3.2 ")
                r.end()
        self.assertEqual(r.counters["early_talkers"], 2)
        self.assertEqual(r.counters["connections_now"], 0)

    def test_recipients_per_minute(self):
        """Counted for the address, over all threads and connections; within a message the ones over
        the limit are refused, the others are delivered."""
        with Receiver(recipients_per_minute=40, threads=4) as r:
            accepted = refused = 0
            for _ in range(20):
                with Client(r) as c:
                    c.say("MAIL FROM:<>", "250")
                    for n in range(5):
                        c.send(f"RCPT TO:<u{n}@dom.example>\r\n".encode())
                        line = c.line()
                        accepted += line.startswith("250")
                        refused += line.startswith("451 4.7.1")
        self.assertEqual(accepted + refused, 100)
        # A minute may begin within the test: then twice as many pass.
        self.assertIn(accepted, (40, 80))
        self.assertEqual(r.counters["rcpt_accepted"], accepted)
        self.assertEqual(r.counters["rate_refused_recipients"], refused)

    def test_one_line_a_minute(self):
        """Hundreds of refusals of one client: a line or two, and their number."""
        with Receiver(unknown_recipients=0, threads=2) as r:
            for _ in range(4):
                with Client(r) as c:
                    c.say("MAIL FROM:<>", "250")
                    for n in range(50):
                        c.say(f"RCPT TO:<u{n}@elsewhere.example>", "550")
        self.assertEqual(r.counters["rcpt_relay"], 200)
        lines = [x for x in r.errors.splitlines() if re.search(r" refused client=127\.0\.0\.1 ", x)]
        self.assertIn(len(lines), (1, 2), r.errors)
        self.assertIn('why="550 5.7.1 We take no mail for this address"', lines[0])


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
