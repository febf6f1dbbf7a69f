#!/usr/bin/env python3
"""`classify` over a directory: messages a second, CPU and peak memory, of one process and of two at
once, as workers run. Two should do at least 1.8 times as much as one; on a machine that does other
work they can't.

Without --directory it makes reports of three kinds and some ordinary mail. Asked for: more than half
of what GMime's own walk of such messages takes, which is about 16,000 a second and core."""
import os
import subprocess

import bench
from bench import harness, smtp

WORDS = (
    ("5.1.1", "550 5.1.1 <{0}>: Recipient address rejected: User unknown"),
    ("5.2.2", "552 5.2.2 <{0}> The email account that you tried to reach is over quota"),
    ("4.4.1", "connect to mx.remote.example.test[192.0.2.1]:25: Connection timed out"),
    ("5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using a list"),
)


def make(directory, count):
    os.mkdir(directory)
    for i in range(count):
        address = f"user-{i:08d}@remote.example.test"
        if i % 10 == 9:
            message = (f"From: {address}\r\nTo: list@{smtp.DOMAIN}\r\nSubject: Re: the news\r\n"
                       f"Message-Id: <{i}@example.test>\r\n\r\n" + "Thank you for it.\r\n" * 150
                       ).encode()
        else:
            status, words = WORDS[i % len(WORDS)]
            message = smtp.bounce(address, 4000, status=status, words=words)
        with open(os.path.join(directory, f"{i:08d}.eml"), "wb") as f:
            f.write(message)


def measure(setup, directory, processes):
    """Seconds, messages, seconds of CPU and the highest MiB of so many over the directory at once."""
    outs = [setup.box.path(f"out-{i}.ndjson") for i in range(processes)]

    def run():
        started = []
        for out in outs:
            with open(out, "wb") as f:
                started.append(subprocess.Popen([setup.program, "classify", "--json", directory],
                                                stdout=f, cwd=setup.box.run_directory))
        return [os.wait4(process.pid, 0) for process in started]

    seconds, ended = bench.timed(run)
    count = cpu = peak = 0
    for out, (_, status, used) in zip(outs, ended):
        if status != 0:
            raise harness.Failure(f"classify ended with status {status}")
        with open(out, "rb") as f:
            count += sum(1 for _ in f)
        cpu += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss / 1024)
    harness.expect(count > 0, "classify printed nothing")
    return seconds, count, cpu, peak


def test(setup):
    directory = setup.options.directory
    if not directory:
        directory = setup.box.path("mail")
        make(directory, setup.options.messages)
    rows, rates = [], {1: [], 2: []}
    for number in range(setup.options.rounds):
        for processes in rates:
            seconds, count, cpu, peak = measure(setup, directory, processes)
            rates[processes].append(count / seconds)
            rows.append([f"round {number + 1}, processes {processes}", count,
                         f"{count / seconds:.0f}", f"{cpu * 1e6 / count:.0f}", f"{peak:.1f}"])
            setup.note(**{f"round_{number + 1}_processes_{processes}": {
                "messages": count, "per_second": round(count / seconds),
                "cpu_us_per_message": round(cpu * 1e6 / count, 1),
                "peak_rss_mib": round(peak, 1)}})
    setup.note(two_beside_one=round(max(rates[2]) / max(rates[1]), 2))
    print(bench.machine(), f"load {os.getloadavg()[0]:.1f}")
    bench.table(rows, ["classify", "messages", "messages/s", "CPU µs each", "peak MiB"])


def arguments(parser):
    parser.add_argument("--directory", help="messages of your own")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)


if __name__ == "__main__":
    bench.main("classify", test, arguments)
