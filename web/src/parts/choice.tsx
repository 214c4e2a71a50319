// One of a few, as links: each is a step in the history.

import type { JSX } from "preact";
import { changed } from "./filters";

interface Props {
  label: string;
  place: Parameters<typeof changed>[0];
  /** The parameter of the URL. */
  name: string;
  /** What may stand there, and how it is said. */
  choices: Readonly<Record<string, string>>;
  chosen: string;
  /** Parameters that mean nothing after another choice. */
  without?: readonly string[];
  /** Beside the title of a panel. */
  small?: true;
}

export function Choice({ label, place, name, choices, chosen, without = [], small }: Props): JSX.Element {
  const gone = Object.fromEntries(without.map((each) => [each, ""]));
  return (
    <nav class={small ? "windows small" : "windows"} aria-label={label}>
      {Object.entries(choices).map(([value, said]) => (
        <a key={value} href={changed(place, { ...gone, [name]: value })} aria-current={value === chosen ? "true" : undefined}>{said}</a>
      ))}
    </nav>
  );
}
