//! What the API tells of spend: rows of every kind, which always add up to the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrimp_core::{Call, CallId, Digest, Metering, Record, Span, UsageState, Usd};
use scrimp_store::CallFilter;
use serde_json::Value;

use super::control::{get, request, status};
use super::rig::{Rig, answer, body_of, chat};
use crate::keys::Wanted;

const PLAIN: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}"#;
const TOLD: &str = "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";

/// A gateway with 60 calls of several days, models, keys, sessions and tags, and the id of the
/// virtual key that made some of them.
async fn rig() -> (Rig, String) {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&chat(PLAIN)).await;
    let template = rig.record().await;
    let wanted =
        Wanted { name: Some("nightly".into()), team: Some("search".into()), ..Wanted::default() };
    let key = rig.gateway.create_key(wanted, "ada").unwrap().key.id;
    let shared = rig.gateway.shared();
    let own = shared.key.digest("key", key.as_bytes());
    for n in 1..60_usize {
        let mut call = Call::clone(&template.call);
        call.id = CallId(template.call.id.0 + n as u128);
        call.arrived = call.arrived - Span::from_hours(24 * [0, 1, 2, 3][n % 4]);
        call.model = format!("model-{}", n % 7).into();
        call.operation = format!("do-{}", n % 3).into();
        call.caller.key = [own, Digest::default(), Digest([9; 16])][n % 3];
        call.caller.session = (n % 5 != 0).then_some(Digest([u8::try_from(n % 17).unwrap(); 16]));
        let tags = [("team", format!("team-{}", n % 3)), ("feature", "ask".to_owned())];
        let tags = tags.map(|(name, value)| (name.into(), value.into()));
        call.caller.tags = tags[..n % 3].to_vec();
        let cost = (n % 11 != 0).then(|| Usd::from_pico(1_000_000 * n as i128));
        shared.store.settle(Arc::new(Record { call: Arc::new(call), cost, ..template.clone() }));
    }
    shared.store.flush();
    (rig, key.to_string())
}

