"""The messages of poisoning.py: what is forged and must reach nobody, and what is genuine.

A case says what is sent where, what RCPT TO is answered, and what becomes of it:
rcpt  "token" a bad token: refused where only signed ones are taken; "plain" the same, without one;
      "good" taken everywhere; "never" refused everywhere.
"""
import dataclasses
import time

import reports
import smtp

OTHER_DOMAIN = "second.example.test"  # of tenant other
LISTED, UNLISTED = "fbl.example.org", "spam.example.com"  # who sign with DKIM
KEYS = {"c": bytes(range(100, 132)), "a": smtp.KEY, "b": bytes(range(200, 240))}
STRANGER = bytes(range(50, 90))  # the key of somebody else
NEXT = {"b": "c", "c": "u", "u": "b"}
BOUNCES = ("dsn", "qmail", "exchange", "exim")


def today():
    return int(time.time()) // 86400


@dataclasses.dataclass
class Case:
    name: str
    what: str
    rcpt: str
    to: str
    message: bytes
    verification: str  # of each event
    effect: str
    victim: str
    bystander: str = ""  # another one who must not be touched
    sender: str = ""
    utf8: bool = False
    times: int = 1
    suppressed: bool = False


def changed(token, where):
    """The token with another signature: its last, its first or all characters."""
    head, tail = token.rsplit("-", 1)
    mac, domain = tail.split("@")
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    turned = "".join(digits[(digits.index(c) + 1) % 32] for c in mac)
    mac = {"last": mac[:-1] + turned[-1], "first": turned[0] + mac[1:], "all": turned}[where]
    return f"{head}-{mac}@{domain}"


def local(token):
    return token.rsplit("@", 1)[0]


