"""The official SDKs, direct and through the gateway: the same results.

usage: conformance.py --upstream sim|llama|aimock --direct URL --through URL --model M [--claude M]

Every scenario runs twice, against the upstream itself and through the gateway in front of it, with
keys of its own for each run so that provider-side caches start cold both times. llama.cpp has one
cache for all keys: another prompt, sent to it before each run, makes that cold. What the SDK hands to
its user must be equal; only ids, times and counters of the run are left out.

Not tested, because the upstream cannot: a model of random weights calls no tool (llama.cpp here does
not hold it to a tool's grammar), so there only tools and their results on the way in are compared.
aimock answers with no cached tokens, makes no embeddings in Gemini's batches, which its SDK always asks for,
and knows only the beta version of its paths.
"""

import argparse
import json
import sys
import urllib.request

import anthropic
import openai
from google import genai

LEFT_OUT = {"id", "item_id", "call_id", "response_id", "sdk_http_response", "created", "created_at", "completed_at", "system_fingerprint", "request_id", "_request_id", "timings", "signature"}
PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
TOOL = {"name": "weather", "description": "The weather in a city", "schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
LONG = "You answer questions about the handbook. " + "Section: every request is answered politely and briefly. " * 900

SCENARIOS = []


def scenario(*upstreams):
    def add(function):
        SCENARIOS.append((function, set(upstreams)))
        return function
    return add


def plain(value):
    """What a user sees of an SDK's object, without ids and times."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in LEFT_OUT}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


class Run:
    def __init__(self, base, name, arguments):
        self.model, self.claude, self.upstream = arguments.model, arguments.claude, arguments.direct
        self.name, self.statuses = name, []
        # aimock counts the steps of a sequence for each test by this header.
        shared = {"max_retries": 2, "timeout": 60, "default_headers": {"x-test-id": name}}
        # The status of every try, also of those that the SDK keeps to itself.
        hooks = {"response": [lambda response: self.statuses.append(response.status_code)]}
        self.openai = openai.OpenAI(
            base_url=base + "/v1", api_key=f"sk-{name}",
            http_client=openai.DefaultHttpxClient(event_hooks=hooks), **shared)
        self.anthropic = anthropic.Anthropic(
            base_url=base, api_key=f"sk-ant-{name}",
            http_client=anthropic.DefaultHttpxClient(event_hooks=hooks), **shared)
        self.google = genai.Client(api_key=f"key-{name}", http_options={
            "base_url": base, "api_version": "v1beta", "timeout": 60_000, "headers": {"x-test-id": name}})
        self.gemini = self.google.models
        if arguments.upstream == "llama":
            forget(self.upstream)

    def chat(self, **more):
        more.setdefault("messages", [{"role": "user", "content": "Say hello to the reader."}])
        return self.openai.chat.completions.create(model=self.model, temperature=0, seed=7, max_tokens=40, **more)

    def message(self, **more):
        more.setdefault("messages", [{"role": "user", "content": "Say hello to the reader."}])
        more.setdefault("max_tokens", 40)
        more.setdefault("extra_body", {"temperature": 0})
        return self.anthropic.messages.create(model=self.claude, **more)


def forget(llama):
    """Leaves another prompt in llama.cpp's only slot."""
    other = {"messages": [{"role": "user", "content": "Quite another thing."}], "max_tokens": 1, "cache_prompt": False}
    ask(llama + "/v1/chat/completions", json.dumps(other).encode())


def ask(url, body=None):
    with urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"})) as answer:
        return json.load(answer)


@scenario("sim", "llama", "aimock")
def chat(run):
    return plain(run.chat())


@scenario("sim", "llama", "aimock")
def chat_stream_without_usage(run):
    chunks = [plain(chunk) for chunk in run.chat(stream=True)]
    assert chunks, "a stream has chunks"
    assert all(chunk["choices"] for chunk in chunks), "nobody asked for a usage chunk"
    return joined(chunks)


@scenario("sim", "llama", "aimock")
def chat_stream_with_usage(run):
    chunks = [plain(chunk) for chunk in run.chat(stream=True, stream_options={"include_usage": True})]
    assert chunks[-1]["usage"], "the usage that was asked for arrives"
    return joined(chunks)


def joined(chunks):
    text = "".join((c["delta"].get("content") or "") for k in chunks for c in k["choices"])
    finish = [c["finish_reason"] for k in chunks for c in k["choices"] if c["finish_reason"]]
    return {"text": text, "finish": finish, "usage": [k["usage"] for k in chunks if k.get("usage")]}


@scenario("sim", "llama", "aimock")
def chat_tools(run):
    tool = {"type": "function", "function": {
        "name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"]}}
    return plain(run.chat(tools=[tool], messages=[{"role": "user", "content": "Weather in Oslo?"}]))


