#!/usr/bin/env python3
"""Forged reports reach nobody, and genuine ones do: real SMTP, processor and PostgreSQL.

Each forged message (poisoning_cases.py) goes to three domains: accept: signed, where it is refused
or, to an open address, taken; accept: any, where it is stored and shown; and one with
trust_unverified. Then the genuine ones, replays of what counted once, and what needs two."""
import collections
import datetime
import os
import re
import sys
import time

import harness
import poisoning_cases as cases
import reports
import smtp
from harness import expect, wait_until

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "support"))
from dkim_sign import DkimKey  # noqa: E402
from dns_server import DnsServer  # noqa: E402

SITES = [cases.Site("s", "signed.example.test", "signed"), cases.Site("n", smtp.DOMAIN, "any"),
         cases.Site("t", "trusting.example.test", "any", trusting=True)]
OTHER = cases.Site("o", cases.OTHER_DOMAIN, "any")


class Poisoning:
    def __init__(self, setup):
        self.setup = setup
        self.client = None
        self.sent = {}    # helo -> (site, case, reply at RCPT or ".", octets)
        self.wrong = []
        self.rows = []
        self.refused = collections.Counter()
        self.bad_tokens = 0
        self.floods = 0

    def row(self, ident, recipient, day, tenant):
        date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
        tenant = f"'{tenant}'" if tenant else "null"
        self.setup.pg.sql("insert into bouncemx.sent (day, id, recipient, tenant) "
                          f"values ('{date}', '{ident}', '{recipient}', {tenant})")

    def mint(self, site):
        return lambda address: self.setup.command(
            "token", "mint", "--domain", site.domain, address).out.strip()

    # ---- sending ----

    def send(self, site, case):
        for _ in range(case.times):
            helo = f"m{len(self.sent) + 1}.client.test"
            # Each in a session of its own: too many refusals would end it.
            client = smtp.Client(self.setup.port, helo=helo)
            utf8 = " SMTPUTF8" if case.utf8 else ""
            try:
                client.command(f"MAIL FROM:<{case.sender}>{utf8}", 2)
                code, text = client.command(f"RCPT TO:<{case.to}>")
                if code == 250:
                    client.command("DATA", 3)
                    client.write(smtp.stuffed(case.message) + b".\r\n")
                    client.reply("end", 2)
                client.quit()
            except smtp.Refused as e:
                code, text = e.code, e.text
                client.close()
            self.sent[helo] = (site, case, text[:9] if code != 250 else "250")

    def drained(self):
        want = sum(1 for _, _, answer in self.sent.values() if answer == "250")
        wait_until(f"{want} messages to be processed", 90,
                   lambda: self.setup.pg.count("select count(*) from bouncemx.message") >= want,
                   every=0.2)

    # ---- judging ----

    @staticmethod
    def answer_expected(site, case):
        if case.rcpt == "never":
            return "55[0-3] 5"
        if case.rcpt == "good" or site.accept != "signed":
            return "250"
        return "550 5.7.1" if case.rcpt == "token" else "550 5.1.1"

    @staticmethod
    def effects_expected(site, case):
        if site.trusting and case.verification == "unsigned" and case.effect == "unverified" and \
                case.what in cases.BOUNCES:
            return {"strike"}
        return set(case.effect.split("|"))

    def judge(self):
        """Every message against what it should have done; what it did becomes a line of the table."""
        events = collections.defaultdict(list)
        for helo, verification, effect in self.setup.pg.sql(
                "select m.helo, e.verification, e.effect from bouncemx.message m "
                "join bouncemx.event e on bouncemx.message_of(e.id) = m.id order by e.id"):
            events[helo].append((verification, effect))
        kept = dict(self.setup.pg.sql(
            "select m.helo, md5(substring(v.raw from length(v.raw) - m.size::int + 1)) "
            "from bouncemx.message m join bouncemx.evidence v on v.id = m.id"))
        listed = {key for key, in self.setup.pg.sql("select address_key from bouncemx.suppression")}
        for helo, (site, case, answer) in self.sent.items():
            seen = events.get(helo, [])
            verifications, effects = ({e[i] for e in seen} for i in (0, 1))
            suppressed = case.victim in listed
            problems = []
            if not re.match(self.answer_expected(site, case), answer):
                problems.append(f"answer {answer}, expected {self.answer_expected(site, case)}")
            elif answer != "250":
                self.refused[answer] += 1
                self.bad_tokens += case.rcpt == "token"
                if seen:
                    problems.append("refused, and yet there is an event")
            else:
                flood = "flood" in case.effect and not events.get(helo)
                self.floods += flood
                if flood:
                    effects = {"flood"}
                elif verifications != {case.verification}:
                    problems.append(f"{verifications}, expected {case.verification}")
                if not effects or not effects <= self.effects_expected(site, case):
                    problems.append(f"{effects}, expected {self.effects_expected(site, case)}")
                if kept.get(helo) != smtp.digest(case.message) and not flood:
                    problems.append("its evidence is not what was sent")
            if suppressed != case.suppressed:
                problems.append("suppressed" if suppressed else "not suppressed")
            if case.bystander in listed:
                problems.append(f"suppressed {case.bystander}")
            self.rows.append((case.name, case.what, site.tag, answer,
                              ",".join(sorted(verifications)) or "-", ",".join(sorted(effects)) or "-",
                              "yes" if suppressed else "no"))
            self.wrong += [f"{case.name} ({case.what} to {case.to}): {p}" for p in problems]
        return listed

    def table(self):
        headings = ("name", "sent", "domain", "RCPT TO", "verification", "effect", "suppressed")
        same = collections.Counter(self.rows)
        widths = [max(map(len, column)) for column in zip(headings, *same)]
        for line in (headings, *same):
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() +
                  (f"  x{same[line]}" if same.get(line, 1) > 1 else ""))


