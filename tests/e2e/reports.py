"""What reporters write, of an address and with a return path in it: made here, from no mail of anybody."""

UNKNOWN = "550 5.1.1 <{0}>: Recipient address rejected: User unknown"


def lines(text):
    return text.replace("\n", "\r\n").encode()


def mail(header, body):
    return lines(f"{header}Date: Mon, 02 Mar 2026 10:11:12 +0000\nMIME-Version: 1.0\n{body}")


def original(address, inside):
    """The header of the mail that is returned; inside: further fields, each with its line end."""
    return (f"From: Spring News <news@shop.example.net>\nTo: {address}\n{inside}"
            "Subject: What is new in March\nDate: Mon, 02 Mar 2026 10:02:00 +0000\n")


def group(address, action="failed", status="5.1.1", words=UNKNOWN, first=None):
    """Of a delivery status report; first: its Original-Recipient."""
    before = f"Original-Recipient: {first}\n" if first else ""
    return (f"{before}Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
            f"Diagnostic-Code: smtp; {words.format(address)}\n")


def dsn(address, inside="", groups=None, header="", to="news@bounces.example.test"):
    """RFC 3464."""
    return mail(
        f"From: MAILER-DAEMON@relay.example.net\nTo: {to}\nSubject: Undelivered mail\n{header}",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_e"\n\n'
        "--=_e\nContent-Type: text/plain\n\nYour mail could not be handed over.\n\n"
        "--=_e\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; relay.example.net\n\n"
        + "\n".join(groups or [group(address)]) +
        f"\n--=_e\nContent-Type: text/rfc822-headers\n\n{original(address, inside)}\n--=_e--\n")


def qmail(address, inside=""):
    return mail(
        "From: MAILER-DAEMON@old.example.net\nTo: news@bounces.example.test\nSubject: failure notice\n",
        "\nHi. This is the qmail-send program at old.example.net.\nI'm afraid I wasn't able to deliver "
        "your message to the following addresses.\nThis is a permanent error; I've given up. Sorry "
        f"it didn't work out.\n\n<{address}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        f"--- Below this line is a copy of the message.\n\n{original(address, inside)}\nTulips.\n")


def exim(address):
    return mail(
        f"From: Mail Delivery System <Mailer-Daemon@mx.example.net>\nTo: {address}\n"
        f"X-Failed-Recipients: {address}\nAuto-Submitted: auto-replied\n"
        "Subject: Mail delivery failed: returning message to sender\n",
        "\nThis message was created automatically by mail delivery software.\n\nA message that you sent "
        "could not be delivered to one or more of its\nrecipients. This is a permanent error. The "
        f"following address(es) failed:\n\n  {address}\n    host mx.example.net [192.0.2.4]\n    SMTP "
        f"error from remote mail server after RCPT TO:<{address}>:\n    {UNKNOWN.format(address)}\n")


def exchange(address):
    return mail(
        "From: <postmaster@corp.example.com>\nTo: news@bounces.example.test\n"
        "Subject: Undeliverable: What is new in March\nX-MS-Exchange-Message-Is-Ndr:\n",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_x"\n\n'
        f"--=_x\nContent-Type: text/plain\n\nYour message to {address} couldn't be delivered.\n\n"
        f"{address}\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not "
        "found by SMTP address lookup'\n\n--=_x\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns;EX01.corp.example.com\n\n" +
        group(address, status="5.1.10", words="550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient "
              "not found by SMTP address lookup") + "\n--=_x--\n")


def arf(address="redacted@mail.example.org", inside="", fields="", kind="abuse",
        sender="feedback@fbl.example.org"):
    """RFC 5965. fields: further ones of the report."""
    return mail(
        f"From: <{sender}>\nTo: fbl@bounces.example.test\nSubject: FW: What is new in March\n",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="=_f"\n\n'
        "--=_f\nContent-Type: text/plain\n\nSomebody pressed the button.\n\n"
        f"--=_f\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nVersion: 1\n"
        f"User-Agent: ExampleFeedback/1.4\nOriginal-Rcpt-To: <{address}>\n{fields}\n"
        f"--=_f\nContent-Type: message/rfc822\n\n{original(address, inside)}\nTulips.\n\n--=_f--\n")


def letter(sender, subject="unsubscribe", header="", body="Please take me off this list."):
    return mail(f"From: <{sender}>\nTo: news@bounces.example.test\nSubject: {subject}\n{header}",
                f"\n{body}\n")


def vacation(sender):
    return letter(sender, "Out of office: What is new in March", "Auto-Submitted: auto-replied\n",
                  "I am away until 16 March. User unknown, 550 5.1.1, is not what I mean.")


def receipt(address):
    """RFC 8098."""
    return mail(
        f"From: <{address}>\nTo: news@bounces.example.test\nSubject: Read: What is new in March\n",
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="=_m"\n\n'
        "--=_m\nContent-Type: text/plain\n\nIt was deleted unread.\n\n"
        "--=_m\nContent-Type: message/disposition-notification\n\nReporting-UA: reader.example\n"
        f"Final-Recipient: rfc822; {address}\nDisposition: automatic-action/MDN-sent-automatically; "
        "deleted\n\n--=_m--\n")