@scenario("sim", "llama", "aimock")
def chat_tools_stream(run):
    tool = {"type": "function", "function": {
        "name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"]}}
    # How a call is cut into pieces is compared too.
    return [plain(chunk) for chunk in run.chat(
        stream=True, tools=[tool], messages=[{"role": "user", "content": "Weather in Oslo?"}])]


@scenario("sim", "llama", "aimock")
def chat_tool_result(run):
    """The second turn: the call of a tool and what the tool said go back to the provider."""
    tool = {"type": "function", "function": {
        "name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"]}}
    call = {"id": "call_1", "type": "function", "function": {"name": TOOL["name"], "arguments": '{"city":"Oslo"}'}}
    return plain(run.chat(tools=[tool], messages=[
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]))


@scenario("sim")
def chat_image(run):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}
    content = [{"type": "text", "text": "What is this?"}, image]
    return plain(run.chat(messages=[{"role": "user", "content": content}]))


@scenario("sim")
def chat_cached(run):
    messages = [{"role": "system", "content": LONG}, {"role": "user", "content": "One."}]
    return [plain(run.chat(messages=messages).usage) for _ in range(2)]


@scenario("sim", "llama")
def chat_unknown_field_and_header_survive(run):
    raw = run.openai.chat.completions.with_raw_response.create(
        model=run.model, temperature=0, seed=7, max_tokens=5,
        messages=[{"role": "user", "content": "Grüße, 世界 \u0000 😀"}],
        extra_body={"x_unknown": {"deep": [1, 2.50, None]}}, extra_headers={"x-unknown": "kept"})
    return {"status": raw.http_response.status_code, "type": raw.headers.get("content-type"), "body": plain(raw.parse())}


@scenario("sim", "llama")
def chat_bad_request(run):
    return raised(lambda: run.chat(messages="not a list"))


@scenario("sim")
def models(run):
    return sorted(model.id for model in run.openai.models.list())


@scenario("sim")
def retries_after_429_and_500(run):
    results = []
    for fault in ("429", "500", "503", "529"):
        client = run.openai.with_options(max_retries=0)
        results.append(raised(lambda: client.chat.completions.create(
            model=run.model, messages=[{"role": "user", "content": "hi"}], extra_headers={"x-sim-fault": fault})))
        client = run.anthropic.with_options(max_retries=0)
        results.append(raised(lambda: client.messages.create(
            model=run.claude, max_tokens=5, messages=[{"role": "user", "content": "hi"}],
            extra_headers={"x-sim-fault": fault})))
    return results


@scenario("sim")
def sdk_retries_reach_the_provider_one_by_one(run):
    """The SDKs try three times, waiting as long as the provider says; the gateway adds none."""
    before = len(upstream_log(run))
    header = {"x-sim-fault": "429:ms=20"}
    hello = [{"role": "user", "content": "hi"}]
    results = [
        raised(lambda: run.openai.chat.completions.create(model=run.model, messages=hello, extra_headers=header)),
        raised(lambda: run.anthropic.messages.create(
            model=run.claude, max_tokens=5, messages=hello, extra_headers=header)),
    ]
    attempts = len(upstream_log(run)) - before
    assert attempts == 6, attempts
    return [results, attempts]


def upstream_log(run):
    return ask(run.upstream + "/__log")["log"]


