// Spend, keys and bills that never were, in the shape of the control API.

import { HOSTILE } from "./canned.mjs";

const DAY = 86_400_000;
const money = (pico) => {
  const text = pico.toString().padStart(13, "0");
  return `${text.slice(0, -12)}.${text.slice(-12)}`.replace(/\.?0+$/, "");
};

const NAMES = {
  model: ["claude-opus-5", "gpt-6-luna", "claude-haiku-5-5", "gemini-5-flash", HOSTILE, "deepseek-6-chat", "mistral-medium-4", "qwen-4-max", "kimi-3", "gpt-6-nano"],
  operation: ["code-review", "support-answer", "extract-invoice", HOSTILE],
  team: ["search", "support", "platform", "growth", HOSTILE],
  feature: ["ask", "summarise", "translate", HOSTILE],
  session: Array.from({ length: 10 }, (_, n) => (0x5e55000 + n * 7919).toString(16).padEnd(32, "a7")),
};

export const KEYS = [
  { id: "00a1b2c3d4e5", name: "nightly evaluation", state: "active", models: ["gpt-6-*", "anthropic/claude-*"], team: "search", tags: { stage: "test" }, created_ms: Date.now() - 40 * DAY, expires_ms: Date.now() + 50 * DAY, revoked_ms: null },
  { id: "00b2c3d4e5f6", name: HOSTILE, state: "active", models: [], team: HOSTILE, tags: { [HOSTILE]: HOSTILE }, created_ms: Date.now() - 12 * DAY, expires_ms: null, revoked_ms: null },
  { id: "00c3d4e5f6a7", name: null, state: "expired", models: [], team: "support", tags: {}, created_ms: Date.now() - 90 * DAY, expires_ms: Date.now() - 3 * DAY, revoked_ms: null },
  { id: "00d4e5f6a7b8", name: "old laptop", state: "revoked", models: ["gpt-6-nano"], team: null, tags: {}, created_ms: Date.now() - 200 * DAY, expires_ms: null, revoked_ms: Date.now() - 20 * DAY },
];

function sums(calls, weight) {
  return {
    calls, usd: weight === null ? null : money(BigInt(calls) * BigInt(weight)), unpriced_calls: weight === null ? calls : 0, unknown_usage_calls: Math.floor(calls / 900),
    tokens: { uncached: calls * 2100, cache_read: calls * 3300, cache_write_short: calls * 260, cache_write_long: calls * 90, output: calls * 410, reasoning: calls * 170 },
  };
}

function plus(a, b) {
  if (a === null) return b;
  const digits = (usd) => (usd === null ? 0n : BigInt(usd.replace(/^(\d+)\.?(\d*)$/, (_, whole, part) => whole + part.padEnd(12, "0"))));
  return {
    calls: a.calls + b.calls, unpriced_calls: a.unpriced_calls + b.unpriced_calls, unknown_usage_calls: a.unknown_usage_calls + b.unknown_usage_calls,
    usd: a.usd === null && b.usd === null ? null : money(digits(a.usd) + digits(b.usd)),
    tokens: Object.fromEntries(Object.keys(a.tokens).map((key) => [key, a.tokens[key] + b.tokens[key]])),
  };
}

/** Row `n` of `days` days, with calls on most of them. */
function row(n, of, from, days) {
  const weight = of.value === HOSTILE ? null : Math.round(9.1e9 / (n + 1));
  const each = Array.from({ length: days }, (_, day) => day)
    .filter((day) => (day + n) % 7 !== 3)
    .map((day) => ({ at_ms: from + day * DAY, ...sums(300 + ((day * 37 + n * 91) % 240), weight) }));
  return { ...of, ...each.reduce((sum, { at_ms: _, ...day }) => plus(sum, day), null), last_ms: each.at(-1).at_ms, days: each };
}

export function spending(query) {
  const by = query.get("by") ?? "model";
  const days = Number(query.get("days") ?? 30);
  const limit = Number(query.get("limit") ?? 10);
  const to = Math.floor(Date.now() / DAY) * DAY + DAY;
  const from = to - days * DAY;
  const values = by === "key"
    ? [...KEYS.slice(0, 3).map(({ id, name, team, state }) => ({ value: id, name, team, state })), { value: "f00d".padEnd(32, "1") }]
    : (NAMES[by === "tag" ? query.get("tag") : by] ?? []).map((value) => ({ value, ...(by === "model" && { provider: "openai" }) }));
  const kinds = { model: ["rest"], operation: [], key: ["without"], session: ["rest", "without"] }[by] ?? ["rest", "without", "unknown"];
  const known = ["team", "tag"].includes(by) ? from + Math.floor(days / 3) * DAY : null;
  const rows = [...values.slice(0, limit).map((value) => ({ kind: "value", ...value })), ...kinds.map((kind) => ({ kind }))]
    .map((of, n) => (of.kind === "unknown" ? row(n, of, from, Math.floor(days / 3)) : known === null ? row(n, of, from, days) : row(n, of, known, days - Math.floor(days / 3))));
  return {
    by, window: { from_ms: from, to_ms: to, width_ms: DAY }, rows: rows.map(told), undrawn_days: undrawnDays(rows), tags: ["feature", "stage", "team"], known_from_ms: known,
    totals: rows.map(({ days: _, last_ms: __, kind, value, provider, name, team, state, ...all }) => all).reduce(plus, null) ?? { ...sums(0, 0), usd: "0" },
    unlisted: by === "session" ? 61_214 : 0,
  };
}

