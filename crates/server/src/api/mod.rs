//! The gateway's own routes: health, metrics, the control API, the dashboard.

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::gateway::Gateway;
use crate::page::Page;
use crate::running::Running;

/// What the findings job found last.
#[derive(Debug, Default)]
pub(crate) struct Findings {}

/// Answers a request that is no call.
pub(crate) async fn answer(
    _gateway: &Gateway,
    _running: &Running,
    request: Request<Incoming>,
) -> Response<Page> {
    match request.uri().path() {
        "/healthz" => Page::of(StatusCode::OK, "text/plain", "ok\n"),
        _ => Page::error(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}
