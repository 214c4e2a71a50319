// Where the user is, kept in the URL's hash so that it can be bookmarked, shared and gone back to.

import { useEffect, useState } from "preact/hooks";

/** Screens whose name alone is their address; `call` is one of `calls`. */
const PLAIN = ["overview", "calls", "operations", "models", "errors", "spend", "keys", "reconcile", "findings", "proofs"] as const;

export type Screen = (typeof PLAIN)[number] | "call";

export interface Route {
  screen: Screen;
  /** The call's id on the screen `call`, else empty. */
  id: string;
  query: URLSearchParams;
}

export const WINDOWS = ["1h", "24h", "7d", "30d"] as const;
export type Window = (typeof WINDOWS)[number];

export const WINDOW_NAMES: Record<Window, string> = {
  "1h": "last hour",
  "24h": "last 24 hours",
  "7d": "last 7 days",
  "30d": "last 30 days",
};

/** How often figures of a window are asked for again, in ms. */
export const EVERY: Record<Window, number> = { "1h": 5_000, "24h": 10_000, "7d": 30_000, "30d": 60_000 };

/** Reads a hash. What is not understood is the overview. */
export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first = "", second = ""] = path.split("/", 2);
  const at = (screen: Screen, id = ""): Route => ({ screen, id, query: new URLSearchParams(query) });
  if (first === "calls" && second !== "") return at("call", decoded(second));
  return at(PLAIN.find((screen) => screen === first) ?? "overview");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Writes a hash. Empty values are left out. */
export function href(path: string, query: Record<string, string> = {}): string {
  const kept = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  const text = kept.toString();
  return `#/${path}${text === "" ? "" : `?${text}`}`;
}

/** The window that a query asks for. */
export function windowOf(query: URLSearchParams): Window {
  const asked = query.get("window");
  return WINDOWS.find((window) => window === asked) ?? "24h";
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const follow = (): void => setRoute(parse(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
