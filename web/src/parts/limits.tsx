// What limits the figures of a screen.

import type { JSX } from "preact";
import { counted } from "../format";

/** A list of what was `said`, if anything was. */
export function Limits({ said }: { said: readonly (string | false)[] }): JSX.Element | null {
  const texts = said.filter((text): text is string => typeof text === "string");
  if (texts.length === 0) return null;
  return (
    <ul class="notice warn" aria-label="What limits these figures">
      {texts.map((text) => <li key={text}>{text}</li>)}
    </ul>
  );
}

/** What sums of money and of tokens lack. */
export function unknownIn(totals: { unpriced_calls: number; unknown_usage_calls: number }): (string | false)[] {
  const { unpriced_calls: unpriced, unknown_usage_calls: unknown } = totals;
  return [
    0 < unpriced && `${counted(unpriced, "call")} went to models without a known price: spend is a lower bound.`,
    0 < unknown && `${counted(unknown, "call")} did not say what they used: they are in no sum of tokens.`,
  ];
}
