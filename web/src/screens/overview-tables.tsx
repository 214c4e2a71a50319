// Where the money goes, by operation and by model, and how Scrimp itself is.

import type { JSX } from "preact";
import { age, bytes, cachedShare, count, counted, ms, percent, ratio, toNumber, usd } from "../format";
import { href } from "../route";
import { Badge, Unknown } from "../parts/figure";
import { type Column, Table } from "../parts/table";
import { tokenColumns } from "../parts/tokens";
import { fileName } from "../trouble";
import type { Group, Health, Summary } from "../types";

const MOST_ROWS = 25;

export function Groups({ summary }: { summary: Summary }): JSX.Element {
  const total = toNumber(summary.totals.usd);
  return (
    <div class="groups">
      <Ranking title="By operation" groups={summary.operations} total={total} name={(group) => group.name ?? ""} filter="operation" />
      <Ranking title="By model" groups={summary.models} total={total} name={(group) => group.model ?? ""} filter="model" />
    </div>
  );
}

function Ranking({ title, groups, total, name, filter }: {
  title: string;
  groups: readonly Group[];
  total: number | null;
  name: (group: Group) => string;
  filter: "operation" | "model";
}): JSX.Element {
  const sorted = [...groups].sort((a, b) => (toNumber(b.usd) ?? 0) - (toNumber(a.usd) ?? 0) || b.calls - a.calls);
  const shown = sorted.slice(0, MOST_ROWS);
  const caption = shown.length < sorted.length ? `${title}, top ${MOST_ROWS} of ${sorted.length}` : title;
  const columns: Column<Group>[] = [
    {
      head: filter, is: "words",
      cell: (group) => (
        <>
          <a class="name" title={name(group)} href={href("calls", { provider: group.provider ?? "", [filter]: name(group) })}>{name(group) || "(no name)"}</a>
          {group.provider && <span class="sub">{group.provider}</span>}
        </>
      ),
      value: name,
    },
    ...(filter === "model" ? [{ head: "provider", value: (group: Group) => group.provider }] : []),
    { head: "spend", cell: (group) => <Money group={group} total={total} />, value: (group) => group.usd, unit: "USD" },
    { head: "calls", cell: (group) => count(group.calls), value: (group) => group.calls },
    { head: "errors", cell: (group) => <ErrorShare group={group} />, value: (group) => group.errors },
    { head: "p50", cell: (group) => ms(group.latency_ms?.p50), value: (group) => group.latency_ms?.p50, unit: "ms" },
    { head: "p95", cell: (group) => ms(group.latency_ms?.p95), value: (group) => group.latency_ms?.p95, unit: "ms" },
    {
      head: "cached", title: "Share of input tokens read from the provider's cache",
      cell: (group) => percent(cachedShare(group.tokens), 0), value: (group) => cachedShare(group.tokens), unit: "share of input",
    },
    ...tokenColumns<Group>((group) => group.tokens),
  ];
  return (
    <section class="panel" aria-label={title}>
      <Table caption={caption} columns={columns} rows={shown} rowKey={(group) => `${group.provider ?? ""}/${name(group)}`} empty={`${title}: no calls.`} />
    </section>
  );
}

function Money({ group, total }: { group: Group; total: number | null }): JSX.Element {
  if (group.priced === false) {
    return <Badge is="warn" title="No price is known for this model: it is in no sum of money. Add one to the price overlay.">unpriced</Badge>;
  }
  const share = ratio(toNumber(group.usd), total);
  return (
    <>
      {group.usd === null ? <Unknown /> : usd(group.usd)}
      {share !== null && (
        <span class="share" aria-label={`${percent(share, 0)} of the spend`} role="img">
          <i style={{ width: `${(share * 100).toFixed(1)}%` }} />
        </span>
      )}
    </>
  );
}

function ErrorShare({ group }: { group: Group }): JSX.Element {
  const share = percent(ratio(group.errors, group.calls));
  return group.errors === 0 ? <>0</> : <span class="bad" title={counted(group.errors, "error")}>{share}</span>;
}

export function OwnHealth({ health }: { health: Health }): JSX.Element {
  const { overhead_ms: overhead, corrupt_files: corrupt } = health;
  const dropped = health.details_dropped;
  const aged = health.prices_age_days;
  const rows: [string, JSX.Element | string][] = [
    ["mode", health.observing ? <Badge is="good" title="Edits, caches and retries nothing">observing</Badge> : <Badge is="plain" title="At least one policy is on">policies on</Badge>],
    ["overhead", `p50 ${ms(overhead?.p50)}, p99 ${ms(overhead?.p99)}`],
    ["details dropped", dropped === 0 ? "0" : <Badge is="warn">{count(dropped)} of {count(health.settled)}</Badge>],
    ["prices", <Prices aged={aged} taken={health.prices_taken} />],
    ["in flight", count(health.in_flight)],
    ["queued", count(health.queued)],
    ["settled", count(health.settled)],
    ["store", bytes(health.store_bytes)],
    ["damaged files", corrupt.length === 0 ? "0" : <Badge is="bad">{corrupt.map(fileName).join(", ")}</Badge>],
    ["up", age(health.uptime_s)],
    ["version", health.version],
  ];
  return (
    <section class="panel health" aria-labelledby="health">
      <h2 id="health">Scrimp itself</h2>
      <dl>
        {rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
    </section>
  );
}

const OLD_PRICES_DAYS = 45;

function Prices({ aged, taken }: { aged: number | null; taken: string | null }): JSX.Element {
  if (aged === null) return <Unknown />;
  const text = `${counted(Math.floor(aged), "day")} old${taken ? ` (${taken})` : ""}`;
  return aged < OLD_PRICES_DAYS ? <>{text}</> : <Badge is="warn" title="Install a newer Scrimp, or name a file with your own in the configuration, by `file` under `[prices]`">{text}</Badge>;
}
