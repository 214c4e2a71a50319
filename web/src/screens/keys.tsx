// Virtual keys: who may call, what each has spent, and the audit log behind them. Only operators see
// what changes something.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Failure, remove } from "../api";
import { isoDay, isoTime } from "../csv";
import { count, moment, usd, utcDay, words } from "../format";
import { type Loaded, useLoad } from "../load";
import { Badge, Unknown } from "../parts/figure";
import { Await } from "../parts/states";
import { type Column, Table } from "../parts/table";
import type { AuditEntry, KeyState, Me, SpendRow, Spending, VirtualKey } from "../types";
import { CreateKey } from "./keys-create";

const EVERY_MS = 30_000;
const SPENT = "spend?by=key&days=30&limit=1000";
const PAGE = 20;

/** A key with what the ledger has of it; null: not among those that the ledger lists. */
interface Row {
  key: VirtualKey;
  spent: SpendRow | null;
  /** Whether the ledger lists every key, so that one that is missing has no calls. */
  isWhole: boolean;
}

export function KeysScreen(): JSX.Element {
  const me = useLoad<Me>("me", null);
  const keys = useLoad<{ keys: VirtualKey[]; required: boolean }>("keys", EVERY_MS);
  const spending = useLoad<Spending>(SPENT, EVERY_MS);
  const [changes, setChanges] = useState(0);
  const again = (): void => {
    keys.again();
    setChanges(changes + 1);
  };
  const mayChange = me.value?.role === "operator";
  return (
    <>
      <div class="title">
        <h1>Keys</h1>
        {keys.value && (keys.value.required
          ? <Badge is="good" title="A call without a good virtual key is refused">calls need a key</Badge>
          : <Badge is="plain" title="From the first key on, every call needs one">calls need no key yet</Badge>)}
      </div>
      <p class="lead">Virtual keys stand in for the providers’ own: each has its models, its end and its owner, and can be revoked by itself.</p>
      {mayChange && <CreateKey isFirst={keys.value?.required === false} made={again} />}
      {me.value?.role === "viewer" && <p class="quiet">Your control token is a viewer’s: keys can be looked at, not made or revoked.</p>}
      <Await loaded={keys} what="the keys">
        {({ keys: all }) => <Keys keys={all} spending={spending} mayChange={mayChange} again={again} />}
      </Await>
      <Audit key={changes} />
    </>
  );
}

function Keys({ keys, spending, mayChange, again }: { keys: VirtualKey[]; spending: Loaded<Spending>; mayChange: boolean; again: () => void }): JSX.Element {
  const listed = new Map(spending.value?.rows.map((row) => [row.value, row]));
  const isWhole = spending.value !== null && spending.value.rows.every((row) => row.kind !== "rest");
  const order: Record<KeyState, number> = { active: 0, expired: 1, revoked: 2 };
  const rows: Row[] = [...keys]
    .sort((a, b) => order[a.state] - order[b.state] || b.created_ms - a.created_ms)
    .map((key) => ({ key, spent: listed.get(key.id) ?? null, isWhole }));
  return (
    <section class="panel" aria-label="Virtual keys">
      <Table caption="Virtual keys" columns={columnsFor(mayChange, again)} rows={rows} rowKey={({ key }) => key.id} empty="No virtual key was made yet. Until there is one, callers bring the providers’ own keys." />
    </section>
  );
}

const STATES: Record<KeyState, { is: "good" | "warn" | "plain"; why: string }> = {
  active: { is: "good", why: "Its calls are let in" },
  expired: { is: "warn", why: "Its calls are refused: it is too old" },
  revoked: { is: "plain", why: "Its calls are refused" },
};

function columnsFor(mayChange: boolean, again: () => void): Column<Row>[] {
  return [
    { head: "key", is: "words", cell: ({ key }) => <KeyName of={key} />, value: ({ key }) => key.id },
    { head: "name", value: ({ key }) => key.name },
    { head: "state", is: "words", cell: ({ key }) => <Badge is={STATES[key.state].is} title={STATES[key.state].why}>{key.state}</Badge>, value: ({ key }) => key.state },
    { head: "team, tags", is: "words", cell: ({ key }) => <Owner of={key} />, value: null },
    { head: "team", value: ({ key }) => key.team },
    { head: "tags", value: ({ key }) => tagsOf(key) },
    { head: "models", is: "words", cell: ({ key }) => <span class="name" title={key.models.join(", ")}>{key.models.length === 0 ? "all" : key.models.join(", ")}</span>, value: ({ key }) => (key.models.length === 0 ? "all" : key.models.join(" ")) },
    { head: "spend", title: "Over the last 30 days (UTC), from the ledger", cell: (row) => <Spent row={row} />, value: (row) => (row.spent ? row.spent.usd : row.isWhole ? "0" : null), unit: "USD" },
    { head: "calls", title: "Over the last 30 days (UTC), from the ledger", cell: (row) => (row.spent ? count(row.spent.calls) : row.isWhole ? "0" : <Unlisted />), value: (row) => row.spent?.calls ?? (row.isWhole ? 0 : null) },
    { head: "last used", title: "The last day (UTC) with a call, of the last 30", cell: (row) => <LastUsed row={row} />, value: ({ spent }) => isoDay(spent?.last_ms) },
    { head: "created, expires", cell: ({ key }) => <>{moment(key.created_ms)}<span class="sub">{key.expires_ms === null ? "never" : moment(key.expires_ms)}</span></>, value: null },
    { head: "created", value: ({ key }) => isoTime(key.created_ms) },
    { head: "expires", value: ({ key }) => isoTime(key.expires_ms) },
    { head: "revoked", value: ({ key }) => isoTime(key.revoked_ms) },
    ...(mayChange ? [{ head: "change", is: "words" as const, cell: ({ key }: Row) => <Revoke of={key} again={again} />, value: null }] : []),
  ];
}

