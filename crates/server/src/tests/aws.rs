//! Calls to Amazon Bedrock: signed with a stored key, or with the caller's own.

use scrimp_core::{Ending, Fault, Metering, Time, Usage, UsageState, Usd};

use super::control::status;
use super::rig::{Act, Rig, answer, body_of, last_chunk, send};
use crate::config::{AccessKey, Secret};
use crate::upstream::{Lines, Unsigned, signed};

#[path = "../../../wire/tests/frames/mod.rs"]
mod frames;

const KEYED: &str = "[providers.bedrock]\n\
                     base_url = \"https://bedrock-runtime.eu-west-1.amazonaws.com\"\n\
                     dialect = \"bedrock\"\n\
                     access_key_id = \"AKIDEXAMPLE\"\n\
                     secret_access_key = \"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\"\n\
                     session_token = \"session==\"\n";
const CONVERSE: &str = "/model/eu.amazon.nova-pro-v1%3A0/converse";
const HELLO: &str = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#;
const TOLD: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":9,"outputTokens":2,"totalTokens":11}}"#;

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const JSON: &str = "content-type: application/json\r\n";

fn told(times: usize) -> Vec<Vec<Act>> {
    vec![vec![answer("200 OK", TOLD)]; times]
}

/// The values of a header of a request.
fn values<'r>(request: &'r str, name: &str) -> Vec<&'r str> {
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(of, _)| *of == name).map(|(_, value)| value).collect()
}

