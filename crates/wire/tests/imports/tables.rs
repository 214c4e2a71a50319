//! Tables of any tool, by what their columns are called.

use expect_test::expect;
use scrimp_core::Time;
use scrimp_wire::import::{self, Columns, Reading, Source};

use crate::{check_told, read, sample};

fn read_with(bytes: &[u8], columns: &str) -> Reading {
    let columns: Columns = columns.parse().unwrap();
    let source = Source { columns: Some(&columns), ..Source::new("sample", Time::EPOCH) };
    let import = import::recognise_with(bytes, Some(&columns)).unwrap();
    assert_eq!(import.name, "table");
    (import.read)(bytes, &source)
}

#[test]
fn usual_names_are_recognised() {
    check_told(
        &sample("table"),
        &expect![[r#"
        1772442000000 chat gpt-4o: in 176+1024r+0s+0l out 40; took 1.5s; trail none; Answered { status: 200, finish: None }
          openai; cost 0.0034; tags user=u1
        1772442060000 chat gpt-4o: in 90+0r+0s+0l out 9; took ?; trail none; Answered { status: 200, finish: None }
          openai; tags user=u2
        1772442120000 chat gpt-4o: suspect; took ?; trail none; Answered { status: 200, finish: None }
          openai; tags user=u2; suspect
        1772442180000 chat gpt-4o: in 10+0r+0s+0l out 0; took ?; trail none; Answered { status: 200, finish: None }
          openai
        skipped line 6: it says no time
        skipped line 7: it has 3 cells where the header has 9
    "#]],
    );
}

#[test]
fn of_two_columns_that_may_be_meant_neither_is_taken() {
    let text = b"time,model,input_tokens,prompt tokens,output\n1772442000,gpt-4o,5,6,7\n";
    let reading = read(text);
    assert!(reading.entries.is_empty());
    expect![[r#"both `input_tokens` and `prompt tokens` may be the input: say which with --columns "input=input_tokens""#]].assert_eq(reading.refused.as_deref().unwrap_or_default());
    let reading = read_with(text, "input=prompt tokens");
    assert_eq!(reading.refused, None);
    assert_eq!(reading.entries[0].record.metering.usage.uncached, 6);
}

#[test]
fn the_user_may_name_columns_nobody_would_guess() {
    let lines = br#"{"wann":"2026-03-02T09:00:00Z","was":{"modell":"gpt-4o","rein":12,"raus":3}}"#;
    assert!(import::recognise(lines).is_err());
    let map = "time=wann, model=was.modell, input=was.rein, output=was.raus";
    let reading = read_with(lines, map);
    assert_eq!(reading.entries[0].record.metering.usage.output, 3);
    assert_eq!(&*reading.entries[0].record.call.model, "gpt-4o");
}

#[test]
fn a_map_that_makes_no_sense_is_refused_with_what_there_is() {
    let refused = |map: &str| map.parse::<Columns>().unwrap_err().to_string();
    expect!["there is no field `colour`; there are: time, end, model, input, output, cached, written, reasoning, cost, cost_cents, latency_ms, latency_s, first_ms, provider, id, session, user, operation, status, cache, request, response"].assert_eq(&refused("colour=Blue"));
    expect!["`model` is no pair such as `model=Model`"].assert_eq(&refused("model"));
}
