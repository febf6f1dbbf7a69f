#!/usr/bin/env python3
"""run.py SOURCE_DIR - does ./run keep its promises?

In a folder of links to the checkout with a var/ of its own: --once with its own PostgreSQL and with
that of BOUNCEMX_DATABASE, a second start at the same time, a port that is taken, serving until
Ctrl-C, and nothing left running after each.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

source = os.path.realpath(sys.argv[1])
top = tempfile.mkdtemp(prefix="bouncemx run ")  # a blank in the path, as people have
os.chmod(top, 0o755)
postgres_sh = os.path.join(source, "tests/support/postgres.sh")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


port = free_port()
env = dict(os.environ, BOUNCEMX_PORT=str(port))
env.pop("BOUNCEMX_DATABASE", None)
env.pop("BOUNCEMX_CONFIG", None)


def check(good, what, shown=""):
    print(("ok - " if good else "not ok - ") + what, flush=True)
    if not good:
        print(shown)
        sys.exit(1)


def run(*args, **more):
    return subprocess.run(["./run", *args], cwd=top, env=dict(env, **more), timeout=300, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def left_over():
    """Processes that still speak of our folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{top}/" in line:
            found.append(f"{pid} {line}")
    return found


def cluster(shown):
    words = [l for l in shown.splitlines() if l.startswith("== PostgreSQL: private, in ")]
    return words[0].split(" in ", 1)[1].split(" (")[0]


def stopped(home):
    return subprocess.run([postgres_sh, "status", home], capture_output=True).returncode != 0


home = None
serving = None
try:
    for name in os.listdir(source):
        if name not in ("var", "run", ".git"):
            os.symlink(os.path.join(source, name), os.path.join(top, name))
    shutil.copy(os.path.join(source, "run"), top)

    r = run("--twice")
    check(r.returncode == 2 and "usage" in r.stdout, "a wrong option is wrong usage", r.stdout)

    r = run("--once")
    check(r.returncode == 0 and "All rows are as" in r.stdout, "--once, first start", r.stdout)
    check("anna.keller@example.com" in r.stdout, "the tables are shown", r.stdout)
    told = r.stdout.split("== Forged: ", 1)[-1]
    check("forged  bounce" in told and "petra.wolf@example.com" in told,
          "the forged report is shown, and why it did nothing", r.stdout)
    key = os.path.join(top, "var/token-a.key")
    check(os.stat(key).st_mode & 0o777 == 0o600, "the key is private")
    home = cluster(r.stdout)
    check(stopped(home) and not left_over(), "nothing is left running", left_over())

    began = time.monotonic()
    r = run("--once")
    check(r.returncode == 0 and "new cluster" not in r.stdout, "--once, the cluster is used again",
          r.stdout)
    print(f"second start: {time.monotonic() - began:.1f} s")

    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        r = run("--once")
    check(r.returncode == 1 and f"port {port} is taken" in r.stdout, "a taken port is told", r.stdout)

    with open(os.path.join(top, "shown"), "w+") as shown:
        # Ctrl-C goes to the whole group of the terminal.
        serving = subprocess.Popen(["./run"], cwd=top, env=env, stdin=subprocess.DEVNULL,
                                   stdout=shown, stderr=subprocess.STDOUT, start_new_session=True)
        for _ in range(600):
            shown.seek(0)
            text = shown.read()
            if "Try next" in text or serving.poll() is not None:
                break
            time.sleep(0.1)
        check("Try next" in text, "it serves and says what to try next", text)
        r = run("--once")
        check(r.returncode == 1 and "another ./run" in r.stdout, "a second start is told", r.stdout)
        with socket.create_connection(("::1", port), timeout=10) as s:
            check(s.recv(4) == b"220 ", "it still serves")
        time.sleep(0.2)
        os.killpg(serving.pid, signal.SIGINT)
        rc = serving.wait(60)
        shown.seek(0)
        check(rc == 0, "Ctrl-C ends it well", f"exit {rc}\n{shown.read()}")
        check(stopped(home) and not left_over(), "nothing is left running", left_over())

    r = subprocess.run([postgres_sh, "run", sys.executable, "-c",
                        "import os, subprocess, sys; sys.exit(subprocess.run(['./run', '--once'], "
                        "env=dict(os.environ, BOUNCEMX_DATABASE=os.environ"
                        "['BOUNCEMX_TEST_CONNINFO'])).returncode)"],
                       cwd=top, env=env, text=True, timeout=300, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # The journal is the one that the private cluster has read: the other server gets it again.
    check(r.returncode == 0 and "All rows are as" in r.stdout, "--once with BOUNCEMX_DATABASE",
          r.stdout)
    check(not left_over(), "nothing is left running", left_over())

    r = run("--once", BOUNCEMX_DATABASE="host=/nowhere dbname=x")
    check(r.returncode == 1 and "/nowhere" in r.stdout, "a database that is not there is told", r.stdout)
finally:
    if serving and serving.poll() is None:
        serving.kill()
    if home:
        subprocess.run([postgres_sh, "stop", home], check=False)
        shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(top, ignore_errors=True)
