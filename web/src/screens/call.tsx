// One call: how it ended, where its time went, what it cost and why, and what of its prompt was cached.

import type { ComponentChildren, JSX } from "preact";
import { count, exact, cachedShare, inputTokens, moment, ms, outputTokens, percent, spanMs, usd, words } from "../format";
import { useLoad } from "../load";
import { href } from "../route";
import { SUSPECT, endingOf } from "../ending";
import { Badge, Basis, Figure, Unknown } from "../parts/figure";
import { Await } from "../parts/states";
import { Table } from "../parts/table";
import { timingInWords } from "../parts/waterfall";
import type { Attempt, BillLine, Block, CallDetail, Placement, Reason } from "../types";

export function CallScreen({ id, query }: { id: string; query: URLSearchParams }): JSX.Element {
  const loaded = useLoad<CallDetail>(`calls/${encodeURIComponent(id)}`, null);
  return (
    <>
      <p class="back"><a href={href("calls", Object.fromEntries(query))}>← Live calls</a></p>
      <Await loaded={loaded} what="the call">{(call) => <Detail call={call} />}</Await>
    </>
  );
}

function Detail({ call }: { call: CallDetail }): JSX.Element {
  const ending = endingOf(call);
  return (
    <>
      <div class="title">
        <h1 class="long">{call.operation || "(no name)"}</h1>
        <Badge is={ending.is} title={ending.why}>{ending.short}</Badge>
        <span class="quiet long">{call.model} · {call.provider} · {moment(call.at_ms)}</span>
      </div>
      <p class="quiet">{ending.why}</p>
      {call.suspect && <p class="notice"><Badge is="warn">bad counts</Badge> {SUSPECT}</p>}
      <Headline call={call} />
      <Timeline call={call} />
      <div class="groups">
        <Bill lines={call.bill} />
        <Placed placement={call.placement} call={call} />
      </div>
      <Prompt blocks={call.blocks} />
      <p class="quiet">Call <code class="long">{call.id}</code>{call.session && <> in session <code class="long">{call.session}</code></>}. The text of prompts and answers is not stored.</p>
    </>
  );
}

function Headline({ call }: { call: CallDetail }): JSX.Element {
  const known = call.usage_state !== "unknown";
  return (
    <dl class="figures one">
      <Figure name="Cost" below={call.usd === null ? "no price or usage known" : <><Basis is={call.usage_state} /> usage</>}>
        {call.usd === null ? <Unknown /> : <span title={`$${call.usd}`}>{usd(call.usd)}</span>}
      </Figure>
      <Figure name="Total" below={`${ms(call.overhead_ms)} of it in the gateway`}>{ms(call.latency_ms)}</Figure>
      <Figure name="First content" below={streamSpeed(call)}>{ms(call.ttft_ms)}</Figure>
      <Figure name="Input" below={known ? `${percent(cachedShare(call.tokens), 0)} read from cache` : "usage not known"}>
        {known ? count(inputTokens(call.tokens)) : <Unknown />}
      </Figure>
      <Figure name="Output" below={known ? `${exact(call.tokens?.reasoning)} of it reasoning` : "usage not known"}>
        {known ? count(outputTokens(call.tokens)) : <Unknown />}
      </Figure>
    </dl>
  );
}

function streamSpeed({ timing, tokens, usage_state }: CallDetail): string {
  const output = usage_state === "unknown" ? null : outputTokens(tokens);
  const [first, last] = [timing?.first_content_ms, timing?.last_content_ms];
  if (output === null || output < 2 || first === null || first === undefined || last === null || last === undefined) return "";
  return `then ${ms((last - first) / (output - 1))} per token`;
}

