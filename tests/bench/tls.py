#!/usr/bin/env python3
"""One message a connection with TLS on every one: full ECDSA P-256 handshakes and resumed ones, by
STARTTLS and implicit, beside Postfix and aiosmtpd with the same certificate, and beside what OpenSSL
itself does on this machine in the same run: its primitives (`openssl speed`), and whole handshakes
with nothing behind them (`openssl s_server` and `s_time`, one pair for each core).

Servers, clients and OpenSSL share the cores: the client's half of a handshake costs more than the
server's, so the column of CPU a connection says more than the rate. Asked for: >= 1,500 full
handshakes/s with a message each, or what the machine's own limit is."""
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

import bench
import mail_server
from bench import harness, sandbox, smtp

AIOSMTPD = """\
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP

class Handler:
    async def handle_DATA(self, server, session, envelope):
        return "250 2.0.0 OK"

async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), tls_context=context, hostname="aiosmtpd.example.test"),
        "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()

asyncio.run(main())
"""
KINDS = {"STARTTLS, full": ("starttls", False), "STARTTLS, resumed": ("starttls", True),
         "implicit, full": ("implicit", False), "implicit, resumed": ("implicit", True),
         "without TLS": (None, False)}


class Server:
    """ports: of STARTTLS and of implicit TLS, None where it has none."""

    def __init__(self, port, implicit, pids):
        self.ports = {None: port, "starttls": port, "implicit": implicit}
        self.pids = pids


def primitives():
    """name -> microseconds of one operation on one core."""
    out = {}
    for name, pattern in (("ecdsap256", r"ecdsa \(nistp256\)\s+\S+\s+\S+\s+(\S+)\s+(\S+)"),
                          ("ecdhx25519", r"ecdh \(X25519\)\s+\S+\s+(\S+)")):
        done = subprocess.run(["openssl", "speed", "-seconds", "1", name], capture_output=True,
                              text=True, check=True)
        for what, rate in zip(("sign", "verify") if name[:5] == "ecdsa" else ("derive",),
                              re.search(pattern, done.stdout).groups()):
            out[f"{name} {what}"] = 1e6 / float(rate)
    return out


def bare(setup, pair, seconds=3):
    """Handshakes a second of OpenSSL's own client and server, a pair for each core."""
    ports = [sandbox.free_port() for _ in range(os.cpu_count())]
    servers = [setup.box.start(f"s_server-{port}", [
        "openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", pair["certificate"],
        "-key", pair["key"], "-num_tickets", "1"]) for port in ports]
    time.sleep(0.5)
    clients = [subprocess.Popen(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new",
                                 "-time", str(seconds)], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True) for port in ports]
    rate = 0
    for client in clients:
        found = re.search(r"(\d+) connections in (\d+) real seconds",
                          client.communicate(timeout=60)[0])
        rate += int(found[1]) / int(found[2])
    cpu = sum(sandbox.proc_cpu(server.pid) for server in servers)
    for server in servers:
        server.kill()
        server.wait()
    return rate, cpu / (rate * seconds)


def one(setup, server, kind, sessions, template):
    tls, resume = KINDS[kind]
    usage = bench.Usage({"server": server.pids})
    options = {"tls": tls} if tls else {}
    if resume:
        options["resume"] = True
    done = bench.generator_end(bench.generator_start(
        setup, server.ports[tls], template=template, connections=sessions, per_connection=1,
        seconds=setup.options.seconds, **options))
    if done["refused"] or (resume and done["resumed"] < done["handshakes"] - 2 * sessions):
        print(f"  {done['refused']} refused, {done['resumed']} of {done['handshakes']} resumed")
    return done["acked"] / done["seconds"], usage.since()["server"][0] / done["acked"] * 1e6


