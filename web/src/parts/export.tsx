// The button that saves a table as a file. The file is made here, of the rows that are shown.

import type { JSX } from "preact";
import { type Value, csv, fileName } from "../csv";
import { parse, windowOf } from "../route";

/** A column as the file has it. */
export interface FileColumn<R> {
  heading: string;
  value: (row: R) => Value;
}

interface Props<R> {
  caption: string;
  columns: readonly FileColumn<R>[];
  rows: readonly R[];
}

export function ExportButton<R>({ caption, columns, rows }: Props<R>): JSX.Element {
  const save = (): void => {
    const lines = rows.map((row) => columns.map(({ value }) => value(row)));
    const text = csv([columns.map(({ heading }) => heading), ...lines]);
    download(text, fileName([...placeNow(), caption], Date.now()));
  };
  return (
    <button type="button" class="small export" onClick={save}>
      CSV<span class="unseen">: save {caption} as a file</span>
    </button>
  );
}

/** The screen, and the range where it has one. */
function placeNow(): string[] {
  const { screen, query } = parse(location.hash);
  return query.has("window") || screen === "overview" ? [screen, windowOf(query)] : [screen];
}

function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it by the next turn.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