/** Attempts and phases on one scale, in the order in which they happened. */
function Timeline({ call }: { call: CallDetail }): JSX.Element {
  const { timing } = call;
  const ended = timing?.ended_ms ?? call.latency_ms;
  const first = timing?.first_content_ms ?? call.ttft_ms;
  const attempts = call.attempts.map(attemptTimes);
  const scale = Math.max(1, ended ?? 0, ...attempts.map((attempt) => attempt.to ?? 0));
  const lanes: Lane[] = [
    ...attempts.map(({ attempt, from, to }, index): Lane => ({
      name: call.attempts.length === 1 ? "sent to the provider" : `attempt ${index + 1}`,
      what: "attempt", from, to, note: attemptNote(attempt),
    })),
    { name: "waiting for the answer’s head", what: "waiting", from: 0, to: timing?.head_ms ?? null },
    { name: "head to first content", what: "waiting", from: timing?.head_ms ?? null, to: first },
    { name: "content streaming", what: "streaming", from: first, to: timing?.last_content_ms ?? null },
    { name: "until the end", what: "rest", from: timing?.last_content_ms ?? null, to: ended },
  ];
  return (
    <section class="panel" aria-labelledby="timing">
      <h2 id="timing">Timing</h2>
      <p class="summary">{timingInWords({ firstContent: first, ended })}.</p>
      <ul class="lanes">
        {lanes.map((lane) => <LaneRow key={lane.name} lane={lane} scale={scale} />)}
      </ul>
    </section>
  );
}

interface Lane {
  name: string;
  what: string;
  from: number | null;
  to: number | null;
  note?: ComponentChildren;
}

function LaneRow({ lane: { name, what, from, to, note }, scale }: { lane: Lane; scale: number }): JSX.Element {
  const known = from !== null && to !== null;
  const place = (value: number): string => `${((value / scale) * 100).toFixed(2)}%`;
  return (
    <li>
      <span class="lane-name">{name}{note && <span class="sub">{note}</span>}</span>
      <span class="track" aria-hidden="true">
        {known && <i class={what} style={{ left: place(from), width: place(Math.max(0, to - from)) }} />}
      </span>
      <span class="lane-time">
        {known ? <>{ms(to - from)}<span class="sub">{ms(from)} to {ms(to)}</span></> : <Unknown because="did not happen, or was not seen" />}
      </span>
    </li>
  );
}

function attemptTimes(attempt: Attempt): { attempt: Attempt; from: number | null; to: number | null } {
  return { attempt, from: spanMs(attempt.sent_ms ?? attempt.sent), to: spanMs(attempt.ended_ms ?? attempt.ended) };
}

function attemptNote(attempt: Attempt): string {
  const said = [attempt.provider, attempt.model, attempt.status, attempt.fault && words(attempt.fault)];
  const cost = attempt.usd ?? attempt.cost;
  return [...said.filter((each) => each !== null && each !== undefined && each !== ""), ...(cost ? [usd(cost)] : [])].join(" · ");
}

function Bill({ lines }: { lines: BillLine[] }): JSX.Element {
  return (
    <section class="panel" aria-label="Bill">
      <Table
        caption="Bill"
        columns={[
          { head: "what", is: "words", cell: (line: BillLine) => words(line.what), value: (line) => line.what },
          { head: "tokens", cell: (line: BillLine) => exact(line.tokens), value: (line) => line.tokens },
          { head: "$ per million", cell: (line: BillLine) => line.usd_per_million ?? <Unknown />, value: (line) => line.usd_per_million },
          { head: "cost", cell: (line: BillLine) => (line.usd === null ? <Unknown /> : <span title={`$${line.usd}`}>{usd(line.usd)}</span>), value: (line) => line.usd, unit: "USD" },
        ]}
        rows={lines}
        rowKey={(line) => line.what}
        empty="No bill: this model’s price, or what the call used, is not known."
      />
    </section>
  );
}

const STOOD_DOWN: Record<string, string> = {
  no_cache: "the model has no prompt cache, or its rules are not known",
  automatic: "the provider caches by itself and takes no marks",
  client_marks: "the client placed marks of its own",
  too_short: "the prompt is shorter than the model’s minimum",
  nothing_to_mark: "no block can carry a mark",
  stopped: "the rule stopped by itself: treated calls were refused more often",
  bypassed: "bypass was on, so no policy decided",
  not_sent_again: "nothing of it was expected to be sent again in time",
};

