// How a chart is drawn: uPlot with straight lines, no animation, gaps where nothing is known, and
// the bucket that is not over yet dotted or hatched.

import uPlot from "uplot";
import { day } from "../format";
import { colour } from "../theme-choice";

export type Fill = "solid" | "hatch" | "cross" | "dots";

export interface Line {
  name: string;
  /** Custom property of the style sheet. */
  colour: string;
  values: readonly (number | null)[];
  /** What a file says instead, where drawing rounds. */
  exact?: readonly (string | null)[];
  fill?: Fill;
  width?: number;
}

export interface Plot {
  kind: "lines" | "stack" | "bars" | "heat";
  /** Middle of each bucket in ms. */
  at: readonly number[];
  /** How long a bucket is, in ms. */
  width: number;
  from: number;
  to: number;
  lines: readonly Line[];
  format: (value: number | null) => string;
  /** Of the values in a file: `USD`, `ms`. */
  unit?: string;
  /** What lies under the lines of the kind `heat`. */
  heat?: Heat;
  /** Whether it counts things, of which there are no halves. */
  isWhole?: boolean;
  /** Whether the last bucket is not over yet. */
  isLastPartial: boolean;
}

/** How many there are of each size, by bucket. */
export interface Heat {
  /** One more than there are bands. */
  edges: readonly number[];
  /** By bucket, then by band. */
  counts: readonly (readonly number[])[];
}

type Values = (number | null)[];

/** Sums of each line and all below it; null where nothing is known of any. */
export function stacked(lines: readonly Line[]): Values[] {
  const length = lines[0]?.values.length ?? 0;
  const sums: Values = Array.from({ length }, () => null);
  return lines.map((line) => {
    line.values.forEach((value, i) => {
      if (value !== null) sums[i] = (sums[i] ?? 0) + value;
    });
    return [...sums];
  });
}

/** A line in two: what is over, and the step into the bucket that is not. */
export function split(values: readonly (number | null)[]): [Values, Values] {
  const last = values.length - 1;
  const whole = values.map((value, i) => (i === last ? null : value));
  const step = values.map((value, i) => (last - 1 <= i ? value : null));
  return [whole, step];
}

/** Indices of values with nothing on either side: a line would not show them. */
export function isolated(values: readonly (number | null | undefined)[]): number[] {
  const known = (i: number): boolean => values[i] !== null && values[i] !== undefined;
  return values.flatMap((_, i) => (known(i) && !known(i - 1) && !known(i + 1) ? [i] : []));
}

/** Steps of an axis of things that are counted: half an error is none. */
const WHOLE = Array.from({ length: 10 }, (_, tens) => [1, 2, 2.5, 5].map((digit) => digit * 10 ** tens)).flat().filter(Number.isInteger);

/** All charts of a page share one. */
export const CROSSHAIR = "scrimp";

const FONT = '11px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif';
const SECOND = 1000;

/** A canvas pattern, so that classes are told apart without colour too. */
export function pattern(hue: string, fill: Fill): CanvasPattern | string {
  if (fill === "solid") return hue;
  const ratio = devicePixelRatio;
  const size = 6 * ratio;
  const tile = new OffscreenCanvas(size, size);
  const pen = tile.getContext("2d");
  if (!pen) return hue;
  // Opaque, since in a stack the taller bar stands behind this one.
  pen.fillStyle = colour("panel");
  pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 0.35;
  pen.fillStyle = hue;
  pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 1;
  pen.strokeStyle = hue;
  pen.lineWidth = 1.8 * ratio;
  const stroke = (x: number, y: number, toX: number, toY: number): void => {
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(toX, toY);
    pen.stroke();
  };
  if (fill === "dots") {
    pen.beginPath();
    pen.arc(size / 2, size / 2, size / 4, 0, 7);
    pen.fill();
  }
  // Each line once more beyond the corners, so that tiles join.
  if (fill === "hatch" || fill === "cross") {
    for (const shift of [-size, 0, size]) stroke(shift, size, shift + size, 0);
  }
  if (fill === "cross") for (const shift of [-size, 0, size]) stroke(shift, 0, shift + size, size);
  return pen.createPattern(tile, "repeat") ?? hue;
}

