// One headline figure with what stands behind it, and the marks that go with figures.

import type { ComponentChildren, JSX } from "preact";
import { UNKNOWN, usdShort, words } from "../format";
import type { Interval } from "../types";

interface Props {
  name: string;
  children: ComponentChildren;
  /** Per what, in small letters behind the figure. */
  per?: string;
  /** Lines below: basis, counts, range. */
  below?: ComponentChildren;
  href?: string;
}

export function Figure({ name, children, per, below, href }: Props): JSX.Element {
  return (
    <div class="figure">
      <dt>{href ? <a href={href}>{name}</a> : name}</dt>
      <dd class="value">{children}{per && <span class="per">{per}</span>}</dd>
      {below !== undefined && <dd class="below">{below}</dd>}
    </div>
  );
}

const BASES: Record<string, string> = {
  measured: "Counted from your calls, nothing assumed",
  replayed: "Your own calls played again under the changed policy",
  modelled: "Calculated from a model of the provider; weaker than a replay",
  heuristic: "A rule of thumb",
};

/** On what a figure rests. */
export function Basis({ is }: { is: string | null | undefined }): JSX.Element | null {
  if (!is) return null;
  return <span class="basis" title={BASES[is]}>{words(is)}</span>;
}

/** A state in a word, with a mark whose shape says the same as its colour. */
export function Badge({ is, children, title }: {
  is: "good" | "bad" | "warn" | "plain";
  children: ComponentChildren;
  title?: string;
}): JSX.Element {
  const marks = { good: "✓", bad: "✕", warn: "!", plain: "·" };
  return (
    <span class={`badge ${is}`} title={title}>
      <span aria-hidden="true">{marks[is]}</span> {children}
    </span>
  );
}

/** `35.1k – 41.8k`, or nothing if either end is not known. */
export function range(interval: Pick<Interval, "low" | "high"> | null | undefined): string {
  if (!interval || interval.low === null || interval.high === null) return "";
  return `${usdShort(interval.low)} to ${usdShort(interval.high)}`;
}

/** What is not known, said as such to those who listen. */
export function Unknown({ because }: { because?: string }): JSX.Element {
  return (
    <span class="unknown" title={because ?? "not known"}>
      <span aria-hidden="true">{UNKNOWN}</span>
      <span class="unseen">{because ?? "not known"}</span>
    </span>
  );
}
