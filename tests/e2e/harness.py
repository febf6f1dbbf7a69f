"""What the end-to-end tests share: the program under test, its configuration, and main().

The program is found by BOUNCEMX (its path) or --build DIR, else build/dev, else build/release.
A test is a function that gets a Setup; it ends by returning, by Failure or by Skip (exit 77).
"""
import argparse
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback

import postgres
import sandbox
import smtp
from sandbox import Failure, Skip, expect, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXIT_SKIP = 77


def find_program(build=None):
    if build:
        paths = [os.path.join(build, "bouncemx")]
    elif os.environ.get("BOUNCEMX"):
        paths = [os.environ["BOUNCEMX"]]
    else:
        paths = [os.path.join(ROOT, "build", p, "bouncemx") for p in ("dev", "release")]
    for path in paths:
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise Failure("no program found at " + ", ".join(paths) + "; build it or set BOUNCEMX")


def libraries_of(program):
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return done.stdout


def preload(setup, shim):
    """Environment that loads shim into the program. ASan's runtime must come before it. A copy in
    the sandbox is loaded: LD_PRELOAD knows no path with a blank or a colon."""
    found = re.search(r"=> (\S*lib(?:asan|tsan)\.so\S*)", libraries_of(setup.program))
    copy = shutil.copy(shim, setup.box.path(os.path.basename(shim)))
    names = ([found.group(1)] if found else []) + [copy]
    return {"LD_PRELOAD": " ".join(names)}


def find_shim(name):
    """A shared object of tests/fault, built beside the program or named by the environment."""
    directories = [os.environ.get("BOUNCEMX_SHIMS", "")]
    directories.append(os.path.join(os.path.dirname(find_program()), "tests", "fault"))
    for directory in filter(None, directories):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return os.path.abspath(path)
    raise Skip(f"{name} is not built")


def yaml(value, indent=0):
    """Block YAML of dicts, lists and scalars; plain scalars as a person would write them."""
    pad = "  " * indent
    if isinstance(value, dict):
        out = ""
        for key, inner in value.items():
            if isinstance(inner, dict) and inner:
                out += f"{pad}{key}:\n{yaml(inner, indent + 1)}"
            elif isinstance(inner, list) and inner:
                out += f"{pad}{key}:\n"
                for item in inner:
                    if isinstance(item, dict):
                        body = yaml(item, indent + 2)
                        out += f"{pad}  - {body.lstrip()}"
                    else:
                        out += f"{pad}  - {scalar(item)}\n"
            else:
                out += f"{pad}{key}: {scalar(inner)}\n"
        return out
    raise TypeError(type(value))


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, dict)):
        return "[]" if isinstance(value, list) else "{}"
    if re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*", value):
        return value
    return json.dumps(value)


def merge(base, over):
    """base with the values of over; dicts key by key, None removes."""
    out = dict(base)
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


