// What narrows a screen. It stands in the URL and nowhere else, so that Back, Forward and a link
// that somebody was sent show the same.

import { WINDOWS, type Window, windowOf } from "./route";

/** What most screens can be narrowed by: parameters of the URL, and of the API under the same names. */
export const NARROWINGS = ["provider", "model", "operation"] as const;
export type Narrowing = (typeof NARROWINGS)[number];

export type Filters = { window: Window } & Record<Narrowing, string>;

/** The filters of a URL; empty: not narrowed. */
export function filtersOf(query: URLSearchParams): Filters {
  const text = (name: Narrowing): string => query.get(name)?.trim() ?? "";
  return { window: windowOf(query), provider: text("provider"), model: text("model"), operation: text("operation") };
}

/** The same as a question to the API. */
export function asked(filters: Filters): string {
  return new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== "")).toString();
}

/** What of a URL another screen understands too: one goes there without choosing again. */
export function carried(query: URLSearchParams, understood: readonly string[]): Record<string, string> {
  return Object.fromEntries([...query].filter(([name]) => understood.includes(name)));
}

/** A range in the URL that there is none of. */
export function unknownWindow(query: URLSearchParams): string | null {
  const window = query.get("window");
  return window === null || WINDOWS.some((each) => each === window) ? null : window;
}

/** `model “gpt-6”, operation “review”`; empty where nothing is narrowed. */
export function inWords(filters: Filters): string {
  const named = NARROWINGS.filter((name) => filters[name] !== "");
  return named.map((name) => `${name} “${filters[name]}”`).join(", ");
}
