#!/usr/bin/env python3
"""Commands that need no database: what they print, and what they answer to bad input."""
import json
import os
import subprocess
import sys
import tempfile

PROGRAM = os.environ["BOUNCEMX"]
wrong = []
tried = 0


def run(argv, stdin=b"", env=None, stdout=None):
    full = {k: v for k, v in os.environ.items() if k != "BOUNCEMX_CONFIG"}
    full.update(env or {})
    return subprocess.run([PROGRAM, *argv], input=stdin, env=full, check=False, timeout=120,
                          stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE)


def check(argv, code, out=None, err=None, **kwargs):
    """out and err: parts that must stand there; an empty string: nothing may."""
    global tried
    tried += 1
    done = run(argv, **kwargs)
    said = f"bouncemx {' '.join(argv)}: exit {done.returncode}, {done.stdout!r}, {done.stderr!r}"
    if done.returncode != code:
        wrong.append(f"{said}\n    expected exit {code}")
    for want, got in ((out, done.stdout), (err, done.stderr)):
        if want is None or got is None:
            continue
        text = got.decode("utf-8", "replace")
        if (want == "" and text) or want not in text:
            wrong.append(f"{said}\n    expected {want!r}")
    return done


def usage():
    check([], 2, out="", err="usage: bouncemx COMMAND")
    check(["--help"], 0, out="usage: bouncemx COMMAND", err="")
    check(["--version"], 0, out="bouncemx ", err="")
    check(["clasify"], 2, out="", err="no such command: clasify (did you mean classify?)")
    check(["xyzzy-none"], 2, err="no such command: xyzzy-none\n")
    check(["suppression", "chek"], 2, err="did you mean suppression check?")
    check(["set-aside"], 2, out="", err="set-aside retry")
    check(["set-aside", "--help"], 0, out="set-aside retry", err="")
    check(["classify", "--jsn", "x"], 2, out="", err="no such option: --jsn (did you mean --json?)")
    check(["classify", "--json=yes", "x"], 2, err="--json takes no value")
    check(["status", "--config"], 2, err="--config needs a value: --config FILE")
    check(["status", "--config="], 2, err="--config needs a value: --config FILE")
    check(["status", "--config", "a", "--config", "b"], 2, err="--config is given twice")
    check(["status", "extra"], 2, err="too many arguments")
    check(["classify"], 2, err="PATH... is missing")
    check(["show", "five"], 2, err="five: expected an id such as")
    check(["suppression", "get", "nobody"], 2, err="nobody: expected an address such as")
    check(["events", "--limit", "0"], 2, err="--limit: 0: expected a whole number from 1 to")
    check(["drain", "--timeout", "soon"], 2, err="--timeout: soon: expected a time from")
    check(["\x1b[31m"], 2, err="no such command: ?[31m")
    for command in run(["--help"]).stdout.decode().splitlines():
        if not command.startswith("  "):
            continue
        words = command[2:command.index("  ", 3)].split()
        done = check([*words, "--help"], 0, out=f"usage: bouncemx {' '.join(words)}", err="")
        if b"--help" not in done.stdout or len(done.stdout) < 200:
            wrong.append(f"{words}: its help is not complete: {done.stdout!r}")


def configuration(folder):
    missing = os.path.join(folder, "none.yaml")
    check(["check-config", "--config", missing], 1, out="", err=f"{missing}: can't be read")
    check(["status", "--config", missing], 1, out="", err="no such file")
    check(["--config", missing, "status"], 1, out="", err=f"{missing}: no such file")
    check([f"--config={missing}", "suppression", "list"], 1, out="", err=f"{missing}: no such file")
    check(["--config", missing], 2, out="", err="no such option: --config")
    check(["status"], 1, err="BOUNCEMX_CONFIG", env={"BOUNCEMX_CONFIG": missing})
    bad = os.path.join(folder, "bad.yaml")
    with open(bad, "w", encoding="ascii") as f:
        f.write("domains: [{name: b.example.com}]\nspool: {directory: .}\nnodes: x\n"
                "limits: {recipients: many}\n"
                "tls: {certificates: [{certificate: gone.pem, key: gone.key}]}\n")
    done = check(["check-config", bad], 1, out="", err=f"{bad}:3:1: nodes: unknown key")
    if b':4:22: limits.recipients: "many": expected' not in done.stderr:
        wrong.append(f"only the first mistake is told: {done.stderr!r}")
    for place, file in ((b":5:36: ", b"gone.pem"), (b":5:51: ", b"gone.key")):
        if not any(place in line and file + b": expected a file that can be read" in line
                   for line in done.stderr.splitlines()):
            wrong.append(f"{file!r} is not told beside the mistakes: {done.stderr!r}")
    for role in ("serve", "receive", "process", "drain", "migrate"):
        check([role, "--config", bad], 1, out="", err=f"{bad}:3:1: nodes: unknown key")
    check(["check-config", "--config", bad, bad], 2, err="name two files")
    good = os.path.join(folder, "good.yaml")
    with open(good, "wb") as f:
        f.write(run(["check-config", "--defaults"]).stdout)
    check(["check-config", good], 0, out=f"{good}: good", err="")
    rules = os.path.join(folder, "bad.rules")
    with open(rules, "w", encoding="ascii") as f:
        f.write("this is no rule\n")
    with open(good, "a", encoding="ascii") as f:
        f.write("# end\n")
    text = open(good, encoding="ascii").read().replace("rules: []", f"rules: [{rules}]")
    with open(good, "w", encoding="ascii") as f:
        f.write(text)
    check(["check-config", good], 1, out="", err=f"{rules}:1")


