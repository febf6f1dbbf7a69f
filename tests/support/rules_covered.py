#!/usr/bin/python3
"""Every pattern of a rule file is shown by an example of its rule, and there are enough of them.

Usage: rules_covered.py FILE MINIMUM

That an example is won by its own rule is tested with the program itself (unit/classify/examples); here, that no pattern
stands there unproven. Patterns are near enough to Python's regular expressions for that.
"""
import re
import sys


def read(path):
    rules = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.strip().partition(" ")
            if key == "rule":
                rules.append({"id": value, "pattern": [], "example": []})
            elif key in ("pattern", "example"):
                rules[-1][key].append(value.strip())
    return rules


def plain(text):
    """As patterns see a reply: one line, without the codes that begin its further lines."""
    text = re.sub(r"\s+", " ", text.replace("’", "'"))
    return re.sub(r"(?<=\s)[45]\d\d[- ](\d\.\d+\.\d+ )?", "", text)


def main():
    path, minimum = sys.argv[1], int(sys.argv[2])
    patterns = unproven = 0
    for rule in read(path):
        texts = [form for example in rule["example"] for form in (example, plain(example))]
        for pattern in rule["pattern"]:
            patterns += 1
            expression = re.compile(pattern.replace(" ... ", ".{0,80}"), re.IGNORECASE)
            if not any(expression.search(text) for text in texts):
                unproven += 1
                print(f"{path}: rule {rule['id']}: no example shows the pattern {pattern}")
    print(f"{patterns} patterns, {unproven} without an example")
    if patterns < minimum:
        print(f"expected at least {minimum} patterns")
    sys.exit(1 if unproven or patterns < minimum else 0)


main()
