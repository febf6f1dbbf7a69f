#!/usr/bin/env python3
"""Root binds the port, receiver.user does the work and never is root again; a start that lacks
something says what. Needs root: it becomes nobody."""
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess

import harness
from harness import Failure, Skip, expect, wait_until
from sandbox import kill_pid, proc_alive, proc_children, proc_descendants
from smtp import KEY, Client, Ledger, stream

USER = "nobody"
# A process that gave its privileges up can't be looked at by the leak finder.
ENV = {"ASAN_OPTIONS": "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")}


def low_port():
    for port in range(600, 1000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Skip("no free port below 1024")


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return {k: v.split() for k, v in (line.split(":", 1) for line in f if ":" in line)}


def check_dropped(pid, what, groups=None):
    """All ids are the user's, no capability is left, none can come."""
    who = pwd.getpwnam(USER)
    s = status(pid)
    expect(s["Uid"] == [str(who.pw_uid)] * 4, f"{what}: Uid {s['Uid']}")
    expect(s["Gid"] == [str(who.pw_gid)] * 4, f"{what}: Gid {s['Gid']}")
    wanted = {g.gr_gid for g in grp.getgrall() if USER in g.gr_mem} | {who.pw_gid}
    expect(groups is not None or {int(g) for g in s["Groups"]} == wanted, f"{what}: Groups {s['Groups']}")
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        expect(int(s[name][0], 16) == 0, f"{what}: {name} {s[name]}")
    expect(groups is not None or int(s["CapBnd"][0], 16) == 0, f"{what}: CapBnd {s['CapBnd']}")
    expect(s["NoNewPrivs"] == ["1"], f"{what}: NoNewPrivs {s['NoNewPrivs']}")


def roles(setup):
    found = {}
    for pid in proc_children(setup.roles["serve"].pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue  # it is gone
        if len(words) > 1:
            found[words[1].decode()] = pid
    return found


def serve(setup):
    """Everything together on a port that only root binds, also when it has to be bound again."""
    ledger = Ledger("user")
    setup.start("serve", env=ENV)
    stream(setup.port, ledger, 50)
    found = roles(setup)
    expect(set(found) == {"receive", "process", "maintain"}, f"{found}")
    for name, pid in found.items():
        check_dropped(pid, name)
    children = proc_children(found["process"])
    expect(len(children) == 3, f"{len(children)} children, expected two workers and the deliverer")
    for pid in children:
        check_dropped(pid, "child of process")
    st = os.stat(setup.spool)
    expect((st.st_uid, st.st_mode & 0o7777) == (pwd.getpwnam(USER).pw_uid, 0o700),
           f"the spool directory: owner {st.st_uid}, mode {st.st_mode & 0o7777:o}")
    kill_pid(found["receive"])
    wait_until("the receiver to be started again", 20,
               lambda: roles(setup).get("receive") not in (None, found["receive"]))
    setup.wait_port("serve")
    stream(setup.port, ledger, 50)
    # It reads all of its configuration anew as who it is now.
    setup.configure(hostname="mx2.example.test")
    setup.roles["serve"].kill(signal.SIGHUP)
    wait_until("the reload", 30, lambda: "receiver reloaded" in setup.roles["serve"].log() and
               "processor reloaded" in setup.roles["serve"].log())
    client = Client(setup.port)
    expect("mx2.example.test" in client.banner[1], f"greeting {client.banner}")
    client.quit()
    for pid in proc_descendants(setup.roles["serve"].pid):
        check_dropped(pid, "a process behind the reload")
    setup.wait_drained(ledger)
    family = proc_descendants(setup.roles["serve"].pid)
    setup.kill("serve")
    wait_until("the roles to end with serve, though they became somebody else", 20,
               lambda: not any(map(proc_alive, family)))
    setup.start("serve", env=ENV)
    stream(setup.port, ledger, 10)
    setup.wait_drained(ledger)
    setup.stop("serve")
    setup.note(messages=len(ledger.acked))


def as_nobody():
    return ["setpriv", "--reuid", USER, "--regid", str(pwd.getpwnam(USER).pw_gid), "--clear-groups"]


def refuse(setup, *words, role="receive", prefix=()):
    """The start fails at once, and says this."""
    done = subprocess.run([*prefix, setup.program, role, "--config", setup.config_path],
                          capture_output=True, text=True, timeout=120, check=False,
                          cwd=setup.box.run_directory, env={**os.environ, **ENV})
    expect(done.returncode == 1, f"exit {done.returncode}, expected 1:\n{done.stderr[-2000:]}")
    for word in words:
        expect(word in done.stderr, f"does not say {word!r}:\n{done.stderr[-2000:]}")
    expect("listening" not in done.stderr, f"it listened before it refused:\n{done.stderr[-2000:]}")


def key_file(setup):
    """A key of return paths: root's, and for reading of the user's group."""
    path = setup.box.write("user.key", KEY.hex() + "\n", 0o600)
    os.chown(path, 0, pwd.getpwnam(USER).pw_gid)
    os.chmod(path, 0o640)
    return path


def keys(setup):
    """A key that the user can't read is told before it is needed."""
    os.chmod(setup.box.path("user.key"), 0o600)
    words = "user.key: user nobody can't read it: Permission denied"
    for role in ("receive", "process"):
        refuse(setup, "tokens.keys[].file: ", words, role=role)
    done = setup.command("check-config", code=1, env=ENV)
    expect(words in done.errors, f"check-config says {done.errors}")
    key_file(setup)
    setup.command("check-config", env=ENV)


def what_the_user_can_not_read(setup):
    os.chmod(setup.config_path, 0o600)
    for role in ("receive", "process"):
        refuse(setup, "bouncemx.yaml: user nobody can't read it, so a reload could not", role=role)
    os.chmod(setup.config_path, 0o644)
    setup.box.write("mx.key", "", 0o600)
    setup.box.write("mx.pem", "")
    setup.configure(tls={"certificates": [{"certificate": "mx.pem", "key": "mx.key"}]})
    refuse(setup, "key ", "mx.key: Permission denied")
    setup.configure(tls=None)
    secret = setup.box.write("secret.rules", "", 0o600)
    setup.configure(processor={"rules": [secret]})
    refuse(setup, "secret.rules: Permission denied", role="process")
    setup.configure(processor={"rules": None})


def what_the_user_can_not_write(setup):
    other = setup.box.path("others")
    os.mkdir(other, 0o755)
    setup.box.write("others/file", "")
    setup.configure(spool={"directory": other})
    refuse(setup, f"spool {other}: user nobody can't write it", f"chown -R nobody {other}")
    os.unlink(os.path.join(other, "file"))
    # An empty one of root's becomes the user's: so packages make it.
    setup.start("receive", env=ENV)
    setup.stop("receive")
    expect(os.stat(other).st_uid == pwd.getpwnam(USER).pw_uid, "an empty directory was not given away")
    # Not root from the start: the same place is told by whoever opens it.
    closed = setup.box.path("closed")
    os.mkdir(closed, 0o700)
    setup.configure(spool={"directory": closed},
                    listen=[{"address": "127.0.0.1", "port": harness.sandbox.free_port()}])
    refuse(setup, f"{closed}: Permission denied", prefix=as_nobody())
    setup.configure(listen=[{"address": "127.0.0.1", "port": setup.port}])
    try:
        path = setup.box.mount_tmpfs("readonly", "1m")
        done = subprocess.run(["mount", "-o", "remount,ro", path], capture_output=True, check=False)
        if done.returncode == 0:
            setup.configure(spool={"directory": path})
            refuse(setup, f"spool {path}", "Read-only file system")
    except Skip as e:
        setup.note(read_only_place=f"not tried: {e}")
    setup.configure(spool={"directory": setup.spool})


def users(setup):
    setup.configure(receiver={"user": "no-such-user-here"})
    refuse(setup, 'receiver.user: "no-such-user-here": expected a user of this system')
    setup.command("check-config", code=1)
    setup.configure(receiver={"user": "root"})
    refuse(setup, 'receiver.user: "root": expected a user other than root')
    setup.configure(receiver={"user": USER})


def ports(setup):
    """Taken, or not to be had by a user who is not root."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", setup.port))
        s.listen()
        refuse(setup, f"listen on 127.0.0.1 port {setup.port}: Address already in use")
    nobody = as_nobody()
    low = [*nobody, "--inh-caps=-all", "--bounding-set=-all"]
    refuse(setup, f"listen on 127.0.0.1 port {setup.port}: Permission denied", "CAP_NET_BIND_SERVICE",
           prefix=low)
    # A user with that one capability binds, and then has none.
    process = setup.box.start("capable", [*nobody, "--inh-caps=+net_bind_service",
                                          "--ambient-caps=+net_bind_service", setup.program, "receive",
                                          "--config", setup.config_path], env=ENV)
    wait_until("the receiver of a user", 30, lambda: "listening" in process.log() or
               not process.running())
    if not process.running():
        raise Failure(f"a user with CAP_NET_BIND_SERVICE can't bind:\n{process.log()}")
    check_dropped(process.pid, "a receiver that was capable", groups=())
    expect("runs_as_root" not in process.log(), process.log())
    expect(process.stop() == 0, "its end")
    setup.configure(receiver={"user": "daemon"})
    process = setup.box.start("other", [*nobody, "--inh-caps=+net_bind_service",
                                        "--ambient-caps=+net_bind_service", setup.program, "receive",
                                        "--config", setup.config_path], env=ENV)
    wait_until("the receiver of another user", 30, lambda: "listening" in process.log() or
               not process.running())
    expect("user_kept receiver.user=daemon" in process.log(), process.log())
    expect(process.stop() == 0, "its end")


def test(setup):
    if os.geteuid() != 0:
        raise Skip("not root")
    if not shutil.which("setpriv"):
        raise Skip("no setpriv here")
    port = low_port()
    setup.port = port
    setup.configure(receiver={"threads": 2, "user": USER}, processor={"workers": 2},
                    listen=[{"address": "127.0.0.1", "port": port}],
                    tokens={"keys": [{"id": "a", "file": key_file(setup)}]})
    setup.database()
    for path in (setup.pg.directory, setup.pg.directory + "/socket"):
        os.chmod(path, 0o755)  # for the user; the server asks nobody for a password here
    for part in (serve, keys, what_the_user_can_not_read, what_the_user_can_not_write, ports, users):
        try:
            part(setup)
        except Failure as e:
            raise Failure(f"{part.__name__}: {e}") from None


if __name__ == "__main__":
    harness.main("privileges", test)
