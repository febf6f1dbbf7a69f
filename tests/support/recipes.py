#!/usr/bin/env python3
"""recipes.py SOURCE_DIR - the recipes of docs/return-path.md, taken out of the page and run against
tests/golden/token-vectors.json. A language that is not installed is named, and not tested.

Each recipe gets lines on its standard input (key in hex, key id, domain, purpose letter, day,
stream, recipient, id; tabs between) and answers each with an address, or "refused".
"""
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

EPOCH = datetime.date(1970, 1, 1)
LUA_STUB = r"""
-- What KumoMTA brings: SHA-256 of all arguments, here by sha256sum.
package.preload.kumo = function()
  return {digest = {sha256 = function(...)
    local name = os.tmpname()
    local f = assert(io.open(name, 'wb'))
    f:write(...)
    f:close()
    local p = assert(io.popen('sha256sum <' .. name))
    local hex = p:read('a'):match '^%x+'
    p:close()
    os.remove(name)
    return {bytes = (hex:gsub('..', function(h) return string.char(tonumber(h, 16)) end))}
  end}}
end
"""

DRIVERS = {
    "python": ("recipe.py", "@CODE@\n" r"""
import sys
for line in sys.stdin:
    key, key_id, domain, purpose, day, stream, recipient, token_id = line.rstrip("\n").split("\t")
    try:
        text = token_id or payload(recipient, stream)
        print(sign(bytes.fromhex(key), key_id, domain, text, purpose, int(day)))
    except ValueError:
        print("refused")
""", ["python3"]),
    "node": ("recipe.js", "@CODE@\n" r"""
const out = [];
for (const line of require('fs').readFileSync(0, 'utf8').trimEnd().split('\n')) {
  const [key, keyId, domain, purpose, day, stream, recipient, id] = line.split('\t');
  try {
    out.push(sign(Buffer.from(key, 'hex'), keyId, domain, id || payload(recipient, stream), purpose,
                  Number(day)));
  } catch (e) {
    out.push('refused');
  }
}
console.log(out.join('\n'));
""", ["node"]),
    "php": ("recipe.php", "<?php\n@CODE@\n" r"""
while (($line = fgets(STDIN)) !== false) {
    [$key, $keyId, $domain, $purpose, $day, $stream, $recipient, $id] = explode("\t", rtrim($line, "\n"));
    try {
        $text = $id !== '' ? $id : payload($recipient, $stream);
        echo sign(hex2bin($key), $keyId, $domain, $text, $purpose, (int)$day), "\n";
    } catch (InvalidArgumentException $e) {
        echo "refused\n";
    }
}
""", ["php"]),
    "go": ("recipe.go", "package main\n@CODE@\n" r"""
func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		f := strings.Split(in.Text(), "\t")
		key, _ := hex.DecodeString(f[0])
		day, _ := strconv.Atoi(f[4])
		text, err := f[7], error(nil)
		if text == "" {
			text, err = Payload(f[6], f[5])
		}
		address := ""
		if err == nil {
			address, err = Sign(key, f[1], f[2], text, f[3], day)
		}
		if err != nil {
			address = "refused"
		}
		fmt.Println(address)
	}
}
""", ["go", "run"]),
    "lua": ("recipe.lua", LUA_STUB + "@CODE@\n" r"""
for line in io.lines() do
  local f = {}
  for field in (line .. '\t'):gmatch '([^\t]*)\t' do f[#f + 1] = field end
  local key = f[1]:gsub('..', function(h) return string.char(tonumber(h, 16)) end)
  local text = f[8] ~= '' and f[8] or payload(f[7], f[6] ~= '' and f[6] or nil)
  print(text and sign(key, f[2], f[3], text, f[4], tonumber(f[5])) or 'refused')
end
""", ["lua5.4"]),
}

# The plugin beside stand-ins for what Haraka gives to it.
HARAKA = r"""
const DENY = 902;
class Given { constructor(text) { this.original = text; } }
const plain_require = require;
@GIVEN@
@CODE@
const hooks = {};
exports.config = { get: (name) => name === 'return_path_key' ? KEY + '\n' : null };
exports.register_hook = (hook, method) => { hooks[hook] = method; };
exports.register();
function submit(rcpt_to) {
  const connection = { transaction: { rcpt_to, mail_from: null } };
  let answer = 'none';
  exports[hooks.queue_outbound]((code) => { answer = code; }, connection);
  return answer === undefined ? connection.transaction.mail_from.original : answer;
}
console.log(submit([{ user: 'ann.keller', host: 'example.com' }]));
console.log(submit([{ user: 'ann.keller', host: 'example.com' }, { user: 'b', host: 'example.com' }]));
console.log(submit([{ user: '"a b"', host: 'example.com' }]));
"""


def recipes(page):
    found = re.findall(r"^<!-- recipe: (\w+) -->\n```\w+\n(.*?)^```$", page, re.M | re.S)
    return dict(found)


def letter(purpose):
    return {"bounce": "b", "complaint": "c", "unsubscribe": "u"}[purpose]


def day_of(text):
    return (datetime.date.fromisoformat(text) - EPOCH).days


