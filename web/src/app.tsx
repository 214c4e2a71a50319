// The frame around every screen: where one can go, and how it looks.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Navigation } from "./parts/navigation";
import { href, useRoute } from "./route";
import { Show, entryOf } from "./screens";
import { type Theme, chooseTheme, chosenTheme } from "./theme-choice";

const THEMES: readonly { theme: Theme; name: string }[] = [
  { theme: "auto", name: "System" },
  { theme: "light", name: "Light" },
  { theme: "dark", name: "Dark" },
];

export function App(): JSX.Element {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const shown = useRef(route.screen + route.id);
  const name = entryOf(route)?.name ?? "";
  useEffect(() => {
    document.title = `${name} · Scrimp`;
    if (shown.current === route.screen + route.id) return;
    shown.current = route.screen + route.id;
    // A new screen begins at its top, also for those who listen.
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [route.screen, route.id, name]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>Skip to the figures</button>
      <header class="top">
        <a class="brand" href={href("overview")}>
          <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M6 9h20M6 16h12M6 23h6" /></svg>
          Scrimp
        </a>
        <Navigation route={route} />
        <ThemeChoice />
      </header>
      <main ref={main} tabIndex={-1}>
        <Show route={route} />
      </main>
      <footer>
        <span>Scrimp on tokens, never on answers.</span>
        <a href="assets/licences.txt">Licences of what this page uses</a>
      </footer>
    </>
  );
}

function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useState(chosenTheme);
  const choose = (chosen: Theme): void => {
    chooseTheme(chosen);
    setTheme(chosen);
  };
  return (
    <label class="theme">
      <span class="unseen">Colours</span>
      <select value={theme} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        {THEMES.map((each) => <option key={each.theme} value={each.theme}>{each.name}</option>)}
      </select>
    </label>
  );
}
