#!/usr/bin/env python3
"""Bad input: each command with wrong arguments, wrong files, a wrong configuration and a wrong
environment. Each must say what is wrong, with the name of the thing, and end with the right exit
status: 2 for a wrong command line, 1 for what failed; without a trace, a crash or a hang."""
import os
import pwd
import socket
import stat
import subprocess

import harness
from harness import Failure, expect
from smtp import Ledger, stream

COMMANDS = ["serve", "receive", "process", "drain", "check-config", "migrate", "status", "classify",
            "explain", "show", "set-aside", "suppression"]


class Case:
    """Collects what is wrong, so that one run shows all."""

    def __init__(self, setup):
        self.setup = setup
        self.tried = 0
        self.wrong = []

    def check(self, what, argv, code, *words, stdin=b"", env=None, user=None, quiet_out=True):
        """Runs it; words must stand in stderr (each a string, or a tuple of alternatives)."""
        self.tried += 1
        full = dict(os.environ)
        full.pop("BOUNCEMX_CONFIG", None)
        full.update(env or {})
        kwargs = {"user": user, "group": user, "extra_groups": []} if user else {}
        try:
            done = subprocess.run([self.setup.program, *argv], input=stdin, env=full, check=False,
                                  capture_output=True, timeout=30 * harness.sandbox.TIME_SCALE,
                                  cwd=self.setup.box.run_directory, **kwargs)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"{what}: does not end: {' '.join(argv)}")
            return ""
        errors = done.stderr.decode("utf-8", "replace")
        said = f"{what}: bouncemx {' '.join(argv)}\n    exit {done.returncode}, stderr: {errors!r}"
        if done.returncode != code:
            self.wrong.append(f"{said}\n    expected exit {code}")
        for word in words:
            choices = word if isinstance(word, tuple) else (word,)
            if not any(w.lower() in errors.lower() for w in choices):
                self.wrong.append(f"{said}\n    expected {' or '.join(map(repr, choices))}")
        for word in ("Sanitizer", "runtime error:", "REQUIRE", "core dumped"):
            if word in errors:
                self.wrong.append(said)
        if code != 0 and not errors.strip():
            self.wrong.append(f"{said}\n    said nothing")
        if code == 1 and len(errors.splitlines()) > 12:
            self.wrong.append(f"{said}\n    {len(errors.splitlines())} lines for one mistake")
        if quiet_out and code != 0 and done.stdout:
            self.wrong.append(f"{said}\n    something on stdout: {done.stdout[:200]!r}")
        return errors


def usage(case):
    case.check("no command", [], 2, "usage")
    case.check("unknown command", ["recieve"], 2, "recieve")
    case.check("unknown option before", ["--no-such-option"], 2, "--no-such-option")
    for command in COMMANDS:
        case.check("unknown option", [command, "--no-such-option"], 2, "--no-such-option")
        done = case.setup.run(command, "--help")
        expect("usage" in done.out.lower() and len(done.out) > 60,
               f"{command} --help says {done.out!r}")
    case.check("option without value", ["status", "--config"], 2, "--config")
    case.check("set-aside without a verb", ["set-aside"], 2)
    case.check("set-aside with another verb", ["set-aside", "eat"], 2, "eat")
    case.check("set-aside show without id", ["set-aside", "show"], 2)
    case.check("suppression without a verb", ["suppression"], 2)
    case.check("suppression with another verb", ["suppression", "eat"], 2, "eat")
    case.check("suppression check without address", ["suppression", "check"], 2)
    case.check("show without id", ["show"], 2)
    case.check("classify without path", ["classify"], 2)


