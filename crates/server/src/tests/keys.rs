//! Virtual keys at the door: who is let in, to what, and what a provider sees of it.

use std::sync::Arc;

use scrimp_core::{Ending, Record, Refusal, Span, Time};
use serde_json::{Value, json};

use super::control::{get, request, status};
use super::rig::{Act, Rig, answer, body_of};
use crate::keys::Wanted;

const TOLD: &str = "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";
const KEYED: &str = "[providers.openai]\napi_key = \"sk-own\"\n[providers.anthropic]\napi_key = \
                     \"sk-ant\"\n[models.fast]\ntargets = [\"openai/gpt-4o-mini\"]\n";
const CHAT: &str = "/v1/chat/completions";

fn answers(n: usize) -> Vec<Vec<Act>> {
    vec![vec![answer("200 OK", TOLD)]; n]
}

fn chat_to(model: &str) -> String {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] }).to_string()
}

fn send(path: &str, headers: &str, body: &str) -> Vec<u8> {
    request("POST", path, &format!("content-type: application/json\r\n{headers}\r\n"), body)
}

fn make(rig: &Rig, wanted: Wanted) -> (Arc<str>, String) {
    let made = rig.gateway.create_key(wanted, "ada").unwrap();
    (made.key.id, made.text.reveal().to_owned())
}

