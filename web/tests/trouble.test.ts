import { deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { troublesOf } from "../src/trouble";
import type { Health } from "../src/types";

const WELL: Health = {
  version: "0.1.0", uptime_s: 1, observing: true, overhead_ms: null, queued: 0, details_dropped: 0, settled: 0, prices_age_days: null, prices_taken: null,
  store_bytes: null, corrupt_files: [], last_flush_error: null, last_maintenance_error: null, refused_config: null, in_flight: 0,
};

test("nothing is said of a gateway that is well", () => {
  deepEqual(troublesOf(WELL), []);
});

test("whoever stepped aside is reminded of it", () => {
  deepEqual(troublesOf({ ...WELL, bypass: true }).map(({ what }) => what), ["Bypass is on: no policy decides."]);
});

test("each trouble is named with what was said and what to do", () => {
  const troubles = troublesOf({
    ...WELL, last_flush_error: "disk is full", last_maintenance_error: "read-only", refused_config: "scrimp.toml:2:1: unknown `body_byte`", corrupt_files: ["a.corrupt-1", { path: "b" }],
  });
  deepEqual(troubles.map(({ said }) => said), ["disk is full", "scrimp.toml:2:1: unknown `body_byte`", "read-only", "a.corrupt-1, {\"path\":\"b\"}"]);
  ok(troubles.at(-1)?.what.startsWith("2 damaged files"), troubles.at(-1)?.what);
  for (const { what, advice } of troubles) ok(20 < advice.length, what);
});
