// Operations: how long calls take, over time and by operation and model.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { asked, filtersOf } from "../filters";
import { bucketName, count, counted, exact, ms, percent, ratio } from "../format";
import { useLoad } from "../load";
import { EVERY, href } from "../route";
import { Chart } from "../parts/chart";
import { Choice } from "../parts/choice";
import { Figure, Unknown } from "../parts/figure";
import { NothingPasses } from "../parts/filters";
import { nameColumns, nameKey } from "../parts/name-cell";
import type { Line, Plot } from "../parts/plot";
import { LeftOut, ScreenHead } from "../parts/screen-head";
import { Await } from "../parts/states";
import { type Column, Table } from "../parts/table";
import type { Percentiles, Totals } from "../types";
import type { Name, Operations } from "../types-screens";

const MEASURES = [
  { measure: "latency", of: "latency_ms", name: "Latency", what: "calls" },
  { measure: "first_token", of: "ttft_ms", name: "First token", what: "streams" },
  { measure: "per_output_token", of: "tpot_ms", name: "Per output token", what: "streams" },
] as const;
type Measure = (typeof MEASURES)[number];
const CHOICES = Object.fromEntries(MEASURES.map(({ measure, name }) => [measure, name]));

function measureOf(query: URLSearchParams): Measure {
  const chosen = query.get("measure");
  return MEASURES.find(({ measure }) => measure === chosen) ?? MEASURES[0];
}

export function OperationsScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const filters = filtersOf(query);
  const measure = measureOf(query);
  const loaded = useLoad<Operations>(`operations?${asked(filters)}&measure=${measure.measure}`, EVERY[filters.window]);
  return (
    <>
      <ScreenHead title="Operations" screen="operations" query={query} at={loaded.at} names={loaded.value?.names} by={["operation", "model", "provider"]} />
      <Await loaded={loaded} what="the operations">
        {(value) => (value.totals.calls === 0
          ? <NothingPasses screen="operations" query={query} what="calls" />
          : <Found value={value} query={query} measure={measure} />)}
      </Await>
    </>
  );
}

function Found({ value, query, measure }: { value: Operations; query: URLSearchParams; measure: Measure }): JSX.Element {
  return (
    <>
      <Headline totals={value.totals} />
      <Map value={value} query={query} measure={measure} />
      <section class="panel" aria-label="By operation and model">
        <Table caption="By operation and model" columns={columns(query)} rows={value.rows} rowKey={nameKey} />
        <LeftOut rows={value.left_out.rows} of="call" count={value.left_out.calls} />
      </section>
    </>
  );
}

function Headline({ totals }: { totals: Totals }): JSX.Element {
  const { latency_ms: latency, ttft_ms: first, tpot_ms: each } = totals;
  return (
    <dl class="figures one">
      <Figure name="Calls" below={<>{counted(totals.errors, "error")} ({percent(ratio(totals.errors, totals.calls))})</>}>
        <span title={exact(totals.calls)}>{count(totals.calls)}</span>
      </Figure>
      <Figure name="Latency p50" below={<Of percentiles={latency} what="good answer" />}>{ms(latency?.p50)}</Figure>
      <Figure name="Latency p95" below={<>p99 {ms(latency?.p99)}</>}>{ms(latency?.p95)}</Figure>
      <Figure name="Slowest" below="within 1.1%">{ms(latency?.max)}</Figure>
      <Figure name="First token p50" below={<>p95 {ms(first?.p95)}<br /><Of percentiles={first} what="stream" /></>}>{ms(first?.p50)}</Figure>
      <Figure name="Per output token p50" below={<>p95 {ms(each?.p95)}<br /><Of percentiles={each} what="stream" /></>}>{ms(each?.p50)}</Figure>
    </dl>
  );
}

/** How many calls a percentile rests on. */
function Of({ percentiles, what }: { percentiles: Percentiles | null; what: string }): JSX.Element {
  return <>{percentiles ? `of ${counted(percentiles.count, what)}` : "none measured"}</>;
}

