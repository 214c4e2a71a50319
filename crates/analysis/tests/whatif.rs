//! What a sweep says, and what it refuses to say.

mod support;

use expect_test::expect;
use scrimp_analysis::replay::{Reading, Trace, VARIANTS, Variant, WhatIf, whatif};
use scrimp_core::call::Digest;
use scrimp_core::policy::Arm;
use scrimp_core::policy::shaping::{Shaped, ShapedBlock, Transform, Transforms};
use scrimp_core::{Entry, Metering, Ttl, Usage};
use support::{Asks, Says};

const SYSTEM: Says = Says(1, 2_000, None);

fn conversation() -> Vec<Entry> {
    let turns = [
        (0, vec![SYSTEM, Says(2, 100, None)]),
        (60, vec![SYSTEM, Says(2, 100, None), Says(3, 50, None)]),
    ];
    let asks = turns.into_iter().map(|(at, prompt)| Asks { at, begins: 1, prompt });
    asks.enumerate().map(|(number, asks)| support::entry(number, &asks)).collect()
}

/// The gateway's own record of a call: its path follows from its blocks.
fn of_gateway(mut entry: Entry, key: u8, usage: Usage) -> Entry {
    let mut call = (*entry.record.call).clone();
    call.caller.key = Digest([key; 16]);
    entry.record.call = call.into();
    entry.record.metering = Metering::measured(usage);
    entry.record.attempts[0].metering = entry.record.metering;
    Entry { trail: None, ..entry }
}

fn sweep(entries: Vec<Entry>, variants: &[Variant]) -> WhatIf {
    let rates = support::rates(support::PLAIN, [100, 1_250, 2_000]);
    let catalog = support::catalog(rates, support::rules());
    whatif(&Trace::from_entries(entries), variants, &catalog, Reading::Covers)
}

#[test]
fn scripts_get_these_names_and_null_for_what_is_not_known() {
    let variants = [Variant::None, Variant::Client, Variant::Tail(Ttl::Short), Variant::Bound];
    let json = serde_json::to_string_pretty(&sweep(conversation(), &variants)).expect("plain data");
    expect![[r#"
        {
          "calls": 2,
          "reading": "covers",
          "rows": [
            {
              "policy": "none",
              "basis": "replayed",
              "input_usd": "0.00425",
              "total_usd": "0.004252",
              "input_ratio": 1.0,
              "hit_share": 0.0
            },
            {
              "policy": "client",
              "basis": "replayed",
              "input_usd": null,
              "total_usd": null,
              "input_ratio": null,
              "hit_share": null
            },
            {
              "policy": "tail:short",
              "basis": "replayed",
              "input_usd": "0.0028975",
              "total_usd": "0.0028995",
              "input_ratio": 0.6817647058823528,
              "hit_share": 0.49411764705882355
            },
            {
              "policy": "bound",
              "basis": "modelled",
              "input_usd": "0.002885",
              "total_usd": "0.002887",
              "input_ratio": 0.6788235294117646,
              "hit_share": null
            }
          ],
          "notes": []
        }"#]]
    .assert_eq(&json);
}

#[test]
fn the_client_s_row_is_what_was_measured() {
    let usages = [
        Usage { uncached: 100, cache_write_short: 2_000, output: 1, ..Usage::ZERO },
        Usage { uncached: 150, cache_read: 2_000, output: 1, ..Usage::ZERO },
    ];
    let entries = conversation().into_iter().zip(usages);
    let entries = entries.map(|(entry, usage)| of_gateway(entry, 1, usage)).collect();
    let row = sweep(entries, &[Variant::Client]).rows.remove(0);
    assert_eq!(row.input_usd, Some("0.00295".parse().unwrap()), "2,500 + 200 + 250 millionths");
    assert_eq!(row.hit_share.map(|share| (share * 1e6).round()), Some(470_588.0));
}

#[test]
fn calls_with_different_credentials_share_no_cache() {
    let usage = |input| Usage { uncached: input, output: 1, ..Usage::ZERO };
    let read_with = |keys: [u8; 2]| {
        let entries = conversation().into_iter().zip([(keys[0], 2_100), (keys[1], 2_150)]);
        let entries = entries.map(|(entry, (key, input))| of_gateway(entry, key, usage(input)));
        sweep(entries.collect(), &[Variant::Tail(Ttl::Short)]).rows.remove(0).hit_share
    };
    assert_eq!(read_with([1, 2]), Some(0.0));
    assert!(0.4 < read_with([1, 1]).unwrap());
}

#[test]
fn calls_that_cannot_be_replayed_are_counted_and_in_no_row() {
    let mut entries = conversation();
    entries.extend(conversation());
    entries.extend(conversation());
    let clear = |entry: &mut Entry| {
        let mut call = (*entry.record.call).clone();
        call.prompt.clear();
        (entry.record.call, entry.trail) = (call.into(), None);
    };
    clear(&mut entries[0]);
    entries[1].record.metering = Metering::UNKNOWN;
    let mut call = (*entries[2].record.call).clone();
    call.model = "nameless".into();
    entries[2].record.call = call.into();
    entries[2].record.attempts[0].model = "nameless".into();
    let found = sweep(entries, &[Variant::None]);
    assert_eq!(found.calls, 3);
    expect![[r#"
        1 call without a prompt in the records: in no row
        1 call with unknown usage: in no row
        1 call to nameless, which has no price: in no row"#]]
    .assert_eq(&found.notes.join("\n"));
}

#[test]
fn a_policy_that_cannot_be_replayed_is_refused_by_naming_those_that_can() {
    for (name, variant) in VARIANTS {
        assert_eq!(name.parse(), Ok(variant));
        assert_eq!(variant.to_string(), name);
    }
    let refusal = "lru".parse::<Variant>().unwrap_err().to_string();
    expect!["`lru` is no prompt-cache policy that can be replayed; there are none, client, system:short, system:long, tail:short, tail:long, system+tail, anchor:2k, anchor:4k, anchor:8k, anchor:16k, anchor:32k, auto, bound"].assert_eq(&refusal);
}

#[test]
fn what_shaping_saved_and_would_save_is_said_in_tokens_and_rows_are_of_what_was_sent() {
    let usage = Usage { uncached: 1_000, ..Usage::ZERO };
    let block = |block, tokens| ShapedBlock {
        block,
        by: Transforms::NONE.with(Transform::Minify),
        characters: 4 * tokens,
        tokens,
        digest: None,
    };
    let shaped = |mut entry: Entry| {
        entry.record.shaped = Some(Box::new(Shaped {
            experiment: 1,
            arm: Arm::Treated,
            unit: 1,
            made: Transforms::NONE.with(Transform::Minify),
            counted: Transforms::NONE.with(Transform::Tables),
            blocks: vec![block(1, 60)],
            would: vec![block(1, 40)],
        }));
        entry
    };
    let entries = conversation().into_iter().map(|entry| shaped(of_gateway(entry, 7, usage)));
    let found = sweep(entries.collect(), &[Variant::None]);
    let told = found.shaping.expect("a rule was for the calls");
    assert_eq!((told.calls, told.tokens, told.saved, told.would_save), (2, 4_250, 80, 120));
    expect![
        "2 calls under a shaping rule: 80 of 4,250 prompt tokens saved, 120 if all that is observed was on (by the estimate of their texts; rows are of what was sent)"
    ]
    .assert_eq(&found.notes[0]);
    assert_eq!(sweep(conversation(), &[Variant::None]).shaping, None);
}
