// Findings: what is worth doing, the dearest first, each with its evidence, and the button to do it.

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { Failure, post } from "../api";
import { chosen, counted, exact, ms, percent, toNumber, usd, usdShort, words } from "../format";
import { useLoad } from "../load";
import { href } from "../route";
import { Badge, Basis, Unknown, range } from "../parts/figure";
import { IntervalBar } from "../parts/interval";
import { Await } from "../parts/states";
import { Table } from "../parts/table";
import type { Evidence, Finding, Findings } from "../types";

export function FindingsScreen(): JSX.Element {
  const loaded = useLoad<Findings>("findings", 15_000);
  return (
    <>
      <div class="title"><h1>Findings</h1></div>
      <Await loaded={loaded} what="the findings">{(answer) => <All answer={answer} />}</Await>
    </>
  );
}

function All({ answer: { findings, calls, running } }: { answer: Findings }): JSX.Element {
  const most = findings.reduce((high, { usd_per_month: saved }) => Math.max(high, toNumber(saved?.high) ?? toNumber(saved?.likely) ?? 0), 0);
  const studied = calls === null ? "" : `Your own traffic, ${counted(calls, "call")}, played again under other policies. `;
  return (
    <>
      <p class="lead">
        {studied}Savings overlap: what two findings save together can be less than their sum.{" "}
        {running && <Badge is="plain">still studying</Badge>}
      </p>
      {findings.length === 0 && (
        <p class="notice">
          {running ? "The replay is running; what it finds appears here." : "Nothing worth doing was found. A finding is shown only when a replay of your own calls says that it saves money."}
        </p>
      )}
      <Cards findings={findings.filter(isWorth)} most={most} />
      <Noticed findings={findings.filter((finding) => !isWorth(finding))} />
    </>
  );
}

/** Whether it claims a saving or can be applied; the rest is only worth knowing. */
function isWorth(finding: Finding): boolean {
  return canApply(finding) || finding.usd_per_month !== null || (finding.usd ?? null) !== null;
}

function Cards({ findings, most }: { findings: Finding[]; most: number }): JSX.Element {
  return (
    <ol class="cards">
      {findings.map((finding) => <Card key={finding.id} finding={finding} most={most} />)}
    </ol>
  );
}

