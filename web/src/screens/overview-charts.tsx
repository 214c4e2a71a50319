// The charts: the same buckets, the same crosshair, one unit each.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { count, counted, exact, inputTokens, ms, outputTokens, percent, ratio, toNumber, usd, usdShort } from "../format";
import { Chart } from "../parts/chart";
import type { Line, Plot } from "../parts/plot";
import { CLASSES } from "../parts/tokens";
import type { Bucket, Summary } from "../types";

export function Charts({ summary, bucket }: { summary: Summary; bucket: (at: number) => string }): JSX.Element {
  const { series, window } = summary;
  const plots = useMemo(() => draw(series, window), [series, window]);
  const name = (index: number): string => bucket(series[index]?.at_ms ?? 0);
  return (
    <div class="charts">
      <Chart title="Spend" summary={spendSummary(summary)} plot={plots.spend} bucket={name} full={usd} />
      <Chart title="Calls" summary={callsSummary(summary)} plot={plots.calls} bucket={name} full={exact} />
      <Chart title="Errors" summary={errorsSummary(summary, name)} plot={plots.errors} bucket={name} full={exact} />
      <Chart title="Latency" summary={latencySummary(summary, name)} plot={plots.latency} bucket={name} />
      <Chart title="Time to first token" summary={firstSummary(summary)} plot={plots.first} bucket={name} />
      <Chart title="Tokens by class" summary={tokenSummary(summary)} plot={plots.tokens} bucket={name} full={exact} />
    </div>
  );
}

function draw(series: readonly Bucket[], window: Summary["window"]): Record<"spend" | "calls" | "errors" | "latency" | "first" | "tokens", Plot> {
  const line = (name: string, colour: string, of: (bucket: Bucket) => number | null, more: Partial<Line> = {}): Line =>
    ({ name, colour, values: series.map(of), ...more });
  const base = {
    at: series.map((bucket) => bucket.at_ms + window.width_ms / 2),
    width: window.width_ms,
    from: series[0]?.at_ms ?? window.from_ms,
    to: (series.at(-1)?.at_ms ?? window.to_ms - window.width_ms) + window.width_ms,
    isLastPartial: series.at(-1)?.partial ?? false,
  };
  const percentile = (which: "latency_ms" | "ttft_ms", key: "p50" | "p95" | "p99") =>
    (bucket: Bucket): number | null => bucket[which]?.[key] ?? null;
  return {
    spend: { ...base, kind: "bars", format: usdShort, unit: "USD", lines: [line("spend", "money", (b) => toNumber(b.usd), { exact: series.map((b) => b.usd) })] },
    calls: { ...base, kind: "bars", isWhole: true, format: count, lines: [line("calls", "calls", (b) => b.calls)] },
    errors: { ...base, kind: "bars", isWhole: true, format: count, lines: [line("errors", "errors", (b) => b.errors, { fill: "hatch" })] },
    latency: {
      ...base, kind: "lines", format: ms, unit: "ms",
      lines: [
        line("p50", "p50", percentile("latency_ms", "p50"), { width: 2.25 }),
        line("p95", "p95", percentile("latency_ms", "p95")),
        line("p99", "p99", percentile("latency_ms", "p99"), { width: 1 }),
      ],
    },
    first: {
      ...base, kind: "lines", format: ms, unit: "ms",
      lines: [
        line("p50", "p50", percentile("ttft_ms", "p50"), { width: 2.25 }),
        line("p95", "p95", percentile("ttft_ms", "p95")),
      ],
    },
    tokens: {
      ...base, kind: "stack", format: count, unit: "tokens",
      lines: CLASSES.map(({ key, name, colour, fill }) => line(name, colour, (b) => b.tokens?.[key] ?? null, { fill })),
    },
  };
}

function spendSummary({ totals }: Summary): string {
  const each = ratio(toNumber(totals.usd), totals.calls - totals.unpriced_calls);
  return each === null ? "No priced calls." : `${usd(totals.usd)} in all, ${usd(each)} per priced call.`;
}

function callsSummary({ totals, series }: Summary): string {
  const most = highest(series, (bucket) => bucket.calls);
  return most ? `${counted(totals.calls, "call")}, ${count(most.value)} in the busiest bucket.` : "No calls.";
}

function errorsSummary({ totals, series }: Summary, name: (index: number) => string): string {
  const all = `${counted(totals.errors, "error")}, ${percent(ratio(totals.errors, totals.calls))} of all calls`;
  const worst = highest(series, (bucket) => ratio(bucket.errors, bucket.calls));
  return worst ? `${all}; worst ${name(worst.at)} with ${percent(worst.value)}.` : `${all}.`;
}

/** The bucket with the highest value above zero. */
function highest(series: readonly Bucket[], of: (bucket: Bucket) => number | null): { value: number; at: number } | null {
  let best: { value: number; at: number } | null = null;
  series.forEach((bucket, at) => {
    const value = of(bucket) ?? 0;
    if ((best?.value ?? 0) < value) best = { value, at };
  });
  return best;
}

function latencySummary({ totals, series }: Summary, name: (index: number) => string): string {
  const worst = highest(series, (bucket) => bucket.latency_ms?.p95 ?? null);
  if (!worst) return "No call has ended in this window.";
  return `Half of all calls within ${ms(totals.latency_ms?.p50)}, 95% within ${ms(totals.latency_ms?.p95)}; worst p95 ${name(worst.at)} with ${ms(worst.value)}.`;
}

function firstSummary({ totals }: Summary): string {
  if (!totals.ttft_ms) return "No streamed content in this window.";
  return `Half of the streams speak within ${ms(totals.ttft_ms.p50)}, 95% within ${ms(totals.ttft_ms.p95)}.`;
}

function tokenSummary({ totals: { tokens } }: Summary): string {
  const input = inputTokens(tokens);
  const again = ratio(tokens?.uncached, input);
  if (input === null || again === null) return "No tokens were counted in this window.";
  return `${count(input)} in, ${percent(again, 0)} of it at the full price; ${count(outputTokens(tokens))} out.`;
}
