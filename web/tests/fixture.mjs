// A gateway that is not there: serves the built dashboard with its real headers and canned answers
// of the control API. The first part of the path chooses what kind of day it is:
//
//   /          traffic, findings and proofs, with hostile names among them
//   /empty/    nothing has happened yet
//   /broken/   every question to the API fails
//   /viewer/   the control token is a viewer's
//   /locked/   the API asks for the control token `open sesame`
//
//   node tests/fixture.mjs [--port 4173]

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { KEYS, audit, emptySpending, reconciliation, spending } from "./canned-spend.mjs";
import { callDetail, callRow, emptySummary, findings, journal, proofs, summary } from "./canned.mjs";
import { errors, models, operations, prices } from "./canned-screens.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "../dist");
const policy = readFileSync(join(here, "../../crates/dashboard/src/csp.txt"), "utf8");
const ROWS = 28;
const TOKEN = "open sesame";

const HEADERS = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** Starts the server; port 0 is any free one. Gives its origin and how to stop it. */
export function startFixture(port = 0) {
  const types = Object.fromEntries(
    readFileSync(join(dist, "assets.tsv"), "utf8").trim().split("\n").map((line) => line.split("\t")),
  );
  const state = { proofs: proofs(), journal: journal(), keys: structuredClone(KEYS), reconciled: reconciliation() };
  const server = createServer((request, response) => {
    void answer(request, response, types, state).catch((error) => response.destroy(error));
  });
  return new Promise((started) => {
    server.listen(port, "127.0.0.1", () => {
      const stop = () => new Promise((stopped) => {
        server.close(stopped);
        server.closeAllConnections();
      });
      started({ origin: `http://127.0.0.1:${server.address().port}`, stop });
    });
  });
}

async function answer(request, response, types, state) {
  const url = new URL(request.url, "http://fixture");
  const [, scene = "", rest] = url.pathname.match(/^\/(empty|broken|locked|viewer)?\/?(.*)$/) ?? [];
  if (rest.startsWith("api/v1/")) {
    return api(request, response, scene ?? "", rest.slice("api/v1/".length), url.searchParams, state);
  }
  const path = rest === "" ? "index.html" : rest;
  if (!(path in types)) return json(response, 404, { error: { message: `no file ${path}` } });
  response.writeHead(200, { ...HEADERS, "content-type": types[path] });
  response.end(readFileSync(join(dist, path)));
}

