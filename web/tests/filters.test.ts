import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { asked, carried, filtersOf, inWords, unknownWindow } from "../src/filters";
import { changed } from "../src/parts/filters";
import { parse } from "../src/route";

test("filters survive the way through the URL, whatever the names are", () => {
  const model = "house/<b>&model=x#y?z";
  const { screen, query } = parse(changed({ screen: "operations", query: new URLSearchParams() }, { model, window: "7d" }));
  deepEqual([screen, filtersOf(query)], ["operations", { window: "7d", provider: "", model, operation: "" }]);
  deepEqual([...new URLSearchParams(asked(filtersOf(query)))], [["window", "7d"], ["model", model]]);
});

test("a change leaves the other filters, and an empty one goes", () => {
  const query = new URLSearchParams("window=7d&model=a&operation=b");
  equal(changed({ screen: "errors", query }, { model: "" }), "#/errors?window=7d&operation=b");
});

test("a range that there is none of is said, and the usual one shown", () => {
  const query = new URLSearchParams("window=9y");
  deepEqual([unknownWindow(query), filtersOf(query).window], ["9y", "24h"]);
  deepEqual([unknownWindow(new URLSearchParams("window=30d")), unknownWindow(new URLSearchParams())], [null, null]);
});

test("another screen is given what it understands", () => {
  deepEqual(carried(new URLSearchParams("window=7d&model=a&only=errors"), ["window", "model"]), { window: "7d", model: "a" });
});

test("filters are said in words", () => {
  equal(inWords(filtersOf(new URLSearchParams("model=a&operation=b&window=7d"))), "model “a”, operation “b”");
  equal(inWords(filtersOf(new URLSearchParams("window=7d"))), "");
});
