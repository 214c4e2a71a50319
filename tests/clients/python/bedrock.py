"""Amazon's own SDK, direct and through the gateway: the same results.

usage: bedrock.py --upstream URL --scrimp PROGRAM --folder FOLDER

Three ways to the same upstream: straight; through a provider without a key, which
gets the SDK's own signature; and through one that is signed for with an access key, where the SDK's own
must go no further. What the SDK hands to its user must be
equal.

The upstream is a listener here. It signs what the gateway signed once more with botocore's code and
compares: every signature has to be the one that Amazon's own library makes. Calls that are no streams it
passes on to aimock; of streams aimock writes frames that this SDK does not read (a block's start that is
empty, chunks without `bytes`), so those are written here.
"""

import argparse
import base64
import datetime
import http.client
import http.server
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import threading
import urllib.parse
import zlib

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0"
KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session==")
CUT = "amazon.nova-cut-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Say hello to the reader."}]}]
WEATHER = {"name": "weather", "description": "The weather in a city", "inputSchema": {"json": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


def plain(value):
    """What a user sees, without what differs from run to run."""
    if isinstance(value, dict):
        left_out = {"ResponseMetadata", "toolUseId", "id", "metrics"}
        return {k: plain(v) for k, v in value.items() if k not in left_out}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


@scenario
def converse(client):
    answer = client.converse(
        modelId=CLAUDE, messages=HELLO, system=[{"text": "Be brief."}], inferenceConfig={"maxTokens": 40})
    assert answer["usage"]["inputTokens"] == 21, answer["usage"]
    return plain(answer)


@scenario
def converse_of_an_arn(client):
    return plain(client.converse(modelId=NOVA, messages=HELLO))


@scenario
def converse_stream(client):
    events = list(client.converse_stream(modelId=CLAUDE, messages=HELLO)["stream"])
    assert events[-1]["metadata"]["usage"]["cacheReadInputTokens"] == 9, events[-1]
    return plain(events)


@scenario
def converse_stream_that_breaks_off(client):
    """What came before is there; what is raised is Bedrock's own word for it behind the gateway."""
    seen, raised = [], None
    try:
        for event in client.converse_stream(modelId=CUT, messages=HELLO)["stream"]:
            seen.append(event)
    except (ClientError, BotoCoreError, OSError, zlib.error) as error:
        raised = error
    except Exception as error:  # noqa: BLE001 - urllib3 is the SDK's affair
        raised = error
    assert raised is not None and seen, (seen, raised)
    return seen


@scenario
def converse_tools(client):
    question = {"role": "user", "content": [{"text": "Weather in Oslo?"}]}
    first = client.converse(modelId=CLAUDE, messages=[question], toolConfig={"tools": [{"toolSpec": WEATHER}]})
    said = first["output"]["message"]
    call = next(part["toolUse"] for part in said["content"] if "toolUse" in part)
    assert call["input"] == {"city": "Oslo"}, call
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"rain": True}}]}
    second = client.converse(
        modelId=CLAUDE, toolConfig={"tools": [{"toolSpec": WEATHER}]},
        messages=[question, said, {"role": "user", "content": [{"toolResult": result}]}])
    return plain([first, second])


def claude_body(**more):
    return json.dumps({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 40,
        "messages": [{"role": "user", "content": "Say hello to the reader."}], **more})


@scenario
def invoke_claude(client):
    answer = client.invoke_model(modelId=CLAUDE, body=claude_body())
    return answer["contentType"], plain(json.loads(answer["body"].read()))


@scenario
def invoke_claude_stream(client):
    answer = client.invoke_model_with_response_stream(modelId=CLAUDE, body=claude_body())
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert events[-1]["type"] == "message_stop", events
    return events


@scenario
def errors(client):
    """Their type is what an application catches."""
    raised = []
    for status in (400, 429, 500):
        try:
            client.converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": f"Always {status}."}]}])
        except ClientError as error:
            answer = error.response
            raised.append((type(error).__name__, answer["ResponseMetadata"]["HTTPStatusCode"], plain(answer["Error"])))
    assert [status for _, status, _ in raised] == [400, 429, 500], raised
    return raised


def frame(name, payload):
    """A frame of Amazon's event streams."""
    def header(key, value):
        return struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()

    headers = header(":event-type", name) + header(":content-type", "application/json") + header(":message-type", "event")
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    whole = prelude + headers + body
    return whole + struct.pack("!I", zlib.crc32(whole))


CONVERSED = [
    frame("messageStart", {"role": "assistant"}),
    *[frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in ("Hello", " from", " frames.")],
    frame("contentBlockStop", {"contentBlockIndex": 0}),
    frame("messageStop", {"stopReason": "end_turn"}),
    frame("metadata", {"metrics": {"latencyMs": 7}, "usage": {
        "inputTokens": 21, "outputTokens": 3, "totalTokens": 33, "cacheReadInputTokens": 9, "cacheWriteInputTokens": 0}}),
]
INVOKED = [frame("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}) for event in (
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
                                          "model": "claude", "usage": {"input_tokens": 21, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 21, "outputTokenCount": 3}},
)]


