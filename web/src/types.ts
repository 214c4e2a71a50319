// What the control API says. Money is a decimal string, durations are milliseconds, and what is not
// known is null and never 0.

export type Money = string;

export interface Tokens {
  uncached: number;
  cache_read: number;
  cache_write_short: number;
  cache_write_long: number;
  output: number;
  reasoning: number;
}

export interface Percentiles {
  /** Of how many calls. */
  count?: number;
  mean?: number | null;
  p50?: number | null;
  p95?: number | null;
  p99?: number | null;
  max?: number | null;
}

export interface Bucket {
  at_ms: number;
  calls: number;
  errors: number;
  usd: Money | null;
  latency_ms: Percentiles | null;
  ttft_ms: Percentiles | null;
  tokens: Tokens | null;
  partial: boolean;
}

export interface Group {
  provider?: string;
  model?: string;
  name?: string;
  calls: number;
  errors: number;
  usd: Money | null;
  priced?: boolean;
  tokens: Tokens | null;
  latency_ms: Percentiles | null;
}

export interface Totals {
  calls: number;
  errors: number;
  abandoned: number;
  truncated: number;
  unknown_usage_calls: number;
  unpriced_calls: number;
  usd: Money | null;
  usd_uncached: Money | null;
  tokens: Tokens | null;
  latency_ms: Percentiles | null;
  ttft_ms: Percentiles | null;
  tpot_ms: Percentiles | null;
}

/** Sums of some calls. */
export interface SpendSums {
  calls: number;
  usd: Money | null;
  tokens: Tokens | null;
  unpriced_calls: number;
  unknown_usage_calls: number;
}

export interface SpendRow extends SpendSums {
  /** A value, the values that are not listed, calls without one, calls of days before it was counted. */
  kind: "value" | "rest" | "without" | "unknown";
  value?: string;
  provider?: string;
  /** Of a virtual key. */
  name?: string | null;
  team?: string | null;
  state?: KeyState;
  /** The last day (UTC) with a call. */
  last_ms: number;
  /** Days (UTC) with calls, in order; of the rows that can be drawn apart. */
  days?: SpendDay[];
}

export interface SpendDay extends SpendSums {
  at_ms: number;
}

export interface Spending {
  by: string;
  window: { from_ms: number; to_ms: number; width_ms: number };
  totals: SpendSums;
  rows: SpendRow[];
  /** The days of all rows that have none of their own, together. */
  undrawn_days: SpendDay[];
  /** How many values stand together in the row `rest`. */
  unlisted: number;
  tags: string[];
  known_from_ms: number | null;
}

export type KeyState = "active" | "expired" | "revoked";

/** Who asks, and what they may. */
export interface Me {
  name: string;
  role: "viewer" | "operator";
}

export interface VirtualKey {
  id: string;
  name: string | null;
  state: KeyState;
  models: string[];
  team: string | null;
  tags: Record<string, string>;
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
}

/** A key with its text, which is told once. */
export interface MadeKey extends VirtualKey {
  key: string;
}

export interface AuditEntry {
  number: number;
  at_ms: number;
  who: string;
  action: string;
  subject: string;
  before: string | null;
  after: string | null;
  refused: string | null;
}

/** What reports of providers showed when they were last compared. */
export interface Reconciliation {
  at_ms: number;
  who: string;
  files: string[];
  notes: string[];
  paid: Money;
  computed: Money;
  gap: Money;
  providers: Reconciled[];
}

export interface Reconciled {
  provider: string;
  from_ms: number | null;
  until_ms: number | null;
  days: number;
  missing_days: string[];
  zone_minutes: number;
  basis: "paid" | "partly_paid" | "listed";
  paid: Money;
  computed: Money;
  gap: Money;
  explained_share: number | null;
  calls: number;
  causes: Cause[];
  shares: Record<"day" | "model" | "project" | "key", BilledShare[]>;
  notes: string[];
}

export interface Cause {
  cause: string;
  meaning: string;
  usd: Money;
  input_tokens: number;
  output_tokens: number;
  calls: number | null;
  confidence: "low" | "medium" | "high";
  why: string[];
}

export interface BilledShare {
  /** Null: the report does not divide it. */
  name: string | null;
  calls: number;
  computed: Money;
  total: Money;
  basis: Reconciled["basis"];
  gap: Money;
}

