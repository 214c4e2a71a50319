// Live calls: the newest first, each with its timing on a scale that all rows share.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { cachedShare, clock, count, exact, inputTokens, ms, outputTokens, percent, usd, words } from "../format";
import { get } from "../api";
import type { Narrowing } from "../filters";
import { useLoad } from "../load";
import { href } from "../route";
import { follow } from "../sse";
import { isoTime } from "../csv";
import { useTyped } from "../typed";
import { SUSPECT, endingOf, nameOf } from "../ending";
import { ExportButton, type FileColumn } from "../parts/export";
import { Badge, Unknown } from "../parts/figure";
import { Await, Welcome } from "../parts/states";
import { fileColumns } from "../parts/table";
import { tokenColumns } from "../parts/tokens";
import { Waterfall, WaterfallLegend } from "../parts/waterfall";
import type { CallRow } from "../types";

const PAGE = 100;
/** The most rows kept of those that came while one watched. */
const MOST_LIVE = 500;
/** New rows are shown this often at most, in ms: a busy gateway settles thousands a second. */
const BEAT = 250;

interface Filter {
  only: string;
  provider: string;
  model: string;
  operation: string;
}

function filterOf(query: URLSearchParams): Filter {
  const text = (name: string): string => query.get(name) ?? "";
  return { only: text("only"), provider: text("provider"), model: text("model"), operation: text("operation") };
}

/** Whether a new row is one of those asked for. The list from the API is filtered there. */
export function passes(row: CallRow, filter: Filter): boolean {
  return (filter.only !== "errors" || endingOf(row).is === "bad")
    && (filter.provider === "" || row.provider === filter.provider)
    && (filter.model === "" || row.model === filter.model)
    && (filter.operation === "" || row.operation === filter.operation);
}

/** Newest first, each call once. */
export function merged(fresh: readonly CallRow[], old: readonly CallRow[]): CallRow[] {
  const seen = new Set<string>();
  return [...fresh, ...old].filter((row) => !seen.has(row.id) && seen.add(row.id));
}

export function CallsScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const filter = filterOf(query);
  const asked = new URLSearchParams(Object.entries({ limit: String(PAGE), ...filter }).filter(([, value]) => value !== ""));
  const loaded = useLoad<{ calls: CallRow[] }>(`calls?${asked}`, null);
  const [paused, setPaused] = useState(false);
  const older = useOlder(asked.toString());
  const live = useLive(filter, paused, loaded.again);
  return (
    <>
      <div class="title">
        <h1>Live calls</h1>
        <Connection connected={live.connected} paused={paused} waiting={live.waiting} />
      </div>
      <Filters filter={filter} paused={paused} pause={() => setPaused(!paused)} />
      <Await loaded={loaded} what="the calls">
        {({ calls }) => (
          <>
            <List rows={merged(live.rows, [...calls, ...older.rows])} filter={filter} />
            {PAGE <= calls.length && <Older older={older} last={older.rows.at(-1) ?? calls.at(-1)} />}
          </>
        )}
      </Await>
    </>
  );
}

interface OlderCalls {
  rows: CallRow[];
  state: "more" | "asking" | "end";
  why: string;
  ask: (before: string) => Promise<void>;
}

/** Calls before those of the first page, a page at a time. Another question forgets them. */
function useOlder(asked: string): OlderCalls {
  const [found, setFound] = useState<Omit<OlderCalls, "ask">>({ rows: [], state: "more", why: "" });
  useEffect(() => setFound({ rows: [], state: "more", why: "" }), [asked]);
  const ask = async (before: string): Promise<void> => {
    setFound((old) => ({ ...old, state: "asking", why: "" }));
    try {
      const { calls } = await get<{ calls: CallRow[] }>(`calls?${asked}&before=${encodeURIComponent(before)}`);
      const state = calls.length < PAGE ? "end" : "more";
      setFound((old) => ({ rows: merged(old.rows, calls), state, why: "" }));
    } catch (error) {
      setFound((old) => ({ ...old, state: "more", why: error instanceof Error ? error.message : String(error) }));
    }
  };
  return { ...found, ask };
}

