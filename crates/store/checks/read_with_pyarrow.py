"""Reads every segment of a store with pyarrow, and with DuckDB, and compares both with what the store says.

    python3 -m venv V && V/bin/pip install pyarrow duckdb
    V/bin/python crates/store/checks/read_with_pyarrow.py DATA_DIR [ANALYZED]

ANALYZED is what `scrimp analyze --json --data DATA_DIR` printed of these calls, best before they were
sealed: calls, dollars and each class of tokens must be equal, in all and for each model.
`cargo xtask test clients` does it with what a gateway wrote.
"""

import collections
import decimal
import json
import pathlib
import sqlite3
import sys

import duckdb
import pyarrow.parquet

CLASSES = ["uncached", "cache_read", "cache_write_short", "cache_write_long", "audio_input", "image_input",
           "output", "reasoning", "audio_output"]


def read(directory, database):
    """Calls, dollars and tokens of each model, by pyarrow."""
    registered = dict(database.execute("SELECT name, calls FROM segment"))
    files = sorted((directory / "segments").glob("*.parquet"))
    assert {file.name for file in files} == set(registered), "files and register differ"
    totals = collections.defaultdict(lambda: [0, decimal.Decimal(0), *[0] * len(CLASSES)])
    for file in files:
        table = pyarrow.parquet.read_table(file)
        assert table.num_rows == registered[file.name], file.name
        arrived = table["arrived"].to_pylist()
        assert arrived == sorted(arrived), f"{file.name} is not in order of arrival"
        assert all(moment.tzinfo is not None for moment in arrived[:1]), "arrivals are UTC"
        for row in table.select(["model", "usd", *CLASSES]).to_pylist():
            of_model = totals[row["model"]]
            for at, value in enumerate([1, row["usd"] or 0, *(row[name] for name in CLASSES)]):
                of_model[at] += value
        for block in table["blocks"].to_pylist()[:100]:
            assert all(set(part) == {"role", "digest", "tokens"} for part in block)
    print(f"{len(files)} segments, {shown(totals)}")
    return dict(totals)


def read_with_duckdb(directory):
    sums = ", ".join(f"sum({name})" for name in CLASSES)
    query = f"SELECT model, count(*), coalesce(sum(usd), 0), {sums} FROM read_parquet(?) GROUP BY model"
    rows = duckdb.execute(query, [str(directory / "segments" / "*.parquet")]).fetchall()
    return {model: list(sums) for model, *sums in rows}


def all_of(totals):
    return [sum(column) for column in zip(*totals.values())]


def shown(totals):
    calls, usd, *tokens = all_of(totals)
    return f"{calls} calls of {len(totals)} models, {usd} dollars, {sum(tokens)} tokens"


def equals_ledger(totals, database):
    rows = database.execute("SELECT calls, usd, uncached FROM ledger").fetchall()
    ledger = [sum(column) for column in zip(*((calls, decimal.Decimal(usd), n) for calls, usd, n in rows))]
    assert all_of(totals)[:3] == ledger, f"{all_of(totals)} is not the ledger's {ledger}"
    print("equal to the ledger, to the last pico-dollar")


def equals_analysis(totals, analyzed):
    """`analyze` groups by operation and model; each model's parts are added."""
    def numbers(part):
        calls = part["count"] if "count" in part else part["calls"]
        return [calls, decimal.Decimal(part["usd"]), *(part["tokens"][name] for name in CLASSES)]

    models = collections.defaultdict(list)
    for operation in analyzed["operations"]:
        for model in operation["models"]:
            models[model["model"]].append(numbers(model))
    models = {model: [sum(column) for column in zip(*parts)] for model, parts in models.items()}
    assert totals == models, f"{totals} is not what `analyze` says: {models}"
    assert all_of(totals) == numbers(analyzed["totals"]), "the models are equal, their sum is not"
    print("equal to `scrimp analyze --json`, in all and for each model")


def main():
    directory = pathlib.Path(sys.argv[1])
    database = sqlite3.connect(f"file:{directory}/scrimp.db?mode=ro", uri=True)
    totals = read(directory, database)
    assert totals == read_with_duckdb(directory), "pyarrow and DuckDB differ"
    unsealed = database.execute(
        "SELECT coalesce(sum(calls), 0) FROM tail WHERE first >"
        " (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM state WHERE key = 'store.sealed')"
    ).fetchone()[0]
    if unsealed == 0:
        equals_ledger(totals, database)
    if len(sys.argv) == 3:
        assert totals and unsealed == 0, f"{unsealed} calls are not sealed"
        equals_analysis(totals, json.loads(pathlib.Path(sys.argv[2]).read_text()))


main()
