// Overview: what was spent and how fast it was, what could be saved and what is proved, and whether
// Scrimp itself is well.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { bucketName, clock, counted } from "../format";
import { useLoad } from "../load";
import { EVERY, WINDOW_NAMES, type Window, windowOf } from "../route";
import { WindowChoice } from "../parts/filters";
import { Limits, unknownIn } from "../parts/limits";
import { Await, Welcome } from "../parts/states";
import { troublesOf } from "../trouble";
import type { Health, Summary } from "../types";
import { Charts } from "./overview-charts";
import { Headline } from "./overview-figures";
import { Groups, OwnHealth } from "./overview-tables";

export function OverviewScreen({ query }: { query: URLSearchParams }): JSX.Element {
  const window = windowOf(query);
  const loaded = useLoad<Summary>(`summary?window=${window}`, EVERY[window]);
  const isNew = loaded.value !== null && loaded.value.totals.calls === 0 && loaded.value.health.settled === 0;
  const { again } = loaded;
  useEffect(() => {
    if (!isNew) return undefined;
    // Whoever waits for the first call should not wait for the page too.
    const timer = setInterval(again, 2_000);
    return () => clearInterval(timer);
  }, [isNew, again]);
  return (
    <>
      <div class="title">
        <h1>Overview</h1>
        <WindowChoice screen="overview" query={query} />
        {loaded.at !== null && <span class="quiet">as of {clock(loaded.at)}</span>}
      </div>
      <Await loaded={loaded} what="the summary">
        {(summary) => (
          <>
            <Troubles health={summary.health} />
            <Figures summary={summary} window={window} isNew={isNew} />
          </>
        )}
      </Await>
    </>
  );
}

function Figures({ summary, window, isNew }: { summary: Summary; window: Window; isNew: boolean }): JSX.Element {
  const { width_ms } = summary.window;
  if (isNew) {
    return (
      <>
        <Welcome heading={window === "30d" ? "No calls yet" : `No calls in the ${WINDOW_NAMES[window]}`} />
        <OwnHealth health={summary.health} />
      </>
    );
  }
  return (
    <>
      <Limits said={warnings(summary)} />
      {summary.totals.calls === 0 && <p class="notice">No calls in the {WINDOW_NAMES[window]}. A longer window may have some.</p>}
      <Headline summary={summary} name={WINDOW_NAMES[window]} />
      <Charts summary={summary} bucket={(at) => bucketName(at, width_ms)} />
      <Groups summary={summary} />
      <OwnHealth health={summary.health} />
    </>
  );
}

/** What is wrong with Scrimp itself, whatever the figures say. */
function Troubles({ health }: { health: Health }): JSX.Element | null {
  const troubles = troublesOf(health);
  if (troubles.length === 0) return null;
  return (
    <section class="notice bad" aria-label="What is wrong with Scrimp itself">
      {troubles.map(({ what, said, advice }) => (
        <div key={what}>
          <p><strong>{what}</strong> {advice}</p>
          <p><code class="said">{said}</code></p>
        </div>
      ))}
    </section>
  );
}

/** What makes the figures below less than the whole truth. */
function warnings({ totals, health }: Summary): (string | false)[] {
  return [
    ...unknownIn(totals),
    0 < health.details_dropped && `Details of ${counted(health.details_dropped, "call")} were dropped under load: totals are complete, the list of calls is not.`,
  ];
}
