// What can be checked only where the answers are known: hostile names, empty and broken days, the
// control token, live calls, and applying and taking back.

import { join } from "node:path";
import { HOSTILE } from "./canned.mjs";

export async function cannedChecks(tools) {
  for (const scenario of [hostileNames, emptyDay, brokenApi, controlToken, liveCalls, applyAndUndo, filters, olderCalls, unknownCall]) {
    await scenario(tools);
  }
}

async function hostileNames({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin, { allowed: ["404"] });
  for (const hash of ["#/overview", "#/calls", "#/calls/00000000000000000000000000000003", "#/operations", "#/errors", "#/models", "#/findings", "#/proofs", "#/spend", "#/spend?by=team", "#/keys", "#/reconcile", `#/calls/${encodeURIComponent(HOSTILE)}`]) {
    await page.goto("about:blank");
    await visit(page, `${origin}/${hash}`);
    const found = await page.evaluate(() => ({
      pwned: window.pwned ?? null, scripts: document.querySelectorAll("script").length, images: document.querySelectorAll("img").length,
      text: document.body.innerText.includes("<script>window.pwned=1</script>"),
    }));
    check(found.pwned === null && found.scripts === 2 && found.images === 0, `${hash}: hostile names stay text`, JSON.stringify(found));
    check(found.text, `${hash}: hostile names are shown as they are`);
  }
  await page.context().close();
}

async function emptyDay({ browser, origin, openPage, visit, check, checkPage, out }) {
  for (const theme of ["dark", "light"]) {
    for (const width of [1280, 360]) {
      const page = await openPage(browser, origin, { theme, width });
      await visit(page, `${origin}/empty/`);
      const text = await page.locator(".exports pre").innerText();
      check(text === `export OPENAI_BASE_URL=${origin}/v1\nexport ANTHROPIC_BASE_URL=${origin}`, "a newcomer is told the two lines", text);
      await checkPage(page, `empty-${theme}-${width}`);
      await page.screenshot({ path: join(out, `empty-${theme}-${width}.png`), fullPage: true });
      for (const hash of ["#/calls", "#/operations", "#/errors", "#/models", "#/findings", "#/proofs", "#/spend", "#/spend?by=tag", "#/keys", "#/reconcile"]) {
        await page.goto("about:blank");
        await visit(page, `${origin}/empty/${hash}`);
        await checkPage(page, `empty ${hash}`);
      }
      await page.context().close();
    }
  }
}

async function brokenApi({ browser, origin, openPage, check, checkPage, out }) {
  const page = await openPage(browser, origin, { allowed: ["503"] });
  for (const [hash, what] of [["", "the summary"], ["#/calls", "the calls"], ["#/operations", "the operations"], ["#/errors", "the errors"], ["#/findings", "the findings"], ["#/proofs", "the proofs"], ["#/spend", "the spend"], ["#/reconcile", "the last reconciliation"]]) {
    await page.goto("about:blank");
    await page.goto(`${origin}/broken/${hash}`);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    const text = await alert.innerText();
    check(text.includes(`Could not load ${what}`) && text.includes("503: the store is being opened <b>now</b>"), `${what}: the error is said in words`, text);
    const again = page.waitForRequest((request) => request.url().includes("/api/v1/"));
    await alert.getByRole("button", { name: "Try again" }).click();
    await again;
    await checkPage(page, `broken ${hash}`);
  }
  await page.screenshot({ path: join(out, "broken.png"), fullPage: true });
  await page.context().close();
}

async function controlToken({ browser, origin, openPage, check, checkPage, out }) {
  const page = await openPage(browser, origin, { allowed: ["401"] });
  await page.goto(`${origin}/locked/`);
  await page.getByLabel("Control token").fill("open sesame");
  await checkPage(page, "locked");
  await page.screenshot({ path: join(out, "locked.png"), fullPage: true });
  await page.getByRole("button", { name: "Use for this tab" }).click();
  await page.getByRole("heading", { name: "Spend" }).waitFor();
  check(!(await page.evaluate(() => location.href)).includes("sesame"), "the token is not in the address");
  await page.context().close();
}