const isDrawn = ({ kind }, n) => kind !== "value" || n < 6;

function told(row, n) {
  const { days: _, ...silent } = row;
  return isDrawn(row, n) ? row : silent;
}

function undrawnDays(rows) {
  const sums = new Map();
  for (const { at_ms: at, ...day } of rows.flatMap((row, n) => (isDrawn(row, n) ? [] : row.days))) sums.set(at, plus(sums.get(at) ?? null, day));
  return [...sums].map(([at_ms, day]) => ({ at_ms, ...day })).sort((a, b) => a.at_ms - b.at_ms);
}

export function emptySpending(query) {
  const whole = spending(query);
  return { ...whole, rows: [], undrawn_days: [], tags: [], unlisted: 0, known_from_ms: null, totals: { ...sums(0, 0), usd: "0" } };
}

export function audit(limit) {
  const entry = (n) => ({
    number: n, at_ms: Date.now() - (120 - n) * 3_600_000, who: n % 5 === 0 ? HOSTILE : ["ada", "local", "cli:root"][n % 3],
    action: ["key_created", "key_revoked", "policy_applied", "configuration_changed", "reconciled", "control_denied"][n % 6], subject: ["00a1b2c3d4e5", "00d4e5f6a7b8", "journal #7: long cache mark", "scrimp.toml", "2 files, the first usage.json", "POST /api/v1/keys"][n % 6],
    before: null, after: n % 2 === 0 ? "{}" : null, refused: n % 6 === 5 ? "this control token is a viewer's, and may look but change nothing" : null,
  });
  return Array.from({ length: Math.min(limit, 120) }, (_, n) => entry(120 - n));
}

function shares(names, paid) {
  return names.map((name, n) => {
    const total = BigInt(Math.round((paid / names.length) * (1 + 0.2 * Math.sin(n)) * 1e6)) * 1_000_000n;
    const gap = (total * BigInt(n === 1 ? 21 : 3)) / 100n;
    return { name, calls: 1300 - 70 * n, computed: money(total - gap), total: money(total), basis: "paid", gap: money(gap) };
  });
}

export function reconciliation() {
  const until = Math.floor(Date.now() / DAY) * DAY;
  const days = Array.from({ length: 7 }, (_, n) => new Date(until - (7 - n) * DAY).toISOString().slice(0, 10));
  const cause = (name, usd, calls, confidence, meaning, why = []) => ({ cause: name, usd, calls, confidence, meaning, why, input_tokens: Math.round(Number(usd) * 41_000), output_tokens: Math.round(Number(usd) * 5200) });
  const common = { from_ms: until - 7 * DAY, until_ms: until, days: 7, calls: 8_214, notes: ["3 lines of the reports stood in several files: counted once"] };
  return {
    at_ms: Date.now() - 3_600_000, who: "ada", files: ["usage.json", "costs.json", HOSTILE], notes: [`${HOSTILE} was not read: it is none of the known formats (name the file itself to see why)`], paid: "704.25", computed: "611.4", gap: "92.85",
    providers: [
      {
        ...common, provider: "anthropic", basis: "paid", paid: "612.25", computed: "521.1", gap: "91.15", explained_share: 0.9971, zone_minutes: 0, missing_days: [days[3]],
        causes: [
          cause("aborted", "11.204", 112, "high", "clients hung up; what was generated is billed"), cause("retried", "6.31", 44, "medium", "sent again; the first attempt is billed too"),
          cause("bypassed", "102.77", null, "high", "used at the provider, never passed here", ["key apikey_01Hx: nothing of it passed here"]), cause("discount", "-30.912", null, "high", "the same factor on all that was charged", ["5.0% off, on 7 days"]),
          cause("unexplained", "1.778", null, "low", "nothing known here accounts for it"),
        ],
        shares: { day: shares(days, 612.25), model: shares(["claude-opus-5", "claude-haiku-5-5", null], 612.25), project: shares(["wrkspc_research", HOSTILE, null], 612.25), key: [] },
      },
      {
        ...common, provider: "openai", basis: "listed", paid: "92", computed: "90.3", gap: "1.7", explained_share: 1, zone_minutes: 480, missing_days: [], notes: [],
        causes: [cause("time_zone", "1.7", null, "medium", "the report's days are not those of UTC")],
        shares: { day: shares(days, 92), model: shares(["gpt-6-luna"], 92), project: [], key: [] },
      },
    ],
  };
}
