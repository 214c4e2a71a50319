"""instructor: typed results by tools and by JSON, whole and in part while they arrive."""

import logging

import compare
import instructor
import openai
from pydantic import BaseModel


# Errors are what is asked for here.
logging.disable()


class Report(BaseModel):
    """The weather of a city"""

    city: str
    celsius: int


def ask(at, mode, question, function="create"):
    plain = openai.OpenAI(base_url=at.v1, api_key=at.key, default_headers=at.headers, max_retries=0)
    client = instructor.from_openai(plain, mode=mode).chat.completions
    return getattr(client, function)(
        model=compare.CHAT, response_model=Report, messages=[{"role": "user", "content": question}])


def structured_output(at):
    reports = [ask(at, instructor.Mode.TOOLS, "Report on Oslo by a tool."),
               ask(at, instructor.Mode.JSON, "Report on Oslo as JSON.")]
    assert all(report.model_dump() == compare.REPORT for report in reports), reports
    return reports


def with_completion(at):
    report, answer = ask(at, instructor.Mode.TOOLS, "Report on Oslo by a tool.", "create_with_completion")
    return [report, answer]


def partial(at):
    reports = list(ask(at, instructor.Mode.TOOLS, "Report on Oslo by a tool.", "create_partial"))
    assert reports[-1].model_dump() == compare.REPORT, reports
    return reports


def errors(at):
    return [compare.raised(lambda status=status: ask(at, instructor.Mode.TOOLS, f"Always {status}."))
            for status in (400, 429, 500)]


compare.main(structured_output, with_completion, partial, errors)
