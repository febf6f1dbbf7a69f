"""What the tests of the feed share: readers that follow it through the program, and a list to change."""
import json
import signal
import subprocess
import threading
import time

from sandbox import Failure, expect

# Changes as policy and people make them, without mail.
CHANGES = """
create or replace function put_rows(keys text[], why text) returns void language sql as $f$
    insert into bouncemx.suppression as s (address_key, tenant, scope, stream, address, event_stream,
        event_at, kind, events, last_event_at, origin, reason, actor)
    select k, 'main', 'tenant', '', k, '', clock_timestamp(), 'bounce', 0, clock_timestamp(), 'manual',
           why, 'test'
      from (select distinct unnest(keys) as k order by 1) u
    on conflict (address_key, tenant, scope, stream) do update set reason = excluded.reason
$f$;
"""


class Reader(threading.Thread):
    """Follows the feed by the program in a thread of its own; may be cut off at any moment, and goes on
    after the last whole line that it got."""

    def __init__(self, setup, name, cursor):
        super().__init__(name=name, daemon=True)
        self.setup = setup
        self.cursor = cursor
        self.lines = []  # (object, when it came)
        self.ends = []   # exit codes
        self.process = None
        self.stopping = False
        self.errors = setup.box.path("logs", f"{name}.log")

    def run(self):
        while not self.stopping:
            with open(self.errors, "ab") as errors:
                # pylint: disable=consider-using-with
                self.process = subprocess.Popen(
                    [self.setup.program, "feed", "--config", self.setup.config_path, "--after",
                     self.cursor, "--follow"], stdout=subprocess.PIPE, stderr=errors,
                    cwd=self.setup.box.run_directory)
            for line in self.process.stdout:
                if not line.endswith(b"\n"):
                    break  # it was killed while it wrote
                entry = json.loads(line)
                self.lines.append((entry, time.time()))
                self.cursor = entry["cursor"]
            self.ends.append(self.process.wait())
            if self.ends[-1] > 0:
                return

    def cut(self, how):
        if self.process:
            self.process.send_signal(how)

    def finish(self):
        self.stopping = True
        self.cut(signal.SIGTERM)
        self.join(20)
        expect(not self.is_alive(), f"{self.name} does not end on SIGTERM")
        expect(all(code in (0, -signal.SIGKILL) for code in self.ends),
               f"{self.name} ended with {self.ends}: {self.log()}")

    def log(self):
        with open(self.errors, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def check_alive(self):
        if not self.is_alive():
            raise Failure(f"{self.name} ended with {self.ends}: {self.log()}")

    def numbers(self):
        return [int(entry["cursor"].split(".")[1]) for entry, _ in self.lines]

    def rows(self):
        """The list as this reader has it: each entry is the whole state of a row."""
        rows = {}
        for entry, _ in self.lines:
            key = (entry["address_hash"], entry["tenant"], entry["scope"], entry["stream"])
            if entry["op"] == "upsert":
                rows[key] = (entry["address"], entry["reason"])
            else:
                rows.pop(key, None)
        return sorted(rows.values())


def start_keeper(setup, name, config=None):
    return setup.box.start(name, [setup.program, "maintain", "--follow", "--config",
                                  config or setup.config_path])


def wait_numbered(setup, seconds=20):
    def probe():
        return setup.pg.value("select coalesce(bouncemx.feed_due(), 'done')") == "done"
    end = time.monotonic() + seconds
    while not probe():
        expect(time.monotonic() < end, "changes stay without numbers")
        time.sleep(0.05)
