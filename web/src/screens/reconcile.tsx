// Reconcile: what a provider charged against what was counted here, every difference with a cause
// and a size. Reports come as files; what they showed is kept until the next ones.

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { postJson } from "../api";
import { bytes, count, counted, moment, percent, ratio, toNumber, usd, utcDay, words } from "../format";
import { useLoad } from "../load";
import { Choice } from "../parts/choice";
import { Badge, Basis, Figure, Unknown } from "../parts/figure";
import { Await } from "../parts/states";
import { type Column, Table } from "../parts/table";
import type { BilledShare, Cause, Me, Reconciled, Reconciliation } from "../types";

const SHARES = { day: "Day", project: "Workspace", model: "Model", key: "Key" } as const;
type By = keyof typeof SHARES;

/** What the gateway takes at once. */
const MOST_BYTES = 32 * 1024 * 1024;

export function ReconcileScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const me = useLoad<Me>("me", null);
  const loaded = useLoad<{ last: Reconciliation | null }>("reconcile", null);
  const asked = query.get("by") ?? "";
  const by = (Object.hasOwn(SHARES, asked) ? asked : "day") as By;
  return (
    <>
      <div class="title"><h1>Reconcile</h1></div>
      <p class="lead">What a provider charged, set against what was counted here. Every difference has a cause and a size, and together they are the difference, to the last digit.</p>
      {me.value?.role === "operator" && <Send sent={loaded.again} />}
      <Await loaded={loaded} what="the last reconciliation">
        {({ last }) => (last === null
          ? <Nothing mayChange={me.value?.role === "operator"} />
          : <Last last={last} by={by} query={query} />)}
      </Await>
    </>
  );
}

function Nothing({ mayChange }: { mayChange: boolean }): JSX.Element {
  return (
    <p class="notice">
      No reports were compared yet. {mayChange
        ? "Save what the usage and the cost API of OpenAI, Anthropic or OpenRouter answers, all pages, and choose the files above."
        : "An operator can send a provider’s reports here."} On the command line: <code>scrimp reconcile FILE…</code>
    </p>
  );
}

function tooLarge(size: number): string {
  return `What would be sent is ${bytes(size)}, and at most ${bytes(MOST_BYTES)} are taken at once. The command takes any size: scrimp reconcile FILE…`;
}

/** Chooses files and has them compared. */
function Send({ sent }: { sent: () => void }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<readonly File[]>([]);
  const [provider, setProvider] = useState("");
  const [isSending, setSending] = useState(false);
  const [why, setWhy] = useState("");
  const size = chosen.reduce((sum, file) => sum + file.size, 0);
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (chosen.length === 0) return setWhy("Choose the provider’s reports first.");
    if (MOST_BYTES < size) return setWhy(tooLarge(size));
    setSending(true);
    setWhy("");
    try {
      const files = await Promise.all(chosen.map(async (file) => ({ name: file.name, text: await file.text() })));
      const body = JSON.stringify({ files, ...(provider.trim() !== "" && { provider: provider.trim() }) });
      const length = new Blob([body]).size;
      // As JSON they are larger than the files: every quote in them is escaped.
      if (MOST_BYTES < length) throw new Error(tooLarge(length));
      await postJson("reconcile", body);
      setChosen([]);
      if (input.current) input.current.value = "";
      sent();
    } catch (error) {
      setWhy(error instanceof Error ? error.message : String(error));
    }
    setSending(false);
  };
  return (
    <form class="panel inline create" onSubmit={(event) => void send(event)} aria-label="Reports to compare">
      <label>
        Usage and cost reports, all pages
        <input ref={input} type="file" multiple accept=".json,.jsonl,.csv,.txt,application/json" onChange={(event) => setChosen([...event.currentTarget.files ?? []])} />
      </label>
      <label>
        Provider’s name here, if another
        <input type="text" value={provider} placeholder="as the report says" autocomplete="off" onInput={(event) => setProvider(event.currentTarget.value)} />
      </label>
      <button type="submit" class="primary" disabled={isSending}>{isSending ? "Comparing…" : "Compare"}</button>
      <p class="quiet whole" role="status">
        {isSending ? "Every record of these days is read; that may take a while." : 0 < chosen.length && `${counted(chosen.length, "file")}, ${bytes(size)}. They are read here and not kept.`}
      </p>
      {why !== "" && <p class="bad whole" role="alert">Not compared. {why}</p>}
    </form>
  );
}

function Last({ last, by, query }: { last: Reconciliation; by: By; query: URLSearchParams }): JSX.Element {
  return (
    <>
      <p class="quiet long">Compared {moment(last.at_ms)} by {last.who}: {last.files.join(", ")}</p>
      {0 < last.notes.length && (
        <ul class="notice warn" aria-label="What limits these figures">
          {last.notes.map((note) => <li key={note} class="long">{note}</li>)}
        </ul>
      )}
      <ol class="cards">
        {last.providers.map((provider) => <Provider key={provider.provider} of={provider} by={by} query={query} />)}
      </ol>
    </>
  );
}

const BASES: Record<Reconciled["basis"], string> = {
  paid: "as the provider charged it",
  partly_paid: "charged; days without costs at list price",
  listed: "no costs in the reports: usage at list price",
};

