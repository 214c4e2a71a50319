//! The routes, and the order in which a call meets them: fixed answers, the fault, the key, the
//! reading, the limits, the caches, the answer.

use crate::ask::{Ask, Delivery, Refusal};
use crate::connection::{Line, Severance};
use crate::dice::{Dice, Key, digest};
use crate::fault::{FAULT_HEADER, Fault, FaultKind};
use crate::latency::milliseconds;
use crate::limits::Allowance;
use crate::log::{Logged, Track};
use crate::mangle::{self, Outgoing};
use crate::models::{Api, MODELS, Model};
use crate::paced::{Due, Paced, Plan};
use crate::provider::{Answers, Bodies, Provider, veiled};
use crate::speech::{self, Answer};
use crate::telling::Telling;
use crate::ticket::Ticket;
use crate::{anthropic, bench, heads, openai, raw};
use bytes::Bytes;
use http::response::Builder;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest body of a request, as at Anthropic.
const LONGEST_BODY: usize = 32 << 20;

/// A body that is there at once, or one in the making.
pub(crate) type Body = Either<Full<Bytes>, Paced>;

/// A request that has arrived in full.
struct Arrival {
    provider: Arc<Provider>,
    line: Arc<Line>,
    headers: HeaderMap,
    body: Bytes,
    track: Track,
    at: Instant,
    at_ms: u64,
    request_id: String,
}

/// Answers one request.
pub(crate) async fn answer(
    provider: Arc<Provider>,
    request: Request<Incoming>,
    line: Arc<Line>,
) -> Result<Response<Body>, Infallible> {
    if provider.settings().answers == Answers::Fixed {
        return Ok(bench::answer(request).await.map(|body| Either::Left(Full::new(body))));
    }
    let at = Instant::now();
    let at_ms = provider.now_ms();
    let (head, body) = request.into_parts();
    let body =
        Limited::new(body, LONGEST_BODY).collect().await.map(http_body_util::Collected::to_bytes);
    let path = head.uri.path();
    if (&head.method, path) == (&Method::GET, "/__log") {
        return Ok(json_body(
            Response::builder(),
            &json!({"log": provider.log(), "bills": provider.bills()}),
        ));
    }
    let track = Track::new(provider.clone(), logged(&provider, &head, body.as_ref().ok(), at_ms));
    let request_id = provider.request_id(track.call);
    let headers = head.headers;
    let api = match path {
        "/v1/chat/completions" => Api::OpenAi,
        _ if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") => {
            Api::Anthropic
        }
        _ => Api::OpenAi,
    };
    let whole = body.is_ok();
    let body = body.unwrap_or_default();
    let arrival = Arrival { provider, line, headers, body, track, at, at_ms, request_id };
    if !whole {
        return Ok(refuse(arrival, api, &heads::refusal_of_status(api, 413)));
    }
    Ok(match (head.method.as_str(), path) {
        ("POST", "/v1/chat/completions" | "/v1/messages") => converse(arrival, api).await,
        ("POST", "/v1/messages/count_tokens") => count(arrival),
        ("GET", "/v1/models") => models(arrival, api),
        ("GET", _) if path.starts_with("/v1/models/") => {
            one_model(arrival, api, &path["/v1/models/".len()..])
        }
        ("HEAD" | "GET", "/") => plain(arrival, 200, Bytes::new()),
        _ => refuse(arrival, api, &heads::refusal_of_status(api, 404)),
    })
}

