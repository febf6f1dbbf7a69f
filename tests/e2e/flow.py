"""Mail that goes on coming while a test breaks things: clients that reconnect and never give up."""
import threading
import time

from sandbox import TIME_SCALE, expect, wait_until
from smtp import Client, Lost, Refused


class Flow:
    """Sends new messages to the ports in turn, over connections at once, with a pause after each;
    what became of each stands in the ledger."""

    def __init__(self, ledger, *ports, connections=4, pause=0.01, size=3000):
        self.ledger, self.pause, self.size = ledger, pause, size
        self.stopping = False
        self.reconnects = 0
        self.threads = [threading.Thread(target=self._client, args=(ports[i % len(ports)],),
                                         daemon=True) for i in range(connections)]
        for thread in self.threads:
            thread.start()

    def _client(self, port):
        connection = None
        while not self.stopping:
            try:
                if connection is None:
                    connection = Client(port, pipelining=True)
                if not self.ledger.send(connection, self.size):
                    connection.command("RSET", 2)
            except (Lost, Refused):
                if connection:
                    connection.close()
                connection = None
                self.reconnects += 1
                time.sleep(0.05)
            time.sleep(self.pause)
        if connection:
            connection.close()

    def acked(self):
        return self.ledger.counts()[0]

    def wait(self, more, seconds=30):
        """Until so many more messages were answered 250."""
        goal = self.acked() + more
        wait_until(f"{more} more messages to be answered 250", seconds,
                   lambda: self.acked() >= goal)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(40 * TIME_SCALE)
            expect(not thread.is_alive(), "a client hangs")
