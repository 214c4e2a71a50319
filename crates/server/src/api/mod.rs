//! The gateway's own routes: health, metrics, the control API, the dashboard.
//!
//! Everything that reads the store does so on a thread of its own, never on one that serves calls.

mod access;
mod advice;
mod control;
mod errors;
mod keys;
mod live;
mod metrics;
mod models;
mod openapi;
mod operations;
mod reconcile;
mod rows;
mod semantic;
mod spend;
mod study;
mod sum;
mod summary;
mod window;

use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use scrimp_core::CallId;
use scrimp_store::{CallFilter, Only, StoreError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::{Config, Limits};
use crate::door::{body, hosts};
use crate::downstream::Incoming;
use crate::gateway::{Bypass, Gateway, Phase};
use crate::keys::KeyError;
use crate::page::Page;
use crate::running::Running;
use access::Denied;
use control::Refused;
use operations::Measure;
pub(crate) use study::Findings;
#[cfg(test)]
pub(crate) use study::MOST_CALLS;
use window::{Narrowing, Window};

/// What the bearer of a token hears who may not do more.
const MAY_LOOK: &str = "this control token is a viewer's, and may look but change nothing";
/// A control request is short...
const LONGEST: u64 = 64 << 10;
/// ...but for reports of providers.
const LONGEST_REPORTS: u64 = 32 << 20;
/// The most rows of a list.
const MOST_ROWS: usize = 1_000;

/// Answers a request that is no call.
pub(crate) async fn answer(
    gateway: &Gateway,
    running: &Running,
    request: Request<Incoming>,
) -> Response<Page> {
    let path = request.uri().path();
    match (request.method().as_str(), path) {
        ("HEAD", "/") => Page::of(StatusCode::OK, "text/plain", ""),
        ("GET" | "HEAD", "/healthz") => Page::of(StatusCode::OK, "text/plain", health(running)),
        ("GET" | "HEAD", "/readyz") => ready(gateway).await,
        ("GET", "/metrics") => {
            match access::who(&running.config, request.method(), request.headers()) {
                Ok(_) => metrics(gateway).await,
                Err(denied) => deny(gateway, &denied, &request),
            }
        }
        _ => match path.strip_prefix("/api/v1/") {
            Some(rest) => {
                let rest = rest.to_owned();
                controlled(gateway, &running.config, &rest, request).await
            }
            None => asset(&request),
        },
    }
}

fn health(running: &Running) -> &'static str {
    match Bypass::of(running) {
        Bypass::Off => "ok\n",
        Bypass::On => "ok; bypass is on\n",
    }
}

/// Whether calls are taken. What is wrong and stops none of them is told beside: a broken file must
/// not take a gateway out of service that goes on with the one before.
async fn ready(gateway: &Gateway) -> Response<Page> {
    if Phase::Serving < gateway.phase() {
        return Page::error(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping");
    }
    let shared = gateway.shared().clone();
    let looking = tokio::task::spawn_blocking(move || {
        let is_unwritten = shared.store.health().last_flush_error.is_some();
        let notes = [
            (is_unwritten, "; records cannot be written"),
            (shared.refused_config().is_some(), "; the changed configuration was refused"),
        ];
        let notes = notes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note);
        format!("ready{}\n", notes.collect::<String>())
    });
    let fell_over = |_| "ready; the store does not answer\n".to_owned();
    Page::of(StatusCode::OK, "text/plain", looking.await.unwrap_or_else(fell_over))
}

async fn metrics(gateway: &Gateway) -> Response<Page> {
    let gateway = gateway.clone();
    let reading = tokio::task::spawn_blocking(move || metrics::page(&gateway)).await;
    let fell_over = |_| Page::error(StatusCode::INTERNAL_SERVER_ERROR, "the question fell over");
    reading.unwrap_or_else(fell_over)
}

/// A file of the dashboard.
fn asset(request: &Request<Incoming>) -> Response<Page> {
    let headers = request.headers();
    let found = scrimp_dashboard::asset(request.uri().path());
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(asset) = found.filter(|_| is_read) else {
        return Page::error(StatusCode::NOT_FOUND, "there is nothing here; the dashboard is at /");
    };
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let representation = asset.representation(accepted.unwrap_or(""));
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag == representation.etag);
    let mut page = match is_known {
        true => Page::of(StatusCode::NOT_MODIFIED, asset.content_type, ""),
        false => Page::of(StatusCode::OK, asset.content_type, representation.bytes),
    };
    let headers = page.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(asset.cache_control()));
    headers.insert(ETAG, HeaderValue::from_static(representation.etag));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(
        "content-security-policy",
        HeaderValue::from_static(scrimp_dashboard::CONTENT_SECURITY_POLICY),
    );
    if let Some(encoding) = representation.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    page
}

