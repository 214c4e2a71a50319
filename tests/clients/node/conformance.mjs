// The official SDKs, direct and through the gateway: the same results.
//
// usage: node conformance.mjs --upstream sim|llama|aimock --direct URL --through URL --model M [--claude M]
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { values: options } = parseArgs({
  options: {
    upstream: { type: "string" },
    direct: { type: "string" },
    through: { type: "string" },
    model: { type: "string" },
    claude: { type: "string", default: "claude-opus-4-5" },
  },
});

const leftOut = new Set(["id", "created", "created_at", "system_fingerprint", "_request_id", "request_id", "timings", "signature"]);
const plain = (value) =>
  value && typeof value === "object"
    ? Array.isArray(value)
      ? value.map(plain)
      : Object.fromEntries(Object.entries(value).filter(([key]) => !leftOut.has(key)).map(([key, inner]) => [key, plain(inner)]))
    : value;

const raised = async (call) => {
  try {
    return { noError: plain(await call()) };
  } catch (error) {
    return { raised: error.constructor.name, status: error.status, body: plain(error.error) };
  }
};
const seen = async (call) => {
  try {
    return { seen: await call() };
  } catch {
    // A broken connection becomes an error event of the dialect behind the gateway: a better error.
    return { raised: true };
  }
};
const collect = async (stream) => {
  const events = [];
  for await (const event of await stream) events.push(plain(event));
  return events;
};

const hello = [{ role: "user", content: "Say hello to the reader." }];
const long = "You answer questions about the handbook. " + "Section: every request is answered politely and briefly. ".repeat(900);
const weather = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

