//! Policies that step aside by hand.

use scrimp_core::State;
use scrimp_core::policy::prompt_cache::StoodDown;

use super::control::{get, request, status};
use super::rig::{Rig, body_of, chat, last_chunk, stream};

const RULE: &str = "[prompt_cache]\nstate = \"on\"\nstrategy = \"system\"\n";
const ASKED: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;

fn step(on: bool) -> Vec<u8> {
    let body = format!("{{\"on\":{on}}}");
    request("POST", "/api/v1/bypass", "x-scrimp-control: 1\r\n", &body)
}

async fn page(rig: &Rig, path: &str) -> String {
    String::from_utf8(body_of(&rig.call(&request("GET", path, "", "")).await)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_pass_unedited_and_are_recorded_as_bypassed() {
    let script = || {
        let mut script = stream(&["data: [DONE]\n\n"]);
        script.push(last_chunk());
        script
    };
    let mut rig = Rig::new(RULE, vec![script(), script()]);
    assert_eq!(status(&rig.call(&step(true)).await), 200);
    rig.call(&chat(ASKED)).await;
    let placement = rig.record().await.placement.unwrap();
    assert_eq!(placement.stood_down, Some(StoodDown::Bypassed));
    // So it is in no proof.
    assert_eq!((placement.state, placement.edits.len()), (State::Off, 0));
    let sent = rig.seen.lock().unwrap()[0].request.clone();
    assert!(sent.ends_with(ASKED.as_bytes()), "{}", String::from_utf8_lossy(&sent));
    assert_eq!(page(&rig, "/healthz").await, "ok; bypass is on\n");
    let metrics = page(&rig, "/metrics").await;
    assert!(metrics.contains("\nscrimp_bypass 1\n"), "{metrics}");
    assert!(metrics.contains("\nscrimp_bypassed_calls_total 1\n"), "{metrics}");
    assert_eq!(get(&rig, "/api/v1/summary").await["health"]["bypass"], true);

    assert_eq!(status(&rig.call(&step(false)).await), 200);
    rig.call(&chat(ASKED)).await;
    let placement = rig.record().await.placement.unwrap();
    assert_ne!(placement.stood_down, Some(StoodDown::Bypassed));
    assert_eq!(page(&rig, "/healthz").await, "ok\n");
}

#[tokio::test(start_paused = true)]
async fn a_reload_does_not_end_it_and_the_audit_log_says_who_did_what() {
    let rig = Rig::new(RULE, vec![]);
    rig.call(&step(true)).await;
    rig.rewrite("[http]\nbody_bytes = 77");
    rig.gateway.reload().unwrap();
    assert!(rig.gateway.running().policies.is_bypassed);
    rig.call(&step(false)).await;
    let entries = &get(&rig, "/api/v1/audit").await["entries"];
    let said = |at: usize| {
        let entry = &entries[at];
        [&entry["who"], &entry["action"], &entry["before"], &entry["after"]]
            .map(ToString::to_string)
    };
    assert_eq!(said(0).join(" "), r#""local" "bypass" "on" "off""#);
    assert_eq!(said(1).join(" "), r#""local" "bypass" "off" "on""#);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_cannot_have_policies_step_aside() {
    let tokens = "[listen.tokens.wall]\ntoken = \"look-at-me\"\nrole = \"viewer\"\n";
    let rig = Rig::new(tokens, vec![]);
    let body = "{\"on\":true}";
    let viewer = "authorization: Bearer look-at-me\r\n";
    let asked = request("POST", "/api/v1/bypass", viewer, body);
    assert_eq!(status(&rig.call(&asked).await), 403);
    assert!(!rig.gateway.running().policies.is_bypassed);
}
