//! What the simulated providers answer, when nothing goes wrong and when the caller does.

mod common;

use common::{json, request, send};
use scrimp_sim::{Api, Provider, Settings};
use serde_json::json;
use std::time::Duration;

fn chat() -> serde_json::Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 12})
}

fn message() -> serde_json::Value {
    json!({"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 12})
}

#[tokio::test(start_paused = true)]
async fn both_vendors_answer_whole_and_streamed() {
    let provider = Provider::new(Settings::exact(1));
    let whole = json(&send(&provider, &request(Api::OpenAi, &chat(), &[])).await);
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(whole["usage"]["completion_tokens"], 12);
    assert_eq!(whole["choices"][0]["finish_reason"], "length");

    let mut body = chat();
    body["stream"] = json!(true);
    let stream = send(&provider, &request(Api::OpenAi, &body, &[])).await;
    let text = String::from_utf8(stream.body).expect("UTF-8");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(!text.contains("usage"), "nobody asked for it");

    let whole = json(&send(&provider, &request(Api::Anthropic, &message(), &[])).await);
    assert_eq!(
        (whole["type"].as_str(), whole["stop_reason"].as_str()),
        (Some("message"), Some("max_tokens"))
    );
    let mut body = message();
    body["stream"] = json!(true);
    let stream = send(&provider, &request(Api::Anthropic, &body, &[])).await;
    let text = String::from_utf8(stream.body).expect("UTF-8");
    assert!(text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), "{text}");
    assert_eq!(provider.bills().len(), 4);
    assert!(provider.bills().iter().all(|bill| bill.usage.output == 12 && bill.broken.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_takes_no_real_time() {
    let provider = Provider::new(Settings::usual(1));
    let mut body = chat();
    body["max_tokens"] = json!(2000);
    let began = std::time::Instant::now();
    let mut simulated = Duration::ZERO;
    for turn in 0..20 {
        body["seed"] = json!(turn);
        simulated += send(&provider, &request(Api::OpenAi, &body, &[])).await.ended_after;
    }
    assert!(Duration::from_secs(10) < simulated, "{simulated:?} is too fast to be believed");
    assert!(began.elapsed() < Duration::from_secs(5));
}
