//! Each fault does what it says, seen at the level of bytes: what stands on the wire between the
//! request and the end of the connection, or of a minute of silence.

mod common;

use common::{request, send};
use scrimp_sim::{Api, Bodies, FAULT_HEADER, FAULTS, Fault, FaultRule, Limits, Provider, Settings};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn body(api: Api, stream: bool) -> Value {
    let model = match api {
        Api::OpenAi => "gpt-4o",
        Api::Anthropic => "claude-sonnet-5-5",
    };
    let usage = (api == Api::OpenAi && stream).then(|| json!({"include_usage": true}));
    let mut body = json!({"model": model, "max_tokens": 24, "stream": stream,
        "messages": [{"role": "user", "content": "Tell me"}]});
    if let Some(usage) = usage {
        body["stream_options"] = usage;
    }
    body
}

/// What stands on the wire, and whether the connection was still open after a minute.
struct Wire {
    bytes: Vec<u8>,
    open: bool,
    writes: usize,
}

impl Wire {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// What comes after the head.
    fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned())
    }
}

async fn wire(api: Api, stream: bool, fault: &str) -> Wire {
    let provider = Provider::new(Settings::exact(1));
    let (mut near, far) = tokio::io::duplex(64 << 20);
    tokio::spawn(provider.serve(far));
    let asked = request(api, &body(api, stream), &[(FAULT_HEADER, fault)]);
    let mut head = format!("POST {} HTTP/1.1\r\nhost: x\r\n", asked.path);
    for (name, value) in &asked.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let length = asked.body.len().to_string();
    head.extend([
        "connection: close
content-length: ",
        &length,
        "

",
    ]);
    near.write_all(head.as_bytes()).await.expect("the head");
    near.write_all(&asked.body).await.expect("the body");
    // In a task of its own, which takes turns with the provider's.
    tokio::spawn(listen(near)).await.expect("no panic")
}

/// Reads until the end, or until a minute of silence.
async fn listen(mut near: tokio::io::DuplexStream) -> Wire {
    let mut wire = Wire { bytes: Vec::new(), open: false, writes: 0 };
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = near.read(&mut buffer);
        match tokio::time::timeout(Duration::from_mins(1), read).await {
            Err(_) => {
                wire.open = true;
                return wire;
            }
            Ok(Ok(0) | Err(_)) => return wire,
            Ok(Ok(count)) => {
                wire.writes += 1;
                wire.bytes.extend(&buffer[..count]);
            }
        }
    }
}