function Map({ value, query, measure }: { value: Operations; query: URLSearchParams; measure: Measure }): JSX.Element {
  const plot = useMemo(() => draw(value, measure), [value, measure]);
  const bucket = (index: number): string => bucketName(value.series[index]?.at_ms ?? 0, value.window.width_ms);
  const choice = (
    <Choice label="What the chart shows" place={{ screen: "operations", query }} name="measure" choices={CHOICES} chosen={measure.measure} small />
  );
  const title = `${measure.name} over time`;
  if (plot === null) {
    return (
      <section class="panel chart" aria-label={title}>
        <header><h2>{title}</h2>{choice}</header>
        <p class="quiet">Nothing to show: none of these calls {measure.measure === "latency" ? "was answered well" : "streamed its answer"}.</p>
      </section>
    );
  }
  return <Chart title={title} summary={inWords(value.totals[measure.of], measure)} plot={plot} bucket={bucket} height={264} choice={choice} />;
}

function inWords(percentiles: Percentiles | null, { what }: Measure): string {
  return `The stronger the colour, the more of ${count(percentiles?.count)} ${what}. Half within ${ms(percentiles?.p50)}, 95% within ${ms(percentiles?.p95)}, 99% within ${ms(percentiles?.p99)}.`;
}

/** The heatmap with its percentiles over it; null where nothing was measured. */
function draw({ series, heatmap, window }: Operations, measure: Measure): Plot | null {
  if (heatmap === null || heatmap.measure !== measure.measure) return null;
  // On a scale of ratios there is no place for zero but the lowest.
  const place = (value: number | null | undefined): number | null => (value === null || value === undefined ? null : Math.max(value, heatmap.edges_ms[0] ?? 0));
  const line = (key: "p50" | "p95" | "p99", width: number): Line =>
    ({ name: key, colour: key, width, values: series.map((bucket) => place(bucket[measure.of]?.[key])) });
  const half = window.width_ms / 2;
  return {
    kind: "heat", format: ms, unit: "ms", width: window.width_ms,
    at: series.map(({ at_ms }) => at_ms + half),
    from: Math.min(window.from_ms, series[0]?.at_ms ?? window.from_ms),
    to: (series.at(-1)?.at_ms ?? window.to_ms) + window.width_ms,
    isLastPartial: series.at(-1)?.partial ?? false,
    heat: { edges: heatmap.edges_ms, counts: heatmap.counts },
    lines: [line("p50", 2.25), line("p95", 1.5), line("p99", 1)],
  };
}

type Row = Operations["rows"][number];

function percentile(head: string, of: "latency_ms" | "ttft_ms" | "tpot_ms", key: "p50" | "p95" | "p99" | "max", title: string): Column<Row> {
  return { head, title, cell: (row) => (row[of] ? ms(row[of][key]) : <Unknown because="none measured" />), value: (row) => row[of]?.[key], unit: "ms" };
}

function columns(query: URLSearchParams): Column<Row>[] {
  return [
    ...nameColumns<Row>("operations", query),
    { head: "calls", cell: (row) => <a href={callsOf(row)}>{count(row.calls)}</a>, value: (row) => row.calls },
    { head: "errors", cell: (row) => (row.errors === 0 ? "0" : <span class="bad" title={counted(row.errors, "error")}>{percent(ratio(row.errors, row.calls))}</span>), value: (row) => row.errors },
    percentile("p50", "latency_ms", "p50", "Half of the good answers were whole within this time"),
    percentile("p95", "latency_ms", "p95", "95% were"),
    percentile("p99", "latency_ms", "p99", "99% were"),
    percentile("max", "latency_ms", "max", "The slowest, within 1.1%"),
    percentile("first p50", "ttft_ms", "p50", "Until the first piece of content, streams only"),
    percentile("first p95", "ttft_ms", "p95", "Until the first piece of content, streams only"),
    percentile("token p50", "tpot_ms", "p50", "From one output token to the next, streams only"),
    percentile("token p95", "tpot_ms", "p95", "From one output token to the next, streams only"),
    { head: "good answers", value: (row) => row.latency_ms?.count ?? 0 },
    { head: "streams", value: (row) => row.ttft_ms?.count ?? 0 },
  ];
}

function callsOf({ operation, model, provider }: Name): string {
  return href("calls", { operation, model, provider });
}