@scenario("aimock")
def retried_until_it_works(run):
    """429 and 500, then the answer, which is all that the SDK's user sees; each try is the SDK's own."""
    chat, stream, message, message_stream = (
        [{"role": "user", "content": f"Twice no, then the {what}."}]
        for what in ("chat", "chat stream", "message", "message stream"))
    results = [
        plain(run.chat(messages=chat)),
        [plain(chunk) for chunk in run.chat(messages=stream, stream=True)],
        plain(run.message(messages=message)),
        [plain(event) for event in run.message(messages=message_stream, stream=True)],
    ]
    tries = [entry["response"]["status"] for entry in ask(run.upstream + "/__aimock/journal?testId=" + run.name)]
    assert run.statuses == tries == [429, 500, 200] * 4, [run.statuses, tries]
    return [results, run.statuses]


@scenario("aimock")
def errors_of_each_kind(run):
    """What is never worth a try, and what the SDK gives up on after three."""
    results = []
    for status in (400, 429, 500, 529):
        messages = [{"role": "user", "content": f"Always {status}."}]
        results += [raised(lambda: run.chat(messages=messages)), raised(lambda: run.message(messages=messages))]
    tries = [entry["response"]["status"] for entry in ask(run.upstream + "/__aimock/journal?testId=" + run.name)]
    assert run.statuses == tries == [400] * 2 + [429] * 6 + [500] * 6 + [529] * 6, [run.statuses, tries]
    return [results, run.statuses]


@scenario("aimock")
def stream_that_breaks_off(run):
    messages = [{"role": "user", "content": "Break off."}]
    return [seen(lambda: [plain(chunk) for chunk in run.chat(messages=messages, stream=True)]),
            seen(lambda: [plain(event) for event in run.message(messages=messages, stream=True)])]


@scenario("llama")
def retries_of_what_llama_cannot(run):
    """It makes no embeddings (501) and calls a list that is missing its own fault (500): three tries each."""
    results = [raised(lambda: run.openai.embeddings.create(model=run.model, input="hi")),
               raised(lambda: run.anthropic.post("/v1/messages", body={"model": run.claude}, cast_to=object))]
    assert run.statuses == [501] * 3 + [500] * 3, run.statuses
    return [results, run.statuses]


@scenario("llama")
def cold_and_warm(run):
    """Asked twice: the first reuses nothing of the prompt, the second nearly all, in both dialects."""
    results = []
    for part, ask_once in enumerate((
            lambda text: run.chat(messages=[{"role": "system", "content": text}, {"role": "user", "content": "One."}]),
            lambda text: chat_with_usage_stream(run, text),
            lambda text: run.message(system=text),
            lambda text: run.message(system=text, stream=True))):
        forget(run.upstream)
        text = f"Part {part}. " + LONG[:2000]
        answers = [plain(answer) if hasattr(answer, "model_dump") else [plain(event) for event in answer]
                   for answer in (ask_once(text), ask_once(text))]
        cold, warm = (cached(answer) for answer in answers)
        assert cold < 10 and 400 < warm, [cold, warm]
        results.append(answers)
    return results


def chat_with_usage_stream(run, text):
    return run.chat(stream=True, stream_options={"include_usage": True}, messages=[
        {"role": "system", "content": text}, {"role": "user", "content": "One."}])


def cached(answer):
    """The tokens that a provider says it read from its cache, of an answer or of a stream's events."""
    if isinstance(answer, list):
        return max(map(cached, answer))
    usage = answer.get("usage") or (answer.get("message") or {}).get("usage") or {}
    return (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or usage.get("cache_read_input_tokens") or 0


@scenario("sim")
def broken_streams(run):
    results = []
    for fault in ("midreset", "midclose", "nodone", "miderr", "midjson", "bytewise", "crlf", "comments", "multiline"):
        # Half an event is cut at half the bytes, which are more where usage is asked for.
        whole = 20 if fault == "midjson" else None
        results.append([fault, seen(lambda: [
            c for chunk in run.openai.chat.completions.create(
                model=run.model, stream=True, messages=[{"role": "user", "content": "hi"}],
                extra_headers={"x-sim-fault": fault})
            for c in plain(chunk)["choices"]][:whole])])
        results.append([fault, seen(lambda: [plain(event) for event in run.anthropic.messages.create(
            model=run.claude, max_tokens=20, stream=True, messages=[{"role": "user", "content": "hi"}],
            extra_headers={"x-sim-fault": fault})])])
    return results


@scenario("sim", "llama", "aimock")
def message(run):
    return plain(run.message())


@scenario("sim", "llama", "aimock")
def message_stream(run):
    with run.anthropic.messages.stream(
            model=run.claude, max_tokens=40, extra_body={"temperature": 0}, messages=[{"role": "user", "content": "Say hello to the reader."}]) as stream:
        events = [event.type for event in stream]
        return {"events": events, "final": plain(stream.get_final_message())}


@scenario("sim", "llama", "aimock")
def message_tools(run):
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["schema"]}
    return plain(run.message(tools=[tool], messages=[{"role": "user", "content": "Weather in Oslo?"}]))


