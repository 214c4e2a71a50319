// A table of figures. Wide ones scroll inside themselves, reachable by keyboard, and every one can be
// saved as a file.

import type { ComponentChildren, JSX } from "preact";
import type { Value } from "../csv";
import { ExportButton, type FileColumn } from "./export";

export interface Column<R> {
  head: string;
  /** What the head means, where the word alone does not say it. */
  title?: string;
  /** What is seen; without it the column is only in the file. */
  cell?: (row: R) => ComponentChildren;
  /** What the file says, exact and without its unit; null: a picture of what other columns say. */
  value: ((row: R) => Value) | null;
  /** Of the value in the file: `USD`, `ms`, `tokens`. */
  unit?: string;
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
  /** Stands in the caption's place. */
  lead?: ComponentChildren;
}

/** The columns of the file, with their units. */
export function fileColumns<R>(columns: readonly Column<R>[]): FileColumn<R>[] {
  return columns.flatMap(({ head, unit, value }) =>
    (value === null ? [] : [{ heading: unit === undefined ? head : `${head} (${unit})`, value }]));
}

export function Table<R>({ caption, columns, rows, rowKey, empty, quiet, lead }: Props<R>): JSX.Element {
  if (rows.length === 0) return <p class="quiet">{empty ?? "Nothing here yet."}</p>;
  const [first, ...rest] = columns.flatMap(({ cell, ...column }) => (cell ? [{ ...column, cell }] : []));
  return (
    <>
      <div class="table-head">
        {!quiet && <h2>{caption}</h2>}
        {lead}
        <ExportButton caption={caption} columns={fileColumns(columns)} rows={rows} />
      </div>
      <div class="scroll" role="group" aria-label={`${caption}: table`} tabIndex={0}>
        <table>
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>
              {[first, ...rest].map((column) => column && (
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