fn logged(
    provider: &Provider,
    head: &http::request::Parts,
    body: Option<&Bytes>,
    at_ms: u64,
) -> Logged {
    let secret = ["authorization", "x-api-key", "cookie"];
    let value = |name: &str, value: &http::HeaderValue| match secret.contains(&name) {
        true => veiled(value.as_bytes()),
        false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    let headers = head.headers.iter();
    let kept = body.filter(|_| provider.settings().bodies == Bodies::Keep);
    Logged {
        call: 0,
        at_ms,
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: headers.map(|(name, own)| (name.to_string(), value(name.as_str(), own))).collect(),
        body_bytes: body.map_or(0, |body| body.len() as u64),
        body_digest: body.map_or_else(String::new, |body| blake3::hash(body).to_hex().to_string()),
        body: kept.cloned(),
        fault: None,
        status: 0,
        events: 0,
        sent_bytes: 0,
        ended_ms: None,
        aborted_ms: None,
    }
}

/// A call of a model.
async fn converse(arrival: Arrival, api: Api) -> Response<Body> {
    let asked = arrival.headers.get(FAULT_HEADER);
    let asked = asked.map(|value| String::from_utf8_lossy(value.as_bytes()).parse::<Fault>());
    let asked = match asked.transpose() {
        Ok(asked) => asked,
        Err(unknown) => return refuse(arrival, api, &Refusal::invalid(unknown.to_string())),
    };
    let Some(owner) = owner(&arrival.headers) else {
        let refusal = Refusal {
            message: "The simulated provider takes any key, but there has to be one.".to_owned(),
            ..heads::refusal_of_status(api, 401)
        };
        return refuse(arrival, api, &refusal);
    };
    let read = match api {
        Api::OpenAi => openai::read(&arrival.body),
        Api::Anthropic => anthropic::read(&arrival.body),
    };
    let ask = match read {
        Ok(ask) => ask,
        Err(refusal) => return refuse(arrival, api, &refusal),
    };
    let fingerprint = ask.fingerprint();
    let fault = asked.or_else(|| arrival.provider.chance_fault(fingerprint));
    if let Some(fault) = &fault {
        arrival.track.note(|entry| entry.fault = Some(fault.name()));
        if let Some(response) = play(&arrival, fault, api).await {
            return finish(arrival, response);
        }
    }
    let meter = digest(&[&owner.to_le_bytes(), ask.model.id.as_bytes()]);
    match arrival.provider.take(meter, ask.prompt.tokens(), arrival.at_ms) {
        Err(exhausted) => {
            let refusal = heads::over_limit(api, &exhausted);
            let builder = heads::start(api, 429, &arrival.request_id)
                .header("retry-after", exhausted.retry_after.as_secs() + 1);
            let builder =
                heads::with_limits(builder, api, &exhausted.allowance, arrival.provider.unix_s());
            let body = heads::error_body(api, &refusal, &arrival.request_id);
            finish(arrival, json_response(builder, body))
        }
        Ok(allowance) => speak(arrival, ask, fingerprint, owner, (fault, allowance)).await,
    }
}

/// Whose caches and limits a call uses: the key, and the workspace where one is named.
fn owner(headers: &HeaderMap) -> Option<Key> {
    let key = headers.get("x-api-key").or_else(|| headers.get("authorization"))?;
    let workspace =
        headers.get("anthropic-workspace-id").map_or(&b""[..], |value| value.as_bytes());
    Some(digest(&[key.as_bytes(), workspace]))
}

/// Plays a fault that needs no answer. `None` if it is one that changes an answer.
async fn play(arrival: &Arrival, fault: &Fault, api: Api) -> Option<Response<Body>> {
    let line = &arrival.line;
    match fault.kind {
        FaultKind::Hang => std::future::pending().await,
        FaultKind::Reset => sever(line, Severance::Reset).await,
        FaultKind::Close => sever(line, Severance::Close).await,
        FaultKind::Html => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>\r\n";
            let builder = Response::builder().status(502).header("content-type", "text/html");
            Some(whole_response(builder, Bytes::from_static(page.as_bytes())))
        }
        FaultKind::Redirect => {
            let to = fault.text("http://169.254.169.254/");
            let builder = heads::start(api, 307, &arrival.request_id).header("location", to);
            Some(whole_response(builder, Bytes::new()))
        }
        FaultKind::Status(status) => {
            let refusal = heads::refusal_of_status(api, status);
            let builder = heads::start(api, status, &arrival.request_id);
            let builder = heads::with_return(builder, api, fault);
            Some(json_response(builder, heads::error_body(api, &refusal, &arrival.request_id)))
        }
        _ => match raw::answer(fault) {
            Some((bytes, pace)) => sever(line, Severance::Raw { bytes, pace }).await,
            None => None,
        },
    }
}

