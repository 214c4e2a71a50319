//! Unedited calls reach the provider byte for byte, and answers the client.

use proptest::prelude::*;
use scrimp_core::{Ending, Refusal, Usage, UsageState};

use super::rig::{Act, Rig, answer, body_of, chat, last_chunk, post, send, stream};

const ODD: &str = "{ \"model\" : \"gpt-4o\",\n\t\"messages\":[{\"role\":\"user\",\
                   \"content\":\"h\\u00e9 \u{1f600}\"}],\"unknown\" : [1e3, -0.0] }";
const STREAM: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\
                     \"total_tokens\":11}}\n\n";
const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[tokio::test(start_paused = true)]
async fn a_call_passes_byte_for_byte_both_ways() {
    let told = "{\"id\":\"x\", \"usage\" : {\"prompt_tokens\":9,\"completion_tokens\":2}}\n";
    let mut rig = Rig::new("", vec![vec![answer("200 OK", told)]]);
    let request = String::from_utf8(chat(ODD)).unwrap().replace(
        "authorization",
        "anthropic-beta: a,b\r\nx-stainless-lang: python\r\nuser-agent: ua\r\ncookie: c=1\r\n\
         x-scrimp-op: greet\r\nx-scrimp-tags: team=a\r\nte: trailers\r\nx-own: 1\r\n\
         connection: x-own\r\nauthorization",
    );
    let got = rig.call(request.as_bytes()).await;
    assert_eq!(body_of(&got), told.as_bytes());

    let sent = rig.request(0);
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, ODD);
    let mut lines = head.lines().map(str::to_owned).collect::<Vec<_>>();
    lines[1..].sort();
    expect_test::expect![[r#"
        POST /v1/chat/completions HTTP/1.1
        anthropic-beta: a,b
        authorization: Bearer sk-1
        content-length: 102
        content-type: application/json
        host: api.openai.com
        user-agent: ua
        x-stainless-lang: python"#]]
    .assert_eq(&lines.join("\n"));

    let head = String::from_utf8_lossy(&got);
    assert!(head.contains("x-scrimp-id: "), "{head}");
    assert!(head.contains("server-timing: provider;dur="), "{head}");
    assert!(head.contains("x-scrimp-cost-usd: "), "known as the body came with the head: {head}");
    let record = rig.record().await;
    assert_eq!(&*record.call.operation, "greet");
    assert_eq!(record.metering.usage, Usage { uncached: 9, output: 2, ..Usage::ZERO });
    assert!(record.cost.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_asked_for_usage_and_the_client_does_not_see_it() {
    let mut script = stream(&[WORD, STOP, USAGE, DONE]);
    script.push(last_chunk());
    let mut rig = Rig::new("", vec![script]);
    let got = rig.call(&chat(STREAM)).await;
    assert_eq!(String::from_utf8(body_of(&got)).unwrap(), [WORD, STOP, DONE].concat());
    assert!(rig.request(0).contains("include_usage"), "{}", rig.request(0));
    let record = rig.record().await;
    assert_eq!(record.metering.state, UsageState::Measured);
    assert_eq!(record.metering.usage.output, 2);
    assert_eq!(
        record.ending,
        Ending::Answered { status: 200, finish: Some("stop".into()) },
        "{record:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_passive_provider_gets_the_stream_as_it_was_asked_for() {
    let mut script = stream(&[WORD, STOP, DONE]);
    script.push(last_chunk());
    let mut rig = Rig::new("[providers.openai]\nmetering = \"passive\"", vec![script]);
    rig.call(&chat(STREAM)).await;
    assert!(rig.request(0).ends_with(STREAM));
    assert_eq!(rig.record().await.metering.state, UsageState::Estimated);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_refused_in_its_dialect_with_the_way_out() {
    let mut rig = Rig::new("", Vec::new());
    let wants = |path: &str, upgrade: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\n\
             upgrade: {upgrade}\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let live = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
    for (path, upgrade, code) in [
        ("/v1/realtime?model=gpt-realtime", "websocket", "/error/code"),
        (live, "h2c, WebSocket", "/error/details/0/reason"),
    ] {
        let got = rig.call_for_ms(wants(path, upgrade).as_bytes(), 50).await;
        assert!(got.starts_with(b"HTTP/1.1 501 "), "{}", String::from_utf8_lossy(&got));
        let told: serde_json::Value = serde_json::from_slice(&body_of(&got)).unwrap();
        assert_eq!(told.pointer(code).unwrap(), "no_websocket", "{told}");
        let why = told["error"]["message"].as_str().unwrap();
        assert!(why.contains("itself, with a key of its own"), "{why}");
        let ending = rig.record().await.ending;
        assert!(matches!(ending, Ending::Refused(Refusal::NoWebSocket { .. })), "{ending:?}");
    }
    assert_eq!(rig.seen().len(), 0, "no provider was asked");
    // What the client can do without is not asked for, and passes.
    let rig = Rig::new("", vec![vec![answer("200 OK", "{}")]]);
    let got = rig.call_for_ms(wants("/v1/models", "h2c").as_bytes(), 50).await;
    assert!(got.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&got));
    assert!(!rig.request(0).contains("upgrade"), "{}", rig.request(0));
}

#[tokio::test(start_paused = true)]
async fn streams_are_not_held_back() {
    let mut script = stream(&[WORD]);
    script.extend([Act::Wait(60_000), last_chunk()]);
    let rig = Rig::new("", vec![script]);
    let got = rig.call_for_ms(&chat(STREAM), 11).await;
    assert!(String::from_utf8_lossy(&got).contains("\"hi\""), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn aliases_and_prefixes_choose_the_provider_and_its_name_for_the_model() {
    let config = "[providers.local]\nbase_url = \"http://127.0.0.1:9\"\n\
                  [models.fast]\ntargets = [\"local/tiny\"]";
    let ok = || vec![answer("200 OK", "{}")];
    let mut rig = Rig::new(config, vec![ok(), ok(), ok()]);
    for model in ["fast", "local/tiny"] {
        let body = format!("{{\"model\":\"{model}\",\"messages\":[]}}");
        rig.call(&chat(&body)).await;
    }
    rig.call(&post("/local/chat/completions", "{\"model\":\"a/b\",\"messages\":[]}")).await;
    for (n, model) in ["tiny", "tiny", "a/b"].into_iter().enumerate() {
        let sent = rig.request(n);
        assert!(sent.contains("host: 127.0.0.1:9\r\n"), "{sent}");
        assert!(sent.ends_with(&format!("{{\"model\":\"{model}\",\"messages\":[]}}")), "{sent}");
    }
    let records = rig.records().await;
    assert!(records.iter().all(|record| &*record.call.provider == "local"));
    assert_eq!(&*records[0].call.model, "tiny");
}

#[tokio::test(start_paused = true)]
async fn a_configured_key_replaces_the_caller_s_and_goes_nowhere_else() {
    let config = "[providers.openai]\napi_key = \"sk-own\"";
    let rig = Rig::new(config, vec![vec![answer("200 OK", "{}")], vec![answer("200 OK", "{}")]]);
    let request = String::from_utf8(chat("{\"model\":\"m\",\"messages\":[]}")).unwrap();
    let hostile = request
        .replace("content-type", "connection: authorization\r\nx-api-key: k\r\ncontent-type");
    rig.call(hostile.as_bytes()).await;
    assert!(rig.request(0).contains("authorization: Bearer sk-own"));
    assert!(!rig.request(0).contains("sk-1") && !rig.request(0).contains("x-api-key"));
    rig.call(&post("/v1/messages", "{\"model\":\"m\",\"messages\":[]}")).await;
    assert!(rig.request(1).contains("host: api.anthropic.com"));
    assert!(!rig.request(1).contains("sk-own"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_passes_through_as_it_comes() {
    let mut rig =
        Rig::new("", vec![vec![answer("200 OK", "{\"data\":[]}")], vec![answer("200 OK", "{}")]]);
    let got = rig
        .call(b"GET /v1/models?limit=3 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await;
    assert!(got.ends_with(b"{\"data\":[]}"));
    assert!(
        rig.request(0).starts_with("GET /v1/models?limit=3 HTTP/1.1\r\n"),
        "{}",
        rig.request(0)
    );

    let upload = b"POST /openai/v1/files HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                   content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    rig.call(upload).await;
    assert!(rig.request(1).contains("abc") && rig.request(1).contains("de"));
    let records = rig.records().await;
    assert_eq!(&*records[0].call.operation, "models");
    assert_eq!(records[0].metering.usage, Usage::ZERO);
    assert_eq!(records[0].metering.state, UsageState::Measured);
    assert_eq!(&*records[1].call.operation, "files");
}

#[tokio::test(start_paused = true)]
async fn claude_code_s_probe_is_answered() {
    let rig = Rig::new("", vec![]);
    let got = rig.call(b"HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(got.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&got));
}

#[tokio::test(start_paused = true)]
async fn a_gzipped_answer_is_metered_and_passes_untouched() {
    use std::io::Write;
    let told = b"{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(told).unwrap();
    let packed = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\
         content-length: {}\r\n\r\n",
        packed.len()
    );
    let mut rig = Rig::new("", vec![vec![send(head), Act::Send(packed.clone())]]);
    let request = String::from_utf8(chat(ODD)).unwrap();
    let request = request.replace("content-type", "accept-encoding: br, gzip\r\ncontent-type");
    let got = rig.call(request.as_bytes()).await;
    assert_eq!(body_of(&got), packed);
    assert!(rig.request(0).contains("accept-encoding: gzip\r\n"));
    assert_eq!(rig.record().await.metering.usage.uncached, 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Wherever a stream is cut into pieces, the client reads the same bytes and the same is metered.
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(1_usize..40, 1..40)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let whole = [WORD, WORD, STOP, USAGE, DONE].concat();
            let (mut pieces, mut rest) = (Vec::new(), whole.as_str());
            for cut in cuts.iter().cycle() {
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let mut script = stream(&pieces);
            script.push(last_chunk());
            let mut rig = Rig::new("", vec![script]);
            let got = rig.call(&chat(STREAM)).await;
            assert_eq!(String::from_utf8(body_of(&got)).unwrap(), [WORD, WORD, STOP, DONE].concat());
            let record = rig.record().await;
            assert_eq!(record.metering.usage.output, 2);
        });
    }
}
