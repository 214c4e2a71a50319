// Models: what was spent on each, beside what it costs, and the whole price list to look into.

import type { JSX } from "preact";
import { asked, filtersOf } from "../filters";
import { cachedShare, count, counted, exact, inputTokens, outputTokens, percent, ratio, toNumber, usd } from "../format";
import { useLoad } from "../load";
import { EVERY, href } from "../route";
import { Badge, Figure, Unknown } from "../parts/figure";
import { NothingPasses, changed } from "../parts/filters";
import { LeftOut, ScreenHead } from "../parts/screen-head";
import { Await } from "../parts/states";
import { type Column, Table } from "../parts/table";
import { tokenColumns } from "../parts/tokens";
import type { Totals } from "../types";
import type { ModelRow, Models, PriceAge } from "../types-screens";
import { CACHE, Cache, PriceList, Rate, cacheInWords, rateColumns, tiersInWords } from "./models-prices";

export function ModelsScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const filters = filtersOf(query);
  const loaded = useLoad<Models>(`models?${asked(filters)}`, EVERY[filters.window]);
  return (
    <>
      <ScreenHead title="Models and prices" screen="models" query={query} at={loaded.at} names={loaded.value?.names} by={["operation", "model", "provider"]} />
      <Await loaded={loaded} what="the models">
        {(value) => (value.totals.calls === 0
          ? <NothingPasses screen="models" query={query} what="calls" />
          : <Seen value={value} query={query} />)}
      </Await>
      <PriceList query={query} />
    </>
  );
}

function Seen({ value, query }: { value: Models; query: URLSearchParams }): JSX.Element {
  const total = toNumber(value.totals.usd);
  return (
    <>
      <Headline totals={value.totals} models={value.rows.length + value.left_out.rows} prices={value.prices} unpriced={value.rows.filter((row) => row.price === null).length} />
      <section class="panel" aria-label="Models that were called">
        <Table caption="Models that were called" columns={columns(query, total)} rows={value.rows} rowKey={(row) => JSON.stringify([row.provider, row.model])} />
        <LeftOut rows={value.left_out.rows} of="call" count={value.left_out.calls} />
        <p class="quiet after">Prices are dollars per million tokens, as of now; each call was priced when it ended.</p>
      </section>
    </>
  );
}

function Headline({ totals, models, prices, unpriced }: { totals: Totals; models: number; prices: PriceAge; unpriced: number }): JSX.Element {
  const each = ratio(toNumber(totals.usd), totals.calls - totals.unpriced_calls - totals.unknown_usage_calls);
  return (
    <dl class="figures">
      <Figure name="Spend" below={<>{counted(totals.calls, "call")}{each !== null && <>, {usd(each)} per priced call</>}</>}>
        {0 < totals.unpriced_calls && <span class="per">at least </span>}
        <span title={totals.usd === null ? undefined : `$${totals.usd}`}>{usd(totals.usd)}</span>
      </Figure>
      <Figure name="Models" below={unpriced === 0 ? "all with a price" : <strong class="warn">{count(unpriced)} without a price</strong>}>{count(models)}</Figure>
      <Figure name="Unpriced calls" below={totals.unpriced_calls === 0 ? "spend is complete" : "in no sum of money"}>{count(totals.unpriced_calls)}</Figure>
      <Figure name="Price list" below={prices.taken === null ? "own prices alone" : <>taken {prices.taken}<br /><code>scrimp prices update</code></>}>
        {prices.age_days === null ? <Unknown /> : <>{count(prices.age_days)}<span class="per"> {prices.age_days === 1 ? "day" : "days"} old</span></>}
      </Figure>
    </dl>
  );
}

function columns(query: URLSearchParams, total: number | null): Column<ModelRow>[] {
  return [
    {
      head: "model", is: "words",
      cell: (row) => (
        <>
          <a class="name" title={row.model} href={changed({ screen: "models", query }, { model: row.model, provider: row.provider })}>{row.model || "(no name)"}</a>
          <span class="sub">{row.provider}</span>
        </>
      ),
      value: (row) => row.model,
    },
    { head: "provider", value: (row) => row.provider },
    { head: "spend", cell: (row) => <Spend row={row} total={total} />, value: (row) => row.usd, unit: "USD" },
    { head: "calls", cell: (row) => <a href={href("calls", { model: row.model, provider: row.provider })}>{count(row.calls)}</a>, value: (row) => row.calls },
    { head: "unpriced calls", value: (row) => row.unpriced_calls },
    { head: "in", title: "Input tokens, cached or not", cell: (row) => <span title={exact(inputTokens(row.tokens))}>{count(inputTokens(row.tokens))}</span>, value: null },
    { head: "cached", title: "Share of input tokens read from the provider's cache", cell: (row) => percent(cachedShare(row.tokens), 0), value: null },
    { head: "out", title: "Output tokens, reasoning among them", cell: (row) => <span title={exact(outputTokens(row.tokens))}>{count(outputTokens(row.tokens))}</span>, value: null },
    ...tokenColumns<ModelRow>((row) => row.tokens),
    ...rateColumns<ModelRow>((row) => row.price?.cards[0]),
    {
      head: "price", is: "words", title: "Where the price comes from, and what else it depends on",
      cell: (row) => (row.price === null ? <Rate of={null} /> : <>{row.price.own ? <Badge is="plain" title="From your own file of prices">own</Badge> : "list"}<span class="sub">{tiersInWords(row.price)}</span></>),
      value: (row) => (row.price === null ? null : row.price.own ? "own" : "list"),
    },
    {
      head: "cache", is: "words", title: CACHE, cell: (row) => <Cache price={row.price} />, value: (row) => (row.price === null ? null : cacheInWords(row.price)),
    },
  ];
}

function Spend({ row, total }: { row: ModelRow; total: number | null }): JSX.Element {
  if (row.price === null && row.usd === null) {
    return <Badge is="warn" title="No price is known for this model: it is in no sum of money. Add one to your own file of prices.">unpriced</Badge>;
  }
  const share = ratio(toNumber(row.usd), total);
  return (
    <>
      {row.usd === null ? <Unknown /> : <span title={`$${row.usd}`}>{usd(row.usd)}</span>}
      {0 < row.unpriced_calls && <span class="sub warn">{counted(row.unpriced_calls, "call")} unpriced</span>}
      {share !== null && (
        <span class="share" aria-label={`${percent(share, 0)} of the spend`} role="img"><i style={{ width: `${(share * 100).toFixed(1)}%` }} /></span>
      )}
    </>
  );
}
