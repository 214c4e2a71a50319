// The official SDKs, direct and through the gateway: the same results.
//
// usage: node conformance.mjs --upstream sim|llama|aimock --direct URL --through URL --model M [--claude M]
//
// What each upstream cannot, and how its caches start cold, is said in ../python/conformance.py.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
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

const leftOut = new Set(["id", "item_id", "call_id", "responseId", "sdkHttpResponse", "completed_at", "created", "created_at", "system_fingerprint", "_request_id", "request_id", "timings", "signature"]);
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

const statusesUpstream = async (run) => {
  const journal = await fetch(`${options.direct}/__aimock/journal?testId=${run.name}`);
  return (await journal.json()).map((entry) => entry.response.status);
};
// Leaves another prompt in llama.cpp's only slot.
const forget = async () => {
  const other = { messages: [{ role: "user", content: "Quite another thing." }], max_tokens: 1, cache_prompt: false };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(options.direct + "/v1/chat/completions", { method: "POST", headers, body: JSON.stringify(other) });
  assert.equal(answer.status, 200);
  await answer.text();
};
// The tokens that a provider says it read from its cache, of an answer or of a stream's events.
const cached = (answer) => {
  if (Array.isArray(answer)) return Math.max(...answer.map(cached));
  const usage = answer.usage ?? answer.message?.usage ?? {};
  return usage.prompt_tokens_details?.cached_tokens ?? usage.cache_read_input_tokens ?? 0;
};

const hello = [{ role: "user", content: "Say hello to the reader." }];
const long = "You answer questions about the handbook. " + "Section: every request is answered politely and briefly. ".repeat(900);
const oslo = [{ role: "user", content: "Weather in Oslo?" }];
const weather = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

