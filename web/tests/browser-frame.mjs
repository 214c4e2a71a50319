// What all screens share: the navigation, filters in the URL, tables as files.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HOSTILE } from "./canned.mjs";

export async function frameChecks(tools) {
  for (const scenario of [narrowMenu, historyOfFilters, tablesAsFiles]) await scenario(tools);
}

/** In a narrow window the screens are behind one button, usable with the keyboard alone. */
async function narrowMenu({ browser, origin, openPage, visit, check, checkPage, out }) {
  const page = await openPage(browser, origin, { width: 360 });
  await visit(page, `${origin}/#/calls`);
  const menu = page.getByRole("button", { name: "Screens, now Live calls" });
  const links = page.getByRole("navigation", { name: "Screens" }).getByRole("link");
  check(await links.count() === 0, "a closed menu has no links to stumble over");
  await menu.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  check(await page.evaluate(() => document.activeElement?.textContent) === "Overview", "the menu opens with Enter, and Tab goes into it");
  await checkPage(page, "menu");
  await page.screenshot({ path: join(out, "menu.png") });
  await page.keyboard.press("Escape");
  check(await links.count() === 0 && await menu.evaluate((element) => element === document.activeElement), "Escape closes the menu and gives the focus back");
  await menu.click();
  await links.filter({ hasText: "Findings" }).click();
  await page.getByRole("heading", { name: "Findings", level: 1 }).waitFor();
  // It closes once the screen has been drawn.
  await links.first().waitFor({ state: "detached" });
  check(await links.count() === 0, "the menu closes when one has gone somewhere");
  await page.context().close();
}

/** Back and Forward restore filters, and so does a link. */
async function historyOfFilters({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/calls`);
  await page.getByLabel("Operation").fill("code-review");
  await page.getByText("live-5").first().waitFor();
  check(await page.getByLabel("Operation").inputValue() === "code-review", "calls that come in leave alone what is being typed");
  await page.getByLabel("Operation").press("Enter");
  await page.waitForURL(/operation=code-review/);
  await page.getByLabel("Only errors").check();
  await page.waitForURL(/only=errors/);
  await page.goBack();
  await page.waitForURL((url) => !url.hash.includes("only"));
  check(await page.getByLabel("Operation").inputValue() === "code-review" && !await page.getByLabel("Only errors").isChecked(), "Back takes back one filter");
  await page.goBack();
  await page.waitForURL((url) => !url.hash.includes("operation"));
  check(await page.getByLabel("Operation").inputValue() === "", "Back takes back the other");
  await page.goForward();
  await page.waitForURL(/operation=code-review/);
  check(await page.getByLabel("Operation").inputValue() === "code-review", "Forward brings it again");
  await visit(page, `${origin}/#/overview?window=9y`);
  check((await page.locator(".title").innerText()).includes("“9y” is no range there is"), "an unknown range is said");
  await page.context().close();
}

/** What stands in the file is what the API said, with nothing that a spreadsheet would run. */
async function tablesAsFiles({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  const answered = page.waitForResponse((response) => response.url().includes("summary?window=7d"));
  await visit(page, `${origin}/#/overview?window=7d`);
  const { models, series } = await (await answered).json();
  const save = async (name) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return { name: download.suggestedFilename(), lines: readFileSync(await download.path(), "utf8").split("\r\n") };
  };
  const table = await save(/save By model as a file/);
  check(/^scrimp-overview-7d-by-model-\d{4}-\d\d-\d\d\.csv$/.test(table.name), "the file is named after screen and range", table.name);
  check(table.lines[0].startsWith("model,provider,spend (USD),calls,errors,p50 (ms)"), "headings have units", table.lines[0]);
  check(table.lines[1].startsWith(`gpt-6-luna,openai,${models[0].usd},${models[0].calls},`), "money is exact", table.lines[1]);
  check(table.lines.length === models.length + 2 && table.lines.at(-1) === "", "every row is there", String(table.lines.length));
  check(table.lines.some((line) => line.startsWith(`"${HOSTILE.replaceAll("\"", "\"\"")}",house,,`)), "hostile names are quoted, and what is not known is empty");
  await page.locator(".chart", { has: page.getByRole("heading", { name: "Spend" }) }).getByRole("button", { name: /View as table/ }).click();
  const chart = await save(/save Spend as a file/);
  check(chart.lines[0] === "From,spend (USD),is over", "a chart's table is a file too", chart.lines[0]);
  const last = series.at(-1);
  check(chart.lines[1] === `${new Date(last.at_ms).toISOString()},${last.usd},false`, "times have a zone, and money all digits", chart.lines[1]);
  await page.context().close();
}
