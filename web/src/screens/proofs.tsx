// Proofs: what applied policies really saved, against units that were held out; and the way back.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Failure, post } from "../api";
import { change, chosen, count, moment, spanMs, usd, usdShort, words } from "../format";
import { useLoad } from "../load";
import { href } from "../route";
import { Badge, Figure, Unknown } from "../parts/figure";
import { IntervalBar } from "../parts/interval";
import { Await } from "../parts/states";
import type { JournalEntry, Policies, Proof } from "../types";

interface Verdict {
  is: "good" | "bad" | "warn" | "plain";
  why: string;
}

const VERDICTS: Record<string, Verdict> = {
  worked: { is: "good", why: "The whole interval is a saving, and it is at least 70% of what was predicted." },
  partial: { is: "warn", why: "The whole interval is a saving, but less than 70% of what was predicted." },
  too_early: { is: "plain", why: "Too few sessions, one that outweighs the others, or an interval too wide to tell." },
  no_effect: { is: "warn", why: "No difference, and the predicted one can be excluded." },
  worse: { is: "bad", why: "Treated sessions cost more than those held out, beyond doubt." },
};

/** `TOO EARLY`, `too early` and `too_early` are the same verdict. */
export function verdictOf(text: string): Verdict & { name: string } {
  const name = words(text).toLowerCase();
  return { name, ...(VERDICTS[name.replaceAll(" ", "_")] ?? { is: "plain", why: "" }) };
}

export function ProofsScreen(): JSX.Element {
  const proofs = useLoad<{ proofs: Proof[] }>("proofs", 10_000);
  const policies = useLoad<Policies>("policies", 10_000);
  const again = (): void => {
    proofs.again();
    policies.again();
  };
  return (
    <>
      <div class="title"><h1>Proofs</h1></div>
      <p class="lead">Each applied change, judged by the sessions that did not get it. Cost per session, with the 95% interval.</p>
      <Await loaded={proofs} what="the proofs">
        {({ proofs: all }) => <All proofs={all} journal={policies.value?.journal ?? []} again={again} />}
      </Await>
    </>
  );
}

function All({ proofs, journal, again }: { proofs: Proof[]; journal: JournalEntry[]; again: () => void }): JSX.Element {
  if (proofs.length === 0) {
    return <p class="notice">Nothing has been applied yet. <a href={href("findings")}>Findings</a> say what would be worth it.</p>;
  }
  const ends = proofs.flatMap(({ low, high, predicted, realised }) => [low, high, predicted, realised]).filter((value) => value !== null);
  const [from, to] = [Math.min(-0.01, ...ends), Math.max(0.01, ...ends)];
  const newestFirst = [...proofs].sort((a, b) => b.number - a.number);
  return (
    <ol class="cards">
      {newestFirst.map((proof) => (
        <Card key={proof.number} proof={proof} entry={journal.find((entry) => entry.number === proof.number)} from={from * 1.1} to={to * 1.1} again={again} />
      ))}
    </ol>
  );
}

interface CardProps {
  proof: Proof;
  entry: JournalEntry | undefined;
  from: number;
  to: number;
  again: () => void;
}

function Card({ proof, entry, from, to, again }: CardProps): JSX.Element {
  const verdict = verdictOf(proof.verdict);
  const undone = proof.undone_ms ?? spanMs(entry?.undone);
  const id = `proof-${proof.number}`;
  return (
    <li class="panel card" aria-labelledby={id}>
      <header>
        <h2 id={id} class="long"><span class="id">#{proof.number}</span> {proof.title}</h2>
        <Badge is={verdict.is} title={verdict.why}><b>{verdict.name}</b></Badge>
      </header>
      <p class="quiet">
        Applied {moment(proof.applied_ms)} to {chosen(proof.share)} of sessions
        {undone !== null && <>; taken back {moment(undone)}{entry?.undone_because && <span class="long">: {entry.undone_because}</span>}</>}. {verdict.why}
      </p>
      <Realised proof={proof} from={from} to={to} />
      <Numbers proof={proof} />
      {entry?.added && (
        <details class="material">
          <summary>What was written</summary>
          <pre tabIndex={0} aria-label="What was written"><code>{entry.added}</code></pre>
        </details>
      )}
      {undone === null ? <Undo number={proof.number} again={again} /> : <p><Badge is="plain">taken back</Badge></p>}
    </li>
  );
}

function Realised({ proof: { low, high, realised, predicted }, from, to }: { proof: Proof; from: number; to: number }): JSX.Element | null {
  if (low === null || high === null) return null;
  return (
    <>
      <IntervalBar
        low={low}
        high={high}
        at={realised}
        beside={predicted}
        from={from}
        to={to}
        is={high < 0 ? "good" : 0 < low ? "bad" : "open"}
        label={`Realised ${change(realised)}, between ${change(low)} and ${change(high)}; predicted ${change(predicted)}`}
      />
      <p class="legend" aria-hidden="true">
        <span><i class="swatch realised" /> realised, 95%</span>
        <span><i class="swatch predicted" /> predicted</span>
        <span><i class="swatch none" /> no change</span>
      </p>
    </>
  );
}

function Numbers({ proof }: { proof: Proof }): JSX.Element {
  const interval = proof.low === null || proof.high === null ? "no interval yet" : `${change(proof.low)} to ${change(proof.high)}`;
  return (
    <dl class="figures inner">
      <Figure name="Realised" below={interval}>{proof.realised === null ? <Unknown /> : change(proof.realised)}</Figure>
      <Figure name="Predicted" below="by replay, before">{proof.predicted === null ? <Unknown /> : change(proof.predicted)}</Figure>
      <Figure name="Saved so far" below="by the treated sessions">{proof.saved_usd === null ? <Unknown /> : usd(proof.saved_usd)}</Figure>
      <Figure name="At 100%" below="if every session were treated">
        {proof.per_month_at_100_usd === null ? <Unknown /> : <>{usdShort(proof.per_month_at_100_usd)}<span class="per">/month</span></>}
      </Figure>
      <Figure name="Sessions" below={`${count(proof.held_out_units)} held out`}>{count(proof.treated_units)}</Figure>
    </dl>
  );
}

function Undo({ number, again }: { number: number; again: () => void }): JSX.Element {
  const [stage, setStage] = useState<"idle" | "asking" | "sending">("idle");
  const [why, setWhy] = useState("");
  const send = async (): Promise<void> => {
    setStage("sending");
    setWhy("");
    try {
      await post("policies/undo", { number });
      again();
    } catch (error) {
      setWhy(error instanceof Failure ? error.message : String(error));
    }
    setStage("idle");
  };
  return (
    <div class="inline">
      {stage === "idle"
        ? <button type="button" onClick={() => setStage("asking")}>Take back #{number}…</button>
        : (
          <div class="confirm" role="group" aria-label={`Confirm taking back ${number}`}>
            <p>The configuration gets back exactly what it had before. The proof so far is kept.</p>
            <button type="button" class="primary" disabled={stage === "sending"} onClick={() => void send()}>{stage === "sending" ? "Taking back…" : "Take it back"}</button>
            <button type="button" disabled={stage === "sending"} onClick={() => setStage("idle")}>Cancel</button>
          </div>
        )}
      {why !== "" && <p class="bad" role="alert">Not taken back. {why}</p>}
    </div>
  );
}
