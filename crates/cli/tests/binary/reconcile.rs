//! `scrimp reconcile`: a provider's reports against the gateway's own records.

use std::sync::Arc;

use crate::support::{Place, fields};
use expect_test::expect;
use scrimp_core::{Span, Time};
use scrimp_store::{Options, Store};
use scrimp_wire::import::{self, Source};

/// A call of a million input tokens and a tenth of that output, as another tool logs it: 3.5 dollars.
fn call(id: &str, day: &str) -> String {
    format!(
        r#"{{"request_id":"{id}","call_type":"acompletion","spend":3.5,"startTime":"2026-11-{day} 09:00:00","model":"gpt-4o","custom_llm_provider":"openai","prompt_tokens":1000000,"completion_tokens":100000}}"#
    )
}

/// A place whose gateway has counted one call on each of these days of November.
fn counted(days: &[&str]) -> Place {
    let place = Place::new();
    let options = Options { keep_records: Span::from_hours(24 * 365 * 150), ..Options::STANDARD };
    let store = Store::open(&place.path("data"), options).unwrap();
    if days.is_empty() {
        store.close().unwrap();
        return place;
    }
    let lines: Vec<String> = days.iter().map(|day| call(day, day)).collect();
    let log = lines.join("\n");
    let source = Source::new("log", Time::EPOCH);
    let reading = (import::recognise(log.as_bytes()).unwrap().read)(log.as_bytes(), &source);
    for entry in reading.entries {
        store.settle(Arc::new(entry.record));
    }
    store.close().unwrap();
    place
}

/// Midnight UTC of a day of November 2026.
fn midnight(day: i64) -> i64 {
    1_793_491_200 + (day - 1) * 86_400
}

