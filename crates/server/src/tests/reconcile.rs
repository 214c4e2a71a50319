//! Reports of providers sent to the gateway, and what is kept of them.

use serde_json::{Value, json};

use super::control::{get, request, status};
use super::rig::{Rig, answer, body_of, chat};

const PLAIN: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const TOLD: &str = "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";

async fn send(rig: &Rig, body: &str) -> (u16, Value) {
    let headers = "x-scrimp-control: 1\r\ncontent-type: application/json\r\n";
    let got = rig.call(&request("POST", "/api/v1/reconcile", headers, body)).await;
    (status(&got), serde_json::from_slice(&body_of(&got)).unwrap_or_default())
}

/// OpenAI's usage of one model on one day.
fn usage(day: i64, input: u64, output: u64) -> String {
    let result = json!({
        "object": "organization.usage.completions.result", "model": "gpt-4o",
        "project_id": "proj_a", "num_model_requests": 2,
        "input_tokens": input, "input_cached_tokens": 0, "output_tokens": output,
    });
    let bucket = json!({ "object": "bucket", "start_time": day, "end_time": day + 86_400, "results": [result] });
    json!({ "object": "page", "data": [bucket], "has_more": false }).to_string()
}

fn files(files: &[(&str, &str)]) -> String {
    let files = files.iter().map(|(name, text)| json!({ "name": name, "text": text }));
    json!({ "files": files.collect::<Vec<_>>() }).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_report_is_compared_and_the_result_stays() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    assert_eq!(get(&rig, "/api/v1/reconcile").await["last"], Value::Null);
    rig.call(&chat(PLAIN)).await;
    let cost = rig.record().await.cost.unwrap();
    rig.gateway.shared().store.flush();
    let now = rig.gateway.shared().clock.now().secs();
    let report = usage(now - now % 86_400, 1_009, 102);
    let (code, found) =
        send(&rig, &files(&[("usage.json", &report), ("notes.txt", "hello")])).await;
    assert_eq!(code, 200, "{found}");
    let last = &found["last"];
    let provider = &last["providers"][0];
    assert_eq!((&provider["provider"], &provider["basis"]), (&"openai".into(), &"listed".into()));
    assert_eq!(last["computed"], cost.to_string());
    let causes = provider["causes"].as_array().unwrap();
    assert!(causes.iter().any(|cause| cause["cause"] == "bypassed"), "{provider}");
    for by in ["day", "model", "project"] {
        assert_eq!(provider["shares"][by].as_array().unwrap().len(), 1, "{by} {provider}");
    }
    assert_eq!(provider["shares"]["project"][0]["name"], "proj_a");
    let notes = last["notes"].to_string();
    assert!(notes.contains("notes.txt was not read"), "{notes}");
    assert_eq!(last["files"], json!(["usage.json", "notes.txt"]));
    assert_eq!(get(&rig, "/api/v1/reconcile").await, found);
    let audit = get(&rig, "/api/v1/audit").await;
    assert_eq!(audit["entries"][0]["action"], "reconciled");
    assert_eq!(audit["entries"][0]["subject"], "2 files, the first usage.json");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_report_is_refused_and_takes_nothing_away() {
    let rig = Rig::new("", vec![]);
    let now = rig.gateway.shared().clock.now().secs();
    let report = usage(now - now % 86_400, 10, 1);
    assert_eq!(send(&rig, &files(&[("usage.json", &report)])).await.0, 200);
    let before = get(&rig, "/api/v1/reconcile").await;
    let (code, told) = send(&rig, &files(&[("a.txt", "hello")])).await;
    assert_eq!(code, 400);
    assert!(told["error"]["message"].to_string().contains("no report of a provider"), "{told}");
    assert_eq!(send(&rig, "{\"file\": 1}").await.0, 400);
    let name = "n".repeat(10_000);
    assert_eq!(send(&rig, &files(&[(name.as_str(), "hello"); 90])).await.0, 400);
    let noted = get(&rig, "/api/v1/audit?limit=1").await.to_string();
    assert!(noted.contains("90 files, the first nnn") && noted.len() < 4_000, "{}", noted.len());
    let held = rig.gateway.shared().reconciling.lock().await;
    assert_eq!(send(&rig, &files(&[("usage.json", &report)])).await.0, 409);
    drop(held);
    let long = "x".repeat(33 << 20);
    assert_eq!(send(&rig, &files(&[("long", &long)])).await.0, 413);
    assert_eq!(get(&rig, "/api/v1/reconcile").await, before);
}
