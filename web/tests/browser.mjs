// The dashboard in a real browser: every screen in both themes and two widths, photographed into
// `tests/out`, with what must hold of each.
//
//   node tests/browser.mjs                              against canned answers (builds nothing: run `npm run build` first)
//   node tests/browser.mjs --url http://127.0.0.1:4100  against a gateway; what depends on its traffic is left out
//   --chromium PATH                                     which browser; also CHROMIUM in the environment
//   --out DIR                                           where pictures go

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { cannedChecks } from "./browser-canned.mjs";
import { frameChecks } from "./browser-frame.mjs";
import { screenChecks } from "./browser-screens.mjs";
import { spendChecks } from "./browser-spend.mjs";
import { startFixture } from "./fixture.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    url: { type: "string" },
    chromium: { type: "string", default: process.env.CHROMIUM ?? "/usr/bin/chromium" },
    out: { type: "string", default: join(here, "out") },
  },
});

const SCREENS = {
  overview: "#/overview", week: "#/overview?window=7d", calls: "#/calls",
  operations: "#/operations?window=7d", errors: "#/errors?window=7d", models: "#/models", findings: "#/findings", proofs: "#/proofs",
  spend: "#/spend", "spend-team": "#/spend?by=team&days=90&show=calls", "spend-tag": "#/spend?by=tag&tag=feature", "spend-session": "#/spend?by=session&days=7",
  keys: "#/keys", reconcile: "#/reconcile", "reconcile-workspace": "#/reconcile?by=project",
};
const THEMES = ["dark", "light"];
/** 320 CSS pixels are what is left of 1280 at a zoom of 400 %. */
const WIDTHS = [1280, 360, 320];
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

let checks = 0;
const failures = [];

/** Notes a check, and goes on: one run shows all that is wrong. */
function check(holds, what, found = "") {
  checks += 1;
  if (holds) return;
  failures.push(found === "" ? what : `${what}\n      found: ${found}`);
  console.error(`FAILED ${failures.at(-1)}`);
}

/** A fresh page that notes every complaint and every request that leaves the origin. */
async function openPage(browser, origin, { theme = "light", width = 1280, allowed = [] } = {}) {
  const session = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme, reducedMotion: "reduce" });
  const page = await session.newPage();
  const isAllowed = (text) => allowed.some((each) => text.includes(each));
  page.on("console", (message) => {
    const text = message.text();
    check(!["error", "warning"].includes(message.type()) || isAllowed(text), "no errors on the console", text);
  });
  page.on("pageerror", (error) => check(false, "no uncaught errors", String(error)));
  page.on("request", (request) => check(request.url().startsWith(origin) || request.url().startsWith("blob:"), "no requests to elsewhere", request.url()));
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  await page.addInitScript({ content: axe.source });
  return page;
}

/** Goes to a screen and waits until its figures, or the word that there are none, stand there. */
async function visit(page, url) {
  const response = await page.goto(url);
  await page.locator("main h1, main h2, main [role=alert]").first().waitFor();
  await page.locator(".waiting:is(p)").first().waitFor({ state: "detached" });
  return response;
}

/** What must hold of every page. */
async function checkPage(page, name) {
  await checkFrame(page, name);
  await checkAccess(page, name);
}

async function checkFrame(page, name) {
  const { scroll, inner, violations } = await page.evaluate(() => ({
    scroll: document.scrollingElement.scrollWidth, inner: document.documentElement.clientWidth, violations: window.violations,
  }));
  check(scroll <= inner, `${name}: fits its width`, `${scroll} > ${inner}`);
  check(violations.length === 0, `${name}: the content security policy holds`, violations.join("; "));
}

async function checkAccess(page, name) {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), tags);
  for (const { id, help, nodes } of found.violations) {
    check(false, `${name}: ${id}: ${help}`, nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join("\n      "));
  }
  check(found.passes.length !== 0, `${name}: the accessibility checks ran`);
}

/** Everything that can be operated is reached by Tab, in view, and shows that it has the focus. */
async function checkKeyboard(page, name) {
  await page.evaluate(() => document.activeElement?.blur());
  const wanted = await page.evaluate(() => {
    const candidates = document.querySelectorAll("a[href], button:not(:disabled), input, select, summary, [tabindex='0']");
    const operable = [...candidates].filter((element) => element.checkVisibility());
    operable.forEach((element, index) => { element.dataset.stop = String(index); });
    return operable.length;
  });
  const reached = new Set();
  for (let step = 0; step < wanted + 2; step += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return {
        id: element.dataset.stop, html: element.outerHTML.slice(0, 120),
        isSeen: outlineStyle !== "none" && outlineWidth !== "0px" && box.bottom > 0 && box.top < innerHeight,
      };
    });
    if (stop.id === undefined) continue;
    check(stop.isSeen, `${name}: the focus is visible`, stop.html);
    reached.add(stop.id);
  }
  check(reached.size === wanted, `${name}: Tab reaches everything`, `${reached.size} of ${wanted}`);
}

function checkHeaders(response) {
  const headers = response.headers();
  const policy = headers["content-security-policy"] ?? "";
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
    check(policy.includes(part), `the content security policy says ${part}`, policy);
  }
  check(!policy.includes("unsafe"), "the content security policy allows nothing unsafe", policy);
  check(headers["x-content-type-options"] === "nosniff", "types are not guessed");
}

