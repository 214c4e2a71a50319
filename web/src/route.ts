// Where the user is, kept in the URL's hash so that it can be bookmarked, shared and gone back to.

import { useEffect, useState } from "preact/hooks";

export type Screen = "overview" | "calls" | "call" | "findings" | "proofs";

export interface Route {
  screen: Screen;
  /** The call's id on the screen `call`, else empty. */
  id: string;
  query: URLSearchParams;
}

export const WINDOWS = ["1h", "24h", "7d", "30d"] as const;
export type Window = (typeof WINDOWS)[number];

/** Reads a hash. What is not understood is the overview. */
export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first = "", second = ""] = path.split("/", 2);
  const at = (screen: Screen, id = ""): Route => ({ screen, id, query: new URLSearchParams(query) });
  switch (first) {
    case "calls":
      return second === "" ? at("calls") : at("call", decoded(second));
    case "findings":
    case "proofs":
      return at(first);
    default:
      return at("overview");
  }
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

/** Goes there without adding a step to the history: for filters that change while one types. */
export function replace(hash: string): void {
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
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
