import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import * as format from "../src/format";

/** Thin spaces are hard to see in a test. */
const plain = (text: string): string => text.replaceAll("\u2009", " ");

function check<T>(write: (value: T) => string, cases: readonly (readonly [T, string])[]): void {
  for (const [value, wanted] of cases) equal(plain(write(value)), wanted, JSON.stringify(value));
}

test("what is not known is a dash and never zero", () => {
  for (const write of [format.usd, format.usdShort, format.count, format.exact, format.ms, format.percent, format.bytes, format.moment]) {
    equal(write(null), "–", write.name);
    equal(write(undefined), "–", write.name);
  }
  equal(format.usd("not a number"), "–");
  equal(format.inputTokens(null), null);
});

test("money keeps the digits that mean something", () => {
  check(format.usd, [
    ["0", "$0"], ["69570", "$69,570"], ["1.87", "$1.87"], ["0.1", "$0.10"], ["0.0104", "$0.010"], ["0.00123456", "$0.0012"],
    ["0.0000004", "<$0.000001"], ["-14.2", "−$14.20"], ["999.994", "$999.99"], ["1000", "$1,000"],
    ["123456789012345678.000000000001", "$123,456,789,012,345,680"],
  ]);
  check(format.usdShort, [["640", "$640"], ["38900", "$38.9k"], ["298000", "$298k"], ["1.5", "$1.50"], ["-11402", "−$11.4k"]]);
});

test("times change their unit where a person would", () => {
  check(format.ms, [
    [0, "0 ms"], [0.118, "0.12 ms"], [7.26, "7.3 ms"], [562.4, "562 ms"], [999.6, "1.00 s"], [8821, "8.82 s"], [17_230, "17.2 s"],
    [59_960, "1 min 0 s"], [64_000, "1 min 4 s"], [3_600_000, "1 h 0 min"], [-310, "−310 ms"],
  ]);
});

test("counts are exact as long as they are short", () => {
  check(format.count, [[0, "0"], [9999, "9,999"], [10_000, "10.0k"], [6_610_000, "6.6M"], [2.42e9, "2.4G"], [999_600, "1.0M"]]);
  check(format.percent, [[0, "0%"], [0.0003, "<0.1%"], [0.414, "41.4%"], [-0.129, "−12.9%"], [1, "100.0%"]]);
  check(format.change, [[0.031, "+3.1%"], [-0.05, "−5.0%"], [0, "0%"]]);
  check(format.chosen, [[0.2, "20%"], [0.125, "12.5%"], [1, "100%"], [0, "0%"]]);
  equal(format.counted(1, "call"), "1 call");
});

test("a span is milliseconds, or nanoseconds as the core writes them", () => {
  deepEqual([12.5, { nanos: 12_500_000 }, null, undefined].map(format.spanMs), [12.5, 12.5, null, null]);
});

test("a share of nothing is not known", () => {
  equal(format.ratio(1, 0), null);
  equal(format.ratio(null, 5), null);
  equal(format.ratio(0, 5), 0);
});
