"""A private PostgreSQL (tests/support/postgres.sh): started, stopped and killed at will."""
import os
import shutil
import subprocess

from sandbox import TIME_SCALE, Failure, Skip, proc_alive, proc_children

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support",
                      "postgres.sh")


class Postgres:
    """durable=False switches the server's fsync off: a killed process leaves its writes with the
    kernel, so SIGKILL loses nothing by it; only a crash of the machine would.

    copy_of: another one, of which this is a streaming standby under its name."""

    def __init__(self, sandbox, durable=False, options=(), name="pg", copy_of=None):
        self.name = name
        self.directory = sandbox.path(name)
        self.durable = durable
        # The test decides when it is back, not its postmaster.
        self.options = " ".join(["-c restart_after_crash=off", "-c log_min_messages=warning",
                                 *(f"-c {option}" for option in options)])
        self.starter = None
        self.out = sandbox.path(f"{name}.out")
        if copy_of:
            self.copy(copy_of)
        try:
            self.conninfo = self.start()
        except Failure as e:
            if "no PostgreSQL server found" in str(e):
                raise Skip(str(e)) from None
            raise
        finally:
            log = os.path.join(self.directory, "server.log")
            if os.path.exists(log):
                os.symlink(log, os.path.join(sandbox.logs, f"postgres-{name}.log"))

    def _script(self, command, *argv, wait=True):
        self._starter_ended()
        # Output through a file: the server inherits it, a pipe would never end.
        with open(self.out, "w+b") as out:
            process = subprocess.Popen(
                ["bash", SCRIPT, command, self.directory, *argv], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, cwd=os.path.dirname(self.directory),
                env={**os.environ, "BOUNCEMX_PG_OPTIONS": self.options})
            if not wait:
                self.starter = process
                return ""
            code = process.wait(180 * TIME_SCALE)
            out.seek(0)
            text = out.read().decode("utf-8", "replace")
        if code != 0:
            raise Failure(f"postgres.sh {command}: exit {code}: {text[-2000:]}")
        return text.strip().splitlines()[-1] if text.strip() else ""

    def _starter_ended(self):
        if self.starter:
            self.starter.wait(120 * TIME_SCALE)
            self.starter = None

    def start(self, wait=True):
        return self._script("start", *([] if self.durable else ["--no-fsync"]), wait=wait)

    # ---- pairs and backups ----

    def copy(self, of):
        """Makes this one, which does not run, a standby of the running server of."""
        self._script("copy", of.directory, self.name)

    def promote(self):
        self._script("promote")

    def backup(self, to):
        """A base backup of the running server into the new folder to."""
        self._script("backup", to)

    def restore(self, backup, settings):
        """Puts the backup in the place of the data, to be recovered as settings say at its start."""
        shutil.rmtree(os.path.join(self.directory, "data"), ignore_errors=True)
        self._script("restore", backup, *settings)

    def set(self, **settings):
        """ALTER SYSTEM, and what it is changed to is read at once."""
        for name, value in settings.items():
            self.sql(f"alter system set {name} = '{value}'", database="postgres")
        self.sql("select pg_reload_conf()", database="postgres")

    def wait_ready(self):
        self.start()

    def stop(self):
        """Fast shutdown: sessions are ended, a checkpoint is written."""
        self._script("stop")

    def pid(self):
        try:
            with open(os.path.join(self.directory, "data", "postmaster.pid"),
                      encoding="ascii") as f:
                return int(f.readline())
        except (OSError, ValueError):
            return 0

    def running(self):
        return self.pid() != 0 and proc_alive(self.pid())

    def kill(self):
        """SIGKILL to the postmaster and to all of its processes at one moment: a crash."""
        self._script("kill9")

    def pids(self):
        return [self.pid()] + proc_children(self.pid())

    def admin(self, database="bouncemx", login="postgres"):
        return f"host={self.directory}/socket port=5432 user={login} dbname={database}"

    def sql(self, text, database="bouncemx", timeout=120, login="postgres"):
        """Rows as lists of strings (NULL: empty string), asked as superuser or another login."""
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1",
             "-d", self.admin(database, login), "-f", "-"], input=text, capture_output=True,
            text=True, check=False, timeout=timeout)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}\n  in: {text.strip()[:400]}")
        out = done.stdout.rstrip("\n").rstrip("\x1e")
        return [row.split("\x1f") for row in out.split("\x1e")] if out else []

    def value(self, text, **kwargs):
        rows = self.sql(text, **kwargs)
        return rows[0][0] if rows else None

    def count(self, text, **kwargs):
        return int(self.value(text, **kwargs))