def start_servers(setup, pair):
    implicit = sandbox.free_port()
    setup.configure(
        listen=[{"address": "127.0.0.1", "port": setup.port, "tls": "starttls"},
                {"address": "127.0.0.1", "port": implicit, "tls": "implicit"}],
        tls={"certificates": [pair]}, spool={"max_bytes": 0},
        receiver={"threads": setup.options.threads}, log={"level": "warning"})
    receive = setup.start("receive")
    servers = {"bouncemx": Server(setup.port, implicit, lambda: [receive.pid])}
    try:
        postfix = mail_server.Postfix(setup.box, destination="", settings={
            "smtpd_client_connection_count_limit": "0", "default_process_limit": "150",
            "relay_domains": smtp.DOMAIN, "relay_transport": "discard:",
            "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": pair["certificate"],
            "smtpd_tls_key_file": pair["key"]})
        servers["postfix"] = Server(postfix.port, None, lambda: [
            postfix.process.pid, *sandbox.proc_descendants(postfix.process.pid)])
    except harness.Skip as e:
        print(f"without Postfix: {e}")
    python = next((p for p in (sys.executable, "/usr/bin/python3") if subprocess.run(
        [p, "-c", "import aiosmtpd"], capture_output=True, check=False).returncode == 0), None)
    if python:
        port = sandbox.free_port()
        other = setup.box.start("aiosmtpd", [
            python, setup.box.write("aiosmtpd_server.py", AIOSMTPD), port,
            pair["certificate"], pair["key"]])
        servers["aiosmtpd"] = Server(port, None, lambda: [other.pid])
        time.sleep(1)
    else:
        print("without aiosmtpd: it is not installed (python3-aiosmtpd)")
    return servers


def test(setup):
    for program in ("openssl",):
        if not shutil.which(program):
            raise harness.Skip(f"{program} is not installed")
    pair = bench.certificate(setup)
    template = bench.template(setup)
    print(f"{bench.machine()}, load {os.getloadavg()[0]:.1f} before, {setup.options.threads} threads, "
          f"ECDSA P-256, rounds of {setup.options.seconds} s\n")
    servers = start_servers(setup, pair)
    limits, bares = [], []
    found = {}
    for _ in range(setup.options.rounds):
        limits.append(primitives())
        bares.append(bare(setup, pair))
        for kind, (tls, _) in KINDS.items():
            for sessions in setup.options.sessions:
                for name, server in servers.items():
                    if server.ports[tls]:
                        found.setdefault((kind, sessions, name), []).append(
                            one(setup, server, kind, sessions, template))
    setup.stop("receive", 60)

    for name in limits[0]:
        us = statistics.median(each[name] for each in limits)
        print(f"  openssl speed, {name}: {us:.0f} us, {1e6 / us:.0f}/s on one core")
        setup.note(**{name.replace(" ", "_") + "_us": round(us, 1)})
    rate, cpu = (statistics.median(each[i] for each in bares) for i in (0, 1))
    print(f"  openssl s_server and s_time, {os.cpu_count()} pairs: {rate:.0f} full handshakes/s, "
          f"{cpu * 1e6:.0f} us of the server's CPU each\n")
    setup.note(bare_handshakes_per_second=round(rate), bare_server_us=round(cpu * 1e6))
    rows = []
    for kind, (tls, resume) in KINDS.items():
        for sessions in setup.options.sessions:
            row = [f"{kind}, {sessions} sessions"]
            for name in ("bouncemx", "postfix", "aiosmtpd"):
                values = found.get((kind, sessions, name))
                if values:
                    per_second, us = (statistics.median(v[i] for v in values) for i in (0, 1))
                    row += [f"{per_second:.0f}", f"{us:.0f}"]
                    setup.note(**{f"{name} {kind} {sessions}": [round(per_second), round(us)]})
                else:
                    row += ["-", "-"]
            own = statistics.median(v[0] for v in found[kind, sessions, "bouncemx"])
            row.append(f"{own / rate:.2f}" if tls and not resume else "-")
            rows.append(row)
    bench.table(rows, ["connections/s, one message each", "bouncemx", "CPU us", "postfix", "CPU us",
                       "aiosmtpd", "CPU us", "÷ bare"])


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 50])


if __name__ == "__main__":
    bench.main("tls", test, arguments)
