// A day that never was, the same in every run, in the shape of the control API. Among its names are
// ones that try to be markup, ones that are far too long, and values that are not known.

const HOUR = 3_600_000;
const WIDTHS = { "1h": 60_000, "24h": HOUR, "7d": 6 * HOUR, "30d": 24 * HOUR };
const SPANS = { "1h": HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR, "30d": 30 * 24 * HOUR };

export const HOSTILE = "<script>window.pwned=1</script><img src=x onerror=\"window.pwned=2\">";
const LONG = `openrouter/${"very-long-model-name-that-nobody-would-choose-".repeat(4)}v2`;
const BIDI = "model\u202Egpj.exe\u0007";

/** Numbers in [0, 1) that look random and never change. */
function draw(seed) {
  let state = (seed * 0x9e3779b9) >>> 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b) >>> 0;
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35) >>> 0;
  return ((state ^ (state >>> 16)) >>> 0) / 2 ** 32;
}

const money = (amount) => amount.toFixed(12).replace(/\.?0+$/, "");

function tokensOf(calls, seed) {
  const each = (base, spread) => Math.round(calls * (base + spread * draw(seed + base)));
  return {
    uncached: each(2100, 900), cache_read: each(3300, 1500), cache_write_short: each(260, 120),
    cache_write_long: each(90, 60), output: each(410, 160), reasoning: each(170, 90),
  };
}

function bucket(index, length, at, width) {
  const hour = new Date(at).getUTCHours();
  const busy = 0.25 + 0.75 * Math.sin((Math.PI * ((hour + 18) % 24)) / 24) ** 2;
  const partial = index === length - 1;
  // A quiet hole: nothing happened, so percentiles are not known there, and counts are zero.
  const calls = length / 3 < index && index < length / 3 + 2 ? 0 : Math.round((width / HOUR) * 2600 * busy * (0.9 + 0.2 * draw(index)) * (partial ? 0.4 : 1));
  const slow = index === Math.floor(length * 0.7) ? 2.6 : 1;
  const p50 = 2400 * (0.9 + 0.25 * draw(index + 50)) * slow;
  return {
    at_ms: at, calls, errors: Math.round(calls * (slow === 1 ? 0.006 : 0.09)), usd: money(calls * 0.0105 * (0.95 + 0.1 * draw(index + 9))),
    latency_ms: calls === 0 ? null : { p50, p95: p50 * 3.1, p99: p50 * (5 + 2 * draw(index + 70)) },
    ttft_ms: calls === 0 ? null : { p50: p50 * 0.21, p95: p50 * (0.62 + 0.1 * draw(index + 80)) },
    tokens: tokensOf(calls, index), partial,
  };
}

function seriesOf(window) {
  const width = WIDTHS[window];
  const last = Math.floor(Date.now() / width) * width;
  const length = SPANS[window] / width;
  return Array.from({ length }, (_, index) => bucket(index, length, last - (length - 1 - index) * width, width));
}

function sum(parts) {
  const total = {};
  for (const part of parts) for (const [key, value] of Object.entries(part)) total[key] = (total[key] ?? 0) + value;
  return total;
}

function groups(calls, usd, tokens, names) {
  return names.map(([name, share, more = {}], n) => ({
    ...name, calls: Math.round(calls * share), errors: Math.round(calls * share * 0.004 * n), usd: money(usd * share * (1 + 0.3 * Math.sin(n))),
    tokens: Object.fromEntries(Object.entries(tokens).map(([key, value]) => [key, Math.round(value * share * (key === "cache_read" ? 0.3 * n : 1))])),
    latency_ms: { mean: 3900 + 400 * n, p50: 2600 + 700 * n, p95: 9800 + 2100 * n, p99: 21_000 + 1000 * n }, ...more,
  }));
}