class Setup:
    """One sandbox with its PostgreSQL, its configuration and the roles started in it."""

    def __init__(self, name, options):
        self.program = find_program(options.build)
        self.name = name
        self.options = options
        self.others = []
        self.box = sandbox.Sandbox(name)
        self.random = random.Random(options.seed)
        self.pg = None
        self.port = sandbox.free_port()
        self.roles = {}
        self.summary = {}
        self.overrides = {}
        self.config_path = self.box.path("bouncemx.yaml")
        self.spool = self.box.path("spool")

    # ---- database ----

    def database(self, migrate=True, durable=False, options=()):
        self.pg = postgres.Postgres(self.box, durable, options)
        self.configure()
        if migrate:
            self.run("migrate", "--config", self.config_path)
        return self.pg

    def another(self, node):
        """A second host in a sandbox of its own, with the same database and settings."""
        other = Setup(f"{self.name}-{node}", self.options)
        self.others.append(other)
        other.pg = self.pg
        other.configure(**merge(self.overrides, {"node": node}))
        return other

    # ---- configuration ----

    def configure(self, **over):
        """Writes the configuration file: the defaults of these tests, all overrides so far."""
        self.overrides = merge(self.overrides, over)
        base = {
            "node": "mx1",
            "hostname": "mx1.bounces.example.test",
            "listen": [{"address": "127.0.0.1", "port": self.port}],
            "domains": [{"name": smtp.DOMAIN, "accept": "any", "tenant": "main",
                         "stream": "default"}],
            "tokens": {"keys": [{"id": "a", "file": "token-a.key"}]},
            "spool": {"directory": self.spool, "max_bytes": "1GiB", "segment_bytes": "4MiB",
                      "keep_bytes": "64KiB", "keep_processed": "1h"},
            "database": {"conninfo": self.pg.conninfo if self.pg else
                         f"host={self.box.root} dbname=bouncemx connect_timeout=2",
                         "batch_events": 200, "batch_wait": "20ms", "retry_max": "500ms"},
            "processor": {"workers": 2},
            "receiver": {"threads": 2},
            "log": {"addresses": "full"},
        }
        config = merge(base, self.overrides)
        self.box.write("token-a.key", smtp.KEY.hex() + "\n", 0o600)
        self.box.write("bouncemx.yaml", yaml(config))
        return self.config_path

    # ---- the program ----

    def run(self, *argv, code=0, stdin=None, env=None, timeout=60):
        """Runs a command of the program to its end. code=None: any exit status."""
        full = dict(os.environ)
        full.update(env or {})
        done = subprocess.run([self.program, *map(str, argv)], capture_output=True,
                              input=stdin, cwd=self.box.run_directory, env=full, check=False,
                              timeout=timeout * sandbox.TIME_SCALE)
        done.out = done.stdout.decode("utf-8", "replace")
        done.errors = done.stderr.decode("utf-8", "replace")
        for word in ("Sanitizer:", "runtime error:"):
            expect(word not in done.errors, f"bouncemx {' '.join(argv)}:\n{done.errors[-4000:]}")
        if code is not None and done.returncode != code:
            raise Failure(f"bouncemx {' '.join(map(str, argv))}: exit {done.returncode}, expected "
                          f"{code}\n{done.out[-2000:]}{done.errors[-2000:]}")
        return done

    def command(self, *argv, **kwargs):
        """As run, with --config."""
        return self.run(*argv, "--config", self.config_path, **kwargs)

    def json_lines(self, *argv):
        return [json.loads(line) for line in self.command(*argv, "--json").out.splitlines()]

    def start(self, role, env=None, wait=True):
        """receive, process or serve; waits until it says that it serves."""
        old = self.roles.get(role)
        expect(old is None or not old.running(), f"{role} runs already")
        told, tell = os.pipe()
        try:
            process = self.box.start(role, [self.program, role, "--config", self.config_path,
                                            "--ready-fd", str(tell)], env=env, pass_fds=(tell,))
            self.roles[role] = process
            os.close(tell)
            tell = -1
            if wait:
                readable, _, _ = select.select([told], [], [], 60 * sandbox.TIME_SCALE)
                if not readable or os.read(told, 1) == b"":
                    raise Failure(f"{role} does not get ready:\n{process.log()[-3000:]}")
        finally:
            os.close(told)
            if tell >= 0:
                os.close(tell)
        if wait and role != "process":
            self.wait_port(role)
        return process

    def wait_port(self, role, seconds=30):
        def probe():
            process = self.roles[role]
            if not process.running():
                raise Failure(f"{role} ended with {process.popen.returncode}:\n"
                              f"{process.log()[-3000:]}")
            try:
                smtp.Client(self.port, timeout=5).quit()
                return True
            except (smtp.Lost, smtp.Refused):
                return False
        wait_until(f"{role} to greet on port {self.port}", seconds, probe)

    def stop(self, role, seconds=30):
        """SIGTERM; a clean end is exit 0."""
        code = self.roles[role].stop(seconds)
        expect(code == 0, f"{role} ended with {code} on SIGTERM:\n{self.roles[role].log()[-3000:]}")

    def kill(self, role):
        self.roles[role].kill()
        self.roles[role].wait(10)

    def workers(self):
        """Pids of the processor's workers and its deliverer."""
        role = self.roles.get("process")
        return sandbox.proc_children(role.pid) if role and role.running() else []

    def served(self, wanted):
        """Pids of receive, process, or the worker processes, of the running serve."""
        found = [pid for pid in sandbox.proc_children(self.roles["serve"].pid)
                 if sandbox.proc_has_word(pid, "process" if wanted == "worker" else wanted)]
        if wanted == "worker":
            found = [child for pid in found for child in sandbox.proc_children(pid)]
        return found

    # ---- rows ----

    def addresses(self):
        """address -> how many events name it."""
        return {a: int(n) for a, n in self.pg.sql(
            "select final_recipient, count(*) from bouncemx.event "
            "where final_recipient is not null group by 1")}

    def wait_drained(self, ledger, seconds=60):
        """Until every message answered 250 has an event; fails early when it can't come true."""
        def probe():
            with ledger.lock:
                wanted = set(ledger.acked)
            missing = len(wanted - self.addresses().keys())
            probe.missing = missing
            return missing == 0
        probe.missing = None
        try:
            wait_until("all acknowledged messages to have rows", seconds, probe, every=0.2)
        except Failure as e:
            raise Failure(f"{e}; {probe.missing} of {len(ledger.acked)} missing") from None

    def check_exactly_once(self, ledger, set_aside=0):
        """The promise: what was answered 250 has message, event and evidence exactly once, with
        the very bytes that were sent (below the Received: line); what was not, at most once; nothing else is there."""
        rows = self.pg.sql("""
            select e.final_recipient, m.id, count(distinct m.id), count(*),
                   count(v.id), min(md5(substring(v.raw from length(v.raw) - m.size::int + 1)))
            from bouncemx.event e
            left join bouncemx.message m on m.id = bouncemx.message_of(e.id)
            left join bouncemx.evidence v on v.id = m.id
            group by 1, 2""")
        seen, wrong = {}, []
        for address, message, messages, joined, evidence, digest in rows:
            if address in seen:
                wrong.append(f"{address}: in message {seen[address][0]} and in {message}")
            if (messages, joined, evidence) != ("1", "1", "1"):
                wrong.append(f"{address}: {joined} rows, {evidence} of evidence")
            seen[address] = (message, digest)
        with ledger.lock:
            acked, unsure = dict(ledger.acked), dict(ledger.unsure)
            refused = dict(ledger.refused)
        missing = sorted(acked.keys() - seen.keys())
        strangers = sorted(seen.keys() - acked.keys() - unsure.keys() - refused.keys())
        other_bytes = [a for a, digest in acked.items() if a in seen and seen[a][1] != digest]
        expect(not missing, f"{len(missing)} acknowledged messages have no rows: {missing[:5]}")
        expect(not wrong, f"{len(wrong)} counted more than once: {wrong[:5]}")
        expect(not strangers, f"{len(strangers)} rows nobody sent: {strangers[:5]}")
        expect(not other_bytes, f"{len(other_bytes)} differ from what was sent: {other_bytes[:5]}")
        for table in ("message", "event", "evidence"):
            count = self.pg.count(f"select count(*) from bouncemx.{table}")
            expect(count == len(seen), f"{count} rows in {table}, expected {len(seen)}")
        # Every address is new and bounces hard: counted twice would show here.
        counted = self.pg.sql("select address_key, events from bouncemx.suppression where events <> 1 "
                              "union all select address_key, strikes from bouncemx.struck "
                              "where strikes <> 1")
        expect(not counted, f"suppressions or strikes by more than one event: {counted[:5]}")
        aside = self.pg.count("select count(*) from bouncemx.set_aside")
        expect(aside == set_aside, f"{aside} messages set aside, expected {set_aside}")
        self.note(acknowledged=len(acked), rows=len(seen),
                  unanswered=len(unsure), unanswered_with_rows=len(unsure.keys() & seen.keys()))

    def check_logs(self):
        found = [line for s in (self, *self.others) for line in s.box.sanitizer_reports()]
        expect(not found, "a log holds:\n" + "\n".join(found[:10]))

    def note(self, **values):
        self.summary.update(values)

    def log_tails(self):
        return "\n".join(s.box.log_tails() for s in (self, *self.others))

    def close(self):
        for setup in (*self.others, self):
            setup.box.close()


