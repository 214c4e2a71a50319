//! Takes a request's body in, within its limits.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use scrimp_core::Refusal;

use crate::config::Limits;
use crate::downstream::{Cut, Incoming};

/// A body is not believed to be longer than this before its bytes are there.
const BELIEVED: usize = 1 << 20;
/// After a refusal so much more of a body is read, so that the client sees the answer and not a
/// connection that was reset under its hands.
const DRAINED: u64 = 64 << 20;
const DRAINING: Duration = Duration::from_secs(5);

/// Why a body did not come in.
pub(crate) enum NotRead {
    /// It may not.
    Refused(Refusal),
    /// The client went away.
    Broken,
}

impl NotRead {
    /// What was read and is no HTTP came from a client that is still there to hear so.
    fn of(cut: Cut) -> NotRead {
        match cut {
            Cut::NotHttp => NotRead::Refused(Refusal::Malformed { why: cut.to_string().into() }),
            Cut::BrokenOff => NotRead::Broken,
        }
    }
}

/// Refuses a body that says of itself that it is too long.
pub(super) fn check_length(headers: &HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match said.and_then(|said| said.parse::<u64>().ok()) {
        Some(length) if limits.body_bytes < length => {
            Err(Refusal::TooLarge { limit: limits.body_bytes })
        }
        _ => Ok(()),
    }
}

/// Reads a body to its end.
pub(crate) async fn read(body: &mut Incoming, limits: &Limits) -> Result<Bytes, NotRead> {
    // As a rule it came with its head, and nothing has to be timed.
    if let Some(whole) = body.take_whole() {
        return within(limits.body_bytes, whole.len()).map(|()| whole);
    }
    let reading = tokio::time::timeout(limits.body_timeout, gather(body, limits.body_bytes));
    reading.await.unwrap_or(Err(NotRead::Refused(Refusal::BodyTimeout)))
}

async fn gather(body: &mut Incoming, limit: u64) -> Result<Bytes, NotRead> {
    let expected = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    within(limit, first.len())?;
    if expected == Some(first.len()) {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(expected.unwrap_or(0).min(BELIEVED).max(first.len()));
    whole.extend_from_slice(&first);
    while let Some(piece) = next(body).await? {
        within(limit, whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

fn within(limit: u64, length: usize) -> Result<(), NotRead> {
    match limit < length as u64 {
        true => Err(NotRead::Refused(Refusal::TooLarge { limit })),
        false => Ok(()),
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, NotRead> {
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Err(cut)) => return Err(NotRead::of(cut)),
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}

/// Reads on for a while after a refusal, and drops what comes.
pub(crate) fn drain(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    let draining = async move {
        let mut drained = 0;
        while let Ok(Some(piece)) = next(&mut body).await {
            drained += piece.len() as u64;
            if DRAINED < drained {
                return;
            }
        }
    };
    tokio::spawn(async move { tokio::time::timeout(DRAINING, draining).await.is_ok() });
}
