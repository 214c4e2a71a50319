#!/usr/bin/env python3
"""Replays a folder of coding-agent sessions against prompt caches, without any of Scrimp's code.

    python3 oracles/prompt_cache.py FOLDER

FOLDER has one JSON (gzip) per session: `requests` with a time `t` in seconds, a model, `in` and `out`
tokens, and in `hash_ids` one id for each full block of `block_size` tokens of the prompt. Sub-agents
are requests with `requests` of their own, whose times count from when they began.

The rules are Anthropic's ("Prompt caching", "Pricing"): an entry is an exact prefix of a model's
prompts, from the minimum length on, kept for its life since it was last written or read; what comes
after the longest entry is written up to the mark, the rest is plain input. An entry can be read from
the moment its request was sent. Compare with `scrimp whatif FOLDER`; the table is in docs/benchmarks.md.
"""

import gzip
import json
import pathlib
import sys

# Dollars a million tokens of input and of output, and the shortest prefix that is kept.
MODELS = {"opus-4-6": (5, 25, 4096), "opus-4-5": (5, 25, 4096), "opus-4-1": (15, 75, 1024),
          "sonnet-4-5": (3, 15, 1024), "sonnet-4-2025": (3, 15, 1024), "haiku-4-5": (1, 5, 4096)}
READ = 0.1
WRITE = {300: 1.25, 3600: 2.0}
POLICIES = {"none": None, "system:short": ("system", 300), "system:long": ("system", 3600),
            "tail:short": ("tail", 300), "tail:long": ("tail", 3600)}


def requests(of, began=0.0):
    """Every request, on its session's clock, with the tokens of tools and system it begins with."""
    preamble = of.get("tool_tokens", 0) + of.get("system_tokens", 0)
    for node in of["requests"]:
        at = began + node["t"]
        if "requests" in node:
            yield from requests(node, at)
        else:
            yield {**node, "t": at}, preamble


def published(model):
    return next(numbers for name, numbers in MODELS.items() if name in model)


def prefixes(ids):
    """A number for each prefix, equal for equal prefixes: a digest of the one before and its last id."""
    found, digest = [], 0
    for block in ids:
        digest = hash((digest, block))
        found.append(digest)
    return found


def replay(calls, size, policy):
    """Dollars of input, and the tokens that were read from the cache."""
    expires, dollars, read_in_all = {}, 0.0, 0
    for call, preamble, chain in calls:
        price, _, shortest = published(call["model"])
        if policy is None:
            dollars += call["in"] * price
            continue
        where, life = policy
        mark = len(chain) if where == "tail" else min(preamble // size, len(chain))
        mark = mark if shortest <= mark * size else 0
        # A mark reads the longest entry at or before it.
        read = mark
        while read and expires.get((call["model"], chain[read - 1]), -1) <= call["t"]:
            read -= 1
        read = read if shortest <= read * size else 0
        for length in {read, mark} - {0}:
            expires[call["model"], chain[length - 1]] = call["t"] + life
        plain = call["in"] - mark * size
        dollars += price * (plain + READ * read * size + WRITE[life] * (mark - read) * size)
        read_in_all += read * size
    return dollars / 1e6, read_in_all


def main():
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.json.gz"))
    sums = {name: [0.0, 0] for name in POLICIES}
    count = tokens = output = 0
    for file in files:
        session = json.loads(gzip.decompress(file.read_bytes()))
        found = sorted(requests(session), key=lambda pair: pair[0]["t"])
        calls = [(c, p, prefixes(c["hash_ids"])) for c, p in found]
        count, tokens = count + len(calls), tokens + sum(c["in"] for c, _, _ in calls)
        output += sum(c["out"] * published(c["model"])[1] / 1e6 for c, _, _ in calls)
        for name, policy in POLICIES.items():
            for at, value in enumerate(replay(calls, session["block_size"], policy)):
                sums[name][at] += value
    print(f"{len(files)} sessions, {count:,} calls, {tokens / 1e9:.2f} G input tokens")
    print(f"{'policy':13} {'input':>8}  {'÷ no caching':>12}  {'read from cache':>15}  {'with output':>11}")
    for name, (dollars, read) in sums.items():
        share = dollars / sums["none"][0]
        print(f"{name:13} {dollars:>8,.0f}  {share:>12.4f}  {read / tokens:>15.1%}  {dollars + output:>11,.0f}")


main()
