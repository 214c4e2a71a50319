// When things happened in a call: waiting for the first content, then streaming it.

import type { JSX } from "preact";
import { ms } from "../format";

interface Props {
  firstContent: number | null;
  ended: number | null;
  /** The length of the whole scale, in ms. */
  scale: number;
}

const width = (span: number, scale: number): string => `${Math.min(100, (span / scale) * 100).toFixed(2)}%`;

/** In words, for those who do not see the bar. */
export function timingInWords({ firstContent, ended }: Omit<Props, "scale">): string {
  if (ended === null) return "Time not known";
  if (firstContent === null) return `${ms(ended)} in all, no first content seen`;
  return `First content after ${ms(firstContent)}, then ${ms(ended - firstContent)} of streaming`;
}

export function Waterfall({ firstContent, ended, scale }: Props): JSX.Element {
  const waited = firstContent ?? ended ?? 0;
  const streamed = Math.max(0, (ended ?? waited) - waited);
  return (
    <span class="waterfall" role="img" aria-label={timingInWords({ firstContent, ended })}>
      {ended !== null && <i class={firstContent === null ? "whole" : "waiting"} style={{ width: width(waited, scale) }} />}
      {ended !== null && firstContent !== null && <i class="streaming" style={{ width: width(streamed, scale) }} />}
    </span>
  );
}

/** What the parts of the bars mean. */
export function WaterfallLegend(): JSX.Element {
  return (
    <p class="legend" aria-hidden="true">
      <span><i class="swatch waiting" /> waiting for the first content</span>
      <span><i class="swatch streaming" /> streaming</span>
      <span><i class="swatch whole" /> in one piece, or none came</span>
    </p>
  );
}
