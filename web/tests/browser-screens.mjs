// The screens of operations, errors and models: what they show is what the API said, a click narrows,
// and what is not there is said.

import { join } from "node:path";
import { HOSTILE } from "./canned.mjs";

export async function screenChecks(tools) {
  for (const scenario of [clickNarrows, measures, mapAsTable, errorsLead, priceSearch]) await scenario(tools);
}

async function clickNarrows({ browser, origin, openPage, visit, check, checkPage, out }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/operations?window=7d`);
  const rows = page.locator("table tbody tr");
  const all = await rows.count();
  await page.getByRole("link", { name: "code-review", exact: true }).click();
  await page.waitForURL(/window=7d&operation=code-review/);
  await rows.nth(1).waitFor({ state: "detached" });
  await rows.first().waitFor();
  check(all === 5 && await rows.count() === 1, "a click on an operation leaves its rows", `${await rows.count()} of ${all}`);
  check(await page.getByRole("combobox", { name: "Operation" }).inputValue() === "code-review", "the field says what is narrowed to");
  await page.getByRole("link", { name: "Errors", exact: true }).click();
  await page.getByRole("heading", { name: "Errors", level: 1 }).waitFor();
  check((await page.evaluate(() => location.hash)) === "#/errors?window=7d&operation=code-review", "another screen keeps range and filters", await page.evaluate(() => location.hash));
  await page.getByRole("combobox", { name: "Model" }).fill("no-such-model");
  await page.getByRole("combobox", { name: "Model" }).press("Enter");
  await page.getByText("No calls in the last 7 days with model “no-such-model”, operation “code-review”.").waitFor();
  await checkPage(page, "nothing passes");
  await page.screenshot({ path: join(out, "nothing-passes.png"), fullPage: true });
  await page.getByRole("link", { name: "Show all calls" }).click();
  await page.getByRole("heading", { name: "What it was, and what to do" }).waitFor();
  check((await page.evaluate(() => location.hash)) === "#/errors?window=7d", "all is shown again, in the same range");
  await page.getByRole("combobox", { name: "Operation" }).fill(HOSTILE);
  await page.getByRole("combobox", { name: "Operation" }).press("Enter");
  await page.waitForURL(/operation=%3Cscript%3E/);
  check(await page.evaluate(() => window.pwned ?? null) === null, "a hostile name in the address stays text");
  await page.context().close();
}

async function measures({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/operations`);
  const asked = page.waitForRequest(/measure=first_token/);
  await page.getByRole("link", { name: "First token", exact: true }).click();
  await asked;
  await page.getByRole("heading", { name: "First token over time" }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Latency over time" }).waitFor();
  await page.locator(".plot").focus();
  await page.keyboard.press("Home");
  const said = await page.locator(".chart .legend b").allTextContents();
  check(said.length === 3 && said.every((each) => each.includes("s")), "arrow keys read the heatmap's percentiles", said.join(" | "));
  await page.context().close();
}

async function mapAsTable({ browser, origin, openPage, visit, check, checkPage }) {
  const page = await openPage(browser, origin);
  const answered = page.waitForResponse((response) => response.url().includes("/operations?"));
  await visit(page, `${origin}/#/operations?window=7d`);
  const { heatmap } = await (await answered).json();
  await page.getByRole("button", { name: /View as table/ }).click();
  const newest = await page.locator(".chart tbody tr").first().locator("td").allTextContents();
  const wanted = heatmap.counts.at(-1).map((count) => count.toLocaleString("en-US"));
  check(newest.slice(3).join() === wanted.join(), "the table behind the heatmap has its counts", `${newest} for ${wanted}`);
  await checkPage(page, "heatmap as a table");
  await page.context().close();
}

async function errorsLead({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  const answered = page.waitForResponse((response) => response.url().includes("/errors?"));
  await visit(page, `${origin}/#/errors`);
  const { sample } = await (await answered).json();
  const panel = page.locator("section", { has: page.getByRole("heading", { name: "What it was, and what to do" }) });
  const text = await panel.innerText();
  check(text.includes(`The newest 100 of ${sample.of} calls`), "the count behind the kinds is said", text.slice(0, 120));
  check(sample.kinds.every(({ advice }) => text.includes(advice.split("`")[0])), "each kind has its advice");
  await panel.getByRole("link", { name: "all errors of this model" }).first().click();
  await page.getByRole("heading", { name: "Live calls" }).waitFor();
  check((await page.evaluate(() => location.hash)) === "#/calls?only=errors&model=claude-opus-5", "a kind leads to its calls", await page.evaluate(() => location.hash));
  await page.context().close();
}

async function priceSearch({ browser, origin, openPage, visit, check, checkPage, out }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/models`);
  const list = page.locator(".prices");
  await list.getByRole("searchbox").fill("anthropic claude");
  await list.getByRole("button", { name: "Search" }).click();
  await page.waitForURL(/search=anthropic\+claude/);
  await list.getByText("2 models.").waitFor();
  check(await list.locator("tbody tr").count() === 3, "every tier has a row", String(await list.locator("tbody tr").count()));
  check((await list.innerText()).includes("own"), "own prices are marked");
  await list.getByRole("searchbox").fill("nobody");
  await list.getByRole("searchbox").press("Enter");
  await list.getByText("No price has “nobody”").waitFor();
  await checkPage(page, "no such price");
  await page.screenshot({ path: join(out, "no-price.png"), fullPage: true });
  await page.goBack();
  check(await list.getByRole("searchbox").inputValue() === "anthropic claude", "Back brings the search before");
  await page.context().close();
}