async function liveCalls({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/calls`);
  await page.getByRole("link", { name: "live-5" }).waitFor();
  const names = await page.locator(".calls tbody a").allTextContents();
  check(names.slice(0, 5).join() === "live-5,live-4,live-3,live-2,live-1", "live calls come in at the top, newest first", names.slice(0, 6).join());
  await page.locator(".calls tbody tr").nth(1).locator("td").last().click();
  await page.getByRole("heading", { name: "Timing" }).waitFor();
  check((await page.evaluate(() => location.hash)).startsWith("#/calls/"), "a click anywhere on a row opens the call");
  await page.context().close();
}

async function applyAndUndo({ browser, origin, openPage, visit, check, checkPage, out }) {
  const page = await openPage(browser, origin, { allowed: ["409"] });
  await visit(page, `${origin}/#/findings`);
  const card = (id) => page.locator(".card", { has: page.locator(`#finding-${id}`) });
  check(await card("F1").getByRole("button").count() === 0, "advice that is no policy cannot be applied");
  await card("F3").getByLabel("Share of sessions").fill("150");
  check(await card("F3").getByRole("button", { name: "Apply F3" }).isDisabled(), "more than all is refused");
  await card("F3").getByLabel("Share of sessions").fill("12.5");
  await card("F3").getByRole("button", { name: "Apply F3" }).click();
  await checkPage(page, "confirming");
  await page.screenshot({ path: join(out, "apply.png"), fullPage: true });
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await card("F3").getByRole("button", { name: "Apply now" }).click();
  const request = await sent;
  check(request.headers()["x-scrimp-control"] === "1", "the request to change something says what it is");
  check(request.postData() === '{"finding":"F3","share":0.125}', "the share is a fraction", request.postData());
  await card("F3").getByText("journal #8").waitFor();
  await card("F2").getByRole("button", { name: "Apply F2" }).click();
  await card("F2").getByRole("button", { name: "Apply now" }).click();
  check((await card("F2").getByRole("alert").innerText()).includes("journal #7 covers op:code-review already"), "why something was not applied is said");
  await page.getByRole("link", { name: "See its proof grow" }).click();
  const proof = page.locator(".card", { has: page.locator("#proof-8") });
  await proof.getByRole("button", { name: "Take back #8" }).click();
  await proof.getByRole("button", { name: "Take it back" }).click();
  await proof.locator(".badge", { hasText: "taken back" }).waitFor();
  await page.context().close();
}

async function filters({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/calls`);
  await page.getByLabel("Only errors").check();
  await page.waitForURL(/only=errors/);
  await page.locator(".calls tbody tr.good").first().waitFor({ state: "detached" });
  await page.locator(".calls tbody tr").nth(4).waitFor();
  check(await page.locator(".calls tbody tr").count() === 5, "the filter for errors leaves what did not succeed", String(await page.locator(".calls tbody tr").count()));
  await page.getByLabel("Model").fill("nothing-has-this-name");
  await page.getByLabel("Model").press("Enter");
  await page.getByText("No call passes this filter").waitFor();
  await page.context().close();
}

async function olderCalls({ browser, origin, openPage, visit, check }) {
  const page = await openPage(browser, origin);
  await visit(page, `${origin}/#/calls?operation=many`);
  await page.getByRole("button", { name: "Older calls" }).click();
  await page.getByRole("button", { name: "Older calls" }).waitFor({ state: "detached" });
  check(await page.locator(".calls tbody tr").count() === 130, "older calls are added at the end", String(await page.locator(".calls tbody tr").count()));
  await page.context().close();
}

async function unknownCall({ browser, origin, openPage, check }) {
  const page = await openPage(browser, origin, { allowed: ["404"] });
  await page.goto(`${origin}/#/calls/nonsense`);
  const text = await page.getByRole("alert").innerText();
  check(text.includes("no call nonsense"), "a call that does not exist is said to", text);
  await page.context().close();
}