function Noticed({ findings }: { findings: Finding[] }): JSX.Element | null {
  if (findings.length === 0) return null;
  return (
    <section class="noticed" aria-labelledby="noticed">
      <h2 id="noticed">Also noticed</h2>
      <p class="quiet">Worth knowing; no saving is claimed.</p>
      <ul class="cards">
        {findings.map((finding) => (
          <li key={finding.id} class="panel card">
            <h3 class="long"><span class="id">{finding.id}</span> {finding.title}</h3>
            <Facts evidence={finding.evidence} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Card({ finding, most }: { finding: Finding; most: number }): JSX.Element {
  const saved = finding.usd_per_month;
  const id = `finding-${finding.id}`;
  return (
    <li class="panel card" aria-labelledby={id}>
      <header>
        <h2 id={id} class="long"><span class="id">{finding.id}</span> {finding.title}</h2>
        <p class="saving">
          <Saving finding={finding} />
        </p>
      </header>
      <SavingBar saved={saved} most={most} />
      {finding.part_of && <p class="quiet">Part of {finding.part_of}: what it saves is in there already.</p>}
      <dl class="facts">
        <Fact name="latency">{latencyChange(finding)}</Fact>
        <Fact name="effort">{finding.effort ? words(finding.effort) : <Unknown />}</Fact>
        <Fact name="risk">{finding.risk ? words(finding.risk) : <Unknown />}</Fact>
      </dl>
      <div class="materials">
        <Facts evidence={finding.evidence} />
        <Material name="Change" value={finding.change} />
      </div>
      {canApply(finding) ? <Apply finding={finding} /> : <p class="quiet">This one is yours to make: there is no setting that does it.</p>}
    </li>
  );
}

function Saving({ finding: { usd_per_month: monthly, usd: studied, basis } }: { finding: Finding }): JSX.Element {
  const [saved, per] = monthly?.likely ? [monthly, "/month"] : [studied, " on these calls"];
  return (
    <>
      {saved?.likely ? <><b>{usdShort(saved.likely)}</b><span class="per">{per}</span></> : <Unknown because="saving not known" />}
      <span class="sub">{range(saved) && `${range(saved)}, `}<Basis is={basis} /></span>
    </>
  );
}

function SavingBar({ saved, most }: { saved: Finding["usd_per_month"]; most: number }): JSX.Element | null {
  const [low, likely, high] = [toNumber(saved?.low), toNumber(saved?.likely), toNumber(saved?.high)];
  if (low === null || high === null) return null;
  return <IntervalBar low={low} high={high} at={likely} from={Math.min(0, low)} to={most} is={0 <= low ? "good" : "open"} label={`${usd(low)} to ${usd(high)} per month, likely ${usd(likely)}`} />;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

function latencyChange({ latency_ms: change }: Finding): ComponentChildren {
  if (!change || (change.p50 ?? null) === null) return <Unknown because="not predicted" />;
  const signed = (value: number | null | undefined): string => `${0 < (value ?? 0) ? "+" : ""}${ms(value)}`;
  return `p50 ${signed(change.p50)}, p95 ${signed(change.p95)}`;
}

/** A policy in the configuration's own words can be written by the gateway; advice cannot. */
export function canApply({ applicable, change }: Finding): boolean {
  if (applicable !== undefined) return applicable;
  return typeof change === "string" ? /^\s*\[/.test(change) : typeof change === "object" && change !== null;
}

/** Evidence as the analysis writes it; anything else as it is. */
function Facts({ evidence }: { evidence: unknown }): JSX.Element | null {
  const { facts, hit_share: hits, tried, example } = (evidence ?? {}) as Evidence;
  if (!Array.isArray(facts)) return <Material name="Evidence" value={evidence} />;
  return (
    <div class="material">
      <h3>Evidence</h3>
      <ul class="bare">
        {facts.map((fact, index) => <li key={index} class="long">{fact}</li>)}
        {hits && <li>Read from cache: {hits.before === null ? "not known" : `${percent(hits.before, 0)} of input`} before, {percent(hits.after, 0)} after.</li>}
        {example && (
          <li>
            For example <a href={href(`calls/${example.id}`)}>this call</a>, {exact(example.input_tokens)} input
            tokens: {usd(example.usd_before)} before, {usd(example.usd_after)} after.
          </li>
        )}
      </ul>
      {Array.isArray(tried) && 0 < tried.length && (
        <details>
          <summary>What else was tried</summary>
          <Table
            caption="What else was tried" quiet
            columns={[
              { head: "policy", is: "words", cell: (each: (typeof tried)[number]) => each.policy, value: (each) => each.policy },
              { head: "would have saved", cell: (each: (typeof tried)[number]) => usd(each.usd), value: (each) => each.usd, unit: "USD" },
            ]}
            rows={tried} rowKey={(each) => each.policy}
          />
        </details>
      )}
    </div>
  );
}

/** Text, or facts by name. */
function Material({ name, value }: { name: string; value: unknown }): JSX.Element | null {
  if (value === null || value === undefined || value === "") return null;
  const isCode = typeof value !== "string" || value.includes("\n") || /^\s*\[/.test(value);
  return (
    <div class="material">
      <h3>{name}</h3>
      {isCode ? <pre tabIndex={0} aria-label={name}><code>{typeof value === "string" ? value : inLines(value)}</code></pre> : <p class="long">{value}</p>}
    </div>
  );
}

function inLines(value: unknown): string {
  if (Array.isArray(value)) return value.map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join("\n");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value).map(([key, each]) => `${words(key)}: ${typeof each === "string" ? each : JSON.stringify(each)}`).join("\n");
}

type Stage =
  | { at: "choosing" }
  | { at: "asking" }
  | { at: "sending" }
  | { at: "done"; number: number | null }
  | { at: "failed"; why: string };

function Apply({ finding }: { finding: Finding }): JSX.Element {
  const [share, setShare] = useState("20");
  const [stage, setStage] = useState<Stage>({ at: "choosing" });
  const fraction = Number(share) / 100;
  const isValid = 0 < fraction && fraction <= 1;
  const send = async (): Promise<void> => {
    setStage({ at: "sending" });
    try {
      const answer = await post<{ number?: number }>("policies/apply", { finding: finding.id, share: fraction });
      setStage({ at: "done", number: answer.number ?? null });
    } catch (error) {
      setStage({ at: "failed", why: error instanceof Failure ? error.message : String(error) });
    }
  };
  if (stage.at === "done") {
    return (
      <p class="notice good" role="status">
        Applied to {chosen(fraction)} of sessions{stage.number !== null && `, journal #${stage.number}`}. <a href={href("proofs")}>See its proof grow, or take it back</a>
      </p>
    );
  }
  return (
    <form class="inline apply" onSubmit={(event) => { event.preventDefault(); setStage({ at: "asking" }); }}>
      {stage.at === "choosing" || stage.at === "failed"
        ? (
          <>
            <label>
              Share of sessions
              <span class="with-unit">
                <input type="number" inputMode="decimal" min="1" max="100" step="any" required value={share} onInput={(event) => setShare(event.currentTarget.value)} />
                <span>%</span>
              </span>
            </label>
            <button type="submit" class="primary" disabled={!isValid}>Apply {finding.id}…</button>
          </>
        )
        : (
          <div class="confirm" role="group" aria-label={`Confirm ${finding.id}`}>
            <p>
              {chosen(fraction)} of sessions get the change above, sticky by session; the rest are held out to compare with.
              It stops by itself if their calls are refused more often.
            </p>
            <button type="button" class="primary" disabled={stage.at === "sending"} onClick={() => void send()}>{stage.at === "sending" ? "Applying…" : "Apply now"}</button>
            <button type="button" disabled={stage.at === "sending"} onClick={() => setStage({ at: "choosing" })}>Cancel</button>
          </div>
        )}
      {stage.at === "failed" && <p class="bad" role="alert">Not applied. {stage.why}</p>}
    </form>
  );
}