async function everyScreen(browser, origin) {
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const page = await openPage(browser, origin, { theme, width });
      for (const [screen, hash] of Object.entries(SCREENS)) {
        await page.goto("about:blank");
        checkHeaders(await visit(page, `${origin}/${hash}`));
        const name = `${screen}-${theme}-${width}`;
        // Accessibility takes seconds a page and does not change between the two narrow widths.
        await (width === 320 || screen === "week" ? checkFrame : checkPage)(page, name);
        await page.screenshot({ path: join(values.out, `${name}.png`), fullPage: true });
        if (width === 1280 && theme === "light") await checkKeyboard(page, name);
      }
      await firstCall(page, origin, `call-${theme}-${width}`);
      await page.context().close();
    }
  }
}

/** The page of the newest call, if there is one. */
async function firstCall(page, origin, name) {
  await visit(page, `${origin}/#/calls`);
  const link = page.locator(".calls tbody a").first();
  if (await link.count() === 0) return;
  const href = await link.getAttribute("href");
  await page.goto("about:blank");
  await visit(page, `${origin}/${href}`);
  await page.getByRole("heading", { name: "Timing" }).waitFor();
  await checkPage(page, name);
  await page.screenshot({ path: join(values.out, `${name}.png`), fullPage: true });
}

/** The table behind each chart has the numbers that the API gave. */
async function tablesBehindCharts(browser, origin) {
  const page = await openPage(browser, origin);
  const answered = page.waitForResponse((response) => response.url().includes("summary?window=7d"));
  await visit(page, `${origin}/#/overview?window=7d`);
  const { series, totals } = await (await answered).json();
  if (totals.calls === 0) return void await page.context().close();
  const charts = page.locator(".chart");
  check(await charts.count() === 6, "there are six charts", String(await charts.count()));
  for (const chart of await charts.all()) await chart.getByRole("button", { name: /View as table/ }).click();
  const calls = await page.locator(".chart", { has: page.getByRole("heading", { name: "Calls", exact: true }) }).locator("td").allTextContents();
  const wanted = series.map((bucket) => bucket.calls.toLocaleString("en-US")).reverse();
  check(calls.join() === wanted.join(), "the table of calls is what the API said", `${calls.slice(0, 4)} for ${wanted.slice(0, 4)}`);
  const tokens = await page.locator(".chart", { has: page.getByRole("heading", { name: "Tokens by class" }) }).locator("tbody tr").first().locator("td").allTextContents();
  const classes = ["cache_read", "uncached", "cache_write_short", "cache_write_long", "output", "reasoning"];
  const last = classes.map((each) => series.at(-1).tokens?.[each]?.toLocaleString("en-US") ?? "–");
  check(tokens.join() === last.join(), "the table of tokens is what the API said", `${tokens} for ${last}`);
  const gaps = await page.locator(".chart", { has: page.getByRole("heading", { name: "Latency" }) }).locator("tbody tr").filter({ hasText: "–" }).count();
  check(gaps === series.filter((bucket) => bucket.latency_ms === null).length, "a bucket without calls has no latency, not zero", String(gaps));
  await checkPage(page, "tables");
  await page.screenshot({ path: join(values.out, "tables.png"), fullPage: true });
  await page.context().close();
}

/** Arrow keys read a chart's values, on all charts at once. */
async function chartsByKeyboard(browser, origin) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/overview`);
  const plots = page.locator(".plot");
  if (await plots.count() === 0) return void await page.context().close();
  await plots.first().focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  const whens = await page.locator(".chart .when").allTextContents();
  check(whens.length === 6 && whens.every((when) => when !== "" && when === whens[0]), "the crosshair is shared", whens.join(" | "));
  const values = await page.locator(".chart .legend b").allTextContents();
  check(values.length === 14, "every line says its value", values.join(" | "));
  await page.context().close();
}

/** A chosen theme wins over the system's and is remembered. */
async function themeChoice(browser, origin) {
  const page = await openPage(browser, origin, { theme: "light" });
  await visit(page, `${origin}/`);
  const shown = () => page.evaluate(() => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor].join());
  const light = await shown();
  await page.getByLabel("Colours").selectOption("dark");
  const dark = await shown();
  check(light.startsWith("light") && dark.startsWith("dark") && light.slice(5) !== dark.slice(4), "the theme can be chosen", `${light} ${dark}`);
  await page.reload();
  check(await shown() === dark, "the theme is remembered", await shown());
  await page.context().close();
}

mkdirSync(values.out, { recursive: true });
const fixture = values.url === undefined ? await startFixture() : null;
const origin = fixture?.origin ?? values.url.replace(/\/$/, "");
const browser = await chromium.launch({ executablePath: values.chromium, args: ARGUMENTS });
try {
  for (const scenario of [everyScreen, tablesBehindCharts, chartsByKeyboard, themeChoice]) await scenario(browser, origin);
  const tools = { browser, origin, openPage, visit, checkPage, check, out: values.out };
  // Those that change what is canned come last.
  if (fixture) for (const checks of [frameChecks, screenChecks, cannedChecks, spendChecks]) await checks(tools);
} finally {
  await browser.close();
  await fixture?.stop();
}
console.log(`${checks - failures.length} of ${checks} checks hold; pictures in ${values.out}`);
process.exitCode = failures.length === 0 ? 0 : 1;
