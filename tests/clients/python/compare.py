"""What every file of a framework shares: its calls, direct and through the gateway, with the same results.

A framework has a file of its own, `with_NAME.py`, which names its scenarios and calls `main`:
with_NAME.py --direct URL --through URL. The upstream is aimock, whose answers are in ../aimock; each
run has a key and a test id of its own. What the framework hands to its user must be equal; only ids
and times are left out.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import sys
import time
import urllib.request

# They ask for nothing but what a scenario asks for.
os.environ.update({
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false",
    "DO_NOT_TRACK": "1"})

LEFT_OUT = {
    "id", "item_id", "response_id", "provider_response_id", "request_id", "run_id", "conversation_id", "created",
    "created_at", "completed_at", "timestamp", "system_fingerprint", "provider_url"}
CHAT, CLAUDE, EMBEDDING = "gpt-4o", "claude-opus-4-5", "text-embedding-3-small"
HELLO, WEATHER = "Say hello to the reader.", "Weather in Oslo?"
REPORT = {"city": "Oslo", "celsius": 7}


# One for all scenarios: clients close their connections when they are forgotten, in the loop that opened them.
LOOP = asyncio.new_event_loop()


class At:
    """Where a scenario makes its calls, and as whom."""

    def __init__(self, base, name):
        self.base, self.v1, self.key = base, base + "/v1", "sk-" + name
        self.headers = {"x-test-id": name}


def plain(value):
    """What a user sees, without ids and times."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(warnings=False)
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in LEFT_OUT}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if isinstance(value, (str, int, float, type(None))) else type(value).__name__


def raised(function):
    """What a user catches."""
    try:
        return {"no error": plain(function())}
    except Exception as error:  # noqa: BLE001 - whatever a user would see
        return {"raised": type(error).__name__, "status": getattr(error, "status_code", None), "says": str(error)}


def ask(url):
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def recorded(at, operation):
    """What the gateway wrote down of a call, found by the name of its operation."""
    deadline = time.monotonic() + 10
    while True:
        rows = [row for row in ask(at.base + "/api/v1/calls")["calls"] if row["operation"] == operation]
        # Records reach the disk a moment after their calls.
        if rows or deadline < time.monotonic():
            assert len(rows) == 1, rows
            return ask(f"{at.base}/api/v1/calls/{rows[0]['id']}")
        time.sleep(0.02)


def main(*scenarios, through_only=()):
    """Runs every scenario against both, and what concerns the gateway's records through it alone."""
    parser = argparse.ArgumentParser()
    for name in ("direct", "through"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    client = os.path.basename(sys.argv[0]).removeprefix("with_").removesuffix(".py")
    passed, failed = 0, 0

    def run(scenario):
        through = plain(scenario(At(arguments.through, f"{client}-{scenario.__name__}-through")))
        if scenario in through_only:
            return
        direct = plain(scenario(At(arguments.direct, f"{client}-{scenario.__name__}-direct")))
        assert direct == through, "direct: %s\nthrough: %s" % tuple(
            json.dumps(v, indent=1, default=str)[:3000] for v in (direct, through))

    for scenario in (*scenarios, *through_only):
        try:
            run(scenario)
            passed += 1
        except Exception as error:  # noqa: BLE001 - counted, shown, and fails the run
            failed += 1
            print(f"FAILED {client} {scenario.__name__}: {type(error).__name__}: {error}")
    print(f"python-{client}: {passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
