// What holds of spend, keys and reconcile: choices in the URL, rows that add up, keys that are shown
// once, reports that are sent and compared.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export async function spendChecks(tools) {
  for (const scenario of [choices, rowsAddUp, tagsFirst, keysOfAnOperator, keysOfAViewer, reports, reportsRefused]) await scenario(tools);
}

/** Each choice is a step in the history, and what it makes meaningless goes. */
async function choices({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/spend?by=tag&tag=feature&days=7`);
  await page.getByRole("navigation", { name: "What" }).getByRole("link", { name: "Calls", exact: true }).click();
  await page.getByRole("heading", { name: "Calls by tag feature" }).waitFor();
  await page.getByRole("navigation", { name: "By", exact: true }).getByRole("link", { name: "Team" }).click();
  await page.getByRole("heading", { name: "Calls by team" }).waitFor();
  const hash = await page.evaluate(() => location.hash);
  check(hash === "#/spend?by=team&days=7&show=calls", "another dimension keeps days and measure, and drops the tag", hash);
  await page.goBack();
  await page.getByRole("heading", { name: "Calls by tag feature" }).waitFor();
  await visit(page, `${origin}/#/spend?by=team&top=1000`);
  check(await page.getByRole("navigation", { name: "Rows" }).getByRole("link").count() === 3, "how many rows are listed can be chosen where all are");
  const again = await page.getByRole("navigation").getByRole("link", { name: "Spend", exact: true }).first().getAttribute("href");
  check(again?.includes("top=1000") === true, "the number of rows is carried along", again ?? "");
  await page.context().close();
}

/** The file has every row, exact, and its rows are the totals. */
async function rowsAddUp({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  const answered = page.waitForResponse((response) => response.url().includes("/spend?"));
  await visit(page, `${origin}/#/spend?by=team&days=90`);
  const { rows, totals } = await (await answered).json();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: /save By team as a file/ }).click()]);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\r\n").slice(1);
  const calls = lines.map((line) => Number(line.split(",").at(-14)));
  check(lines.length === rows.length && lines[0].startsWith(`search,value,${rows[0].usd},${rows[0].calls},`), "every row is in the file, money exact", lines[0]);
  check(rows.reduce((sum, row) => sum + row.calls, 0) === totals.calls, "rows add up to the totals", String(calls));
  const kinds = await page.locator("tbody th .quiet").allTextContents();
  check(kinds.join() === "the rest,no team,not known", "what has no value is told apart", kinds.join());
  check((await page.getByLabel("What limits these figures").innerText()).includes("Calls are counted by team since"), "from when on a dimension is known is said");
  await page.context().close();
}

async function tagsFirst({ browser, origin, openPage, visit, check, checkPage }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/spend?by=tag`);
  const tags = page.getByRole("navigation", { name: "Tag" });
  check((await tags.getByRole("link").allTextContents()).join() === "feature,stage,team", "tags are offered");
  await checkPage(page, "spend, no tag chosen");
  await tags.getByRole("link", { name: "feature" }).click();
  await page.getByRole("heading", { name: "Spend by tag feature" }).waitFor();
  await page.context().close();
}

/** A key is made with the keyboard alone, shown once, and revoked after a question. */
async function keysOfAnOperator({ browser, origin, openPage, visit, check, checkPage, out }) {
  const page = await openPage(browser, origin, { allowed: ["400", "503"] });
  await visit(page, `${origin}/#/keys`);
  await page.getByRole("button", { name: "Make a key…" }).press("Enter");
  await page.getByLabel("Name").and(page.locator(":focus")).waitFor();
  await page.keyboard.type("load test");
  await page.keyboard.press("Tab");
  await page.keyboard.type("refuse");
  await page.getByLabel("Tags").fill("stage");
  await page.keyboard.press("Enter");
  check((await page.getByRole("alert").innerText()).includes("“stage” is no tag"), "a slip is said before anything is sent");
  await page.getByLabel("Tags").fill("stage=test");
  await page.keyboard.press("Enter");
  await page.getByText("a key has at most 8 tags and 256 models").waitFor();
  check(await page.getByLabel("Name").inputValue() === "load test", "what was typed stays after a refusal");
  await checkPage(page, "making a key");
  await page.screenshot({ path: join(out, "key-create.png"), fullPage: true });
  await page.getByLabel("Team").fill("platform");
  await page.getByLabel("Expires in days").fill("30");
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await page.keyboard.press("Enter");
  const { expires_ms: expires, ...wanted } = JSON.parse((await sent).postData());
  check(JSON.stringify(wanted) === '{"models":[],"tags":{"stage":"test"},"name":"load test","team":"platform"}', "the key is asked for as it was typed", JSON.stringify(wanted));
  check(Math.abs(expires - Date.now() - 30 * 86_400_000) < 60_000, "days become a time");
  const shown = page.getByRole("region", { name: "Key load test is made" });
  const text = await shown.locator("pre").innerText();
  check(text.startsWith("sk-scrimp-00ffeeddccbb-"), "the key's text is shown", text);
  check(await shown.getByRole("heading").evaluate((element) => element === document.activeElement), "the focus is where the key is");
  await checkPage(page, "a key, shown once");
  await page.screenshot({ path: join(out, "key-made.png"), fullPage: true });
  await shown.getByRole("button", { name: "I have it" }).click();
  check(!(await page.content()).includes("s3cret"), "the key's text is shown once");
  const row = page.getByRole("row", { name: /load test/ });
  await row.getByRole("button", { name: /Revoke… load test/ }).click();
  await row.getByRole("button", { name: "Keep" }).click();
  await row.getByRole("button", { name: /Revoke… load test/ }).click();
  await row.getByRole("button", { name: "Revoke load test for good" }).click();
  await row.getByText("revoked").first().waitFor();
  const stuck = page.getByRole("row", { name: /script/ }).first();
  await stuck.getByRole("button", { name: /Revoke…/ }).click();
  await stuck.getByRole("button", { name: /for good/ }).click();
  check((await stuck.getByRole("alert").innerText()).includes("the disk is full"), "why a key was not revoked is said");
  await page.context().close();
}

