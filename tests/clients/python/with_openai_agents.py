"""openai-agents: agents over responses and over chat completions, with a tool, typed and as a stream."""

import logging

import compare
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from openai import AsyncOpenAI
from pydantic import BaseModel


# Errors are what is asked for here.
logging.disable()


class Report(BaseModel):
    """The weather of a city"""

    city: str
    celsius: int


@function_tool
def weather(city: str) -> str:
    """The weather in a city"""
    return f"rain in {city}"


def each(at, ask, **agent):
    async def all_of_them():
        client = AsyncOpenAI(base_url=at.v1, api_key=at.key, default_headers=at.headers, max_retries=0)
        models = [OpenAIResponsesModel(compare.CHAT, client), OpenAIChatCompletionsModel(compare.CHAT, client)]
        return [await ask(Agent(name="helper", instructions="Be brief.", model=model, **agent)) for model in models]
    return compare.LOOP.run_until_complete(all_of_them())


def shown(result):
    return [result.final_output, result.to_input_list(), [answer.usage for answer in result.raw_responses]]


def run(at):
    async def ask(agent):
        return shown(await Runner.run(agent, compare.HELLO))
    return each(at, ask)


def tools(at):
    async def ask(agent):
        result = await Runner.run(agent, compare.WEATHER)
        assert result.final_output == "It rains in Oslo.", result
        return shown(result)
    return each(at, ask, tools=[weather])


def stream(at):
    async def ask(agent):
        result = Runner.run_streamed(agent, compare.WEATHER)
        events = [event.type async for event in result.stream_events()]
        return [events, shown(result)]
    return each(at, ask, tools=[weather])


def structured_output(at):
    async def ask(agent):
        result = await Runner.run(agent, "Report on Oslo as JSON.")
        assert result.final_output == Report(**compare.REPORT), result
        return shown(result)
    return each(at, ask, output_type=Report)


def errors(at):
    async def ask(agent):
        return [await caught(agent, status) for status in (400, 429, 500)]
    return each(at, ask)


async def caught(agent, status):
    try:
        return shown(await Runner.run(agent, f"Always {status}."))
    except Exception as error:  # noqa: BLE001 - whatever a user would see
        return [type(error).__name__, getattr(error, "status_code", None)]


compare.main(run, tools, stream, structured_output, errors)
