// The price list: searched by words, a row for each tier and length.

import type { JSX } from "preact";
import { count, counted, day, exact, ms, words } from "../format";
import { useLoad } from "../load";
import { useTyped } from "../typed";
import { Badge, Unknown } from "../parts/figure";
import { changed } from "../parts/filters";
import { Await } from "../parts/states";
import { type Column, Table } from "../parts/table";
import type { Price, Prices, RateCard } from "../types-screens";

/** Dollars per million tokens, with all their digits. */
export function Rate({ of }: { of: string | null | undefined }): JSX.Element {
  return of === null || of === undefined ? <Unknown because="no rate of its own" /> : <>{rateInWords(of)}</>;
}

/** `$2.50`, `$3.125`: all digits, and cents in any case. */
export function rateInWords(rate: string): string {
  const [whole = "", cents = ""] = rate.split(".");
  return `$${whole}.${cents.padEnd(2, "0")}`;
}

const RATES: readonly { key: "uncached" | "cache_read" | "cache_write_short" | "cache_write_long" | "output"; head: string; title: string }[] = [
  { key: "uncached", head: "input", title: "Dollars per million tokens of input that is not cached" },
  { key: "cache_read", head: "read", title: "Dollars per million tokens read from the cache" },
  { key: "cache_write_short", head: "write", title: "Dollars per million tokens written to the cache for a short life" },
  { key: "cache_write_long", head: "long", title: "Dollars per million tokens written to the cache for a long life" },
  { key: "output", head: "output", title: "Dollars per million tokens of output" },
];

export function rateColumns<R>(of: (row: R) => RateCard | undefined): Column<R>[] {
  return RATES.map(({ key, head, title }) => ({ head, title, unit: "USD per million tokens", cell: (row) => <Rate of={of(row)?.[key]} />, value: (row) => of(row)?.[key] }));
}

/** `batch`, `above 200k`: when another card counts. */
function cardInWords({ tier, above }: RateCard): string {
  return [...(tier === "standard" && 0 < above ? [] : [words(tier)]), ...(0 < above ? [`above ${count(above)}`] : [])].join(", ");
}

export function tiersInWords({ cards }: Price): string {
  const others = cards.slice(1).map(cardInWords);
  return others.length === 0 ? "" : `also ${others.slice(0, 3).join("; ")}${3 < others.length ? ` and ${others.length - 3} more` : ""}`;
}

export const CACHE = "Who says what is cached, and from how many tokens on; how long it lives after its last use";

const KINDS: Record<string, string> = { marked: "marks", breakpoints: "breakpoints", automatic: "automatic" };

/** `marks, from 4,096` */
export function cacheInWords(price: Price | null): string {
  if (!price?.cache) return "–";
  const { kind, min_tokens } = price.cache;
  return `${KINDS[kind] ?? words(kind)}, from ${exact(min_tokens)}`;
}

export function Cache({ price }: { price: Price | null }): JSX.Element {
  if (!price?.cache) return <Unknown because="no prompt cache known" />;
  const { short_ms, long_ms } = price.cache;
  return <>{cacheInWords(price)}<span class="sub">lives {life(short_ms)}{long_ms !== null && ` or ${life(long_ms)}`}</span></>;
}

function life(span: number): string {
  return ms(span).replace(/\u20090\u2009s$| 0\u2009(?:s|min)$/, "");
}

export function PriceList({ query }: { query: URLSearchParams }): JSX.Element {
  const search = query.get("search")?.trim() ?? "";
  const typed = useTyped(search);
  const loaded = useLoad<Prices>(`prices?search=${encodeURIComponent(search)}`, null);
  const find = (text: string): void => {
    if (text.trim() !== search) location.hash = changed({ screen: "models", query }, { search: text.trim() });
  };
  const submit = (event: Event & { currentTarget: HTMLFormElement }): void => {
    event.preventDefault();
    find(String(new FormData(event.currentTarget).get("search") ?? ""));
  };
  return (
    <section class="panel prices" aria-labelledby="price-list">
      <h2 id="price-list">Price list</h2>
      <form class="inline filters" role="search" aria-label="Price list" onSubmit={submit}>
        <label>
          Words of provider and model
          <input type="search" name="search" {...typed} placeholder="anthropic opus" autocomplete="off" onChange={(event) => find(event.currentTarget.value)} />
        </label>
        <button type="submit">Search</button>
      </form>
      <Await loaded={loaded} what="the price list">{(value) => <Found value={value} search={search} />}</Await>
    </section>
  );
}

interface Line {
  price: Price;
  card: RateCard;
  /** The model's name stands in its first line. */
  isFirst: boolean;
}

function Found({ value: { rows, found, prices }, search }: { value: Prices; search: string }): JSX.Element {
  if (rows.length === 0) {
    return <p class="quiet">No price has “{search}” in its provider and model. Own prices can be laid over the list: <code>[prices]</code> in the configuration names a file.</p>;
  }
  const lines = rows.flatMap((price) => price.cards.map((card, index): Line => ({ price, card, isFirst: index === 0 })));
  const shown = rows.length < found ? `The first ${count(rows.length)} of ${counted(found, "model")}: more words find fewer.` : `${counted(found, "model")}.`;
  const lead = <p class="summary">{shown}{prices.taken !== null && ` List of ${prices.taken}, ${counted(prices.age_days, "day")} old.`} Dollars per million tokens.</p>;
  return <Table caption="Price list" quiet lead={lead} columns={COLUMNS} rows={lines} rowKey={({ price, card }) => JSON.stringify([price.provider, price.model, card.tier, card.above])} />;
}

const COLUMNS: Column<Line>[] = [
  {
    head: "model", is: "words",
    cell: ({ price, isFirst }) => (isFirst
      ? <><span class="name" title={price.model}>{price.model}</span><span class="sub">{price.provider}</span></>
      : <span class="unseen">{price.model} at {price.provider}</span>),
    value: ({ price }) => price.model,
  },
  { head: "provider", value: ({ price }) => price.provider },
  { head: "tier", is: "words", cell: ({ card }) => cardInWords(card), value: ({ card }) => card.tier },
  { head: "above", unit: "tokens of input", value: ({ card }) => card.above },
  ...rateColumns<Line>(({ card }) => card),
  { head: "context", title: "The longest input, in tokens", cell: ({ price, isFirst }) => (isFirst ? count(price.context) : ""), value: ({ price }) => price.context, unit: "tokens" },
  {
    head: "from", is: "words", title: "Your own file or the list, and the days it counts for as far as they are known",
    cell: ({ price, isFirst }) => isFirst && <>{price.own ? <Badge is="plain" title="From your own file of prices">own</Badge> : "list"}<span class="sub">{days(price)}</span></>,
    value: ({ price }) => (price.own ? "own" : "list"),
  },
  { head: "cache", is: "words", title: CACHE, cell: ({ price, isFirst }) => isFirst && <Cache price={price} />, value: ({ price }) => cacheInWords(price) },
];

function days({ from_ms, until_ms }: Price): string {
  return [...(from_ms === null ? [] : [`since ${day(from_ms)}`]), ...(until_ms === null ? [] : [`until ${day(until_ms)}`])].join(" ");
}