function json(response, status, value) {
  response.writeHead(status, { ...HEADERS, "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

async function api(request, response, scene, path, query, state) {
  if (scene === "broken") return json(response, 503, { error: { message: "the store is being opened <b>now</b>" } });
  const control = request.headers["x-scrimp-control"];
  if (scene === "locked" && control !== TOKEN) return json(response, 401, { error: { message: "the control token is missing" } });
  if (request.method === "DELETE") return revoke(response, path, state);
  if (request.method === "POST") return change(request, response, path, control, state);
  const [what, id] = path.split("/");
  const isEmpty = scene === "empty";
  switch (what) {
    case "summary":
      return json(response, 200, isEmpty ? emptySummary(query.get("window")) : summary(query.get("window")));
    case "operations":
      return json(response, 200, operations(query, isEmpty));
    case "errors":
      return json(response, 200, errors(query, isEmpty));
    case "models":
      return json(response, 200, models(query, isEmpty));
    case "prices":
      return json(response, 200, prices(query));
    case "calls":
      if (id !== undefined) return detail(response, decodeURIComponent(id));
      return json(response, 200, { calls: isEmpty ? [] : calls(query) });
    case "live":
      return live(request, response, isEmpty);
    case "findings":
      return json(response, 200, { findings: isEmpty ? [] : findings(), calls: isEmpty ? 0 : 48_213, running: isEmpty });
    case "policies":
      return json(response, 200, { prompt_cache: [], journal: isEmpty ? [] : state.journal });
    case "me":
      return json(response, 200, scene === "viewer" ? { name: "wall", role: "viewer" } : { name: "local", role: "operator" });
    case "keys":
      return json(response, 200, { keys: isEmpty ? [] : state.keys, required: !isEmpty });
    case "audit":
      return json(response, 200, { entries: isEmpty ? [] : audit(Number(query.get("limit") ?? 100)) });
    case "reconcile":
      return json(response, 200, { last: isEmpty ? null : state.reconciled });
    case "spend":
      return json(response, 200, (isEmpty ? emptySpending : spending)(query));
    case "proofs":
      return json(response, 200, { proofs: isEmpty ? [] : state.proofs });
    default:
      return json(response, 404, { error: { message: `no route ${path}` } });
  }
}

function calls(query) {
  if (query.get("operation") === "many") return many(query.get("before"));
  const rows = Array.from({ length: ROWS }, (_, n) => callRow(n));
  const asked = (name) => query.get(name) ?? "";
  return rows.filter((row) =>
    (asked("provider") === "" || row.provider === asked("provider"))
    && (asked("model") === "" || row.model === asked("model"))
    && (asked("operation") === "" || row.operation === asked("operation"))
    && (asked("only") !== "errors" || row.ending !== "answered" || 400 <= row.status));
}

/** 130 calls in pages of 100, for whoever wants older ones. */
function many(before) {
  const rows = Array.from({ length: 130 }, (_, n) => ({ ...callRow(n), id: (1000 - n).toString(16).padStart(32, "0"), operation: "many" }));
  const from = before === null ? 0 : rows.findIndex((row) => row.id === before) + 1;
  return rows.slice(from, from + 100);
}

function detail(response, id) {
  const call = callDetail(id);
  return call === null
    ? json(response, 404, { error: { message: `no call ${id}` } })
    : json(response, 200, call);
}

/** Five calls, one after another, and then silence. */
function live(request, response, isEmpty) {
  response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": hello\n\n");
  let sent = 0;
  const timer = setInterval(() => {
    if (5 <= sent || isEmpty) return clearInterval(timer);
    sent += 1;
    const row = { ...callRow(3), id: `${"f".repeat(31)}${sent}`, at_ms: Date.now(), operation: `live-${sent}` };
    response.write(`event: call\ndata: ${JSON.stringify(row)}\n\n`);
  }, 150);
  request.on("close", () => clearInterval(timer));
}

function revoke(response, path, state) {
  const key = state.keys.find(({ id }) => path === `keys/${id}`);
  if (!key) return json(response, 404, { error: { message: "there is no such key" } });
  if (key.id === KEYS[1].id) return json(response, 503, { error: { message: "the disk is full" } });
  Object.assign(key, { state: "revoked", revoked_ms: Date.now() });
  return json(response, 200, key);
}

async function change(request, response, path, control, state) {
  let body = "";
  for await (const part of request) body += part;
  if (control === undefined) return json(response, 403, { error: { message: "x-scrimp-control is missing" } });
  const asked = JSON.parse(body);
  if (path === "keys") {
    if (asked.team === "refuse") return json(response, 400, { error: { message: "a key has at most 8 tags and 256 models" } });
    const made = { id: "00ffeeddccbb", name: asked.name ?? null, state: "active", models: asked.models, team: asked.team ?? null, tags: asked.tags, created_ms: Date.now(), expires_ms: asked.expires_ms ?? null, revoked_ms: null };
    state.keys.push(made);
    return json(response, 200, { ...made, key: `sk-scrimp-${made.id}-${"s3cret-".repeat(6)}x` });
  }
  if (path === "reconcile") {
    if (asked.files.every(({ text }) => !text.startsWith("{"))) return json(response, 400, { error: { message: "no report of a provider was found: send what the usage or cost API of OpenAI, Anthropic or OpenRouter answered" } });
    state.reconciled = { ...reconciliation(), at_ms: Date.now(), files: asked.files.map(({ name }) => name), notes: [] };
    return json(response, 200, { last: state.reconciled });
  }
  if (path === "policies/apply") {
    if (asked.finding === "F2") return json(response, 409, { error: { message: "journal #7 covers op:code-review already" } });
    const number = state.journal.length + 5;
    const entry = { number, applied: { nanos: Date.now() * 1e6 }, undone: null, undone_because: null, finding: asked.finding, added: "[prompt_cache]\nstate = \"on\"\n", replaced: "" };
    state.journal.push(entry);
    state.proofs.push({
      number, title: `Applied from ${asked.finding}`, applied_ms: Date.now(), undone_ms: null, share: asked.share, predicted: -0.2,
      realised: null, low: null, high: null, treated_units: 0, held_out_units: 0, saved_usd: null, per_month_at_100_usd: null, verdict: "too_early",
    });
    return json(response, 200, { number });
  }
  const proof = state.proofs.find((each) => each.number === asked.number);
  if (path !== "policies/undo" || !proof) return json(response, 404, { error: { message: `no journal entry ${asked.number}` } });
  proof.undone_ms = Date.now();
  return json(response, 200, { number: asked.number });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "4173" } } });
  const { origin } = await startFixture(Number(values.port));
  console.log(`${origin}/  ${origin}/empty/  ${origin}/broken/  ${origin}/locked/`);
}
