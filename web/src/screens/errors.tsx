// Errors: how many calls went wrong and when, what it was, whose, and what to do about it.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { asked, filtersOf } from "../filters";
import { bucketName, count, counted, exact, percent, ratio, utcDay } from "../format";
import { useLoad } from "../load";
import { EVERY, href } from "../route";
import { Chart } from "../parts/chart";
import { Figure } from "../parts/figure";
import { NothingPasses } from "../parts/filters";
import { nameColumns, nameKey } from "../parts/name-cell";
import type { Line, Plot } from "../parts/plot";
import { LeftOut, ScreenHead } from "../parts/screen-head";
import { Await } from "../parts/states";
import { type Column, Table } from "../parts/table";
import type { Day, Errors, Name, Wrong } from "../types-screens";
import { Kinds } from "./errors-kinds";

export function ErrorsScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const filters = filtersOf(query);
  const loaded = useLoad<Errors>(`errors?${asked(filters)}`, EVERY[filters.window]);
  return (
    <>
      <ScreenHead title="Errors" screen="errors" query={query} at={loaded.at} names={loaded.value?.names} by={["operation", "model", "provider"]} />
      <Await loaded={loaded} what="the errors">
        {(value) => (value.totals.calls === 0
          ? <NothingPasses screen="errors" query={query} what="calls" />
          : <Found value={value} query={query} />)}
      </Await>
    </>
  );
}

function Found({ value, query }: { value: Errors; query: URLSearchParams }): JSX.Element {
  return (
    <>
      <Headline totals={value.totals} />
      <Charts value={value} />
      <Kinds sample={value.sample} />
      <section class="panel" aria-label="By operation and model">
        <Table caption="By operation and model" columns={columns(query)} rows={value.rows} rowKey={nameKey} empty="By operation and model: nothing went wrong." />
        <LeftOut rows={value.left_out.rows} of="call that went wrong" count={value.left_out.wrong} />
      </section>
    </>
  );
}

function Headline({ totals }: { totals: Wrong }): JSX.Element {
  const share = (part: number): string => `${percent(ratio(part, totals.calls))} of ${counted(totals.calls, "call")}`;
  return (
    <dl class="figures">
      <Figure name="Went wrong" below={share(totals.wrong)}><span title={exact(totals.wrong)}>{count(totals.wrong)}</span></Figure>
      <Figure name="Errors" below={<>rejected, failed or refused<br />{share(totals.errors)}</>}>{count(totals.errors)}</Figure>
      <Figure name="Truncated" below={<>streams without their end<br />{share(totals.truncated)}</>}>{count(totals.truncated)}</Figure>
      <Figure name="Abandoned" below={<>the client hung up<br />{share(totals.abandoned)}</>}>{count(totals.abandoned)}</Figure>
    </dl>
  );
}

const line = <B,>(buckets: readonly B[], name: string, colour: string, of: (bucket: B) => number, fill: Line["fill"]): Line =>
  ({ name, colour, values: buckets.map(of), ...(fill && { fill }) });

function Charts({ value: { series, window, days, totals } }: { value: Errors }): JSX.Element {
  const overTime = useMemo(() => whenWrong(series, window), [series, window]);
  const byDay = useMemo(() => howEnded(days), [days]);
  const worst = series.reduce<Errors["series"][number] | null>((most, each) => ((most?.wrong ?? 0) < each.wrong ? each : most), null);
  const name = (index: number): string => bucketName(series[index]?.at_ms ?? 0, window.width_ms);
  const summary = worst === null
    ? "Nothing went wrong."
    : `${counted(totals.wrong, "call")} in all; most ${bucketName(worst.at_ms, window.width_ms)}: ${count(worst.wrong)}, ${percent(ratio(worst.wrong, worst.calls))} of its calls.`;
  return (
    <div class="charts two">
      <Chart title="When calls went wrong" summary={summary} plot={overTime} bucket={name} full={exact} />
      <Chart title="How they ended, by day" summary={endingsInWords(days)} plot={byDay} bucket={(index) => utcDay(days[index]?.at_ms ?? 0)} full={exact} />
    </div>
  );
}

function whenWrong(series: Errors["series"], window: Errors["window"]): Plot {
  const width = window.width_ms;
  return {
    kind: "stack", format: count, isWhole: true, unit: "calls", width,
    at: series.map(({ at_ms }) => at_ms + width / 2),
    from: Math.min(window.from_ms, series[0]?.at_ms ?? window.from_ms), to: (series.at(-1)?.at_ms ?? window.to_ms) + width,
    isLastPartial: series.at(-1)?.partial ?? false,
    lines: [
      line(series, "errors", "errors", (b) => b.errors, "solid"),
      line(series, "truncated", "uncached", (b) => b.truncated, "hatch"),
      line(series, "abandoned", "calls", (b) => b.abandoned, "dots"),
    ],
  };
}

const DAY = 86_400_000;

function howEnded(days: readonly Day[]): Plot {
  return {
    kind: "stack", format: count, isWhole: true, unit: "calls", width: DAY,
    at: days.map(({ at_ms }) => at_ms + DAY / 2),
    from: days[0]?.at_ms ?? 0, to: (days.at(-1)?.at_ms ?? 0) + DAY,
    isLastPartial: days.at(-1)?.partial ?? false,
    lines: [
      line(days, "rejected", "errors", (b) => b.rejected, "solid"),
      line(days, "failed", "errors", (b) => b.failed, "cross"),
      line(days, "refused", "write", (b) => b.refused, "solid"),
      line(days, "truncated", "uncached", (b) => b.truncated, "hatch"),
      line(days, "abandoned", "calls", (b) => b.abandoned, "dots"),
    ],
  };
}

function endingsInWords(days: readonly Day[]): string {
  const sum = (key: "rejected" | "failed" | "refused"): number => days.reduce((total, each) => total + each[key], 0);
  const since = days[0] ? `Whole days (UTC) since ${utcDay(days[0].at_ms)}: ` : "";
  return `${since}${count(sum("rejected"))} rejected by the provider, ${count(sum("failed"))} failed on the way, ${count(sum("refused"))} refused by the gateway.`;
}

type Row = Errors["rows"][number];

function columns(query: URLSearchParams): Column<Row>[] {
  const number = (key: "errors" | "truncated" | "abandoned"): Column<Row> => ({ head: key, cell: (row) => exact(row[key]), value: (row) => row[key] });
  return [
    ...nameColumns<Row>("errors", query),
    { head: "went wrong", cell: (row) => <a href={concerned(row)}>{exact(row.wrong)}</a>, value: (row) => row.wrong },
    { head: "of its calls", cell: (row) => <span class="bad">{percent(ratio(row.wrong, row.calls))}</span>, value: null },
    number("errors"), number("truncated"), number("abandoned"),
    { head: "calls", cell: (row) => count(row.calls), value: (row) => row.calls },
  ];
}

function concerned({ operation, model, provider }: Name): string {
  return href("calls", { only: "errors", operation, model, provider });
}
