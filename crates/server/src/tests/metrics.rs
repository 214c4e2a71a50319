//! `/metrics` as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};

use super::control::request;
use super::rig::{Rig, answer, body_of, chat, last_chunk, stream};

/// A sample: its name, its labels, its value.
type Sample = (String, BTreeMap<String, String>, f64);

const STREAM: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}"#;
const PIECES: &[&str] = &[
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
];

/// Reads a page by the rules of Prometheus' text format, and complains of what breaks them.
fn read(page: &str) -> Vec<Sample> {
    let (mut kinds, mut helped) = (BTreeMap::new(), BTreeSet::new());
    let (mut samples, mut seen) = (Vec::new(), BTreeSet::new());
    let mut family = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let name = rest.split(' ').next().unwrap();
            assert!(helped.insert(name.to_owned()), "HELP twice: {name}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "TYPE twice: {name}");
            family = name.to_owned();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series.to_owned()), "twice: {series}");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{name} in {family}"));
        let allowed: &[&str] = match kinds[&family].as_str() {
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(allowed.contains(&suffix), "{line}");
        samples.push((name.to_owned(), labels_of(labels), value.parse().unwrap()));
    }
    assert_eq!(helped, kinds.keys().cloned().collect());
    samples
}

fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text.strip_suffix('}').unwrap();
    while let Some((name, tail)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut letters = tail.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (_, '\\') => value.push(letters.next().unwrap().1),
                (at, '"') => break at + 1,
                (_, letter) => value.push(letter),
            }
        };
        let name = name.trim_start_matches(',');
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice");
        rest = &tail[end..];
    }
    assert_eq!(rest, "");
    labels
}

/// Every histogram is one: its buckets rise, and the last is the count.
fn check_histograms(samples: &[Sample]) {
    let mut open: BTreeMap<(String, String), (f64, f64)> = BTreeMap::new();
    for (name, labels, value) in samples {
        let mut own = labels.clone();
        let le = own.remove("le");
        if let (Some(family), Some(le)) = (name.strip_suffix("_bucket"), le) {
            let key = (family.to_owned(), format!("{own:?}"));
            let bound = le.replace("+Inf", "inf").parse().unwrap();
            let before = open.insert(key, (bound, *value)).unwrap_or((f64::MIN, 0.0));
            assert!(before.0 < bound && before.1 <= *value, "{name} {labels:?}");
        }
        if let Some(family) = name.strip_suffix("_count") {
            let last = open[&(family.to_owned(), format!("{own:?}"))];
            assert_eq!(last, (f64::INFINITY, *value), "{name} {labels:?}");
        }
    }
}

fn value(samples: &[Sample], name: &str, wanted: &[(&str, &str)]) -> Option<f64> {
    let fits = |labels: &BTreeMap<String, String>| {
        wanted.iter().all(|(name, value)| labels.get(*name).map_or("", String::as_str) == *value)
    };
    samples.iter().find(|sample| sample.0 == name && fits(&sample.1)).map(|sample| sample.2)
}

#[tokio::test(start_paused = true)]
async fn the_page_keeps_the_rules_and_has_the_names_of_the_conventions() {
    let mut script = stream(PIECES);
    script.push(last_chunk());
    let refused = || vec![answer("429 Too Many Requests", "{}")];
    let rig = Rig::new("", vec![script, refused(), refused()]);
    rig.call(&chat(STREAM)).await;
    rig.call(&chat(STREAM)).await;
    rig.call(&chat(&STREAM.replace("gpt-4o", "my \\\"model"))).await;
    rig.gateway.idle().await;
    rig.gateway.shared().store.flush();
    let page = body_of(&rig.call(&request("GET", "/metrics", "", "")).await);
    let samples = read(&String::from_utf8(page).unwrap());
    check_histograms(&samples);

    let well = [("gen_ai_request_model", "gpt-4o"), ("error_type", "")];
    let of =
        |name: &str, labels: &[(&str, &str)]| value(&samples, name, &[&well[..], labels].concat());
    let duration = "gen_ai_client_operation_duration_seconds";
    assert_eq!(of(&format!("{duration}_count"), &[]), Some(1.0));
    assert_eq!(of(&format!("{duration}_bucket"), &[("le", "0.01")]), Some(0.0));
    assert_eq!(of(&format!("{duration}_bucket"), &[("le", "81.92")]), Some(1.0));
    let named = [("gen_ai_operation_name", "chat"), ("gen_ai_provider_name", "openai")];
    assert_eq!(of(&format!("{duration}_count"), &named), Some(1.0));
    let tokens = |kind| of("gen_ai_client_token_usage_sum", &[("gen_ai_token_type", kind)]);
    assert_eq!((tokens("input"), tokens("output")), (Some(9.0), Some(2.0)));
    assert_eq!(of("gen_ai_server_time_to_first_token_seconds_count", &[]), Some(1.0));
    assert_eq!(of("gen_ai_server_time_per_output_token_seconds_count", &[]), Some(1.0));

    let error = |model| {
        let labels = [("gen_ai_request_model", model), ("error_type", "429")];
        value(&samples, "gen_ai_client_operation_duration_seconds_count", &labels)
    };
    assert_eq!((error("gpt-4o"), error("my \"model")), (Some(1.0), Some(1.0)));
}