function KeyName({ of }: { of: VirtualKey }): JSX.Element {
  return (
    <>
      <span class="name" title={of.name ?? of.id}>{of.name ?? <code>{of.id}</code>}</span>
      {of.name !== null && <code class="sub">{of.id}</code>}
    </>
  );
}

function Owner({ of }: { of: VirtualKey }): JSX.Element {
  const tags = tagsOf(of);
  return (
    <>
      <span class="name" title={of.team ?? ""}>{of.team ?? <Unknown because="no team" />}</span>
      {tags !== "" && <span class="sub tags" title={tags}>{tags}</span>}
    </>
  );
}

function tagsOf(key: VirtualKey): string {
  return Object.entries(key.tags).map(([name, value]) => `${name}=${value}`).join(", ");
}

function Unlisted(): JSX.Element {
  return <Unknown because="not among the keys that the ledger lists" />;
}

function Spent({ row: { spent, isWhole } }: { row: Row }): JSX.Element {
  if (spent === null) return isWhole ? <>$0</> : <Unlisted />;
  return spent.usd === null ? <Unknown because="no price is known" /> : <>{usd(spent.usd)}</>;
}

function LastUsed({ row: { spent, isWhole } }: { row: Row }): JSX.Element {
  if (spent) return <>{utcDay(spent.last_ms)}</>;
  return isWhole ? <Unknown because="not in the last 30 days" /> : <Unlisted />;
}

function Revoke({ of, again }: { of: VirtualKey; again: () => void }): JSX.Element {
  const [stage, setStage] = useState<"idle" | "asking" | "sending">("idle");
  const [why, setWhy] = useState("");
  const name = of.name ?? of.id;
  const send = async (): Promise<void> => {
    setStage("sending");
    setWhy("");
    try {
      await remove(`keys/${encodeURIComponent(of.id)}`);
      again();
    } catch (error) {
      setWhy(error instanceof Failure ? error.message : String(error));
    }
    setStage("idle");
  };
  if (of.state === "revoked") return <span class="quiet">{moment(of.revoked_ms)}</span>;
  return (
    <>
      {stage === "idle"
        ? <button type="button" class="small" onClick={() => setStage("asking")}>Revoke…<span class="unseen"> {name}</span></button>
        : (
          <span class="asking" role="group" aria-label={`Confirm revoking ${name}`}>
            <span>For good?</span>
            <button type="button" class="small primary" disabled={stage === "sending"} onClick={() => void send()}>{stage === "sending" ? "Revoking…" : "Revoke"}<span class="unseen"> {name} for good</span></button>
            <button type="button" class="small" disabled={stage === "sending"} onClick={() => setStage("idle")}>Keep<span class="unseen"> {name}</span></button>
          </span>
        )}
      {why !== "" && <span class="bad" role="alert">Not revoked. {why}</span>}
    </>
  );
}

/** Who changed what, the latest first. */
function Audit(): JSX.Element {
  const [limit, setLimit] = useState(PAGE);
  const loaded = useLoad<{ entries: AuditEntry[] }>(`audit?limit=${limit}`, EVERY_MS);
  const columns: Column<AuditEntry>[] = [
    { head: "when", is: "words", cell: (entry) => moment(entry.at_ms), value: (entry) => isoTime(entry.at_ms) },
    { head: "who", is: "words", cell: (entry) => <span class="name" title={entry.who}>{entry.who}</span>, value: (entry) => entry.who },
    { head: "what", is: "words", cell: (entry) => words(entry.action), value: (entry) => entry.action },
    { head: "to what", is: "words", cell: (entry) => <span class="name wide" title={entry.subject}>{entry.subject}</span>, value: (entry) => entry.subject },
    {
      head: "outcome", is: "words",
      cell: (entry) => (entry.refused === null ? "done" : <><Badge is="warn">refused</Badge><span class="sub wide" title={entry.refused}>{entry.refused}</span></>),
      value: (entry) => (entry.refused === null ? "done" : `refused: ${entry.refused}`),
    },
    { head: "before", value: (entry) => entry.before },
    { head: "after", value: (entry) => entry.after },
    { head: "number", value: (entry) => entry.number },
  ];
  return (
    <section class="panel" aria-label="Audit log">
      <Await loaded={loaded} what="the audit log">
        {({ entries }) => (
          <>
            <Table caption="Audit log" columns={columns} rows={entries} rowKey={(entry) => entry.number} empty="Nothing was changed yet." />
            {entries.length === limit && limit < 1000 && (
              <button type="button" onClick={() => setLimit(Math.min(1000, limit * 4))}>Older entries</button>
            )}
          </>
        )}
      </Await>
    </section>
  );
}