const HEALTH = {
  version: "0.1.0", uptime_s: 302_411, observing: false, overhead_ms: { p50: 0.118, p99: 0.71 }, queued: 3, details_dropped: 214,
  settled: 1_402_113, prices_age_days: 12, prices_taken: "2026-11-11", store_bytes: 812_334_112, corrupt_files: ["2026-11-02.parquet"], in_flight: 17,
  last_flush_error: null, last_maintenance_error: null, refused_config: null,
};

export function summary(asked) {
  const window = asked in WIDTHS ? asked : "24h";
  const series = seriesOf(window);
  const tokens = sum(series.map((each) => each.tokens));
  const { calls, errors } = sum(series.map(({ calls, errors }) => ({ calls, errors })));
  const usd = series.reduce((total, each) => total + Number(each.usd), 0);
  return {
    window: { from_ms: series[0].at_ms, to_ms: series.at(-1).at_ms + WIDTHS[window], width_ms: WIDTHS[window] },
    totals: {
      calls, errors, abandoned: Math.round(calls / 900), truncated: 12, unknown_usage_calls: 31, unpriced_calls: 184,
      usd: money(usd), usd_uncached: money(usd * 1.42), tokens,
      latency_ms: { mean: 3911.4, p50: 2714.2, p95: 8821.9, p99: 17_230.5 }, ttft_ms: { p50: 561.7, p95: 1802.3, p99: 4410 }, tpot_ms: { p50: 18.4, p95: 41.2 },
    },
    forecast: { usd_per_month: "19214.73", low: "17800.1", high: "20911.4", basis: "measured", days: 7 },
    series,
    models: groups(calls, usd, tokens, [
      [{ provider: "openai", model: "gpt-6-luna" }, 0.41, { priced: true }], [{ provider: "anthropic", model: "claude-opus-5" }, 0.3, { priced: true }],
      [{ provider: "anthropic", model: "claude-haiku-5-5" }, 0.2, { priced: true }], [{ provider: "house", model: HOSTILE }, 0.004, { priced: false, usd: null }],
      [{ provider: "openrouter", model: LONG }, 0.01, { priced: true, latency_ms: null, tokens: null }], [{ provider: "house", model: BIDI }, 0.001, { priced: false, usd: null }],
    ]),
    operations: groups(calls, usd, tokens, [
      [{ name: "support-answer" }, 0.44], [{ name: "code-review" }, 0.26], [{ name: "extract-invoice" }, 0.21], [{ name: HOSTILE }, 0.05], [{ name: "" }, 0.04],
    ]),
    savings: { proved_usd: "686.41", proved_usd_per_month: "11402", possible_usd_per_month: { low: "5410.2", likely: "6120.9", high: "6733" }, basis: "replayed" },
    health: HEALTH,
  };
}

export function emptySummary(asked) {
  const full = summary(asked);
  const none = { uncached: 0, cache_read: 0, cache_write_short: 0, cache_write_long: 0, output: 0, reasoning: 0 };
  const series = full.series.map((each) => ({ ...each, calls: 0, errors: 0, usd: "0", latency_ms: null, ttft_ms: null, tokens: none }));
  return {
    window: full.window, series, models: [], operations: [], forecast: null,
    totals: { calls: 0, errors: 0, abandoned: 0, truncated: 0, unknown_usage_calls: 0, unpriced_calls: 0, usd: "0", usd_uncached: "0", tokens: none, latency_ms: null, ttft_ms: null, tpot_ms: null },
    savings: { proved_usd: null, proved_usd_per_month: null, possible_usd_per_month: null, basis: null },
    health: { ...HEALTH, uptime_s: 12, observing: true, overhead_ms: null, queued: 0, details_dropped: 0, settled: 0, store_bytes: 40_960, corrupt_files: [], in_flight: 0 },
  };
}

const KINDS = [
  { operation: "support-answer", provider: "openai", model: "gpt-6-luna" },
  { operation: "code-review", provider: "anthropic", model: "claude-opus-5" },
  { operation: "extract-invoice", provider: "anthropic", model: "claude-haiku-5-5" },
  { operation: HOSTILE, provider: "house", model: LONG },
];

