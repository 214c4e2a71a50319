import { equal } from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

// The page, and the one that stands in for it in a build without Node.js.
const inSrc = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => /\.(tsx?|html)$/.test(name)).map((name) => join("src", name));
const sources = [...inSrc, "../crates/dashboard/fallback.html"];

test("every command that the dashboard names is one", () => {
  const help = readFileSync("../crates/cli/tests/binary/help.txt", "utf8");
  const named = sources.map((name) => {
    const text = readFileSync(name, "utf8");
    return { name, commands: [...text.matchAll(/\bscrimp ([a-z]+)/g)].map(([, command]) => command) };
  });
  const silent = named.filter(({ name, commands }) => name.endsWith(".html") && commands.length === 0);
  equal(silent.map(({ name }) => name).join("; "), "");
  const unknown = named.flatMap(({ name, commands }) =>
    commands.filter((command) => !help.includes(`──── scrimp ${command} --help`)).map((command) => `${name}: scrimp ${command}`));
  equal(unknown.join("; "), "");
});
