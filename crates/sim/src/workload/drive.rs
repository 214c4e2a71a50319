//! The client that plays a day: each session waits for its answers, all run beside each other, and
//! every call is told of, however it ended.

use super::client::{Exchange, exchange};
use super::reply::{Reply, SeenUsage};
use super::session::{Planned, Session};
use crate::models::Api;
use serde::Serialize;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::LocalSet;
use tokio::time::Instant;

/// One call as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Played {
    /// The session's id.
    pub session: String,
    /// The session's operation.
    pub operation: &'static str,
    /// The number of the call within its session, from 0.
    pub turn: u64,
    /// Whose interface.
    pub api: Api,
    /// When it was sent, in milliseconds after the day's begin.
    pub sent_ms: u64,
    /// 0 when there was no head.
    pub status: u16,
    /// `x-request-id` or `request-id` of the answer.
    pub request_id: Option<String>,
    /// `x-scrimp-id` of the answer, behind a gateway.
    pub gateway_id: Option<String>,
    /// The usage that the answer tells.
    pub usage: SeenUsage,
    /// BLAKE3 of text and tool calls, in hex: the same through a gateway as without one.
    pub answer_digest: String,
    /// Bytes of the answer's body.
    pub answer_bytes: u64,
    /// Milliseconds to the first bytes of the body.
    pub first_ms: Option<u64>,
    /// Milliseconds to the end.
    pub ended_ms: u64,
    /// How it ended.
    pub end: End,
}

/// How a call ended for its client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With a whole answer.
    Answered,
    /// With an error status.
    Refused,
    /// The client hung up.
    HungUp,
    /// The answer ended without its terminal event.
    Truncated,
    /// The connection broke.
    Broken(String),
}

/// Plays all sessions against what `connect` leads to; one connection for each call.
///
/// Runs in a `LocalSet` of its own, so neither the connections nor the tasks behind them have to be
/// `Send`. Results are in the order of sending, then of session and turn.
pub async fn drive<C, F, T>(sessions: Vec<Session>, connect: C) -> Vec<Played>
where
    C: Fn() -> F + 'static,
    F: Future<Output = std::io::Result<T>> + 'static,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let connect = Rc::new(connect);
    let played = Rc::new(RefCell::new(Vec::new()));
    let local = LocalSet::new();
    let begin = Instant::now();
    for session in sessions {
        let (connect, played) = (connect.clone(), played.clone());
        local.spawn_local(async move { play(session, begin, &*connect, &played).await });
    }
    local.await;
    let mut played = played.take();
    played.sort_by(|a: &Played, b: &Played| {
        (a.sent_ms, &a.session, a.operation, a.turn).cmp(&(
            b.sent_ms,
            &b.session,
            b.operation,
            b.turn,
        ))
    });
    played
}

async fn play<C, F, T>(
    mut session: Session,
    begin: Instant,
    connect: &C,
    played: &RefCell<Vec<Played>>,
) where
    C: Fn() -> F,
    F: Future<Output = std::io::Result<T>>,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    tokio::time::sleep_until(begin + session.start).await;
    let mut next = session.next(None);
    let mut turn = 0;
    while let Some(planned) = next {
        tokio::time::sleep(planned.wait).await;
        let sent_ms = millis(begin.elapsed());
        let seen = match connect().await {
            Ok(io) => exchange(io, &planned.request, planned.patience).await,
            Err(error) => Exchange { error: Some(error.to_string()), ..Exchange::default() },
        };
        let told = tell(&session, turn, sent_ms, &planned, &seen);
        let answered = told.end == End::Answered;
        // Whoever hangs up does not come back.
        let gone = told.end == End::HungUp;
        played.borrow_mut().push(told);
        if gone {
            return;
        }
        next = session.next(answered.then_some(&seen.body));
        turn += 1;
    }
}

fn tell(session: &Session, turn: u64, sent_ms: u64, planned: &Planned, seen: &Exchange) -> Played {
    let api = planned.request.api;
    let reply = Reply::read(api, &seen.body);
    let id = seen.header("x-request-id").or_else(|| seen.header("request-id"));
    Played {
        session: session.id.clone(),
        operation: session.operation,
        turn,
        api,
        sent_ms,
        status: seen.status,
        request_id: id.map(str::to_owned),
        gateway_id: seen.header("x-scrimp-id").map(str::to_owned),
        usage: reply.usage,
        answer_digest: digest(&reply),
        answer_bytes: seen.body.len() as u64,
        first_ms: seen.first_after.map(millis),
        ended_ms: millis(seen.ended_after),
        end: end(seen, &reply),
    }
}

fn end(seen: &Exchange, reply: &Reply) -> End {
    match (&seen.error, seen.status) {
        (Some(error), _) if error == "hung up" => End::HungUp,
        (Some(error), _) => End::Broken(error.clone()),
        (None, 200..300) if reply.complete => End::Answered,
        (None, 200..300) => End::Truncated,
        (None, _) => End::Refused,
    }
}

/// The answer without what differs from call to call: ids and times.
fn digest(reply: &Reply) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(reply.text.as_bytes());
    for call in &reply.calls {
        hasher.update(call.name.as_bytes());
        hasher.update(call.arguments.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