class Site:
    """One of our domains, and people who get its mail."""

    def __init__(self, tag, domain, accept, trusting=False):
        self.tag, self.domain, self.accept, self.trusting = tag, domain, accept, trusting
        self.number = 0

    def person(self):
        self.number += 1
        return f"{self.tag}{self.number}@shop.test"

    def token(self, address="", purpose="b", key="c", **more):
        more.setdefault("domain", self.domain)
        return smtp.signed(address, purpose, key_id=key, key=more.pop("secret", KEYS.get(key)), **more)

    def opaque(self, more=""):
        self.number += 1
        digits = "abcdefghijklmnopqrstuvwxyz234567"
        ident = "sent" + self.tag * 8 + digits[self.number // 32] + digits[self.number % 32] + more
        return ident, self.token(payload=ident)

    def at(self, user):
        return f"{user}@{self.domain}"


# ---- what must achieve nothing -------------------------------------------------------------------

def bad_tokens(s):
    """(name, reason, token of a purpose) for each way in which a token is not valid."""
    day = today()
    return [
        ("last character of the code", "forged", lambda v, p: changed(s.token(v, p), "last")),
        ("first character of the code", "forged", lambda v, p: changed(s.token(v, p), "first")),
        ("all of the code", "forged", lambda v, p: changed(s.token(v, p), "all")),
        ("another's key under our id", "forged", lambda v, p: s.token(v, p, secret=STRANGER)),
        ("one key's code under another's id", "forged", lambda v, p: s.token(v, p, secret=KEYS["a"])),
        ("a key nobody has", "unknown_key", lambda v, p: s.token(v, p, "z", secret=STRANGER)),
        ("a key past its until", "unknown_key", lambda v, p: s.token(v, p, "b")),
        ("a day too old", "expired",
         lambda v, p: s.token(v, p, day=day - (31 if p == "b" else 401))),
        ("years old", "expired", lambda v, p: s.token(v, p, day=day - 900)),
        ("a day to come", "early", lambda v, p: s.token(v, p, day=day + 2)),
        ("the last day there is", "early", lambda v, p: s.token(v, p, day=32767)),
        ("another domain of ours", "forged",
         lambda v, p: local(s.token(v, p, domain=OTHER_DOMAIN)) + "@" + s.domain),
        ("another purpose written in", "forged",
         lambda v, p: "b1" + NEXT[p] + s.token(v, p)[3:]),
        ("another day written in", "forged",
         lambda v, p: s.token(v, p, day=day - 60).replace(
             s.token(v, p, day=day - 60)[4:7], s.token(v, p)[4:7], 1)),
        ("another recipient written in", "forged",
         lambda v, p: s.token("attacker@evil.test", p).replace("attacker=evil.test",
                                                               v.replace("@", "="), 1)),
    ]


def by_purpose(s):
    """Each bad token under each report that fits it."""
    makers = {"b": (("dsn", reports.dsn), ("qmail", reports.qmail), ("exchange", reports.exchange)),
              "c": (("arf", reports.arf),), "u": (("unsubscribe", reports.letter),)}
    for number, (name, why, make) in enumerate(bad_tokens(s)):
        for purpose, kinds in makers.items():
            what, write = kinds[number % len(kinds)]
            if name.startswith("another purpose"):
                what, write = makers[NEXT[purpose]][0]
            v = s.person()
            yield Case(name, what, "token", make(v, purpose), write(v), why, "unverified", v,
                       sender="" if what in BOUNCES else v)
    for purpose, kinds in makers.items():
        for other in makers.keys() - {purpose}:
            what, write = kinds[0]
            v = s.person()
            yield Case(f"a valid token, made for {other}", what, "good", s.token(v, other), write(v),
                       "wrong_purpose", "unverified", v, sender="" if what in BOUNCES else v)


def in_disguise(s):
    """Bad tokens as forwarders and others write them."""
    def bad(v):
        return changed(s.token(v), "last")
    day = today()
    forms = [
        ("in SRS0", lambda v: s.at(f"SRS0=Cpi3=WK={s.domain}={local(bad(v))}")),
        ("in SRS1", lambda v: s.at(f"SRS1=xY2z=fwd.example==Cpi3=WK={s.domain}={local(bad(v))}")),
        ("in BATV", lambda v: "prvs=1234abcdef=" + bad(v)),
        ("in BATV of old", lambda v: s.at(f"prvs={local(bad(v))}/1234abcdef")),
        ("in BATV twice", lambda v: "prvs=1234abcdef=prvs=4321fedcba=" + bad(v)),
        ("in capitals", lambda v: bad(v).upper()),
    ]
    for name, make in forms:
        v = s.person()
        yield Case(f"forged, {name}", "dsn", "token", make(v), reports.dsn(v), "forged", "unverified", v)
    v = s.person()
    yield Case("too old, in BATV", "dsn", "token", "prvs=1234abcdef=" + s.token(v, day=day - 31),
               reports.dsn(v), "expired", "unverified", v)
    v = s.person()
    yield Case("without its code", "dsn", "plain", s.at(local(s.token(v)).rsplit("-", 1)[0] + "-"),
               reports.dsn(v), "unsigned", "unverified", v)
    v = s.person()
    yield Case("cut at its +", "dsn", "plain",
               s.at(local(s.token(v.replace("@", "+x@"))).split("+")[0]), reports.dsn(v), "unsigned",
               "unverified", v)
    v = s.person()
    yield Case("a Cyrillic letter in the user", "dsn", "token",
               s.token(v).replace("=shop", "=sh\u043ep"), reports.dsn(v), "forged", "unverified", v,
               utf8=True)
    v = s.person()
    yield Case("a Cyrillic letter in our domain", "dsn", "never",
               s.token(v).replace(s.domain, s.domain.replace("e", "\u0435")), reports.dsn(v), "", "", v,
               utf8=True)
    v = s.person()
    yield Case("65 octets, signed well", "dsn", "token",
               s.token(v, payload="s" * (40 - len(v)) + "=" + v.replace("@", "="), limit=65),
               reports.dsn(v), "forged", "unverified", v)
    v = s.person()
    yield Case("a domain of somebody else, signed by its key", "dsn", "never",
               s.token(v, secret=STRANGER, domain="bounces.evil.test"), reports.dsn(v), "", "", v)


def injected(s):
    """Line ends and further fields where addresses stand."""
    def valid(user):
        return s.token(user, "u")
    v, mine = s.person(), s.person()
    yield Case("%0d%0a in Original-Recipient", "dsn", "plain", s.at("news"),
               reports.dsn(mine, groups=[reports.group(mine, first=f"rfc822; {v}%0d%0aX-Token: "
                                                       f"{changed(s.token(v), 'all')}")]),
               "unsigned", "unverified", v, mine)
    v = s.person()
    yield Case("a folded line in Final-Recipient", "dsn", "plain", s.at("news"),
               reports.dsn(v, groups=[reports.group(f"{v}\n X-Recipient-Token: {s.token(v)}")]),
               "unsigned", "unverified", v)
    v = s.person()
    yield Case("%0a in List-Unsubscribe", "arf", "good", s.at("fbl"),
               reports.arf(inside="List-Unsubscribe: <mailto:x%0aReturn-Path:"
                           f"{changed(s.token(v, 'u'), 'all')}>\n"), "forged", "unverified", v)
    v = s.person()
    yield Case("a line end in the Subject's encoded word", "unsubscribe", "good", s.at("fbl"),
               reports.letter(v, f"=?us-ascii?q?unsubscribe=0D=0ATo:_{changed(valid(v), 'last')}?="),
               "forged", "unverified", v, sender=v)
    v = s.person()
    yield Case("a Subject with another's purpose", "unsubscribe", "good", s.at("fbl"),
               reports.letter(v, f"unsubscribe {s.token(v)}"), "wrong_purpose", "unverified", v, sender=v)
    v = s.person()
    yield Case("a token of ours only in To:", "dsn", "plain", s.at("news"),
               reports.dsn("redacted@shop.test", to=s.token(v)), "unsigned", "no_address", v)
    for name, field in (("Return-Path", "Return-Path: <{}>\n"), ("Message-ID", "Message-ID: <{}>\n"),
                        ("List-Unsubscribe", "List-Unsubscribe: <mailto:{}>\n")):
        for how, make in (("forged", lambda p: changed(s.token(p), "first")),
                          ("expired", lambda p: s.token(p, day=today() - 31))):
            v = s.person()
            yield Case(f"{how} in the returned {name}", "dsn", "plain", s.at("news"),
                       reports.dsn(v, field.format(make(v))), "unsigned", "unverified", v)
            v = s.person()
            yield Case(f"{how} in the returned {name}", "arf", "good", s.at("fbl"),
                       reports.arf(inside=field.format(make(v))), how, "unverified", v)
    v = s.person()
    yield Case("a quoted letter's valid List-Unsubscribe", "unsubscribe", "good", s.at("fbl"),
               reports.letter(v, body=f"> List-Unsubscribe: <mailto:{valid(v)}>\n> Return-Path: "
                              f"<{s.token(v)}>"), "unsigned", "no_address", v, sender=v)


def by_the_one_who_knows(s):
    """The attacker has a valid token of a mail to himself, or to his victim."""
    a, v = s.person(), s.person()
    yield Case("my token, a report about you", "dsn", "good", s.token(a), reports.dsn(v), "token",
               "strike", v, a)
    a, v = s.person(), s.person()
    yield Case("my token, groups about both", "dsn", "good", s.token(a),
               reports.dsn(v, groups=[reports.group(a), reports.group(v)]), "token", "strike|repeat", v, a)
    a, v = s.person(), s.person()
    yield Case("my token, your token inside", "dsn", "good", s.token(a),
               reports.dsn(v, f"Return-Path: <{s.token(v)}>\n"), "token", "strike", v, a)
    v = s.person()
    yield Case("your token, one group was delivered", "dsn", "good", s.token(v),
               reports.dsn(v, groups=[reports.group(v), reports.group(
                   "x@shop.test", "delivered", "2.0.0", "250 ok")]), "token", "not_counting|none", v)
    v = s.person()
    yield Case("your token, from a real sender", "dsn", "good", s.token(v), reports.dsn(v), "token",
               "strike", v, sender="somebody@evil.test")
    for letter, name in (("u", "List-Unsubscribe: <mailto:{}>\n"), ("c", "CFBL-Address: {}\n")):
        v = s.person()
        yield Case(f"your {name.split(':')[0]} of a forwarded mail", "dsn", "plain", s.at("news"),
                   reports.dsn(v, name.format(s.token(v, letter))), "token", "strike", v)
    quiet = [("vacation", reports.vacation), ("receipt", reports.receipt),
             ("letter", lambda v: reports.letter(v, "Re: What is new", body="Thanks, user unknown!")),
             ("delayed", lambda v: reports.dsn(v, groups=[reports.group(
                 v, "delayed", "4.4.1", "connect timed out")])),
             ("delivered", lambda v: reports.dsn(v, groups=[reports.group(
                 v, "delivered", "2.1.5", "250 User unknown 5.1.1")]))]
    for what, write in quiet:
        v = s.person()
        yield Case("a valid token, and no bad news", what, "good", s.token(v), write(v), "token", "none",
                   v, sender=v if what in ("vacation", "letter") else "")
    v = s.person()
    yield Case("a full mailbox, again and again", "dsn", "good", s.token(v),
               reports.dsn(v, groups=[reports.group(v, status="4.2.2", words="452 4.2.2 <{0}> mailbox "
                                                    "full")]), "token", "soft|repeat|flood", v, times=25)


def opaque(s, sent):
    """sent(id, recipient, day, tenant) writes a row."""
    v = s.person()
    _, token = s.opaque()
    yield Case("opaque, its row is missing", "dsn", "good", token, reports.dsn(v), "waiting", "waiting", v)
    ident, token = s.opaque()
    v = s.person()
    sent(ident, v, today() - 1, None)
    yield Case("opaque, its row is of another day", "dsn", "good", token, reports.dsn(v), "waiting",
               "waiting", v)
    ident, token = s.opaque()
    v = s.person()
    sent(ident, v, today(), "other")
    yield Case("opaque, its row is of another tenant", "dsn", "good", token, reports.dsn(v), "waiting",
               "waiting", v)
    ident, token = s.opaque()
    v = s.person()
    sent(ident, v, today(), None)
    # What the report names is shown: the row is not asked for a token that is not ours.
    yield Case("opaque, another code", "dsn", "token", changed(token, "last"), reports.dsn(v), "forged",
               "unverified", v)


def unsigned(s):
    """Nothing vouches for these: every place that can name somebody."""
    for user, rcpt in (("news", "plain"), ("fbl", "good")):
        for what in BOUNCES:
            v = s.person()
            yield Case(f"nothing but its words, to {user}@", what, rcpt, s.at(user),
                       getattr(reports, what)(v), "unsigned", "unverified", v)
    v = s.person()
    yield Case("every field names the victim", "dsn", "plain", s.at("news"),
               reports.dsn(v, f"Return-Path: <{v}>\nX-Recipient-Token: {v}\n", to=v,
                           groups=[reports.group(v, first=f"rfc822; {v}")],
                           header=f"X-Failed-Recipients: {v}\nX-Original-To: {v}\n"),
               "unsigned", "unverified", v)
    v = s.person()
    yield Case("VERP", "dsn", "plain", s.at("news+" + v.replace("@", "=")), reports.dsn(v), "unsigned",
               "unverified", v)
    v = s.person()
    yield Case("a complaint", "arf", "good", s.at("fbl"), reports.arf(v), "unsigned", "unverified", v)
    v = s.person()
    yield Case("an opt-out", "arf", "good", s.at("fbl"), reports.arf(v, kind="opt-out"), "unsigned",
               "unverified", v)
    v = s.person()
    yield Case("an unsubscribe by its From:", "unsubscribe", "good", s.at("fbl"), reports.letter(v),
               "unsigned", "no_address", v, sender=v)


def dkim(s, listed, other):
    v = s.person()
    whole = listed.sign(reports.arf(v))
    unknown = whole.replace(b"s=s1;", b"s=s9;", 1)
    cases = [("signed with a key that is not there", unknown),
             ("signed by one who is not listed", other.sign(reports.arf(v, sender="f@" + UNLISTED))),
             ("signed by one who is not listed, From: the listed", other.sign(reports.arf(v))),
             ("signed, and the address changed", whole.replace(
                 f"Original-Rcpt-To: <{v}>".encode(), b"Original-Rcpt-To: <%s>" % s.person().encode())),
             ("signed, From: somebody else", listed.sign(reports.arf(v, sender="f@evil.test")))]
    for name, message in cases:
        yield Case(name, "arf", "good", s.at("fbl"), message, "unsigned", "unverified", v)


def forged(s, sent, listed, other):
    for part in (by_purpose(s), in_disguise(s), injected(s), by_the_one_who_knows(s), opaque(s, sent),
                 unsigned(s), dkim(s, listed, other)):
        yield from part


# ---- what must count -----------------------------------------------------------------------------

def genuine(s, sent, mint, listed):
    """mint: `bouncemx token mint`."""
    def case(name, what, to, message, v, rcpt="good", sender="", verification="token"):
        return Case(name, what, rcpt, to, message, verification, "suppressed", v, sender=sender,
                    suppressed=True)

    def bounce(name, make, what="dsn", **more):
        v = s.person()
        return case(name, what, make(v), getattr(reports, what)(v), v, **more)
    day = today()
    yield bounce("a token", s.token)
    yield bounce("a token, qmail's words", s.token, "qmail")
    yield bounce("a token, Exchange's words", s.token, "exchange")
    yield bounce("minted by the command", mint)
    yield bounce("the key before", lambda v: s.token(v, key="a"))
    yield bounce("with a stream", lambda v: s.token(v, payload="news=" + v.replace("@", "=")))
    yield bounce("in capitals", lambda v: s.token(v).upper())
    yield bounce("in small letters", lambda v: s.token(v.title()).lower())
    yield bounce("in BATV", lambda v: "prvs=1234abcdef=" + s.token(v))
    yield bounce("in BATV of old", lambda v: s.at(f"prvs={local(s.token(v))}/1234abcdef"))
    yield bounce("in SRS0", lambda v: s.at(f"SRS0=Cpi3=WK={s.domain}={local(s.token(v))}"))
    yield bounce("in SRS1", lambda v: s.at(
        f"srs1=xY2z=fwd.example==Cpi3=WK={s.domain}={local(s.token(v))}"))
    yield bounce("the 30th day", lambda v: s.token(v, day=day - 30))
    yield bounce("a clock that is ahead", lambda v: s.token(v, day=day + 1))
    v = s.person()
    ident, token = s.opaque()
    sent(ident, v, day, None)
    yield case("opaque, its row is there", "dsn", token, reports.dsn(v), v, verification="sent")
    for name, wrapped in (("SRS0", "SRS0=Cpi3=WK={}={}@fwd.example"),
                          ("SRS1", "SRS1=xY2z=fwd.example==Cpi3=WK={}={}@back.example")):
        v = s.person()
        yield case(f"in {name}, returned", "dsn", s.at("fbl"), reports.dsn(
            v, f"Return-Path: <{wrapped.format(s.domain, local(s.token(v)))}>\n"), v)
    v = s.person()
    yield case("at an open address, Return-Path", "dsn", s.at("fbl"),
               reports.dsn(v, f"Return-Path: <{s.token(v)}>\n"), v)
    v = s.person()
    yield case("to its complaint address", "arf", s.token(v, "c"), reports.arf(v), v, sender="f@fbl.test")
    v = s.person()
    yield case("the 400th day", "arf", s.token(v, "c", day=day - 400), reports.arf(v), v)
    for name, field, letter in (("Return-Path", "Return-Path: <{}>\n", "b"),
                                ("CFBL-Feedback-ID", "CFBL-Feedback-ID: {}\n", "c"),
                                ("CFBL-Address", "CFBL-Address: {}; report=arf\n", "c"),
                                ("List-Unsubscribe", "List-Unsubscribe: <mailto:{}>\n", "u"),
                                ("Message-ID", "Message-ID: <{}>\n", "b")):
        v = s.person()
        yield case(f"to fbl@, {name}", "arf", s.at("fbl"),
                   reports.arf(inside=field.format(s.token(v, letter))), v, sender="f@fbl.test")
    v = s.person()
    yield case("to its unsubscribe address", "unsubscribe", s.token(v, "u"), reports.letter(v), v,
               sender=v)
    v = s.person()
    yield case("any words to it", "unsubscribe", s.token(v, "u"), reports.letter(v, "No more"), v,
               sender=v)
    v = s.person()
    yield case("by its Subject", "unsubscribe", s.at("fbl"),
               reports.letter(v, "unsubscribe " + s.token(v, "u")), v, sender=v)
    v = s.person()
    yield case("signed by a listed source", "arf", s.at("fbl"), listed.sign(reports.arf(v)), v,
               sender="f@" + LISTED, verification="dkim")
