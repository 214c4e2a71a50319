//! Who may look at a gateway and who may change it, and what is noted of that.

use serde_json::{Value, json};

use super::control::{request, status};
use super::rig::{Rig, body_of};

const TOKENS: &str = "[listen]\ncontrol_token = \"root\"\n\
    [listen.tokens.ada]\ntoken = \"ada-1\"\nrole = \"operator\"\n\
    [listen.tokens.wall]\ntoken = \"wall-1\"\nrole = \"viewer\"\n";

async fn ask(rig: &Rig, line: &str, token: &str, body: &str) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let headers = format!("authorization: Bearer {token}\r\n");
    let got = rig.call(&request(method, path, &headers, body)).await;
    (status(&got), serde_json::from_slice(&body_of(&got)).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_viewer_looks_an_operator_changes_and_a_stranger_does_neither() {
    let rig = Rig::new(TOKENS, vec![]);
    for line in [
        "GET /api/v1/calls",
        "GET /api/v1/operations",
        "GET /api/v1/errors",
        "GET /api/v1/models",
        "GET /api/v1/prices",
        "GET /api/v1/keys",
        "GET /api/v1/audit",
        "GET /metrics",
    ] {
        for (token, expected) in
            [("wall-1", 200), ("ada-1", 200), ("root", 200), ("ada", 401), ("", 401)]
        {
            assert_eq!(ask(&rig, line, token, "").await.0, expected, "{line} {token}");
        }
    }
    for line in [
        "POST /api/v1/keys",
        "POST /api/v1/policies/undo",
        "POST /api/v1/reconcile",
        "DELETE /api/v1/keys/0",
    ] {
        assert_eq!(ask(&rig, line, "wall-1", "{}").await.0, 403, "{line}");
        assert_eq!(ask(&rig, line, "x", "{}").await.0, 401, "{line}");
    }
    assert_eq!(ask(&rig, "POST /api/v1/keys", "ada-1", "{}").await.0, 200);
    assert_eq!(ask(&rig, "POST /api/v1/policies/undo", "root", "{\"number\":1}").await.0, 409);
    for (token, name, role) in [("wall-1", "wall", "viewer"), ("ada-1", "ada", "operator")] {
        let (_, me) = ask(&rig, "GET /api/v1/me", token, "").await;
        assert_eq!(me, json!({ "name": name, "role": role }));
    }
    for path in ["/healthz", "/readyz", "/"] {
        assert_eq!(status(&rig.call(&request("GET", path, "", "")).await), 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_action_is_noted_with_who_did_it_and_what_came_of_it() {
    let rig = Rig::new(TOKENS, vec![]);
    ask(&rig, "POST /api/v1/keys", "ada-1", "{\"team\":\"search\"}").await;
    ask(&rig, "POST /api/v1/policies/undo", "root", "{\"number\":7}").await;
    ask(&rig, "POST /api/v1/policies/apply", "wall-1", "{}").await;
    rig.rewrite(&format!("{TOKENS}[http]\nbody_bytes = 77_000\n"));
    rig.gateway.reload_changed();
    rig.gateway.reload_changed();
    rig.rewrite("[htp]");
    rig.gateway.reload_changed();
    // What a viewer was denied is noted on another thread.
    let entries = loop {
        let (_, audit) = ask(&rig, "GET /api/v1/audit", "wall-1", "").await;
        let entries = audit["entries"].as_array().unwrap().clone();
        if 5 <= entries.len() {
            break entries;
        }
        tokio::task::yield_now().await;
    };
    let mut said: Vec<_> = entries
        .iter()
        .map(|entry| {
            let is_done = entry["refused"].is_null();
            let word = |name: &str| entry[name].as_str().unwrap().to_owned();
            (word("who"), word("action"), is_done)
        })
        .collect();
    said.sort();
    let expected = [
        ("ada", "key_created", true),
        ("control_token", "policy_undone", false),
        ("file", "configuration_changed", false),
        ("file", "configuration_changed", true),
        ("wall", "control_denied", false),
    ];
    let expected = expected.map(|(who, what, done)| (who.to_owned(), what.to_owned(), done));
    assert_eq!(said, expected);
    let denied = entries.iter().find(|entry| entry["who"] == "wall").unwrap();
    assert_eq!(denied["subject"], "POST /api/v1/policies/apply");
    let changed = entries.iter().find(|entry| entry["who"] == "file").unwrap();
    assert!(changed["before"].as_str().unwrap().starts_with("sha256:"), "{changed}");
    assert_ne!(changed["before"], changed["after"]);
    assert_eq!(entries[0]["at_ms"].as_i64().map(|at| 1_790_000_000_000 <= at), Some(true));
}

#[tokio::test(start_paused = true)]
async fn what_the_gateway_writes_itself_is_noted_once() {
    let rig = Rig::new("# mine\n", vec![]);
    let application = crate::journal::Application {
        finding: "F1 the same beginning".to_owned(),
        change: "[prompt_cache]\nstate = \"on\"\n".to_owned(),
        share: scrimp_core::Share::ALL,
        predicted_ppm: None,
    };
    let number = rig.gateway.apply(&application, "ada").unwrap();
    rig.gateway.reload_changed();
    rig.gateway.undo(number, "asked for", "bob").unwrap();
    rig.gateway.reload_changed();
    let entries = rig.gateway.shared().store.reader().audit(9, None).unwrap();
    let said: Vec<_> = entries
        .iter()
        .map(|entry| json!([entry.who, entry.action, entry.subject, entry.before, entry.after]))
        .collect();
    let (subject, rule) = ("journal #1: F1 the same beginning", "[prompt_cache]\nstate = \"on\"\n");
    let expected = [
        json!(["bob", "policy_undone", subject, rule, null]),
        json!(["ada", "policy_applied", subject, null, rule]),
    ];
    assert_eq!(said, expected);
}
