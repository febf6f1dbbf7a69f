#!/usr/bin/env python3
"""Certificates as the whole program handles them. Usage: live_certificates.py PATH-OF-bouncemx

check-config and the start say what is wrong with a file; SIGHUP reads the files anew, also through
serve; a bad file keeps the old ones. Needs no database."""
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
from live_receiver import PROGRAM, Client, free_port  # noqa: E402
from live_tls import certificate  # noqa: E402


class Program:
    """A role of bouncemx, started with what stands in a folder."""

    def __init__(self, folder, role, port):
        self.port = port
        self.log = open(os.path.join(folder, "log"), "w+b")
        self.process = subprocess.Popen([PROGRAM, role, "--config", os.path.join(folder, "c.yaml")],
                                        stdout=self.log, stderr=self.log)

    def said(self):
        with open(self.log.name, "rb") as f:
            return f.read().decode()

    def wait(self, words):
        deadline = time.monotonic() + 20
        while words not in self.said():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"{words!r} does not come: {self.said()}")
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Certificates(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.port = free_port()
        self.path = certificate(self.folder, "mx.example", "mx")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def configure(self, tls="starttls", certificates="[{certificate: mx.pem, key: mx.key}]"):
        with open(os.path.join(self.folder, "c.yaml"), "w") as f:
            f.write(f"hostname: mx.example\n"
                    f"listen: [{{address: 127.0.0.1, port: {self.port}, tls: {tls}}}]\n"
                    f"domains: [{{name: dom.example}}]\n"
                    f"tls: {{certificates: {certificates}}}\n"
                    f"spool: {{directory: spool}}\n"
                    f"database: {{conninfo: 'host={self.folder} dbname=none'}}\n")

    def run_once(self, *words):
        return subprocess.run([PROGRAM] + list(words) + ["--config",
                                                         os.path.join(self.folder, "c.yaml")],
                              capture_output=True, text=True, timeout=30)

    def serial(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with Client(self) as c:
            c.say("STARTTLS", "220")
            c.socket = context.wrap_socket(c.socket, server_hostname="mx.example")
            c.say("HELO client.example", "250")
            shown = subprocess.run(
                ["openssl", "x509", "-inform", "DER", "-noout", "-serial"], capture_output=True,
                input=c.socket.getpeercert(binary_form=True), check=True)
            return shown.stdout.decode().strip()

    def test_mistakes(self):
        """The same words by check-config and by a start, which is refused."""
        key, cert = self.path + ".key", self.path + ".pem"
        self.configure()
        self.assertEqual(self.run_once("check-config").returncode, 0)
        other = certificate(self.folder, "mx.example", "other")

        def both(expected):
            for role in ("check-config", "receive"):
                done = self.run_once(role)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(expected, done.stderr)

        os.chmod(key, 0o644)
        both(f"key {key}: its mode is 0644, which lets others at it; expected 06")
        os.chmod(key, 0o600)
        os.rename(cert, cert + ".away")
        both(f"certificate {cert}: No such file or directory")
        os.rename(cert + ".away", cert)
        shutil.copy(other + ".key", key)
        both(f"key {key} does not belong to certificate {cert}")
        self.configure(tls="implicit", certificates="[]")
        both("listen[].tls: \"implicit\": tls.certificates is empty; implicit TLS needs one")

    def test_starttls_without_certificate(self):
        """One warning each time it is read, and mail in clear."""
        self.configure(certificates="[]")
        with Program(self.folder, "receive", self.port) as p:
            p.wait("listening")
            with Client(self) as c:
                c.say("STARTTLS", "502")
                c.say("MAIL FROM:<>", "250")
            p.process.send_signal(signal.SIGHUP)
            p.wait("reloaded")
            with Client(self) as c:
                c.say("MAIL FROM:<>", "250")
        self.assertEqual(p.said().count("STARTTLS is not offered"), 2)  # the start, the reload
        self.assertEqual(p.process.returncode, 0)

    def reload(self, role):
        self.configure()
        with Program(self.folder, role, self.port) as p:
            p.wait("listening")
            self.assertEqual(self.serial(), "serial=01")
            certificate(self.folder, "mx.example", "mx", serial=2)
            p.process.send_signal(signal.SIGHUP)
            p.wait("reloaded")
            self.assertEqual(self.serial(), "serial=02")
            os.remove(self.path + ".pem")
            p.process.send_signal(signal.SIGHUP)
            p.wait("reload_failed")
            self.assertIn("No such file or directory", p.said())
            self.assertEqual(self.serial(), "serial=02")
        self.assertEqual(p.process.returncode, 0)

    def test_reload_of_receive(self):
        self.reload("receive")

    def test_reload_of_serve(self):
        """Beside a database that is away: no reason to refuse mail."""
        self.reload("serve")


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
