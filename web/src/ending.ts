// How a call ended, in a word and in a sentence.

import { words } from "./format";
import type { CallRow } from "./types";

export interface Ended {
  is: "good" | "bad" | "warn" | "plain";
  short: string;
  why: string;
}

const NAMES: Record<string, Omit<Ended, "short">> = {
  truncated: { is: "bad", why: "The stream ended without its last event. The client may not have noticed." },
  failed: { is: "bad", why: "No provider could be made to answer, or the answer broke off." },
  abandoned: { is: "warn", why: "The client hung up before the end." },
  refused: { is: "bad", why: "The gateway did not send it on." },
};

/** The name of an ending, which the core writes as a word or as `{word: facts}`. */
export function nameOf(ending: CallRow["ending"]): string {
  return typeof ending === "string" ? ending : Object.keys(ending ?? {})[0] ?? "";
}

export function endingOf({ ending, status, finish }: Pick<CallRow, "ending" | "status" | "finish">): Ended {
  const name = nameOf(ending);
  const known = NAMES[name];
  if (known) return { ...known, short: words(name) };
  const code = status ?? 0;
  const short = status === null ? words(name) : String(status);
  if (400 <= code) return { is: "bad", short, why: `The provider answered ${code}.` };
  const why = finish === null ? "The answer reached the client whole." : `The answer reached the client whole; the model stopped with “${finish}”.`;
  return { is: "good", short, why };
}

/** Said of a call whose usage holds counts that cannot be. */
export const SUSPECT = "The provider told token counts that cannot be (negative, huge, or no numbers). They are left out of every sum.";
