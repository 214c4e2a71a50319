"""Counts of `scrimp-tokens` against OpenAI's own tiktoken: equal, and how much faster.

Ten megabytes of mixed text and code: this repository's own sources and documents, and Python's
standard library, in a seeded order. Both count the same bytes in the same run; times are processor
time of one thread, alternating, so that a busy machine slows both alike.

The vocabulary files are those that the `bpe-openai` crate carries: the wheel has none, and OpenAI's
server need not be reached. `cargo xtask oracle tokens` installs what this needs.
"""

import argparse
import base64
import gzip
import json
import pathlib
import random
import subprocess
import sys
import sysconfig
import time

import tiktoken
from tiktoken_ext import openai_public

MEGABYTES = 10
ENCODINGS = ["o200k_base", "cl100k_base"]


def corpus(root, seed):
    """Mixed text and code, as UTF-8."""
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    files = [p for s in ("*.rs", "*.md", "*.ts", "*.toml", "*.txt", "*.json", "*.css", "*.py")
             for p in root.glob(f"**/{s}") if "target" not in p.parts and "node_modules" not in p.parts]
    files += list(library.glob("*.py")) + list(library.glob("[a-z]*/*.py"))
    # Text in other scripts is in the tests of codecs and of `re`.
    random.Random(seed).shuffle(files := sorted(set(files)))
    text, size = [], 0
    for path in files:
        try:
            piece = path.read_text("utf-8")[:400_000]
        except UnicodeDecodeError:
            continue
        text.append(piece)
        size += len(piece.encode())
        if MEGABYTES * 1_000_000 <= size:
            break
    text = "".join(text).encode()[: MEGABYTES * 1_000_000]
    return text.decode("utf-8", "ignore")


def reference(name, data):
    """tiktoken's own code, pattern and special tokens, with the vocabulary of a file."""
    lines = gzip.decompress((data / f"{name}.tiktoken.gz").read_bytes()).splitlines()
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in lines if line)}
    openai_public.load_tiktoken_bpe = lambda *_, **__: ranks
    return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())


def awkward():
    """What pre-tokenizers get wrong."""
    parts = [" ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "don't", "ABCdef", "1234567", "...\n/", "é",
             "e\u0301", "日本", "🙂", "\u00a0", "\u2028", "//", "({[", "x", "Ǆ", "ʰ", "٣", "<|endoftext|>"]
    dice = random.Random(7)
    return ["".join(dice.choices(parts, k=dice.randint(1, 400))) for _ in range(200)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--ours", required=True, help="the example count_speed")
    arguments.add_argument("--data", required=True, type=pathlib.Path)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    root = pathlib.Path(__file__).parent.parent
    work = arguments.data.parent / "tokens-corpus.txt"
    text = corpus(root, arguments.seed)
    failed = False

    def ours(path, name, rounds):
        said = subprocess.run([arguments.ours, path, name, str(rounds)], check=True, capture_output=True)
        return json.loads(said.stdout)

    for name in ENCODINGS:
        theirs = reference(name, arguments.data)
        work.write_text("\n".join(awkward()), "utf-8", newline="")
        counted = ours(work, name, 1)["tokens"]
        expected = len(theirs.encode_ordinary("\n".join(awkward())))
        print(f"{name}: awkward texts: {counted} tokens, tiktoken {expected}")
        failed |= counted != expected
        work.write_text(text, "utf-8", newline="")
        pairs = []
        for _ in range(arguments.rounds):
            begun = time.thread_time()
            expected = len(theirs.encode_ordinary(text))
            their_seconds = time.thread_time() - begun
            found = ours(work, name, 2)
            counted, (first, second) = found["tokens"], found["seconds"]
            pairs.append((their_seconds, first, second, found["unpacked"]))
        megabytes = len(text.encode()) / 1e6
        verdict = "equal" if counted == expected else "DIFFERENT"
        failed |= counted != expected
        print(f"{name}: {megabytes:.1f} MB: {counted} tokens, tiktoken {expected}: {verdict}")
        first = sorted(t / o for t, o, _, _ in pairs)
        again = sorted(t / o for t, _, o, _ in pairs)
        middle = len(pairs) // 2
        theirs_speed = megabytes / sorted(t for t, *_ in pairs)[middle]
        ours_speed = megabytes / sorted(o for _, o, _, _ in pairs)[middle]
        print(f"{name}: {ours_speed:.0f} MB/s, tiktoken {theirs_speed:.1f} MB/s: "
              f"{first[middle]:.1f} times as fast ({first[0]:.1f} to {first[-1]:.1f}); the second time, "
              f"with words seen before, {again[middle]:.1f}; unpacking takes "
              f"{sorted(u for *_, u in pairs)[middle]:.2f} s")
    work.unlink()
    sys.exit(failed)


if __name__ == "__main__":
    main()
