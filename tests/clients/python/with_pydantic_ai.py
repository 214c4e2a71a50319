"""pydantic-ai: agents with tools and with typed results, over chat completions, responses and messages."""

import compare
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Report(BaseModel):
    """The weather of a city"""

    city: str
    celsius: int


def weather(city: str) -> str:
    """The weather in a city"""
    return f"rain in {city}"


def models(at):
    shared = {"api_key": at.key, "default_headers": at.headers, "max_retries": 0}
    openai = OpenAIProvider(openai_client=AsyncOpenAI(base_url=at.v1, **shared))
    anthropic = AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=at.base, **shared))
    return [OpenAIChatModel(compare.CHAT, provider=openai), OpenAIResponsesModel(compare.CHAT, provider=openai),
            AnthropicModel(compare.CLAUDE, provider=anthropic)]


def each(at, ask):
    async def all_of_them():
        return [await ask(model) for model in models(at)]
    return compare.LOOP.run_until_complete(all_of_them())


def run(at):
    async def ask(model):
        answer = await Agent(model, system_prompt="Be brief.").run(compare.HELLO)
        return [answer.output, answer.all_messages(), answer.usage]
    return each(at, ask)


def stream(at):
    async def ask(model):
        async with Agent(model).run_stream(compare.HELLO) as answer:
            pieces = [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]
            return [pieces, answer.all_messages(), answer.usage]
    return each(at, ask)


def tools(at):
    async def ask(model):
        answer = await Agent(model, tools=[weather]).run(compare.WEATHER)
        assert answer.output == "It rains in Oslo.", answer
        return answer.all_messages()
    return each(at, ask)


def structured_output(at):
    async def ask(model):
        answer = await Agent(model, output_type=Report).run("Report on Oslo as the final result.")
        assert answer.output == Report(**compare.REPORT), answer
        return answer.all_messages()
    return each(at, ask)


def errors(at):
    async def ask(model):
        results = []
        for status in (400, 429, 500):
            try:
                results.append(await Agent(model).run(f"Always {status}."))
            except Exception as error:  # noqa: BLE001 - whatever a user would see
                results.append([type(error).__name__, getattr(error, "status_code", None), str(error)])
        return results
    return each(at, ask)


compare.main(run, stream, tools, structured_output, errors)
