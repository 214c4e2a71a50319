"""LangChain: langchain-openai (chat completions and responses), langchain-anthropic, embeddings."""

import compare
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class Report(BaseModel):
    """The weather of a city"""

    city: str
    celsius: int


@tool
def weather(city: str) -> str:
    """The weather in a city"""
    return f"rain in {city}"


def openai(at, **more):
    return ChatOpenAI(
        model=compare.CHAT, base_url=at.v1, api_key=at.key, default_headers=at.headers, max_retries=0,
        temperature=0, **more)


def anthropic(at):
    return ChatAnthropic(
        model=compare.CLAUDE, base_url=at.base, api_key=at.key, default_headers=at.headers, max_retries=0,
        max_tokens=200)


def models(at):
    return [openai(at, use_responses_api=False), openai(at, use_responses_api=True), anthropic(at)]


def invoke(at):
    answers = [model.invoke(compare.HELLO) for model in models(at)]
    assert all(answer.usage_metadata["total_tokens"] == 30 for answer in answers), answers
    return answers


def stream(at):
    streams = [list(model.stream(compare.HELLO)) for model in models(at)]
    assert all(1 < len(chunks) for chunks in streams), streams
    return streams


def stream_without_usage(at):
    return list(openai(at, stream_usage=False).stream(compare.HELLO))


def tools(at):
    """Both turns: the model calls a tool, and is told what it said."""
    turns = []
    for model in models(at):
        bound, question = model.bind_tools([weather]), HumanMessage(compare.WEATHER)
        called = bound.invoke([question])
        (call,) = called.tool_calls
        result = weather.invoke(call)
        assert isinstance(result, ToolMessage) and result.content == "rain in Oslo", result
        turns += [called, bound.invoke([question, called, result])]
    return turns


def structured_output(at):
    by_schema = openai(at).with_structured_output(Report, method="json_schema")
    by_function = openai(at).with_structured_output(Report, method="function_calling")
    by_tool = anthropic(at).with_structured_output(Report, method="function_calling")
    reports = [
        by_schema.invoke("Report on Oslo as JSON."),
        by_function.invoke("Report on Oslo by a tool."),
        by_tool.invoke("Report on Oslo by a tool.")]
    assert all(report == Report(**compare.REPORT) for report in reports), reports
    return reports


def embeddings(at):
    # Told to count tokens itself, it would fetch a vocabulary.
    embed = OpenAIEmbeddings(
        model=compare.EMBEDDING, base_url=at.v1, api_key=at.key, default_headers=at.headers,
        check_embedding_ctx_length=False)
    return [embed.embed_query("one text"), embed.embed_documents(["one", "two"])]


def errors(at):
    return [compare.raised(lambda model=model, status=status: model.invoke(f"Always {status}."))
            for model in models(at) for status in (400, 429, 500, 529)]


compare.main(invoke, stream, stream_without_usage, tools, structured_output, embeddings, errors)
