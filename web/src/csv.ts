// Rows as a file that a spreadsheet opens (RFC 4180). No byte order mark: readers that are no
// spreadsheets take it for a part of the first heading.

/** A value as it stands in a file: exact, and empty where it is not known. */
export type Value = string | number | boolean | null | undefined;

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
/** What a spreadsheet takes for the beginning of a formula, also behind spaces. */
const FORMULA = /^\s*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/** One field. Text that a spreadsheet would run as a formula begins with an apostrophe. */
function field(value: Value): string {
  if (value === null || value === undefined) return "";
  const text = String(value);
  const isFormula = FORMULA.test(text) && !NUMBER.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe.trim() !== safe ? `"${safe.replaceAll("\"", "\"\"")}"` : safe;
}

/** Headings, then rows, each ended as the standard says. */
export function csv(rows: readonly (readonly Value[])[]): string {
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

/** A time without a doubt about its zone. */
export function isoTime(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : new Date(at).toISOString();
}

/** The day of a time in UTC. */
export function isoDay(at: number | null | undefined): string | null {
  return isoTime(at)?.slice(0, 10) ?? null;
}

/** `scrimp-operations-7d-by-model-2026-11-27.csv`: the screen, its range, the table, the day. */
export function fileName(parts: readonly string[], now: number): string {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "").slice(0, 48);
  const named = ["scrimp", ...parts.map(plain).filter((part) => part !== "")];
  return `${named.join("-")}-${isoDay(now)}.csv`;
}
