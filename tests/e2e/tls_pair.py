"""Certificates for tests: made for each run."""
import os
import subprocess


def make(box, host):
    """A self-signed ECDSA P-256 pair in the sandbox, as tls.certificates takes it."""
    pair = {"certificate": box.path("certificate.pem"), "key": box.path("key.pem")}
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-days", "2",
         "-keyout", pair["key"], "-out", pair["certificate"]], check=True, capture_output=True)
    os.chmod(pair["key"], 0o600)
    return pair
