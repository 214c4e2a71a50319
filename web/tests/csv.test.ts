import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { csv, fileName, isoDay, isoTime } from "../src/csv";
import { fileColumns } from "../src/parts/table";

const one = (value: Parameters<typeof csv>[0][number][number]): string => csv([[value]]).slice(0, -2);

test("fields are quoted where the standard says so, and lines end as it says", () => {
  equal(csv([["a", "b"], ["x,y", "say \"hi\""], ["two\nlines", ""]]), "a,b\r\n\"x,y\",\"say \"\"hi\"\"\"\r\n\"two\nlines\",\r\n");
  equal(one(" padded "), "\" padded \"");
});

test("what is not known is empty, and zero is zero", () => {
  deepEqual([null, undefined, 0, "0", false].map(one), ["", "", "0", "0", "false"]);
});

test("money keeps every digit", () => {
  equal(one("123456789012345678.000000000001"), "123456789012345678.000000000001");
});

test("text cannot run as a formula", () => {
  for (const begin of ["=", "+", "-", "@", "\t", "\r", " =", "\n=", "\uFF1D"]) {
    const safe = one(`${begin}HYPERLINK("x")`);
    equal(safe.replace(/^"/, "").charAt(0), "'", JSON.stringify(begin));
  }
  deepEqual(["-1+1", "+5", "-", "--1", "-1e"].map(one), ["'-1+1", "'+5", "'-", "'--1", "'-1e"]);
});

test("a negative number stays a number", () => {
  deepEqual(["-14.2", -14.2, "-0.000000000001", "-1e-7", -1e-7].map(one), ["-14.2", "-14.2", "-0.000000000001", "-1e-7", "-1e-7"]);
});

test("a file is named after screen, range, table and day", () => {
  equal(fileName(["operations", "7d", "By operation, top 25 of 31"], Date.UTC(2026, 10, 27)), "scrimp-operations-7d-by-operation-top-25-of-31-2026-11-27.csv");
  equal(fileName(["call", "../..\\<x>"], 0), "scrimp-call-x-1970-01-01.csv");
  equal(isoTime(0), "1970-01-01T00:00:00.000Z");
  equal(isoTime(null), null);
  equal(isoDay(Date.UTC(2026, 10, 27, 23, 59)), "2026-11-27");
  equal(isoDay(undefined), null);
});

test("headings say the unit, and pictures are left out", () => {
  const columns = fileColumns<number>([
    { head: "p50", unit: "ms", value: (row) => row }, { head: "share", value: null, cell: () => "" }, { head: "calls", value: (row) => row },
  ]);
  deepEqual(columns.map(({ heading }) => heading), ["p50 (ms)", "calls"]);
});
