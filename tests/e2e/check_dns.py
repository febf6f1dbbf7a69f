#!/usr/bin/env python3
"""check-dns against a DNS server on loopback: each check when all is good, and in each way it is not."""
import copy
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from dns_server import DnsServer  # noqa: E402

PROGRAM = os.environ["BOUNCEMX"]
HOST, DOMAIN = "mx1.example.com", "bounces.example.com"
V6_PTR = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
wrong = []


def openssl(*argv, stdin=None):
    return subprocess.run(["openssl", *argv], input=stdin, check=True, capture_output=True).stdout


def make_certificate(folder, name, host, days="30"):
    """folder/name.pem (with its authority's behind it) and .key."""
    base = os.path.join(folder, name)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", base + ".ca.key", "-out", base + ".ca.pem", "-subj", "/CN=authority",
            "-days", "30")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            base + ".key", "-out", base + ".csr", "-subj", f"/CN={host}", "-addext",
            f"subjectAltName=DNS:{host}")
    with open(base + ".pem", "wb") as f:
        f.write(openssl("x509", "-req", "-in", base + ".csr", "-CA", base + ".ca.pem", "-CAkey",
                        base + ".ca.key", "-days", days, "-copy_extensions", "copy"))
        with open(base + ".ca.pem", "rb") as ca:
            f.write(ca.read())


def digest(pem, key=True):
    der = openssl("x509", "-in", pem, "-outform", "DER")
    if key:
        public = openssl("x509", "-in", pem, "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", stdin=public)
    return openssl("dgst", "-sha256", "-r", stdin=der).split()[0].decode()


GOOD_POLICY = f"version: STSv1\r\nmode: enforce\r\nmx: mx2.example.com\r\nmx: {HOST}\r\nmax_age: 86400\r\n"