/// A route of the control API, for those who may.
async fn controlled(
    gateway: &Gateway,
    config: &Config,
    path: &str,
    request: Request<Incoming>,
) -> Response<Page> {
    // What a page fetches without reading the answer (an image, a script) has no origin.
    let site = request.headers().get("sec-fetch-site");
    let is_from_elsewhere = site.is_some_and(|site| site == "cross-site");
    if is_from_elsewhere || !hosts::is_own_origin(request.headers(), config) {
        return Page::error(StatusCode::FORBIDDEN, "control routes answer no other site's pages");
    }
    let who = match access::who(config, request.method(), request.headers()) {
        Ok(who) => who,
        Err(denied) => return deny(gateway, &denied, &request),
    };
    let query = request.uri().query().unwrap_or("").to_owned();
    if !openapi::is_known(request.method().as_str(), request.uri().path()) {
        return nothing();
    }
    match (request.method().as_str(), path) {
        ("GET", "live") => live::live(gateway),
        ("GET", "me") => Page::json(StatusCode::OK, &json!(who)),
        ("GET", "openapi.json") => Page::json(StatusCode::OK, &openapi::document()),
        ("GET", _) => read(gateway, path, &query).await,
        ("POST" | "DELETE", _) => change(gateway, path, who.name, request).await,
        _ => nothing(),
    }
}

/// Says why not. That somebody who is known may not is noted.
fn deny(gateway: &Gateway, denied: &Denied, request: &Request<Incoming>) -> Response<Page> {
    if let Denied::Viewer { name } = denied {
        let (gateway, name) = (gateway.clone(), name.clone());
        let subject = format!("{} {}", request.method(), request.uri().path());
        tokio::task::spawn_blocking(move || gateway.note_denied(&name, &subject, MAY_LOOK));
        return Page::error(StatusCode::FORBIDDEN, MAY_LOOK);
    }
    let told = "control needs the header `x-scrimp-control`, with the control token as its value \
                where the gateway has one";
    Page::error(StatusCode::UNAUTHORIZED, told)
}

fn nothing() -> Response<Page> {
    Page::error(StatusCode::NOT_FOUND, "there is no such control route")
}

/// Reads something, on a thread where nobody waits.
async fn read(gateway: &Gateway, path: &str, query: &str) -> Response<Page> {
    let (gateway, path, query) = (gateway.clone(), path.to_owned(), query.to_owned());
    let findings = study::current(gateway.shared());
    let reading =
        tokio::task::spawn_blocking(move || answer_read(&gateway, &path, &query, &findings));
    match reading.await {
        Ok(Ok(Some(value))) => Page::json(StatusCode::OK, &value),
        Ok(Ok(None)) => nothing(),
        Ok(Err(Unanswered::Wrong(what))) => Page::error(StatusCode::BAD_REQUEST, &what),
        Ok(Err(Unanswered::Store(error))) => {
            Page::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
        Err(_) => Page::error(StatusCode::INTERNAL_SERVER_ERROR, "the question fell over"),
    }
}

/// Why a question has no answer.
#[derive(Debug)]
enum Unanswered {
    /// It cannot be meant so. What is wrong and the way out.
    Wrong(String),
    /// The disk refused.
    Store(StoreError),
}

impl From<StoreError> for Unanswered {
    fn from(error: StoreError) -> Unanswered {
        Unanswered::Store(error)
    }
}

fn answer_read(
    gateway: &Gateway,
    path: &str,
    query: &str,
    findings: &Findings,
) -> Result<Option<Value>, Unanswered> {
    let shared = gateway.shared();
    Ok(match path {
        "summary" => Some(summary::summary(shared, Window::asked(query)?, findings)?),
        "operations" => Some(operations::operations(
            shared,
            Window::asked(query)?,
            &Narrowing::asked(query),
            Measure::asked(query)?,
        )?),
        "errors" => Some(errors::errors(shared, Window::asked(query)?, &Narrowing::asked(query))?),
        "models" => Some(models::models(shared, Window::asked(query)?, &Narrowing::asked(query))?),
        "prices" => Some(models::prices(shared, query)),
        "calls" => {
            // Who listens to the live calls asks for this list after: none may be in neither.
            shared.store.flush();
            let records = shared.store.reader().recent(&filter(query))?;
            Some(json!({ "calls": records.iter().map(rows::Row::of).collect::<Vec<_>>() }))
        }
        "findings" => Some(control::findings(findings)),
        "policies" => Some(control::policies(gateway)?),
        "proofs" => Some(control::proofs(gateway)?),
        "spend" => Some(spend::spend(gateway, query)?),
        "reconcile" => Some(reconcile::last(gateway)),
        "keys" => Some(keys::list(gateway)?),
        "audit" => Some(keys::audit(gateway, query)?),
        _ if path.starts_with("keys/") => keys::show(gateway, &path["keys/".len()..])?,
        _ => {
            let id = path.strip_prefix("calls/").and_then(|id| id.parse::<CallId>().ok());
            let record = id.map(|id| shared.store.reader().call(id)).transpose()?.flatten();
            record.map(|record| rows::detail(&record, &gateway.running().policies.prices))
        }
    })
}

fn filter(query: &str) -> CallFilter {
    let limit = parameter(query, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
    CallFilter {
        limit: usize::min(limit, MOST_ROWS),
        before: parameter(query, "before").and_then(|id| id.parse().ok()),
        only: match parameter(query, "only").as_deref() {
            Some("errors") => Only::Errors,
            _ => Only::All,
        },
        provider: named(query, "provider").map(Into::into),
        model: named(query, "model").map(Into::into),
        operation: named(query, "operation").map(Into::into),
    }
}

/// A parameter of a query, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let (mut decoded, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                decoded.push(value);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        rest = tail;
    }
    String::from_utf8(decoded).ok()
}

