// The rows of spend as a table.

import type { JSX } from "preact";
import { isoDay } from "../csv";
import { cachedShare, count, exact, inputTokens, outputTokens, percent, ratio, toNumber, usd, utcDay } from "../format";
import { NARROWINGS } from "../filters";
import { href } from "../route";
import { Badge, Unknown } from "../parts/figure";
import { type Column, Table } from "../parts/table";
import { tokenColumns } from "../parts/tokens";
import type { SpendRow, Spending } from "../types";
import type { By } from "./spend";
import { nameOf } from "./spend-plot";

const WHY: Record<Exclude<SpendRow["kind"], "value">, string> = {
  rest: "Values that are not listed here, and those beyond the number that is counted apart in a day",
  without: "Calls that have none",
  unknown: "Calls of days on which this was not counted yet, or of which a sum cannot be read",
};

export function SpendTable({ spending, by, caption }: { spending: Spending; by: By; caption: string }): JSX.Element {
  const total = toNumber(spending.totals.usd);
  const columns: Column<SpendRow>[] = [
    { head: by, is: "words", cell: (row) => <Name row={row} by={by} />, value: (row) => (row.kind === "value" ? row.value : nameOf(row, by)) },
    { head: "kind", value: (row) => row.kind },
    ...(by === "model" ? [{ head: "provider", value: (row: SpendRow) => row.provider }] : []),
    ...(by === "key" ? keyColumns() : []),
    { head: "spend", cell: (row) => <Money row={row} total={total} />, value: (row) => row.usd, unit: "USD" },
    { head: "calls", cell: (row) => count(row.calls), value: (row) => row.calls },
    { head: "per call", title: "Spend by priced call", cell: (row) => usd(perCall(row)), value: perCall, unit: "USD" },
    { head: "input", title: "Input tokens", cell: (row) => count(inputTokens(row.tokens)), value: (row) => inputTokens(row.tokens), unit: "tokens" },
    { head: "cached", title: "Share of input tokens read from the provider's cache", cell: (row) => percent(cachedShare(row.tokens), 0), value: (row) => cachedShare(row.tokens), unit: "share of input" },
    { head: "output", title: "Output tokens", cell: (row) => count(outputTokens(row.tokens)), value: (row) => outputTokens(row.tokens), unit: "tokens" },
    { head: "unpriced", title: "Calls to models without a known price: in no sum of money", cell: (row) => exact(row.unpriced_calls), value: (row) => row.unpriced_calls, unit: "calls" },
    { head: "last", title: "The last day (UTC) with a call", cell: (row) => utcDay(row.last_ms), value: (row) => isoDay(row.last_ms) },
    ...tokenColumns<SpendRow>((row) => row.tokens),
  ];
  return <Table caption={caption} columns={columns} rows={spending.rows} rowKey={(row) => `${row.kind}/${row.provider ?? ""}/${row.value ?? ""}`} />;
}

function keyColumns(): Column<SpendRow>[] {
  return [
    { head: "name", value: (row) => row.name },
    { head: "team", is: "words", cell: (row) => row.team ?? "", value: (row) => row.team },
  ];
}

function Name({ row, by }: { row: SpendRow; by: By }): JSX.Element {
  const name = nameOf(row, by);
  if (row.kind !== "value") return <span class="quiet" title={WHY[row.kind]}>{name}</span>;
  const sub = row.provider ?? (row.name == null ? undefined : row.value);
  return (
    <>
      {NARROWINGS.some((name) => name === by)
        ? <a class="name" title={name} href={href("calls", { provider: row.provider ?? "", [by]: name })}>{name || "(no name)"}</a>
        : <span class="name" title={row.value ?? ""}>{name || "(no name)"}</span>}
      {sub && <span class="sub">{sub}</span>}
      {row.state !== undefined && row.state !== "active" && <Badge is="plain">{row.state}</Badge>}
    </>
  );
}

function Money({ row, total }: { row: SpendRow; total: number | null }): JSX.Element {
  const share = ratio(toNumber(row.usd), total);
  if (row.usd === null) return <Unknown because="no price is known" />;
  return (
    <>
      {usd(row.usd)}
      {share !== null && (
        <span class="share" aria-label={`${percent(share, 0)} of the spend`} role="img">
          <i style={{ width: `${(share * 100).toFixed(1)}%` }} />
        </span>
      )}
    </>
  );
}

function perCall(row: SpendRow): number | null {
  return ratio(toNumber(row.usd), row.calls - row.unpriced_calls - row.unknown_usage_calls);
}
