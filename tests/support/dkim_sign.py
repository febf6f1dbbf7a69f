"""Signs a message with DKIM (RFC 6376): rsa-sha256, relaxed/relaxed, with the openssl command.

    key = DkimKey("arf.example.com", "s1")
    zone[key.name] = {"TXT": [key.record]}
    message = key.sign(b"From: ...\\r\\n\\r\\nbody\\r\\n")
"""
import base64
import hashlib
import os
import re
import subprocess
import tempfile


def relaxed_field(field):
    name, value = field.split(b":", 1)
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b""))
    return name.strip().lower() + b":" + value.strip()


def relaxed_body(body):
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


class DkimKey:
    def __init__(self, domain, selector, bits=2048):
        self.domain, self.selector = domain, selector
        self.name = f"{selector}._domainkey.{domain}"
        self.folder = tempfile.TemporaryDirectory(prefix="dkim-key-")
        self.key = os.path.join(self.folder.name, "key.pem")
        subprocess.run(["openssl", "genrsa", "-out", self.key, str(bits)], check=True,
                       capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        self.record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()

    def sign(self, message, tags=""):
        """The message with a signature over all its fields in front."""
        header, body = message.split(b"\r\n\r\n", 1)
        fields = re.split(rb"\r\n(?![ \t])", header)
        names = b":".join(f.split(b":", 1)[0] for f in fields)
        digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
        signature = (f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={self.domain}; "
                     f"s={self.selector}; {tags}h=").encode() + names + b"; bh=" + digest + b"; b="
        # Of fields that stand twice the last one is signed first (section 5.4.2).
        signed, left = [], list(fields)
        for name in names.split(b":"):
            last = max(i for i, f in enumerate(left) if f.split(b":", 1)[0] == name)
            signed.append(relaxed_field(left.pop(last)) + b"\r\n")
        signed.append(relaxed_field(signature))
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key],
                              input=b"".join(signed), check=True, capture_output=True).stdout
        return signature + base64.b64encode(made) + b"\r\n" + message