function Provider({ of, by, query }: { of: Reconciled; by: By; query: URLSearchParams }): JSX.Element {
  const id = `bill-${of.provider.replaceAll(/[^a-z0-9]+/gi, "-")}`;
  const period = of.from_ms === null || of.until_ms === null ? "" : `${utcDay(of.from_ms)} to ${utcDay(of.until_ms - 1)}, ${counted(of.days, "day")}`;
  return (
    <li class="panel card" aria-labelledby={id}>
      <header>
        <h2 id={id} class="long">{of.provider}</h2>
        <span class="quiet">{period}{of.zone_minutes !== 0 && `; days begin ${of.zone_minutes / 60} h off UTC`}</span>
      </header>
      <dl class="figures inner">
        <Figure name="Paid" below={BASES[of.basis]}>{usd(of.paid)}</Figure>
        <Figure name="Computed here" below={`${count(of.calls)} calls`}>{usd(of.computed)}</Figure>
        <Figure name="Difference" below={`${percent(ratio(toNumber(of.gap), toNumber(of.paid)))} of what was paid`}>{usd(of.gap)}</Figure>
        <Figure name="Explained" below="computed here, or with a cause">{of.explained_share === null ? <Unknown /> : percent(of.explained_share, 2)}</Figure>
      </dl>
      {0 < of.missing_days.length && <p class="quiet">No report covers {of.missing_days.join(", ")}.</p>}
      <Causes of={of} />
      <div class="inline"><Choice label={`Sums of ${of.provider} by`} place={{ screen: "reconcile", query }} name="by" choices={SHARES} chosen={by} /></div>
      <Shares of={of} by={by} />
      {of.notes.map((note) => <p key={note} class="quiet long">{note}</p>)}
    </li>
  );
}

const SURE: Record<Cause["confidence"], { is: "good" | "warn" | "plain"; why: string }> = {
  high: { is: "good", why: "No other cause was possible" },
  medium: { is: "plain", why: "Several were possible, and calls like these tell how they share it" },
  low: { is: "warn", why: "A guess among several" },
};

function Causes({ of }: { of: Reconciled }): JSX.Element {
  const largest = Math.max(...of.causes.map((cause) => Math.abs(toNumber(cause.usd) ?? 0)));
  const columns: Column<Cause>[] = [
    { head: "cause", is: "words", cell: (cause) => <><span class="name wide">{words(cause.cause)}</span><span class="sub meaning">{cause.meaning}</span></>, value: (cause) => cause.cause },
    { head: "meaning", value: (cause) => cause.meaning },
    { head: "difference", title: "How much more was paid than computed for it", cell: (cause) => <Gap usd={cause.usd} largest={largest} />, value: (cause) => cause.usd, unit: "USD" },
    { head: "of paid", cell: (cause) => percent(ratio(toNumber(cause.usd), toNumber(of.paid)), 2), value: (cause) => ratio(toNumber(cause.usd), toNumber(of.paid)), unit: "share" },
    { head: "calls", cell: (cause) => (cause.calls === null ? <Unknown /> : count(cause.calls)), value: (cause) => cause.calls },
    { head: "input", title: "Input tokens beyond ours", cell: (cause) => count(cause.input_tokens), value: (cause) => cause.input_tokens, unit: "tokens" },
    { head: "output", title: "Output tokens beyond ours", cell: (cause) => count(cause.output_tokens), value: (cause) => cause.output_tokens, unit: "tokens" },
    { head: "sure", is: "words", cell: (cause) => <Badge is={SURE[cause.confidence].is} title={SURE[cause.confidence].why}>{cause.confidence}</Badge>, value: (cause) => cause.confidence },
    { head: "why", is: "words", cell: (cause) => <span class="why">{cause.why.join("; ")}</span>, value: (cause) => cause.why.join("; ") },
  ];
  return <Table caption={`${of.provider}: causes`} columns={columns} rows={of.causes} rowKey={(cause) => cause.cause} empty="What was paid is what was computed." />;
}

/** An amount with its size beside the largest; below zero, less was paid. */
function Gap({ usd: amount, largest }: { usd: string; largest: number }): JSX.Element {
  const size = ratio(Math.abs(toNumber(amount) ?? 0), largest) ?? 0;
  const isLess = (toNumber(amount) ?? 0) < 0;
  return (
    <>
      {usd(amount)}
      <span class={isLess ? "share less" : "share"} aria-hidden="true"><i style={{ width: `${(size * 100).toFixed(1)}%` }} /></span>
    </>
  );
}

function Shares({ of, by }: { of: Reconciled; by: By }): JSX.Element {
  const rows = of.shares[by];
  const name = (share: BilledShare): string => share.name ?? "not divided";
  const largest = Math.max(...rows.map((share) => Math.abs(toNumber(share.gap) ?? 0)));
  const columns: Column<BilledShare>[] = [
    { head: SHARES[by].toLowerCase(), is: "words", cell: (share) => <span class={share.name === null ? "quiet" : "name wide"} title={name(share)}>{name(share)}</span>, value: (share) => share.name },
    { head: "calls", title: "Calls counted here", cell: (share) => count(share.calls), value: (share) => share.calls },
    { head: "computed", cell: (share) => usd(share.computed), value: (share) => share.computed, unit: "USD" },
    { head: "paid", title: "Where no costs are reported: usage at list price", cell: (share) => usd(share.total), value: (share) => share.total, unit: "USD" },
    { head: "difference", cell: (share) => <Gap usd={share.gap} largest={largest} />, value: (share) => share.gap, unit: "USD" },
    { head: "basis", is: "words", cell: (share) => <Basis is={share.basis} />, value: (share) => share.basis },
  ];
  return <Table caption={`${of.provider}: by ${SHARES[by].toLowerCase()}`} columns={columns} rows={rows} rowKey={name} empty={`The reports are not divided by ${SHARES[by].toLowerCase()}.`} />;
}