/// Signs what a provider saw once more, as of `seconds` after the gateway began.
fn signed_again(request: &str, seconds: i64) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let (first, rest) = head.split_once("\r\n").unwrap();
    let [method, target, _] = first.split(' ').collect::<Vec<_>>()[..] else { panic!("{first}") };
    let mut lines = Lines::default();
    for (name, value) in rest.lines().filter_map(|line| line.split_once(": ")) {
        if !matches!(name, "authorization" | "x-amz-date" | "x-amz-security-token") {
            lines.push(&name.parse().unwrap(), &[value.as_bytes()]);
        }
    }
    let secret = |text: &str| Secret::new(text.to_owned());
    let key = AccessKey {
        id: secret("AKIDEXAMPLE"),
        secret: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: Some(secret("session==")),
        region: "eu-west-1".into(),
    };
    let method = method.parse().unwrap();
    let whole = Unsigned { method: &method, target, lines: &lines, body: body.as_bytes() };
    let lines = signed(&whole, &key, Time::from_secs(1_790_000_000 + seconds));
    let lines = lines.iter().find(|(name, _)| *name == "authorization").unwrap();
    String::from_utf8(lines.1.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_signed_as_amazon_s_own_library_signs_it() {
    let mut rig = Rig::new(KEYED, told(1));
    assert_eq!(status(&rig.call(&post(CONVERSE, JSON, HELLO)).await), 200);
    let seen = rig.request(0);
    assert_eq!(values(&seen, "x-amz-date"), ["20260921T141320Z"], "by the gateway's clock");
    assert_eq!(values(&seen, "x-amz-security-token"), ["session=="]);
    // Made with botocore 1.44.8 for the same request, key and time.
    let signature = "AWS4-HMAC-SHA256 \
                     Credential=AKIDEXAMPLE/20260921/eu-west-1/bedrock/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
                     Signature=78b2bb25cdffc182c0ae0e5d3bbd80a5e303b44a497cd263b3168258761e07f8";
    assert_eq!(values(&seen, "authorization"), [signature]);
    let record = rig.record().await;
    assert_eq!((record.metering.state, record.metering.usage.uncached), (UsageState::Measured, 9));
}

#[tokio::test(start_paused = true)]
async fn what_is_signed_is_what_goes_out_after_edits() {
    let rules = "[models.fast]\ntargets = [\"bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0\"]\n\
                 [prompt_cache]\nstate = \"on\"\nstrategy = \"tail\"\n";
    let mut rig = Rig::new(&[KEYED, rules].concat(), told(2));
    rig.call(&post("/model/fast/converse", JSON, HELLO)).await;
    let long = "Answer every question about the handbook. ".repeat(900);
    let body = format!(
        r#"{{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"system":"{long}","messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    rig.call(&post("/model/eu.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke", JSON, &body))
        .await;
    let (renamed, marked) = (rig.request(0), rig.request(1));
    let path = "POST /model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse HTTP/1.1";
    assert!(renamed.starts_with(path), "{renamed}");
    let placed = rig.records().await.remove(1).placement;
    assert!(marked.contains("cache_control"), "it was edited: {placed:?}");
    for seen in [renamed, marked] {
        assert_eq!(values(&seen, "authorization"), [signed_again(&seen, 0)]);
    }
}

#[tokio::test(start_paused = true)]
async fn cache_points_are_placed_where_the_price_list_knows_that_marks_are_taken() {
    let rules = "[prompt_cache]\nstate = \"on\"\nstrategy = \"system\"\nttl = \"1h\"\n";
    let mut rig = Rig::new(&[KEYED, rules].concat(), told(4));
    let text = format!(r#"{{"text":"{}"}}"#, "Answer by the handbook. ".repeat(900));
    let tail = r#"],"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#;
    let body = format!(r#"{{"system":[{text}{tail}"#);
    let long = r#",{"cachePoint":{"type":"default","ttl":"1h"}}"#;
    let short = r#",{"cachePoint":{"type":"default"}}"#;
    for (at, (model, point)) in [
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0", long),
        // Its price list has no rate for the long life.
        ("anthropic.claude-3-7-sonnet-20250219-v1%3A0", short),
        ("amazon.nova-pro-v1%3A0", ""),
        ("house-1", ""),
    ]
    .into_iter()
    .enumerate()
    {
        rig.call(&post(&format!("/model/{model}/converse"), JSON, &body)).await;
        let seen = rig.request(at);
        let (_, sent) = seen.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent, format!(r#"{{"system":[{text}{point}{tail}"#), "{model}");
        assert_eq!(values(&seen, "authorization"), [signed_again(&seen, 0)], "{model}");
        let placed = rig.record().await.placement.unwrap();
        assert_eq!(placed.edits.len(), usize::from(!point.is_empty()), "{model}: {placed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_gets_a_signature_of_its_own() {
    let slow = vec![Act::Wait(90_000), answer("200 OK", TOLD)];
    let rig = Rig::new(KEYED, vec![slow, vec![answer("200 OK", TOLD)]]).hedge_after_ms(30_000);
    assert_eq!(status(&rig.call(&post(CONVERSE, JSON, HELLO)).await), 200);
    let (first, second) = (rig.request(0), rig.request(1));
    assert_eq!(values(&first, "x-amz-date"), ["20260921T141320Z"]);
    assert_eq!(values(&second, "x-amz-date"), ["20260921T141350Z"]);
    assert_eq!(values(&second, "authorization"), [signed_again(&second, 30)]);
}

const OWN: &str = "authorization: AWS4-HMAC-SHA256 \
                   Credential=AKIDCALLER/20260921/eu-west-1/bedrock/aws4_request, \
                   SignedHeaders=host;x-amz-date, Signature=00\r\n\
                   x-amz-date: 20260101T000000Z\r\nx-amz-security-token: theirs\r\n\
                   x-amz-content-sha256: 00\r\n\
                   x-amzn-bedrock-guardrailidentifier: g\r\n";

#[tokio::test(start_paused = true)]
async fn a_stored_key_takes_the_place_of_the_caller_s_own_signature() {
    let sent = KEYED.split("access_key_id").next().unwrap().to_owned() + "api_key = \"bedrock-1\"";
    for (config, is_signed) in [(KEYED, true), (&sent, false)] {
        let rig = Rig::new(config, told(1));
        assert_eq!(status(&rig.call(&post(CONVERSE, &[JSON, OWN].concat(), HELLO)).await), 200);
        let seen = rig.request(0);
        for theirs in ["AKIDCALLER", "20260101T000000Z", "theirs", "x-amz-content-sha256"] {
            assert!(!seen.contains(theirs), "{theirs}: {seen}");
        }
        assert_eq!(values(&seen, "x-amzn-bedrock-guardrailidentifier"), ["g"]);
        let shown = if is_signed { signed_again(&seen, 0) } else { "Bearer bedrock-1".to_owned() };
        assert_eq!(values(&seen, "authorization"), [shown]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_stored_key_the_caller_s_own_signature_goes_through() {
    let bare = KEYED.split("access_key_id").next().unwrap();
    let rig = Rig::new(bare, told(1));
    rig.call(&post(CONVERSE, &[JSON, OWN].concat(), HELLO)).await;
    let seen = rig.request(0);
    for line in OWN.lines() {
        assert!(seen.contains(line), "{line}: {seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_understood_is_read_whole_to_be_signed() {
    let config = [KEYED, "[http]\nbody_bytes = 100\n"].concat();
    let mut rig = Rig::new(&config, told(3));
    let path = "/model/amazon.titan-embed-text-v2%3A0/invoke";
    let packed = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    for (path, headers) in
        [(path, "content-type: application/octet-stream\r\n"), (CONVERSE, packed)]
    {
        assert_eq!(status(&rig.call(&post(path, headers, "no JSON")).await), 200);
    }
    let chunked = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n7\r\nno JSON\r\n0\r\n\r\n"
    );
    assert_eq!(status(&rig.call(chunked.as_bytes()).await), 200);
    for n in 0..3 {
        let seen = rig.request(n);
        assert!(seen.ends_with("\r\n\r\nno JSON"), "{seen}");
        assert_eq!(values(&seen, "content-length"), ["7"], "{seen}");
        assert_eq!(values(&seen, "authorization"), [signed_again(&seen, 0)]);
    }
    let long = post(path, "content-type: application/octet-stream\r\n", &"x".repeat(101));
    assert_eq!(status(&rig.call(&long).await), 413);
    assert_eq!(rig.seen().len(), 3);
    let records = rig.records().await;
    assert_eq!(records.len(), 4, "each is settled");
}

/// The head's lines and the body of an error.
fn error_of(got: &[u8]) -> (String, serde_json::Value) {
    let head = String::from_utf8_lossy(got).split("\r\n\r\n").next().unwrap().to_lowercase();
    (head, serde_json::from_slice(&body_of(got)).unwrap())
}

#[tokio::test(start_paused = true)]
async fn errors_are_of_a_type_that_amazon_s_sdks_know() {
    let config = [KEYED, "[http]\nfirst_token_timeout = \"2s\"\n"].concat();
    let rig = Rig::new(&config, vec![vec![Act::Close], vec![Act::Wait(90_000)]]);
    let claude = "/model/anthropic.claude-opus-5/invoke";
    for (path, kind, fault) in [
        (CONVERSE, "ServiceUnavailableException", "closed the connection"),
        (claude, "ModelTimeoutException", "did not begin to answer"),
        ("/bedrock/model/m/../../x/invoke", "AccessDeniedException", "is not passed on"),
    ] {
        let (head, body) = error_of(&rig.call(&post(path, JSON, HELLO)).await);
        let named = format!("x-amzn-errortype: {}", kind.to_lowercase());
        assert!(head.contains(&named), "{path}: {head}");
        assert_eq!(body["__type"], kind);
        assert!(body["message"].as_str().unwrap().contains(fault), "{body}");
    }
    let (head, body) = error_of(&rig.call(&post(claude, JSON, "{")).await);
    assert!(head.contains("x-amzn-errortype: validationexception"), "{head}");
    assert_eq!(body["__type"], "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn usage_in_the_head_is_metered_where_the_body_has_none() {
    let body = "{\"generation\":\"hello\"}";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                X-Amzn-Bedrock-Input-Token-Count: 25\r\n\
                X-Amzn-Bedrock-Output-Token-Count: 7\r\n";
    let told = send(format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
    let mut rig = Rig::new(KEYED, vec![vec![told]]);
    let path = "/model/meta.llama3-70b-instruct-v1%3A0/invoke";
    rig.call(&post(path, JSON, "{\"prompt\":\"hi\"}")).await;
    let record = rig.record().await;
    let usage = Usage { uncached: 25, output: 7, ..Usage::ZERO };
    assert_eq!(record.metering, Metering::measured(usage));
    assert!(record.cost.is_some_and(|cost| Usd::ZERO < cost), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_frames_that_is_cut_anywhere_is_settled_as_broken() {
    let whole = frames();
    for cut in (0..whole.len()).step_by(131) {
        for ends_cleanly in [false, true] {
            let head = "HTTP/1.1 200 OK\r\n\
                        content-type: application/vnd.amazon.eventstream\r\n\
                        transfer-encoding: chunked\r\n\r\n";
            let piece = [format!("{cut:x}\r\n").as_bytes(), &whole[..cut], b"\r\n"].concat();
            let mut script = vec![send(head)];
            script.extend((0 < cut).then(|| send(piece)));
            script.push(if ends_cleanly { last_chunk() } else { Act::Close });
            let mut rig = Rig::new(KEYED, vec![script]);
            let got = rig.call(&post("/model/m/converse-stream", JSON, HELLO)).await;
            let record = rig.record().await;
            let expected = match ends_cleanly {
                true => Ending::Truncated { status: 200 },
                false => Ending::Failed { fault: Fault::BrokenBody },
            };
            assert_eq!(record.ending, expected, "cut at {cut}");
            assert_ne!(record.metering.state, UsageState::Unknown, "cut at {cut}: it is estimated");
            assert!(body_of(&got).starts_with(&whole[..cut]), "nothing is held back");
        }
    }
}

/// A stream of Converse's: its text, why it stopped, its usage.
fn frames() -> Vec<u8> {
    let text = include_str!("../../../wire/tests/exchanges/converse_stream.response.frames");
    frames::written(text)
}

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_for_everybody_is_refused() {
    let mut rig = Rig::new(KEYED, told(1));
    let listed =
        "GET /bedrock/foundation-models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&rig.call(listed.as_bytes()).await), 403);
    assert!(matches!(rig.record().await.ending, Ending::Refused(_)));
    assert_eq!(rig.seen().len(), 0);
}