def configure(setup, server):
    for ident, key in cases.KEYS.items():
        if ident != "a":
            setup.box.write(f"token-{ident}.key", key.hex() + "\n", 0o600)
    yesterday = datetime.date.today() - datetime.timedelta(days=2)
    domains = [{"name": s.domain, "accept": s.accept, "tenant": "main", "stream": "default",
                "trust_unverified": s.trusting, "open": ["fbl"]} for s in SITES]
    domains.append({"name": OTHER.domain, "accept": "any", "tenant": "other", "open": ["fbl"]})
    setup.configure(
        domains=domains,
        tokens={"keys": [{"id": "c", "file": "token-c.key"}, {"id": "a", "file": "token-a.key"},
                         {"id": "b", "file": "token-b.key", "until": str(yesterday)}]},
        feedback={"sources": [{"domain": cases.LISTED}],
                  "resolvers": [f"127.0.0.1@{server.port}"]},
        limits={"unknown_recipients": 0, "connections_per_address": 0})


def replays(p, site):
    """A token that counted once never counts again: another day, content, wrapper or place."""
    struck, listed = [site.person() for _ in range(2)]
    first = [cases.Case("for the replays: a weak one", "dsn", "good", site.token(struck),
                        reports.dsn("x@shop.test"), "token", "strike", struck),
             cases.Case("for the replays: a good one", "dsn", "good", site.token(listed),
                        reports.dsn(listed), "token", "suppressed", listed)]
    for case in first:
        p.send(site, case)
    p.drained()
    # A day and more goes by; and somebody takes the second one off the list.
    p.setup.pg.sql("update bouncemx.strike set at = at - interval '25 hours'; "
                   f"delete from bouncemx.suppression where address_key = '{listed}'")
    for case in first:
        v, token = case.victim, case.to
        for name, to, message, sender in (
                ("same content", token, case.message, ""),
                ("other content", token, reports.qmail(v), ""),
                ("in BATV", "prvs=1234abcdef=" + token, reports.exchange(v), ""),
                ("in capitals", token.upper(), reports.dsn(v), ""),
                ("from a real sender", token, reports.dsn(v), "x@evil.test"),
                ("inside, to fbl@", site.at("fbl"), reports.dsn(v, f"Return-Path: <{token}>\n"), "")):
            # The weak one may still make a strong one: these replays stay as weak as it was.
            if case is first[0] and sender == "":
                message = case.message if name == "same content" else reports.dsn(
                    "y@shop.test", f"Return-Path: <{token}>\n" if "fbl" in name else "")
            p.send(site, cases.Case(f"replay: {name}", "dsn", "good", to, message, "token",
                                    "repeat", v, sender=sender))
        p.send(site, cases.Case("replay: a flood", "dsn", "good", token, case.message, "token",
                                "repeat|flood", v, times=20))


def no_second_strike(p, site):
    """Where what is unsigned is trusted: after one such strike, what is forged is not the other."""
    bad = (("forged", lambda v: cases.changed(site.token(v), "last")),
           ("expired", lambda v: site.token(v, day=cases.today() - 31)),
           ("wrong_purpose", lambda v: site.token(v, "u")))
    people = [site.person() for _ in bad]
    for v in people:
        p.send(site, cases.Case("unsigned, trusted, one", "dsn", "good", site.at("news"),
                                reports.dsn(v), "unsigned", "strike", v))
    p.drained()
    p.setup.pg.sql("update bouncemx.strike set at = at - interval '25 hours'")
    for v, (why, make) in zip(people, bad):
        p.send(site, cases.Case("a day later, with a bad token", "qmail", "good", make(v),
                                reports.qmail(v), why, "unverified", v))
        p.send(site, cases.Case("a day later, the same once more", "dsn", "good", site.at("news"),
                                reports.dsn(v), "unsigned", "repeat", v))


