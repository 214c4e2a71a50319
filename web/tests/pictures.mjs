// Pictures of the dashboard for the README: the overview in both themes, of whatever a gateway holds.
//
//   node tests/pictures.mjs --url http://127.0.0.1:4100 --out ../docs
//   --chromium PATH   which browser; also CHROMIUM in the environment

import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    chromium: { type: "string", default: process.env.CHROMIUM ?? "/usr/bin/chromium" },
    out: { type: "string" },
  },
});

/** What a README can carry twice. */
const MOST_BYTES = 150_000;

/** The first question begins the study of what could be saved; its answer belongs in the picture. */
async function studied() {
  for (let second = 0; second < 90; second += 1) {
    const answer = await fetch(`${values.url}/api/v1/summary?window=7d`);
    if ((await answer.json()).savings.possible_usd_per_month !== null) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error("nothing that could be saved was found in time");
}

await studied();
const browser = await chromium.launch({ executablePath: values.chromium, args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const theme of ["dark", "light"]) {
    const session = await browser.newContext({ viewport: { width: 1180, height: 624 }, colorScheme: theme, reducedMotion: "reduce" });
    const page = await session.newPage();
    await page.goto(`${values.url}/#/overview?window=7d`);
    await page.locator(".chart").first().waitFor();
    await page.locator(".waiting:is(p)").first().waitFor({ state: "detached" });
    const path = join(values.out, `dashboard-${theme}.png`);
    await page.screenshot({ path });
    const { size } = statSync(path);
    console.log(`${path}: ${size} bytes`);
    if (MOST_BYTES < size) throw new Error(`${path} is larger than ${MOST_BYTES} bytes`);
    await session.close();
  }
} finally {
  await browser.close();
}
