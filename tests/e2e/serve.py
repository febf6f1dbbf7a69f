#!/usr/bin/env python3
"""One program, roles that die alone: `serve` starts them again, dies with them, stops them in order;
`status` and `drain` tell the truth; a stop under load loses nothing."""
import threading
import time

import harness
from harness import Failure, expect, wait_until
from sandbox import kill_pid, proc_children, proc_descendants
from smtp import Client, Ledger, Lost, Refused, stream


def role_pids(setup):
    """Name of the role -> pid, of serve's children."""
    found = {}
    for pid in proc_children(setup.roles["serve"].pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if len(words) > 1:
            found[words[1].decode()] = pid
    return found


def restarts(setup, ledger):
    stream(setup.port, ledger, 100)
    for role in ("receive", "process", "receive", "process"):
        before = wait_until(f"{role} to run", 20, lambda r=role: role_pids(setup).get(r))
        kill_pid(before)
        wait_until(f"{role} to be started again", 20,
                   lambda r=role, b=before: role_pids(setup).get(r, b) != b)
        setup.wait_port("serve")
        stream(setup.port, ledger, 50)
    setup.wait_drained(ledger)
    setup.check_exactly_once(ledger)


def dies_together(setup, ledger):
    family = proc_descendants(setup.roles["serve"].pid)
    expect(len(family) >= 4, f"serve has {len(family)} descendants")
    setup.kill("serve")
    wait_until("the roles to end after serve was killed", 20,
               lambda: not any(map(harness.sandbox.proc_alive, family)))
    setup.start("serve")
    stream(setup.port, ledger, 50)
    setup.wait_drained(ledger)


def stop_under_load(setup, ledger):
    """SIGTERM while eight clients send: each gets an answer or a closing, none a lie."""
    stopping = threading.Event()
    wrong = []

    def client():
        try:
            while not stopping.is_set():
                connection = Client(setup.port)
                for _ in range(50):
                    ledger.send(connection)
                connection.quit()
        except (Lost, Refused):
            pass
        except Failure as e:
            wrong.append(e)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    setup.stop("serve", 40)
    stopping.set()
    for thread in threads:
        thread.join(40)
        expect(not thread.is_alive(), "a client hangs after the stop")
    expect(not wrong, f"{wrong[:1]}")
    left = setup.box.own_processes()
    left = [pid for pid in left if pid not in setup.pg.pids()]
    expect(not left, f"{len(left)} processes are left after the stop")
    setup.note(answered_before_the_stop=len(ledger.acked), cut_off=len(ledger.unsure))
    setup.start("serve")
    setup.wait_drained(ledger)
    setup.check_exactly_once(ledger)


def status(setup, ledger):
    text = setup.command("status").out
    expect("mx1" in text, f"`status` does not name the node:\n{text}")
    lines = setup.json_lines("status")
    expect(lines, "`status --json` says nothing")
    setup.note(status_lines=len(lines))
    expect(str(len(ledger.acked)) in text, f"`status` does not count {len(ledger.acked)} messages:\n"
           f"{text}")


def drain(setup, ledger):
    for _ in range(3):
        stream(setup.port, ledger, 100)
    done = setup.command("drain", timeout=90)
    expect(done.out.strip() or done.errors.strip(), "drain says nothing")
    setup.check_exactly_once(ledger)
    try:
        Client(setup.port, timeout=5).close()
        raise Failure("after drain the port still greets")
    except (Lost, Refused):
        pass
    setup.stop("serve")
    setup.note(drain_said=(done.out or done.errors).strip().splitlines()[-1])


def test(setup):
    setup.configure(processor={"workers": 2}, receiver={"threads": 2})
    setup.database(migrate=False)
    # Without the schema it refuses at once, with what to do.
    done = setup.command("serve", code=1)
    expect("migrate" in done.errors, f"serve without a schema says {done.errors!r}")
    # Two at once: one waits, both are content.
    errors = []

    def migrate():
        try:
            setup.command("migrate")
        except Failure as e:
            errors.append(e)
    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not errors, f"{errors[:1]}")
    setup.command("migrate")
    setup.start("serve")
    ledger = Ledger("serve")
    for part in (restarts, dies_together, status, stop_under_load, status, drain):
        try:
            part(setup, ledger)
        except Failure as e:
            raise Failure(f"{part.__name__}: {e}") from None


if __name__ == "__main__":
    harness.main("serve", test)
