"""SMTP clients that remember which message got which answer, and the messages they send."""
import base64
import hashlib
import hmac
import socket
import threading
import time

from sandbox import TIME_SCALE, Failure

DOMAIN = "bounces.example.test"
KEY = bytes(range(32))  # of id a, in every configuration of these tests


def signed(address, purpose="b", day=None, domain=DOMAIN, key_id="a", key=KEY, payload=None,
           limit=64):
    """A return path that proves that we sent mail to address (docs/return-path.md); purpose b, c or
    u; payload: an opaque id, or stream=user=domain. The tests' own words, so that they need no
    program to mint."""
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    day = int(time.time()) // 86400 if day is None else day
    date = digits[day >> 10] + digits[day >> 5 & 31] + digits[day & 31]
    head = f"b1{purpose}{key_id}{date}{payload or address.replace('@', '=')}"
    if len(head) > limit - 17:
        raise ValueError(f"{address} is too long for a signed return path")
    mac = hmac.new(key, f"{head}@{domain}".lower().encode(), hashlib.sha256).digest()
    return f"{head}-{base64.b32encode(mac[:10]).decode().lower()}@{domain}"


class Lost(Exception):
    """The connection ended before the answer: the client can't know the message's fate."""


class Refused(Exception):
    def __init__(self, stage, code, text):
        super().__init__(f"{stage}: {text}")
        self.stage, self.code, self.text = stage, code, text


