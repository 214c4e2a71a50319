//! One request over one connection, and everything that came back: the least of a client that
//! does not hide how an answer ended.

use crate::models::Api;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose interface it speaks.
    pub api: Api,
    /// Path and query.
    pub path: String,
    /// Names and values beside the content type and the length.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// 0 when there was no head.
    pub status: u16,
    /// The head's headers.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// From sending to the head.
    pub head_after: Option<Duration>,
    /// From sending to the first bytes of the body.
    pub first_after: Option<Duration>,
    /// From sending to the end.
    pub ended_after: Duration,
    /// Why there is no head, or why the body is not whole.
    pub error: Option<String>,
}

impl Exchange {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Sends `request` over `io` and reads the answer to its end, or hangs up after `patience`.
pub async fn exchange<T>(io: T, request: &Request, patience: Option<Duration>) -> Exchange
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let started = Instant::now();
    let mut exchange = Exchange::default();
    let reading = read(io, request, started, &mut exchange);
    let error = match patience {
        None => reading.await.err(),
        Some(patience) => match tokio::time::timeout(patience, reading).await {
            Ok(ended) => ended.err(),
            Err(_) => Some("hung up".to_owned()),
        },
    };
    exchange.error = error;
    exchange.ended_after = started.elapsed();
    exchange
}

async fn read<T>(
    io: T,
    request: &Request,
    started: Instant,
    exchange: &mut Exchange,
) -> Result<(), String>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let text = |error: hyper::Error| format!("{error:?}");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(io)).await;
    let (mut sender, connection) = handshake.map_err(text)?;
    let talk = async {
        let response = sender.send_request(head(request)).await.map_err(text)?;
        exchange.status = response.status().as_u16();
        exchange.head_after = Some(started.elapsed());
        let headers = response.headers().iter();
        let plain =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        exchange.headers = headers.map(|(name, value)| (name.to_string(), plain(value))).collect();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame.map_err(text)?.into_data() {
                exchange.first_after.get_or_insert_with(|| started.elapsed());
                exchange.body.extend(bytes);
            }
        }
        Ok(())
    };
    tokio::pin!(talk);
    tokio::pin!(connection);
    // The connection has to be driven beside the talk; its own error shows in the talk as well.
    tokio::select! {
        result = &mut talk => result,
        _ = &mut connection => talk.await,
    }
}

fn head(request: &Request) -> http::Request<Full<Bytes>> {
    let mut builder = http::Request::post(&request.path)
        .header("host", "localhost")
        .header("content-type", "application/json");
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(request.body.clone())).expect("a request is made of valid parts")
}
