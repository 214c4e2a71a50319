// Where one can go. In a narrow window the links hide behind a button that says where one is.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { carried } from "../filters";
import { type Route, href } from "../route";
import { ENTRIES, entryOf } from "../screens";

export function Navigation({ route }: { route: Route }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const here = entryOf(route);
  useEffect(() => setOpen(false), [route]);
  const close = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !isOpen) return;
    setOpen(false);
    button.current?.focus();
  };
  return (
    <nav class={isOpen ? "open" : ""} aria-label="Screens" onKeyDown={close}>
      <button ref={button} type="button" class="menu" aria-expanded={isOpen} aria-controls="screens" onClick={() => setOpen(!isOpen)}>
        <span class="unseen">Screens, now </span>{here?.name}<span class="arrow" aria-hidden="true" />
      </button>
      <ul id="screens">
        {ENTRIES.map(({ screen, name, understands, isFirstOfGroup }) => (
          <li key={screen} class={isFirstOfGroup ? "apart" : undefined}>
            <a href={href(screen, carried(route.query, understands))} aria-current={screen === here?.screen ? "page" : undefined}>{name}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
