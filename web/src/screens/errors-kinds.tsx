// What it was that went wrong, told from the newest calls concerned, and what to do about it.

import type { JSX } from "preact";
import { isoTime } from "../csv";
import { count, counted, moment, percent, ratio, words } from "../format";
import { href } from "../route";
import { ExportButton, type FileColumn } from "../parts/export";
import { Badge } from "../parts/figure";
import { fileColumns } from "../parts/table";
import type { Errors, Kind } from "../types-screens";

/** Who or what ended the call. */
const BY: Record<string, string> = {
  rejected: "answered by the provider",
  truncated: "stream without its end",
  failed: "failed on the way",
  abandoned: "the client hung up",
  refused: "refused by the gateway",
};

export function nameOfKind({ ending, word, status }: Pick<Kind, "ending" | "word" | "status">): string {
  if (ending === "rejected") return String(status);
  return words(word ?? ending);
}

const FILE: readonly FileColumn<Kind>[] = fileColumns<Kind>([
  { head: "ending", value: (kind) => kind.ending },
  { head: "word", value: (kind) => kind.word },
  { head: "status", value: (kind) => kind.status },
  { head: "calls looked at", value: (kind) => kind.calls },
  { head: "latest", value: (kind) => isoTime(kind.latest_ms) },
  { head: "models", value: (kind) => kind.models.join(" ") },
  { head: "operations", value: (kind) => kind.operations.join(" ") },
  { head: "advice", value: (kind) => kind.advice },
  { head: "example", value: (kind) => kind.examples[0] },
]);

export function Kinds({ sample }: { sample: Errors["sample"] }): JSX.Element | null {
  if (sample.of === 0) return null;
  return (
    <section class="panel" aria-labelledby="kinds">
      <div class="table-head">
        <h2 id="kinds">What it was, and what to do</h2>
        {0 < sample.kinds.length && <ExportButton caption="what went wrong" columns={FILE} rows={sample.kinds} />}
      </div>
      <p class="summary">{basis(sample)}</p>
      <ul class="kinds">
        {sample.kinds.map((kind) => <KindItem key={`${kind.ending} ${kind.word} ${kind.status}`} kind={kind} of={sample.calls} />)}
      </ul>
    </section>
  );
}

function basis({ calls, of, oldest_ms }: Errors["sample"]): string {
  if (calls === 0) return `None of the ${counted(of, "call")} is among the newest that were looked at, or their details are no longer kept.`;
  if (calls === of) return `All ${counted(of, "call")} that went wrong.`;
  return `The newest ${count(calls)} of ${counted(of, "call")} that went wrong, since ${moment(oldest_ms)}.`;
}

function KindItem({ kind, of }: { kind: Kind; of: number }): JSX.Element {
  const share = ratio(kind.calls, of);
  const model = kind.models.length === 1 ? kind.models[0] ?? "" : "";
  return (
    <li>
      <p class="kind">
        <Badge is={kind.ending === "abandoned" ? "warn" : "bad"}>{nameOfKind(kind)}</Badge>
        <span class="sub">{BY[kind.ending] ?? words(kind.ending)}</span>
      </p>
      <p class="kind-count">
        {count(kind.calls)} <span class="quiet">{percent(share, 0)}</span>
        <span class="share" aria-hidden="true"><i class="errors" style={{ width: `${((share ?? 0) * 100).toFixed(1)}%` }} /></span>
      </p>
      <div class="kind-text">
        <p><Coded text={kind.advice} /></p>
        <p class="quiet">
          <Names names={kind.operations} /> with <Names names={kind.models} />; latest {moment(kind.latest_ms)}.{" "}
          {kind.examples.map((id, index) => (
            <a key={id} href={href(`calls/${id}`, { only: "errors" })}>{index === 0 ? "Latest call" : `call ${index + 1}`}</a>
          )).flatMap((link, index) => (index === 0 ? [link] : [", ", link]))}
          {", "}<a href={href("calls", { only: "errors", model })}>all errors{model !== "" && " of this model"}</a>
        </p>
      </div>
    </li>
  );
}

/** What stands between backticks is what one types. */
function Coded({ text }: { text: string }): JSX.Element {
  return <>{text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>;
}

function Names({ names }: { names: readonly string[] }): JSX.Element {
  return <>{names.map((name, index) => <>{0 < index && ", "}<span key={name} class="short-name" title={name}>{name || "(no name)"}</span></>)}</>;
}