const scenarios = {
  chat: [["sim", "llama", "aimock"], (run) => run.chat({})],
  chatStream: [["sim", "llama", "aimock"], async (run) => {
    const chunks = await collect(run.chat({ stream: true }));
    assert.ok(chunks.length > 0);
    assert.ok(chunks.every((chunk) => chunk.choices.length > 0), "nobody asked for a usage chunk");
    return chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");
  }],
  chatStreamWithUsage: [["sim", "llama", "aimock"], async (run) => {
    const chunks = await collect(run.chat({ stream: true, stream_options: { include_usage: true } }));
    assert.ok(chunks.at(-1).usage);
    return chunks.at(-1).usage;
  }],
  chatTools: [["sim", "llama", "aimock"], (run) =>
    run.chat({ messages: oslo, tools: [{ type: "function", function: { name: "weather", parameters: weather } }] })],
  chatToolsStream: [["sim", "aimock"], async (run) => {
    const tools = [{ type: "function", function: { name: "weather", parameters: weather } }];
    const chunks = await collect(run.chat({ stream: true, max_tokens: 20_000, messages: oslo, tools, tool_choice: "required" }));
    const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    assert.equal(typeof JSON.parse(pieces.map((piece) => piece.function.arguments).join("")).city, "string");
    return chunks;
  }],
  chatToolResult: [["sim", "llama", "aimock"], (run) => {
    const call = { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } };
    return run.chat({
      tools: [{ type: "function", function: { name: "weather", parameters: weather } }],
      messages: [...oslo, { role: "assistant", tool_calls: [call] }, { role: "tool", tool_call_id: "call_1", content: "rain" }],
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
  message: [["sim", "llama", "aimock"], (run) => run.message({})],
  messageStream: [["sim", "llama", "aimock"], async (run) => {
    const stream = run.anthropic.messages.stream({ model: options.claude, max_tokens: 40, messages: hello, temperature: 0 });
    return stream.finalMessage();
  }],
  messageTools: [["sim", "llama", "aimock"], (run) => run.message({ messages: oslo, tools: [{ name: "weather", input_schema: weather }] })],
  messageToolsStream: [["sim", "aimock"], async (run) => {
    const stream = run.anthropic.messages.stream({
      model: options.claude, max_tokens: 200, messages: oslo,
      tools: [{ name: "weather", input_schema: weather }], tool_choice: { type: "tool", name: "weather" },
    });
    const final = await stream.finalMessage();
    assert.equal(final.stop_reason, "tool_use");
    assert.equal(typeof final.content.at(-1).input.city, "string");
    return final;
  }],
  messageToolResult: [["sim", "llama", "aimock"], (run) => {
    const call = { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Oslo" } };
    const result = { type: "tool_result", tool_use_id: "toolu_1", content: "rain" };
    return run.message({
      tools: [{ name: "weather", input_schema: weather }],
      messages: [...oslo, { role: "assistant", content: [call] }, { role: "user", content: [result] }],
    });
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
  countTokens: [["sim", "llama"], (run) => run.anthropic.messages.countTokens({ model: options.claude, messages: hello })],
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
  // 429 and 500, then the answer, which is all that the SDK's user sees; each try is the SDK's own.
  retriedUntilItWorks: [["aimock"], async (run) => {
    const say = (what) => ({ messages: [{ role: "user", content: `Twice no, then the ${what}.` }] });
    const results = [
      await run.chat(say("chat")),
      await collect(run.chat({ ...say("chat stream"), stream: true })),
      await run.message(say("message")),
      await collect(run.message({ ...say("message stream"), stream: true })),
    ];
    assert.deepEqual(run.statuses, [1, 2, 3, 4].flatMap(() => [429, 500, 200]));
    assert.deepEqual(await statusesUpstream(run), run.statuses);
    return [results, run.statuses];
  }],
  // What is never worth a try, and what the SDK gives up on after three.
  errorsAfterTheirRetries: [["aimock"], async (run) => {
    const results = [];
    for (const status of [400, 429, 500, 529]) {
      const messages = [{ role: "user", content: `Always ${status}.` }];
      results.push(await raised(() => run.chat({ messages })), await raised(() => run.message({ messages })));
    }
    assert.deepEqual(run.statuses, [[400, 2], [429, 6], [500, 6], [529, 6]].flatMap(([status, times]) => Array(times).fill(status)));
    assert.deepEqual(await statusesUpstream(run), run.statuses);
    return [results, run.statuses];
  }],
  streamThatBreaksOff: [["aimock"], async (run) => {
    const messages = [{ role: "user", content: "Break off." }];
    return [
      await seen(() => collect(run.chat({ messages, stream: true }))),
      await seen(() => collect(run.message({ messages, stream: true }))),
    ];
  }],
  // It makes no embeddings (501) and calls a list that is missing its own fault (500): three tries each.
  retriesOfWhatLlamaCannot: [["llama"], async (run) => {
    const results = [
      await raised(() => run.openai.embeddings.create({ model: options.model, input: "hi" })),
      await raised(() => run.anthropic.post("/v1/messages", { body: { model: options.claude } })),
    ];
    assert.deepEqual(run.statuses, [501, 501, 501, 500, 500, 500]);
    return [results, run.statuses];
  }],
  // Asked twice: the first reuses nothing of the prompt, the second nearly all, in both dialects.
  coldAndWarm: [["llama"], async (run) => {
    const text = (part) => `Part ${part}. ${long.slice(0, 2000)}`;
    const messages = (part) => [{ role: "system", content: text(part) }, ...hello];
    const results = [];
    for (const ask of [
      () => run.chat({ messages: messages(0) }),
      () => collect(run.chat({ messages: messages(1), stream: true, stream_options: { include_usage: true } })),
      () => run.message({ system: text(2) }),
      () => collect(run.message({ system: text(3), stream: true })),
    ]) {
      await forget();
      const [cold, warm] = [await ask(), await ask()];
      assert.ok(cached(cold) < 10 && 400 < cached(warm), `${cached(cold)} then ${cached(warm)}`);
      results.push([cold, warm]);
    }
    return results;
  }],
  responses: [["aimock"], async (run) => {
    const whole = await run.openai.responses.create({ model: options.model, instructions: "Be brief.", input: "Say hello to the reader." });
    assert.equal(whole.usage.total_tokens, 30);
    const events = await collect(run.openai.responses.create({ model: options.model, stream: true, input: hello }));
    assert.equal(events.at(-1).type, "response.completed");
    return [whole, whole.output_text, events];
  }],
  responsesTools: [["aimock"], async (run) => {
    const tools = [{ type: "function", name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } }, strict: false }];
    const input = [{ role: "user", content: "Weather in Oslo?" }];
    const events = await collect(run.openai.responses.create({ model: options.model, stream: true, tools, input }));
    const call = { type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Oslo"}' };
    const result = { type: "function_call_output", call_id: "call_1", output: "rain" };
    return [events, await run.openai.responses.create({ model: options.model, tools, input: [...input, call, result] })];
  }],
  embeddings: [["aimock"], async (run) => {
    const embed = (input, more) => run.openai.embeddings.create({ model: "text-embedding-3-small", input, ...more });
    return [await embed("one text"), await embed(["one", "two"]), await embed("floats", { encoding_format: "float" })];
  }],
  gemini: [["aimock"], async (run) => {
    const contents = "Say hello to the reader.";
    const whole = await run.gemini.generateContent({ model: "gemini-2.5-pro", contents, config: { systemInstruction: "Be brief." } });
    assert.equal(whole.usageMetadata.totalTokenCount, 30);
    const chunks = await collect(run.gemini.generateContentStream({ model: "gemini-2.5-pro", contents }));
    return [whole, whole.text, chunks];
  }],
  geminiErrors: [["aimock"], async (run) => {
    const results = [];
    for (const status of [400, 429, 500]) {
      const call = run.gemini.generateContent({ model: "gemini-2.5-pro", contents: `Always ${status}.` });
      results.push(await call.then(() => "no error", (error) => [error.name, error.status, error.message]));
    }
    assert.ok(!results.includes("no error"));
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
  // The status of every try, also of those that the SDK keeps to itself.
  const statuses = [];
  const noted = async (...request) => {
    const answer = await fetch(...request);
    statuses.push(answer.status);
    return answer;
  };
  // aimock counts the steps of a sequence for each test by this header.
  const shared = { timeout: 60_000, fetch: noted, defaultHeaders: { "x-test-id": name } };
  const openai = new OpenAI({ baseURL: base + "/v1", apiKey: `sk-${name}`, ...shared });
  const anthropic = new Anthropic({ baseURL: base, apiKey: `sk-ant-${name}`, ...shared });
  const gemini = new GoogleGenAI({ apiKey: `key-${name}`, httpOptions: { baseUrl: base, apiVersion: "v1beta", headers: { "x-test-id": name } } }).models;
  return {
    name,
    statuses,
    openai,
    anthropic,
    gemini,
    chat: (more, request) =>
      openai.chat.completions.create({ model: options.model, messages: hello, temperature: 0, seed: 7, max_tokens: 40, ...more }, request),
    message: (more, request) =>
      anthropic.messages.create({ model: options.claude, max_tokens: 40, messages: hello, temperature: 0, ...more }, request),
    streamed: (more) =>
      anthropic.messages.stream({ model: options.claude, max_tokens: 40, messages: hello, ...more }).finalMessage(),
  };
};

let passed = 0;
let failed = 0;
for (const [name, [upstreams, scenario]] of Object.entries(scenarios)) {
  if (!upstreams.includes(options.upstream)) continue;
  const run = async (base, way) => {
    if (options.upstream === "llama") await forget();
    return plain(await scenario(client(base, `node-${name}-${way}`)));
  };
  try {
    const direct = await run(options.direct, "direct");
    const through = await run(options.through, "through");
    assert.deepEqual(through, direct);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED node ${options.upstream} ${name}: ${error.message.slice(0, 3000)}`);
  }
}
console.log(`node-${options.upstream}: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
