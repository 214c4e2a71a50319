import { equal, ok } from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

test("every command that the dashboard names is one", () => {
  const help = readFileSync("../crates/cli/tests/binary/help.txt", "utf8");
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
  const named = sources.flatMap((name) => [...readFileSync(join("src", name), "utf8").matchAll(/\bscrimp [a-z]+(?: [a-z]+)?/g)].map(([text]) => text));
  ok(0 < named.length);
  const unknown = named.filter((text) => {
    const [, command] = text.split(" ");
    return !help.includes(`──── scrimp ${command} --help`);
  });
  equal(unknown.join("; "), "");
});
