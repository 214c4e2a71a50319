// How spend is drawn: the dearest few each in a colour of their own, everything else in greys.

import { count, inputTokens, outputTokens, percent, ratio, toNumber, usd, usdShort } from "../format";
import type { Fill, Line, Plot } from "../parts/plot";
import type { SpendDay, SpendRow, SpendSums, Spending } from "../types";

export const MEASURES = { usd: "Spend", tokens: "Tokens", calls: "Calls", unpriced: "Unpriced calls" } as const;
export type Measure = keyof typeof MEASURES;

/** So many colours can be told apart; the API tells so many rows of each measure by day. */
const MOST_COLOURED = 6;

const GREYS: Record<Exclude<SpendRow["kind"], "value">, Fill> = { rest: "solid", without: "hatch", unknown: "dots" };

/** What a row is of, in words. */
export function nameOf(row: SpendRow, by: string): string {
  switch (row.kind) {
    case "value":
      return row.name ?? digestName(row.value ?? "");
    case "rest":
      return "the rest";
    case "without":
      return `no ${by === "tag" ? "such tag" : by}`;
    case "unknown":
      return "not known";
  }
}

/** Digests of sessions, and of keys that are not made here, are told apart by their beginnings. */
function digestName(text: string): string {
  return /^[0-9a-f]{32}$/.test(text) ? `${text.slice(0, 8)}…` : text;
}

/** The amount of a row that is drawn. */
export function amountOf(sums: SpendSums, measure: Measure): number | null {
  switch (measure) {
    case "usd":
      return toNumber(sums.usd);
    case "calls":
      return sums.calls;
    case "unpriced":
      return sums.unpriced_calls;
    case "tokens": {
      const [input, output] = [inputTokens(sums.tokens), outputTokens(sums.tokens)];
      return input === null || output === null ? null : input + output;
    }
  }
}

/** A line for each of the dearest, one for all other values, one for each other kind of row. */
export function plotOf(spending: Spending, by: string, measure: Measure): Plot {
  const { from_ms: from, to_ms: to, width_ms: width } = spending.window;
  const starts = Array.from({ length: Math.round((to - from) / width) }, (_, index) => from + index * width);
  const drawn = (row: SpendRow): number => amountOf(row, measure) ?? -1;
  const values = spending.rows.filter((row) => row.kind === "value");
  const named = values.filter((row) => row.days !== undefined).sort((a, b) => drawn(b) - drawn(a));
  const others = spending.rows.filter((row) => row.kind !== "value" && row.kind !== "rest");
  const folded = [...named.slice(MOST_COLOURED), ...spending.rows.filter((row) => row.kind === "rest")].map(daysOf);
  const rest = spending.undrawn_days.length === 0 ? folded : [...folded, spending.undrawn_days];
  const line = (name: string, colour: string, fill: Fill, rows: readonly SpendDay[][]): Line => {
    const days = rows.map((row) => new Map(row.map((day) => [day.at_ms, amountOf(day, measure)])));
    // No call on a day is nothing spent; a call without a price is not.
    const at = (start: number): number | null => days.reduce<number | null>((sum, day) => {
      const amount = day.has(start) ? day.get(start) ?? null : 0;
      return amount === null ? sum : (sum ?? 0) + amount;
    }, null);
    return { name, colour, fill, values: starts.map(at) };
  };
  const coloured = named.slice(0, MOST_COLOURED).map((row, index) => line(labelOf(row, by, values), `s${index + 1}`, "solid", [daysOf(row)]));
  const greys = others.map((row) => line(nameOf(row, by), "calls", GREYS[row.kind as keyof typeof GREYS], [daysOf(row)]));
  const together = rest.length === 0 ? [] : [line("the rest", "calls", GREYS.rest, rest)];
  return {
    kind: "stack", width, from, to, isLastPartial: true, isWhole: measure !== "usd",
    at: starts.map((start) => start + width / 2),
    lines: [...coloured, ...together, ...greys],
    format: measure === "usd" ? usdShort : count,
    ...(measure === "usd" ? { unit: "USD" } : measure === "tokens" ? { unit: "tokens" } : {}),
  };
}

function daysOf(row: SpendRow): SpendDay[] {
  return row.days ?? [];
}

/** Two rows of one name are told apart by what stands beside it. */
function labelOf(row: SpendRow, by: string, rows: readonly SpendRow[]): string {
  const name = short(nameOf(row, by));
  const isTwice = 1 < rows.filter((other) => nameOf(other, by) === nameOf(row, by)).length;
  return isTwice ? `${name} (${row.provider ?? short(row.value ?? "")})` : name;
}

const LONGEST = 28;

/** A name that leaves room for others. */
function short(name: string): string {
  return name.length <= LONGEST ? name || "(no name)" : `${name.slice(0, LONGEST - 1)}…`;
}

export function summaryOf(spending: Spending, by: string, measure: Measure): string {
  const whole = amountOf(spending.totals, measure);
  const most = spending.rows.reduce<SpendRow | null>((best, row) =>
    (row.kind === "value" && (amountOf(best ?? row, measure) ?? 0) <= (amountOf(row, measure) ?? 0) ? row : best), null);
  const amount = most && amountOf(most, measure);
  if (whole === null || most === null || !amount) return "Nothing on these days.";
  const shown = measure === "usd" ? usd(amount) : count(amount);
  return `Most by ${short(nameOf(most, by))}: ${shown}, ${percent(ratio(amount, whole), 0)} of all. The last day is not over.`;
}
