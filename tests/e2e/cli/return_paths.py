#!/usr/bin/env python3
"""token mint, token read, token key, and the keys of the configuration: the vectors of
tests/golden/token-vectors.json both ways, bad input, bad files."""
import base64
import json
import os
import stat
import subprocess
import sys
import tempfile

PROGRAM = os.environ["BOUNCEMX"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
wrong = []
tried = 0


def run(argv, stdin=b""):
    return subprocess.run([PROGRAM, *argv], input=stdin, check=False, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def check(argv, code, out=None, err=None, stdin=b""):
    """out and err: parts that must stand there; an empty string: nothing may."""
    global tried
    tried += 1
    done = run(argv, stdin)
    said = f"bouncemx {' '.join(argv)}: exit {done.returncode}, {done.stdout!r}, {done.stderr!r}"
    if done.returncode != code:
        wrong.append(f"{said}\n    expected exit {code}")
    for want, got in ((out, done.stdout), (err, done.stderr)):
        if want is not None and ((want == "" and got) or want not in got.decode()):
            wrong.append(f"{said}\n    expected {want!r}")
    return done


def same(what, got, want):
    global tried
    tried += 1
    if got != want:
        wrong.append(f"{what}: {got!r}, expected {want!r}")


def write(path, text, mode=0o600):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def configure(folder, keys, domains="[{name: bounces.example.com}, {name: b.example.net}]", more=""):
    return write(os.path.join(folder, "c.yaml"),
                 f"domains: {domains}\nspool: {{directory: {folder}}}\ntokens: {{keys: {keys}}}\n{more}")


def vectors(folder):
    with open(os.path.join(ROOT, "tests/golden/token-vectors.json"), encoding="utf-8") as f:
        want = json.load(f)
    keys = []
    for key in want["keys"]:
        secret = bytes.fromhex(key["hex"])
        # One of them as base64.
        text = base64.b64encode(secret).decode() if key["id"] == "m" else key["hex"]
        write(os.path.join(folder, f"{key['id']}.key"), text + "\n")
        until = f", until: {key['until']}" if "until" in key else ""
        keys.append(f"{{id: {key['id']}, file: {key['id']}.key{until}}}")
    config = configure(folder, f"[{', '.join(keys)}]")
    check(["check-config", config], 0, out="good", err="")
    for v in want["mint"]:
        argv = ["token", "mint", "--config", config, "--domain", v["domain"], "--purpose",
                v["purpose"], "--day", v["day"], "--key", v["key"]]
        argv += ["--opaque", "--id", v["id"]] if v["id"] else ["--", v["recipient"]]
        if v["stream"]:
            argv[2:2] = ["--stream", v["stream"]]
        if v["address"]:
            same(str(v), check(argv, 0, err="").stdout.decode(), v["address"] + "\n")
        else:
            same(str(v), check(argv, 1, err="bouncemx token mint: ").stdout, b"\n")
    for v in want["read"]:
        done = check(["token", "read", "--json", "--config", config, "--day", v["today"], v["address"]],
                     0 if v["proof"] == "valid" else 1)
        got = json.loads(done.stdout)
        same(f"{v}", [got["proof"], got["recipient"], got["id"], got["valid"]],
             [v["proof"], v["recipient"], v["id"], v["proof"] == "valid"])
    return config


def lines(config):
    mint = ["token", "mint", "--config", config, "--domain", "bounces.example.com", "--day",
            "2026-11-23"]
    one = run([*mint, "ann@example.com"]).stdout
    done = check([*mint, "-"], 1, stdin=b"ann@example.com\r\n\nnobody\nann@example.com",
                 err="token mint: -:3: ")
    same("one answer a line", done.stdout, one + b"\n\n" + one)
    same("only what is wrong is told", done.stderr.count(b"\n"), 1)
    many = b"".join(b"user%d@example.com\n" % n for n in range(20000))
    done = check([*mint, "-"], 0, err="", stdin=many)
    same("many", len(set(done.stdout.splitlines())), 20000)
    done = check(["token", "read", "--config", config, "--day", "2026-11-23", "-"], 0, err="",
                 stdin=done.stdout)
    same("and back", done.stdout.count(b"\nvalid "), 20000)
    done = check([*mint, "--json", "ann@example.com", "x"], 1)
    first, second = map(json.loads, done.stdout.splitlines())
    same("json", [first["address"], first["error"]], [one.decode().strip(), None])
    same("json of what is wrong", [second["address"], second["recipient"], bool(second["error"])],
         [None, "x", True])
    done = check([*mint, "--opaque", "--json", "ann@example.com", "a b@example.com"], 0, err="")
    ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    same("ids", [len(set(ids)), {len(i) for i in ids}], [2, {24}])
    same("opaque alone", run([*mint, "--opaque"]).stdout.count(b"\n"), 1)
    read = ["token", "read", "--config", config, "--day", "2026-11-23"]
    check([*read, one.decode().strip()], 0, out="ann@example.com", err="")
    check([*read, "someone@example.org"], 1, out="", err="its domain is none of domains")
    check([*read, "@"], 1, out="", err="expected an address")
    check([*read, "news+ann=example.com@bounces.example.com"], 1, out="unsigned", err="")
    # What comes in an address can't steer a terminal.
    done = run([*read, "\x1b[31m@bounces.example.com"])
    same("escapes", b"\x1b" in done.stdout + done.stderr, False)


def usage(config):
    mint = ["token", "mint", "--config", config]
    check(["token"], 2, out="", err="token install")
    check(["token", "mnt"], 2, err="did you mean token mint?")
    check([*mint, "a@b.example"], 2, out="", err="--domain DOMAIN says which")
    mint += ["--domain", "bounces.example.com"]
    check(mint, 2, out="", err="ADDRESS is missing")
    check([*mint, "--purpose", "spam", "a@b.example"], 2, err="--purpose: spam: expected bounce,")
    check([*mint, "--day", "23.11.2026", "a@b.example"], 2, err="--day: 23.11.2026: expected a date")
    check([*mint, "--key", "aa", "a@b.example"], 2, err="--key: aa: expected one character")
    check([*mint, "--id", "aaaaaaaaaaaaaa", "a@b.example"], 2, err="--id is for --opaque")
    check([*mint, "--opaque", "--id", "aaaaaaaaaaaaaa", "a@b.example", "c@d.example"], 2,
          err="one id is for one recipient")
    check([*mint, "--opaque", "--stream", "s", "a@b.example"], 2, err="--stream: an opaque address")
    check([*mint, "--opaque", "--id", "a"], 1, err="13 to 26")
    check([*mint, "--stream", "News", "a@b.example"], 1, err="stream")
    check([*mint, "--key", "z", "a@b.example"], 1, err="key 'z'")
    check([*mint, "--domain=x.example", "a@b.example"], 2, err="--domain is given twice")
    check(["token", "mint", "--config", config, "--domain", "x.example", "a@b.example"], 1,
          out="\n", err="x.example")


def keys(folder):
    path = os.path.join(folder, "new.key")
    done = check(["token", "key", "--id", "k", path], 0, out=f'{{id: k, file: "{path}"}}')
    same("mode", stat.S_IMODE(os.stat(path).st_mode), 0o600)
    with open(path, encoding="ascii") as f:
        text = f.read()
    same("what is in it", [len(bytes.fromhex(text)), text[-1]], [32, "\n"])
    check(["token", "key", path], 1, out="", err=f"{path} is there already")
    with open(path, encoding="ascii") as f:
        same("not written over", f.read(), text)
    check(["token", "key", "--id", "1", path], 2, err="--id: 1: expected one character")
    check(["token", "key", os.path.join(folder, "none/x")], 1, err="No such file")
    # The lines that it prints are those of a configuration.
    config = write(os.path.join(folder, "printed.yaml"),
                   f"domains: [{{name: b.example.com, accept: signed, open: [fbl]}}]\n"
                   f"spool: {{directory: {folder}}}\n" + done.stdout.decode())
    check(["check-config", config], 0, out="good", err="")
    out = check(["token", "mint", "--config", config, "ann@example.com"], 0, err="").stdout.decode()
    same("its id", out[:4], "b1bk")
    check(["token", "read", "--config", config, "fbl@b.example.com"], 1, out="unsigned")
    check(["token", "read", "--config", config, "news@b.example.com"], 1,
          err="its domain does not take such an address")


def key_files(folder):
    good = "00112233445566778899aabbccddeeff" * 2
    file = os.path.join(folder, "k.key")
    config = configure(folder, "[{id: a, file: k.key}]")
    place = f"{config}:3:17: tokens.keys[].file: "
    for text in (good, good.upper() + "\n", "  " + good + " \r\n", "00" * 128,
                 base64.b64encode(b"x" * 32).decode(), base64.b64encode(b"x" * 32).decode().rstrip("="),
                 base64.b64encode(b"\xff" * 128).decode() + "\n"):
        write(file, text)
        check(["check-config", config], 0, err="")
    for text, said in (("", "32 to 128"), ("\n", "32 to 128"), (good + "\n" + good, "on one line"),
                       (good[:-2], "a key of 31 octets; expected 32 to 128"),
                       ("00" * 129, "on one line"), ("0" * 5000, "on one line"), (good[:-1], "octets"),
                       ("secret " * 9, "on one line"), (good + "=", "on one line"),
                       (base64.b64encode(b"x" * 32).decode() + "=", "on one line")):
        write(file, text)
        check(["check-config", config], 1, out="", err=place + file + ": ")
        check(["check-config", config], 1, err=said)
    write(file, good)
    for mode, said in ((0o644, "of mode 0644, so that others than its owner can read it"),
                       (0o620, "of mode 0620, so that others than its owner can change it"),
                       (0o602, "can change it"), (0o604, "Run: chmod g-w,o= " + file)):
        os.chmod(file, mode)
        check(["check-config", config], 1, out="", err=said)
        check(["token", "mint", "--config", config, "--domain", "b.example.net", "a@b.example"], 1,
              out="", err=said)
        check(["receive", "--config", config], 1, out="", err=said)
        check(["process", "--config", config], 1, out="", err=said)
    os.chmod(file, 0o640)
    check(["check-config", config], 0, err="")
    if os.geteuid() == 0:
        os.chown(file, 12345, 0)
        check(["check-config", config], 1, err="user 12345 owns it")
    os.remove(file)
    check(["check-config", config], 1, err=f"{file}: No such file")
    os.mkdir(file)
    check(["check-config", config], 1, err=f"{file}: expected a file")
    os.rmdir(file)


def mistakes(folder):
    write(os.path.join(folder, "k.key"), "00" * 32)
    for what, said in (
            (("[{id: a, file: k.key}, {id: a, file: k.key}]",),
             '3:39: tokens.keys[].id: "a": the same id stands at line 3'),
            (("[{id: A, file: k.key}]",), 'tokens.keys[].id: "A": expected one character'),
            (("[{id: a}]",), "tokens.keys[].file: must be given"),
            (("[{id: a, file: k.key, until: soon}]",), 'until: "soon": expected a date such as'),
            (("[{id: a, file: k.key, until: 2026-02-30}]",), 'until: "2026-02-30": expected a date'),
            (("[]", "[{name: b.example.com, accept: signed}]"),
             'domains[].accept: "signed": tokens.keys is empty'),
            (("[]", "[{name: b.example.com, accept: sealed}]"), "expected verp, any or signed"),
            (("[]", "[{name: b.example.com, open: fbl}]"), "domains[].open: \"fbl\": expected a list of"),
            (("[]", "[{name: b.example.com, open: ['a b']}]"), 'open: "a b": expected what stands before'),
            (("[]", "[{name: b.example.com, open: [[x]]}]"), "expected what stands before the @"),
            (("[]", "[{name: b.example.com}]", "patterns: [{name: x, match: '(', domain: b.example.com}]"),
             "x"),
            (("[]", "[{name: b.example.com}]", "patterns: [{name: x, match: x, domain: c.example.com}]"),
             'patterns[].domain: "c.example.com": expected one of domains, or any'),
            (("[], bounce_days: 0",), "expected a whole number from 1 to 3650")):
        config = configure(folder, *what)
        check(["check-config", config], 1, out="", err=said)
    good = configure(folder, "[{id: a, file: k.key, until: never}], bounce_days: 7",
                     "[{name: b.example.com, accept: signed, open: [fbl, 'x.y']}]",
                     "patterns: [{name: x, match: 'l-(?<user>.+)=(?<domain>.+)', domain: b.example.com}]\n")
    check(["check-config", good], 0, out="good", err="")
    done = check(["token", "mint", "--config", good, "--day", "2026-11-23", "a@b.example"], 0)
    check(["token", "read", "--config", good, "--day", "2026-12-01", done.stdout.decode().strip()], 1,
          out="expired")
    check(["check-config", configure(folder, "[{id: a, file: k.key, until: 2020-01-01}]")], 0,
          out="with warnings", err="is over for every key")
    check(["check-config", configure(folder, "[{id: a, file: k.key}]", "[{name: b.example.com, "
                                     "accept: signed, trust_unverified: true}]")], 0,
          out="with warnings", err="domains[].trust_unverified: true, though accept is signed")


def main():
    with tempfile.TemporaryDirectory(prefix="bouncemx-return-paths-") as folder:
        config = vectors(folder)
        lines(config)
        usage(config)
        keys(folder)
        key_files(folder)
        mistakes(folder)
    print("\n".join(wrong))
    print(f"return_paths: {len(wrong)} wrong of {tried}")
    sys.exit(1 if wrong else 0)


main()