/// Ends the connection; the answer never comes.
async fn sever(line: &Line, how: Severance) -> Option<Response<Body>> {
    line.sever(how);
    std::future::pending().await
}

/// Works out an answer, enters it into the books and sends it at its pace.
async fn speak(
    arrival: Arrival,
    ask: Ask,
    fingerprint: Key,
    owner: Key,
    (fault, allowance): (Option<Fault>, Allowance),
) -> Response<Body> {
    let Arrival { provider, line, headers: _, body: _, track, at, at_ms, request_id } = arrival;
    let seed = provider.settings().seed;
    let served = provider.serve_cache(&ask, owner, at_ms);
    let answer = speech::answer(&ask, fingerprint, seed, &provider.settings().speech);
    let mut usage = served.usage;
    usage.reasoning = answer.thought();
    usage.output = answer.output() - usage.reasoning;
    let pace = provider.settings().latency.pace(&ask, &served.usage, fingerprint, seed);
    let first_ms = u64::try_from(pace.first_token.as_millis()).unwrap_or(u64::MAX);
    let readable_from_ms = at_ms.saturating_add(first_ms);
    provider.commit(&served.writes, at_ms, readable_from_ms);
    let builder = answer_head(&ask, &provider, &request_id, &allowance);
    let telling_id = Dice::new(seed, "answer id", Key::from(track.call)).id(24);
    let numbers = mangle::numbers(fault.as_ref());
    let telling = Telling {
        ask: &ask,
        answer: &answer,
        usage: &usage,
        numbers: &numbers,
        id: &telling_id,
        fingerprint,
        created_s: provider.unix_s(),
    };
    let outgoing = outgoing(&telling, fault.as_ref());
    let ticket = Ticket {
        bill: Ticket::draft(&ask, usage, track.call, &request_id, at_ms),
        provider,
        track,
        model: ask.model,
        delivery: ask.delivery,
        arrived: at,
        pace,
        writes: served.writes,
        readable_from_ms,
        tokens_sent: 0,
        settled: false,
    };
    let head_at = match ask.delivery {
        Delivery::Stream => milliseconds(pace.first_token.as_secs_f64() * 0.9),
        Delivery::Whole => pace.at(answer.output()),
    };
    // While this waits, the client may go away; then the ticket is dropped with it.
    if !head_at.is_zero() {
        tokio::time::sleep_until(at + head_at).await;
    }
    ticket.track.note(|entry| entry.status = 200);
    let body = Paced::new(plan(outgoing, &ticket, &answer), at, line, Some(ticket));
    builder.body(Either::Right(body)).expect("the head was built from valid parts")
}

fn outgoing(telling: &Telling, fault: Option<&Fault>) -> Outgoing {
    let api = telling.ask.model.api;
    match (telling.ask.delivery, api) {
        (Delivery::Whole, Api::OpenAi) => mangle::whole(openai::answer::whole(telling), fault),
        (Delivery::Whole, Api::Anthropic) => {
            mangle::whole(anthropic::answer::whole(telling), fault)
        }
        (Delivery::Stream, Api::OpenAi) => {
            mangle::stream(openai::answer::stream(telling), fault, api)
        }
        (Delivery::Stream, Api::Anthropic) => {
            mangle::stream(anthropic::answer::stream(telling), fault, api)
        }
    }
}

/// Gives each frame its time.
fn plan(outgoing: Outgoing, ticket: &Ticket, answer: &Answer) -> Plan {
    let Outgoing { frames, ending, packing, gap, declared } = outgoing;
    let started = ticket.arrived.elapsed();
    let due = |tokens| match ticket.delivery {
        Delivery::Stream => ticket.pace.at(tokens),
        Delivery::Whole => ticket.pace.at(answer.output()),
    };
    let mut late = Duration::ZERO;
    let frames = frames.into_iter().map(|frame| {
        let at = if gap.is_zero() { due(frame.tokens_to_here) } else { started + late };
        late += gap;
        Due { at, bytes: frame.bytes, tokens: frame.tokens_to_here }
    });
    Plan { frames: frames.collect(), declared, ending, packing }
}