def configuration(case):
    setup = case.setup
    box = setup.box
    good = open(setup.config_path, encoding="utf-8").read()

    def config(name, text, *words):
        path = box.write(name, text)
        case.check(f"config {name}", ["check-config", "--config", path], 1, name, *words)
        case.check(f"config {name}, used", ["status", "--config", path], 1, name, *words)

    missing = box.path("missing.yaml")
    for command in ("check-config", "receive", "process", "serve", "migrate", "status"):
        case.check("no config", [command, "--config", missing], 1, missing,
                   ("no such file", "not found", "does not exist"))
    case.check("config by environment", ["status"], 1, missing, env={"BOUNCEMX_CONFIG": missing})
    case.check("config is a directory", ["check-config", "--config", box.root], 1, box.root,
               "directory")
    config("empty.yaml", "")
    config("list.yaml", "- a\n- b\n")
    config("binary.yaml", bytes(range(256)) * 10)
    config("tab.yaml", "node:\tmx1\n\tx: [\n")
    config("deep.yaml", "[" * 5000)
    config("unknown.yaml", good + "spol: {}\n", "spol", "unknown")
    config("twice.yaml", good + "node: again\n", "node")
    config("type.yaml", good.replace("workers: 2", "workers: many"), "workers", "many")
    config("range.yaml", good.replace("workers: 2", "workers: 99999999"), "workers", "99999999")
    config("negative.yaml", good.replace("workers: 2", "workers: -1"), "workers", "-1")
    config("size.yaml", good.replace("max_bytes: 1GiB", "max_bytes: 1 big"), "max_bytes")
    config("huge.yaml", good.replace("max_bytes: 1GiB", "max_bytes: 99999999999999999999GiB"),
           "max_bytes")
    config("time.yaml", good.replace("keep_processed: 1h", "keep_processed: soon"),
           "keep_processed", "soon")
    config("domain.yaml", good.replace(harness.smtp.DOMAIN, "not_a domain"), "not_a domain")
    config("port.yaml", good.replace(f"port: {setup.port}", "port: 70000"), "port", "70000")
    config("address.yaml", good.replace("127.0.0.1", "localhost-x"), "localhost-x")
    config("rules.yaml", good.replace("workers: 2", "workers: 2\n  rules: [/nonexistent/x.rules]"),
           "/nonexistent/x.rules")
    # All mistakes in one run.
    path = box.write("both.yaml", good.replace("workers: 2", "workers: many") + "spol: {}\n")
    case.check("two mistakes", ["check-config", "--config", path], 1, "many", "spol")


def environment(case):
    setup = case.setup
    box = setup.box
    over = setup.overrides

    def config(name, **values):
        setup.overrides = over
        setup.configure(**values)
        path = box.path(name)
        os.rename(setup.config_path, path)
        setup.overrides = over
        setup.configure()
        return path

    # The database: away, a wrong conninfo, without the schema, with one that is newer.
    away = config("away.yaml", database={"conninfo": f"host={box.path('nowhere')} dbname=x"})
    for argv in (["migrate"], ["status"], ["suppression", "list"], ["suppression", "check", "a@b.c"],
                 ["set-aside", "list"], ["show", "00000000-0000-7000-8000-000000000001"]):
        case.check("database away", [*argv, "--config", away], 1, box.path("nowhere"),
                   quiet_out=argv != ["status"])  # which still shows what is known here
    wrong = config("conninfo.yaml", database={"conninfo": "no-equals-sign-here"})
    case.check("wrong conninfo", ["migrate", "--config", wrong], 1,
               ("conninfo", "connection info", "no-equals-sign-here"))
    secret = config("secret.yaml", database={
        "conninfo": f"host={box.path('nowhere')} password=hunter2secret dbname=x"})
    errors = case.check("password in conninfo", ["migrate", "--config", secret], 1)
    if "hunter2secret" in errors:
        case.wrong.append("a password is printed")
    setup.pg.sql("create database blank owner bouncemx", database="postgres")
    blank = config("blank.yaml", database={
        "conninfo": setup.pg.conninfo.replace("dbname=bouncemx", "dbname=blank")})
    for argv in (["status"], ["suppression", "list"], ["set-aside", "list"]):
        case.check("no schema", [*argv, "--config", blank], 1, "migrate",
                   quiet_out=argv != ["status"])
    version = setup.pg.count("select bouncemx.schema_version()")

    def schema_version(number):
        return ("create or replace function bouncemx.schema_version() returns integer language sql "
                f"immutable parallel safe return {number}")
    gap = "bouncemx.schema_migration"
    for make, undo, words in (
            (schema_version(version + 2), schema_version(version), "newer"),
            (f"insert into {gap} values (9999, 'future', 'x')",
             f"delete from {gap} where number = 9999", "9999")):
        setup.pg.sql(make)
        for argv in (["migrate"], ["status"], ["serve"]):
            case.check("newer schema", [*argv, "--config", setup.config_path], 1, words,
                       quiet_out=argv != ["status"])
        setup.pg.sql(undo)

    # The spool.
    plain = box.write("plain-file", "x")
    path = config("spool-file.yaml", spool={"directory": plain})
    for role in ("receive", "process"):
        case.check("spool is a file", [role, "--config", path], 1, plain, "directory")
    path = config("spool-under-file.yaml", spool={"directory": plain + "/spool"})
    case.check("spool below a file", ["receive", "--config", path], 1, plain)
    damaged = box.path("damaged-spool")
    os.mkdir(damaged, 0o700)
    with open(os.path.join(damaged, "journal"), "wb") as f:
        f.write(b"\xff" * 64)
    path = config("spool-damaged.yaml", spool={"directory": damaged})
    for role in ("receive", "process"):
        case.check("damaged journal file", [role, "--config", path], 1, damaged)

    # The port.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = config("port.yaml", listen=[{"address": "127.0.0.1", "port": port}],
                      spool={"directory": box.path("other-spool")})
        case.check("port in use", ["receive", "--config", path], 1, str(port), "127.0.0.1",
                   "in use")
    path = config("address.yaml", listen=[{"address": "192.0.2.77", "port": 25000}],
                  spool={"directory": box.path("other-spool")})
    case.check("address of another host", ["receive", "--config", path], 1, "192.0.2.77")

    # A second receiver beside a running one must not touch its lanes.
    setup.start("receive")
    ledger = Ledger("beside")
    stream(setup.port, ledger, 20, connections=2)
    path = config("beside.yaml", listen=[{"address": "127.0.0.1",
                                          "port": harness.sandbox.free_port()}])
    case.check("second receiver on one spool", ["receive", "--config", path], 1,
               ("lock", "another", "in use", "busy"), setup.spool)
    stream(setup.port, ledger, 20, connections=2)
    setup.start("process")
    setup.wait_drained(ledger)
    setup.check_exactly_once(ledger)
    setup.stop("process")
    setup.stop("receive")
    unprivileged(case, config)


