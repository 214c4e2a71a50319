// Choosing the range and what to look at. Every choice is a step in the history.

import type { JSX } from "preact";
import { type Filters, NARROWINGS, type Narrowing, filtersOf, inWords, unknownWindow } from "../filters";
import { type Screen, WINDOWS, WINDOW_NAMES, href, windowOf } from "../route";
import { useTyped } from "../typed";

interface Place {
  screen: Screen;
  query: URLSearchParams;
}

/** The URL with some of its parameters changed. */
export function changed({ screen, query }: Place, change: Record<string, string>): string {
  return href(screen, { ...Object.fromEntries(query), ...change });
}

export function WindowChoice({ screen, query }: Place): JSX.Element {
  const unknown = unknownWindow(query);
  const chosen = windowOf(query);
  return (
    <>
      <nav class="windows" aria-label="Window of time">
        {WINDOWS.map((each) => (
          <a key={each} href={changed({ screen, query }, { window: each })} aria-current={each === chosen && unknown === null ? "true" : undefined}>
            <span class="unseen">{WINDOW_NAMES[each]}</span><span aria-hidden="true">{each}</span>
          </a>
        ))}
      </nav>
      {unknown !== null && <span class="quiet" role="status">“{unknown}” is no range there is; what you see are the {WINDOW_NAMES[chosen]}.</span>}
    </>
  );
}

/** Fields for what to look at, which offer the names that occur. */
export function NarrowingFields({ screen, query, names }: Place & {
  names: Partial<Record<Narrowing, readonly string[]>>;
}): JSX.Element {
  const filters = filtersOf(query);
  const isNarrowed = inWords(filters) !== "";
  return (
    <form class="inline filters" onSubmit={(event) => event.preventDefault()} aria-label="What to look at">
      {NARROWINGS.filter((name) => names[name] !== undefined).map((name) => (
        <NarrowingField key={name} name={name} value={filters[name]} offered={names[name] ?? []} choose={(value) => { location.hash = changed({ screen, query }, { [name]: value }); }} />
      ))}
      {isNarrowed && <a class="button" href={unnarrowed({ screen, query })}>Show all</a>}
    </form>
  );
}

/** The URL without its narrowings. */
function unnarrowed(place: Place): string {
  return changed(place, Object.fromEntries(NARROWINGS.map((name) => [name, ""])));
}

function NarrowingField({ name, value, offered, choose }: {
  name: Narrowing;
  value: string;
  offered: readonly string[];
  choose: (value: string) => void;
}): JSX.Element {
  const label = name.charAt(0).toUpperCase() + name.slice(1);
  const typed = useTyped(value);
  // While somebody types, nothing happens; a name picked from the list, or all of it deleted, counts at once.
  const input = (event: InputEvent & { currentTarget: HTMLInputElement }): void => {
    typed.onInput(event);
    const text = event.currentTarget.value;
    const isPicked = event.inputType === "insertReplacementText" || event.inputType === undefined;
    if ((text === "" && value !== "") || (isPicked && offered.includes(text))) choose(text);
  };
  const change = (event: Event & { currentTarget: HTMLInputElement }): void => {
    const text = event.currentTarget.value.trim();
    if (text !== value) choose(text);
  };
  return (
    <label>
      {label}
      <input type="search" list={`offered-${name}`} value={typed.value} placeholder="any" autocomplete="off" onInput={input} onChange={change} />
      <datalist id={`offered-${name}`}>
        {offered.map((each) => <option key={each} value={each} />)}
      </datalist>
    </label>
  );
}

/** Said where nothing passes the filters. */
export function NothingPasses({ screen, query, what }: Place & { what: string }): JSX.Element {
  const filters: Filters = filtersOf(query);
  const narrowed = inWords(filters);
  const isLongest = filters.window === "30d";
  return (
    <div class="notice">
      <p><strong>No {what} in the {WINDOW_NAMES[filters.window]}{narrowed !== "" && ` with ${narrowed}`}.</strong></p>
      <p class="inline">
        {narrowed !== "" && <a href={unnarrowed({ screen, query })}>Show all {what}</a>}
        {!isLongest && <a href={changed({ screen, query }, { window: "30d" })}>Look at the {WINDOW_NAMES["30d"]}</a>}
        {narrowed === "" && isLongest && "The first will appear here by itself."}
      </p>
    </div>
  );
}