const LAST_CHUNK: &str = "0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn before_the_head_there_is_nothing() {
    for (fault, open) in [("hang", true), ("reset", false), ("close", false)] {
        let wire = wire(Api::OpenAi, true, fault).await;
        assert_eq!((wire.bytes.len(), wire.open), (0, open), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_it_breaks_off_each_in_its_way() {
    for api in [Api::OpenAi, Api::Anthropic] {
        for (fault, open, bad_chunk) in [
            ("stall", true, false),
            ("midreset", false, false),
            ("midclose", false, false),
            ("badchunk", false, true),
        ] {
            let wire = wire(api, true, fault).await;
            let text = wire.text();
            assert_eq!(wire.open, open, "{fault}");
            assert_eq!(text.ends_with("zz\r\nno chunk\r\n"), bad_chunk, "{fault}");
            assert!(text.contains("data: {") && !text.contains(LAST_CHUNK), "{fault}: {text}");
            assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_end_cleanly_and_still_not_be_whole() {
    for (api, fault, ends) in [
        (Api::OpenAi, "nodone", "}\n\n"),
        (Api::Anthropic, "nodone", "}\n\n"),
        (Api::OpenAi, "miderr", "\"code\":null}}\n\n"),
        (Api::Anthropic, "miderr", "\"message\":\"Overloaded\"}}\n\n"),
    ] {
        let wire = wire(api, true, fault).await;
        let text = wire.text();
        assert!(text.ends_with(&format!("{ends}\r\n{LAST_CHUNK}")), "{fault}: {text}");
        assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{fault}");
    }
    let half = wire(Api::OpenAi, true, "midjson").await.text();
    let last =
        half.rsplit("data: ").next().expect("an event").split("\r\n").next().expect("its data");
    assert!(half.ends_with(LAST_CHUNK) && serde_json::from_str::<Value>(last).is_err(), "{last}");
}

/// The body of a streamed answer under `fault`, and of the same without.
async fn both(fault: &str) -> (String, String) {
    let provider = Provider::new(Settings::exact(1));
    let ask =
        |headers: &[(&str, &str)]| request(Api::Anthropic, &body(Api::Anthropic, true), headers);
    let plain = send(&Provider::new(Settings::exact(1)), &ask(&[])).await;
    let other = send(&provider, &ask(&[(FAULT_HEADER, fault)])).await;
    assert_eq!((other.status, &other.error), (200, &None), "{fault}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (text(other.body), text(plain.body))
}

#[tokio::test(start_paused = true)]
async fn the_same_stream_can_be_written_in_many_ways() {
    let (crlf, plain) = both("crlf").await;
    assert_eq!(crlf, plain.replace('\n', "\r\n"));
    assert_eq!(both("cronly").await.0, plain.replace('\n', "\r"));
    assert_eq!(both("bytewise").await.0, plain);
    assert_eq!(both("nospace").await.0, plain.replace("data: ", "data:"));
    assert_eq!(both("comments").await.0, plain.replace("event: ", ": keep-alive\n\nevent: "));
    assert_eq!(both("bom").await.0, format!("\u{FEFF}{plain}"));
    let (multiline, _) = both("multiline").await;
    assert_eq!(multiline.replace("{\ndata: ", "{"), plain);
    assert_ne!(multiline, plain);
    assert!(both("ids").await.0.contains("id: 1\nretry: 3000\nevent: message_stop"));
}

#[tokio::test(start_paused = true)]
async fn one_byte_at_a_time_is_one_chunk_for_each_byte() {
    let wire = wire(Api::OpenAi, false, "bytewise").await;
    assert!(300 < wire.writes, "{} writes", wire.writes);
    let began = tokio::time::Instant::now();
    let slow = request(Api::OpenAi, &body(Api::OpenAi, false), &[(FAULT_HEADER, "slow:50")]);
    let provider = Provider::new(Settings::exact(1));
    let bytes = u32::try_from(send(&provider, &slow).await.body.len()).expect("a short answer");
    assert!(Duration::from_millis(50) * (bytes - 1) <= began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn events_can_be_hostile() {
    let huge = wire(Api::OpenAi, true, "hugeline:2").await;
    assert!(huge.bytes.split(|byte| *byte == b'\n').any(|line| 2 << 20 < line.len()));
    let bad = wire(Api::Anthropic, true, "badutf8").await;
    assert!(std::str::from_utf8(&bad.bytes).is_err());
    for (fault, words) in [
        ("hugeusage", "\"prompt_tokens\":9223372036854775808"),
        ("hugeusage:-5", "\"completion_tokens\":-5"),
        ("hugeusage:1e308", "\"cached_tokens\":1e308"),
        ("hugeusage:\"12\"", "\"total_tokens\":\"12\""),
        ("cachedgtprompt", "\"cached_tokens\":10"),
        ("nullusage", "\"choices\":[],\"usage\":null"),
    ] {
        let text = wire(Api::OpenAi, true, fault).await.text();
        assert!(text.contains(words), "{fault}: {text}");
    }
    for (api, stream) in [(Api::OpenAi, true), (Api::OpenAi, false), (Api::Anthropic, false)] {
        assert!(!wire(api, stream, "nousage").await.text().contains("usage\":"), "{api:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_can_be_other_than_their_head_says() {
    let half = wire(Api::Anthropic, false, "badjson").await;
    assert!(
        half.text().starts_with("HTTP/1.1 200")
            && serde_json::from_str::<Value>(&half.body()).is_err()
    );
    let declared = |wire: &Wire| -> usize {
        let text = wire.text();
        let value = text.split("content-length: ").nth(1).expect("a length");
        value.split("\r\n").next().expect("its value").parse().expect("a number")
    };
    for (fault, expected) in [("shortcl", true), ("midclose", true), ("longcl", false)] {
        let wire = wire(Api::OpenAi, false, fault).await;
        assert_eq!(wire.body().len() < declared(&wire), expected, "{fault}");
        assert_ne!(wire.body().len(), declared(&wire), "{fault}");
    }
    let html = wire(Api::OpenAi, false, "html").await.text();
    assert!(html.starts_with("HTTP/1.1 502") && html.contains("<html>"), "{html}");
    let bomb = wire(Api::OpenAi, false, "bomb:8").await;
    let start = bomb.bytes.windows(2).position(|pair| pair == [0x1F, 0x8B]).expect("gzip");
    assert!(bomb.bytes.len() - start < 80_000, "8 MiB in {} bytes", bomb.bytes.len() - start);
}

#[tokio::test(start_paused = true)]
async fn heads_can_be_hostile() {
    assert!(200 << 10 < wire(Api::OpenAi, false, "bighdr").await.bytes.len());
    let many = wire(Api::OpenAi, false, "manyhdr:500").await.text();
    assert!(many.contains("x-499: y"));
    assert_eq!(wire(Api::OpenAi, false, "early:3").await.text().matches("HTTP/1.1 103").count(), 3);
    assert!(100 < wire(Api::OpenAi, false, "hdrdrip:20").await.writes);
    assert!(wire(Api::OpenAi, false, "nocontent").await.text().starts_with("HTTP/1.1 204"));
    assert!(wire(Api::OpenAi, false, "notmodified").await.text().starts_with("HTTP/1.1 304"));
    assert!(
        wire(Api::OpenAi, false, "badencoding").await.text().contains("content-encoding: gzip")
    );
    let redirect = wire(Api::OpenAi, false, "redirect:http://evil/").await.text();
    assert!(redirect.starts_with("HTTP/1.1 307") && redirect.contains("location: http://evil/"));
}

#[tokio::test(start_paused = true)]
async fn errors_come_in_the_vendors_shape_with_the_return_that_was_asked_for() {
    for (api, fault, words) in [
        (Api::OpenAi, "429:1.5", ["retry-after: 1.5", "\"code\":\"rate_limit_exceeded\""]),
        (Api::OpenAi, "429:ms=20", ["retry-after-ms: 20", "HTTP/1.1 429"]),
        (Api::OpenAi, "429:reset=6m0s", ["x-ratelimit-reset-requests: 6m0s", "HTTP/1.1 429"]),
        (
            Api::OpenAi,
            "503:should-retry=false",
            ["x-should-retry: false", "\"type\":\"server_error\""],
        ),
        (
            Api::Anthropic,
            "429:Wed, 21 Oct 2026 07:28:00 GMT",
            ["retry-after: Wed, 21 Oct 2026", "rate_limit_error"],
        ),
        (Api::Anthropic, "529", ["HTTP/1.1 529", "overloaded_error"]),
        (Api::Anthropic, "500", ["HTTP/1.1 500", "\"type\":\"api_error\""]),
    ] {
        let text = wire(api, false, fault).await.text();
        assert!(words.iter().all(|word| text.contains(word)), "{fault}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_the_table_can_be_asked_for_and_is_logged() {
    for (name, _) in FAULTS {
        let provider = Provider::new(Settings::exact(1));
        let asked = request(Api::OpenAi, &body(Api::OpenAi, true), &[(FAULT_HEADER, name)]);
        let call = tokio::time::timeout(Duration::from_mins(10), send(&provider, &asked)).await;
        let entry = &provider.log()[0];
        assert_eq!(entry.fault.as_deref(), Some(*name));
        drop(call);
    }
    let unknown = request(Api::OpenAi, &body(Api::OpenAi, true), &[(FAULT_HEADER, "boom")]);
    assert_eq!(send(&Provider::new(Settings::exact(1)), &unknown).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn faults_by_chance_come_at_their_rate_and_repeat() {
    let fault: Fault = "529".parse().expect("a fault");
    let settings =
        Settings { faults: vec![FaultRule { fault, probability: 0.2 }], ..Settings::exact(1) };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let provider = Provider::new(settings.clone());
        for _ in 0..400 {
            send(&provider, &request(Api::Anthropic, &body(Api::Anthropic, false), &[])).await;
        }
        runs.push(provider.log().iter().map(|entry| entry.status).collect::<Vec<_>>());
    }
    let failed = runs[0].iter().filter(|status| **status == 529).count();
    assert!((55..105).contains(&failed), "{failed} of 400");
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn limits_refuse_and_say_when_to_come_back() {
    for (api, limits) in [
        (Api::OpenAi, Limits { requests_per_minute: 2, tokens_per_minute: 1_000_000 }),
        (Api::Anthropic, Limits { requests_per_minute: 1000, tokens_per_minute: 9 }),
    ] {
        let provider = Provider::new(Settings { limits, ..Settings::exact(1) });
        let asked = request(api, &body(api, false), &[]);
        let mut last = send(&provider, &asked).await;
        for _ in 0..2 {
            last = send(&provider, &asked).await;
        }
        assert_eq!(last.status, 429, "{api:?}");
        let seconds = last.header("retry-after").expect("when").parse().expect("seconds");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert_eq!(send(&provider, &asked).await.status, 200, "{api:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_is_seen_and_billed() {
    for (stream, api) in [(true, Api::OpenAi), (true, Api::Anthropic), (false, Api::OpenAi)] {
        let provider = Provider::new(Settings { bodies: Bodies::Keep, ..Settings::usual(1) });
        let mut long = body(api, stream);
        long["max_tokens"] = json!(4000);
        let asked = request(api, &long, &[]);
        let (near, far) = tokio::io::duplex(1 << 20);
        let serving = tokio::spawn(Arc::clone(&provider).serve(far));
        let patience = Some(Duration::from_millis(1500));
        let seen = scrimp_sim::workload::exchange(near, &asked, patience).await;
        assert_eq!(seen.error.as_deref(), Some("hung up"));
        serving.await.expect("no panic");
        let (entry, bill) = (&provider.log()[0], &provider.bills()[0]);
        assert_eq!(entry.body.as_ref(), Some(&asked.body));
        assert!((1500..1600).contains(&entry.aborted_ms.expect("an abort")), "{entry:?}");
        let broken = bill.broken.expect("broken off");
        assert_eq!(broken.at_token, bill.usage.generated());
        assert!(0 < broken.at_token && bill.usage.uncached == bill.usage.prompt());
        let heard =
            entry.headers.iter().any(|(name, value)| name == "x-api-key" && value.contains("sk-"));
        assert!(!heard, "credentials are not logged");
    }
}

#[tokio::test]
async fn a_real_socket_is_reset_where_a_reset_is_asked_for() {
    let provider = Provider::new(Settings::exact(1));
    let address =
        provider.listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    for (fault, reset) in [("reset", true), ("close", false)] {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let asked = request(Api::OpenAi, &body(Api::OpenAi, false), &[]);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: x\r\n{FAULT_HEADER}: {fault}\r\ncontent-length: {}\r\n\r\n",
            asked.body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the head");
        stream.write_all(&asked.body).await.expect("the body");
        let end = stream.read(&mut [0; 16]).await;
        assert_eq!(end.is_err(), reset, "{fault}: {end:?}");
    }
}
