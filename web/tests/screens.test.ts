import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { roundSteps } from "../src/parts/plot";
import { passes } from "../src/screens/calls";
import { nameOfKind } from "../src/screens/errors-kinds";
import { cacheInWords, rateInWords, tiersInWords } from "../src/screens/models-prices";
import type { CallRow } from "../src/types";
import type { Price } from "../src/types-screens";

const card = (tier: string, above: number): Price["cards"][number] => ({
  tier, above, uncached: "1", cache_read: null, cache_write_short: null, cache_write_long: null, output: "2",
});
const PRICE: Price = { provider: "p", model: "m", cards: [card("standard", 0)], cache: null, context: null, own: false, from_ms: null, until_ms: null };

test("a heatmap's axis has round steps, and not too many", () => {
  deepEqual(roundSteps(180, 3000), [200, 500, 1000, 2000]);
  deepEqual(roundSteps(0.3, 60_000), [1, 10, 100, 1000, 10_000]);
  deepEqual(roundSteps(2.1, 4.9), []);
});

test("rates keep all digits and have cents in any case", () => {
  deepEqual(["2.5", "3", "3.125", "0.00000125"].map(rateInWords), ["$2.50", "$3.00", "$3.125", "$0.00000125"]);
});

test("when another rate counts is said shortly", () => {
  equal(tiersInWords(PRICE), "");
  equal(tiersInWords({ ...PRICE, cards: [card("standard", 0), card("standard", 200_000), card("batch", 0), card("batch", 200_000), card("flex", 0)] }), "also above 200k; batch; batch, above 200k and 1 more");
});

test("a model without a cache is not said to have one from 0 tokens", () => {
  equal(cacheInWords(PRICE), "–");
  equal(cacheInWords(null), "–");
  equal(cacheInWords({ ...PRICE, cache: { kind: "marked", min_tokens: 4096, short_ms: 3e5, long_ms: null } }), "marks, from 4,096");
});

test("a call that ends is shown only if it passes all of the filter", () => {
  const row = { provider: "azure", model: "m", operation: "o", status: 200, ending: { answered: { status: 200 } } } as unknown as CallRow;
  const all = { only: "", provider: "", model: "", operation: "" };
  const shown = (filter: Partial<typeof all>): boolean => passes(row, { ...all, ...filter });
  deepEqual([{}, { provider: "azure" }, { provider: "azure", model: "m", operation: "o" }].map(shown), [true, true, true]);
  deepEqual([{ provider: "openai" }, { provider: "azure", model: "n" }, { provider: "openai", model: "m" }].map(shown), [false, false, false]);
});

test("what went wrong is named by status, word or ending", () => {
  equal(nameOfKind({ ending: "rejected", word: null, status: 429 }), "429");
  equal(nameOfKind({ ending: "failed", word: "first_token_timeout", status: null }), "first token timeout");
  equal(nameOfKind({ ending: "truncated", word: null, status: 200 }), "truncated");
});