def main(name, test, arguments=None, bound=170):
    """Runs test(setup), for bound seconds at most, with every process ended in every case; prints
    what was measured."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--build", help="build directory that holds bouncemx")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("BOUNCEMX_TEST_SEED", "0")))
    parser.add_argument("--json", action="store_true", help="print the summary as JSON too")
    if arguments:
        arguments(parser)
    options = parser.parse_args()
    if not options.seed:
        options.seed = random.SystemRandom().randrange(1, 1 << 31)

    # Processes die on purpose here.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

    def ended(signum, _frame):
        raise KeyboardInterrupt(f"signal {signum}")
    signal.signal(signal.SIGTERM, ended)

    def too_long(_signum, _frame):
        raise Failure(f"took longer than {bound * sandbox.TIME_SCALE:.0f} s")
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int((1800 if getattr(options, "long", False) else bound) * sandbox.TIME_SCALE))

    started = time.monotonic()
    setup = None
    code = 1
    try:
        setup = Setup(name, options)
        test(setup)
        setup.check_logs()
        code = 0
        print(f"{name}: holds", end="")
    except Skip as e:
        code = EXIT_SKIP
        print(f"{name}: skipped: {e}", end="")
    except Failure as e:
        print(f"{name}: FAILED: {e}")
        if setup:
            print(setup.log_tails())
        print(f"{name}: failed (seed {options.seed})", end="")
    except KeyboardInterrupt as e:
        print(f"{name}: ended by {e or 'Ctrl-C'}", end="")
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        if setup:
            print(setup.log_tails())
        print(f"{name}: broke (seed {options.seed})", end="")
    finally:
        signal.alarm(0)
        if setup:
            setup.close()
    print(f" · {time.monotonic() - started:.1f} s")
    if setup:
        for key, value in setup.summary.items():
            print(f"  {key.replace('_', ' ')}: {value}")
        if options.json:
            print(json.dumps({"test": name, "seed": options.seed, "exit": code, **setup.summary}))
    sys.exit(code)
