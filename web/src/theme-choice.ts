// Which colours: the system's choice unless the viewer made one. The page's `data-theme` is always
// the outcome, so that the style sheet says each colour once per theme.

export type Theme = "auto" | "light" | "dark";

const KEY = "scrimp-theme";
const CHANGED = "scrimp-theme-changed";

export function chosenTheme(): Theme {
  const chosen = localStorage.getItem(KEY);
  return chosen === "light" || chosen === "dark" ? chosen : "auto";
}

/** What the system asks for. */
function system(): MediaQueryList {
  return matchMedia("(prefers-color-scheme: dark)");
}

function show(): void {
  const chosen = chosenTheme();
  const outcome = chosen === "auto" ? (system().matches ? "dark" : "light") : chosen;
  document.documentElement.dataset["theme"] = outcome;
  dispatchEvent(new Event(CHANGED));
}

export function chooseTheme(theme: Theme): void {
  if (theme === "auto") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  show();
}

/** Shows the theme now and whenever the system changes its own. */
export function followSystem(): void {
  show();
  system().addEventListener("change", show);
}

/** Calls `changed` after every change of colours, until the returned function is called. */
export function watchTheme(changed: () => void): () => void {
  addEventListener(CHANGED, changed);
  return () => removeEventListener(CHANGED, changed);
}

/** A colour of the style sheet, by its custom property. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
