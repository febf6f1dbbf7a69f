#!/usr/bin/env python3
"""Live tests of the receiver's TLS. Usage: live_tls.py PATH-OF-bench_receiver_sink

With real clients where there are any (Python's smtplib and ssl, openssl s_client, swaks), and with
plain sockets for what no real client does. Certificates are made for each run."""
import os
import resource
import select
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
import live_receiver  # noqa: E402  takes the program's path from the arguments
from live_receiver import Client, Receiver, free_port  # noqa: E402

CLIENT_HELLO_START = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def certificate(folder, host, name=None, serial=1):
    """Writes NAME.pem and NAME.key for a host."""
    path = os.path.join(folder, name or host)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-days", "2",
         "-set_serial", str(serial), "-keyout", path + ".key", "-out", path + ".pem"],
        check=True, capture_output=True)
    os.chmod(path + ".key", 0o600)
    return path


def is_sanitized():
    """Such a program works, but its memory says nothing."""
    libraries = subprocess.run(["ldd", live_receiver.PROGRAM], capture_output=True, text=True).stdout
    return "asan" in libraries or "tsan" in libraries


def has_swaks_tls():
    return shutil.which("swaks") and subprocess.run(
        ["perl", "-MNet::SSLeay", "-e", "1"], capture_output=True).returncode == 0


