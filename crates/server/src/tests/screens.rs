//! What the dashboard's screens ask: operations, errors, models and prices.

use std::sync::Arc;

use serde_json::{Value, json};

use super::control::{get, request, status};
use super::rig::{Act, Rig, answer, body_of, chat, last_chunk, stream};

const TOLD: &str = "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}";

fn asking(model: &str) -> Vec<u8> {
    chat(&format!(
        "{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}"
    ))
}

/// A broken call and a good one to a model without a price, a good and a rejected one to `gpt-4o`.
async fn after_four_calls() -> Rig {
    let good = || vec![Act::Wait(400), answer("200 OK", TOLD)];
    let rejected = vec![answer("429 Too Many Requests", "{}")];
    let rig = Rig::new("", vec![vec![Act::Close], good(), rejected, good()]);
    for model in ["house-1", "gpt-4o", "gpt-4o", "house-1"] {
        rig.call(&asking(model)).await;
    }
    rig.gateway.idle().await;
    rig.gateway.shared().store.flush();
    rig
}

fn named<'v>(rows: &'v Value, model: &str) -> &'v Value {
    rows.as_array().unwrap().iter().find(|row| row["model"] == model).unwrap()
}

#[tokio::test(start_paused = true)]
async fn operations_have_percentiles_with_the_counts_behind_them() {
    let rig = after_four_calls().await;
    let told = get(&rig, "/api/v1/operations?window=24h").await;
    assert_eq!((&told["totals"]["calls"], &told["totals"]["errors"]), (&json!(4), &json!(2)));
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);
    let row = named(&told["rows"], "gpt-4o");
    assert_eq!((&row["operation"], &row["provider"]), (&json!("chat"), &json!("openai")));
    assert_eq!(
        row["latency_ms"]["count"], 1,
        "what was rejected says nothing of how long it takes"
    );
    let max = row["latency_ms"]["max"].as_f64().unwrap();
    assert!((396.0..410.0).contains(&max), "{max}");
    assert_eq!(row["tpot_ms"], Value::Null, "nothing was streamed");
    assert_eq!(told["left_out"], json!({ "rows": 0, "calls": 0 }));
    assert_eq!(told["names"]["model"], json!(["gpt-4o", "house-1"]));

    let map = &told["heatmap"];
    let counts: Vec<u64> = serde_json::from_value(map["counts"][0].clone()).unwrap();
    let edges: Vec<f64> = serde_json::from_value(map["edges_ms"].clone()).unwrap();
    assert_eq!((counts.iter().sum::<u64>(), edges.len()), (2, counts.len() + 1));
    assert!(edges[0] <= 400.0 && 400.0 <= *edges.last().unwrap(), "{edges:?}");
    assert_eq!(map["at_ms"], json!([told["series"][0]["at_ms"]]));
    let first = get(&rig, "/api/v1/operations?measure=per_output_token").await;
    assert_eq!(first["heatmap"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_narrowed_screen_still_names_what_else_there_is() {
    let rig = after_four_calls().await;
    for screen in ["operations", "errors", "models"] {
        let told = get(&rig, &format!("/api/v1/{screen}?model=house-1&provider=openai")).await;
        assert_eq!(told["totals"]["calls"], 2, "{screen}");
        assert_eq!(told["names"]["model"], json!(["gpt-4o", "house-1"]), "{screen}");
        let told = get(&rig, &format!("/api/v1/{screen}?operation=nobody")).await;
        assert_eq!((&told["totals"]["calls"], &told["rows"]), (&json!(0), &json!([])), "{screen}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_listed_by_whom_they_went_to() {
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&asking("gpt-4o")).await;
    let mut elsewhere = rig.record().await;
    let mut call = scrimp_core::Call::clone(&elsewhere.call);
    (call.id.0, call.provider) = (call.id.0 + 1, "azure".into());
    let store = &rig.gateway.shared().store;
    // The same model at two providers.
    elsewhere.call = Arc::new(call);
    store.settle(Arc::new(elsewhere));
    let listed = async |query: &str| {
        let told = get(&rig, &format!("/api/v1/calls?{query}")).await;
        let calls = told["calls"].as_array().unwrap().iter();
        calls.map(|call| call["provider"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("provider=").await, ["azure", "openai"]);
    assert_eq!(listed("provider=azure&model=gpt-4o&limit=1").await, ["azure"]);
    assert_eq!(listed("provider=openai&limit=1").await, ["openai"]);
    assert!(listed("provider=azure&only=errors").await.is_empty());
    store.seal().unwrap();
    assert_eq!(listed("provider=openai&limit=1").await, ["openai"]);
}

#[tokio::test(start_paused = true)]
async fn a_map_of_the_widest_spread_stays_small() {
    let pieces = [TOLD; 2].map(|told| format!("data: {told}\n\n"));
    let mut slow = stream(&[&pieces[0], &pieces[1], "data: [DONE]\n\n"]);
    slow.insert(0, Act::Wait(500_000));
    slow.push(last_chunk());
    let quick = vec![answer("200 OK", TOLD)];
    let rig = Rig::new("", vec![quick, slow]);
    for _ in 0..2 {
        rig.call(&asking("gpt-4o")).await;
    }
    rig.gateway.idle().await;
    rig.gateway.shared().store.flush();
    let map = get(&rig, "/api/v1/operations").await["heatmap"].clone();
    let counts: Vec<Vec<u64>> = serde_json::from_value(map["counts"].clone()).unwrap();
    assert!(counts.iter().all(|column| column.len() <= 40), "{}", counts[0].len());
    assert_eq!(counts.iter().flatten().sum::<u64>(), 2);
}

#[tokio::test(start_paused = true)]
async fn errors_are_counted_exactly_and_explained_by_the_newest() {
    let rig = after_four_calls().await;
    let told = get(&rig, "/api/v1/errors?window=1h").await;
    assert_eq!(
        told["totals"],
        json!({ "calls": 4, "errors": 2, "truncated": 0, "abandoned": 0, "wrong": 2 })
    );
    let day = &told["days"][0];
    let ended =
        ["calls", "answered", "rejected", "failed", "refused"].map(|name| day[name].as_u64());
    assert_eq!(ended, [4, 2, 1, 1, 0].map(Some));
    assert_eq!(told["rows"].as_array().unwrap().len(), 2);

    let sample = &told["sample"];
    assert_eq!((&sample["calls"], &sample["of"]), (&json!(2), &json!(2)));
    let kinds = sample["kinds"].as_array().unwrap();
    let kind = |ending: &str| kinds.iter().find(|kind| kind["ending"] == ending).unwrap();
    let (rejected, failed) = (kind("rejected"), kind("failed"));
    assert_eq!((&rejected["status"], &failed["word"]), (&json!(429), &json!("provider_reset")));
    assert_eq!(rejected["models"], json!(["gpt-4o"]));
    assert!(rejected["advice"].as_str().unwrap().contains("rate limit"), "{rejected}");
    let id = failed["examples"][0].as_str().unwrap();
    let call = get(&rig, &format!("/api/v1/calls/{id}")).await;
    assert_eq!(call["model"], "house-1");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_went_wrong_nothing_is_looked_for() {
    let rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&asking("gpt-4o")).await;
    rig.gateway.idle().await;
    rig.gateway.shared().store.flush();
    let told = get(&rig, "/api/v1/errors").await;
    assert_eq!(told["sample"], json!({ "calls": 0, "of": 0, "oldest_ms": null, "kinds": [] }));
    assert_eq!(told["rows"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn models_stand_beside_their_prices_and_say_where_there_is_none() {
    let rig = after_four_calls().await;
    let told = get(&rig, "/api/v1/models").await;
    let (priced, unpriced) = (named(&told["rows"], "gpt-4o"), named(&told["rows"], "house-1"));
    assert_eq!(priced["price"]["cards"][0]["uncached"], "2.5");
    assert_eq!(priced["price"]["own"], false);
    assert_eq!((&unpriced["price"], &unpriced["usd"]), (&Value::Null, &Value::Null));
    assert_eq!(unpriced["unpriced_calls"], 2);
    assert!(told["prices"]["taken"].is_string() && told["prices"]["age_days"].is_number());
}

#[tokio::test(start_paused = true)]
async fn the_price_list_is_searched_by_words_and_never_told_whole() {
    let rig = Rig::new("", vec![]);
    let all = get(&rig, "/api/v1/prices").await;
    assert_eq!(all["rows"].as_array().unwrap().len(), 100);
    assert!(100 < all["found"].as_u64().unwrap());
    let found = get(&rig, "/api/v1/prices?search=OPUS-4-5+anthropic/&limit=1").await;
    assert_eq!(found["rows"].as_array().unwrap().len(), 1);
    assert_eq!(found["rows"][0]["model"], "claude-opus-4-5");
    assert!(1 < found["found"].as_u64().unwrap());
    assert_eq!(get(&rig, "/api/v1/prices?search=nobody").await["found"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_meant_is_named_with_what_can() {
    let rig = Rig::new("", vec![]);
    for (path, said) in [
        ("summary?window=9y", "there is no window `9y`: it is 1h, 24h, 7d or 30d"),
        ("errors?window=", "there is no window ``: it is 1h, 24h, 7d or 30d"),
        ("operations?measure=mood", "there is no measure `mood`: it is latency, "),
    ] {
        let got = rig.call(&request("GET", &format!("/api/v1/{path}"), "", "")).await;
        let body = String::from_utf8(body_of(&got)).unwrap();
        assert!(status(&got) == 400 && body.contains(said), "{path}: {body}");
    }
}