@scenario("sim", "aimock")
def message_tools_stream(run):
    """A call of a tool arrives in pieces; joined they are its arguments."""
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["schema"]}
    with run.anthropic.messages.stream(
            model=run.claude, max_tokens=200, tools=[tool], tool_choice={"type": "tool", "name": TOOL["name"]},
            messages=[{"role": "user", "content": "Weather in Oslo?"}]) as stream:
        events = [event.type for event in stream]
        final = plain(stream.get_final_message())
    assert final["stop_reason"] == "tool_use", final
    assert isinstance(final["content"][-1]["input"]["city"], str), final
    return {"events": events, "final": final}


@scenario("aimock")
def responses(run):
    result = run.openai.responses.create(
        model=run.model, instructions="Be brief.", input="Say hello to the reader.", max_output_tokens=40)
    assert result.usage.total_tokens == 30, result.usage
    return plain(result), result.output_text


@scenario("aimock")
def responses_stream(run):
    events = [plain(event) for event in run.openai.responses.create(
        model=run.model, stream=True, input=[{"role": "user", "content": "Say hello to the reader."}])]
    assert events[-1]["type"] == "response.completed", events[-1]
    return events


@scenario("aimock")
def responses_tools_stream(run):
    tool = {"type": "function", "name": TOOL["name"], "parameters": TOOL["schema"], "strict": False}
    question = {"role": "user", "content": "Weather in Oslo?"}
    with run.openai.responses.stream(model=run.model, tools=[tool], input=[question]) as stream:
        events = [plain(event) for event in stream]
        call = stream.get_final_response().output[-1]
    assert json.loads(call.arguments) == {"city": "Oslo"}, call
    said = {"type": "function_call", "call_id": "call_1", "name": call.name, "arguments": call.arguments}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    return events, plain(run.openai.responses.create(model=run.model, tools=[tool], input=[question, said, result]))


@scenario("aimock")
def responses_errors(run):
    return [raised(lambda: run.openai.responses.create(model=run.model, input=f"Always {status}."))
            for status in (400, 429, 500)], run.statuses


@scenario("aimock")
def embeddings(run):
    results = [run.openai.embeddings.create(model="text-embedding-3-small", input=input, **more)
               for input, more in (("one text", {}), (["one", "two"], {}), ("floats", {"encoding_format": "float"}))]
    assert all(result.data[0].embedding for result in results)
    return plain(results)


@scenario("aimock")
def gemini(run):
    result = run.gemini.generate_content(model="gemini-2.5-pro", contents="Say hello to the reader.", config={
        "system_instruction": "Be brief.", "max_output_tokens": 40, "temperature": 0})
    assert result.usage_metadata.total_token_count == 30, result.usage_metadata
    return plain(result), result.text


@scenario("aimock")
def gemini_stream(run):
    chunks = [plain(chunk) for chunk in run.gemini.generate_content_stream(
        model="gemini-2.5-pro", contents="Say hello to the reader.")]
    assert chunks[-1]["candidates"][0]["finish_reason"] == "STOP", chunks[-1]
    return chunks


