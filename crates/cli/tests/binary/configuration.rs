//! `scrimp config`: what is wrong with a file, and where.

use crate::support::Place;
use expect_test::{Expect, expect};

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn refuses(text: &str, expected: Expect) {
    let place = Place::new();
    place.write("scrimp.toml", text);
    expected.assert_eq(&place.run(&["config", "check", "scrimp.toml"]).failed());
}

#[test]
fn a_right_file_is_summed_up() {
    let place = Place::new();
    place.write("scrimp.toml", "[prompt_cache.\"op:review\"]\nstate = \"observe\"\n");
    let said = place.run(&["config", "check", "scrimp.toml"]).done();
    expect![[r#"
        scrimp.toml: right; 14 providers, 1 prompt-cache rule
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_wrong_file_is_told_with_line_and_column_and_what_was_meant() {
    refuses(
        "[listen]\nadress = \"127.0.0.1:1\"\n",
        expect![[r#"
        error: scrimp.toml:2:1: unknown field `adress`, expected one of `address`, `hosts`, `control_token`, `tokens`, `tls`, `workers`; did you mean `address`?
        hint: `scrimp config reference` lists every setting
    "#]],
    );
    refuses(
        "[prompt_cache]\nstate = \"yes\"\n",
        expect![[r#"
        error: scrimp.toml:2:9: unknown variant `yes`, expected one of `off`, `observe`, `on`
        hint: `scrimp config reference` lists every setting
    "#]],
    );
    refuses(
        "[http]\n  chunk_timeout = 5\n",
        expect![[r#"
            error: scrimp.toml:2:19: invalid value: integer `5`, expected a length of time above 0, such as "500ms", "30s", "5m", "1h" or "14d"
            hint: `scrimp config reference` lists every setting
        "#]],
    );
    refuses(
        "[listen\n",
        expect![[r#"
        error: scrimp.toml:1:8: unclosed table, expected `]`
        hint: `scrimp config reference` lists every setting
    "#]],
    );
    refuses(
        "[providers.openai]\napi_key = \"${NOT_SET}\"\n",
        expect![[r#"
        error: scrimp.toml:2:11: the environment variable `NOT_SET` is not set
        hint: `scrimp config reference` lists every setting
    "#]],
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let said = Place::new().run(&["config", "check", "no.toml"]).failed();
    expect![[r#"
        error: no.toml: it cannot be read: No such file or directory (os error 2)
        hint: `scrimp config reference` lists every setting
    "#]]
    .assert_eq(&said);
}

#[test]
fn certificates_that_cannot_be_read_are_told_before_any_call() {
    let place = Place::new();
    place.write("empty.pem", "");
    for (file, why) in [("no.pem", "No such file"), ("empty.pem", "there is no certificate in it")]
    {
        let table = "[providers.openai]\nbase_url = \"https://localhost/v1\"\n";
        place.write("scrimp.toml", format!("{table}ca_file = \"{file}\"\n"));
        let said = place.run(&["config", "check", "scrimp.toml"]).failed();
        assert!(said.contains(&format!("`ca_file` of provider `openai`, {file}")), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn the_reference_names_every_table() {
    let said = Place::new().run(&["config", "reference"]).done();
    assert!(
        said.contains("| `calls` | number | `16384` | Concurrent calls; more get 503. |"),
        "{said}"
    );
    let tables = ["[listen]", "[providers.NAME]", "[models.ALIAS]", "[prompt_cache]", "[http]"];
    for table in tables.into_iter().chain(["[store]", "[prices]"]) {
        assert!(said.contains(table), "{table}");
    }
}

#[test]
fn the_schema_is_json_that_says_what_every_key_is() {
    let said = Place::new().run(&["config", "schema"]).json();
    let calls = &said["properties"]["http"]["properties"]["calls"];
    expect![[r#"
        {
          "default": 16384,
          "description": "Concurrent calls; more get 503.",
          "minimum": 0,
          "type": "integer"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(calls).unwrap());
    assert_eq!(said["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