/// Calls, pico-dollars, tokens and unpriced calls of some sums, whole and by day.
fn add(into: &mut BTreeMap<i64, [i128; 4]>, at: i64, of: &Value) {
    let usd = of["usd"].as_str().map_or(0, |usd| {
        let (whole, part) = usd.split_once('.').unwrap_or((usd, ""));
        format!("{whole}{part:0<12}").parse::<i128>().unwrap()
    });
    let tokens = of["tokens"].as_object().map_or(0, |classes| {
        classes.values().map(|count| i128::from(count.as_i64().unwrap())).sum()
    });
    let count = |name: &str| i128::from(of[name].as_i64().unwrap());
    let sums = [count("calls"), usd, tokens, count("unpriced_calls")];
    for (mine, theirs) in into.entry(at).or_default().iter_mut().zip(sums) {
        *mine += theirs;
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_every_dimension_add_up_to_the_ledger() {
    let (rig, _) = rig().await;
    for by in ["model", "provider", "operation", "key", "team", "tag&tag=feature", "session"] {
        for limit in [0, 2, 1_000] {
            let spend = get(&rig, &format!("/api/v1/spend?by={by}&limit={limit}")).await;
            let mut whole = BTreeMap::new();
            let mut parts = BTreeMap::new();
            let (mut undrawn, mut undrawn_days) = (BTreeMap::new(), BTreeMap::new());
            add(&mut whole, 0, &spend["totals"]);
            for row in spend["rows"].as_array().unwrap() {
                add(&mut parts, 0, row);
                let Some(told) = row["days"].as_array() else {
                    add(&mut undrawn, 0, row);
                    continue;
                };
                let (mut row_s, mut days) = (BTreeMap::new(), BTreeMap::new());
                add(&mut row_s, 0, row);
                for day in told {
                    add(&mut days, 0, day);
                }
                assert_eq!(row_s, days, "{by}");
                assert_eq!(row["last_ms"], told.last().unwrap()["at_ms"], "{by}");
            }
            let told = spend["undrawn_days"].as_array().unwrap();
            for day in told {
                add(&mut undrawn_days, 0, day);
            }
            assert_eq!(undrawn, undrawn_days, "{by}");
            assert_eq!(whole, parts, "{by} {limit}");
            assert_eq!(whole[&0][0], 60, "{by}");
            let named =
                spend["rows"].as_array().unwrap().iter().filter(|row| row["kind"] == "value");
            assert!(named.count() <= limit, "{by} {limit}");
            assert_eq!(spend["tags"], serde_json::json!(["feature", "team"]));
            assert_eq!(spend["known_from_ms"], Value::Null);
        }
    }
}

/// Else a year of a thousand values would be hundreds of thousands of days.
#[tokio::test(start_paused = true)]
async fn only_rows_that_can_be_drawn_are_told_by_day() {
    let (rig, _) = rig().await;
    let shared = rig.gateway.shared();
    let template = shared.store.reader().recent(&CallFilter::latest(1)).unwrap().remove(0);
    for n in 0..80_u32 {
        let mut call = Call::clone(&template.call);
        call.id = CallId(template.call.id.0 + 1_000 + u128::from(n));
        call.model = format!("many-{n:02}").into();
        // The last has the most calls and costs the least.
        let cost = Some(Usd::from_pico(i128::from(1_000 - n)));
        for _ in 0..if n == 79 { 20 } else { 1 } {
            call.id = CallId(call.id.0 + 10_000);
            let call = Arc::new(call.clone());
            shared.store.settle(Arc::new(Record { call, cost, ..template.clone() }));
        }
    }
    shared.store.flush();
    let spend = get(&rig, "/api/v1/spend?limit=1000&days=366").await;
    let rows = spend["rows"].as_array().unwrap();
    let told: Vec<&Value> = rows.iter().filter(|row| row["days"].is_array()).collect();
    assert!(80 < rows.len() && told.len() <= 24, "{} of {}", told.len(), rows.len());
    assert!(rows.iter().all(|row| row["last_ms"].is_i64()));
    assert!(told.contains(&&rows[0]), "the dearest");
    let busiest = rows.iter().max_by_key(|row| row["calls"].as_i64()).unwrap();
    assert!(told.contains(&busiest), "the busiest");
}

#[tokio::test(start_paused = true)]
async fn keys_have_their_names_and_what_has_none_is_a_row_of_its_own() {
    let (rig, key) = rig().await;
    let spend = get(&rig, "/api/v1/spend?by=key&limit=9").await;
    let rows = spend["rows"].as_array().unwrap();
    let own = rows.iter().find(|row| row["value"] == *key).unwrap();
    assert_eq!((&own["name"], &own["team"]), (&"nightly".into(), &"search".into()));
    assert_eq!((&own["state"], &own["calls"]), (&"active".into(), &19.into()));
    let foreign = Digest([9; 16]).to_string();
    assert!(rows.iter().any(|row| row["value"] == foreign && row["name"].is_null()));
    assert_eq!(rows.last().unwrap()["kind"], "without");
    let by_tag = get(&rig, "/api/v1/spend?by=tag&tag=feature&days=1").await;
    let [day] = by_tag["rows"][0]["days"].as_array().unwrap().as_slice() else {
        panic!("{by_tag}")
    };
    assert_eq!(day["at_ms"], by_tag["window"]["from_ms"]);
    let by_session = get(&rig, "/api/v1/spend?by=session&limit=3").await;
    assert_eq!(
        (&by_session["unlisted"], &by_session["rows"][3]["kind"]),
        (&14.into(), &"rest".into())
    );
    assert_eq!(by_session["rows"][4]["kind"], "without");
}

#[tokio::test(start_paused = true)]
async fn days_before_calls_were_counted_by_tag_are_told_apart() {
    let (rig, _) = rig().await;
    let store = &rig.gateway.shared().store;
    let today = rig.gateway.shared().clock.now().floor(Span::from_hours(24));
    store.set_state("store.spend_since", &today.secs().to_string()).unwrap();
    let spend = get(&rig, "/api/v1/spend?by=team").await;
    assert_eq!(spend["known_from_ms"], today.millis());
    let rows = spend["rows"].as_array().unwrap();
    let unknown = rows.iter().find(|row| row["kind"] == "unknown").unwrap();
    let days = unknown["days"].as_array().unwrap();
    assert_eq!(days.len(), 3);
    assert!(days.iter().all(|day| day["at_ms"].as_i64() < Some(today.millis())));
    let calls = |row: &Value| row["calls"].as_i64().unwrap();
    assert_eq!(rows.iter().map(calls).sum::<i64>(), 60);
    // The ledger always knew its own.
    let by_model = get(&rig, "/api/v1/spend?by=model").await;
    assert_eq!(by_model["known_from_ms"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_cost_that_is_told_without_tokens_is_shown() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&chat(PLAIN)).await;
    let template = rig.record().await;
    let mut call = Call::clone(&template.call);
    call.id = CallId(template.call.id.0 + 1);
    call.model = "told".into();
    let metering = Metering { state: UsageState::Unknown, ..template.metering };
    let cost = Some(Usd::from_pico(7_000_000_000));
    let told = Record { call: Arc::new(call), metering, cost, cost_uncached: None, ..template };
    rig.gateway.shared().store.settle(Arc::new(told));
    rig.gateway.shared().store.flush();
    for path in ["spend", "models"] {
        let answer = get(&rig, &format!("/api/v1/{path}")).await;
        let rows = answer["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["model"] == "told" || row["value"] == "told").unwrap();
        assert_eq!((&row["usd"], &row["tokens"]), (&"0.007".into(), &Value::Null), "{path}");
        assert_eq!(row["unknown_usage_calls"], 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_for_is_refused_with_what_can() {
    let rig = Rig::new("", vec![]);
    for (query, expected) in [
        (
            "by=colour",
            "`by` is model, provider, operation, key, team, tag or session, not `colour`",
        ),
        ("by=tag", "`by=tag` needs `tag=NAME`"),
    ] {
        let got = rig.call(&request("GET", &format!("/api/v1/spend?{query}"), "", "")).await;
        assert_eq!(status(&got), 400, "{query}");
        let said = String::from_utf8_lossy(&body_of(&got)).into_owned();
        assert!(said.contains(expected), "{said}");
    }
    let empty = get(&rig, "/api/v1/spend").await;
    assert_eq!((&empty["totals"]["calls"], &empty["rows"]), (&0.into(), &serde_json::json!([])));
}