class Client:
    """One SMTP connection, one command at a time (pipelining: MAIL, RCPT and DATA together)."""

    def __init__(self, port, host="127.0.0.1", timeout=30.0, helo="client.example.test",
                 pipelining=False):
        self.pipelining = pipelining
        self.buffer = b""
        try:
            self.socket = socket.create_connection((host, port), timeout * TIME_SCALE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            raise Lost(f"connect: {e}") from None
        try:
            self.banner = self.reply("banner", 2)
            self.features = self.command(f"EHLO {helo}", 2)
        except BaseException:
            self.close()
            raise

    def close(self):
        self.socket.close()

    def write(self, data):
        try:
            self.socket.sendall(data)
        except OSError as e:
            raise Lost(f"write: {e}") from None

    def reply(self, stage, want=None):
        """(code, text); raises Refused unless the code's first digit is want."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                try:
                    piece = self.socket.recv(65536)
                except OSError as e:
                    raise Lost(f"{stage}: {e}") from None
                if not piece:
                    raise Lost(f"{stage}: closed by the server")
                self.buffer += piece
            line, _, self.buffer = self.buffer.partition(b"\n")
            line = line.rstrip(b"\r").decode("utf-8", "replace")
            lines.append(line)
            if len(line) < 4 or line[3] != "-":
                break
        text = "\n".join(lines)
        if not lines[-1][:3].isdigit():
            raise Failure(f"{stage}: not a reply: {text!r}")
        code = int(lines[-1][:3])
        if want is not None and code // 100 != want:
            raise Refused(stage, code, text)
        return code, text

    def command(self, line, want=None):
        self.write(line.encode() + b"\r\n")
        return self.reply(line.split(" ")[0].upper().rstrip(":"), want)

    def envelope(self, sender, recipients, parameters=""):
        commands = [(f"MAIL FROM:<{sender}>{parameters}", "MAIL", 2)]
        commands += [(f"RCPT TO:<{r}>", "RCPT", 2) for r in recipients]
        commands.append(("DATA", "DATA", 3))
        if not self.pipelining:
            for line, _, want in commands:
                self.command(line, want)
            return
        self.write("".join(f"{line}\r\n" for line, _, _ in commands).encode())
        refused = None
        for _, stage, want in commands:
            code, text = self.reply(stage)
            if code // 100 != want and refused is None:
                refused = Refused(stage, code, text)
            if stage == "DATA" and code // 100 == 3 and refused:
                self.write(b".\r\n")
                self.reply("end")
        if refused:
            raise refused

    def send(self, sender, recipients, message, parameters=""):
        """The 250 reply's text, or Refused, or Lost."""
        self.envelope(sender, recipients, parameters)
        self.write(stuffed(message) + b".\r\n")
        return self.reply("end", 2)[1]

    def quit(self):
        try:
            self.command("QUIT", 2)
        finally:
            self.close()


def stuffed(message):
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..")


def bounce(address, size=3000, status="5.1.1", action="failed",
           words="550 5.1.1 <{0}>: Recipient address rejected: User unknown"):
    """A delivery status report about address (RFC 3464) of roughly size octets."""
    diagnostic = words.format(address)
    text = f"""\
From: Mail Delivery System <MAILER-DAEMON@relay.example.test>
To: news@{DOMAIN}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 02 Feb 2026 10:11:12 +0000
Message-Id: <report.{address.replace('@', '.')}>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_edge"

--=_edge
Content-Type: text/plain; charset=us-ascii

The mail system could not deliver your message.

<{address}>: host mx.remote.example.test said: {diagnostic}

--=_edge
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.test
Arrival-Date: Mon, 02 Feb 2026 10:11:11 +0000

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.remote.example.test
Diagnostic-Code: smtp; {diagnostic}

--=_edge
Content-Type: text/rfc822-headers

From: News <news@example.test>
To: {address}
Subject: The news of the week
Message-Id: <campaign.{address.replace('@', '.')}>
"""
    lines = [text]
    length = len(text)
    number = 0
    while length < size - 16:
        line = f"X-Filler-{number}: " + "abcdefghijklmnopqrstuvwxyz 0123456789" + "\n"
        lines.append(line)
        length += len(line)
        number += 1
    lines.append("\n--=_edge--\n")
    return "".join(lines).replace("\n", "\r\n").encode()


def digest(message):
    """As PostgreSQL's md5() says it."""
    return hashlib.md5(message).hexdigest()


class Ledger:
    """What became of each message, by its unique address."""

    def __init__(self, tag="t"):
        self.tag = tag
        self.lock = threading.Lock()
        self.made = 0
        self.acked = {}    # address -> digest of the bytes sent
        self.unsure = {}   # sent in full or in part, no answer seen
        self.refused = {}  # address -> reply
        self.changed = threading.Condition(self.lock)

    def new_address(self):
        with self.lock:
            self.made += 1
            return f"user-{self.tag}-{self.made}@remote.example.test"

    def note(self, kind, address, what):
        with self.lock:
            getattr(self, kind)[address] = what
            self.changed.notify_all()

    def counts(self):
        with self.lock:
            return len(self.acked), len(self.unsure), len(self.refused)

    def attempt(self, client, message, address, recipient=None):
        """Sends message, which is about address, to its signed return path (or to recipient), and
        writes down its fate. Lost and Refused go on to the caller."""
        try:
            client.send("", [recipient or signed(address)], message)
        except Lost:
            self.note("unsure", address, "connection lost")
            raise
        except Refused as e:
            self.note("refused", address, e.text)
            raise
        self.note("acked", address, digest(message))
        return address

    def send(self, client, size=3000, make=bounce):
        """Sends one new message. True: answered 250."""
        address = self.new_address()
        try:
            self.attempt(client, make(address, size), address)
        except Refused:
            return False
        return True


def stream(port, ledger, count, connections=8, size=3000, make=bounce, pipelining=True):
    """Sends count messages over that many connections at once; every trouble is a failure."""
    share = [count // connections + (1 if i < count % connections else 0)
             for i in range(connections)]
    errors = []

    def one(n):
        try:
            if n:
                client = Client(port, pipelining=pipelining)
                for _ in range(n):
                    if not ledger.send(client, size, make):
                        # Refused ones stand in the ledger; start the next one clean.
                        client.command("RSET", 2)
                client.quit()
        except (Lost, Refused, Failure, OSError) as e:
            errors.append(e)

    threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300 * TIME_SCALE)
        if thread.is_alive():
            raise Failure("a client hangs")
    if errors:
        raise Failure(f"{len(errors)} of {connections} connections failed: {errors[0]}")