/// A parameter that says something: an empty one is none.
fn named(query: &str, name: &str) -> Option<String> {
    parameter(query, name).filter(|value| !value.is_empty())
}

/// Changes something.
async fn change(
    gateway: &Gateway,
    path: &str,
    who: String,
    request: Request<Incoming>,
) -> Response<Page> {
    let method = request.method().clone();
    let mut incoming = request.into_body();
    let body_bytes = if path == "reconcile" { LONGEST_REPORTS } else { LONGEST };
    let limits = Limits { body_bytes, ..gateway.running().config.limits };
    let Ok(bytes) = body::read(&mut incoming, &limits).await else {
        let told =
            format!("what is sent here may have {} kB, and must come in time", body_bytes >> 10);
        return Page::error(StatusCode::PAYLOAD_TOO_LARGE, &told);
    };
    let (gateway, path) = (gateway.clone(), path.to_owned());
    let changing = tokio::task::spawn_blocking(move || {
        answer_change(&gateway, method.as_str(), &path, &who, &bytes)
    });
    match changing.await {
        Ok(Ok(Some(value))) => Page::json(StatusCode::OK, &value),
        Ok(Ok(None)) => nothing(),
        Ok(Err(refused)) => Page::error(status_of(&refused), &refused.to_string()),
        Err(_) => Page::error(StatusCode::INTERNAL_SERVER_ERROR, "the change fell over"),
    }
}

fn answer_change(
    gateway: &Gateway,
    method: &str,
    path: &str,
    who: &str,
    body: &[u8],
) -> Result<Option<Value>, Refused> {
    Ok(match (method, path) {
        ("POST", "policies/apply") => {
            let findings = gateway.shared().findings.lock().expect("nothing here panics").clone();
            Some(control::apply(gateway, &asked(body)?, &findings, who)?)
        }
        ("POST", "policies/undo") => Some(control::undo(gateway, &asked(body)?, who)?),
        ("POST", "bypass") => Some(control::bypass(gateway, &asked(body)?, who)?),
        ("POST", "reconcile") => Some(reconcile::compare(gateway, &asked(body)?, who)?),
        ("POST", "keys") => Some(keys::create(gateway, asked(body)?, who)?),
        ("DELETE", _) => {
            path.strip_prefix("keys/").map(|id| keys::revoke(gateway, id, who)).transpose()?
        }
        _ => None,
    })
}

fn asked<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(bytes).map_err(|error| Refused::Malformed(error.to_string()))
}

fn status_of(refused: &Refused) -> StatusCode {
    match refused {
        Refused::NoFinding(_) | Refused::Key(KeyError::NoKey(_)) => StatusCode::NOT_FOUND,
        Refused::NoShare
        | Refused::Malformed(_)
        | Refused::NoReport(_)
        | Refused::Key(KeyError::Wrong(_)) => StatusCode::BAD_REQUEST,
        Refused::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refused::NoFiles | Refused::Reconciling | Refused::Journal(_) | Refused::Key(_) => {
            StatusCode::CONFLICT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "model=a%2Fb&operation=x+y&limit=5&bad=%zz";
        assert_eq!(parameter(query, "model").as_deref(), Some("a/b"));
        assert_eq!(parameter(query, "operation").as_deref(), Some("x y"));
        assert_eq!(parameter(query, "bad").as_deref(), Some("%zz"));
        assert_eq!(parameter(query, "none"), None);
        assert_eq!(filter(query).limit, 5);
    }
}
