"""LlamaIndex: chat, stream, a tool and a typed result of OpenAI's models, and embeddings."""

import compare
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI, OpenAIResponses
from pydantic import BaseModel


class Report(BaseModel):
    """The weather of a city"""

    city: str
    celsius: int


def weather(city: str) -> str:
    """The weather in a city"""
    return f"rain in {city}"


def models(at):
    shared = {"model": compare.CHAT, "api_base": at.v1, "api_key": at.key, "default_headers": at.headers,
              "max_retries": 0, "reuse_client": False}
    return [OpenAI(**shared), OpenAIResponses(**shared)]


def hello():
    return [ChatMessage(role="user", content=compare.HELLO)]


def shown(answer):
    return [answer.message, answer.raw]


def chat(at):
    return [shown(model.chat(hello())) for model in models(at)]


def complete(at):
    return [model.complete(compare.HELLO).text for model in models(at)]


def stream(at):
    streams = [list(model.stream_chat(hello())) for model in models(at)]
    assert all(1 < len(chunks) for chunks in streams), streams
    return [[[chunk.delta, chunk.raw] for chunk in chunks] for chunks in streams]


def tools(at):
    tool = FunctionTool.from_defaults(weather)
    results = [model.predict_and_call([tool], compare.WEATHER) for model in models(at)]
    assert all(str(result) == "rain in Oslo" for result in results), results
    return [str(result) for result in results]


def structured_output(at):
    report = models(at)[0].structured_predict(Report, PromptTemplate("Report on Oslo as JSON."))
    assert report == Report(**compare.REPORT), report
    return report


def embeddings(at):
    embed = OpenAIEmbedding(
        model=compare.EMBEDDING, api_base=at.v1, api_key=at.key, default_headers=at.headers, max_retries=1)
    return [embed.get_text_embedding("one text"), embed.get_text_embedding_batch(["one", "two"])]


def errors(at):
    # Slow-downs and faults it tries again on its own, whatever it is told, seconds apart.
    return [compare.raised(lambda model=model: model.chat([ChatMessage(content="Always 400.")])) for model in models(at)]


compare.main(chat, complete, stream, tools, structured_output, embeddings, errors)