class Upstream:
    """Bedrock, as far as it is needed: streams of its own, and the rest from aimock at `base`."""

    def __init__(self, base, is_signed):
        self.host, self.problems, self.seen = urllib.parse.urlsplit(base).netloc, [], 0
        self.is_signed = is_signed
        witness = self

        class Passing(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if witness.is_signed:
                    witness.look(self, body)
                if self.path.endswith("-stream"):
                    return self.stream(INVOKED if "/invoke-" in self.path else CONVERSED)
                upstream = http.client.HTTPConnection(witness.host, timeout=60)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
                upstream.request("POST", self.path, body, headers)
                answer = upstream.getresponse()
                told = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection", "keep-alive"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def stream(self, frames):
                self.send_response(200)
                self.send_header("content-type", "application/vnd.amazon.eventstream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                is_cut = "nova-cut" in self.path
                for piece in [*frames[:3], frames[3][:40]] if is_cut else frames:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                if is_cut:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def look(self, request, body):
        self.seen += 1
        shown = request.headers.get_all("authorization")
        at = request.headers.get("x-amz-date", "")
        kept = ("content-type", "host")
        again = AWSRequest(
            "POST", f"http://{self.address}{request.path}", data=body,
            headers={k: v for k, v in request.headers.items() if k.lower() in kept})
        signer = Dated(KEY, "bedrock", "eu-west-1")
        signer.at = at
        signer.add_auth(again)
        if shown != [again.headers["Authorization"]]:
            self.problems.append(f"{request.path}: {shown} and not {again.headers['Authorization']}")
        if "AKIDCALLER" in str(request.headers) or request.headers.get_all("x-amz-security-token") != ["session=="]:
            self.problems.append(f"{request.path}: the caller's own signature came through")
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(at + "+0000", "%Y%m%dT%H%M%SZ%z")
        if abs(age) > datetime.timedelta(minutes=5):
            self.problems.append(f"{request.path}: signed at {at}")


class Dated(botocore.auth.SigV4Auth):
    """Signs as of a given time: the library's own, but for its clock."""

    at = ""

    def add_auth(self, request):
        request.context["timestamp"] = self.at
        self._modify_request_before_signing(request)
        to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(to_sign, request))


def client(base):
    return boto3.client(
        "bedrock-runtime", region_name="eu-west-1", endpoint_url=base, aws_access_key_id="AKIDCALLER",
        aws_secret_access_key="s", aws_session_token="theirs",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60))


def start(scrimp, folder, upstream, witness):
    """A gateway in front of both listeners; the second of its providers signs."""
    data, config = folder / "store-bedrock", folder / "bedrock.toml"
    shutil.rmtree(data, ignore_errors=True)
    config.write_text(f"""
        [providers.bedrock]
        dialect = "bedrock"
        base_url = "{upstream}"
        [providers.gone]
        dialect = "bedrock"
        base_url = "http://127.0.0.1:9"
        [providers.signing]
        dialect = "bedrock"
        base_url = "http://{witness}"
        region = "eu-west-1"
        access_key_id = "{KEY.access_key}"
        secret_access_key = "{KEY.secret_key}"
        session_token = "{KEY.token}"
        """)
    command = [scrimp, "serve", "--listen", "127.0.0.1:0", "--config", config, "--data", data]
    gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in gateway.stdout:
        if "http://" in line:
            return gateway, "http://" + line.split("http://")[1].split()[0].rstrip("/")
    raise SystemExit("the gateway ended without saying where it listens")


def check(function, ways):
    (_, direct), *others = [(name, function(client(base))) for name, base in ways]
    for name, got in others:
        shown = [json.dumps(value, indent=1, default=str)[:3000] for value in (direct, got)]
        assert got == direct, f"direct: {shown[0]}\n{name}: {shown[1]}"


def check_own_error(address):
    """What the gateway itself has to say is raised as the SDK's own type, with its words."""
    gone = client(address + "/gone")
    try:
        gone.converse(modelId=CLAUDE, messages=HELLO)
    except gone.exceptions.ServiceUnavailableException as error:
        assert "cannot be reached" in error.response["Error"]["Message"], error
    else:
        raise AssertionError("nothing was raised")


def main():
    parser = argparse.ArgumentParser()
    for name in ("upstream", "scrimp", "folder"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    bare, witness = Upstream(arguments.upstream, False), Upstream(arguments.upstream, True)
    gateway, address = start(
        arguments.scrimp, pathlib.Path(arguments.folder), f"http://{bare.address}", witness.address)
    ways = [
        ("direct", f"http://{bare.address}"),
        ("through", address),
        ("signed", address + "/signing"),
    ]
    failed = 0
    try:
        checks = [(function.__name__, lambda function=function: check(function, ways)) for function in SCENARIOS]
        checks.append(("check_own_error", lambda: check_own_error(address)))
        for name, run in checks:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - counted, shown, and fails the run
                failed += 1
                print(f"FAILED boto3 {name}: {type(error).__name__}: {error}")
    finally:
        gateway.terminate()
    for problem in witness.problems:
        print(f"FAILED boto3 signature: {problem}")
    passed = len(checks) - failed
    print(f"boto3: {passed} passed, {failed} failed; {witness.seen} signatures, {len(witness.problems)} wrong")
    sys.exit(1 if failed or witness.problems or not witness.seen else 0)


main()
