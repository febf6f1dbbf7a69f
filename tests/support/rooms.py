#!/usr/bin/env python3
"""Keeps every room to its row.

    rooms.py SOURCE_DIR [BUILD_DIR]    checks a tree (and its static libraries), exit 1 and a line
                                       for each violation
    rooms.py --self-test               plants each kind of violation and must find it

What a row is: `room(name USES rooms... HEADERS headers...)` in the top CMakeLists.txt, and the same
in the table of docs/architecture.md. A room may include headers of itself, of the rooms it USES and
the single HEADERS; its library may leave no symbol to be found in any other room, and define none
that another room defines. A foreign library's header may be included only by the files that FOREIGN names.
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Header (as a pattern) -> the only files that may see its types. A header that is neither here nor
# of the system is a violation too: a new library must take its place in this table.
FOREIGN = [
    (r"idn2\.h", ["base/domain.c"]),
    (r"libpsl\.h", ["base/domain.c"]),
    (r"openssl/.*", ["returnpath/token.c", "receiver/tls.c", "receiver/certificate.c",
                     "db/content.c"]),
    (r"pcre2\.h", ["returnpath/pattern.c"]),
    (r"xxhash\.h", ["spool/record.c"]),
    (r"uv\.h", ["receiver/stream.c", "receiver/listener.c"]),
    (r"(gmime|glib|gio)/.*|glib\.h", ["parser/mime.c"]),
    (r"(hs|hs/.*)(\.h)?", ["classify/rules.c"]),
    (r"opendkim/.*|dkim\.h", ["attribute/dkim.c"]),
    (r"libpq-fe\.h|libpq/.*|postgres_ext\.h", ["db/pg.c"]),
    (r"curl/.*", ["deliver/relay.c", "app/fetch.c"]),
    (r"yaml\.h", ["app/config.c"]),
    (r"jansson\.h", ["app/json.c", "ingest/kumomta.c"]),
    (r"csv\.h", ["app/csv.c", "ingest/powermta.c"]),
    (r"unbound\.h|ares\.h|getdns/.*", ["resolver/resolver.c"]),
]

# C, POSIX and Linux: everybody's.
SYSTEM = re.compile(
    r"(assert|ctype|dirent|endian|errno|fcntl|fnmatch|getopt|glob|grp|iconv|ifaddrs|inttypes|langinfo"
    r"|limits|linux/\w+|locale|math|netdb|netinet/\w+|arpa/inet|net/if|poll|pthread|pwd|sched|signal"
    r"|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdio_ext|stdlib|stdnoreturn"
    r"|string|strings|syslog|sys/\w+|sysexits|termios|threads|time|unistd|wchar|malloc|execinfo"
    r"|ucontext|regex|byteswap|dlfcn|sanitizer/\w+)\.h")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>]+>|"[^"]+"|\S+)', re.M)
Row = collections.namedtuple("Row", "uses headers")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)


def rows_of(source):
    """The rooms of the top CMakeLists.txt."""
    rows = {}
    text = re.sub(r"#[^\n]*", "", read(os.path.join(source, "CMakeLists.txt")))
    for words in re.findall(r"^\s*room\(([^)]*)\)", text, re.M):
        name, *rest = words.split()
        into, parts = None, {"USES": [], "HEADERS": []}
        for word in rest:
            if word in parts:
                into = parts[word]
            else:
                into.append(word)
        rows[name] = Row(set(parts["USES"]), set(parts["HEADERS"]))
    return rows


def rows_of_architecture(source):
    """The same from the table in docs/architecture.md: | `room/` | one thing | may use | ..."""
    path = os.path.join(source, "docs", "architecture.md")
    rows = {}
    for line in read(path).splitlines():
        m = re.match(r"\| `(\w+)/` \|[^|]*\|([^|]*)\|", line)
        if m:
            words = re.findall(r"[\w./]+", m.group(2))
            rows[m.group(1)] = Row({w for w in words if "." not in w},
                                   {w for w in words if "." in w})
    return rows


def files_of(source, room):
    for folder, _, names in sorted(os.walk(os.path.join(source, room))):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), source)


def check_include(rows, room, path, what, allowed_rooms, found):
    """One #include of one file."""
    if what.startswith('"'):
        header = what.strip('"')
        owner = header.split("/")[0] if "/" in header else None
        if owner is None:
            found(f'{path} includes "{header}": write it as "{room}/{header}"')
        elif owner not in allowed_rooms and header not in rows[room].headers:
            found(f"{path} includes {header}: {room} may use "
                  f"{', '.join(sorted(rows[room].uses | rows[room].headers)) or 'no other room'}")
    elif what.startswith("<"):
        header = what.strip("<>")
        if SYSTEM.fullmatch(header):
            return
        for pattern, files in FOREIGN:
            if re.fullmatch(pattern, header):
                if path not in files:
                    found(f"{path} includes <{header}>: only {' and '.join(files)} may")
                return
        found(f"{path} includes <{header}>: an unknown library; give it its one file in FOREIGN of "
              "tests/support/rooms.py and its row in docs/dependencies.md")
    else:
        found(f"{path} includes {what}: a name that can't be checked")