function series(plot: Plot): uPlot.Series[] {
  const hidden = { points: { show: false } };
  if (plot.kind === "stack" || plot.kind === "bars") {
    const bars = uPlot.paths.bars?.({ size: [0.82, 48], align: 0 });
    const each = plot.lines.map((line): uPlot.Series => {
      const hue = colour(line.colour);
      return { ...hidden, ...(bars && { paths: bars }), width: 0, fill: () => pattern(hue, line.fill ?? "solid") as string };
    });
    // The tallest first, so that the shorter ones stand before it.
    return plot.kind === "stack" ? each.reverse() : each;
  }
  const points = {
    size: 5,
    show: true,
    filter: (u: uPlot, index: number) => isolated(u.data[index] as Values),
  };
  return plot.lines.flatMap((line): uPlot.Series[] => {
    const stroke = colour(line.colour);
    const looks = { stroke, width: line.width ?? 1.5, points: { ...points, fill: stroke, stroke } };
    return plot.isLastPartial ? [looks, { ...looks, dash: [2, 3] }] : [looks];
  });
}

/** What uPlot draws, in the order of `series`. */
export function columns(plot: Plot): uPlot.AlignedData {
  const at = plot.at.map((time) => time / SECOND);
  const drawn = ((): Values[] => {
    switch (plot.kind) {
      case "stack":
        return visible(stacked(plot.lines), plot.lines).reverse();
      case "bars":
        return plot.lines.map((line) => [...line.values]);
      case "heat":
      case "lines":
        return plot.lines.flatMap((line) => (plot.isLastPartial ? split(line.values) : [[...line.values]]));
    }
  })();
  return [at, ...drawn];
}

/** A class without tokens in a bucket would shine through at the edge of the one below it. */
function visible(sums: Values[], lines: readonly Line[]): Values[] {
  return sums.map((sum, k) => sum.map((value, i) => (lines[k]?.values[i] ? value : null)));
}

/** The darker, the more. Shades grow with the square root, so that the rare is seen beside the common. */
function drawHeat(u: uPlot, plot: Plot): void {
  const { edges = [], counts = [] } = plot.heat ?? {};
  const most = Math.max(1, ...counts.map((column) => Math.max(0, ...column)));
  const pen = u.ctx;
  const ys = edges.map((edge) => Math.round(u.valToPos(edge, "y", true)));
  pen.save();
  pen.fillStyle = colour("heat");
  counts.forEach((column, i) => {
    const middle = plot.at[i] ?? 0;
    const [left, right] = [middle - plot.width / 2, middle + plot.width / 2].map((at) => Math.round(u.valToPos(at / SECOND, "x", true))) as [number, number];
    column.forEach((count, band) => {
      if (count === 0) return;
      const [low = 0, high = 0] = [ys[band], ys[band + 1]];
      pen.globalAlpha = 0.1 + 0.9 * Math.sqrt(count / most);
      // A hair of the ground between buckets, where they are wide enough for it.
      const gap = 4 * uPlot.pxRatio < right - left ? 1 : 0;
      pen.fillRect(left, high, Math.max(1, right - left - gap), Math.max(1, low - high));
    });
  });
  pen.restore();
}

function hatchLast(u: uPlot, plot: Plot): void {
  const last = plot.at.at(-1);
  if (!plot.isLastPartial || last === undefined) return;
  const half = (plot.to - plot.from) / Math.max(1, plot.at.length) / 2;
  const left = u.valToPos((last - half) / SECOND, "x", true);
  const right = u.valToPos((last + half) / SECOND, "x", true);
  const { top, height } = u.bbox;
  const pen = u.ctx;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, height);
  pen.clip();
  pen.strokeStyle = colour("panel");
  pen.lineWidth = 1.5 * uPlot.pxRatio;
  for (let y = top - (right - left); y < top + height; y += 5 * uPlot.pxRatio) {
    pen.beginPath();
    pen.moveTo(left, y);
    pen.lineTo(right, y + (right - left));
    pen.stroke();
  }
  pen.restore();
}