class PolicyServer:
    """HTTPS on loopback; answer: (status, content type, body)."""

    def __init__(self, certificate):
        outer = self
        self.answer = (200, "text/plain; charset=us-ascii", GOOD_POLICY)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                status, kind, body = outer.answer
                good = self.path == "/.well-known/mta-sts.txt" and \
                    self.headers["Host"].split(":")[0] == f"mta-sts.{DOMAIN}"
                self.send_response(status if good else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                try:
                    self.wfile.write(body.encode())
                except OSError:
                    pass  # it had read enough

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Site:
    """A configuration, certificates and a good zone."""

    def __init__(self, folder):
        self.folder = folder
        for name, host in (("mx", HOST), ("other", "www.example.net"), ("sts", f"mta-sts.{DOMAIN}")):
            make_certificate(folder, name, host)
        self.policy = PolicyServer(os.path.join(folder, "sts"))
        make_certificate(folder, "old", HOST, days="-1")
        self.key = digest(os.path.join(folder, "mx.pem"))
        self.authority = digest(os.path.join(folder, "mx.ca.pem"), key=False)
        self.zone = {
            HOST: {"A": ["192.0.2.25"], "AAAA": ["2001:db8::25"]},
            "25.2.0.192.in-addr.arpa": {"PTR": [HOST]},
            V6_PTR: {"PTR": [HOST]},
            DOMAIN: {"MX": [f"10 {HOST}", "20 mx2.example.com"],
                     "TXT": ["v=spf1 ip4:192.0.2.0/24 include:_spf.example.com -all", "other"]},
            "_spf.example.com": {"TXT": ["v=spf1 a mx ~all"]},
            "_dmarc.example.com": {"TXT": ["v=DMARC1; p=none"]},
            f"_mta-sts.{DOMAIN}": {"TXT": ["v=STSv1; id=1"]},
            f"mta-sts.{DOMAIN}": {"A": ["127.0.0.1"]},
            f"_smtp._tls.{DOMAIN}": {"TXT": ["v=TLSRPTv1; rua=mailto:tls@example.com"]},
            f"_25._tcp.{HOST}": {"TLSA": [f"3 1 1 {self.key}"]},
        }
        self.server = DnsServer({}, signed="example.com")
        self.anchors = os.path.join(folder, "anchors")
        self.server.write_anchor(self.anchors)

    def config(self, certificate="mx", listen=("192.0.2.25", "2001:db8::25")):
        path = os.path.join(self.folder, "bouncemx.yaml")
        tls = "starttls" if certificate else "none"
        with open(path, "w", encoding="ascii") as f:
            json.dump({
                "hostname": HOST,
                "listen": [{"address": a, "tls": tls} for a in listen],
                "domains": [{"name": DOMAIN}],
                "spool": {"directory": "spool"},
                "tls": {"certificates": [{"certificate": f"{certificate}.pem",
                                          "key": f"{certificate}.key"}] if certificate else []},
            }, f)
        return path

    def run(self, zone, *options, anchors=True, resolver=None, authorities="sts.ca.pem", **config):
        self.server.zone = zone
        argv = [PROGRAM, "check-dns", "--config", self.config(**config), "--resolver",
                resolver or self.server.address, "--timeout", "30s", "--https-port",
                str(self.policy.port), "--authorities", os.path.join(self.folder, authorities), *options]
        argv += ["--anchors", self.anchors] if anchors else []
        return subprocess.run(argv, capture_output=True, timeout=150, check=False)


def check(site, what, change, expect, exit_code=1, advice="", **options):
    """change(zone) makes it differ from the good one; expect: {check: result}, all others good."""
    zone = copy.deepcopy(site.zone)
    change(zone)
    done = site.run(zone, "--json", **options)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    bad = {line["check"]: line["result"] for line in lines if line["result"] != "good"}
    told = " ".join(str(line["advice"]) + str(line["expected"]) for line in lines
                    if line["result"] != "good")
    if done.returncode != exit_code or bad != expect or advice not in told or not lines or \
            done.stderr:
        wrong.append(f"{what}: exit {done.returncode}, {bad}, expected {exit_code}, {expect} and "
                     f"{advice!r} in {told!r}; {done.stderr.decode()}")
    return lines


def put(name, **records):
    return lambda zone: zone.__setitem__(name, records)


def drop(*names):
    return lambda zone: [zone.pop(name) for name in names]


def host_checks(site):
    check(site, "good", lambda zone: None, {}, exit_code=0)
    check(site, "no address", put(HOST), {"address": "missing"}, advice=f"{HOST}. IN A")
    check(site, "an address that is not published", put(HOST, A=["192.0.2.25"]),
          {"address": "missing"}, advice=f"{HOST}. IN AAAA 2001:db8::25")
    check(site, "an address that nobody listens on",
          put(HOST, A=["192.0.2.25", "192.0.2.26"], AAAA=["2001:db8::25"]),
          {"address": "wrong", "ptr": "missing"}, advice="26.2.0.192.in-addr.arpa. IN PTR")
    check(site, "all addresses listened on", put(HOST, A=["192.0.2.25"]), {}, exit_code=0,
          listen=("0.0.0.0", "::"))
    check(site, "a private address", put(HOST, A=["10.1.2.3"]), {"address": "wrong"},
          listen=("0.0.0.0",), advice="public")
    check(site, "an alias", lambda zone: zone.update({HOST: {"CNAME": ["real.example.com"]},
                                                      "real.example.com": site.zone[HOST]}),
          {"address": "wrong"}, advice="must not be an alias")
    check(site, "no PTR", drop(V6_PTR), {"ptr": "missing"}, advice=f"{V6_PTR}. IN PTR {HOST}.")
    check(site, "PTR of another name", put(V6_PTR, PTR=["host.example.net"]), {"ptr": "wrong"})
    check(site, "PTR that no address confirms", lambda zone: zone.update(
        {HOST: {"A": ["192.0.2.25"]}, "25.2.0.192.in-addr.arpa": {"PTR": ["else.example.com"]}}),
          {"ptr": "wrong"}, listen=("192.0.2.25",))


def domain_checks(site):
    mx = "10 " + HOST
    spf = site.zone[DOMAIN]["TXT"]
    check(site, "no MX", put(DOMAIN, TXT=spf), {"mx": "missing"},
          advice=f"{DOMAIN}. IN MX 10 {HOST}.")
    check(site, "MX elsewhere", put(DOMAIN, MX=["10 mx.example.net"], TXT=spf), {"mx": "wrong"})
    check(site, "null MX", put(DOMAIN, MX=["0 ."], TXT=spf), {"mx": "wrong"}, advice="null MX")
    check(site, "null MX beside ours", put(DOMAIN, MX=["0 .", mx], TXT=spf), {"mx": "wrong"})
    check(site, "the domain is an alias", lambda zone: zone.update(
        {DOMAIN: {"CNAME": ["d.example.com"]}, "d.example.com": site.zone[DOMAIN]}),
          {"mx": "wrong"}, advice="alias")
    for what, texts, result, advice in (
            ("none", ["other"], "missing", f'{DOMAIN}. IN TXT "v=spf1 ip4:'),
            ("v=spf10", ["v=spf10 -all"], "missing", ""),
            ("two", ["v=spf1 -all", "v=spf1 ~all"], "wrong", "more than one record"),
            ("+all", ["v=spf1 +all"], "wrong", "anybody may send"),
            ("all", ["v=spf1 all"], "wrong", "anybody may send"),
            ("?all", ["v=spf1 a ?all"], "wrong", "anybody may send"),
            ("no all", ["v=spf1 a"], "wrong", "does not say"),
            ("eleven look-ups", ["v=spf1 " + "a " * 11 + "-all"], "wrong", "more than 10"),
            ("a loop", ["v=spf1 include:" + DOMAIN + " -all"], "wrong", "more than 10"),
            ("an include of nothing", ["v=spf1 include:none.example.com -all"], "wrong",
             "none.example.com"),
            ("a broken include", ["v=spf1 include:a..b -all"], "wrong", "a..b"),
            ("a redirect to nothing", ["v=spf1 redirect=none.example.com"], "wrong", "none.")):
        check(site, "SPF: " + what, put(DOMAIN, MX=[mx], TXT=texts), {"spf": result},
              advice=advice)
    for what, text in (("ten look-ups", "v=spf1 " + "a " * 10 + "-all"), ("upper case", "V=SPF1 -ALL"),
                       ("a redirect", "v=spf1 redirect=_spf.example.com"),
                       ("a macro", "v=spf1 exists:%{i}.example.com include:%{d}.example.com ~all")):
        check(site, "SPF: " + what, put(DOMAIN, MX=[mx], TXT=[text]), {}, exit_code=0)
    check(site, "no DMARC", drop("_dmarc.example.com"), {"dmarc": "missing"},
          advice='_dmarc.example.com. IN TXT "v=DMARC1; p=none')
    check(site, "DMARC of the domain itself", lambda zone: zone.update(
        {f"_dmarc.{DOMAIN}": zone.pop("_dmarc.example.com")}), {}, exit_code=0)
    check(site, "DMARC twice", put("_dmarc.example.com", TXT=["v=DMARC1; p=none",
                                                           "v=DMARC1; p=reject"]), {"dmarc": "wrong"})
    check(site, "DMARC without a policy", put("_dmarc.example.com", TXT=["v=DMARC1; q=none"]),
          {"dmarc": "wrong"})
    check(site, "wildcard", put(f"*.{DOMAIN}", TXT=["v=spf1 -all"]), {"wildcard": "wrong"})


def tls_checks(site):
    sts, rpt, tlsa = f"_mta-sts.{DOMAIN}", f"_smtp._tls.{DOMAIN}", f"_25._tcp.{HOST}"
    check(site, "no MTA-STS", drop(sts), {"mta-sts": "missing"},
          advice=f'{sts}. IN TXT "v=STSv1; id=')
    check(site, "MTA-STS without an id", put(sts, TXT=["v=STSv1"]), {"mta-sts": "wrong"})
    check(site, "MTA-STS with a bad id", put(sts, TXT=["v=STSv1; id=a-b"]), {"mta-sts": "wrong"})
    check(site, "MTA-STS twice", put(sts, TXT=["v=STSv1; id=1", "v=STSv1; id=2"]),
          {"mta-sts": "wrong"})
    check(site, "MTA-STS without a host", drop(f"mta-sts.{DOMAIN}"), {"mta-sts": "wrong"},
          advice=f"mta-sts.{DOMAIN}. IN A")
    for what, answer, advice in (
            ("gone", (404, "text/plain", ""), "is not there"),
            ("moved", (301, "text/plain", GOOD_POLICY), "a redirect counts as an error"),
            ("HTML", (200, "text/html", GOOD_POLICY), "is not sent as text/plain"),
            ("too long", (200, "text/plain", GOOD_POLICY + "x: y\n" * 20000), "longer than 64 KiB"),
            ("empty", (200, "text/plain", ""), "version: STSv1"),
            ("another version", (200, "text/plain", GOOD_POLICY.replace("STSv1", "STSv2")), "version: STSv1"),
            ("no mode", (200, "text/plain", GOOD_POLICY.replace("enforce", "on")), "mode:"),
            ("an age without end", (200, "text/plain", GOOD_POLICY.replace("86400", "31557601")), "max_age:"),
            ("other hosts", (200, "text/plain", GOOD_POLICY.replace(HOST, "mx3.example.com")), "names this host"),
            ("another level", (200, "text/plain", GOOD_POLICY.replace(HOST, "*.com")), "names this host")):
        site.policy.answer = answer
        check(site, "MTA-STS policy: " + what, lambda zone: None, {"mta-sts": "wrong"}, advice=advice)
    for what, body in (("a wildcard", GOOD_POLICY.replace(HOST, "*.example.com")),
                       ("LF", GOOD_POLICY.replace("\r\n", "\n")),
                       ("none", "version: STSv1\nmode: none\nmax_age: 0\n")):
        site.policy.answer = (200, "text/plain", body)
        check(site, "MTA-STS policy: " + what, lambda zone: None, {}, exit_code=0)
    site.policy.answer = (200, "text/plain", GOOD_POLICY)
    check(site, "MTA-STS policy: a certificate that nobody trusts", lambda zone: None,
          {"mta-sts": "wrong"}, advice="can't be read", authorities="mx.ca.pem")
    check(site, "no TLS-RPT", drop(rpt), {"tls-rpt": "missing"}, advice=f"{rpt}. IN TXT")
    check(site, "TLS-RPT without rua", put(rpt, TXT=["v=TLSRPTv1"]), {"tls-rpt": "wrong"})
    check(site, "TLS-RPT twice", put(rpt, TXT=["v=TLSRPTv1; rua=mailto:a@b.example",
                                               "v=TLSRPTv1; rua=https://b.example/"]),
          {"tls-rpt": "wrong"})
    no_tls = lambda zone: [zone.pop(name) for name in (sts, rpt, tlsa)]
    check(site, "no TLS at all", no_tls, {}, exit_code=0, certificate=None)
    check(site, "promised TLS", lambda zone: None,
          {"mta-sts": "wrong", "tlsa": "wrong"}, certificate=None)
    check(site, "a certificate for another host", lambda zone: None,
          {"certificate": "wrong", "tlsa": "wrong"}, certificate="other")
    check(site, "a certificate that has expired", drop(tlsa), {"certificate": "wrong"},
          certificate="old")
    check(site, "a TLSA record of another key", put(tlsa, TLSA=["3 1 1 " + "ab" * 32]),
          {"tlsa": "wrong"}, advice=f"{tlsa}. IN TLSA 3 1 1 {site.key}")
    check(site, "a TLSA record beside the right one",
          put(tlsa, TLSA=["3 1 1 " + "ab" * 32, f"3 1 1 {site.key}"]), {}, exit_code=0)
    check(site, "a TLSA record of the authority", put(tlsa, TLSA=[f"2 0 1 {site.authority}"]), {},
          exit_code=0)
    check(site, "a TLSA usage that is not for mail", put(tlsa, TLSA=[f"1 1 1 {site.key}"]),
          {"tlsa": "wrong"})
    check(site, "a TLSA record without anchors", lambda zone: None, {"tlsa": "unknown"},
          anchors=False)
    check(site, "no TLSA record", drop(tlsa), {}, exit_code=0, anchors=False)
    site.server.signer, signer = None, site.server.signer
    check(site, "a TLSA record whose signatures are not there", lambda zone: None,
          {"tlsa": "wrong"}, advice="do not hold")
    site.server.signer = signer


def silence(site):
    """No server, and servers that fail: all is unknown, and it ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        done = subprocess.run(
            [PROGRAM, "check-dns", "--json", "--config", site.config(), "--timeout", "200ms",
             "--resolver", f"127.0.0.1@{nobody.getsockname()[1]}"],
            capture_output=True, timeout=150, check=False)
        took = time.monotonic() - begin
    results = {json.loads(line)["result"] for line in done.stdout.splitlines()
               if json.loads(line)["check"] != "certificate"}
    if done.returncode != 1 or results != {"unknown"} or took > 100:
        wrong.append(f"silence: exit {done.returncode}, {results}, {took:.1f} s, {done.stderr}")
    behaving = {name: dict(entry, behave="servfail") for name, entry in site.zone.items()}
    done = site.run(behaving, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [line["check"] for line in lines if line["result"] == "unknown"]
    if done.returncode != 1 or not {"address", "mx", "spf", "dmarc", "tlsa"} <= set(failed):
        wrong.append(f"servfail: exit {done.returncode}, {lines}")


def words(site):
    """What people see."""
    zone = copy.deepcopy(site.zone)
    zone[DOMAIN] = {"TXT": ["v=spf1 +all \x1b[31m"]}
    done = site.run(zone)
    text = done.stdout.decode()
    for part in ("RESULT", "good     address", f"mx {DOMAIN}: missing",
                 f"    expected: {DOMAIN}. IN MX 10 {HOST}.", "Bounces do not find this host."):
        if part not in text:
            wrong.append(f"table lacks {part!r}:\n{text}")
    if done.returncode != 1 or "\x1b" in text:
        wrong.append(f"table: exit {done.returncode}\n{text}")
    for argv, part in ((["--resolver", "dns.example.com"], "expected the address of a DNS server"),
                       (["--timeout", "0"], "expected a time"),
                       (["--anchors", "/nonexistent"], "/nonexistent: expected DNSKEY"),
                       (["mx1"], "too many arguments")):
        done = subprocess.run([PROGRAM, "check-dns", "--config", site.config(), *argv],
                              capture_output=True, timeout=60, check=False)
        if done.returncode != 2 or part not in done.stderr.decode():
            wrong.append(f"check-dns {argv}: exit {done.returncode}, {done.stderr}")


def main():
    with tempfile.TemporaryDirectory(prefix="check-dns-") as folder:
        site = Site(folder)
        with site.server:
            for part in (host_checks, domain_checks, tls_checks, silence, words):
                part(site)
    for line in wrong:
        print(line)
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
