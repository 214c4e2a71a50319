"""Reads every segment of a store with pyarrow and compares it with what the store says.

    python3 -m venv V && V/bin/pip install pyarrow duckdb
    V/bin/python crates/store/checks/read_with_pyarrow.py DATA_DIR
"""

import decimal
import pathlib
import sqlite3
import sys

import pyarrow.parquet

directory = pathlib.Path(sys.argv[1])
database = sqlite3.connect(f"file:{directory}/scrimp.db?mode=ro", uri=True)
registered = dict(database.execute("SELECT name, calls FROM segment"))
files = sorted((directory / "segments").glob("*.parquet"))
assert {file.name for file in files} == set(registered), "files and register differ"

calls, usd, tokens = 0, decimal.Decimal(0), 0
for file in files:
    table = pyarrow.parquet.read_table(file)
    assert table.num_rows == registered[file.name], file.name
    arrived = table["arrived"].to_pylist()
    assert arrived == sorted(arrived), f"{file.name} is not in order of arrival"
    assert all(moment.tzinfo is not None for moment in arrived[:1]), "arrivals are UTC"
    calls += table.num_rows
    usd += sum(value for value in table["usd"].to_pylist() if value is not None)
    tokens += sum(table["uncached"].to_pylist())
    for block in table["blocks"].to_pylist()[:100]:
        assert all(set(part) == {"role", "digest", "tokens"} for part in block)

unsealed = database.execute(
    "SELECT coalesce(sum(calls), 0) FROM tail WHERE first >"
    " (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM state WHERE key = 'store.sealed')"
).fetchone()[0]
print(f"{len(files)} segments, {calls} calls, {tokens} uncached tokens, {usd} dollars")
if unsealed == 0:
    rows = database.execute("SELECT calls, uncached, usd FROM ledger").fetchall()
    assert calls == sum(row[0] for row in rows), "calls differ from the ledger"
    assert tokens == sum(row[1] for row in rows), "tokens differ from the ledger"
    assert usd == sum(decimal.Decimal(row[2]) for row in rows), "dollars differ from the ledger"
    print("equal to the ledger, to the last pico-dollar")

try:
    import duckdb
except ImportError:
    sys.exit(0)
pattern = str(directory / "segments" / "*.parquet")
query = "SELECT model, count(*), sum(usd), quantile_cont(latency_us, 0.95) FROM read_parquet(?) GROUP BY ALL ORDER BY 1"
for row in duckdb.execute(query, [pattern]).fetchall():
    print("duckdb:", *row)