/** 1, 2 and 5 of each power of ten between the ends of a heatmap: round, whatever its bands are. */
export function roundSteps(low: number, high: number): number[] {
  const powers = Array.from({ length: 40 }, (_, i) => 10 ** (i - 9));
  const steps = powers.flatMap((power) => [1, 2, 5].map((digit) => digit * power)).filter((step) => low <= step && step <= high);
  // Where that is too many, powers of ten are enough.
  return steps.length <= 9 ? steps : steps.filter((step) => Number.isInteger(Math.round(Math.log10(step) * 1e6) / 1e6));
}

/** Names at the right ends of lines, pushed apart where they would touch. */
function nameLines(u: uPlot, plot: Plot): void {
  const ends = plot.lines.flatMap((line) => {
    const i = line.values.findLastIndex((value) => value !== null);
    const value = line.values[i];
    return value === null || value === undefined ? [] : [{ line, y: u.valToPos(value, "y", true) }];
  });
  ends.sort((a, b) => a.y - b.y);
  const step = 12 * uPlot.pxRatio;
  const pen = u.ctx;
  pen.save();
  pen.font = FONT.replace("11px", `${11 * uPlot.pxRatio}px`);
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  let lowest = -Infinity;
  for (const { line, y } of ends) {
    lowest = Math.max(y, lowest + step);
    pen.fillStyle = colour("ink-2");
    pen.fillText(line.name, u.bbox.left + u.bbox.width + 5 * uPlot.pxRatio, lowest);
  }
  pen.restore();
}

/** The day at its midnight, between midnights the hour: no two ticks in a row say the same. */
export function timeName(seconds: number): string {
  const date = new Date(seconds * SECOND);
  const clock = `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
  return clock !== "00:00" ? clock : day(seconds * SECOND);
}

/** `$20.00` → `$20`: on an axis every digit is round anyway. */
export function withoutZeros(text: string): string {
  return text.replace(/\.0+(?!\d)/, "");
}

function heatAxis({ edges }: Heat): Pick<uPlot.Axis, "splits" | "filter"> {
  const steps = roundSteps(edges[0] ?? 1, edges.at(-1) ?? 10);
  return { splits: () => steps, filter: (_u, splits) => splits };
}

function hasLines({ kind }: Plot): boolean {
  return kind === "lines" || kind === "heat";
}

/** Everything that uPlot wants to know. */
export function options(plot: Plot, width: number, height: number, moved: (index: number | null) => void): uPlot.Options {
  const axis = { stroke: colour("ink-3"), font: FONT, ticks: { show: false } };
  const grid = { stroke: colour("grid"), width: 1 };
  return {
    width,
    height,
    legend: { show: false },
    padding: [8, hasLines(plot) ? 32 : 20, 0, 0],
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: CROSSHAIR },
      points: { show: hasLines(plot), size: 6 },
    },
    scales: {
      x: { range: [plot.from / SECOND, plot.to / SECOND] },
      y: plot.heat
        ? { distr: 3, log: 10, range: [plot.heat.edges[0] ?? 1, plot.heat.edges.at(-1) ?? 10] }
        : { range: (_u, _low, high) => [0, 0 < high ? high * 1.06 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 26, values: (_u, splits) => splits.map(timeName) },
      { ...axis, grid, size: 58, space: 34, ...(plot.isWhole && { incrs: WHOLE }), ...(plot.heat && heatAxis(plot.heat)), values: (_u, splits) => splits.map((value) => (value === null ? "" : withoutZeros(plot.format(value)))) },
    ],
    series: [{}, ...series(plot)],
    hooks: {
      drawAxes: [(u) => drawHeat(u, plot)],
      draw: [(u) => (hasLines(plot) ? nameLines(u, plot) : hatchLast(u, plot))],
      setCursor: [(u) => moved(u.cursor.idx ?? null)],
    },
  };
}