MAIL = b"""From: MAILER-DAEMON@r.example\r
Subject: failure\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary=e\r
\r
--e\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; r.example\r
\r
Final-Recipient: rfc822; who@x.example\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 user unknown\r
\r
--e--\r
"""


def files(argv, **kwargs):
    done = check(["classify", "--json", *argv], 0, err="", **kwargs)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row in rows:
        addresses = [r["address"] for r in row["recipients"]]
        if row["kind"] != "bounce" or addresses != ["who@x.example"]:
            wrong.append(f"{argv}: {row}")
    return [row["file"] for row in rows]


def same(what, got, want):
    if got != want:
        wrong.append(f"{what}: {got}, expected {want}")


def classify(folder):
    tree = os.path.join(folder, "tree")
    box = os.path.join(folder, "Mail")
    for path in (f"{tree}/b", f"{tree}/.hidden", f"{box}/cur", f"{box}/new", f"{box}/tmp",
                 f"{box}/.Sub/cur", f"{box}/.Sub/new"):
        os.makedirs(path)
    for path in (f"{tree}/2.eml", f"{tree}/10.eml", f"{tree}/b/1.eml", f"{tree}/.hidden/x.eml",
                 f"{box}/cur/c:2,S", f"{box}/new/n", f"{box}/tmp/t", f"{box}/.Sub/new/s"):
        with open(path, "wb") as f:
            f.write(MAIL)
    os.symlink("..", f"{tree}/loop")
    os.mkfifo(f"{tree}/pipe")
    same("folder", files([tree]), ["10.eml", "2.eml", "1.eml"])
    same("Maildir", files([box]), ["s", "c:2,S", "n"])
    one = f"{tree}/2.eml"
    same("file", files([one]), [one])
    same("two", files([one, one]), [one, one])
    same("stdin", files(["-"], stdin=MAIL), ["-"])
    mbox = os.path.join(folder, "mbox")
    unix = MAIL.replace(b"\r\n", b"\n")
    with open(mbox, "wb") as f:
        for _ in range(3):
            f.write(b"From x@y.example Mon Jan  5 10:00:00 2026\n" + unix + b"\n")
    same("mbox", files([mbox]), [f"{mbox}:1", f"{mbox}:2", f"{mbox}:3"])
    with open(mbox, "rb") as f:
        same("mbox on stdin", files(["-"], stdin=f.read()), ["-:1", "-:2", "-:3"])
    single = os.path.join(folder, "single.eml")
    with open(single, "wb") as f:
        f.write(b"From x@y.example Mon Jan  5 10:00:00 2026\n" + unix)
    same("one with an envelope line", files([single]), [single])
    missing = os.path.join(folder, "missing.eml")
    done = check(["classify", "--json", missing, one], 1, out=one, err=f"{missing}: No such file")
    same("the rest goes on", len(done.stdout.splitlines()), 1)
    check(["classify", one], 0, out="bad_mailbox", err="")
    check(["classify", "--json", "-"], 0, out='"kind":"other"', stdin=b"")
    check(["classify", "--json", "--rules", missing, one], 1, out="", err=missing)
    # Bytes of a message can't steer a terminal.
    evil = MAIL.replace(b"user unknown", b"user unknown \x1b]0;x\x07")
    done = check(["classify", "-"], 0, out="bad_mailbox", stdin=evil)
    if b"\x1b" in done.stdout:
        wrong.append(f"an escape sequence in the table: {done.stdout!r}")


def explain():
    done = check(["explain", "--json", "550 5.1.1 <a@b.example>: user unknown"], 0, err="")
    row = json.loads(done.stdout)
    want = ["text", "status", "reply_code", "command", "class", "category", "fault", "hard", "confidence",
            "rule", "operator", "listed_address", "blocklist", "lookup_url"]
    same("keys", list(row), want)
    same("verdict", [row["class"], row["category"], row["hard"], row["status"], row["reply_code"]],
         ["hard", "bad_mailbox", True, "5.1.1", "550"])
    check(["explain", "550", "5.1.1", "user", "unknown"], 0, out="bad_mailbox", err="")
    done = check(["explain", "--json", "554 Client host [192.0.2.1] blocked using bl.example.net; "
                  "see https://bl.example.net/q"], 0)
    row = json.loads(done.stdout)
    same("listing", [row["listed_address"], row["blocklist"], row["lookup_url"]],
         ["192.0.2.1", "bl.example.net", "https://bl.example.net/q"])
    done = check(["explain", "--json"], 0, stdin=b"450 4.2.2 mailbox full\n\n250 fine\r\nlast")
    same("one a line", [json.loads(x)["text"] for x in done.stdout.splitlines()],
         ["450 4.2.2 mailbox full", "250 fine", "last"])
    check(["explain", "--json"], 0, stdin=b"\xff\xfe 550 5.1.1 user unknown \x00\n",
          out="user unknown")
    check(["explain", "--host"], 2, err="--host needs a value")
    long = check(["explain", "--json"], 0, stdin=b"550 " + b"x" * 200000 + b"\n550 5.1.1 z\n")
    same("a line too long is one reply", len(long.stdout.splitlines()), 2)


def full_output():
    for argv in (["explain", "550 5.1.1 x"], ["--version"], ["--help"], ["rules", "list"],
                 ["check-config", "--defaults"]):
        with open("/dev/full", "wb") as full:
            check(argv, 1, err="No space left", stdout=full)


def main():
    with tempfile.TemporaryDirectory(prefix="bouncemx-cli-") as folder:
        usage()
        configuration(folder)
        classify(folder)
        explain()
        full_output()
    print("\n".join(wrong))
    print(f"commands: {len(wrong)} wrong of {tried}")
    sys.exit(1 if wrong else 0)


main()
