// Figures as a person reads them: as many digits as mean something, and a dash for what is not known.

import type { Money, Span, Tokens } from "./types";

/** Stands for what is not known. Never confuse it with zero. */
export const UNKNOWN = "–";

const THIN = "\u2009";

function significant(value: number, digits: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: digits });
}

function fixed(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A decimal string as a number to draw with. Null stays null; so does what is no number. */
export function toNumber(value: Money | number | null | undefined): number | null {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** Dollars: cents from one dollar on, whole dollars from a thousand on, two digits below a cent. */
export function usd(value: Money | number | null | undefined): string {
  const amount = toNumber(value);
  if (amount === null) return UNKNOWN;
  const size = Math.abs(amount);
  const sign = amount < 0 ? "−" : "";
  if (size === 0) return "$0";
  if (999.995 <= size) return `${sign}$${fixed(size, 0)}`;
  if (0.0995 <= size) return `${sign}$${fixed(size, 2)}`;
  if (size < 0.0000005) return `${sign}<$0.000001`;
  return `${sign}$${size.toPrecision(2)}`;
}

/** Dollars where room is short or cents mean nothing: `$640`, `$38.9k`. */
export function usdShort(value: Money | number | null | undefined): string {
  const amount = toNumber(value);
  if (amount === null || Math.abs(amount) < 99.995) return usd(amount);
  if (Math.abs(amount) < 9_999.5) return `${amount < 0 ? "−" : ""}$${fixed(Math.abs(amount), 0)}`;
  return `${amount < 0 ? "−" : ""}$${short(Math.abs(amount))}`;
}

function short(size: number): string {
  for (const [unit, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    if (unit * 0.9995 <= size) return `${fixed(size / unit, size / unit < 99.95 ? 1 : 0)}${letter}`;
  }
  return fixed(size, 0);
}

/** A count, exact up to 9,999 and then with a letter. */
export function count(value: number | null | undefined): string {
  const number = toNumber(value);
  if (number === null) return UNKNOWN;
  return Math.abs(number) < 10_000 ? fixed(number, 0) : `${number < 0 ? "−" : ""}${short(Math.abs(number))}`;
}

/** A count with all its digits. */
export function exact(value: number | null | undefined): string {
  const number = toNumber(value);
  return number === null ? UNKNOWN : fixed(number, 0);
}

/** A length of time from milliseconds. */
export function ms(value: number | null | undefined): string {
  const span = toNumber(value);
  if (span === null) return UNKNOWN;
  const size = Math.abs(span);
  const sign = span < 0 ? "−" : "";
  if (size === 0) return `0${THIN}ms`;
  if (size < 9.95) return `${sign}${significant(size, 2)}${THIN}ms`;
  if (size < 999.5) return `${sign}${fixed(size, 0)}${THIN}ms`;
  if (size < 59_950) return `${sign}${fixed(size / 1000, size < 9_950 ? 2 : 1)}${THIN}s`;
  const seconds = Math.round(size / 1000);
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)}${THIN}min ${seconds % 60}${THIN}s`;
  const minutes = Math.round(seconds / 60);
  return `${sign}${Math.floor(minutes / 60)}${THIN}h ${minutes % 60}${THIN}min`;
}

/** A length of time from seconds, coarse. */
export function age(seconds: number | null | undefined): string {
  const span = toNumber(seconds);
  if (span === null) return UNKNOWN;
  if (span < 60) return `${Math.floor(span)}${THIN}s`;
  if (span < 3600) return `${Math.floor(span / 60)}${THIN}min`;
  if (span < 172_800) return `${Math.floor(span / 3600)}${THIN}h`;
  return `${Math.floor(span / 86_400)}${THIN}days`;
}

/** Milliseconds of a span, however it is written. */
export function spanMs(span: Span): number | null {
  if (span === null || span === undefined) return null;
  return typeof span === "number" ? span : span.nanos / 1e6;
}

/** A share as per cent, from a fraction. */
export function percent(fraction: number | null | undefined, digits = 1): string {
  const value = toNumber(fraction);
  if (value === null) return UNKNOWN;
  if (0 < value && value < 0.0005) return "<0.1%";
  return `${value < 0 ? "−" : ""}${fixed(Math.abs(value) * 100, value === 0 ? 0 : digits)}%`;
}

/** A share that somebody chose: `20%`, `12.5%`. */
export function chosen(fraction: number | null | undefined): string {
  return percent(fraction, 2).replace(/(\.\d*?)0+%$/, "$1%").replace(".%", "%");
}

/** The same with its sign, for changes. */
export function change(fraction: number | null | undefined): string {
  const value = toNumber(fraction);
  return value !== null && 0 < value ? `+${percent(value)}` : percent(value);
}

/** A size on disk. */
export function bytes(value: number | null | undefined): string {
  const size = toNumber(value);
  if (size === null) return UNKNOWN;
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]] as const) {
    if (unit <= size) return `${fixed(size / unit, 1)}${THIN}${name}`;
  }
  return `${fixed(size, 0)}${THIN}B`;
}

/** `part` of `whole`, where both are known and there is a whole. */
export function ratio(part: number | null | undefined, whole: number | null | undefined): number | null {
  if (part === null || part === undefined || !whole) return null;
  return part / whole;
}

/** All input tokens. */
export function inputTokens(tokens: Tokens | null | undefined): number | null {
  if (!tokens) return null;
  return tokens.uncached + tokens.cache_read + tokens.cache_write_short + tokens.cache_write_long;
}

/** All output tokens. */
export function outputTokens(tokens: Tokens | null | undefined): number | null {
  return tokens ? tokens.output + tokens.reasoning : null;
}

/** The share of input that was read from a cache. */
export function cachedShare(tokens: Tokens | null | undefined): number | null {
  return ratio(tokens?.cache_read, inputTokens(tokens));
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Time of day in the viewer's zone. */
export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Day and time of day in the viewer's zone. */
export function moment(at: number | null | undefined): string {
  const time = toNumber(at);
  if (time === null) return UNKNOWN;
  const date = new Date(time);
  return `${day(time)} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Day in the viewer's zone. */
export function day(at: number): string {
  const date = new Date(at);
  return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
}

/** The day of a time in UTC: whole days of the ledger are. */
export function utcDay(at: number): string {
  const date = new Date(at);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}

/** When a bucket begins, as precisely as its width asks for. */
export function bucketName(at: number, widthMs: number): string {
  return widthMs < 86_400_000 ? moment(at) : day(at);
}

/** `3 calls`, `1 call`. */
export function counted(number: number | null | undefined, singular: string, plural = `${singular}s`): string {
  return `${count(number)} ${number === 1 ? singular : plural}`;
}

/** A word of the API as a person writes it: `too_early` → `too early`. */
export function words(text: string): string {
  return text.replaceAll("_", " ");
}