export interface Health {
  version: string;
  uptime_s: number;
  observing: boolean;
  /** All policies have stepped aside by hand. */
  bypass?: boolean;
  overhead_ms: Percentiles | null;
  queued: number;
  details_dropped: number;
  settled: number;
  prices_age_days: number | null;
  prices_taken: string | null;
  store_bytes: number | null;
  corrupt_files: unknown[];
  last_flush_error: string | null;
  last_maintenance_error: string | null;
  /** What is wrong with the configuration on disk, where that is not the one in force. */
  refused_config: string | null;
  in_flight: number;
}

export interface WindowOfTime {
  from_ms: number;
  to_ms: number;
  width_ms: number;
}

export interface Summary {
  window: WindowOfTime;
  totals: Totals;
  forecast: { usd_per_month: Money; low: Money | null; high: Money | null; basis: string; days: number } | null;
  series: Bucket[];
  models: Group[];
  operations: Group[];
  savings: {
    proved_usd: Money | null;
    proved_usd_per_month: Money | null;
    possible_usd_per_month: Interval | null;
    basis: string | null;
  };
  health: Health;
}

export interface Interval {
  low: Money | null;
  likely: Money | null;
  high: Money | null;
}

export interface CallRow {
  id: string;
  at_ms: number;
  operation: string;
  provider: string;
  model: string;
  status: number | null;
  ending: string | Record<string, unknown>;
  usd: Money | null;
  tokens: Tokens | null;
  usage_state: string;
  /** The provider told counts that cannot be; they are in no sum. */
  suspect: boolean;
  latency_ms: number | null;
  ttft_ms: number | null;
  overhead_ms: number | null;
  arm: string | null;
  experiment: number | null;
  finish: string | null;
  session: string | null;
}

/** A length of time: milliseconds, or as the core writes a span. */
export type Span = number | { nanos: number } | null | undefined;

export interface Attempt {
  provider?: string;
  model?: string;
  sent_ms?: Span;
  ended_ms?: Span;
  sent?: Span;
  ended?: Span;
  status?: number | null;
  fault?: string | null;
  cost?: Money | null;
  usd?: Money | null;
  priced_as?: string | null;
}

export interface Block {
  role: string;
  content: string;
  tokens: number | null;
  characters: number | null;
  mark: string | null;
}

export interface BillLine {
  what: string;
  tokens: number | null;
  usd_per_million: Money | null;
  usd: Money | null;
}

export interface Placement {
  experiment?: number;
  state?: string;
  arm?: string;
  edits?: unknown[];
  stood_down?: string | null;
  reasons?: Reason[];
}

/** Why `auto` marked a block. */
export interface Reason {
  block: number;
  because: string;
  chance_permille: number;
  read_tokens: number;
}

export interface CallDetail extends CallRow {
  timing: {
    head_ms: number | null;
    first_content_ms: number | null;
    last_content_ms: number | null;
    ended_ms: number | null;
    overhead_ms: number | null;
  } | null;
  attempts: Attempt[];
  placement: Placement | null;
  blocks: Block[];
  bill: BillLine[];
}

/** What a finding rests on, as the analysis writes it. */
export interface Evidence {
  calls?: number;
  facts?: string[];
  hit_share?: { before: number | null; after: number } | null;
  tried?: { policy: string; usd: Money }[];
  example?: { id: string; input_tokens: number; usd_before: Money; usd_after: Money } | null;
}

export interface Finding {
  id: string;
  title: string;
  basis: string;
  usd_per_month: Interval | null;
  /** The same on the very calls that were studied. */
  usd?: Interval | null;
  /** The finding that already contains this one. */
  part_of?: string | null;
  latency_ms: Percentiles | null;
  effort: string | null;
  risk: string | null;
  change: unknown;
  evidence: unknown;
  /** Whether `apply` can write it; told by the form of `change` where the API does not say. */
  applicable?: boolean;
}

export interface Findings {
  findings: Finding[];
  calls: number | null;
  running: boolean;
}

export interface Proof {
  number: number;
  title: string;
  applied_ms: number | null;
  undone_ms: number | null;
  share: number | null;
  predicted: number | null;
  realised: number | null;
  low: number | null;
  high: number | null;
  treated_units: number;
  held_out_units: number;
  saved_usd: Money | null;
  per_month_at_100_usd: Money | null;
  verdict: string;
}

export interface JournalEntry {
  number: number;
  applied?: Span;
  undone?: Span;
  undone_because?: string | null;
  finding?: string;
  added?: string;
  replaced?: string;
  share_millionths?: number;
}

export interface Policies {
  prompt_cache: unknown[];
  journal: JournalEntry[];
}
