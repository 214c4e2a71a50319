// What the control API says to the screens of operations, errors and models, on the same day that
// never was.

import { HOSTILE, summary } from "./canned.mjs";

const LONG = `openrouter/${"very-long-model-name-that-nobody-would-choose-".repeat(4)}v2`;
const NAMES = [
  { operation: "support-answer", model: "gpt-6-luna", provider: "openai" },
  { operation: "code-review", model: "claude-opus-5", provider: "anthropic" },
  { operation: "extract-invoice", model: "claude-haiku-5-5", provider: "anthropic" },
  { operation: HOSTILE, model: LONG, provider: "house" },
  { operation: "", model: "gpt-6-luna", provider: "openai" },
];

function narrowed(query) {
  const fits = (name) => ["operation", "model", "provider"].every((key) => (query.get(key) ?? "") === "" || query.get(key) === name[key]);
  return NAMES.filter(fits);
}

const names = () => Object.fromEntries(["operation", "model", "provider"].map((key) => [key, [...new Set(NAMES.map((name) => name[key]))]]));

const scaled = (spans, factor) => spans && Object.fromEntries(Object.entries(spans).map(([key, value]) => [key, value * factor]));

/** A bell over bands of equal ratio, its middle at the median. */
function column(edges, calls, median) {
  const weights = edges.slice(1).map((edge) => Math.exp(-((Math.log2(edge / median) / 1.15) ** 2) / 2) + 0.35 * Math.exp(-((Math.log2(edge / median / 5) / 0.5) ** 2) / 2));
  const all = weights.reduce((total, each) => total + each, 0);
  return weights.map((weight) => Math.round((calls * weight) / all));
}

function heatmap(series, measure, factor) {
  const edges = Array.from({ length: 37 }, (_, band) => 180 * factor * 2 ** (band / 4));
  const counts = series.map(({ calls, latency_ms }) => (latency_ms === null ? edges.slice(1).map(() => 0) : column(edges, calls, latency_ms.p50 * factor)));
  return { measure, at_ms: series.map(({ at_ms }) => at_ms), edges_ms: edges, counts };
}

const FACTORS = { latency: 1, first_token: 0.21, per_output_token: 0.007 };

export function operations(query, isEmpty) {
  const day = summary(query.get("window"));
  const measure = query.get("measure") ?? "latency";
  const rows = isEmpty ? [] : narrowed(query);
  if (rows.length === 0) return { ...nothing(day), heatmap: null };
  const withMax = (spans, count) => spans && { ...spans, count, max: (spans.p99 ?? spans.p95) * 2.2 };
  const series = day.series.map((bucket) => ({ ...bucket, tpot_ms: scaled(bucket.latency_ms, 0.007) }));
  const { totals } = day;
  return {
    window: day.window, series, names: names(), left_out: { rows: 3, calls: 41 }, heatmap: heatmap(series, measure, FACTORS[measure] ?? 1),
    totals: { ...totals, latency_ms: withMax(totals.latency_ms, totals.calls - totals.errors), ttft_ms: withMax(totals.ttft_ms, 21_400), tpot_ms: withMax(totals.tpot_ms, 21_380) },
    rows: rows.map((name, n) => {
      const calls = Math.round(totals.calls * 0.5 ** (n + 1));
      return {
        ...totals, ...name, calls, errors: n * 17, latency_ms: n === 4 ? null : withMax(scaled(totals.latency_ms, 1 + n / 3), calls - n * 17),
        ttft_ms: n === 2 ? null : withMax(scaled(totals.ttft_ms, 1 + n / 4), calls >> 1), tpot_ms: n === 2 ? null : withMax(scaled(totals.tpot_ms, 1 + n / 5), calls >> 1),
      };
    }),
  };
}

/** What any of these screens is told where there are no calls. */
function nothing(day) {
  const none = { uncached: 0, cache_read: 0, cache_write_short: 0, cache_write_long: 0, output: 0, reasoning: 0 };
  const counts = { calls: 0, errors: 0, abandoned: 0, truncated: 0, wrong: 0, unknown_usage_calls: 0, unpriced_calls: 0 };
  const isKnown = { usd: "0", usd_uncached: "0", tokens: none, latency_ms: null, ttft_ms: null, tpot_ms: null };
  return { window: day.window, totals: { ...counts, ...isKnown }, series: [], rows: [], left_out: { rows: 0, calls: 0, wrong: 0 }, names: names() };
}

const KINDS = [
  { ending: "rejected", word: null, status: 429, calls: 58, models: ["claude-opus-5"], operations: ["code-review"], advice: "A rate limit, or a quota that is used up: spread the calls, use batch for what can wait, let more of the prompt come from the cache, or ask for a higher limit." },
  { ending: "failed", word: "first_token_timeout", status: null, calls: 21, models: ["gpt-6-luna", LONG], operations: ["support-answer", HOSTILE], advice: "A long prompt, or trouble at the provider. `first_token_timeout` under [http] says how long to wait." },
  { ending: "abandoned", word: null, status: null, calls: 12, models: ["claude-haiku-5-5"], operations: ["extract-invoice", ""], advice: "The client hung up, and what was generated until then is billed. If all end after the same time, it is the client's timeout: raise it, or stream." },
  { ending: "truncated", word: null, status: 200, calls: 6, models: ["gpt-6-luna"], operations: ["support-answer"], advice: "The client may have taken half an answer for a whole one: look for its finish reason there." },
  { ending: "refused", word: "model_not_allowed", status: null, calls: 3, models: ["claude-opus-5"], operations: ["code-review"], advice: "The virtual key may not use this model: use another, or a key that may." },
];

