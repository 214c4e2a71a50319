//! The gateway's own routes, reconfiguration, and stopping.

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::rig::{Act, Rig, answer, body_of, chat, last_chunk, read_all, settle_down, stream};
use crate::journal::Application;
use crate::{Config, Phase};

const PLAIN: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const TOLD: &str = "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";
const STREAM: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;

pub(super) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(super) async fn get(rig: &Rig, path: &str) -> Value {
    let got = rig.call(&request("GET", path, "", "")).await;
    serde_json::from_slice(&body_of(&got)).expect("JSON")
}

/// Waits for a study that is under way.
pub(super) async fn study_is_over(rig: &Rig) {
    while get(rig, "/api/v1/findings").await["running"] == true {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

pub(super) fn status(answer: &[u8]) -> u16 {
    let head = String::from_utf8_lossy(answer);
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn the_summary_and_the_lists_show_a_call() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&chat(PLAIN)).await;
    let record = rig.record().await;
    rig.gateway.shared().store.flush();

    let summary = get(&rig, "/api/v1/summary?window=24h").await;
    assert_eq!(summary["totals"]["calls"], 1);
    assert_eq!(summary["totals"]["tokens"]["uncached"], 9);
    assert_eq!(summary["totals"]["usd"], record.cost.unwrap().to_string());
    assert_eq!(summary["models"][0]["model"], "gpt-4o");
    assert_eq!(summary["operations"][0]["name"], "chat");
    assert_eq!(summary["health"]["observing"], true);
    assert_eq!(summary["series"].as_array().unwrap().len(), 1);

    let calls = get(&rig, "/api/v1/calls?limit=5&operation=chat").await;
    assert_eq!(calls["calls"][0]["id"], record.call.id.to_string());
    let detail = get(&rig, &format!("/api/v1/calls/{}", record.call.id)).await;
    assert_eq!(detail["bill"][0]["tokens"], 9);
    assert_eq!(detail["blocks"][0]["role"], "user");
    for path in ["findings", "policies", "proofs"] {
        assert!(get(&rig, &format!("/api/v1/{path}")).await.is_object(), "{path}");
    }
    assert!(get(&rig, "/api/v1/calls/0").await["error"].is_object());
}

#[tokio::test(start_paused = true)]
async fn health_metrics_and_dashboard_answer() {
    let rig = Rig::new("", vec![]);
    for (path, expected) in
        [("/healthz", "ok"), ("/readyz", "ready"), ("/metrics", "scrimp_calls_total 0")]
    {
        let got = rig.call(&request("GET", path, "", "")).await;
        assert!(String::from_utf8_lossy(&body_of(&got)).contains(expected), "{path}");
    }
    let page = rig.call(&request("GET", "/", "", "")).await;
    let head = String::from_utf8_lossy(&page);
    assert_eq!(status(&page), 200);
    assert!(head.contains("content-security-policy: "));
    assert_eq!(status(&rig.call(&request("GET", "/../etc/passwd", "", "")).await), 404);
}

#[tokio::test(start_paused = true)]
async fn metrics_sum_tokens_and_dollars_by_provider_and_model() {
    let named = PLAIN.replace("gpt-4o", "my \\\"model");
    let told = TOLD.replace("}}", ",\"prompt_tokens_details\":{\"cached_tokens\":4}}}");
    let mut rig = Rig::new("", vec![vec![answer("200 OK", &told)], vec![answer("200 OK", TOLD)]]);
    rig.call(&chat(PLAIN)).await;
    let record = rig.record().await;
    let (cost, uncached) = (record.cost.unwrap(), record.cost_uncached.unwrap());
    assert!(cost < uncached, "{cost} {uncached}");
    rig.call(&chat(&named)).await;
    rig.gateway.idle().await;
    rig.gateway.shared().store.flush();
    let got = rig.call(&request("GET", "/metrics", "", "")).await;
    let text = String::from_utf8(body_of(&got)).unwrap();
    let own = r#"provider="openai",model="gpt-4o""#;
    for expected in [
        format!("scrimp_cost_usd_total{{{own}}} {cost}\n"),
        format!("scrimp_cost_without_caching_usd_total{{{own}}} {uncached}\n"),
        format!("scrimp_model_calls_total{{{own}}} 1\n"),
        "\nscrimp_labels_folded_total 0\n".to_owned(),
        "\nscrimp_keys_folded_total 0\n".to_owned(),
        "\nscrimp_spend_folded_total 0\n".to_owned(),
        format!("scrimp_tokens_total{{{own},class=\"uncached\"}} 5\n"),
        format!("scrimp_tokens_total{{{own},class=\"output\"}} 2\n"),
        r#"scrimp_model_unpriced_calls_total{provider="openai",model="my \"model"} 1"#.to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} in\n{text}");
    }
    // Each family stands together under one head.
    assert_eq!(text.matches("# TYPE scrimp_tokens_total counter").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_counts_cannot_be_is_marked() {
    let hostile = TOLD.replace('9', "-9");
    let mut rig =
        Rig::new("", vec![vec![answer("200 OK", TOLD)], vec![answer("200 OK", &hostile)]]);
    for expected in [false, true] {
        rig.call(&chat(PLAIN)).await;
        let id = rig.record().await.call.id;
        rig.gateway.shared().store.flush();
        let detail = get(&rig, &format!("/api/v1/calls/{id}")).await;
        assert_eq!(detail["suspect"], expected, "{detail}");
        assert_eq!(detail["attempts"][0]["suspect"], expected, "{detail}");
    }
}

#[tokio::test(start_paused = true)]
async fn control_is_refused_to_foreign_pages_and_without_the_header() {
    let rig = Rig::new("", vec![]);
    let undo = |headers: &str| request("POST", "/api/v1/policies/undo", headers, "{\"number\":1}");
    assert_eq!(status(&rig.call(&undo("")).await), 401);
    let foreign = "origin: http://evil.example\r\nx-scrimp-control: 1\r\n";
    assert_eq!(status(&rig.call(&undo(foreign)).await), 403);
    assert_eq!(
        status(&rig.call(&undo("x-scrimp-control: 1\r\n")).await),
        409,
        "there is no such entry"
    );

    let open = "[listen]\naddress = \"0.0.0.0:4100\"\ncontrol_token = \"let-me\"";
    let rig = Rig::new(open, vec![]);
    let look = |headers: &str| request("GET", "/api/v1/calls", headers, "");
    assert_eq!(status(&rig.call(&look("")).await), 401);
    assert_eq!(status(&rig.call(&look("x-scrimp-control: 1\r\n")).await), 401);
    assert_eq!(status(&rig.call(&look("x-scrimp-control: let-me\r\n")).await), 200);
    assert_eq!(status(&rig.call(&look("authorization: Bearer let-me\r\n")).await), 200);
    let told = |site: &str| format!("x-scrimp-control: let-me\r\nsec-fetch-site: {site}\r\n");
    assert_eq!(status(&rig.call(&look(&told("same-origin"))).await), 200);
    assert_eq!(status(&rig.call(&look(&told("cross-site"))).await), 403, "without an origin, too");
    let files = request("GET", "/v1/files", "", "");
    assert_eq!(status(&rig.call(&files).await), 404, "only known routes pass from elsewhere");
}

/// Whoever listens first and asks for the list then misses no call between the two.
#[tokio::test(start_paused = true)]
async fn a_call_that_ended_is_in_the_list_at_once() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&chat(PLAIN)).await;
    let id = rig.record().await.call.id.to_string();
    assert_eq!(get(&rig, "/api/v1/calls").await["calls"][0]["id"], id);
}

#[tokio::test(start_paused = true)]
async fn calls_are_seen_live() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    let mut watcher = rig.connect();
    watcher.write_all(&request("GET", "/api/v1/live", "", "")).await.unwrap();
    settle_down().await;
    rig.call(&chat(PLAIN)).await;
    rig.record().await;
    rig.gateway.enter(Phase::Draining);
    settle_down().await;
    rig.gateway.enter(Phase::Closing);
    let seen = String::from_utf8_lossy(&read_all(&mut watcher).await).into_owned();
    assert!(seen.contains("event: call\ndata: {\"id\":"), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_configuration_applies_and_a_broken_one_does_not() {
    let rig = Rig::new("", vec![]);
    rig.rewrite("[http]\nbody_bytes = 77");
    rig.gateway.reload().unwrap();
    assert_eq!(rig.gateway.running().config.limits.body_bytes, 77);
    rig.rewrite("[http]\nbody_byte = 78");
    let wrong = rig.gateway.reload().unwrap_err();
    assert_eq!((wrong.place, wrong.suggestion.as_deref()), (Some((2, 1)), Some("body_bytes")));
    assert_eq!(rig.gateway.running().config.limits.body_bytes, 77);
    let health = &get(&rig, "/api/v1/summary").await["health"];
    assert!(health["refused_config"].as_str().unwrap().contains("body_byte"), "{health}");
    rig.rewrite("[http]\nbody_bytes = 79");
    rig.gateway.reload().unwrap();
    assert!(get(&rig, "/api/v1/summary").await["health"]["refused_config"].is_null());
}

#[tokio::test(start_paused = true)]
async fn trouble_is_seen_in_health_and_in_the_metrics() {
    let rig = Rig::new("", vec![]);
    let metrics = async || {
        let text = body_of(&rig.call(&request("GET", "/metrics", "", "")).await);
        String::from_utf8(text).unwrap()
    };
    let well = metrics().await;
    for gauge in ["flush_failing", "maintenance_failing", "damaged_files", "configuration_refused"]
    {
        assert!(well.contains(&format!("\nscrimp_{gauge} 0\n")), "{gauge} in\n{well}");
    }
    let health = get(&rig, "/api/v1/summary").await["health"].clone();
    assert!(health["last_maintenance_error"].is_null(), "{health}");
    assert!(health.get("last_maintenance_error").is_some(), "{health}");

    rig.rewrite("[http]\nbody_byte = 78");
    rig.gateway.reload().unwrap_err();
    let ready = rig.call(&request("GET", "/readyz", "", "")).await;
    assert_eq!(status(&ready), 200, "calls are taken all the same");
    assert_eq!(body_of(&ready), b"ready; the changed configuration was refused\n");
    assert!(metrics().await.contains("\nscrimp_configuration_refused 1\n"));

    // Its thread would find the damage half done.
    study_is_over(&rig).await;
    rig.damage_database();
    assert_eq!(status(&rig.call(&request("GET", "/api/v1/summary", "", "")).await), 503);
    rig.gateway.shared().store.flush();
    let health = get(&rig, "/api/v1/summary").await["health"].clone();
    let damaged = health["corrupt_files"][0].as_str().unwrap_or_default();
    assert!(damaged.ends_with("scrimp.db.corrupt-1"), "{health}");
    assert!(metrics().await.contains("\nscrimp_damaged_files 1\n"));
}

#[tokio::test(start_paused = true)]
async fn a_reload_cannot_make_an_open_gateway_unsafe() {
    let open = "[listen]\naddress = \"0.0.0.0:4100\"\ncontrol_token = \"t\"";
    let rig = Rig::new(open, vec![]);
    rig.rewrite("[providers.openai]\napi_key = \"sk-own\"");
    let wrong = rig.gateway.reload().unwrap_err().to_string();
    assert!(wrong.contains("control_token"), "the sockets stay where they are: {wrong}");
}

#[tokio::test(start_paused = true)]
async fn an_applied_rule_is_in_force_at_once_and_so_is_its_undoing() {
    let ok = || vec![answer("200 OK", TOLD)];
    let mut rig = Rig::new("# mine\n", vec![ok(), ok()]);
    let application = Application {
        finding: "F1 the same beginning".to_owned(),
        change: "[prompt_cache.\"op:chat\"]\nstate = \"on\"\nstrategy = \"tail\"\n".to_owned(),
        share: scrimp_core::Share::ALL,
        predicted_ppm: Some(-100_000),
    };
    let number = rig.gateway.apply(&application, "ada").unwrap();
    rig.call(&chat(PLAIN)).await;
    assert_eq!(rig.record().await.placement.map(|placement| placement.experiment), Some(number));
    let proofs = get(&rig, "/api/v1/proofs").await;
    assert_eq!(proofs["proofs"][0]["verdict"], "too_early");
    let undo = format!("{{\"number\":{number}}}");
    let undo = request("POST", "/api/v1/policies/undo", "x-scrimp-control: 1\r\n", &undo);
    assert_eq!(status(&rig.call(&undo).await), 200);
    rig.call(&chat(PLAIN)).await;
    assert_eq!(rig.record().await.placement, None);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_keeps_the_configuration_that_it_began_with() {
    let mut script = stream(&["data: [DONE]\n\n"]);
    script.insert(1, Act::Wait(5_000));
    script.push(last_chunk());
    let mut rig = Rig::new("", vec![script]);
    let mut client = rig.connect();
    client.write_all(&chat(STREAM)).await.unwrap();
    settle_down().await;
    let text = "[providers.openai]\nbase_url = \"http://127.0.0.1:1\"\n[http]\nfirst_token_timeout = \"1s\"";
    rig.gateway.reconfigure(Config::parse("t", text, None, &|_| None).unwrap());
    let got = read_all(&mut client).await;
    assert!(got.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&got));
    assert_eq!(rig.record().await.timing.ended.map(|e| 5_000 <= e.nanos() / 1_000_000), Some(true));
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_open_streams_and_refuses_new_calls() {
    let mut script = stream(&["data: {}\n\n"]);
    script.extend([Act::Wait(2_000), last_chunk()]);
    let mut rig = Rig::new("", vec![script]);
    let (mut open, mut idle) = (rig.connect(), rig.connect());
    let mut asked = rig.connect();
    open.write_all(&chat(STREAM)).await.unwrap();
    // Half a question, so that its connection outlives the beginning of the end.
    let ready = request("GET", "/readyz", "", "");
    let (first, rest) = ready.split_at(9);
    asked.write_all(first).await.unwrap();
    settle_down().await;
    rig.gateway.enter(Phase::Draining);
    settle_down().await;
    asked.write_all(rest).await.unwrap();
    assert_eq!(status(&read_all(&mut asked).await), 503);
    let whole = read_all(&mut open).await;
    assert!(whole.ends_with(b"0\r\n\r\n"));
    assert_eq!(read_all(&mut idle).await, b"", "idle connections are closed");
    assert_eq!(rig.records().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_open_streams_settled() {
    let mut script = stream(&["data: {}\n\n"]);
    script.push(Act::Wait(600_000));
    let mut rig = Rig::new("", vec![script]);
    let mut open = rig.connect();
    open.write_all(&chat(STREAM)).await.unwrap();
    settle_down().await;
    rig.gateway.enter(Phase::Draining);
    settle_down().await;
    rig.gateway.enter(Phase::Closing);
    read_all(&mut open).await;
    assert_eq!(rig.record().await.ending, scrimp_core::Ending::Abandoned);
    assert!(rig.now_ms() < 100);
}
