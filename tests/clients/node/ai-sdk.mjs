// Vercel's AI SDK with its providers for OpenAI (responses and chat completions) and Anthropic,
// direct and through the gateway: the same results.
//
// usage: node ai-sdk.mjs --direct URL --through URL
//
// The upstream is aimock. What users get must be equal; only ids, times and heads are left out, and
// how the heads of answers may differ is what other tests are about.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateObject, generateText, isStepCount, jsonSchema, streamObject, streamText, tool } from "ai";

const { values: options } = parseArgs({ options: { direct: { type: "string" }, through: { type: "string" } } });

const leftOut = new Set(["id", "itemId", "responseId", "messageId", "timestamp", "headers", "request", "created", "created_at", "createdAt", "completed_at"]);
const plain = (value) =>
  value && typeof value === "object"
    ? Array.isArray(value)
      ? value.map(plain)
      : Object.fromEntries(Object.entries(value).filter(([key]) => !leftOut.has(key)).map(([key, inner]) => [key, plain(inner)]))
    : value;

const hello = "Say hello to the reader.";
const report = { city: "Oslo", celsius: 7 };
const schema = jsonSchema({
  type: "object",
  properties: { city: { type: "string" }, celsius: { type: "integer" } },
  required: ["city", "celsius"],
  additionalProperties: false,
});
const tools = {
  weather: tool({
    description: "The weather in a city",
    inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
    execute: async ({ city }) => `rain in ${city}`,
  }),
};

const models = (at) => {
  const openai = createOpenAI({ baseURL: at.base + "/v1", apiKey: at.key, headers: at.headers });
  const anthropic = createAnthropic({ baseURL: at.base + "/v1", apiKey: at.key, headers: at.headers });
  return {
    openai,
    chats: [openai.responses("gpt-4o"), openai.chat("gpt-4o"), anthropic("claude-opus-4-5")],
  };
};
// One after the other, with each of the models.
const each = async (at, ask) => {
  const results = [];
  for (const model of models(at).chats) results.push(plain(await ask({ model, maxRetries: 0 })));
  return results;
};
const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(plain(part));
  return parts;
};
const shown = ({ text, finishReason, usage, steps, response }) => ({
  text, finishReason, usage, messages: response.messages,
  steps: steps.map(({ content, usage, finishReason }) => ({ content, usage, finishReason })),
});

const scenarios = {
  text: (at) => each(at, async (more) => {
    const answer = await generateText({ ...more, system: "Be brief.", prompt: hello });
    assert.equal(answer.usage.totalTokens, 30);
    return shown(answer);
  }),
  stream: (at) => each(at, async (more) => {
    const answer = streamText({ ...more, prompt: hello });
    // What it measures of time is its own.
    const parts = (await collect(answer.fullStream)).map(({ performance, ...part }) => part);
    assert.ok(parts.some((part) => part.type === "text-delta"), JSON.stringify(parts));
    return [parts, await answer.usage, await answer.text];
  }),
  tools: (at) => each(at, async (more) => {
    const answer = await generateText({ ...more, tools, stopWhen: isStepCount(3), prompt: "Weather in Oslo?" });
    assert.equal(answer.text, "It rains in Oslo.");
    assert.equal(answer.steps.length, 2);
    return shown(answer);
  }),
  toolsStream: (at) => each(at, async (more) => {
    const answer = streamText({ ...more, tools, stopWhen: isStepCount(3), prompt: "Weather in Oslo?" });
    const types = (await collect(answer.fullStream)).map((part) => part.type);
    assert.equal(await answer.text, "It rains in Oslo.");
    return [types, (await answer.steps).map(({ content, usage }) => ({ content, usage }))];
  }),
  object: (at) => each(at, async (more) => {
    const answer = await generateObject({ ...more, schema, schemaName: "Report", prompt: "Report on Oslo as JSON." });
    assert.deepEqual(answer.object, report);
    return [answer.object, answer.usage, answer.finishReason];
  }),
  objectStream: (at) => each(at, async (more) => {
    const answer = streamObject({ ...more, schema, schemaName: "Report", prompt: "Report on Oslo as JSON." });
    const parts = await collect(answer.partialObjectStream);
    assert.deepEqual(parts.at(-1), report);
    return [parts, await answer.usage];
  }),
  embeddings: async (at) => {
    const model = models(at).openai.embedding("text-embedding-3-small");
    const answer = await embedMany({ model, values: ["one", "two"] });
    assert.equal(answer.embeddings.length, 2);
    return [answer.embeddings, answer.usage];
  },
  errors: (at) => each(at, async (more) => {
    const results = [];
    for (const status of [400, 429, 500, 529]) {
      const call = generateText({ ...more, prompt: `Always ${status}.` });
      results.push(await call.then(() => "no error", (error) => [error.name, error.statusCode, error.isRetryable, error.message]));
    }
    assert.ok(!results.includes("no error"));
    return results;
  }),
};

let passed = 0;
let failed = 0;
globalThis.AI_SDK_LOG_WARNINGS = false;
for (const [name, scenario] of Object.entries(scenarios)) {
  const run = async (base, way) => {
    const id = `ai-sdk-${name}-${way}`;
    return scenario({ base, key: `sk-${id}`, headers: { "x-test-id": id } });
  };
  try {
    const direct = await run(options.direct, "direct");
    assert.deepEqual(await run(options.through, "through"), direct);
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ai-sdk ${name}: ${error.message.slice(0, 3000)}`);
  }
}
console.log(`node-ai-sdk: ${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
