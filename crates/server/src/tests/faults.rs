//! Providers and clients that misbehave: an error in the caller's dialect, and one record.

use scrimp_core::{Ending, Fault, Refusal, UsageState};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{Act, Rig, answer, body_of, chat, last_chunk, post, send, stream};

const PLAIN: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const STREAM: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
const LIMITS: &str = "[http]\nconnect_timeout = \"1s\"\nfirst_token_timeout = \"2s\"\n\
                      chunk_timeout = \"3s\"\nbody_timeout = \"4s\"\nheader_timeout = \"5s\"\n\
                      body_bytes = 1000\nheader_bytes = \"8KiB\"";

fn status(answer: &[u8]) -> u16 {
    let head = String::from_utf8_lossy(answer);
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

async fn fails(script: Vec<Act>, request: &[u8], expected: (u16, Fault)) -> Rig {
    let mut rig = Rig::new(LIMITS, vec![script]);
    let got = rig.call(request).await;
    let record = rig.record().await;
    assert_eq!((status(&got), record.ending), (expected.0, Ending::Failed { fault: expected.1 }));
    let body = body_of(&got);
    if expected.0 != 200 {
        let error: serde_json::Value = serde_json::from_slice(&body).expect("an error is JSON");
        assert!(error["error"]["message"].as_str().unwrap().contains("scrimp"), "{error}");
    }
    rig
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_answer_in_time_is_given_up() {
    let rig = fails(vec![Act::Wait(90_000)], &chat(PLAIN), (504, Fault::FirstByteTimeout)).await;
    assert!((2_000..2_100).contains(&rig.now_ms()));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_closes_before_it_answers_is_a_502() {
    fails(vec![Act::Close], &chat(PLAIN), (502, Fault::Reset)).await;
    fails(vec![send("HTTP/1.1 200 OK\r\nbro"), Act::Close], &chat(PLAIN), (502, Fault::Reset))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_speaks_no_http_or_too_much_of_it_is_a_502() {
    let garbage = vec![send("SSH-2.0-OpenSSH_9\r\n\r\n")];
    fails(garbage, &chat(PLAIN), (502, Fault::Protocol)).await;
    let huge = vec![send(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(20_000)))];
    fails(huge, &chat(PLAIN), (502, Fault::Protocol)).await;
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_never_followed() {
    let elsewhere = vec![send(
        "HTTP/1.1 307 No\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
    )];
    let rig = fails(elsewhere, &chat(PLAIN), (502, Fault::Redirect)).await;
    assert_eq!(rig.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_ends_with_an_error_in_the_caller_s_dialect() {
    let mut script = stream(&[WORD]);
    script.push(Act::Wait(90_000));
    let mut rig = Rig::new(LIMITS, vec![script.clone(), script]);
    let mut got = Vec::new();
    for (path, marker) in
        [("/v1/chat/completions", "data: {\"error\""), ("/v1/messages", "event: error\n")]
    {
        let started = rig.now_ms();
        got = rig.call(&post(path, STREAM)).await;
        assert!((3_000..3_200).contains(&(rig.now_ms() - started)));
        let text = String::from_utf8_lossy(&got);
        assert!(text.contains(marker), "{text}");
        assert!(!text.ends_with("0\r\n\r\n"), "the client must not see a clean end");
    }
    assert!(!got.is_empty());
    for record in rig.records().await {
        assert_eq!(record.ending, Ending::Failed { fault: Fault::IdleTimeout });
        assert_ne!(record.metering.state, UsageState::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    let mut reset = stream(&[WORD]);
    reset.push(Act::Close);
    let mut bad_chunk = stream(&[WORD]);
    bad_chunk.extend([send("zz\r\nnot a length\r\n"), Act::Wait(10)]);
    let short = vec![send("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"half\":"), Act::Close];
    for script in [reset, bad_chunk, short] {
        let mut rig = Rig::new(LIMITS, vec![script]);
        let got = rig.call(&chat(STREAM)).await;
        assert!(!got.ends_with(b"0\r\n\r\n"));
        assert_eq!(rig.record().await.ending, Ending::Failed { fault: Fault::BrokenBody });
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_its_terminal_event_is_truncated_and_passes_as_it_is() {
    let mut script = stream(&[WORD]);
    script.push(last_chunk());
    let mut rig = Rig::new(LIMITS, vec![script]);
    let got = rig.call(&chat(STREAM)).await;
    assert_eq!(body_of(&got), WORD.as_bytes());
    assert_eq!(rig.record().await.ending, Ending::Truncated { status: 200 });
}

#[tokio::test(start_paused = true)]
async fn a_provider_s_own_error_passes_as_it_is() {
    let told = "{\"error\":{\"message\":\"slow down\"}}";
    let mut rig = Rig::new(LIMITS, vec![vec![answer("429 Too Many", told)]]);
    let got = rig.call(&chat(PLAIN)).await;
    assert_eq!((status(&got), body_of(&got)), (429, told.as_bytes().to_vec()));
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Answered { status: 429, finish: None });
    assert_eq!(record.cost.map(|cost| cost.to_string()), Some("0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_died_is_replaced_once_and_a_fresh_one_is_not() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", "{}"), Act::Wait(50), Act::Close]]);
    let mut client = rig.connect();
    let keep = String::from_utf8(chat(PLAIN)).unwrap().replace("connection: close\r\n", "");
    client.write_all(keep.as_bytes()).await.unwrap();
    let mut piece = [0; 4096];
    assert_ne!(client.read(&mut piece).await.unwrap(), 0);
    drop(client);
    assert_eq!(rig.records().await.len(), 1);

    let answers = |n: usize| (0..n).map(|_| vec![answer("200 OK", "{}")]).collect::<Vec<_>>();
    let mut scripts = answers(1);
    scripts.push(vec![Act::Close]);
    scripts.extend(answers(1));
    let mut rig = Rig::new("", scripts);
    rig.call(&chat(PLAIN)).await;
    let got = rig.call(&chat(PLAIN)).await;
    assert_eq!(status(&got), 200);
    let connections = rig.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>();
    assert_eq!(connections, [0, 0, 1], "the second call met a dead connection and took another");
    assert_eq!(rig.records().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_at_work_is_not_sent_twice() {
    let at_work = [
        // A load balancer that cuts what takes too long.
        vec![Act::Wait(1_500), Act::Close],
        // A provider that said to wait.
        vec![send("HTTP/1.1 103 Early Hints\r\n\r\n"), Act::Wait(10), Act::Close],
    ];
    for script in at_work {
        let mut rig = Rig::new("", vec![vec![answer("200 OK", "{}")], script]);
        rig.call(&chat(PLAIN)).await;
        assert_eq!(status(&rig.call(&chat(PLAIN)).await), 502);
        let connections = rig.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>();
        assert_eq!(connections, [0, 0]);
        assert_eq!(rig.records().await[1].ending, Ending::Failed { fault: Fault::Reset });
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_nobody_will_use_again_are_closed() {
    for (idle_ms, last, kept) in [
        (1, Act::Wait(90_000), 1),
        (61_000, Act::Wait(90_000), 0),
        // The provider closes it first.
        (10, Act::Close, 0),
    ] {
        let rig = Rig::new("", vec![vec![answer("200 OK", "{}"), Act::Wait(5), last]]);
        rig.call(&chat(PLAIN)).await;
        tokio::time::sleep(std::time::Duration::from_millis(idle_ms)).await;
        assert_eq!(rig.kept_after_a_sweep(), kept, "{idle_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_one_that_hung_up() {
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(200 << 10));
    let script = vec![answer("200 OK", &long), Act::Wait(20_000)];
    let mut rig = Rig::new(LIMITS, vec![script]);
    let mut client = rig.connect();
    client.write_all(&chat(PLAIN)).await.unwrap();
    super::rig::settle_down().await;
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Abandoned, "and not a provider that fell silent");
    assert!((3_000..7_000).contains(&rig.now_ms()), "{}", rig.now_ms());

    // A slow one gets all of it.
    let script = vec![answer("200 OK", &long)];
    let mut rig = Rig::new(LIMITS, vec![script]);
    let mut client = rig.connect();
    client.write_all(&chat(PLAIN)).await.unwrap();
    let (mut got, mut piece) = (0, vec![0; 32 << 10]);
    while got < long.len() {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let read = client.read(&mut piece).await.unwrap();
        assert_ne!(read, 0, "cut off after {got} bytes");
        got += read;
    }
    assert_eq!(rig.record().await.ending, Ending::Answered { status: 200, finish: None });
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_provider_is_a_502_and_cost_nothing() {
    let connector = crate::Connector::Memory(std::sync::Arc::new(|_| {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }));
    let mut rig = Rig::with("", connector, std::sync::Arc::default(), tokio::time::Instant::now());
    let got = rig.call(&post("/v1/messages", PLAIN)).await;
    assert_eq!(status(&got), 502);
    let error: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!(error["type"], "error", "the caller speaks Anthropic");
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Failed { fault: Fault::Connect });
    assert_eq!(record.cost.map(|cost| cost.to_string()), Some("0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn bad_bodies_are_refused_in_the_caller_s_dialect_and_settled() {
    let deep = format!("{{\"model\":\"m\",\"messages\":{}", "[".repeat(400));
    let large = format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "y".repeat(2_000));
    let bodies: [(&[u8], u16); 6] = [
        (b"{\"model\":\"m\",\"messages\":[", 400),
        (b"hello", 400),
        (b"", 400),
        (b"{\"model\":\"\xff\xfe\"}", 400),
        (deep.as_bytes(), 400),
        (large.as_bytes(), 413),
    ];
    for (body, expected) in bodies {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let mut rig = Rig::new(LIMITS, vec![]);
            let mut request = post(path, &"z".repeat(body.len()));
            let at = request.len() - body.len();
            request.truncate(at);
            request.extend_from_slice(body);
            let got = rig.call(&request).await;
            assert_eq!(status(&got), expected, "{}", String::from_utf8_lossy(&got));
            let error: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
            assert!(error["error"]["message"].is_string());
            assert_eq!(error.get("type").is_some(), path == "/v1/messages");
            let record = rig.record().await;
            assert!(matches!(record.ending, Ending::Refused(_)), "{record:?}");
            assert!(rig.seen().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunked_body_that_grows_too_large_is_refused_on_the_way() {
    let mut rig = Rig::new(LIMITS, vec![]);
    let mut request = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                        transfer-encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..30 {
        request.extend(format!("64\r\n{}\r\n", "x".repeat(100)).bytes());
    }
    request.extend(b"0\r\n\r\n");
    assert_eq!(status(&rig.call(&request).await), 413);
    assert_eq!(rig.record().await.ending, Ending::Refused(Refusal::TooLarge { limit: 1000 }));
}

#[tokio::test(start_paused = true)]
async fn a_body_of_one_large_chunk_is_refused_like_any_other() {
    let mut rig = Rig::new(LIMITS, vec![]);
    assert_eq!(status(&rig.call(&upload("/v1/messages", "application/json", 1_001)).await), 413);
    assert_eq!(rig.record().await.ending, Ending::Refused(Refusal::TooLarge { limit: 1000 }));
}

#[tokio::test(start_paused = true)]
async fn a_badly_chunked_body_is_refused_in_the_caller_s_dialect_and_one_cut_off_is_abandoned() {
    // The last says more than it has, and then nothing more comes.
    for (chunks, is_refused) in [
        ("zz\r\nhello\r\n0\r\n\r\n", true),
        ("5\r\nhelloo\r\n0\r\n\r\n", true),
        ("fffffffffffffffff\r\nhello", true),
        ("9\r\nhello", false),
    ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let mut rig = Rig::new(LIMITS, vec![]);
            let whole = String::from_utf8(upload(path, "application/json", 1)).unwrap();
            let head = whole.split_inclusive("\r\n\r\n").next().unwrap();
            let mut client = rig.connect();
            client.write_all(format!("{head}{chunks}").as_bytes()).await.unwrap();
            if !is_refused {
                super::rig::settle_down().await;
                drop(client);
                assert_eq!(rig.record().await.ending, Ending::Abandoned, "{chunks:?}");
                continue;
            }
            let got = super::rig::read_all(&mut client).await;
            let record = rig.record().await;
            assert!(matches!(record.ending, Ending::Refused(Refusal::Malformed { .. })));
            assert_eq!(status(&got), 400);
            let id = format!("x-scrimp-id: {}\r\n", record.call.id);
            assert!(String::from_utf8_lossy(&got).contains(&id), "{chunks:?}");
            let error: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
            assert!(error["error"]["message"].as_str().unwrap().contains("chunk"), "{error}");
            assert_eq!(error.get("type").is_some(), path == "/v1/messages");
            assert!(rig.seen().is_empty());
        }
    }
}

/// A chunked request of so many bytes.
fn upload(path: &str, content_type: &str, bytes: usize) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer sk-1\r\n\
         content-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n\
         {bytes:x}\r\n{}\r\n0\r\n\r\n",
        "x".repeat(bytes)
    )
    .into_bytes()
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_passes_through_has_the_same_limit() {
    let mut rig = Rig::new(LIMITS, vec![vec![answer("200 OK", "{}")]]);
    let fits = upload("/openai/v1/files", "multipart/form-data", 1_000);
    assert_eq!(status(&rig.call(&fits).await), 200);
    assert_eq!(rig.record().await.ending, Ending::Answered { status: 200, finish: None });

    let mut rig = Rig::new(LIMITS, vec![]);
    let got = rig.call(&upload("/openai/v1/files", "multipart/form-data", 1_001)).await;
    assert_eq!(status(&got), 413, "{}", String::from_utf8_lossy(&got));
    let error: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!(error["error"]["code"], "too_large");
    let record = rig.record().await;
    assert_eq!(record.ending, Ending::Failed { fault: Fault::TooLarge });
    assert_eq!(record.cost, Some(scrimp_core::Usd::ZERO), "a request cut off was run by nobody");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_outgrows_its_answer_is_aborted_and_settled() {
    // The provider answers before it has the whole of it, as some do.
    let early = "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"half\":";
    let connector = crate::Connector::Memory(std::sync::Arc::new(move |_| {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        tokio::spawn(async move {
            let mut seen = [0; 4096];
            assert_ne!(far.read(&mut seen).await.unwrap(), 0);
            far.write_all(early.as_bytes()).await.unwrap();
            while far.read(&mut seen).await.is_ok_and(|read| 0 < read) {}
        });
        Ok(near)
    }));
    let now = tokio::time::Instant::now();
    let mut rig = Rig::with(LIMITS, connector, std::sync::Arc::default(), now);
    let whole = upload("/openai/v1/files", "multipart/form-data", 1_001);
    let mut client = rig.connect();
    let at = whole.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    client.write_all(&whole[..at]).await.unwrap();
    let mut head = [0; 4096];
    assert_ne!(client.read(&mut head).await.unwrap(), 0);
    assert_eq!(status(&head), 200);
    client.write_all(&whole[at..]).await.unwrap();
    super::rig::read_all(&mut client).await;
    assert_eq!(rig.record().await.ending, Ending::Failed { fault: Fault::TooLarge });
}

#[tokio::test(start_paused = true)]
async fn a_head_may_be_as_large_as_is_said_and_no_larger() {
    let head = |bytes: usize| {
        let bare = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: \r\n\r\n";
        bare.replace("x: ", &format!("x: {}", "y".repeat(bytes - bare.len())))
    };
    let rig = Rig::new(LIMITS, vec![]);
    for (bytes, expected) in
        [(8 << 10, 200), ((8 << 10) + 1, 431), (12 << 10, 431), (40 << 10, 431)]
    {
        let head = head(bytes);
        assert_eq!(head.len(), bytes);
        assert_eq!(status(&rig.call(head.as_bytes()).await), expected, "{bytes}");
    }
    let many = |count: usize| {
        let rest = "x: y\r\n".repeat(count - 2);
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{rest}\r\n")
    };
    assert_eq!(status(&rig.call(many(100).as_bytes()).await), 200);
    assert_eq!(status(&rig.call(many(101).as_bytes()).await), 431);
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_bodies_are_given_up() {
    let mut rig = Rig::new(LIMITS, vec![]);
    let whole = chat(PLAIN);
    let got = rig.call(&whole[..whole.len() - 3]).await;
    assert_eq!(status(&got), 408);
    assert_eq!(rig.record().await.ending, Ending::Refused(Refusal::BodyTimeout));
    let started = rig.now_ms();
    rig.call(b"POST /v1/messages HTTP/1.1\r\nhost: loc").await;
    assert!(rig.now_ms() - started <= 5_100);
    assert_eq!(rig.gateway.counted().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn names_of_others_are_refused() {
    let rig = Rig::new("", vec![]);
    let request =
        String::from_utf8(chat(PLAIN)).unwrap().replace("host: localhost", "host: evil.example");
    assert_eq!(status(&rig.call(request.as_bytes()).await), 421);
    let two = request.replace("host: evil.example", "host: localhost\r\nhost: evil.example");
    assert_eq!(status(&rig.call(two.as_bytes()).await), 400);
    assert!(rig.seen().is_empty());
}