const BECAUSE: Record<string, string> = {
  sent_again: "what stands before it is expected to be sent again soon",
  sent_again_later: "what stands before it is expected to be sent again, after pauses too long for the short life",
  lives_longer: "it is read anyway, and a long mark makes what is read live longer at no cost",
  far_back: "it is read, and the provider would not look so far back from the other marks",
  still_read: "it is read, and what follows is not worth a write",
  some_leave: "some calls leave the prompt there, and a mark within what is written costs nothing",
};

function Placed({ placement, call }: { placement: Placement | null; call: CallDetail }): JSX.Element {
  const edits = placement?.edits ?? [];
  const acted = placement?.state === "on" && placement.arm === "treated";
  return (
    <section class="panel" aria-labelledby="placement">
      <h2 id="placement">Prompt-cache decision</h2>
      {placement === null
        ? <p class="quiet">No rule covered this call: it went on byte for byte.</p>
        : (
          <>
            <p>
              Experiment <a href={href("proofs")}>{placement.experiment ?? call.experiment ?? "?"}</a>, {words(placement.arm ?? "")}
              {placement.state && <>, rule {words(placement.state)}</>}.{" "}
              {placement.stood_down && <>It stood down: {STOOD_DOWN[placement.stood_down] ?? words(placement.stood_down)}.</>}
            </p>
            {0 < edits.length && <p>{acted ? "Changed in the request:" : "Would have changed, and did not:"}</p>}
            <ul>
              {edits.map((edit, index) => (
                <li key={index}><code>{editInWords(edit)}</code>{reasonInWords(edit, placement.reasons ?? [])}</li>
              ))}
            </ul>
          </>
        )}
    </section>
  );
}

/** Why `auto` set this mark; nothing for other edits and other strategies. */
function reasonInWords(edit: unknown, reasons: Reason[]): string {
  const set = (edit as { set_mark?: { block: number } } | null)?.set_mark;
  const reason = reasons.find((reason) => reason.block === set?.block);
  if (!reason) return "";
  return `: ${BECAUSE[reason.because] ?? words(reason.because)} (chance ${percent(reason.chance_permille / 1000, 0)}, by what was seen of calls like it)`;
}

function editInWords(edit: unknown): string {
  if (typeof edit === "string") return words(edit);
  const [name, facts] = Object.entries(edit ?? {})[0] ?? ["", {}];
  const { block, ttl } = (facts ?? {}) as { block?: number; ttl?: string };
  if (block === undefined) return words(`${name} ${typeof facts === "string" ? facts : ""}`);
  return `${words(name)} on block ${block + 1}${ttl ? `, ${ttl}` : ""}`;
}

function Prompt({ blocks }: { blocks: Block[] }): JSX.Element {
  const total = blocks.reduce((sum, block) => sum + (block.tokens ?? 0), 0);
  const rows = blocks.map((block, index) => ({ ...block, index }));
  return (
    <section class="panel" aria-label="Prompt">
      <Table
        caption={`Prompt: ${exact(blocks.length)} blocks, about ${exact(total)} tokens by estimate`}
        columns={[
          { head: "block", is: "words", cell: (block: (typeof rows)[number]) => block.index + 1, value: (block) => block.index + 1 },
          { head: "role", is: "words", cell: (block) => words(block.role), value: (block) => block.role },
          { head: "content", is: "words", cell: (block) => words(block.content), value: (block) => block.content },
          { head: "cache mark", is: "words", cell: (block) => (block.mark ? <Badge is="plain">{words(block.mark)}</Badge> : ""), value: (block) => block.mark },
          { head: "characters", cell: (block) => exact(block.characters), value: (block) => block.characters },
          { head: "tokens", cell: (block) => exact(block.tokens), value: (block) => block.tokens },
          {
            head: "share", value: null,
            cell: (block) => (
              <span class="share wide" role="img" aria-label={percent(total === 0 ? null : (block.tokens ?? 0) / total, 0)}>
                <i style={{ width: `${total === 0 ? 0 : (((block.tokens ?? 0) / total) * 100).toFixed(1)}%` }} />
              </span>
            ),
          },
        ]}
        rows={rows}
        rowKey={(block) => block.index}
        empty="The prompt’s blocks are not known."
      />
    </section>
  );
}
