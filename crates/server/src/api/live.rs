//! Calls as they end, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use scrimp_core::Record;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use super::rows::Row;
use crate::gateway::Gateway;
use crate::page::Page;

/// A quiet stream says something, so that nobody on the way takes it for dead.
const ALIVE: Duration = Duration::from_secs(15);

pub(super) fn live(gateway: &Gateway) -> Response<Page> {
    let (events, received) = mpsc::channel(64);
    tokio::spawn(watch(gateway.shared().live.subscribe(), events));
    let mut page = Page::of(http::StatusCode::OK, "text/event-stream", "");
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    *page.body_mut() = Page::Live(received);
    page
}

async fn watch(mut records: broadcast::Receiver<Arc<Record>>, events: mpsc::Sender<Bytes>) {
    let mut next = Bytes::from_static(b": here\n\n");
    while events.send(next).await.is_ok() {
        let event = tokio::select! {
            () = events.closed() => return,
            event = tokio::time::timeout(ALIVE, records.recv()) => event,
        };
        next = match event {
            Err(_) => Bytes::from_static(b": still here\n\n"),
            Ok(Err(RecvError::Closed)) => return,
            Ok(Err(RecvError::Lagged(_))) => Bytes::from_static(b"event: missed\ndata: {}\n\n"),
            Ok(Ok(record)) => match serde_json::to_string(&Row::of(&record)) {
                Ok(row) => format!("event: call\ndata: {row}\n\n").into(),
                Err(_) => continue_quietly(),
            },
        };
    }
}

/// A row that cannot be written is left out.
fn continue_quietly() -> Bytes {
    Bytes::from_static(b": left out\n\n")
}
