// An interval on a scale: where it lies, its likely value, and what else belongs beside it. The same
// numbers stand beside it in words; this is for comparing rows at a glance.

import type { JSX } from "preact";

interface Props {
  low: number;
  high: number;
  /** The best single value. */
  at: number | null;
  /** Ends of the scale, the same for all rows that are compared. */
  from: number;
  to: number;
  /** Another value to compare with, drawn as a hollow mark. */
  beside?: number | null;
  /** Whether the whole interval is a gain, a loss, or it is open. */
  is: "good" | "bad" | "open";
  label: string;
}

export function IntervalBar({ low, high, at, from, to, beside, is, label }: Props): JSX.Element {
  const place = (value: number): string => {
    const share = to === from ? 0 : (value - from) / (to - from);
    return `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`;
  };
  const width = `calc(${place(high)} - ${place(low)})`;
  return (
    <div class="interval" role="img" aria-label={label}>
      {from < 0 && 0 <= to && <i class="zero" style={{ left: place(0) }} />}
      <i class={`extent ${is}`} style={{ left: place(low), width }} />
      {at !== null && <i class="likely" style={{ left: place(at) }} />}
      {beside !== null && beside !== undefined && <i class="beside" style={{ left: place(beside) }} />}
    </div>
  );
}
