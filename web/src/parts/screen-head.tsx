// The head of a screen that looks at a stretch of time: its name, the range, what it is narrowed to.

import type { JSX } from "preact";
import { clock, counted } from "../format";
import type { Narrowing } from "../filters";
import type { Screen } from "../route";
import { NarrowingFields, WindowChoice } from "./filters";

export function ScreenHead({ title, screen, query, at, names, by }: {
  title: string;
  screen: Screen;
  query: URLSearchParams;
  /** When the figures came. */
  at: number | null;
  names: Record<Narrowing, readonly string[]> | undefined;
  /** What it can be narrowed by. */
  by: readonly Narrowing[];
}): JSX.Element {
  const offered = Object.fromEntries(by.map((name) => [name, names?.[name] ?? []]));
  return (
    <>
      <div class="title">
        <h1>{title}</h1>
        <WindowChoice screen={screen} query={query} />
        {at !== null && <span class="quiet">as of {clock(at)}</span>}
      </div>
      <NarrowingFields screen={screen} query={query} names={offered} />
    </>
  );
}

/** Said below a table that does not show all. */
export function LeftOut({ rows, of, count }: { rows: number; of: string; count: number }): JSX.Element | null {
  if (rows === 0) return null;
  return <p class="quiet after">{counted(rows, "row")} more with {counted(count, of)} together: narrow the screen to see them.</p>;
}