@scenario("aimock")
def gemini_tools(run):
    declaration = {"name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"]}
    config = {"tools": [{"function_declarations": [declaration]}]}
    question = {"role": "user", "parts": [{"text": "Weather in Oslo?"}]}
    first = run.gemini.generate_content(model="gemini-2.5-pro", contents=[question], config=config)
    assert first.function_calls[0].args == {"city": "Oslo"}, first
    result = {"role": "user", "parts": [{"function_response": {"name": TOOL["name"], "response": {"rain": True}}}]}
    contents = [question, first.candidates[0].content, result]
    return plain([first, run.gemini.generate_content(model="gemini-2.5-pro", contents=contents, config=config)])


@scenario("aimock")
def gemini_errors(run):
    results = []
    for status in (400, 429, 500):
        try:
            run.gemini.generate_content(model="gemini-2.5-pro", contents=f"Always {status}.")
        except genai.errors.APIError as error:
            results.append((type(error).__name__, error.code, error.status, error.message))
    assert len(results) == 3, results
    return results


@scenario("sim", "llama", "aimock")
def message_tool_result(run):
    """The second turn: the call of a tool and what the tool said go back to the provider."""
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["schema"]}
    return plain(run.message(tools=[tool], messages=[
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": TOOL["name"], "input": {"city": "Oslo"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]}]))


@scenario("sim")
def message_prompt_cache(run):
    """Written once, read once: the provider's own counts arrive, with both lives."""
    results = []
    for ttl in ("5m", "1h"):
        system = [{"type": "text", "text": LONG + ttl, "cache_control": {"type": "ephemeral", "ttl": ttl}}]
        usages = [plain(run.message(system=system).usage) for _ in range(2)]
        assert usages[0]["cache_creation_input_tokens"] > 0, usages
        assert usages[1]["cache_read_input_tokens"] == usages[0]["cache_creation_input_tokens"], usages
        results.append(usages)
    return results


@scenario("sim")
def message_prompt_cache_stream(run):
    """The counts of a stream come in its first event and again in its last."""
    system = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    usages = []
    for _ in range(2):
        with run.anthropic.messages.stream(
                model=run.claude, max_tokens=40, system=system, messages=[{"role": "user", "content": "One."}]) as stream:
            usages.append(plain(stream.get_final_message().usage))
    assert 0 < usages[0]["cache_creation_input_tokens"] == usages[1]["cache_read_input_tokens"], usages
    return usages


@scenario("sim", "llama")
def message_count_tokens(run):
    return plain(run.anthropic.messages.count_tokens(
        model=run.claude, messages=[{"role": "user", "content": "How many?"}]))


@scenario("sim")
def message_too_many_marks(run):
    mark = {"type": "ephemeral"}
    content = [{"type": "text", "text": f"part {n}", "cache_control": mark} for n in range(5)]
    return raised(lambda: run.message(messages=[{"role": "user", "content": content}]))


@scenario("sim")
def message_bad_request(run):
    return raised(lambda: run.message(messages=[]))


def raised(function):
    try:
        return {"no error": plain(function())}
    except (openai.APIError, anthropic.APIError) as error:
        body = plain(getattr(error, "body", None))
        return {"raised": type(error).__name__, "status": getattr(error, "status_code", None), "body": body}


def seen(function):
    """What was seen, or that it raised. A connection that breaks under the SDK becomes an error event of
    the dialect behind the gateway, so the type of the error is better there, not the same."""
    try:
        return {"seen": function()}
    except Exception:  # noqa: BLE001 - whatever a user would see
        return {"raised": True}


def main():
    parser = argparse.ArgumentParser()
    for name in ("upstream", "direct", "through", "model"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--claude", default="claude-opus-4-5")
    arguments = parser.parse_args()
    passed, failed = 0, 0
    for function, upstreams in SCENARIOS:
        if arguments.upstream not in upstreams:
            continue
        try:
            direct = function(Run(arguments.direct, function.__name__ + "-direct", arguments))
            through = function(Run(arguments.through, function.__name__ + "-through", arguments))
            assert direct == through, "direct: %s\nthrough: %s" % tuple(
                json.dumps(v, indent=1, default=str)[:3000] for v in (direct, through))
            passed += 1
        except Exception as error:  # noqa: BLE001 - counted, shown, and fails the run
            failed += 1
            print(f"FAILED python {arguments.upstream} {function.__name__}: {type(error).__name__}: {error}")
    print(f"python-{arguments.upstream}: {passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
