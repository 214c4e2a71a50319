//! Connections of clients: what is kept, what is closed, and what comes over them in which pieces.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use scrimp_core::{Ending, Fault};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::rig::{
    Act, Rig, answer, body_of, chat, last_chunk, post, read_all, send, settle_down, stream,
};
use crate::{Config, Phase};

const PLAIN: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const STREAM: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LIMITS: &str = "[http]\nheader_timeout = \"5s\"\nbody_timeout = \"4s\"\nchunk_timeout = \"3s\"\n\
                      body_bytes = 1000\nheader_bytes = \"8KiB\"";

/// A call on a connection that is kept.
fn keep(body: &str) -> String {
    String::from_utf8(chat(body)).unwrap().replace("connection: close\r\n", "")
}

fn upload(pieces: &[&str], trailers: &str) -> String {
    let chunk = |piece: &&str| format!("{:x}\r\n{piece}\r\n", piece.len());
    format!(
        "POST /openai/v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk-1\r\n\
         content-type: multipart/form-data\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n{trailers}\r\n",
        pieces.iter().map(chunk).collect::<String>()
    )
}

fn ok(n: usize) -> Vec<Vec<Act>> {
    (0..n).map(|n| vec![Act::Wait(5), answer("200 OK", &format!("{{\"n\":{n}}}"))]).collect()
}

/// What has come by now.
async fn read_some(client: &mut DuplexStream) -> String {
    let mut got = Vec::new();
    timeout(Duration::from_millis(50), client.read_to_end(&mut got)).await.ok();
    String::from_utf8(got).unwrap()
}