fn answer_head(ask: &Ask, provider: &Provider, request_id: &str, allowance: &Allowance) -> Builder {
    let api = ask.model.api;
    let builder = heads::start(api, 200, request_id);
    let builder = heads::with_limits(builder, api, allowance, provider.unix_s());
    match ask.delivery {
        Delivery::Whole => builder.header("content-type", "application/json"),
        Delivery::Stream => builder
            .header("content-type", "text/event-stream; charset=utf-8")
            .header("cache-control", "no-cache"),
    }
}

fn count(arrival: Arrival) -> Response<Body> {
    let mut body: serde_json::Value = serde_json::from_slice(&arrival.body).unwrap_or_default();
    // A count has no `max_tokens`; the reader of messages wants one.
    if let Some(object) = body.as_object_mut() {
        object.entry("max_tokens").or_insert_with(|| json!(32_000));
    }
    match anthropic::read(body.to_string().as_bytes()) {
        Ok(ask) => {
            let body = json!({"input_tokens": ask.prompt.tokens()}).to_string();
            plain(arrival, 200, Bytes::from(body))
        }
        Err(refusal) => refuse(arrival, Api::Anthropic, &refusal),
    }
}

fn models(arrival: Arrival, api: Api) -> Response<Body> {
    let own = MODELS.iter().filter(|model| model.api == api);
    let rows: Vec<_> = own.map(described).collect();
    let body = match api {
        Api::OpenAi => json!({"object": "list", "data": rows}),
        Api::Anthropic => json!({
            "data": rows,
            "has_more": false,
            "first_id": rows.first().map(|row| &row["id"]),
            "last_id": rows.last().map(|row| &row["id"]),
        }),
    };
    plain(arrival, 200, Bytes::from(body.to_string()))
}

fn one_model(arrival: Arrival, api: Api, name: &str) -> Response<Body> {
    match crate::models::model(name) {
        Some(model) => plain(arrival, 200, Bytes::from(described(model).to_string())),
        None => refuse(arrival, api, &heads::refusal_of_status(api, 404)),
    }
}

fn described(model: &Model) -> serde_json::Value {
    match model.api {
        Api::OpenAi => {
            json!({"id": model.id, "object": "model", "created": 1_772_323_200, "owned_by": "openai"})
        }
        Api::Anthropic => json!({
            "type": "model",
            "id": model.id,
            "display_name": model.id,
            "created_at": "2026-03-01T00:00:00Z",
            "lifecycle": "active",
        }),
    }
}

fn plain(arrival: Arrival, status: u16, body: Bytes) -> Response<Body> {
    let builder = Response::builder().status(status).header("request-id", &arrival.request_id);
    finish(arrival, json_response(builder, body))
}

fn refuse(arrival: Arrival, api: Api, refusal: &Refusal) -> Response<Body> {
    let body = heads::error_body(api, refusal, &arrival.request_id);
    let builder = heads::start(api, refusal.status, &arrival.request_id);
    finish(arrival, json_response(builder, body))
}

/// Notes an answer that is there at once.
fn finish(arrival: Arrival, response: Response<Body>) -> Response<Body> {
    let mut track = arrival.track;
    track.note(|entry| entry.status = response.status().as_u16());
    track.end();
    response
}

fn json_response(builder: Builder, body: Bytes) -> Response<Body> {
    whole_response(builder.header("content-type", "application/json"), body)
}

fn json_body(builder: Builder, body: &serde_json::Value) -> Response<Body> {
    json_response(builder, Bytes::from(body.to_string()))
}

/// A fault's argument may be no header; then its answer is a 500 that says so.
fn whole_response(builder: Builder, body: Bytes) -> Response<Body> {
    builder.body(Either::Left(Full::new(body))).unwrap_or_else(|error| {
        let text = Bytes::from(error.to_string());
        let mut response = Response::new(Either::Left(Full::new(text)));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