def unprivileged(case, config):
    """Permissions, tried as nobody: root is refused nothing."""
    setup = case.setup
    if os.geteuid() != 0:
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    probe = subprocess.run([setup.program, "--version"], user=nobody, check=False,
                           capture_output=True, cwd="/") \
        if reachable(setup.program) else None
    if probe is None or probe.returncode != 0:
        setup.note(unprivileged_cases="skipped: nobody can't reach the program")
        return
    closed = setup.box.path("closed")
    os.mkdir(closed, 0o700)
    # Without keys, which nobody may not read either.
    path = config("spool-closed.yaml", spool={"directory": closed}, tokens={"keys": []})
    for role in ("receive", "process"):
        case.check("unreadable spool", [role, "--config", path], 1, closed, "permission",
                   user=nobody)
    path = config("spool-closed-below.yaml", spool={"directory": closed + "/spool"},
                  tokens={"keys": []})
    case.check("spool can't be made", ["receive", "--config", path], 1, closed, "permission",
               user=nobody)
    hidden = setup.box.write("hidden.yaml", "node: x\n", mode=0o600)
    case.check("unreadable config", ["check-config", "--config", hidden], 1, hidden, "permission",
               user=nobody)
    mail = setup.box.write("hidden.eml", "Subject: x\n\n", mode=0o600)
    case.check("unreadable mail", ["classify", mail], 1, mail, "permission", user=nobody,
               quiet_out=False)
    setup.note(unprivileged_cases="tried")


def reachable(path):
    while path != "/":
        mode = os.stat(path).st_mode
        if not mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


def arguments_of_commands(case):
    setup = case.setup
    box = setup.box
    config = ["--config", setup.config_path]
    unknown = "00000000-0000-7000-8000-000000000001"
    case.check("show: no such event", ["show", unknown, *config], 1, unknown)
    case.check("show: not an id", ["show", "five", *config], 2, "five")
    for verb in ("show", "retry", "drop"):
        case.check(f"set-aside {verb}: no such id", ["set-aside", verb, unknown, *config], 1,
                   unknown)
        case.check(f"set-aside {verb}: not an id", ["set-aside", verb, "five", *config], 2, "five")
    case.check("suppression check: not an address", ["suppression", "check", "no-at-sign", *config],
               2, "no-at-sign")
    case.check("suppression get: not there", ["suppression", "get", "a@example.org", *config], 1,
               "a@example.org")
    missing = box.path("missing.eml")
    case.check("classify: no such file", ["classify", missing], 1, missing, quiet_out=False)
    case.check("explain: nothing", ["explain"], 1, stdin=b"", quiet_out=False) \
        if setup.run("explain", stdin=b"", code=None).returncode else None
    # A full standard output is no success.
    for argv in (["explain", "550 5.1.1 user unknown"], ["events", *config],
                 ["check-config", *config], ["--version"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([setup.program, *argv], stdout=full, stderr=subprocess.PIPE,
                                  check=False, timeout=30)
        case.tried += 1
        if done.returncode != 1:
            case.wrong.append(f"bouncemx {' '.join(argv)} > /dev/full: exit {done.returncode}, "
                              f"expected 1; stderr {done.stderr.decode()!r}")


def test(setup):
    case = Case(setup)
    setup.database()
    parts = (usage, configuration, environment, arguments_of_commands)
    for part in parts:
        try:
            part(case)
        except Failure as e:
            case.wrong.append(f"{part.__name__} broke off: {e}")
    setup.note(mistakes_tried=case.tried)
    expect(not case.wrong, f"{len(case.wrong)} of {case.tried}:\n" + "\n".join(case.wrong))


if __name__ == "__main__":
    harness.main("bad_input", test)