def check_sources(source, found):
    rows = rows_of(source)
    if not rows:
        found("CMakeLists.txt: no room(...) row found")
    for room, row in rows.items():
        for used in row.uses | {h.split("/")[0] for h in row.headers}:
            if used not in rows:
                found(f"CMakeLists.txt: room({room}) uses {used}, which is no room")
    if os.path.exists(os.path.join(source, "docs", "architecture.md")):
        written = rows_of_architecture(source)
        for room, row in rows.items():
            if written.get(room) != row:
                found(f"docs/architecture.md: the row of {room}/ says {written.get(room)}, "
                      f"CMakeLists.txt says {row}")
    rows = dict(rows)
    rows["app"] = Row(set(rows), set())
    for room, row in rows.items():
        for path in files_of(source, room):
            for what in INCLUDE.findall(strip_comments(read(os.path.join(source, path)))):
                check_include(rows, room, path, what, row.uses | {room}, found)
        check_room_cmake(source, room, row, found)


def check_room_cmake(source, room, row, found):
    path = os.path.join(room, "room.cmake")
    if not os.path.exists(os.path.join(source, path)):
        return
    text = re.sub(r"#[^\n]*", "", read(os.path.join(source, path)))
    for other in set(re.findall(r"bouncemx_(\w+)", text)) - {room}:
        if other in rows_of(source) and other not in row.uses:
            found(f"{path} names bouncemx_{other}: {room} may not link it")
    for words in re.findall(r"room_library\(([^)]*)\)", text):
        owner, file, *_ = words.split()
        if owner != room:
            found(f"{path}: room_library({words}) is about another room")
        elif not os.path.exists(os.path.join(source, room, file)):
            found(f"{path}: room_library({words}): there is no {room}/{file}")


def symbols(archive):
    """Names that an archive defines, and those it leaves to others."""
    out = subprocess.run(["nm", "-P", archive], capture_output=True, text=True, check=True).stdout
    defined, undefined = set(), set()
    for line in out.splitlines():
        words = line.split()
        if len(words) < 2 or line.endswith(":"):
            continue
        if words[1] in "Uvw" and len(words[1]) == 1:
            undefined.add(words[0])
        elif words[1].isupper():
            defined.add(words[0])
    return defined, undefined - defined


def check_libraries(source, build, found):
    rows = rows_of(source)
    archives = {}
    for folder, _, names in os.walk(build):
        for name in names:
            m = re.fullmatch(r"libbouncemx_(\w+)\.a", name)
            if m and m.group(1) in rows:
                archives[m.group(1)] = os.path.join(folder, name)
    for room in rows:
        has_source = any(path.endswith(".c") for path in files_of(source, room))
        if has_source and room not in archives:
            found(f"{build}: no libbouncemx_{room}.a; is it built?")
    tables = {room: symbols(path) for room, path in archives.items()}
    for room, (_, undefined) in sorted(tables.items()):
        for other, (defined, _) in sorted(tables.items()):
            if other == room or other in rows[room].uses:
                continue
            # A sanitizer's own marks are in every object.
            for name in sorted(n for n in undefined & defined if not n.startswith("__")):
                found(f"libbouncemx_{room}.a needs {name} of {other}/: "
                      f"{room} may link {', '.join(sorted(rows[room].uses)) or 'no other room'}")
        for other, (defined, _) in sorted(tables.items()):
            for name in sorted(n for n in tables[room][0] & defined if not n.startswith("__")):
                if room < other:
                    found(f"{name} is in {room}/ and in {other}/: one program can't hold both")


def check(source, build=None):
    violations = []
    check_sources(source, violations.append)
    if build:
        check_libraries(source, build, violations.append)
    return violations


# ---- self-test ----

GOOD = {
    "CMakeLists.txt": "room(base)\nroom(spool USES base)\nroom(parser USES base)\n"
                      "room(db USES base HEADERS parser/report.h)\n",
    "docs/architecture.md": "| `base/` | bytes | – | x |\n| `spool/` | journal | base | |\n"
                            "| `parser/` | reads | base | |\n"
                            "| `db/` | rows | base, parser/report.h | |\n",
    "base/str.h": "int base_f(void);\n",
    "base/str.c": '#include "base/str.h"\n#include <stdio.h>\nint base_f(void){return 1;}\n',
    "spool/record.c": '#include "base/str.h"\n#include <xxhash.h>\n/* #include "db/pg.h" */\n'
                      "int base_f(void);\nint spool_f(void){return base_f();}\n",
    "spool/room.cmake": "room_library(spool record.c libxxhash)\n",
    "parser/report.h": '#include "base/str.h"\n',
    "parser/mime.c": "#include <gmime/gmime.h>\nint parser_f(void){return 2;}\n",
    "db/pg.c": '#include "parser/report.h"\n#include <libpq-fe.h>\nint db_f(void){return 3;}\n',
    "app/main.c": '#include "base/str.h"\n#include "db/db.h"\n#include <sys/stat.h>\n',
}

