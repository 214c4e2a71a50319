//! What the overview says of a month where the calls that are studied cover no day.

use std::sync::Arc;

use scrimp_core::{Call, CallId, Digest, Record, Span, Time};
use serde_json::Value;

use super::control::{get, study_is_over};
use super::rig::{Rig, answer, post};
use crate::api::MOST_CALLS;

/// More calls than are studied.
const BURST: i64 = 20_100;
const TOLD: &str =
    r#"{"type":"message","usage":{"input_tokens":6000,"output_tokens":20},"content":[]}"#;

/// A gateway, and a call of it that says the same at length as every other.
async fn rig() -> (Rig, Record) {
    let long = "one and two and three. ".repeat(1_000);
    let body = format!(
        r#"{{"model":"claude-sonnet-4-5","max_tokens":50,"system":"{long}",
             "messages":[{{"role":"user","content":"hello there"}}]}}"#
    );
    let mut rig = Rig::new("", vec![vec![answer("200 OK", TOLD)]]);
    rig.call(&post("/v1/messages", &body)).await;
    let record = rig.record().await;
    tokio::time::sleep(std::time::Duration::from_hours(10 * 24 + 12)).await;
    (rig, record)
}

/// The n-th repetition of a call.
fn again(record: &Record, n: i64, operation: &str, arrived: Time) -> Record {
    let mut call = Call::clone(&record.call);
    call.id = CallId(u128::from(n.unsigned_abs()) + 1);
    call.operation = operation.into();
    call.arrived = arrived;
    call.caller.session = Some(Digest(u128::from(n.unsigned_abs() / 50).to_le_bytes()));
    Record { call: Arc::new(call), ..record.clone() }
}

fn keep(rig: &Rig, records: impl Iterator<Item = Record>) {
    for (n, record) in records.enumerate() {
        rig.gateway.shared().store.settle(Arc::new(record));
        if n % 5_000 == 4_999 {
            rig.gateway.shared().store.flush();
        }
    }
    rig.gateway.shared().store.flush();
}

/// The overview and the findings, after the study.
async fn studied(rig: &Rig) -> (Value, Value) {
    // The first question begins the study, and is answered without.
    get(rig, "/api/v1/summary").await;
    study_is_over(rig).await;
    (get(rig, "/api/v1/summary?window=7d").await, get(rig, "/api/v1/findings").await)
}

fn usd(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

/// Ten calls a second, up to now.
fn burst(record: &Record, now: Time) -> impl Iterator<Item = Record> {
    let ago = |n: i64| Span::from_millis(100 * (BURST - n));
    (0..BURST).map(move |n| again(record, n, "chat", now - ago(n)))
}

/// A call of `operation` in each of the hours before now.
fn hourly(record: &Record, operation: &str, hours: i64, now: Time) -> impl Iterator<Item = Record> {
    let ago = move |n: i64| Span::from_hours(hours - n);
    let id = move |n: i64| BURST + n + if operation == "chat" { 0 } else { 1_000 };
    (0..hours).map(move |n| again(record, id(n), operation, now - ago(n)))
}

#[tokio::test(start_paused = true)]
async fn a_busy_gateway_has_a_forecast_and_a_saving_a_month() {
    let (rig, record) = rig().await;
    let now = rig.gateway.shared().clock.now();
    let older = hourly(&record, "chat", 96, now).chain(hourly(&record, "nightly", 96, now));
    keep(&rig, older.chain(burst(&record, now)));
    let (summary, findings) = studied(&rig).await;
    assert_eq!(findings["calls"], MOST_CALLS);

    let forecast = &summary["forecast"];
    let days = forecast["days"].as_f64().unwrap();
    assert!((3.9..=4.0).contains(&days), "{forecast}");
    let a_month = |calls: i32| f64::from(calls) * record.cost.unwrap().as_f64() / days * 30.437;
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.001;
    // The first hour's calls are not counted: how much of it was seen is not known.
    assert!(near(usd(&forecast["usd_per_month"]), a_month(20_100 + 2 * 95)), "{forecast}");

    // The share saved on the calls studied, of what such calls cost: "nightly" was not studied.
    let finding = &findings["findings"][0];
    let studied = 20_000.0 * record.cost.unwrap().as_f64();
    let share = usd(&finding["usd"]["likely"]) / studied;
    assert!((0.1..1.0).contains(&share), "{finding}");
    let saved = usd(&finding["usd_per_month"]["likely"]);
    assert!(near(saved, share * a_month(20_100 + 95)), "{finding}");
    let facts = finding["evidence"]["facts"].to_string();
    assert!(
        facts.contains("the share saved on these 20.0k calls, of what such calls cost in 4.0 days"),
        "{facts}"
    );
    assert_eq!(summary["savings"]["possible_usd_per_month"], finding["usd_per_month"]);
}

#[tokio::test(start_paused = true)]
async fn below_a_day_of_history_nothing_is_said_of_a_month() {
    let (rig, record) = rig().await;
    let now = rig.gateway.shared().clock.now();
    keep(&rig, hourly(&record, "chat", 24, now).chain(burst(&record, now)));
    let (summary, findings) = studied(&rig).await;
    assert_eq!(summary["forecast"], Value::Null);
    let finding = &findings["findings"][0];
    assert!(0.0 < usd(&finding["usd"]["likely"]));
    assert_eq!(finding["usd_per_month"], Value::Null);
    assert_eq!(summary["savings"]["possible_usd_per_month"], Value::Null);
}