fn page(buckets: &[(i64, String)]) -> String {
    let bucket = |(day, results): &(i64, String)| {
        let (from, until) = (midnight(*day), midnight(day + 1));
        format!(
            r#"{{"object":"bucket","start_time":{from},"end_time":{until},"results":[{results}]}}"#
        )
    };
    let data: Vec<String> = buckets.iter().map(bucket).collect();
    format!(r#"{{"object":"page","data":[{}],"has_more":false}}"#, data.join(","))
}

fn used(calls: u64) -> String {
    let (input, output) = (calls * 1_000_000, calls * 100_000);
    format!(
        r#"{{"object":"organization.usage.completions.result","input_tokens":{input},"output_tokens":{output},"input_cached_tokens":0,"num_model_requests":{calls},"model":"gpt-4o-2024-08-06","project_id":"proj_1"}}"#
    )
}

fn charged(item: &str, usd: &str) -> String {
    format!(
        r#"{{"object":"organization.costs.result","amount":{{"value":{usd},"currency":"usd"}},"line_item":"{item}","project_id":"proj_1"}}"#
    )
}

/// Usage with two calls that never passed, and costs at nine tenths of the list less a credit.
fn reports(place: &Place) {
    place.write("usage.json", page(&[(2, used(1)), (3, used(3))]));
    let first =
        [charged("gpt-4o-2024-08-06, input", "2.25"), charged("gpt-4o-2024-08-06, output", "0.9")];
    let second = [
        charged("gpt-4o-2024-08-06, input", "6.75"),
        charged("gpt-4o-2024-08-06, output", "2.7"),
        charged("Promotional credit", "-1"),
    ];
    place.write("costs.json", page(&[(2, first.join(",")), (3, second.join(","))]));
}

#[test]
fn every_gap_is_named_and_sized() {
    let place = counted(&["02", "03"]);
    reports(&place);
    let command = ["reconcile", "usage.json", "costs.json", "--data", "data", "--by", "day"];
    expect![[r#"
        openai  2026-11-02 to 2026-11-03, 2 days reported
          paid         $11.60  as charged
          computed      $7.00  2 calls here
          gap          +$4.60; 100% explained

        cause          $  of paid  tokens  calls  sure
        bypassed  +$7.00   60.34%  +2.20M      2  high
        discount  −$1.40   12.07%                 high
        credit    −$1.00    8.62%                 high
        bypassed: used at the provider, never passed here
        discount: one factor on all that was charged; 0.9 of the list price
        credit: credits, refunds, tokens not charged; Promotional credit

        day         calls  computed  total     gap  basis
        2026-11-02      1     $3.50  $3.15  −$0.35   paid
        2026-11-03      1     $3.50  $8.45  +$4.95   paid
    "#]]
    .assert_eq(&place.run(&command).done());
    let found = place.run(&[&command[..5], &["--by", "project", "--json"]].concat()).json();
    let provider = &found["providers"][0];
    let exact = ["paid", "computed", "gap"].map(|name| provider[name].as_str().unwrap());
    assert_eq!(exact, ["11.6", "7", "4.6"]);
    expect![[r#"
        ["computed", "gap", "inputs", "notes", "paid", "providers"]
        ["basis", "calls", "causes", "computed", "days", "explained_share", "from_ms", "gap", "missing_days", "notes", "paid", "provider", "shares", "until_ms", "zone_minutes"]
        [{"calls":2,"cause":"bypassed","confidence":"high","input_tokens":2000000,"output_tokens":200000,"usd":"7","why":[]},{"calls":null,"cause":"discount","confidence":"high","input_tokens":0,"output_tokens":0,"usd":"-1.4","why":["0.9 of the list price"]},{"calls":null,"cause":"credit","confidence":"high","input_tokens":0,"output_tokens":0,"usd":"-1","why":["Promotional credit"]}]
        [{"basis":"paid","calls":2,"computed":"7","gap":"4.6","name":"proj_1","total":"11.6"}]"#]].assert_eq(&format!(
        "{:?}\n{:?}\n{}\n{}",
        fields(&found),
        fields(provider),
        provider["causes"],
        provider["shares"]
    ));
}

#[test]
fn usage_alone_is_at_list_price_and_costs_alone_have_no_tokens() {
    let place = counted(&["02", "03"]);
    reports(&place);
    let run = |file: &str| place.run(&["reconcile", file, "--data", "data"]).done();
    expect![[r#"
        openai  2026-11-02 to 2026-11-03, 2 days reported
          paid         $14.00  reported tokens at list price: no report tells what was charged
          computed      $7.00  2 calls here
          gap          +$7.00; 100% explained

        cause          $  of paid  tokens  calls    sure
        bypassed  +$7.00   50.00%  +2.20M      2  medium
        bypassed: used at the provider, never passed here; or batch: no report tells the tier, or what it
          was charged
    "#]]
    .assert_eq(&run("usage.json"));
    expect![[r#"
        openai  2026-11-02 to 2026-11-03, 2 days reported
          paid         $11.60  as charged
          computed      $7.00  2 calls here
          gap          +$4.60; 96.98% explained

        cause             $  of paid  tokens  calls  sure
        bypassed     +$5.95   51.29%                  low
        credit       −$1.00    8.62%                 high
        unexplained  −$0.35    3.02%
        bypassed: used at the provider, never passed here
        credit: credits, refunds, tokens not charged; Promotional credit
        unexplained: nothing known here accounts for it
    "#]]
    .assert_eq(&run("costs.json"));
}

#[test]
fn the_same_report_twice_and_a_day_that_is_not_in_it() {
    let place = counted(&["02", "03", "04"]);
    place.write("all/usage.json", page(&[(2, used(1)), (4, used(1))]));
    place.write("all/again.json", page(&[(2, used(1))]));
    expect![[r#"
        openai  2026-11-02 to 2026-11-04, 2 days reported; missing: 2026-11-03
          paid          $7.00  reported tokens at list price: no report tells what was charged
          computed     $10.50  3 calls here
          gap          −$3.50; 100% explained

        cause              $  of paid  tokens  calls  sure
        missing days  −$3.50   50.00%                 high
        missing days: days that no report covers
        ! 1 line of the reports stood in several files: counted once
    "#]]
    .assert_eq(&place.run(&["reconcile", "all", "--data", "data"]).done());
}

#[test]
fn what_is_no_report_is_refused_with_the_reason() {
    let place = counted(&["02"]);
    place.write("calls.jsonl", call("x", "02"));
    place.write("broken.json", "{\"data\": [");
    let failed = |file: &str| place.run(&["reconcile", file, "--data", "data"]).failed();
    expect![[r#"
        error: no report of a provider was found: calls.jsonl holds calls (litellm), no report of a provider
        hint: name what the usage or cost API of OpenAI, Anthropic or OpenRouter answered
    "#]].assert_eq(&failed("calls.jsonl"));
    expect![[r#"
        error: missing.json: No such file or directory (os error 2)
        hint: name what the usage or cost API of OpenAI, Anthropic or OpenRouter answered
    "#]]
    .assert_eq(&failed("missing.json"));
    let broken = failed("broken.json");
    assert!(
        broken.starts_with("error: no report of a provider was found: broken.json"),
        "{broken}"
    );
    let unnamed = place.run(&["reconcile"]).misused();
    assert!(unnamed.contains("<FILE>..."), "{unnamed}");
}

#[test]
fn without_records_there_is_nothing_to_compare_with() {
    let place = counted(&[]);
    reports(&place);
    expect![[r#"
        error: no calls were counted here yet, so there is nothing to compare with
    "#]]
    .assert_eq(&place.run(&["reconcile", "usage.json", "--data", "data"]).failed());
    let nowhere = place.run(&["reconcile", "usage.json", "--data", "nowhere"]).failed();
    assert!(
        nowhere.contains("hint: reports are compared with what the gateway counted"),
        "{nowhere}"
    );
}

#[test]
fn another_provider_s_report_beside_a_log_says_what_is_left_out() {
    let place = counted(&["02"]);
    place.write("calls.jsonl", call("x", "02"));
    place.write(
        "anthropic.json",
        r#"{"data":[{"starting_at":"2026-11-02T00:00:00Z","ending_at":"2026-11-03T00:00:00Z","results":[{"uncached_input_tokens":1000,"output_tokens":100,"model":"claude-sonnet-4-5","service_tier":"standard"}]}],"has_more":false}"#,
    );
    let command = ["reconcile", "anthropic.json", "calls.jsonl", "--data", "data"];
    expect![[r#"
        anthropic  2026-11-02 to 2026-11-02, 1 day reported
          paid        $0.0045  reported tokens at list price: no report tells what was charged
          computed         $0  0 calls here
          gap        +$0.0045; 100% explained

        cause            $  of paid  tokens  calls  sure
        bypassed  +$0.0045     100%  +1,100      ?  high
        bypassed: used at the provider, never passed here
        ! no call to `anthropic` of these days passed here; the records have calls to openai
        note: calls.jsonl holds calls (litellm), no report of a provider
    "#]]
    .assert_eq(&place.run(&command).done());
}