# name -> file, what is put there, words of the violation that must be told (None: tree is good).
PLANTED = {
    "a good tree": (None, None, None),
    "a room that the row does not name":
        ("spool/x.c", '#include "parser/report.h"\n', "spool/x.c includes parser/report.h"),
    "another header of a room of which one is allowed":
        ("db/x.c", '#include "parser/mime.h"\n', "db/x.c includes parser/mime.h"),
    "a header included by another header":
        ("base/x.h", '  #  include "spool/spool.h"\n', "base/x.h includes spool/spool.h"),
    "the base using a room": ("base/x.c", '#include "app/main.h"\n', "base/x.c includes app/main.h"),
    "a room without its folder": ("db/x.c", '#include "pg.h"\n', 'write it as "db/pg.h"'),
    "a path that climbs": ("db/x.c", '#include "../spool/spool.h"\n', "db/x.c includes ../spool"),
    "a foreign header in a second file":
        ("db/x.c", "#include <libpq-fe.h>\n", "only db/pg.c may"),
    "a foreign header in a header": ("parser/mime.h", "#include <gmime/gmime.h>\n", "parser/mime.h"),
    "a foreign header in app": ("app/x.c", "#include <uv.h>\n", "app/x.c includes <uv.h>"),
    "a library nobody knows": ("spool/x.c", "#include <ldap.h>\n", "an unknown library"),
    "a name made by a macro": ("spool/x.c", "#include WHERE\n", "can't be checked"),
    "room.cmake that links a room":
        ("db/room.cmake", "target_link_libraries(bouncemx_db PUBLIC bouncemx_spool)\n",
         "db/room.cmake names bouncemx_spool"),
    "room.cmake for a file that is not there":
        ("db/room.cmake", "room_library(db gone.c libpq)\n", "there is no db/gone.c"),
    "a row that the page does not have": ("CMakeLists.txt", GOOD["CMakeLists.txt"]
                                          + "room(attribute USES base)\n", "the row of attribute/"),
    "a row that says less than the page":
        ("CMakeLists.txt", GOOD["CMakeLists.txt"].replace("room(spool USES base)", "room(spool)"),
         "the row of spool/"),
    "a symbol of another room, declared by hand":
        ("spool/record.c", GOOD["spool/record.c"]
         + "int parser_f(void);\nint spool_g(void){return parser_f();}\n",
         "libbouncemx_spool.a needs parser_f of parser/"),
    "a name that two rooms define":
        ("spool/x.c", "int db_f(void){return 4;}\n", "db_f is in db/ and in spool/"),
    "a library that is not built": ("-spool", None, "no libbouncemx_spool.a"),
}


def build_libraries(top, skip):
    for room in rows_of(top):
        objects = []
        for path in files_of(top, room):
            if path.endswith(".c") and room != skip:
                text = re.sub(INCLUDE, "", read(os.path.join(top, path)))
                objects.append(os.path.join(top, path + ".o"))
                subprocess.run(["cc", "-x", "c", "-c", "-", "-o", objects[-1]], input=text,
                               text=True, check=True)
        if objects:
            subprocess.run(["ar", "rc", os.path.join(top, f"libbouncemx_{room}.a"), *objects],
                           check=True)


def self_test():
    failed = 0
    for name, (file, text, words) in PLANTED.items():
        with tempfile.TemporaryDirectory() as top:
            tree = dict(GOOD)
            if text is not None:
                tree[file] = text
            for path, content in tree.items():
                os.makedirs(os.path.dirname(os.path.join(top, path)) or top, exist_ok=True)
                with open(os.path.join(top, path), "w", encoding="utf-8") as f:
                    f.write(content)
            build_libraries(top, file[1:] if file and file.startswith("-") else None)
            violations = check(top, top)
        good = not violations if words is None else any(words in v for v in violations)
        print(f"{'ok' if good else 'not ok'} - {name}")
        if not good:
            failed += 1
            print(f"  expected: {words}\n  found: {violations}")
    return 1 if failed else 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    if len(args) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    if shutil.which("nm") is None:
        print("rooms.py: no nm (package binutils)", file=sys.stderr)
        return 1
    violations = check(*args)
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations, {len(rows_of(args[0]))} rooms and app")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
