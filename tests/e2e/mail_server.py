"""A real Postfix of its own: configuration, queue and port in the sandbox, never the system's."""
import os
import pwd
import shutil
import subprocess

from sandbox import Skip, free_port, wait_until
from smtp import Client, Lost, Refused


class Postfix:
    """destination: domain whose unknown users it bounces; relay_port: where all other mail goes
    (None: into the discard transport)."""

    def __init__(self, sandbox, destination="local.example.test", relay_port=None, settings=None):
        if os.geteuid() != 0:
            raise Skip("Postfix starts as root only")
        if not shutil.which("postfix"):
            raise Skip("Postfix is not installed")
        try:
            pwd.getpwnam("postfix")
        except KeyError:
            raise Skip("there is no user postfix") from None
        self.port = free_port()
        self.directory = sandbox.path("postfix")
        for name in ("etc", "queue", "data"):
            os.makedirs(os.path.join(self.directory, name))
        shutil.chown(os.path.join(self.directory, "data"), "postfix")
        self.log = os.path.join(sandbox.logs, "maillog")
        relay = f"smtp:[127.0.0.1]:{relay_port}" if relay_port else "discard:"
        main = {
            "compatibility_level": "3.6",
            "queue_directory": os.path.join(self.directory, "queue"),
            "data_directory": os.path.join(self.directory, "data"),
            "maillog_file": self.log,
            "maillog_file_prefixes": sandbox.logs,
            "myhostname": "relay.example.test",
            "mydomain": "example.test",
            "mydestination": destination,
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "local_recipient_maps": "",
            "alias_maps": "",
            "alias_database": "",
            "default_transport": relay,
            "smtp_host_lookup": "native",
            "notify_classes": "",
            "smtpd_peername_lookup": "no",
            "disable_dns_lookups": "yes",
            "smtp_tls_security_level": "none",
            "smtpd_tls_security_level": "none",
        }
        main.update(settings or {})
        with open(os.path.join(self.directory, "etc", "main.cf"), "w", encoding="ascii") as f:
            f.writelines(f"{key} = {value}\n" for key, value in main.items())
        with open(os.path.join(self.directory, "etc", "master.cf"), "w", encoding="ascii") as f:
            f.write(f"127.0.0.1:{self.port} inet n - n - 120 smtpd\n" + """\
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
tlsmgr    unix - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
""")
        self.process = sandbox.start("postfix", ["postfix", "-c", os.path.join(
            self.directory, "etc"), "start-fg"])
        wait_until("Postfix to greet", 30, self._greets)

    def _greets(self):
        try:
            Client(self.port, timeout=5).quit()
            return True
        except (Lost, Refused):
            return False

    def flush(self):
        subprocess.run(["postqueue", "-c", os.path.join(self.directory, "etc"), "-f"],
                       check=False, capture_output=True, timeout=30)

    def queue(self):
        done = subprocess.run(["postqueue", "-c", os.path.join(self.directory, "etc"), "-j"],
                              check=False, capture_output=True, text=True, timeout=30)
        return done.stdout.splitlines()
