// The classes of tokens, in the order in which they stand everywhere.

import { words } from "../format";
import type { Tokens } from "../types";
import type { Fill } from "./plot";
import type { Column } from "./table";

export interface TokenClass {
  key: keyof Tokens;
  name: string;
  colour: string;
  fill: Fill;
}

/** From the bottom of a stack: input from cheap to dear, then output. */
export const CLASSES: readonly TokenClass[] = [
  { key: "cache_read", name: "cache read", colour: "read", fill: "solid" },
  { key: "uncached", name: "uncached", colour: "uncached", fill: "solid" },
  { key: "cache_write_short", name: "cache write, short", colour: "write", fill: "hatch" },
  { key: "cache_write_long", name: "cache write, long", colour: "write", fill: "cross" },
  { key: "output", name: "output", colour: "output", fill: "solid" },
  { key: "reasoning", name: "reasoning", colour: "output", fill: "dots" },
];

/** One column for each class, in the file alone. */
export function tokenColumns<R>(of: (row: R) => Tokens | null): Column<R>[] {
  return CLASSES.map(({ key }) => ({ head: words(key), unit: "tokens", value: (row: R) => of(row)?.[key] }));
}
