import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { isolated, split, stacked, timeName, withoutZeros } from "../src/parts/plot";
import { endingOf } from "../src/ending";
import { saidIn } from "../src/api";
import { href, parse, windowOf } from "../src/route";
import { type Message, splitter } from "../src/sse";

const line = (...values: (number | null)[]) => ({ name: "", colour: "", values });

test("a stack adds what is known and leaves holes where nothing is", () => {
  deepEqual(stacked([line(1, null, 0), line(2, null, null), line(3, null, 5)]), [[1, null, 0], [3, null, 0], [6, null, 5]]);
});

test("the step into an unfinished bucket is drawn apart", () => {
  deepEqual(split([1, 2, 3]), [[1, 2, null], [null, 2, 3]]);
  deepEqual(split([7]), [[null], [7]]);
});

test("ticks in a row do not say the same day twice", () => {
  const hours = [0, 12, 24, 36].map((hour) => timeName(new Date(2026, 10, 24, hour).getTime() / 1000));
  deepEqual(hours, ["24 Nov", "12:00", "25 Nov", "12:00"]);
});

test("a value with nothing beside it is a point", () => {
  deepEqual(isolated([1, null, 2, 3, null, 4]), [0, 5]);
  deepEqual(isolated([null, 0, null]), [1]);
});

test("an axis loses zeros only behind the point", () => {
  deepEqual(["$20.00", "4.0\u2009s", "2,000", "$0.050", "10.0M"].map(withoutZeros), ["$20", "4\u2009s", "2,000", "$0.050", "10M"]);
});

test("a place in the dashboard survives being written and read", () => {
  const route = parse(href("calls", { model: "a/b&c=<d>", only: "", operation: "x y" }));
  equal(route.screen, "calls");
  deepEqual([...route.query], [["model", "a/b&c=<d>"], ["operation", "x y"]]);
  deepEqual([parse("#/calls/00ff").screen, parse("#/calls/00ff").id], ["call", "00ff"]);
  for (const odd of ["", "#", "#/nowhere", "#/__proto__"]) equal(parse(odd).screen, "overview", odd);
  equal(windowOf(new URLSearchParams("window=7d")), "7d");
  equal(windowOf(new URLSearchParams("window=9y")), "24h");
});

test("events are the same wherever the stream is cut", () => {
  const stream = ": hello\r\n\r\nevent: call\r\ndata: {\"a\":1}\r\n\r\ndata: two\ndata: lines\n\nevent: call\n\nevent: call\ndata:last\n\ndata: unfinished";
  const wanted: Message[] = [{ event: "call", data: "{\"a\":1}" }, { event: "message", data: "two\nlines" }, { event: "call", data: "last" }];
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const seen = splitter();
    deepEqual([...seen(stream.slice(0, cut)), ...seen(stream.slice(cut))], wanted, `cut at ${cut}`);
  }
});

test("an ending is a word and a sentence, however the core writes it", () => {
  const ending = (value: string | Record<string, unknown>, status: number | null) => endingOf({ ending: value, status, finish: null });
  deepEqual([ending("answered", 200).is, ending("answered", 200).short], ["good", "200"]);
  deepEqual([ending({ answered: { status: 529 } }, 529).is, ending("answered", 529).short], ["bad", "529"]);
  deepEqual([ending({ failed: { fault: "reset" } }, null).is, ending("abandoned", null).is], ["bad", "warn"]);
});

test("what an error says is found in any of its shapes", () => {
  equal(saidIn("{\"error\":{\"message\":\"no store\"}}"), "no store");
  equal(saidIn("{\"error\":\"no store\"}"), "no store");
  equal(saidIn("{\"message\":\"no store\"}"), "no store");
  equal(saidIn("no store\n"), "no store");
  equal(saidIn("<html>proxy</html>"), "");
  equal(saidIn("[1]"), "");
});