const scenarios = {
  chat: [["sim", "llama", "aimock"], (run) => run.chat({})],
  chatStream: [["sim", "llama", "aimock"], async (run) => {
    const chunks = await collect(run.chat({ stream: true }));
    assert.ok(chunks.length > 0);
    assert.ok(chunks.every((chunk) => chunk.choices.length > 0), "nobody asked for a usage chunk");
    return chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");
  }],
  chatStreamWithUsage: [["sim", "llama"], async (run) => {
    const chunks = await collect(run.chat({ stream: true, stream_options: { include_usage: true } }));
    assert.ok(chunks.at(-1).usage);
    return chunks.at(-1).usage;
  }],
  chatTools: [["sim"], (run) =>
    run.chat({ tools: [{ type: "function", function: { name: "weather", parameters: weather } }] })],
  chatToolsStream: [["sim"], async (run) => {
    const tools = [{ type: "function", function: { name: "weather", parameters: weather } }];
    const chunks = await collect(run.chat({ stream: true, max_tokens: 20_000, tools, tool_choice: "required" }));
    const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    assert.equal(typeof JSON.parse(pieces.map((piece) => piece.function.arguments).join("")).city, "string");
    return chunks;
  }],
  chatToolResult: [["sim"], (run) => {
    const call = { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } };
    return run.chat({
      tools: [{ type: "function", function: { name: "weather", parameters: weather } }],
      messages: [...hello, { role: "assistant", tool_calls: [call] }, { role: "tool", tool_call_id: "call_1", content: "rain" }],
    });
  }],
  chatCached: [["sim"], async (run) => {
    const messages = [{ role: "system", content: long }, ...hello];
    const usages = [(await run.chat({ messages })).usage, (await run.chat({ messages })).usage];
    assert.ok(usages[1].prompt_tokens_details.cached_tokens > 0);
    return usages;
  }],
  models: [["sim"], async (run) => (await run.openai.models.list()).data.map((model) => model.id).sort()],
  chatBadRequest: [["sim", "llama"], (run) => raised(() => run.chat({ messages: "not a list" }))],
  message: [["sim", "aimock"], (run) => run.message({})],
  messageStream: [["sim", "aimock"], async (run) => {
    const stream = run.anthropic.messages.stream({ model: options.claude, max_tokens: 40, messages: hello });
    return stream.finalMessage();
  }],
  messageTools: [["sim"], (run) => run.message({ tools: [{ name: "weather", input_schema: weather }] })],
  messageToolsStream: [["sim"], async (run) => {
    const stream = run.anthropic.messages.stream({
      model: options.claude, max_tokens: 200, messages: hello,
      tools: [{ name: "weather", input_schema: weather }], tool_choice: { type: "tool", name: "weather" },
    });
    const final = await stream.finalMessage();
    assert.equal(final.stop_reason, "tool_use");
    assert.equal(typeof final.content.at(-1).input.city, "string");
    return final;
  }],
  messageBadRequest: [["sim"], (run) => raised(() => run.message({ messages: [] }))],
  // Written once, read once: the provider's own counts arrive, with both lives, whole and as a stream.
  messagePromptCache: [["sim"], async (run) => {
    const results = [];
    for (const ttl of ["5m", "1h"]) {
      for (const ask of [(more) => run.message(more), (more) => run.streamed(more)]) {
        const text = `${long} ${ttl} ${results.length}`;
        const system = [{ type: "text", text, cache_control: { type: "ephemeral", ttl } }];
        const usages = [(await ask({ system })).usage, (await ask({ system })).usage];
        assert.ok(usages[0].cache_creation_input_tokens > 0);
        assert.equal(usages[1].cache_read_input_tokens, usages[0].cache_creation_input_tokens);
        results.push(usages);
      }
    }
    return results;
  }],
  countTokens: [["sim"], (run) => run.anthropic.messages.countTokens({ model: options.claude, messages: hello })],
  errorsOfEachKind: [["sim"], async (run) => {
    const results = [];
    for (const fault of ["429", "500", "503", "529"]) {
      const headers = { "x-sim-fault": fault };
      results.push(await raised(() => run.chat({}, { headers, maxRetries: 0 })));
      results.push(await raised(() => run.message({}, { headers, maxRetries: 0 })));
    }
    return results;
  }],
  // The SDKs try three times, waiting as long as the provider says; the gateway adds none.
  sdkRetriesReachTheProviderOneByOne: [["sim"], async (run) => {
    const log = async () => (await (await fetch(options.direct + "/__log")).json()).log.length;
    const before = await log();
    const headers = { "x-sim-fault": "429:ms=20" };
    const results = [
      await raised(() => run.chat({}, { headers })),
      await raised(() => run.message({}, { headers })),
    ];
    assert.equal((await log()) - before, 6);
    return results;
  }],
  brokenStreams: [["sim"], async (run) => {
    const results = [];
    for (const fault of ["midreset", "midclose", "nodone", "miderr", "midjson", "bytewise", "crlf", "comments"]) {
      const headers = { "x-sim-fault": fault };
      results.push([fault, await seen(() => collect(run.chat({ stream: true }, { headers })))]);
      results.push([fault, await seen(() => collect(run.message({ stream: true }, { headers })))]);
    }
    return results;
  }],
};

const client = (base, name) => {
  const openai = new OpenAI({ baseURL: base + "/v1", apiKey: `sk-${name}`, timeout: 60_000 });
  const anthropic = new Anthropic({ baseURL: base, apiKey: `sk-ant-${name}`, timeout: 60_000 });
  return {
    openai,
    anthropic,
    chat: (more, request) =>
      openai.chat.completions.create({ model: options.model, messages: hello, temperature: 0, seed: 7, max_tokens: 40, ...more }, request),
    message: (more, request) =>
      anthropic.messages.create({ model: options.claude, max_tokens: 40, messages: hello, ...more }, request),
    streamed: (more) =>
      anthropic.messages.stream({ model: options.claude, max_tokens: 40, messages: hello, ...more }).finalMessage(),
  };
};

let passed = 0;
let failed = 0;
for (const [name, [upstreams, scenario]] of Object.entries(scenarios)) {
  if (!upstreams.includes(options.upstream)) continue;
  try {
    const direct = plain(await scenario(client(options.direct, `node-${name}-direct`)));
    const through = plain(await scenario(client(options.through, `node-${name}-through`)));
    assert.deepEqual(through, direct);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED node ${options.upstream} ${name}: ${error.message.slice(0, 3000)}`);
  }
}
console.log(`node-${options.upstream}: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
