// Every screen in one table: its place in the navigation, what of the URL it understands, how it is
// shown.

import type { JSX } from "preact";
import { NARROWINGS } from "./filters";
import type { Route, Screen } from "./route";
import { CallScreen } from "./screens/call";
import { CallsScreen } from "./screens/calls";
import { ErrorsScreen } from "./screens/errors";
import { FindingsScreen } from "./screens/findings";
import { KeysScreen } from "./screens/keys";
import { ModelsScreen } from "./screens/models";
import { OperationsScreen } from "./screens/operations";
import { OverviewScreen } from "./screens/overview";
import { ProofsScreen } from "./screens/proofs";
import { ReconcileScreen } from "./screens/reconcile";
import { SpendScreen } from "./screens/spend";

export interface Entry {
  screen: Screen;
  name: string;
  /** Parameters of the URL that it understands: they are carried along when one goes there. */
  understands: readonly string[];
  /** Stands apart from those before it in the navigation. */
  isFirstOfGroup?: true;
  show: (route: Route) => JSX.Element;
}

const SHARED: readonly string[] = ["window", ...NARROWINGS];

/** In the order of the navigation: what happens, what could be better, who may call. */
export const ENTRIES: readonly Entry[] = [
  { screen: "overview", name: "Overview", understands: ["window"], show: ({ query }) => <OverviewScreen query={query} /> },
  { screen: "calls", name: "Live calls", understands: NARROWINGS, show: ({ query }) => <CallsScreen query={query} /> },
  { screen: "operations", name: "Operations", understands: [...SHARED, "measure"], show: ({ query }) => <OperationsScreen query={query} /> },
  { screen: "errors", name: "Errors", understands: SHARED, show: ({ query }) => <ErrorsScreen query={query} /> },
  { screen: "models", name: "Models", understands: [...SHARED, "search"], show: ({ query }) => <ModelsScreen query={query} /> },
  { screen: "spend", name: "Spend", understands: ["by", "tag", "days", "show", "top"], show: ({ query }) => <SpendScreen query={query} /> },
  { screen: "reconcile", name: "Reconcile", understands: [], show: ({ query }) => <ReconcileScreen query={query} /> },
  { screen: "findings", name: "Findings", understands: [], isFirstOfGroup: true, show: () => <FindingsScreen /> },
  { screen: "proofs", name: "Proofs", understands: [], show: () => <ProofsScreen /> },
  { screen: "keys", name: "Keys", understands: [], isFirstOfGroup: true, show: () => <KeysScreen /> },
];

/** The entry that a place belongs to. */
export function entryOf({ screen }: Route): Entry | undefined {
  const tab = screen === "call" ? "calls" : screen;
  return ENTRIES.find((entry) => entry.screen === tab);
}

export function Show({ route }: { route: Route }): JSX.Element | null {
  if (route.screen === "call") return <CallScreen id={route.id} query={route.query} />;
  return entryOf(route)?.show(route) ?? null;
}