export function errors(query, isEmpty) {
  const day = summary(query.get("window"));
  const rows = isEmpty ? [] : narrowed(query);
  if (rows.length === 0) return { ...nothing(day), days: [], sample: { calls: 0, of: 0, oldest_ms: null, kinds: [] } };
  const wrong = ({ calls, errors: failed }) => ({ calls, errors: failed, truncated: Math.round(failed / 9), abandoned: Math.round(calls / 900), get wrong() { return this.errors + this.truncated + this.abandoned; } });
  const series = day.series.map((bucket) => ({ ...wrong(bucket), at_ms: bucket.at_ms, partial: bucket.partial }));
  const totals = series.reduce((sum, each) => ({ ...Object.fromEntries(["calls", "errors", "truncated", "abandoned", "wrong"].map((key) => [key, sum[key] + each[key]])) }), { calls: 0, errors: 0, truncated: 0, abandoned: 0, wrong: 0 });
  const DAY = 86_400_000;
  const midnight = Math.floor(day.window.from_ms / DAY) * DAY;
  const days = Array.from({ length: Math.floor(Date.now() / DAY) - midnight / DAY + 1 }, (_, n) => {
    const [rejected, failed, refused, truncated, abandoned] = [60 + 41 * (n % 3), 12 + 9 * (n % 4), n % 5, 8 + (n % 6), 30 + 3 * (n % 7)];
    const bad = rejected + failed + refused + truncated + abandoned;
    return { at_ms: midnight + n * DAY, partial: midnight + n * DAY + DAY > Date.now(), calls: 30_000 + bad, answered: 30_000, rejected, failed, refused, truncated, abandoned };
  });
  return {
    window: day.window, totals, series, days, names: names(), left_out: { rows: 0, wrong: 0 },
    rows: rows.map((name, n) => ({ ...name, ...wrong({ calls: totals.calls >> (n + 1), errors: totals.errors >> (n + 1) }) })),
    sample: { calls: 100, of: totals.wrong, oldest_ms: Date.now() - 5_400_000, kinds: KINDS.map((kind, n) => ({ ...kind, latest_ms: Date.now() - n * 410_000, examples: [2, 5, 9].slice(0, 3 - (n % 3)).map((id) => (id + n).toString(16).padStart(32, "0")) })) },
  };
}

const rate = (dollars) => dollars.toFixed(9).replace(/\.?0+$/, "");
const card = (tier, above, input, output) => ({
  tier, above, uncached: rate(input), cache_read: rate(input / 10), cache_write_short: tier === "standard" ? rate(input * 1.25) : null, cache_write_long: tier === "standard" ? rate(input * 2) : null, output: rate(output),
});

const LIST = [
  { provider: "openai", model: "gpt-6-luna", cards: [card("standard", 0, 2.5, 15), card("standard", 272_000, 5, 22.5), card("batch", 0, 1.25, 7.5)], cache: { kind: "automatic", min_tokens: 1024, short_ms: 300_000, long_ms: null }, context: 400_000, own: false, from_ms: Date.UTC(2026, 8, 1), until_ms: null },
  { provider: "anthropic", model: "claude-opus-5", cards: [card("standard", 0, 5, 25)], cache: { kind: "marked", min_tokens: 4096, short_ms: 300_000, long_ms: 3_600_000 }, context: 200_000, own: true, from_ms: null, until_ms: Date.UTC(2027, 0, 1) },
  { provider: "anthropic", model: "claude-haiku-5-5", cards: [card("standard", 0, 1, 5), card("batch", 0, 0.5, 2.5)], cache: { kind: "marked", min_tokens: 2048, short_ms: 300_000, long_ms: 3_600_000 }, context: 200_000, own: false, from_ms: null, until_ms: null },
  { provider: "house", model: HOSTILE, cards: [card("standard", 0, 0.000001, 0.1)], cache: null, context: null, own: true, from_ms: null, until_ms: null },
];

const AGE = { taken: "2026-11-23", age_days: 4 };

export function models(query, isEmpty) {
  const day = summary(query.get("window"));
  const rows = isEmpty ? [] : day.models.filter((row) => ["model", "provider"].every((key) => (query.get(key) ?? "") === "" || query.get(key) === row[key]));
  const offered = { ...names(), model: day.models.map(({ model }) => model), provider: [...new Set(day.models.map(({ provider }) => provider))] };
  if (rows.length === 0) return { ...nothing(day), prices: AGE, names: offered };
  return {
    window: day.window, totals: day.totals, names: offered, prices: AGE, left_out: { rows: 0, calls: 0 },
    rows: rows.map((row) => ({ ...row, unpriced_calls: row.priced ? 0 : row.calls, unknown_usage_calls: 0, usd_uncached: row.usd, price: (row.priced && LIST.find((price) => price.model === row.model)) || null })),
  };
}

export function prices(query) {
  const words = (query.get("search") ?? "").toLowerCase().split(/\s+/);
  const rows = LIST.filter(({ provider, model }) => words.every((word) => `${provider}/${model}`.toLowerCase().includes(word)));
  return { rows, found: words.join("") === "" ? 2611 : rows.length, prices: AGE };
}
