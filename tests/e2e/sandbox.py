"""A temporary directory, the processes started in it, and their end.

Everything a test starts has its working directory inside the sandbox, so whatever is left at the
end (a worker whose parent was killed, a PostgreSQL backend) is found by that and ended by its pid.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TIME_SCALE = float(os.environ.get("BOUNCEMX_TEST_TIME_SCALE", "1"))
KEEP = os.environ.get("BOUNCEMX_TEST_KEEP", "") not in ("", "0")


class Failure(Exception):
    """What the test was written to show does not hold."""


class Skip(Exception):
    """The machine lacks what the test needs; the text says what."""


def expect(good, text):
    if not good:
        raise Failure(text)


def wait_until(what, seconds, probe, every=0.05):
    """Asks probe() until it answers something true; fails after seconds (scaled)."""
    end = time.monotonic() + seconds * TIME_SCALE
    last = None
    while True:
        last = probe()
        if last:
            return last
        if time.monotonic() >= end:
            raise Failure(f"waited {seconds * TIME_SCALE:.0f} s in vain for {what} (last: {last!r})")
        time.sleep(every)


def free_port():
    """A port that nobody listens on, from the range below the kernel's ephemeral ports, so that no
    outgoing connection of another test takes it between now and its use."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as six, \
                socket.socket(socket.AF_INET, socket.SOCK_STREAM) as four:
            try:
                four.bind(("127.0.0.1", port))
                if socket.has_ipv6:
                    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    six.bind(("::1", port))
                return port
            except OSError:
                continue
    raise Failure("found no free port in 20000-31999")


# ---- /proc ----

def proc_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def proc_stat(pid):
    """Fields of /proc/PID/stat after the name: [0] is the state, [1] the parent."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2].split()
    except OSError:
        return None


def proc_alive(pid):
    stat = proc_stat(pid)
    return stat is not None and stat[0] not in (b"Z", b"X")


def proc_children(parent):
    found = []
    for pid in proc_pids():
        stat = proc_stat(pid)
        if stat and int(stat[1]) == parent and stat[0] not in (b"Z", b"X"):
            found.append(pid)
    return sorted(found)


def proc_descendants(parent):
    found = []
    for child in proc_children(parent):
        found += [child] + proc_descendants(child)
    return found


def proc_has_word(pid, word):
    """Is it one of the words that it was started with?"""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return word.encode() in f.read().split(b"\0")
    except OSError:
        return False


def proc_memory(pid, field="VmRSS"):
    """Bytes; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def proc_cpu(pid):
    """Seconds of processor time, with those of children it has waited for; 0.0 when gone."""
    stat = proc_stat(pid)
    return sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK") if stat else 0.0


def proc_written(pid):
    """Bytes it caused to be written to disk; 0 when gone."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as f:
            for line in f:
                if line.startswith("write_bytes:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def kill_pid(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


class Process:
    """One started program; its output goes to a log file of the sandbox."""

    def __init__(self, sandbox, name, argv, env=None, pass_fds=()):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log_path = os.path.join(sandbox.logs, f"{name}.log")
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        full_env = dict(os.environ)
        full_env.update(env or {})
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                self.argv, env=full_env, cwd=sandbox.run_directory, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=pass_fds)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def log(self):
        """What it wrote since this start."""
        with open(self.log_path, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode("utf-8", "replace")

    def kill(self, sig=signal.SIGKILL):
        if self.running():
            self.popen.send_signal(sig)

    def wait(self, seconds=20):
        try:
            return self.popen.wait(seconds * TIME_SCALE)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} (pid {self.pid}) did not end within "
                          f"{seconds * TIME_SCALE:.0f} s") from None

    def stop(self, seconds=20):
        """SIGTERM and the exit status; a clean end is 0."""
        self.kill(signal.SIGTERM)
        return self.wait(seconds)


class Sandbox:
    def __init__(self, name):
        self.root = tempfile.mkdtemp(prefix=f"bouncemx-{name}-", dir=os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.root, 0o755)  # PostgreSQL runs as another user
        self.logs = self.path("logs")
        self.run_directory = self.path("run")
        for directory in (self.logs, self.run_directory):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
        self.guardian, self.guard = self._guardian()

    def _guardian(self):
        """A process that waits for our end, and cleans up when we could not (SIGKILL)."""
        end, guard = os.pipe()
        pid = os.fork()
        if pid:
            os.close(end)
            return pid, guard
        os.setsid()
        os.close(guard)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nothing, fd)
        if os.read(end, 1) == b"":  # closed without a word
            self._clean()
        os._exit(0)

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, name, content, mode=0o644):
        path = self.path(name)
        data = content if isinstance(content, bytes) else content.encode()
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    def start(self, name, argv, env=None, pass_fds=()):
        return Process(self, name, argv, env, pass_fds)

    def mount_tmpfs(self, name, size):
        """A tmpfs of size bytes; Skip where that is not allowed."""
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755",
                               "bouncemx-test", path], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Skip(f"can't mount a tmpfs ({done.stderr.strip() or 'needs root'})")
        return path

    def own_processes(self):
        """Pids whose working directory is in the sandbox, whoever their parent is by now."""
        found = []
        for pid in proc_pids():
            if pid == os.getpid():
                continue
            try:
                cwd = os.readlink(f"/proc/{pid}/cwd")
            except OSError:
                continue
            if (cwd + "/").startswith(self.root + "/") and proc_alive(pid):
                found.append(pid)
        return found

    def end_processes(self):
        for _ in range(100):
            left = self.own_processes()
            if not left:
                return
            for pid in left:
                kill_pid(pid)
            time.sleep(0.02)

    def log_tails(self, size=4000):
        out = []
        for name in sorted(os.listdir(self.logs)):
            with open(os.path.join(self.logs, name), "rb") as f:
                f.seek(0, os.SEEK_END)
                f.seek(max(0, f.tell() - size))
                out.append(f"---- {name} (its end)\n{f.read().decode('utf-8', 'replace')}")
        return "\n".join(out)

    def sanitizer_reports(self):
        """Lines by which ASan, UBSan, TSan or our own REQUIRE say that the program is wrong."""
        words = (b"Sanitizer:", b"runtime error:", b"REQUIRE", b"stack smashing")
        found = []
        for name in sorted(os.listdir(self.logs)):
            with open(os.path.join(self.logs, name), "rb") as f:
                for line in f:
                    if any(word in line for word in words):
                        found.append(f"{name}: {line.decode('utf-8', 'replace').strip()}")
        return found

    def close(self):
        self._clean()
        os.write(self.guard, b".")
        os.waitpid(self.guardian, 0)

    def _clean(self):
        self.end_processes()
        with open("/proc/mounts", encoding="utf-8") as f:
            mounted = [line.split()[1] for line in f]
        for path in reversed(mounted):
            if path.startswith(self.root + "/"):
                subprocess.run(["umount", "-l", path], check=False, capture_output=True)
        if KEEP:
            print(f"kept: {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)