fn refusal(record: &Record) -> &Refusal {
    match &record.ending {
        Ending::Refused(refusal) => refusal,
        ending => panic!("{ending:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_key_passes_with_the_provider_s_own_and_carries_the_key_s_names() {
    let mut rig = Rig::new(KEYED, answers(6));
    let wanted = Wanted {
        team: Some("search".into()),
        tags: [("stage".into(), "test".into())].into(),
        ..Wanted::default()
    };
    let (id, key) = make(&rig, wanted);
    for header in ["authorization: Bearer", "x-api-key:", "x-goog-api-key:", "api-key:"] {
        let got = rig.call(&send(CHAT, &format!("{header} {key}"), &chat_to("gpt-4o"))).await;
        assert_eq!(status(&got), 200, "{header}");
    }
    let in_query = format!("{CHAT}?key={key}&a=b");
    assert_eq!(status(&rig.call(&send(&in_query, "accept: */*", &chat_to("gpt-4o"))).await), 200);
    let named = format!("x-scrimp-tags: team=other,feature=ask\r\nx-scrimp-key: {key}");
    assert_eq!(status(&rig.call(&send(CHAT, &named, &chat_to("gpt-4o"))).await), 200);
    for n in 0..6 {
        let seen = rig.request(n);
        assert!(!seen.contains("sk-scrimp"), "{seen}");
        assert!(seen.contains("authorization: Bearer sk-own\r\n"), "{seen}");
    }
    let records = rig.records().await;
    assert_eq!(records.len(), 6);
    for record in &records {
        let caller = &record.call.caller;
        assert_eq!(caller.key, rig.gateway.shared().key.digest("key", id.as_bytes()));
        let tags: Vec<_> =
            caller.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let own = [format!("key={id}"), "team=search".to_owned(), "stage=test".to_owned()];
        assert_eq!(tags[..3], own);
    }
    assert_eq!(records[5].call.caller.tags[3], ("feature".into(), "ask".into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_good_key_a_call_is_refused_in_its_dialect_and_settled() {
    let mut rig = Rig::new(KEYED, vec![]);
    let now = rig.gateway.shared().clock.now();
    let expires_ms = (now + Span::from_millis(1)).millis();
    let soon = Wanted { expires_ms: Some(expires_ms), ..Wanted::default() };
    let (expired, old) = make(&rig, soon);
    let (revoked, gone) = make(&rig, Wanted::default());
    rig.gateway.revoke_key(&revoked, "ada").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let unknown = format!("sk-scrimp-{}", "0".repeat(56));
    let at = Time::from_millis(expires_ms);
    for (key, code, refused) in [
        ("sk-own", "no_virtual_key", Refusal::NoVirtualKey),
        (&unknown, "unknown_key", Refusal::UnknownKey),
        (&gone, "key_revoked", Refusal::KeyRevoked { key: revoked }),
        (&old, "key_expired", Refusal::KeyExpired { key: expired, at }),
    ] {
        let header = format!("authorization: Bearer {key}");
        let got = rig.call(&send(CHAT, &header, &chat_to("gpt-4o"))).await;
        assert_eq!(status(&got), 401);
        let told: Value = serde_json::from_slice(&body_of(&got)).unwrap();
        assert_eq!(told["error"]["code"], code);
        assert_eq!(told["error"]["type"], "authentication_error");
        assert_eq!(refusal(&rig.record().await), &refused);

        let header = format!("x-api-key: {key}");
        let got = rig.call(&send("/v1/messages", &header, &chat_to("claude-opus-5"))).await;
        let told: Value = serde_json::from_slice(&body_of(&got)).unwrap();
        assert_eq!(
            (status(&got), &told["type"], &told["error"]["code"]),
            (401, &json!("error"), &json!(code))
        );
        assert_eq!(refusal(&rig.record().await), &refused);
    }
    assert!(rig.seen().is_empty(), "nothing reaches a provider");
    rig.gateway.shared().store.flush();
    let totals = &get(&rig, "/api/v1/summary?window=24h").await["totals"];
    assert_eq!((&totals["calls"], &totals["usd"]), (&json!(8), &json!("0")), "{totals}");
}

#[tokio::test(start_paused = true)]
async fn a_key_for_some_models_calls_no_others_however_they_are_named() {
    let mut rig = Rig::new(KEYED, answers(4));
    let models = vec!["gpt-4o-mini".into(), "anthropic/claude-*".into()];
    let (id, key) = make(&rig, Wanted { models, ..Wanted::default() });
    let header = format!("authorization: Bearer {key}");
    for (path, model) in [
        (CHAT, "gpt-4o-mini"),
        (CHAT, "openai/gpt-4o-mini"),
        // An alias is what it stands for.
        (CHAT, "fast"),
        ("/v1/messages", "claude-opus-5"),
    ] {
        let got = rig.call(&send(path, &header, &chat_to(model))).await;
        assert_eq!(status(&got), 200, "{model}");
        rig.record().await;
    }
    let list = rig.call(&request("GET", "/v1/models", &format!("{header}\r\n"), "")).await;
    assert_ne!(status(&list), 403);
    rig.records().await;
    let packed = format!("{header}\r\ncontent-encoding: gzip");
    let two = r#"{"model":"gpt-4o-mini","models":["gpt-5-pro"],"messages":[]}"#;
    let asked = rig.seen().len();
    for (path, header, body, model) in [
        (CHAT, &header, chat_to("gpt-4o"), "gpt-4o"),
        (CHAT, &header, chat_to("openai/gpt-4o"), "gpt-4o"),
        (CHAT, &header, chat_to("claude-opus-5"), "claude-opus-5"),
        (CHAT, &header, two.to_owned(), ""),
        (CHAT, &packed, chat_to("gpt-4o-mini"), ""),
        ("/v1/moderations", &header, r#"{"input":"x"}"#.to_owned(), ""),
    ] {
        let got = rig.call(&send(path, header, &body)).await;
        let told: Value = serde_json::from_slice(&body_of(&got)).unwrap();
        assert_eq!(
            (status(&got), &told["error"]["code"]),
            (403, &json!("model_not_allowed")),
            "{body}"
        );
        assert_eq!(told["error"]["type"], "permission_error");
        let refused = Refusal::ModelNotAllowed { key: id.clone(), model: model.into() };
        assert_eq!(refusal(&rig.record().await), &refused, "{body}");
    }
    let got = rig.call(&send("/v1/messages", &packed, &chat_to("claude-opus-5"))).await;
    let told: Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!((status(&got), &told["type"]), (403, &json!("error")), "in its dialect: {told}");
    assert_eq!(rig.seen().len(), asked, "nothing more reached a provider");
}

#[tokio::test(start_paused = true)]
async fn the_last_key_s_end_lets_nobody_in() {
    let rig = Rig::new(KEYED, answers(1));
    let open = rig.call(&send(CHAT, "authorization: Bearer x", &chat_to("gpt-4o"))).await;
    assert_eq!(status(&open), 200, "without keys there is nothing to show");
    let (id, _) = make(&rig, Wanted::default());
    rig.gateway.revoke_key(&id, "ada").unwrap();
    let shut = rig.call(&send(CHAT, "authorization: Bearer x", &chat_to("gpt-4o"))).await;
    assert_eq!(status(&shut), 401);
    rig.rewrite("[http]\nbody_bytes = 77_000");
    rig.gateway.reload().unwrap();
    let shut = rig.call(&send(CHAT, "authorization: Bearer x", &chat_to("gpt-4o"))).await;
    assert_eq!(status(&shut), 401, "a changed configuration forgets no keys");
}

#[tokio::test(start_paused = true)]
async fn keys_may_be_required_before_there_are_any() {
    let rig = Rig::new("[keys]\nrequired = true", answers(1));
    let shut = rig.call(&send(CHAT, "authorization: Bearer sk-own", &chat_to("gpt-4o"))).await;
    assert_eq!(status(&shut), 401);
    // Where no key is configured, the caller's own goes to the provider beside the virtual one.
    let (_, key) = make(&rig, Wanted::default());
    let both = format!("authorization: Bearer sk-caller\r\nx-scrimp-key: {key}");
    assert_eq!(status(&rig.call(&send(CHAT, &both, &chat_to("gpt-4o"))).await), 200);
    let seen = rig.request(0);
    assert!(seen.contains("authorization: Bearer sk-caller\r\n") && !seen.contains("sk-scrimp"));
}

#[tokio::test(start_paused = true)]
async fn another_gateway_s_key_reaches_no_provider_where_none_are_needed() {
    let mut rig = Rig::new("", vec![]);
    let header = "authorization: Bearer sk-scrimp-0-0";
    assert_eq!(status(&rig.call(&send(CHAT, header, &chat_to("gpt-4o"))).await), 401);
    assert_eq!(refusal(&rig.record().await), &Refusal::UnknownKey);
    assert!(rig.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn keys_are_made_listed_and_revoked_over_the_api() {
    let rig = Rig::new(KEYED, vec![]);
    let control = "x-scrimp-control: 1\r\n";
    let body = r#"{"name":"nightly","models":["gpt-*"],"team":"search","tags":{"stage":"test"}}"#;
    let got = rig.call(&request("POST", "/api/v1/keys", control, body)).await;
    assert_eq!(status(&got), 200);
    let made: Value = serde_json::from_slice(&body_of(&got)).unwrap();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with("sk-scrimp-"));
    let listed = get(&rig, "/api/v1/keys").await;
    assert_eq!(listed["required"], true);
    let expected = json!([{
        "id": id, "name": "nightly", "state": "active", "models": ["gpt-*"], "team": "search",
        "tags": { "stage": "test" }, "created_ms": 1_790_000_000_000_i64, "expires_ms": null,
        "revoked_ms": null,
    }]);
    assert_eq!(listed["keys"], expected);
    let path = format!("/api/v1/keys/{id}");
    assert_eq!(get(&rig, &path).await, expected[0]);
    let revoke = request("DELETE", &path, control, "");
    assert_eq!(status(&rig.call(&request("DELETE", &path, "", "")).await), 401);
    assert_eq!(status(&rig.call(&revoke).await), 200);
    assert_eq!(status(&rig.call(&revoke).await), 409, "it is revoked already");
    assert_eq!(get(&rig, &path).await["state"], "revoked");
    for (body, expected) in [("{\"model\":[]}", 400), ("{", 400), ("{\"expires_ms\":1}", 400)] {
        let got = rig.call(&request("POST", "/api/v1/keys", control, body)).await;
        assert_eq!(status(&got), expected, "{body}");
    }
    let missing = request("DELETE", "/api/v1/keys/0", control, "");
    assert_eq!(status(&rig.call(&missing).await), 404);

    let audit = get(&rig, "/api/v1/audit?limit=10").await;
    let text = audit.to_string();
    assert!(!text.contains(key) && !text.contains("sk-scrimp"), "{text}");
    let entries = audit["entries"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|e| e["action"].as_str().unwrap()).collect();
    // The latest first, and with them what was refused.
    let expected = ["key_revoked", "key_created", "key_revoked", "key_revoked", "key_created"];
    assert_eq!(actions, expected);
    assert_eq!(entries[4]["who"], "local");
    assert_eq!(entries[4]["subject"], id);
    assert!(entries[4]["after"].as_str().unwrap().contains("\"team\":\"search\""));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_others_reach_with_a_provider_s_key_needs_keys_for_ever() {
    let open = "[listen]\naddress = \"0.0.0.0:4100\"\ncontrol_token = \"t\"\n";
    let rig = Rig::new(&[open, "[keys]\nrequired = true\n", KEYED].concat(), vec![]);
    let call = send(CHAT, "authorization: Bearer x", &chat_to("gpt-4o"));
    assert_eq!(status(&rig.call(&call).await), 401);
    rig.rewrite(&[open, KEYED].concat());
    let wrong = rig.gateway.reload().unwrap_err().to_string();
    assert!(wrong.contains("scrimp keys create"), "{wrong}");
    make(&rig, Wanted::default());
    rig.gateway.reload().unwrap();
    assert_eq!(status(&rig.call(&call).await), 401);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_site_does_not_spend_a_configured_key() {
    let call = |site: &str| send(CHAT, &format!("sec-fetch-site: {site}"), &chat_to("gpt-4o"));
    let configured = "[providers.openai]\napi_key = \"sk-ours\"";
    for (config, site, is_refused) in [
        (configured, "cross-site", true),
        (configured, "same-site", false),
        (configured, "none", false),
        ("", "cross-site", false),
    ] {
        let mut rig = Rig::new(config, answers(1));
        let got = String::from_utf8(rig.call(&call(site)).await).unwrap();
        assert_eq!(got.starts_with("HTTP/1.1 403 "), is_refused, "{site} {got}");
        assert_eq!(rig.seen().is_empty(), is_refused, "{site}");
        let ending = rig.record().await.ending;
        assert_eq!(ending == Ending::Refused(Refusal::ForeignPage), is_refused, "{ending:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_configured_key_is_sent_to_known_routes_only() {
    let files = "[providers.mistral]\napi_key = \"sk-mis\"\nroutes = [\"GET /v1/files*\"]\n";
    let mut rig = Rig::new(&[KEYED, files].concat(), answers(16));
    let call = |line: &str| {
        let (method, path) = line.split_once(' ').unwrap();
        request(method, path, "content-type: application/json\r\n", "{\"model\":\"m\"}")
    };
    for line in [
        "POST /v1/chat/completions",
        "POST /openai/embeddings",
        "POST /anthropic/v1/messages",
        "GET /v1/models",
        "GET /v1/models/gpt-4o",
        "POST /v1/moderations",
        "POST /v1/audio/speech",
        "GET /mistral/v1/files/file-1",
        "GET /mistral/files",
        // Nobody's key is sent here but the caller's own.
        "GET /groq/v1/files",
    ] {
        assert_eq!(status(&rig.call(&call(line)).await), 200, "{line}");
        rig.record().await;
    }
    let asked = rig.seen().len();
    for line in [
        "GET /v1/files",
        "POST /v1/files",
        "DELETE /v1/models/ft-1",
        "GET /v1/chat/completions?limit=2",
        "GET /v1/responses/resp_1",
        "POST /v1/responses/resp_1/cancel",
        "GET /openai/v1/organization/api_keys",
        "GET /openai/models/../files",
        "GET /openai/models/%2e%2e/files",
        "GET /openai/models/x%2F..%2F..%2Ffiles",
        "POST /openai/v1/fine_tuning/jobs",
        "POST /anthropic/v1/messages/batches",
        "DELETE /mistral/v1/files/file-1",
        "GET /mistral/v1/files/../fine_tuning/jobs",
    ] {
        let got = rig.call(&call(line)).await;
        assert_eq!(status(&got), 403, "{line}");
        let record = rig.record().await;
        assert!(matches!(refusal(&record), Refusal::RouteNotAllowed { .. }), "{line}");
    }
    let got = rig.call(&call("POST /anthropic/v1/files")).await;
    let told: Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!(told["type"], "error", "whoever calls Anthropic reads its errors: {told}");
    rig.record().await;
    // A model's name leads to a provider whose key must not go to that path either.
    let elsewhere = request(
        "POST",
        "/v1/files",
        "content-type: application/json\r\n",
        "{\"model\":\"mistral/m\"}",
    );
    let got = rig.call(&elsewhere).await;
    let told: Value = serde_json::from_slice(&body_of(&got)).unwrap();
    assert_eq!(status(&got), 403);
    assert_eq!(
        told["error"]["message"],
        "scrimp: `POST /v1/files` is not passed on with the key that is configured for `mistral`; \
         name it in `routes` of [providers.mistral] to change that"
    );
    assert_eq!(rig.seen().len(), asked, "nothing more reached a provider");
}