async fn is_closed(client: &mut DuplexStream) -> bool {
    let read = timeout(Duration::from_millis(1), client.read(&mut [0])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

/// Answers without what depends on when they were given.
fn timeless(answers: &[u8]) -> String {
    let text = String::from_utf8(answers.to_vec()).unwrap();
    let lines = text.split_inclusive("\r\n");
    let varies = ["server-timing", "date", "x-scrimp-id"];
    lines.filter(|line| !varies.iter().any(|name| line.starts_with(name))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_polls_its_connection_once_to_read_and_once_to_write_on_either_side() {
    let rig = Rig::new("", ok(3));
    let (mut client, far) = duplex(64 << 10);
    let (gateway, polls) = (rig.gateway.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = polls.clone();
    tokio::spawn(async move {
        let mut serving = std::pin::pin!(gateway.serve(far));
        std::future::poll_fn(|cx| {
            counted.fetch_add(1, Relaxed);
            serving.as_mut().poll(cx)
        })
        .await;
    });
    settle_down().await;
    let long = PLAIN.replace("hello there", &"words ".repeat(160));
    for n in 0..3 {
        let before = polls.load(Relaxed);
        client.write_all(keep(&long).as_bytes()).await.unwrap();
        let got = read_some(&mut client).await;
        assert!(got.ends_with(&format!("{{\"n\":{n}}}")), "{got}");
        assert_eq!(polls.load(Relaxed) - before, 4, "request, sending, answer, writing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_in_a_path_never_becomes_a_second_request() {
    let rig = Rig::new("", ok(2));
    let model = "google%2Fx%20HTTP%2f1.1%0d%0aHost:%20h%0d%0acontent-length:%200%0d%0a%0d%0a\
                 DELETE%20%2fv1beta%2ffiles%20HTTP%2f1.1%0d%0ax:%20";
    let path = format!("/v1beta/models/{model}:generateContent");
    let got = rig.call(&post(&path, "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]}")).await;
    assert!(String::from_utf8_lossy(&got).starts_with("HTTP/1.1 200"));
    let seen = rig.seen();
    assert_eq!(seen.len(), 1);
    let head = String::from_utf8_lossy(&seen[0].request).into_owned();
    assert_eq!(head.matches("HTTP/1.1").count(), 1, "{head}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_where_both_sides_want_it() {
    for (line, keeps, told) in [
        ("HTTP/1.1\r\n", true, ""),
        ("HTTP/1.1\r\nconnection: keep-alive\r\n", true, ""),
        ("HTTP/1.1\r\nconnection: close\r\n", false, "connection: close\r\n"),
        ("HTTP/1.0\r\n", false, ""),
        ("HTTP/1.0\r\nconnection: keep-alive\r\n", true, "connection: keep-alive\r\n"),
    ] {
        let rig = Rig::new("", ok(2));
        let mut client = rig.connect();
        for n in 0..if keeps { 2 } else { 1 } {
            let call = keep(PLAIN).replace("HTTP/1.1\r\n", line);
            client.write_all(call.as_bytes()).await.unwrap();
            let got = read_some(&mut client).await;
            assert!(got.starts_with(&line[..8]) && got.ends_with(&format!("{{\"n\":{n}}}")));
            assert!(got.contains(told) && got.contains("connection") != told.is_empty(), "{got}");
        }
        assert_eq!(is_closed(&mut client).await, !keeps, "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_to_http_1_0_ends_with_its_connection() {
    let mut script = stream(&["data: one\n\n", "data: [DONE]\n\n"]);
    script.push(last_chunk());
    let mut rig = Rig::new("", vec![script]);
    let call = keep(STREAM).replace("HTTP/1.1\r\n", "HTTP/1.0\r\nconnection: keep-alive\r\n");
    let got = String::from_utf8(rig.call(call.as_bytes()).await).unwrap();
    assert!(got.ends_with("\r\n\r\ndata: one\n\ndata: [DONE]\n\n"), "{got}");
    assert!(!got.contains("chunked") && !got.contains("keep-alive"), "{got}");
    assert!(matches!(rig.record().await.ending, Ending::Answered { .. }));
}

#[tokio::test(start_paused = true)]
async fn leave_to_send_a_body_is_given_when_the_body_is_asked_for() {
    let rig = Rig::new(LIMITS, ok(2));
    let whole = keep(PLAIN).replace("content-type", "expect: 100-continue\r\ncontent-type");
    let (head, body) = whole.split_at(whole.find("\r\n\r\n").unwrap() + 4);
    let mut client = rig.connect();
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_some(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(body.as_bytes()).await.unwrap();
    let got = read_some(&mut client).await;
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("{\"n\":0}"), "{got}");
    assert!(!rig.request(0).contains("expect"));

    // Who sends at once, and who speaks HTTP/1.0, is not waiting for it.
    client.write_all(whole.as_bytes()).await.unwrap();
    assert!(read_some(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let nothing = HEALTH.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    client.write_all(nothing.as_bytes()).await.unwrap();
    assert!(read_some(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(!is_closed(&mut client).await);
    let mut old = rig.connect();
    old.write_all(head.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await.unwrap();
    assert_eq!(read_some(&mut old).await, "");

    // Who may not send it is told so instead, and cannot be taken to have sent it.
    let large = head.replace("content-length: ", "content-length: 99");
    for (path, status) in [("/v1/chat/completions", "413"), ("/nowhere", "404")] {
        let mut client = rig.connect();
        let head = large.replace("/v1/chat/completions", path);
        client.write_all(head.as_bytes()).await.unwrap();
        let got = read_some(&mut client).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
        assert!(got.contains("connection: close\r\n"), "{got}");
        assert!(is_closed(&mut client).await);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_has_none_and_the_next_follows() {
    let head = |status: &str, extra: &str| vec![send(format!("HTTP/1.1 {status}\r\n{extra}\r\n"))];
    let rig = Rig::new(
        "",
        vec![
            head("200 OK", "content-length: 77\r\n"),
            head("204 No Content", ""),
            head("304 Not Modified", "etag: x\r\n"),
        ],
    );
    let mut client = rig.connect();
    for (method, status, length) in
        [("HEAD", "200 OK", "content-length: 77"), ("GET", "204", ""), ("GET", "304", "")]
    {
        let call = format!(
            "{method} /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\n\r\n"
        );
        client.write_all(call.as_bytes()).await.unwrap();
        let got = read_some(&mut client).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status}")), "{got}");
        assert!(got.ends_with("\r\n\r\n") && got.contains(length), "{got}");
        assert_eq!(got.contains("content-length"), !length.is_empty(), "{got}");
        assert!(!got.contains("transfer-encoding"));
    }
    for (call, end) in [(HEALTH.replace("GET", "HEAD"), "\r\n\r\n"), (HEALTH.to_owned(), "ok\n")] {
        client.write_all(call.as_bytes()).await.unwrap();
        let got = read_some(&mut client).await;
        assert!(got.contains("content-length: 3\r\n") && got.ends_with(end), "{got}");
    }
}

#[tokio::test(start_paused = true)]
async fn uploads_pass_through_without_their_trailers_and_the_connection_is_kept() {
    let mut rig = Rig::new("", ok(3));
    let mut client = rig.connect();
    for (n, trailers) in ["", "x-sum: 1\r\nx-more: 2\r\n"].iter().enumerate() {
        let whole = upload(&["hello ", "there"], trailers);
        // The second waits for the first, and comes in two halves.
        let (one, other) = whole.split_at(whole.len() - 20);
        client.write_all(one.as_bytes()).await.unwrap();
        settle_down().await;
        client.write_all(other.as_bytes()).await.unwrap();
        assert!(read_some(&mut client).await.ends_with(&format!("{{\"n\":{n}}}")));
        let seen = body_of(rig.request(n).as_bytes());
        assert_eq!(String::from_utf8(seen).unwrap(), "hello there");
        assert!(!rig.request(n).contains("x-sum"));
    }
    let mut bad = rig.connect();
    bad.write_all(upload(&["hello"], "no header\r\n").as_bytes()).await.unwrap();
    read_some(&mut bad).await;
    let endings = rig.records().await.into_iter().map(|record| record.ending).collect::<Vec<_>>();
    let answered = Ending::Answered { status: 200, finish: None };
    // Its client has not left, but sent what is no upload.
    let cut_off = Ending::Failed { fault: Fault::Cancelled };
    assert_eq!(endings, [answered.clone(), answered, cut_off]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_began_with_more_than_its_turn_s_work_is_told_of_a_stop() {
    let rig = Rig::new("", Vec::new());
    let mut client = rig.connect();
    client.write_all(HEALTH.repeat(200).as_bytes()).await.unwrap();
    assert_eq!(read_some(&mut client).await.matches("ok\n").count(), 200);
    rig.gateway.enter(Phase::Draining);
    let closed = timeout(Duration::from_secs(1), client.read(&mut [0; 16])).await;
    assert_eq!(closed.expect("it is closed at once").unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn bad_heads_are_told_so_and_their_connection_is_closed() {
    let rig = Rig::new(LIMITS, vec![]);
    for (text, status) in [
        ("POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\ntransfer-encoding: br, chunked\r\n\r\n", 501),
        (&format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(2_000)), 431),
    ] {
        let mut client = rig.connect();
        client.write_all(text.as_bytes()).await.unwrap();
        // It is not read as another request.
        client.write_all(HEALTH.as_bytes()).await.unwrap();
        let got = String::from_utf8(read_all(&mut client).await).unwrap();
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
        assert!(got.contains("connection: close\r\n"));
        let error: serde_json::Value = serde_json::from_slice(&body_of(got.as_bytes())).unwrap();
        assert_eq!(error["error"]["code"], status);
    }
    assert_eq!(rig.gateway.counted().began, 0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_changed_holds_for_the_next_request_of_an_idle_connection() {
    let rig = Rig::new("", vec![]);
    let mut client = rig.connect();
    let long = HEALTH.replace("\r\n\r\n", &format!("\r\nx: {}\r\n\r\n", "y".repeat(9_000)));
    client.write_all(long.as_bytes()).await.unwrap();
    assert!(read_some(&mut client).await.ends_with("ok\n"));
    rig.gateway.reconfigure(Config::parse("t", LIMITS, None, &|_| None).unwrap());
    client.write_all(long.as_bytes()).await.unwrap();
    assert!(read_some(&mut client).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_and_so_has_an_idle_connection() {
    let rig = Rig::new(LIMITS, vec![]);
    let mut client = rig.connect();
    for _ in 0..2 {
        client.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(read_some(&mut client).await.ends_with("ok\n"));
        tokio::time::sleep(Duration::from_millis(4_800)).await;
    }
    assert!(!is_closed(&mut client).await);
    let from = rig.now_ms();
    assert_eq!(read_all(&mut client).await, b"", "nothing is said to one that asks nothing");
    assert!(rig.now_ms() - from < 300, "{}", rig.now_ms() - from);

    let mut slow = rig.connect();
    let from = rig.now_ms();
    for byte in &HEALTH.as_bytes()[..10] {
        slow.write_all(&[*byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(450)).await;
    }
    let got = String::from_utf8(read_all(&mut slow).await).unwrap();
    assert!(got.starts_with("HTTP/1.1 408 "), "{got}");
    assert!((5_000..5_100).contains(&(rig.now_ms() - from)), "{}", rig.now_ms() - from);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_a_whole_answer_is_dropped() {
    let (mut client, far) = duplex(1_000);
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(9_000));
    let mut rig = Rig::new(LIMITS, vec![vec![answer("200 OK", &long)]]);
    let gateway = rig.gateway.clone();
    let serving = tokio::spawn(async move { gateway.serve(far).await });
    client.write_all(keep(PLAIN).as_bytes()).await.unwrap();
    serving.await.unwrap();
    assert!((3_000..6_100).contains(&rig.now_ms()), "{}", rig.now_ms());
    assert!(matches!(rig.record().await.ending, Ending::Answered { .. }), "it was there in time");
}

/// A connection on which what is written leaves only once it was flushed a second time, as TLS may
/// keep it back.
struct Sluggish {
    inner: DuplexStream,
    kept: Vec<u8>,
    is_asked: bool,
}

impl AsyncRead for Sluggish {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Sluggish {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.kept.extend_from_slice(bytes);
        self.is_asked = false;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if !std::mem::replace(&mut self.is_asked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let kept = std::mem::take(&mut self.kept);
        let written = Pin::new(&mut self.inner).poll_write(cx, &kept);
        assert!(kept.is_empty() || matches!(written, Poll::Ready(Ok(n)) if n == kept.len()));
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn leave_to_send_a_body_is_not_held_back() {
    let rig = Rig::new("", ok(1));
    let (mut client, far) = duplex(64 << 10);
    let far = Sluggish { inner: far, kept: Vec::new(), is_asked: false };
    let gateway = rig.gateway.clone();
    tokio::spawn(async move { gateway.serve(far).await });
    let call = keep(PLAIN).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    let (head, body) = call.split_once("\r\n\r\n").unwrap();
    client.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(read_some(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(body.as_bytes()).await.unwrap();
    assert!(read_some(&mut client).await.ends_with("{\"n\":0}"));
}

#[tokio::test]
async fn a_broken_stream_to_http_1_0_is_no_end() {
    let mut broken = stream(&["data: one\n\n"]);
    broken.push(Act::Close);
    let rig = Rig::new("", vec![broken]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let gateway = rig.gateway.clone();
    tokio::spawn(async move { gateway.serve_socket(far).await });
    let call = keep(STREAM).replace("HTTP/1.1\r\n", "HTTP/1.0\r\n");
    client.write_all(call.as_bytes()).await.unwrap();
    let read = client.read_to_end(&mut Vec::new()).await;
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn wherever_a_client_leaves_its_call_is_settled_once() {
    let calls = [keep(PLAIN), upload(&["hello ", "there"], ""), upload(&["x"], "x: y\r\n")];
    for call in calls {
        let script = vec![Act::Wait(100), answer("200 OK", "{}")];
        let mut rig = Rig::new("", vec![script; call.len()]);
        for at in 0..=call.len() {
            let mut client = rig.connect();
            client.write_all(&call.as_bytes()[..at]).await.unwrap();
            settle_down().await;
            drop(client);
            settle_down().await;
            let is_read = call.find("\r\n\r\n").unwrap() + 4 <= at;
            assert_eq!(rig.gateway.counted().in_flight, 0, "{:?}", &call[..at]);
            let endings = rig.records().await.into_iter().map(|record| record.ending);
            let expected = if is_read { vec![Ending::Abandoned] } else { vec![] };
            assert_eq!(endings.collect::<Vec<_>>(), expected, "{:?}", &call[..at]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_says_so_in_the_answers_that_are_still_open() {
    let mut rig = Rig::new("", vec![vec![Act::Wait(500), answer("200 OK", "{}")]]);
    let (mut open, mut idle, mut half) = (rig.connect(), rig.connect(), rig.connect());
    idle.write_all(HEALTH.as_bytes()).await.unwrap();
    assert!(read_some(&mut idle).await.ends_with("ok\n"));
    open.write_all(keep(PLAIN).as_bytes()).await.unwrap();
    half.write_all(&keep(PLAIN).as_bytes()[..20]).await.unwrap();
    settle_down().await;
    rig.gateway.enter(Phase::Draining);
    assert!(is_closed(&mut idle).await);
    half.write_all(&keep(PLAIN).as_bytes()[20..]).await.unwrap();
    for (client, status) in [(&mut half, "503"), (&mut open, "200")] {
        let got = String::from_utf8(read_all(client).await).unwrap();
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
        assert!(got.contains("connection: close\r\n"), "{got}");
    }
    assert_eq!(rig.records().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_large_body_arrives_whole_and_is_not_read_before_it_is_wanted() {
    let long = PLAIN.replace("hello there", &"words ".repeat(60_000));
    let mut rig = Rig::new("", ok(1));
    let mut client = rig.connect();
    client.write_all(keep(&long).as_bytes()).await.unwrap();
    assert!(read_some(&mut client).await.ends_with("{\"n\":0}"));
    assert!(rig.request(0).ends_with(&long));
    assert_eq!(rig.record().await.call.body_bytes, long.len() as u64);

    // A provider that takes nothing holds the client back.
    let connector = crate::Connector::Memory(Arc::new(|_| {
        let (near, far) = duplex(1_000);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_mins(1)).await;
            drop(far);
        });
        Ok(near)
    }));
    let rig = Rig::with("", connector, Arc::default(), tokio::time::Instant::now());
    let mut client = rig.connect();
    let whole = upload(&["x".repeat(1 << 20).as_str()], "");
    let written = timeout(Duration::from_secs(1), client.write_all(whole.as_bytes())).await;
    assert!(written.is_err(), "a megabyte was taken that nobody wanted");
}

/// Requests of several kinds, one behind the other, and what is answered to them at once.
async fn exchanged(pieces: &[&[u8]]) -> (String, Vec<Vec<u8>>) {
    let mut rig = Rig::new("", ok(3));
    let mut client = rig.connect();
    for piece in pieces {
        client.write_all(piece).await.unwrap();
        settle_down().await;
    }
    let got = read_all(&mut client).await;
    assert_eq!(rig.records().await.len(), 3);
    (timeless(&got), rig.seen().into_iter().map(|seen| body_of(&seen.request)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn cuts_do_not_matter(mut cuts in prop::collection::vec(0_usize..1_100, 0..20)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let (head, body) = (keep(PLAIN), PLAIN);
        let head = head.split_once("content-length").unwrap().0;
        let (one, other) = body.split_at(30);
        let chunked = format!(
            "{head}transfer-encoding: chunked\r\n\r\n1e\r\n{one}\r\n{:X};x=y\r\n{other}\r\n0\r\nt: u\r\n\r\n",
            other.len()
        );
        let upload = upload(&["hello ", "there"], "");
        let last = HEALTH.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        let whole = [&*keep(PLAIN), "\r\n", &chunked, HEALTH, &upload, &last].concat();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            let cut = cut.clamp(from, whole.len());
            pieces.push(&whole.as_bytes()[from..cut]);
            from = cut;
        }
        pieces.push(&whole.as_bytes()[from..]);
        runtime.block_on(async {
            let (told, calls) = exchanged(&pieces).await;
            assert_eq!(told.matches("HTTP/1.1 200 OK\r\n").count(), 5, "{told}");
            assert_eq!((told, calls), exchanged(&[whole.as_bytes()]).await);
        });
    }
}

/// A body that comes in pieces.
struct Passing(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Passing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test(start_paused = true)]
async fn hyper_s_client_is_content_with_it() {
    let mut scripts = ok(2);
    let mut events = stream(&["data: one\n\n", "data: [DONE]\n\n"]);
    events.push(last_chunk());
    scripts.extend([events, vec![answer("200 OK", "{\"last\":1}")]]);
    let mut rig = Rig::new("", scripts);
    let io = TokioIo::new(rig.connect());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        request.header("authorization", "Bearer k").header("content-type", "application/json")
    };
    let chat = || request(Method::POST, "/v1/chat/completions");
    let whole = |body: &'static str| Full::new(Bytes::from_static(body.as_bytes())).boxed();
    let (give, given) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for piece in PLAIN.as_bytes().chunks(9) {
            give.send(Bytes::from_static(piece)).await.unwrap();
        }
    });
    let passing = Passing(given).boxed();
    for (request, expected) in [
        (chat().body(whole(PLAIN)), "{\"n\":0}"),
        (chat().body(passing), "{\"n\":1}"),
        (request(Method::HEAD, "/healthz").body(whole("")), ""),
        (chat().body(whole(STREAM)), "data: one\n\ndata: [DONE]\n\n"),
        (request(Method::GET, "/healthz").body(whole("")), "ok\n"),
        (chat().body(whole(PLAIN)), "{\"last\":1}"),
    ] {
        sender.ready().await.unwrap();
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), expected);
    }
    assert_eq!(rig.records().await.len(), 4);
}
