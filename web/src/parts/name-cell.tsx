// The first cell of a row: an operation and its model, each of which narrows the screen.

import type { JSX } from "preact";
import type { Screen } from "../route";
import type { Name } from "../types-screens";
import { changed } from "./filters";
import type { Column } from "./table";

export function NameCell({ screen, query, name: { operation, model, provider } }: {
  screen: Screen;
  query: URLSearchParams;
  name: Name;
}): JSX.Element {
  return (
    <>
      <a class="name" title={`Only ${operation}`} href={changed({ screen, query }, { operation })}>{operation || "(no name)"}</a>
      <a class="name sub" title={`Only ${model} at ${provider}`} href={changed({ screen, query }, { model, provider })}>{model}</a>
    </>
  );
}

/** Operation, model and provider: one cell to see, three columns in the file. */
export function nameColumns<R extends Name>(screen: Screen, query: URLSearchParams): Column<R>[] {
  return [
    { head: "operation", is: "words", title: "And the model; each narrows the screen", cell: (row) => <NameCell screen={screen} query={query} name={row} />, value: (row) => row.operation },
    { head: "model", value: (row) => row.model },
    { head: "provider", value: (row) => row.provider },
  ];
}

/** Names a row for Preact. */
export function nameKey({ operation, model, provider }: Name): string {
  return JSON.stringify([operation, model, provider]);
}
