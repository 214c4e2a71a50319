import assert from "node:assert/strict";
import { test } from "node:test";
import { stacked } from "../src/parts/plot";
import { wantedOf } from "../src/screens/keys-create";
import { amountOf, nameOf, plotOf, summaryOf } from "../src/screens/spend-plot";
import type { SpendDay, SpendRow, SpendSums, Spending } from "../src/types";

const DAY = 86_400_000;
const TOKENS = { uncached: 1, cache_read: 2, cache_write_short: 3, cache_write_long: 4, output: 5, reasoning: 6 };

function sums(calls: number, usd: string | null): SpendSums {
  return { calls, usd, tokens: TOKENS, unpriced_calls: usd === null ? calls : 0, unknown_usage_calls: 0 };
}

/** A row with calls on two of three days. */
function row(of: Partial<SpendRow>, usd: string | null): SpendRow {
  return { kind: "value", ...of, ...sums(4, usd), last_ms: 2 * DAY, days: daysOf(usd) };
}

function daysOf(usd: string | null): SpendDay[] {
  return [0, 2].map((day) => ({ at_ms: day * DAY, ...sums(2, usd) }));
}

function spending(rows: SpendRow[], undrawn: SpendDay[] = []): Spending {
  return { by: "team", window: { from_ms: 0, to_ms: 3 * DAY, width_ms: DAY }, totals: sums(40, "99"), rows, undrawn_days: undrawn, unlisted: 0, tags: [], known_from_ms: null };
}

test("the dearest have colours, and everything together is every row", () => {
  const named = Array.from({ length: 9 }, (_, n) => row({ value: `team-${n}` }, String(n + 1)));
  const rows = [...named, row({ kind: "rest" }, "0.5"), row({ kind: "without" }, "0.25"), row({ kind: "unknown" }, "0.125")];
  const { lines } = plotOf(spending(rows), "team", "usd");
  assert.deepEqual(lines.map((line) => line.name), ["team-8", "team-7", "team-6", "team-5", "team-4", "team-3", "the rest", "no team", "not known"]);
  assert.equal(new Set(lines.map((line) => `${line.colour} ${line.fill}`)).size, lines.length);
  assert.deepEqual(stacked(lines).at(-1), [45.875, 0, 45.875]);
});

test("rows that are not told by day are part of the rest", () => {
  const { days: _, ...silent } = row({ value: "b" }, "2");
  const { lines } = plotOf(spending([row({ value: "a" }, "1"), silent], daysOf("2")), "team", "usd");
  assert.deepEqual(lines.map((line) => [line.name, ...line.values]), [["a", 1, 0, 1], ["the rest", 2, 0, 2]]);
});

test("a day without calls is zero, and a day without prices is a gap", () => {
  const rows = [row({ value: "a" }, "1"), row({ value: "b" }, null)];
  const values = plotOf(spending(rows), "team", "usd").lines.map((line) => line.values);
  assert.deepEqual(values, [[1, 0, 1], [null, 0, null]]);
  assert.deepEqual(plotOf(spending(rows), "team", "unpriced").lines.map((line) => [line.name, ...line.values]), [["b", 2, 0, 2], ["a", 0, 0, 0]]);
});

test("rows are told apart by name", () => {
  const digest = "0123456789abcdef".repeat(2);
  assert.equal(nameOf(row({ value: digest }, "1"), "session"), "01234567…");
  assert.equal(nameOf(row({ value: "00ff", name: "nightly" }, "1"), "key"), "nightly");
  assert.equal(nameOf(row({ kind: "without" }, "1"), "tag"), "no such tag");
  const twice = [row({ value: "m", provider: "one" }, "2"), row({ value: "m", provider: "two" }, "1")];
  assert.deepEqual(plotOf(spending(twice), "model", "calls").lines.map((line) => line.name), ["m (one)", "m (two)"]);
});

test("what is not known of tokens is not zero", () => {
  assert.equal(amountOf(sums(1, "1"), "tokens"), 21);
  assert.equal(amountOf({ ...sums(1, "1"), tokens: null }, "tokens"), null);
  assert.match(summaryOf(spending([row({ value: "a" }, "33")]), "team", "usd"), /^Most by a: \$33\.00, 33% of all\./);
  assert.equal(summaryOf(spending([row({ value: "a" }, null)]), "team", "usd"), "Nothing on these days.");
});

test("a key is asked for as it was typed, and a slip is said", () => {
  const fields = { name: " n ", team: "", models: "gpt-*, ,claude-*", tags: "a=b, c=d=e", days: "1.5" };
  assert.deepEqual(wantedOf(fields, 1000), { name: "n", models: ["gpt-*", "claude-*"], tags: { a: "b", c: "d=e" }, expires_ms: 1000 + 1.5 * DAY });
  assert.deepEqual(wantedOf({ ...fields, models: "", tags: "", days: "", name: "" }, 0), { models: [], tags: {} });
  assert.match(String(wantedOf({ ...fields, tags: "search" }, 0)), /“search” is no tag/);
  for (const days of ["0", "-1", "soon"]) assert.match(String(wantedOf({ ...fields, days }, 0)), /must be a number above 0/);
});
