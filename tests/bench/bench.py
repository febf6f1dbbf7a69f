"""What the benchmarks share: the harness of the end-to-end tests, tables, and sums by process."""
import json
import os
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import attacks  # noqa: E402  pylint: disable=wrong-import-position
import harness  # noqa: E402  pylint: disable=wrong-import-position
import sandbox  # noqa: E402  pylint: disable=wrong-import-position
import smtp  # noqa: E402  pylint: disable=wrong-import-position
import tls_pair  # noqa: E402  pylint: disable=wrong-import-position

PLACE = "@" * 12  # becomes a number, see generator.c


def main(name, test, arguments=None, bound=1200):
    """As harness.main, with the release build unless told otherwise."""
    if "BOUNCEMX" not in os.environ and "--build" not in " ".join(sys.argv):
        os.environ["BOUNCEMX"] = os.path.join(harness.ROOT, "build", "release", "bouncemx")

    def checked(setup):
        if "libasan" in harness.libraries_of(setup.program):
            setup.note(warning="built with ASan: the figures say nothing")
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        test(setup)
    harness.main("bench_" + name, checked, arguments, bound)


def certificate(setup):
    """A pair for tls.certificates: self-signed, ECDSA P-256."""
    return tls_pair.make(setup.box, "mx1.bounces.example.test")


RECIPIENT = f"user-{PLACE}@remote.example.test"


def template(setup, size=4000):
    """A report of about size octets with a place for a number, so that each message differs."""
    return setup.box.write("template.eml", smtp.bounce(RECIPIENT, size))


def generator_start(setup, port, **options):
    argv = [attacks.generator_path(setup.program), "--port", str(port)]
    if "sign" not in options:
        argv += ["--to", f"list@{smtp.DOMAIN}"]
    for key, value in options.items():
        argv.append("--" + key.replace("_", "-"))
        if value is not True:
            argv.append(str(value))
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            cwd=setup.box.run_directory)


def generator_end(process, timeout=600):
    out, errors = process.communicate(timeout=timeout)
    if process.returncode != 0:
        raise harness.Failure(f"generator: exit {process.returncode}: {errors.decode()[-500:]}")
    return json.loads(out)


def table(rows, headings):
    """Aligned columns: the first to the left, the others to the right."""
    cells = [[str(c) for c in row] for row in [headings] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    for row in cells:
        print("  " + row[0].ljust(widths[0]) + "".join(
            "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:])))
    print(flush=True)


class Usage:
    """CPU seconds and bytes written of groups of processes, between two looks."""

    def __init__(self, groups):
        """groups: name -> function that lists pids now."""
        self.groups = groups
        self.before = {name: self._sums(pids()) for name, pids in groups.items()}

    @staticmethod
    def _sums(pids):
        return {pid: (sandbox.proc_cpu(pid), sandbox.proc_written(pid)) for pid in pids}

    def since(self):
        """name -> (CPU seconds, bytes written)."""
        out = {}
        for name, pids in self.groups.items():
            now = self._sums(pids())
            before = self.before[name]
            out[name] = tuple(sum(now[pid][i] - before.get(pid, (0, 0))[i] for pid in now)
                              for i in (0, 1))
        return out


def machine():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return f"{os.cpu_count()} × {names[0] if names else 'unknown'}"


def timed(function):
    start = time.monotonic()
    value = function()
    return time.monotonic() - start, value
