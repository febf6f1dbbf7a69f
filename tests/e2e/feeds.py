"""Cursors of the feed, for tests that promote or restore a database."""
from sandbox import Failure, wait_until

AFTER = "bouncemx.feed_after(text, bigint)"
CURSOR = "bouncemx.feed_cursor()"


def cursor(server):
    """Where a reader that has everything stands; None where the schema has no feed to read."""
    for function in (AFTER, CURSOR):
        if not server.value(f"select to_regprocedure('{function}')"):
            return None

    def told():
        try:
            return server.value("select bouncemx.feed_cursor()")
        except Failure as e:
            if "next epoch" not in str(e):  # which the keeper is about to begin
                raise
            return None
    return wait_until("the feed to have a cursor", 30, told, every=0.2)


def check_refused(server, before):
    """A cursor of the database's life before is told to export again; says what was tried."""
    if before is None:
        return f"not tried: the schema has no {CURSOR}"

    def refused():
        try:
            server.sql(f"select * from bouncemx.feed_after('{before}', 1)")
            return False
        except Failure as e:
            if "export" not in str(e):
                raise
            return True
    wait_until(f"the cursor {before} to be refused", 30, refused, every=0.2)
    return f"cursor {before} was refused"
