// What the control API says to the screens of operations, errors and models.

import type { Narrowing } from "./filters";
import type { Bucket, Money, Percentiles, Tokens, Totals, WindowOfTime } from "./types";

/** The names that occur in a window, to narrow by. */
export type Names = Record<Narrowing, string[]>;

/** What calls are counted under. */
export interface Name {
  operation: string;
  model: string;
  provider: string;
}

export interface Heatmap {
  measure: string;
  at_ms: number[];
  /** One more than there are bands. */
  edges_ms: number[];
  /** By bucket, then by band from the lowest up. */
  counts: number[][];
}

export interface Operations {
  window: WindowOfTime;
  totals: Totals;
  series: (Bucket & { tpot_ms: Percentiles | null })[];
  rows: (Totals & Name)[];
  left_out: { rows: number; calls: number };
  heatmap: Heatmap | null;
  names: Names;
}

export interface Wrong {
  calls: number;
  errors: number;
  truncated: number;
  abandoned: number;
  /** The three together. */
  wrong: number;
}

/** How calls ended on a day of UTC. */
export interface Day {
  at_ms: number;
  partial: boolean;
  calls: number;
  answered: number;
  rejected: number;
  truncated: number;
  failed: number;
  abandoned: number;
  refused: number;
}

export interface Kind {
  ending: string;
  word: string | null;
  status: number | null;
  calls: number;
  advice: string;
  latest_ms: number | null;
  models: string[];
  operations: string[];
  examples: string[];
}

export interface Errors {
  window: WindowOfTime;
  totals: Wrong;
  series: (Wrong & { at_ms: number; partial: boolean })[];
  rows: (Wrong & Name)[];
  left_out: { rows: number; wrong: number };
  days: Day[];
  /** The newest calls that went wrong, of how many. */
  sample: { calls: number; of: number; oldest_ms: number | null; kinds: Kind[] };
  names: Names;
}

export interface RateCard {
  tier: string;
  /** For inputs longer than this many tokens. */
  above: number;
  uncached: Money;
  cache_read: Money | null;
  cache_write_short: Money | null;
  cache_write_long: Money | null;
  output: Money;
}

export interface Price {
  provider: string;
  model: string;
  cards: RateCard[];
  cache: { kind: string; min_tokens: number; short_ms: number; long_ms: number | null } | null;
  context: number | null;
  /** From the file of own prices. */
  own: boolean;
  from_ms: number | null;
  until_ms: number | null;
}

export interface PriceAge {
  taken: string | null;
  age_days: number | null;
}

export interface ModelRow {
  provider: string;
  model: string;
  calls: number;
  errors: number;
  unpriced_calls: number;
  unknown_usage_calls: number;
  usd: Money | null;
  usd_uncached: Money | null;
  tokens: Tokens | null;
  price: Price | null;
}

export interface Models {
  window: WindowOfTime;
  totals: Totals;
  rows: ModelRow[];
  left_out: { rows: number; calls: number };
  prices: PriceAge;
  names: Names;
}

export interface Prices {
  rows: Price[];
  /** How many there are, shown or not. */
  found: number;
  prices: PriceAge;
}