function Older({ older, last }: { older: OlderCalls; last: CallRow | undefined }): JSX.Element | null {
  if (last === undefined || older.state === "end") return null;
  return (
    <p>
      <button type="button" disabled={older.state === "asking"} onClick={() => void older.ask(last.id)}>Older calls</button>
      {older.why !== "" && <span class="bad" role="alert"> {older.why}</span>}
    </p>
  );
}

interface Lists {
  rows: CallRow[];
  held: CallRow[];
}

const NONE: Lists = { rows: [], held: [] };

function shown({ rows, held }: Lists): Lists {
  return { rows: merged(held, rows).slice(0, MOST_LIVE), held: [] };
}

/** Rows as they come, newest first. While paused they wait. */
function useLive(filter: Filter, paused: boolean, missed: () => void): { rows: CallRow[]; waiting: number; connected: boolean | null } {
  // One state, so that rows that come while others move from `held` to `rows` are not lost.
  const [{ rows, held }, setLists] = useState<Lists>(NONE);
  const isPaused = useRef(paused);
  const [connected, setConnected] = useState<boolean | null>(null);
  const { only, provider, model, operation } = filter;
  useEffect(() => {
    const stop = new AbortController();
    let fresh: CallRow[] = [];
    let wasBroken = false;
    setLists(NONE);
    const timer = setInterval(() => {
      if (fresh.length === 0) return;
      const batch = fresh;
      fresh = [];
      setLists((old) => {
        const waiting = { ...old, held: merged(batch, old.held).slice(0, MOST_LIVE) };
        return isPaused.current ? waiting : shown(waiting);
      });
    }, BEAT);
    void follow("live", stop.signal, ({ event, data }) => {
      if (event !== "call") return;
      const row = JSON.parse(data) as CallRow;
      if (passes(row, { only, provider, model, operation })) fresh = [row, ...fresh].slice(0, MOST_LIVE);
    }, (yes) => {
      setConnected(yes);
      // What was settled while nobody listened is in the list.
      if (yes && wasBroken) missed();
      wasBroken = !yes;
    });
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [only, provider, model, operation, missed]);
  useEffect(() => {
    isPaused.current = paused;
    if (!paused) setLists(shown);
  }, [paused]);
  return { rows, waiting: held.length, connected };
}

function Connection({ connected, paused, waiting }: { connected: boolean | null; paused: boolean; waiting: number }): JSX.Element {
  return (
    <span class="quiet" role="status">
      {connected === false && <Badge is="warn">connection lost, trying again</Badge>}
      {connected !== false && paused && <Badge is="plain">paused{0 < waiting && `, ${count(waiting)} new`}</Badge>}
      {connected === true && !paused && <Badge is="good">live</Badge>}
    </span>
  );
}

function Filters({ filter, paused, pause }: { filter: Filter; paused: boolean; pause: () => void }): JSX.Element {
  const set = (change: Partial<Filter>): void => {
    location.hash = href("calls", { ...filter, ...change });
  };
  const typed = { operation: useTyped(filter.operation), model: useTyped(filter.model), provider: useTyped(filter.provider) };
  const text = (name: Narrowing, label: string): JSX.Element => (
    <label>
      {label}
      <input type="search" {...typed[name]} placeholder="any" onChange={(event) => set({ [name]: event.currentTarget.value.trim() })} />
    </label>
  );
  return (
    <form class="inline filters" onSubmit={(event) => event.preventDefault()} aria-label="Which calls">
      {text("operation", "Operation")}
      {text("model", "Model")}
      {text("provider", "Provider")}
      <label class="check">
        <input type="checkbox" checked={filter.only === "errors"} onChange={(event) => set({ only: event.currentTarget.checked ? "errors" : "" })} />
        Only errors
      </label>
      <button type="button" aria-pressed={paused} onClick={pause}>Pause</button>
    </form>
  );
}

/** A row in a file, with all its digits. */
const FILE: readonly FileColumn<CallRow>[] = fileColumns<CallRow>([
  { head: "when", value: (row) => isoTime(row.at_ms) },
  { head: "operation", value: (row) => row.operation },
  { head: "provider", value: (row) => row.provider },
  { head: "model", value: (row) => row.model },
  { head: "ending", value: (row) => nameOf(row.ending) },
  { head: "status", value: (row) => row.status },
  ...tokenColumns<CallRow>((row) => row.tokens),
  { head: "usage", value: (row) => row.usage_state },
  { head: "cost", unit: "USD", value: (row) => row.usd },
  { head: "first content", unit: "ms", value: (row) => row.ttft_ms },
  { head: "total", unit: "ms", value: (row) => row.latency_ms },
  { head: "session", value: (row) => row.session },
  { head: "id", value: (row) => row.id },
]);

function List({ rows, filter }: { rows: CallRow[]; filter: Filter }): JSX.Element {
  const scale = useMemo(() => rows.reduce((most, row) => Math.max(most, row.latency_ms ?? 0), 1), [rows]);
  if (rows.length === 0) {
    return Object.values(filter).every((value) => value === "") ? <Welcome /> : <p class="notice">No call passes this filter. <a href={href("calls")}>Show all calls</a></p>;
  }
  const heads = ["when", "operation and model", "ending", "in", "cached", "out", "cost", "first", "total"];
  return (
    <section class="panel" aria-label="Calls">
      <div class="table-head"><WaterfallLegend /><ExportButton caption="calls" columns={FILE} rows={rows} /></div>
      <table class="calls" role="table">
        <caption class="unseen">The {count(rows.length)} newest calls, newest first</caption>
        <thead role="rowgroup">
          <tr role="row">
            {heads.map((head) => <th key={head} role="columnheader" scope="col" class={`col-${head.split(" ")[0]}`}>{head}</th>)}
            <th role="columnheader" scope="col" class="col-timing">timing, 0 to {ms(scale)}</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => <Row key={row.id} row={row} scale={scale} />)}
        </tbody>
      </table>
    </section>
  );
}