async function keysOfAViewer({ browser, origin, openPage, visit, check, checkPage }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/viewer/#/keys`);
  await page.getByText("Your control token is a viewer’s").waitFor();
  await page.getByText("nightly evaluation").waitFor();
  check(await page.getByRole("button", { name: /Revoke|Make a key/ }).count() === 0, "a viewer has no buttons that change keys");
  await checkPage(page, "keys of a viewer");
  await visit(page, `${origin}/viewer/#/reconcile`);
  await page.getByRole("heading", { name: "anthropic", exact: true }).waitFor();
  check(await page.getByRole("button", { name: "Compare" }).count() === 0, "a viewer sends no reports");
  await page.context().close();
}

const REPORT = (name, text) => ({ name, mimeType: "application/json", buffer: Buffer.from(text) });

async function reports({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/reconcile`);
  await page.getByLabel("Usage and cost reports").setInputFiles([REPORT("usage.json", "{\"data\":[]}"), REPORT("costs.json", "{}")]);
  await page.getByText("2 files, ").waitFor();
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await page.getByRole("button", { name: "Compare" }).click();
  const body = JSON.parse((await sent).postData());
  check(JSON.stringify(body) === '{"files":[{"name":"usage.json","text":"{\\"data\\":[]}"},{"name":"costs.json","text":"{}"}]}', "files are sent as they are", JSON.stringify(body));
  await page.getByText(/by ada: usage.json, costs.json$/).waitFor();
  const causes = await page.getByRole("table", { name: "anthropic: causes" }).locator("tbody th .name").allTextContents();
  check(causes.join() === "aborted,retried,bypassed,discount,unexplained", "causes are listed", causes.join());
  await page.getByRole("navigation", { name: "Sums of openai by" }).getByRole("link", { name: "Workspace" }).click();
  await page.getByText("The reports are not divided by workspace.").waitFor();
  await page.context().close();
}

async function reportsRefused({ browser, origin, openPage, visit, check, checkPage }) {
  const page = await openPage(browser, origin, { allowed: ["400"] });
  await visit(page, `${origin}/empty/#/reconcile`);
  await page.getByRole("button", { name: "Compare" }).click();
  check((await page.getByRole("alert").innerText()).includes("Choose the provider’s reports first"), "without files nothing is sent");
  await page.getByLabel("Usage and cost reports").setInputFiles([REPORT("notes.txt", "hello")]);
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("no report of a provider was found").waitFor();
  // As JSON, every quote is two bytes.
  await page.getByLabel("Usage and cost reports").setInputFiles([REPORT("quotes.json", "\"".repeat(17 << 20))]);
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("What would be sent is 35.7").waitFor();
  await checkPage(page, "reports refused");
  await page.context().close();
}
