// A table of figures. Wide ones scroll inside themselves, reachable by keyboard.

import type { ComponentChildren, JSX } from "preact";

export interface Column<R> {
  head: string;
  /** What the head means, where the word alone does not say it. */
  title?: string;
  cell: (row: R) => ComponentChildren;
  /** Figures stand right-aligned; words do not. */
  is?: "figure" | "words";
}

interface Props<R> {
  caption: string;
  columns: readonly Column<R>[];
  rows: readonly R[];
  /** Names a row. */
  rowKey: (row: R) => string | number;
  /** Said when there are no rows. */
  empty?: string;
  /** Whether the caption is seen, or only read out. */
  quiet?: true;
}

export function Table<R>({ caption, columns, rows, rowKey, empty, quiet }: Props<R>): JSX.Element {
  if (rows.length === 0) return <p class="quiet">{empty ?? "Nothing here yet."}</p>;
  const [first, ...rest] = columns;
  return (
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={quiet ? "unseen" : ""}>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.head} scope="col" class={column.is ?? "figure"} title={column.title}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {first && <th scope="row" class={first.is ?? "words"}>{first.cell(row)}</th>}
              {rest.map((column) => (
                <td key={column.head} class={column.is ?? "figure"}>{column.cell(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