function Row({ row, scale }: { row: CallRow; scale: number }): JSX.Element {
  const ending = endingOf(row);
  const open = (event: MouseEvent): void => {
    // The whole row is a target for the mouse; the link in it is the one for everything else.
    if (!(event.target instanceof HTMLAnchorElement) && getSelection()?.isCollapsed !== false) location.hash = href(`calls/${row.id}`);
  };
  const estimated = row.usage_state !== "measured";
  return (
    <tr role="row" class={ending.is} onClick={open}>
      <td role="cell" class="col-when">{clock(row.at_ms)}</td>
      <th role="rowheader" scope="row" class="col-operation">
        <a class="name" href={href(`calls/${row.id}`)} title={row.operation}>{row.operation || "(no name)"}</a>
        <span class="sub" title={row.model}>{row.model}</span>
      </th>
      <td role="cell" class="col-ending"><Badge is={ending.is} title={ending.why}>{ending.short}</Badge>{row.suspect && <Badge is="warn" title={SUSPECT}>bad counts</Badge>}</td>
      <td role="cell" class="col-in" title={exact(inputTokens(row.tokens))}>{row.usage_state === "unknown" ? <Unknown because="usage not known" /> : count(inputTokens(row.tokens))}</td>
      <td role="cell" class="col-cached">{row.usage_state === "unknown" ? <Unknown /> : percent(cachedShare(row.tokens), 0)}</td>
      <td role="cell" class="col-out" title={exact(outputTokens(row.tokens))}>{row.usage_state === "unknown" ? <Unknown /> : count(outputTokens(row.tokens))}</td>
      <td role="cell" class="col-cost" title={estimated ? `usage ${words(row.usage_state)}` : undefined}>
        {row.usd === null ? <Unknown because="not priced" /> : `${estimated ? "≈\u2009" : ""}${usd(row.usd)}`}
      </td>
      <td role="cell" class="col-first">{ms(row.ttft_ms)}</td>
      <td role="cell" class="col-total">{ms(row.latency_ms)}</td>
      <td role="cell" class="col-timing"><Waterfall firstContent={row.ttft_ms} ended={row.latency_ms} scale={scale} /></td>
    </tr>
  );
}
