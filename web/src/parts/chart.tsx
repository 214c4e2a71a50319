// A chart that can be read: a title, a sentence that says what it shows, the values under a cursor
// shared by all charts (mouse or arrow keys), and the same numbers as a table.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { isoTime } from "../csv";
import { exact } from "../format";
import { watchTheme } from "../theme-choice";
import { CROSSHAIR, type Line, type Plot, columns, options } from "./plot";
import { type Column, Table } from "./table";

interface Props {
  title: string;
  summary: string;
  plot: Plot;
  /** Names a bucket. */
  bucket: (index: number) => string;
  /** How a value stands in the table; the short form unless told. */
  full?: (value: number | null) => string;
  /** In pixels. */
  height?: number;
  /** Beside the title: what else the chart could show. */
  choice?: ComponentChildren;
}

const HEIGHT = 168;

export function Chart({ title, summary, plot, bucket, full, height = HEIGHT, choice }: Props): JSX.Element {
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<number | null>(null);
  const id = title.toLowerCase().replaceAll(/[^a-z]+/g, "-");
  return (
    <section class="panel chart" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {choice}
        <button type="button" class="small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          View as {asTable ? "chart" : "table"}<span class="unseen">: {title}</span>
        </button>
      </header>
      <p class="summary">{summary}</p>
      {asTable
        ? <Values title={title} plot={plot} bucket={bucket} full={full ?? plot.format} />
        : <Canvas title={title} summary={summary} plot={plot} height={height} moved={setCursor} />}
      {!asTable && <Legend plot={plot} cursor={cursor} bucket={bucket} />}
    </section>
  );
}

function Canvas({ title, summary, plot, height, moved }: {
  title: string;
  summary: string;
  plot: Plot;
  height: number;
  moved: (index: number | null) => void;
}): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | null>(null);
  const reading = useRef<number | null>(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => watchTheme(() => setTheme((turn) => turn + 1)), []);
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const width = (): number => Math.max(180, Math.floor(box.clientWidth));
    const saw = (index: number | null): void => {
      reading.current = index;
      moved(index);
    };
    const u = new uPlot(options(plot, width(), height, saw), columns(plot), box);
    drawn.current = u;
    // New figures come while somebody reads the old ones: the cursor stays where it was.
    const at = reading.current === null ? undefined : plot.at[reading.current];
    if (at !== undefined) u.setCursor({ left: u.valToPos(at / 1000, "x"), top: 10 });
    const watch = new ResizeObserver(() => u.setSize({ width: width(), height }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      u.destroy();
      drawn.current = null;
    };
  }, [plot, theme, height, moved]);
  const step = (event: KeyboardEvent): void => {
    const u = drawn.current;
    const next = u && indexAfter(event.key, u.cursor.idx ?? null, plot.at.length);
    if (!u || next === null || next === undefined) return;
    event.preventDefault();
    for (const each of uPlot.sync(CROSSHAIR).plots) {
      each.setCursor({ left: each.valToPos((plot.at[next] ?? 0) / 1000, "x"), top: 10 });
    }
  };
  return (
    <div
      class="plot"
      ref={place}
      role="group"
      aria-roledescription="chart"
      aria-label={`${title}. ${summary} Arrow keys read the values one by one.`}
      tabIndex={0}
      onKeyDown={step}
    />
  );
}

function indexAfter(key: string, index: number | null, length: number): number | null {
  const last = length - 1;
  switch (key) {
    case "ArrowLeft":
      return Math.max(0, (index ?? length) - 1);
    case "ArrowRight":
      return Math.min(last, (index ?? -1) + 1);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}

function Legend({ plot, cursor, bucket }: {
  plot: Plot;
  cursor: number | null;
  bucket: (index: number) => string;
}): JSX.Element {
  const at = cursor !== null && cursor < plot.at.length ? cursor : null;
  const isPartial = at === plot.at.length - 1 && plot.isLastPartial;
  return (
    <p class={`legend ${plot.kind}`} aria-live="polite">
      {plot.lines.map((line) => (
        <span key={line.name}>
          <i class={`swatch ${plot.kind === "heat" ? "lines" : plot.kind} fill-${line.fill ?? "solid"} c-${line.colour}`} aria-hidden="true" />
          {line.name}{at !== null && <b> {plot.format(line.values[at] ?? null)}</b>}
        </span>
      ))}
      {plot.heat && <span><i class="swatch gradient" aria-hidden="true" />few to many calls</span>}
      <span class="when">{at === null ? "" : bucket(at)}{isPartial && " (not over)"}</span>
    </p>
  );
}

function Values({ title, plot, bucket, full }: {
  title: string;
  plot: Plot;
  bucket: (index: number) => string;
  full: (value: number | null) => string;
}): JSX.Element {
  const rows = plot.at.map((_, index) => index);
  const last = plot.at.length - 1;
  const first: Column<number> = {
    head: "From",
    is: "words",
    cell: (row) => `${bucket(row)}${row === last && plot.isLastPartial ? " (not over)" : ""}`,
    value: (row) => isoTime((plot.at[row] ?? 0) - plot.width / 2),
  };
  const column = (line: Line): Column<number> => ({
    head: line.name,
    cell: (row) => full(line.values[row] ?? null),
    value: (row) => (line.exact ?? line.values)[row],
    ...(plot.unit !== undefined && { unit: plot.unit }),
  });
  const isOver: Column<number> = { head: "is over", value: (row) => row !== last || !plot.isLastPartial };
  return <Table caption={title} quiet columns={[first, ...plot.lines.map(column), ...bands(plot), isOver]} rows={rows.toReversed()} rowKey={(row) => row} />;
}

/** How many there were in each band of a heatmap. */
function bands({ heat, format, unit }: Plot): Column<number>[] {
  return (heat?.edges ?? []).slice(1).map((edge, band) => ({
    head: `to ${format(edge)}`,
    title: `${format(heat?.edges[band] ?? null)} to ${format(edge)}`,
    cell: (row) => exact(heat?.counts[row]?.[band]),
    value: (row) => heat?.counts[row]?.[band],
    unit: `calls over ${heat?.edges[band] ?? 0} up to ${edge} ${unit ?? ""}`.trim(),
  }));
}