/** Row `n`, newest first. */
export function callRow(n) {
  const kind = KINDS[n % KINDS.length];
  const first = 180 + 1900 * draw(n + 1);
  const row = {
    id: n.toString(16).padStart(32, "0"), at_ms: Date.now() - n * 4100, ...kind, status: 200, ending: "answered", usd: money(0.0004 + 0.04 * draw(n + 2)),
    tokens: tokensOf(1, n), usage_state: "measured", suspect: false, latency_ms: first + 9000 * draw(n + 3) ** 2, ttft_ms: first, overhead_ms: 0.09 + 0.2 * draw(n),
    arm: n % 3 === 0 ? "treated" : "held_out", experiment: 7, finish: "stop", session: n % 5 === 0 ? null : "5e55".padEnd(32, "a"),
  };
  const odd = {
    2: { status: 429, ending: "answered", usd: "0", finish: null, ttft_ms: null, latency_ms: 240 },
    5: { ending: "truncated", usage_state: "partial" },
    7: { suspect: true, usage_state: "unknown", usd: null, tokens: null },
    9: { ending: "abandoned", usage_state: "estimated", finish: null },
    11: { ending: "failed", status: null, usd: null, tokens: null, usage_state: "unknown", ttft_ms: null, finish: null },
    14: { ending: "refused", status: null, usd: "0", ttft_ms: null, latency_ms: 0.4, finish: null },
    15: { usd: null },
    18: { latency_ms: null, ttft_ms: null },
  };
  return { ...row, ...odd[n] };
}

export function callDetail(id) {
  const n = Number.parseInt(id, 16);
  const row = callRow(Number.isFinite(n) && n < 60 ? n : 3);
  if (!/^[0-9a-f]{32}$/.test(id)) return null;
  const { latency_ms: ended, ttft_ms: first } = row;
  const head = first === null ? (ended ?? 0) * 0.9 : first * 0.8;
  const failed = { provider: row.provider, model: row.model, sent_ms: 0.3, ended_ms: head * 0.2, status: null, fault: "reset", cost: null, priced_as: null };
  return {
    ...row, id,
    timing: { head_ms: head, first_content_ms: first, last_content_ms: first === null ? null : ended - 2, ended_ms: ended, overhead_ms: row.overhead_ms },
    attempts: [failed, { provider: row.provider, model: row.model, sent_ms: head * 0.25, ended_ms: ended, status: row.status, fault: null, cost: row.usd, priced_as: row.model }],
    placement: { experiment: 7, state: "on", arm: row.arm, unit: 1, edits: [{ set_mark: { block: 4, ttl: "long" } }, { remove_mark: { block: 1 } }, "remove_cache_options"], stood_down: null, reasons: [{ block: 4, because: "sent_again_later", chance_permille: 830, read_tokens: 4100 }] },
    blocks: [
      { role: "tool", content: "tool", tokens: 900, characters: 3800, mark: null }, { role: "system", content: "text", tokens: 2100, characters: 9100, mark: "short" },
      { role: "user", content: "text", tokens: 240, characters: 1010, mark: null }, { role: "assistant", content: "reasoning", tokens: 510, characters: 2100, mark: null },
      { role: "tool_result", content: "document", tokens: null, characters: null, mark: null },
    ],
    bill: row.usd === null ? [] : [
      { what: "uncached", tokens: 2100, usd_per_million: "3", usd: "0.0063" }, { what: "cache_read", tokens: 3300, usd_per_million: "0.3", usd: "0.00099" },
      { what: "cache_write_short", tokens: 260, usd_per_million: null, usd: null }, { what: "output", tokens: 410, usd_per_million: "15", usd: "0.00615" },
    ],
  };
}

