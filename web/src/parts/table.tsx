// A table of figures. Wide ones scroll inside themselves, reachable by keyboard.

import type { ComponentChildren, JSX } from "preact";

export interface Column<R> {
  head: string;
  /** What the head means, where the word alone does not say it. */
  title?: string;
  cell: (row: R) => ComponentChildren;
  /** Figures stand right-aligned; words do not. */
  is?: "number" | "words";
}

interface Props<R> {
  caption: string;
  columns: readonly Column<R>[];
  rows: readonly R[];
  /** Names a row. */
  rowKey: (row: R) => string | number;
  /** Said when there are no rows. */
  empty?: string;
  /** The caption is only read out: it is seen elsewhere already. */
  quiet?: true;
}

export function Table<R>({ caption, columns, rows, rowKey, empty, quiet }: Props<R>): JSX.Element {
  if (rows.length === 0) return <p class="quiet">{empty ?? "Nothing here yet."}</p>;
  const [first, ...rest] = columns;
  return (
    <>
      {!quiet && <h2>{caption}</h2>}
      <div class="scroll" role="group" aria-label={`${caption}: table`} tabIndex={0}>
        <table>
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.head} scope="col" class={column.is ?? "number"} title={column.title}>
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
                  <td key={column.head} class={column.is ?? "number"}>{column.cell(row)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