def two_needed(p, site):
    """Two weak reports a day apart: by two tokens, and, where that is trusted, unsigned."""
    ways = [("token", site, lambda v, n: site.token(v, day=cases.today() - n)),
            ("unsigned", SITES[2], lambda v, n: SITES[2].at("news"))]
    for verification, where, to in ways:
        v = where.person()
        for n in (0, 1):
            inside = "" if verification == "unsigned" else "x"
            message = reports.dsn(inside + v, f"Message-ID: <{n}@news.test>\n")
            p.send(where, cases.Case(f"two a day apart, number {n + 1}", "dsn", "good", to(v, n), message,
                                     verification, "strike" if n == 0 else "suppressed", v,
                                     suppressed=True))
            p.drained()
            if n == 0:
                expect(p.setup.pg.count("select count(*) from bouncemx.suppression "
                                        f"where address_key = '{v}'") == 0, "one was enough")
                p.setup.pg.sql("update bouncemx.strike set at = at - interval '25 hours' "
                               f"where address_key = '{v}'")


def late_row(p, site):
    v = site.person()
    ident, token = site.opaque()
    p.send(site, cases.Case("opaque, its row comes later", "dsn", "good", token, reports.dsn(v), "sent",
                            "suppressed", v, suppressed=True))
    p.drained()
    p.row(ident, v, cases.today(), None)


def other_tenant(p):
    """A valid token is another tenant's business wherever it comes to."""
    v = OTHER.person()
    p.send(SITES[1], cases.Case("a token of another tenant, to our fbl@", "dsn", "good",
                                SITES[1].at("fbl"), reports.dsn(v, f"Return-Path: <{OTHER.token(v)}>\n"),
                                "token", "suppressed", v, suppressed=True))
    p.drained()
    tenants = p.setup.pg.sql(f"select tenant from bouncemx.suppression where address_key = '{v}'")
    expect(tenants == [["other"]], f"suppressed for {tenants}, expected other alone")


def shown(p):
    """`report forged` counts, by domain and reason, what could not be proven."""
    want, got, floods = collections.Counter(), collections.Counter(), 0
    for site, case, answer in p.sent.values():
        if answer == "250" and case.effect == "unverified" and case.verification != "unsigned":
            want[site.domain, case.verification] += 1
    for row in p.setup.json_lines("report", "forged"):
        if row["attempt"] == "flood":
            floods += row["count"]
        elif row["attempt"] != "unsigned":
            got[row["domain"], row["attempt"]] += row["count"]
    expect(got == want, f"report forged: {dict(got - want)} too many, {dict(want - got)} missing")
    expect(floods == p.floods > 0, f"report forged: {floods} of floods, expected {p.floods}")
    counted = p.setup.json_lines("status")[0]["rcpt_token"]
    expect(counted == p.bad_tokens, f"status: rcpt_token {counted}")
    expect(len({reason for _, reason in want}) == 5, f"reasons shown: {dict(want)}")


def test(setup):
    left = 86400 - time.time() % 86400
    if left < 120:  # the day must not change between minting and sending
        time.sleep(left + 1)
    zone = {}
    with DnsServer(zone) as server:
        listed, other = DkimKey(cases.LISTED, "s1"), DkimKey(cases.UNLISTED, "s1")
        for key in (listed, other):
            zone[key.name] = {"TXT": [key.record]}
        configure(setup, server)
        setup.database()
        for role in ("receive", "process"):
            setup.start(role)
        # A row of table sent that comes while its partition is made is refused.
        wait_until("the partitions", 30, lambda: setup.pg.count(
            "select count(*) from pg_inherits where inhparent = 'bouncemx.sent'::regclass") > 1)
        p = Poisoning(setup)
        for site in SITES:
            for case in cases.forged(site, p.row, listed, other):
                p.send(site, case)
        forged = len(p.sent)
        p.drained()
        poisoned = setup.pg.sql("select address_key from bouncemx.suppression")
        p.wrong += [f"suppressed by forged reports alone: {key}" for key, in poisoned]
        replays(p, SITES[1])
        no_second_strike(p, SITES[2])
        forged += len(p.sent) - forged - 2
        before = len(p.sent)
        for site in SITES:
            for case in cases.genuine(site, p.row, p.mint(site), listed):
                p.send(site, case)
        late_row(p, SITES[0])
        two_needed(p, SITES[1])
        other_tenant(p)
        genuine = len(p.sent) - before
        p.drained()
        wait_until("the row that came late", 60, lambda: setup.pg.count(
            "select count(*) from bouncemx.event where effect = 'waiting'") == 9, every=0.3)
        suppressed = p.judge()
        p.table()
        expect(not p.wrong, f"{len(p.wrong)} deviations:\n" + "\n".join(p.wrong))
        wanted = {case.victim for _, case, _ in p.sent.values() if case.suppressed}
        expect(suppressed == wanted, f"suppressed {suppressed - wanted}, missing {wanted - suppressed}")
        shown(p)
        for role in ("receive", "process"):
            setup.stop(role)
    kinds = {(case.name, case.what) for _, case, _ in p.sent.values() if not case.suppressed}
    setup.note(kinds_of_forged=len(kinds), forged=forged, genuine=genuine, suppressed=len(suppressed),
               refused=", ".join(f"{n} {a}" for a, n in sorted(p.refused.items())))


if __name__ == "__main__":
    harness.main("poisoning", test)
