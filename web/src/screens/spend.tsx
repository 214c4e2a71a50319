// Spend: who or what the money went to, by day. Rows add up to the totals whatever is asked for.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { count, counted, exact, inputTokens, outputTokens, usd, utcDay } from "../format";
import { useLoad } from "../load";
import { changed } from "../parts/filters";
import { Figure } from "../parts/figure";
import { Chart } from "../parts/chart";
import { Choice } from "../parts/choice";
import { Limits, unknownIn } from "../parts/limits";
import { Await } from "../parts/states";
import type { Spending } from "../types";
import { SpendTable } from "./spend-table";
import { type Measure, MEASURES, plotOf, summaryOf } from "./spend-plot";

const DIMENSIONS = { model: "Model", operation: "Operation", key: "Key", team: "Team", tag: "Tag", session: "Session" } as const;
export type By = keyof typeof DIMENSIONS;

const DAYS = { "7": "7 days", "30": "30 days", "90": "90 days", "366": "a year" } as const;
const TOPS = { "10": "10", "50": "50", "1000": "1,000" } as const;
const EVERY_MS = 30_000;

/** A choice of the URL, or the usual one. */
function chosen<C extends object>(query: URLSearchParams, name: string, choices: C, usual: keyof C): keyof C & string {
  const asked = query.get(name) ?? "";
  return (Object.hasOwn(choices, asked) ? asked : usual) as keyof C & string;
}

export function SpendScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const place = { screen: "spend", query } as const;
  const by = chosen(query, "by", DIMENSIONS, "model");
  const days = chosen(query, "days", DAYS, "30");
  const measure = chosen(query, "show", MEASURES, "usd");
  const top = chosen(query, "top", TOPS, "10");
  const tag = by === "tag" ? query.get("tag") ?? "" : "";
  // Without a tag's name any answer will do: it lists the names.
  const asked = by === "tag" && tag === "" ? { by: "team", days, limit: "0" } : { by, days, limit: top, ...(tag !== "" && { tag }) };
  const loaded = useLoad<Spending>(`spend?${new URLSearchParams(asked)}`, EVERY_MS);
  return (
    <>
      <div class="title">
        <h1>Spend</h1>
        <Choice label="Days" place={place} name="days" choices={DAYS} chosen={days} />
        <Choice label="By" place={place} name="by" choices={DIMENSIONS} chosen={by} without={["tag"]} />
      </div>
      <Await loaded={loaded} what="the spend">
        {(spending) => (
          <>
            {by === "tag" && <Tags spending={spending} tag={tag} place={place} />}
            {(by !== "tag" || tag !== "") && (
              <>
                <Limits said={limits(spending)} />
                <Figures spending={spending} />
                {spending.totals.calls === 0
                  ? <p class="notice">No calls on these days. <a href={changed(place, { days: "366" })}>Look at a year</a></p>
                  : <Divided spending={spending} by={by} tag={tag} measure={measure} place={place} />}
                {(0 < spending.unlisted || top !== "10") && (
                  <p class="quiet">{0 < spending.unlisted && `${counted(spending.unlisted, "more value")} in one row.`} <Choice label="Rows" place={place} name="top" choices={TOPS} chosen={top} /></p>
                )}
              </>
            )}
          </>
        )}
      </Await>
    </>
  );
}

type Place = Parameters<typeof changed>[0];

function Divided({ spending, by, tag, measure, place }: { spending: Spending; by: By; tag: string; measure: Measure; place: Place }): JSX.Element {
  const plot = useMemo(() => plotOf(spending, by, measure), [spending, by, measure]);
  const bucket = (index: number): string => utcDay(spending.window.from_ms + index * spending.window.width_ms);
  const name = by === "tag" ? `tag ${tag}` : by;
  return (
    <>
      <div class="inline"><Choice label="What" place={place} name="show" choices={MEASURES} chosen={measure} /></div>
      <Chart title={`${MEASURES[measure]} by ${name}`} summary={summaryOf(spending, by, measure)} plot={plot} bucket={bucket} full={measure === "usd" ? usd : exact} />
      <section class="panel" aria-label={`By ${name}`}>
        <SpendTable spending={spending} by={by} caption={`By ${name}`} />
      </section>
    </>
  );
}

/** Which tag; those that any call of these days had. */
function Tags({ spending, tag, place }: { spending: Spending; tag: string; place: Place }): JSX.Element {
  if (spending.tags.length === 0) {
    return (
      <p class="notice">
        No call of these days has a tag. The header <code>x-scrimp-tags: feature=search,stage=test</code> gives some, and so do virtual keys.
      </p>
    );
  }
  const names = Object.fromEntries([...spending.tags, ...(tag === "" ? [] : [tag])].map((each) => [each, each]));
  return (
    <>
      <Choice label="Tag" place={place} name="tag" choices={names} chosen={tag} />
      {tag === "" && <p class="quiet">Choose a tag to see what each of its values spent.</p>}
    </>
  );
}

function Figures({ spending: { totals, window } }: { spending: Spending }): JSX.Element {
  const last = utcDay(window.to_ms - window.width_ms);
  const [input, output] = [inputTokens(totals.tokens), outputTokens(totals.tokens)];
  return (
    <dl class="figures">
      <Figure name="Spend" below={`${utcDay(window.from_ms)} to ${last}, days in UTC`}>{usd(totals.usd)}</Figure>
      <Figure name="Calls" below="all, however they ended">{count(totals.calls)}</Figure>
      <Figure name="Tokens" below={`${count(input)} in, ${count(output)} out`}>{count(input === null || output === null ? null : input + output)}</Figure>
      <Figure name="Unpriced calls" below={0 < totals.unpriced_calls ? "in no sum of money" : "every metered call has a price"}>{count(totals.unpriced_calls)}</Figure>
    </dl>
  );
}

/** What makes the figures less than the whole truth. */
function limits({ totals, known_from_ms: since, by }: Spending): (string | false)[] {
  return [
    since !== null && `Calls are counted by ${by} since ${utcDay(since)}; what was before is a row of its own.`,
    ...unknownIn(totals),
  ];
}
