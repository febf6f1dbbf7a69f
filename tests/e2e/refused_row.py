#!/usr/bin/env python3
"""A row that PostgreSQL refuses: a trigger refuses the events of three addresses among many.

Their messages are found and set aside with PostgreSQL's words, the rest goes on; once the trigger
is gone, `set-aside retry` writes them."""
import harness
from harness import expect, wait_until
from smtp import Client, Ledger, bounce

TRIGGER = """
create function public.refuse() returns trigger language plpgsql as $$
begin
    if new.final_recipient like 'user-refused-%' then
        raise exception 'this row is not wanted: %', new.final_recipient;
    end if;
    return new;
end $$;
create trigger refuse before insert on bouncemx.event for each row execute function public.refuse();
"""


def test(setup):
    setup.configure(receiver={"threads": 1}, processor={"workers": 1},
                    database={"batch_events": 500, "batch_wait": "200ms"})
    setup.database()
    setup.pg.sql(TRIGGER)
    setup.start("receive")
    good, refused = Ledger("good"), Ledger("refused")
    client = Client(setup.port)
    places = {0, 77, 78, 299}  # the first, neighbours, the last
    for i in range(300):
        ledger = refused if i in places else good
        expect(ledger.send(client), "refused by the receiver")
    client.quit()
    setup.start("process")
    setup.wait_drained(good)
    wait_until("the refused ones to be set aside", 30,
               lambda: len(setup.json_lines("set-aside", "list")) == len(places), every=0.2)
    setup.check_exactly_once(good, set_aside=len(places))
    rows = setup.json_lines("set-aside", "list")
    for row in rows:
        expect("this row is not wanted" in row["reason"] and row["sqlstate"] == "P0001",
               f"the reason lacks PostgreSQL's words or its SQLSTATE: {row}")
    # Still refused: it stays, and the exit status says so.
    done = setup.command("set-aside", "retry", rows[0]["id"], code=1)
    expect("this row is not wanted" in done.errors, f"stderr: {done.errors!r}")
    expect(len(setup.json_lines("set-aside", "list")) == len(places), "a refused retry was dropped")
    setup.pg.sql("drop trigger refuse on bouncemx.event")
    for row in rows:
        setup.command("set-aside", "retry", row["id"])
    for address, digest in refused.acked.items():
        good.note("acked", address, digest)
    setup.check_exactly_once(good)
    # Nothing of it comes back after a restart.
    setup.stop("process")
    setup.start("process")
    client = Client(setup.port)
    address = good.new_address()
    good.attempt(client, bounce(address), address)
    client.quit()
    setup.wait_drained(good)
    setup.check_exactly_once(good)
    setup.stop("receive")
    setup.stop("process")
    setup.note(refused=len(places), among=300, written_by_retry=len(rows))


if __name__ == "__main__":
    harness.main("refused_row", test)