def exchange(tls, data):
    """Sends all of data and reads to the end, as both go. In one thread: an SSL object of Python is
    not for two at once."""
    tls.setblocking(False)
    left, got, give_up = memoryview(data), b"", time.monotonic() + 30
    while time.monotonic() < give_up:
        select.select([tls], [tls] if left else [], [], 0.1)
        try:
            if left:
                left = left[tls.send(left[:16384]):]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            chunk = tls.recv(65536)
            if not chunk:
                return got
            got += chunk
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    raise AssertionError(f"no end after {len(got)} octets, {len(left)} not sent")


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.one = certificate(cls.folder, "mx.example")
        cls.two = certificate(cls.folder, "other.example")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def receiver(self, *pairs, **options):
        pairs = pairs or (self.one, self.two)
        return Receiver(certificate=[p + ".pem" for p in pairs], key=[p + ".key" for p in pairs],
                        **options)

    def trust(self, path=None):
        context = ssl.create_default_context(cafile=(path or self.one) + ".pem")
        context.check_hostname = False
        return context

    def secure(self, client, context=None, name="mx.example"):
        """A Client whose socket is in clear goes on inside TLS."""
        client.say("STARTTLS", "220")
        assert client.buffer == b""
        client.socket = (context or self.trust()).wrap_socket(client.socket, server_hostname=name)
        client.say("HELO client.example", "250")
        return client

    def test_smtplib(self):
        with self.receiver() as r:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = self.trust()
                context.minimum_version = context.maximum_version = version
                with smtplib.SMTP("127.0.0.1", r.port, timeout=20) as s:
                    s.ehlo()
                    self.assertTrue(s.has_extn("starttls"))
                    s.starttls(context=context)
                    s.ehlo()
                    self.assertFalse(s.has_extn("starttls"))
                    for _ in range(3):
                        s.sendmail("", ["x@dom.example"], b"Subject: x\r\n\r\n" + b"text\r\n" * 40000)
            r.terminate()
            r.end()
            found = b""
            for folder, _, names in os.walk(r.folder):
                for name in names:
                    if name.endswith(".seg"):
                        with open(os.path.join(folder, name), "rb") as f:
                            found += f.read()
            self.assertIn(b"TLSv1.3 TLS_", found)
            self.assertIn(b"TLSv1.2 ECDHE-ECDSA-", found)
            self.assertRegex(found, rb"with ESMTPS id \S+\r\n\tfor <x@dom.example>\r\n\ttls TLS_\w+;\r\n")
        self.assertEqual(r.counters["messages"], 6)
        self.assertEqual(r.counters["tls_handshakes"], 2)
        self.assertEqual(r.counters["tls_failed"], 0)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_implicit(self):
        port = free_port()
        with self.receiver(implicit=port, tls_require=1) as r:
            with smtplib.SMTP_SSL("127.0.0.1", port, context=self.trust(), timeout=20) as s:
                s.ehlo()
                self.assertFalse(s.has_extn("starttls"))
                s.sendmail("", ["x@dom.example"], b"text\r\n")
            # Two clients that wait for nothing and for ever: nothing is said to them in clear.
            with socket.create_connection(("127.0.0.1", port), timeout=1) as c:
                with self.assertRaises(TimeoutError):
                    c.recv(1)
            with Client(r) as c:
                c.say("MAIL FROM:<>", "530 5.7.0")
        self.assertEqual(r.counters["messages"], 1)

    @unittest.skipUnless(has_swaks_tls(), "no swaks with TLS here")
    def test_swaks(self):
        with self.receiver() as r:
            for more in (["--tls"], ["--tls", "--tls-protocol", "tlsv1_2", "--pipeline"]):
                done = subprocess.run(
                    ["swaks", "--server", f"127.0.0.1:{r.port}", "--from", "<>", "--to",
                     "b+u=x.example@rp.example"] + more, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(r.counters["messages"], 2)
        self.assertEqual(r.counters["tls_handshakes"], 2)

    def s_client(self, r, *more, text="QUIT\r\n"):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{r.port}", "-starttls", "smtp", "-crlf",
             "-ign_eof"] + list(more), input=text.replace("\r\n", "\n"), capture_output=True,
            text=True, timeout=30)
        return done.stdout + done.stderr

    def test_s_client(self):
        with self.receiver() as r:
            said = self.s_client(r, "-servername", "other.example", text=(
                "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@dom.example>\r\nDATA\r\ntext\r\n.\r\nQUIT\r\n"))
            self.assertIn("CN = other.example", said)
            self.assertIn("250 2.0.0", said)
            self.assertIn("221 2.0.0", said)
            self.assertIn("CN = mx.example", self.s_client(r, "-servername", "no.example"))
            self.assertIn("CN = mx.example", self.s_client(r, "-noservername"))
            self.assertNotIn("Cipher is TLS", self.s_client(r, "-tls1_1"))
            ticket = os.path.join(self.folder, "ticket")
            for version in ("-tls1_2", "-tls1_3"):
                self.assertIn("New, TLSv1.", self.s_client(r, version, "-sess_out", ticket))
                self.assertIn("Reused, TLSv1.", self.s_client(r, version, "-sess_in", ticket))
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["tls_resumed"], 2)

    def test_injected_with_starttls(self):
        """CVE-2011-0411: commands in the packet of STARTTLS do not reach the session inside TLS."""
        with self.receiver() as r, Client(r) as c:
            c.send(b"STARTTLS\r\nHELO evil.example\r\nMAIL FROM:<evil@a.example>\r\n")
            c.expect("220")
            c.socket = self.trust().wrap_socket(c.socket, server_hostname="mx.example")
            c.say("RCPT TO:<x@dom.example>", "503 5.5.1 Say EHLO first")
            c.say("HELO client.example", "250")
            c.say("RCPT TO:<x@dom.example>", "503 5.5.1 Say MAIL first")
            c.message()
        self.assertEqual(r.counters["messages"], 1)

    def test_injected_before_client_hello(self):
        """In clear behind the 220: no TLS, so no session."""
        with self.receiver() as r:
            for extra in (b"", CLIENT_HELLO_START, b"\x16\x03\x01"):
                with Client(r) as c:
                    c.say("STARTTLS", "220")
                    c.send(b"MAIL FROM:<evil@a.example>\r\n" + extra)
                    got = b""
                    while True:
                        try:
                            more = c.socket.recv(4096)
                        except ConnectionResetError:
                            break
                        if not more:
                            break
                        got += more
                    self.assertNotIn(b"250", got)
                    self.assertLessEqual(len(got), 16)  # an alert at most
            with Client(r) as c:
                self.secure(c).message()
        self.assertEqual(r.counters["tls_failed"], 3)
        self.assertEqual(r.counters["messages"], 1)

    def test_garbage_inside(self):
        """A record that is none, in the middle of a message: the message is not stored."""
        with self.receiver() as r:
            with Client(r) as c:
                self.secure(c).data()
                c.send(b"half a message\r\n")
                raw = socket.socket(fileno=os.dup(c.socket.fileno()))
                raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32 + b"\r\n.\r\n")
                raw.close()
                with self.assertRaises((ssl.SSLError, AssertionError, OSError)):
                    c.expect("250")
            with Client(r) as c:
                self.secure(c).message()
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["tls_failed"], 1)
        self.assertEqual(r.counters["body_bytes_now"], 0)

    def test_cut_inside_message(self):
        """The connection breaks without close_notify, or the peer says it sends no more."""
        with self.receiver() as r:
            for polite in (False, True):
                c = self.secure(Client(r))
                c.data()
                c.send(b"half a message\r\n")
                if polite:
                    try:
                        c.socket.unwrap()
                    except (ssl.SSLError, OSError):
                        pass
                c.socket.close()
            with Client(r) as c:
                self.secure(c).message()
        self.assertEqual(r.counters["messages"], 1)
        self.assertEqual(r.counters["connections_now"], 0)

    def test_abandoned_handshakes(self):
        """No bytes, some bytes, one byte a moment: all end by command_timeout."""
        with self.receiver(command_timeout=1000) as r:
            clients = []
            for some in (b"", CLIENT_HELLO_START, CLIENT_HELLO_START[:3]):
                c = Client(r)
                c.say("STARTTLS", "220")
                c.send(some)
                clients.append(c)
            start = time.monotonic()
            c = Client(r)
            c.say("STARTTLS", "220")
            clients.append(c)
            for byte in CLIENT_HELLO_START + bytes(100):
                try:
                    c.send(bytes([byte]))
                except OSError:
                    break
                time.sleep(0.05)
            self.assertLess(time.monotonic() - start, 4)
            for c in clients:
                c.expect_end()
                c.socket.close()
            with Client(r) as c:
                self.secure(c).message()
        self.assertEqual(r.counters["tls_failed"], 4)
        self.assertEqual(r.counters["connections_now"], 0)

    def test_endless_handshake(self):
        """A handshake message without an end is cut by its size."""
        with self.receiver() as r:
            before = r.memory()
            with Client(r) as c:
                c.say("STARTTLS", "220")
                c.send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(0x4000 - 4))
                sent = 0
                try:
                    while sent < 10 << 20:
                        c.send(b"\x16\x03\x01\x40\x00" + bytes(0x4000))
                        sent += 0x4005
                except OSError:
                    pass
                if not is_sanitized():
                    self.assertLess(r.memory() - before, 1 << 20)
            with Client(r) as c:
                self.secure(c).message()
        self.assertEqual(r.counters["tls_failed"], 1)

    def test_required(self):
        with self.receiver(tls_require=1) as r, Client(r) as c:
            c.say("MAIL FROM:<>", "530 5.7.0 Must issue a STARTTLS command first")
            self.secure(c).message()

    def test_pipelined_inside(self):
        one = (b"MAIL FROM:<>\r\nRCPT TO:<x@dom.example>\r\nDATA\r\n" + b"text\r\n" * 7000 + b".\r\n")
        with self.receiver() as r, Client(r) as c:
            self.secure(c)
            answers = exchange(c.socket, one * 20 + b"QUIT\r\n").decode().splitlines()
            starts = ["250 2.1.0", "250 2.1.5", "354", "250 2.0.0"] * 20 + ["221"]
            self.assertEqual([a[:len(s)] for a, s in zip(answers, starts)], starts)
            self.assertEqual(len(answers), len(starts))
        self.assertEqual(r.counters["messages"], 20)

    def test_limits_inside(self):
        """Timeouts and the stop are told inside TLS as they are in clear."""
        with self.receiver(command_timeout=700, grace=10000) as r:
            with Client(r) as c:
                self.secure(c).expect("421 4.4.2")
                c.expect_end()
            busy, shaking = self.secure(Client(r)), Client(r)
            idle = self.secure(Client(r))
            shaking.say("STARTTLS", "220")
            busy.data()
            r.terminate()
            idle.expect("421 4.3.2")
            idle.expect_end()
            shaking.expect_end()
            busy.say("text\r\n.", "250 2.0.0")
            busy.expect("421 4.3.2")
            for c in (busy, idle, shaking):
                c.socket.close()
            r.end()
        self.assertEqual(r.counters["messages"], 1)

    def test_replies_not_read(self):
        with self.receiver(command_timeout=2000) as r:
            c = self.secure(Client(r))
            before = r.memory()
            c.socket.settimeout(0.5)
            sent = 0
            try:
                while sent < 100 << 20:
                    sent += c.socket.send(b"NOOP\r\n" * 2000)
            except (TimeoutError, ssl.SSLError):
                pass
            self.assertLess(sent, 100 << 20)
            if not is_sanitized():
                self.assertLess(r.memory() - before, 4 << 20)
            c.socket.close()
            with Client(r) as c:
                self.secure(c).message()

    def reload(self, r):
        r.process.send_signal(signal.SIGHUP)
        return r.process.stdout.readline().rstrip("\n")

    def serial(self, r):
        with Client(r) as c:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.secure(c, context)
            shown = subprocess.run(
                ["openssl", "x509", "-inform", "DER", "-noout", "-serial"], capture_output=True,
                input=c.socket.getpeercert(binary_form=True), check=True)
            return shown.stdout.decode().strip()

    def test_reload(self):
        """Other certificates for what comes later; a bad file changes nothing; what is open goes on."""
        path = certificate(self.folder, "mx.example", "changing", serial=5)
        with self.receiver(path) as r:
            self.assertEqual(self.serial(r), "serial=05")
            before = self.secure(Client(r), self.trust(path))
            certificate(self.folder, "mx.example", "changing", serial=6)
            self.assertEqual(self.serial(r), "serial=05")
            self.assertEqual(self.reload(r), "reloaded")
            self.assertEqual(self.serial(r), "serial=06")
            before.message()
            shutil.copy(self.two + ".key", path + ".key")
            self.assertEqual(self.reload(r),
                             f"key {path}.key does not belong to certificate {path}.pem")
            self.assertEqual(self.serial(r), "serial=06")
            os.remove(path + ".pem")
            self.assertIn("No such file or directory", self.reload(r))
            self.assertEqual(self.serial(r), "serial=06")
            certificate(self.folder, "mx.example", "changing", serial=7)
            os.chmod(path + ".key", 0o644)
            self.assertIn("lets others at it", self.reload(r))
            os.chmod(path + ".key", 0o600)
            self.assertEqual(self.reload(r), "reloaded")
            self.assertEqual(self.serial(r), "serial=07")
            before.message()
            before.socket.close()

    def test_reload_under_load(self):
        stop = threading.Event()
        wrong = []

        def load(r):
            while not stop.is_set():
                try:
                    with Client(r) as c:
                        self.secure(c).message()
                except (OSError, AssertionError) as e:
                    wrong.append(e)

        with self.receiver() as r:
            threads = [threading.Thread(target=load, args=(r,)) for _ in range(4)]
            for t in threads:
                t.start()
            for _ in range(30):
                self.assertEqual(self.reload(r), "reloaded")
                time.sleep(0.02)
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(wrong, [])
        self.assertEqual(r.counters["messages"], r.counters["tls_handshakes"])
        self.assertGreater(r.counters["messages"], 10)

    def test_idle_connections(self):
        """Memory of an idle TLS connection, behind EHLO."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
        with self.receiver() as r:
            context = self.trust()
            with Client(r) as c:
                self.secure(c, context).message()
            before = r.memory()
            clients = [self.secure(Client(r), context) for _ in range(200)]
            each = (r.memory() - before) / len(clients)
            print(f"{each:.0f} bytes an idle TLS connection", file=sys.stderr)
            if not is_sanitized():
                self.assertLess(each, 32768)
            for c in clients:
                c.socket.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(r.counters["tls_handshakes"], 201)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