export function findings() {
  return [
    {
      id: "F1", title: "clock in the system prompt, block 2", basis: "replayed", usd_per_month: { low: "3510", likely: "3890.4", high: "4180" }, latency_ms: { p50: -310, p95: -900 },
      effort: "low", risk: "none", change: "Move the time of day out of block 2 of the system prompt, to the end of the last user message.", evidence: "Block 2 differs in 38,211 of 38,214 calls of support-answer; its last 19 characters change every minute.",
    },
    {
      id: "F2", title: `long cache mark, ${HOSTILE}`, basis: "replayed", usd_per_month: { low: "980", likely: "1190", high: "1310" }, latency_ms: null, effort: "none", risk: "low",
      change: "[prompt_cache.\"op:code-review\"]\nstate = \"on\"\nstrategy = \"tail\"\nttl = \"long\"\n", evidence: { calls: 12_410, sessions: 911, "median gap": "11 min", examples: ["00000000000000000000000000000001"] },
    },
    {
      id: "F3", title: "short cache mark at the end, extract-invoice", basis: "replayed", usd_per_month: { low: "520", likely: "640", high: "730" }, latency_ms: { p50: -120, p95: -140 }, effort: "none", risk: "low",
      part_of: "F2", change: "[prompt_cache.\"op:extract-invoice\"]\nstate = \"on\"\nstrategy = \"tail\"\nttl = \"short\"\n",
      evidence: {
        calls: 9804, facts: ["9,804 calls share 4,100 tokens of instructions.", "96% of them come within five minutes of the one before."], hit_share: { before: null, after: 0.74 },
        tried: [{ policy: "tail:long", usd: "12.1" }, { policy: "system:short", usd: "-3.05" }], example: { id: "00000000000000000000000000000001", input_tokens: 8084, usd_before: "0.0242", usd_after: "0.0031" },
      },
    },
    {
      id: "N1", title: `${HOSTILE} has no price`, basis: "measured", usd_per_month: null, usd: null, latency_ms: null, effort: "one price", risk: "", change: null,
      evidence: { calls: 184, facts: ["184 calls went to it; what they cost is in no sum."], hit_share: null, tried: [], example: null },
    },
    {
      id: "F4", title: `${LONG} may not be needed`, basis: "modelled", usd_per_month: { low: null, likely: null, high: null }, latency_ms: null, effort: null, risk: null, change: null, evidence: null,
    },
  ];
}

export function proofs() {
  const at = Date.now() - 5 * 86_400_000;
  return [
    { number: 7, title: "long cache mark, code-review", applied_ms: at, undone_ms: null, share: 0.2, predicted: -0.134, realised: -0.129, low: -0.146, high: -0.111, treated_units: 4210, held_out_units: 16_904, saved_usd: "686.41", per_month_at_100_usd: "11402", verdict: "worked" },
    { number: 6, title: "cache mark after the tools", applied_ms: at - 9e8, undone_ms: at - 5e8, share: 0.5, predicted: -0.05, realised: 0.031, low: 0.004, high: 0.058, treated_units: 410, held_out_units: 390, saved_usd: "-14.2", per_month_at_100_usd: "-61", verdict: "worse" },
    { number: 5, title: HOSTILE, applied_ms: at + 3e8, undone_ms: null, share: 0.1, predicted: -0.08, realised: null, low: null, high: null, treated_units: 9, held_out_units: 81, saved_usd: null, per_month_at_100_usd: null, verdict: "too early" },
  ];
}

export function journal() {
  const added = "[prompt_cache.\"op:code-review\"]\nstate = \"on\"\nstrategy = \"auto\"\nshare = 0.2\n";
  return [5, 6, 7].map((number) => ({
    number, applied: { nanos: Date.now() * 1e6 - 4e14 }, undone: number === 6 ? { nanos: Date.now() * 1e6 - 9e14 } : null, undone_because: number === 6 ? "dearer than what was held out" : null,
    finding: `F${number}`, added, replaced: "", predicted_ppm: -134_000, share_millionths: 200_000,
  }));
}