def questions(vectors):
    keys = {k["id"]: k["hex"] for k in vectors["keys"]}
    asked, wanted = [], []
    for v in vectors["mint"]:
        asked.append("\t".join((keys[v["key"]], v["key"], v["domain"], letter(v["purpose"]),
                                str(day_of(v["day"])), v.get("stream") or "",
                                v.get("recipient") or "", v.get("id") or "")))
        wanted.append(v["address"] or "refused")
    return "\n".join(asked) + "\n", wanted


def go_imports(code):
    extra = '\t"bufio"\n\t"encoding/hex"\n\t"os"\n\t"strconv"\n'
    return code.replace("import (\n", "import (\n" + extra, 1)


def run(folder, name, code, asked):
    file, driver, command = DRIVERS[name]
    path = os.path.join(folder, file)
    if name == "go":
        code = go_imports(code)
    with open(path, "w", encoding="utf-8") as f:
        f.write(driver.replace("@CODE@", code))
    env = dict(os.environ, GOCACHE=os.path.join(folder, "go-cache"), GO111MODULE="off")
    return subprocess.run([*command, path], input=asked, capture_output=True, text=True, check=False,
                          timeout=300, env=env)


def haraka(folder, node_code, code, vectors):
    """The plugin signs today; the recipe for Node says what it must answer."""
    key = vectors["keys"][0]["hex"]
    stub = ("require = (name) => name === 'address-rfc2821' ? { Address: Given } : plain_require(name);\n"
            f"const KEY = '{key}';\n" + node_code)
    program = HARAKA.replace("@GIVEN@", stub).replace("@CODE@", code)
    path = os.path.join(folder, "haraka.js")
    with open(path, "w", encoding="utf-8") as f:
        f.write(program)
    done = subprocess.run(["node", path], capture_output=True, text=True, check=False, timeout=60)
    answers = done.stdout.splitlines()
    good = (len(answers) == 3 and answers[1:] == ["902", "902"] and
            re.fullmatch(r"<b1ba[a-z2-7]{3}ann\.keller=example\.com-[a-z2-7]{16}"
                         r"@bounces\.example\.com>", answers[0]))
    return None if good else f"{answers} {done.stderr}"


def postfix(folder, code):
    """The script, with a sendmail and a bouncemx that write down how they were called."""
    program = os.path.join(folder, "sign-and-send")
    with open(program, "w", encoding="utf-8") as f:
        f.write(code.replace("/usr/sbin/sendmail", f"{folder}/sendmail"))
    for name, text in (("sendmail", f'echo "$@" >>{folder}/called; cat >>{folder}/called\n'),
                       ("bouncemx", '[ "$1 $2 $3" = "token mint --" ] || exit 2\n'
                                    'case $4 in long*) exit 1;; *) echo "signed-$4@b";; esac\n')):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + text)
    for name in ("sendmail", "bouncemx", "sign-and-send"):
        os.chmod(os.path.join(folder, name), 0o755)
    env = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")
    for recipient in ("ann@x.example", "long@x.example"):
        done = subprocess.run([program, recipient], input="mail\n", text=True, check=False, env=env,
                              capture_output=True, timeout=60)
        if done.returncode != 0:
            return f"exit {done.returncode}: {done.stderr}"
    with open(os.path.join(folder, "called"), encoding="utf-8") as f:
        got = f.read()
    want = ("-G -i -f signed-ann@x.example@b -- ann@x.example\nmail\n"
            "-G -i -f postmaster@bounces.example.com -- long@x.example\nmail\n")
    return None if got == want else got


def main():
    source = sys.argv[1]
    with open(os.path.join(source, "docs/return-path.md"), encoding="utf-8") as f:
        found = recipes(f.read())
    with open(os.path.join(source, "tests/golden/token-vectors.json"), encoding="utf-8") as f:
        vectors = json.load(f)
    if set(found) != {*DRIVERS, "haraka", "postfix"}:
        sys.exit(f"recipes of docs/return-path.md: {sorted(found)}")
    asked, wanted = questions(vectors)
    failed = 0

    def tell(name, complaint):
        nonlocal failed
        failed += complaint is not None
        print(f"{name}: " + (f"WRONG: {complaint}" if complaint else "holds"), flush=True)

    with tempfile.TemporaryDirectory(prefix="bouncemx-recipes-") as folder:
        for name, code in found.items():
            tool = DRIVERS[name][2][0] if name in DRIVERS else "node" if name == "haraka" else "sh"
            if not shutil.which(tool):
                print(f"{name}: not tested, {tool} is not installed")
            elif name == "haraka":
                tell(name, haraka(folder, found["node"], code, vectors))
            elif name == "postfix":
                tell(name, postfix(folder, code))
            else:
                done = run(folder, name, code, asked)
                answers = done.stdout.splitlines()
                wrong = [f"{q!r}: {a}, expected {w}" for q, a, w in
                         zip(asked.splitlines(), answers, wanted) if a != w]
                if len(answers) != len(wanted):
                    wrong = [f"{len(answers)} answers for {len(wanted)}: {done.stderr[-2000:]}"]
                tell(name, "\n  ".join(wrong) if wrong or done.returncode else None)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
