// The headline: money first, in the order of the loop (spent, ahead, possible, proved), then speed.

import type { JSX } from "preact";
import { count, counted, exact, cachedShare, inputTokens, ms, outputTokens, percent, ratio, toNumber, usd, usdShort } from "../format";
import { href } from "../route";
import { Basis, Figure, Unknown, range } from "../parts/figure";
import type { Summary, Totals } from "../types";

export function Headline({ summary, name }: { summary: Summary; name: string }): JSX.Element {
  return (
    <section aria-label={`Figures of the ${name}`}>
      <dl class="figures">
        <Spend totals={summary.totals} />
        <Ahead forecast={summary.forecast} />
        <Possible savings={summary.savings} />
        <Proved savings={summary.savings} />
        <Speed totals={summary.totals} />
      </dl>
    </section>
  );
}

function Spend({ totals }: { totals: Totals }): JSX.Element {
  const unpriced = totals.unpriced_calls;
  const [paid, uncached] = [toNumber(totals.usd), toNumber(totals.usd_uncached)];
  const saved = paid === null || uncached === null ? null : ratio(uncached - paid, uncached);
  return (
    <Figure
      name="Spend"
      below={
        <>
          <Basis is="measured" /> {counted(totals.calls, "call")}
          {0 < unpriced && <>, <strong class="warn">{count(unpriced)} unpriced</strong></>}
          {saved !== null && <><br />{percent(saved, 0)} {saved < 0 ? "more" : "less"} than without any caching</>}
        </>
      }
    >
      {0 < unpriced && <span class="per">at least </span>}
      <span title={totals.usd === null ? undefined : `$${totals.usd}`}>{usd(totals.usd)}</span>
    </Figure>
  );
}

function Ahead({ forecast }: { forecast: Summary["forecast"] }): JSX.Element {
  if (forecast === null) {
    return <Figure name="Forecast" below="too little history yet"><Unknown /></Figure>;
  }
  return (
    <Figure
      name="Forecast"
      per="/month"
      below={<>{range(forecast)}<br /><Basis is={forecast.basis} /> {counted(forecast.days, "day")}</>}
    >
      {usdShort(forecast.usd_per_month)}
    </Figure>
  );
}

function Possible({ savings }: { savings: Summary["savings"] }): JSX.Element {
  const possible = savings.possible_usd_per_month;
  if (possible === null) {
    return <Figure name="Could be saved" href={href("findings")} below="no finding yet"><Unknown /></Figure>;
  }
  return (
    <Figure
      name="Could be saved"
      href={href("findings")}
      per="/month"
      below={<>{range(possible)}<br /><Basis is={savings.basis} /> 90% range</>}
    >
      {usdShort(possible.likely)}
    </Figure>
  );
}

function Proved({ savings }: { savings: Summary["savings"] }): JSX.Element {
  const saved = toNumber(savings.proved_usd);
  if (saved === null) {
    return <Figure name="Proved" href={href("proofs")} below="nothing applied yet"><Unknown /></Figure>;
  }
  const monthly = savings.proved_usd_per_month;
  return (
    <Figure
      name="Proved"
      href={href("proofs")}
      below={<>{monthly !== null && <>{usdShort(monthly)}/month<br /></>}<Basis is="measured" /> against a holdout</>}
    >
      {usd(saved)}
    </Figure>
  );
}

function Speed({ totals }: { totals: Totals }): JSX.Element {
  const { latency_ms: latency, ttft_ms: first, tpot_ms: each } = totals;
  const others = [
    0 < totals.abandoned && `${count(totals.abandoned)} abandoned`,
    0 < totals.truncated && `${count(totals.truncated)} truncated`,
  ].filter(Boolean).join(", ");
  return (
    <>
      <Figure
        name="Calls"
        below={<>{counted(totals.errors, "error")} ({percent(ratio(totals.errors, totals.calls))}){others && <><br />{others}</>}</>}
      >
        <span title={exact(totals.calls)}>{count(totals.calls)}</span>
      </Figure>
      <Figure name="Latency p50" below={<>p95 {ms(latency?.p95)}<br />p99 {ms(latency?.p99)}</>}>{ms(latency?.p50)}</Figure>
      <Figure
        name="First token p50"
        below={<>p95 {ms(first?.p95)}{each && <><br />then {ms(each.p50)} per token</>}</>}
      >
        {ms(first?.p50)}
      </Figure>
      <Figure
        name="Input from cache"
        below={<>of {count(inputTokens(totals.tokens))} input tokens<br />{count(outputTokens(totals.tokens))} output</>}
      >
        {percent(cachedShare(totals.tokens), 0)}
      </Figure>
    </>
  );
}
