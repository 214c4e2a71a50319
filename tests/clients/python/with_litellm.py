"""LiteLLM as a client, and what it and Helicone's users say of a call in headers."""

import compare
import litellm

litellm.suppress_debug_info = True
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather in a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def ask(at, content=compare.HELLO, provider="openai", headers=(), **more):
    where = {"openai": (at.v1, compare.CHAT), "anthropic": (at.base, compare.CLAUDE)}
    base, model = where[provider]
    return litellm.completion(
        model=f"{provider}/{model}", api_base=base, api_key=at.key, max_tokens=200, num_retries=0, max_retries=0,
        extra_headers={**at.headers, **dict(headers)}, messages=[{"role": "user", "content": content}], **more)


def both(at, *arguments, **more):
    return [ask(at, *arguments, provider=provider, **more) for provider in ("openai", "anthropic")]


def completion(at):
    answers = both(at)
    assert all(answer.usage.total_tokens == 30 for answer in answers), answers
    return answers


def stream(at):
    return [list(answer) for answer in both(at, stream=True)]


def stream_with_usage(at):
    streams = [list(answer) for answer in both(at, stream=True, stream_options={"include_usage": True})]
    assert all(chunks[-1].usage.total_tokens == 30 for chunks in streams), streams
    return streams


def tools(at):
    answers = both(at, compare.WEATHER, tools=[TOOL])
    assert all(answer.choices[0].message.tool_calls[0].function.name == "weather" for answer in answers), answers
    return answers


def responses(at):
    return litellm.responses(
        model="openai/" + compare.CHAT, api_base=at.v1, api_key=at.key, input=compare.HELLO, extra_headers=at.headers)


def embeddings(at):
    return litellm.embedding(
        model="openai/" + compare.EMBEDDING, api_base=at.v1, api_key=at.key, input=["one", "two"],
        extra_headers=at.headers)


def errors(at):
    return [compare.raised(lambda provider=provider, status=status: ask(at, f"Always {status}.", provider=provider))
            for provider in ("openai", "anthropic") for status in (400, 429, 500, 529)]


def says(at, operation, **headers):
    """The tags and the session that the gateway keeps of a call with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    ask(at, headers={"x-scrimp-op": operation, **named})
    call = compare.recorded(at, operation)
    return [f"{tag['name']}={tag['value']}" for tag in call["tags"]], call["session"]


def headers_of_litellm(at):
    tags, session = says(
        at, "litellm", x_litellm_tags="beta,nightly", x_litellm_end_user_id="ada", x_litellm_session_id="one")
    assert tags == ["tag=beta", "tag=nightly", "user=ada"], tags
    _, same = says(at, "litellm-again", x_litellm_session_id="one")
    _, other = says(at, "litellm-other", x_litellm_session_id="two")
    assert session and session == same != other, (session, same, other)


def headers_of_helicone(at):
    tags, session = says(
        at, "helicone", Helicone_Property_Team="search", Helicone_User_Id="ada", Helicone_Session_Id="one")
    assert tags == ["team=search", "user=ada"], tags
    _, litellm_s = says(at, "helicone-again", x_litellm_session_id="one")
    assert session and session == litellm_s, (session, litellm_s)


compare.main(
    completion, stream, stream_with_usage, tools, responses, embeddings, errors,
    through_only=(headers_of_litellm, headers_of_helicone))
