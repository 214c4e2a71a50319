//! Files that are right, and what is said of those that are not.

use expect_test::{Expect, expect};

use super::*;

fn read(text: &str) -> Result<Config, ConfigError> {
    let environment = |name: &str| (name == "KEY").then(|| "sk-canary".to_owned());
    Config::parse("scrimp.toml", text, None, &environment)
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn refuses(text: &str, expected: Expect) {
    expected.assert_eq(&read(text).expect_err("it is wrong").to_string());
}

#[test]
fn without_a_file_the_public_providers_are_there_and_nothing_is_changed() {
    let config = Config::usual();
    let names = config.providers.keys().map(ToString::to_string).collect::<Vec<_>>();
    let known = "anthropic cerebras deepseek fireworks google groq llamacpp mistral ollama openai \
                 openrouter together vllm xai";
    assert_eq!(names.join(" "), known);
    assert!(config.providers.values().all(|provider| provider.stored_key.is_none()));
    assert!(config.prompt_cache.is_empty());
    assert_eq!(config.listen.address.to_string(), "127.0.0.1:4100");
    assert_eq!(config.limits, Limits::USUAL);
}

#[test]
fn rules_come_narrowest_first_and_inherit_what_they_leave_open() {
    let config = read(
        r#"
        [prompt_cache]
        state = "observe"
        ttl = "1h"
        [prompt_cache."model:m"]
        share = "20%"
        [prompt_cache."op:code-review"]
        state = "on"
        strategy = "system"
        share = 0.2
        experiment = 7
        [prompt_cache."tag:team=search"]
        state = "off"
        "#,
    )
    .unwrap();
    let lines = config.prompt_cache.iter().map(|rule| {
        let PromptCache { scope, state, strategy, ttl, share, experiment, .. } = rule;
        format!("{scope:?} {state:?} {strategy:?} {ttl:?} {} {experiment}", share.millionths())
    });
    expect![[r#"
        Tag("team", "search") Off Tail Long 1000000 0
        Operation("code-review") On System Long 200000 7
        Model("m") Observe Tail Long 200000 0
        All Observe Tail Long 1000000 0"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_ttl_of_auto_is_the_one_that_the_strategy_has_without_it() {
    for strategy in ["none", "system", "tail", "auto"] {
        let rule = |ttl: &str| {
            let text = format!("[prompt_cache]\nstate = \"on\"\nstrategy = {strategy:?}\n{ttl}");
            read(&text).unwrap().prompt_cache.remove(0).ttl
        };
        assert_eq!(rule("ttl = \"auto\""), rule(""), "{strategy}");
    }
}

#[test]
fn a_key_comes_from_the_environment_and_is_never_shown() {
    let config = read("[providers.openai]\napi_key = \"${KEY}\"").unwrap();
    let Some(StoredKey::Sent(key)) = &config.providers["openai"].stored_key else {
        panic!("it is sent")
    };
    assert_eq!(key.reveal(), "sk-canary");
    assert!(key.is(b"sk-canary") && !key.is(b"sk-canarz") && !key.is(b"sk"));
    assert!(!format!("{config:?}").contains("canary"));
}

const BEDROCK: &str = "[providers.b]\ndialect = \"bedrock\"\n\
                       base_url = \"https://bedrock-runtime.eu-west-1.amazonaws.com\"\n";
const ACCESS: &str = "access_key_id = \"AKID\"\nsecret_access_key = \"${KEY}\"\n";

#[test]
fn an_access_key_is_a_stored_key_of_a_region() {
    let config = read(&[BEDROCK, ACCESS].concat()).unwrap();
    let Some(StoredKey::Signing(key)) = &config.providers["b"].stored_key else {
        panic!("it signs")
    };
    assert_eq!((key.id.reveal(), key.secret.reveal()), ("AKID", "sk-canary"));
    assert_eq!((&*key.region, &key.session_token), ("eu-west-1", &None));
    assert!(!format!("{config:?}").contains("canary"));

    let named = "session_token = \"${KEY}\"\nregion = \"us-east-2\"\n";
    let config = read(&[BEDROCK, ACCESS, named].concat()).unwrap();
    let Some(StoredKey::Signing(key)) = &config.providers["b"].stored_key else {
        panic!("it signs")
    };
    assert_eq!(&*key.region, "us-east-2");
    assert!(key.session_token.as_ref().unwrap().is(b"sk-canary"));

    let open = "[listen]\naddress = \"0.0.0.0:1\"\ncontrol_token = \"t\"\n";
    let exposed = read(&[open, BEDROCK, ACCESS].concat()).unwrap();
    let told = exposed.check_keys("scrimp.toml", &KeyRing::default()).unwrap_err().to_string();
    assert!(told.contains("provider `b` has a stored key"), "{told}");
}

#[test]
fn half_an_access_key_is_refused() {
    let with = |rest: &str| [BEDROCK, rest].concat();
    refuses(
        &with("access_key_id = \"AKID\""),
        expect![
            "scrimp.toml:4:17: `access_key_id` alone signs nothing: `access_key_id` and `secret_access_key` go together"
        ],
    );
    refuses(
        &with("region = \"eu-west-1\""),
        expect![
            "scrimp.toml:4:10: this is for signing requests, and goes with `access_key_id` and `secret_access_key`"
        ],
    );
    refuses(
        &with(&["api_key = \"k\"\n", ACCESS].concat()),
        expect![
            "scrimp.toml:5:17: `api_key` is sent and an access key signs: a provider takes one"
        ],
    );
    refuses(
        &["[providers.groq]\n", ACCESS].concat(),
        expect!["scrimp.toml:2:17: only requests to `dialect = \"bedrock\"` are signed"],
    );
    refuses(
        &with("access_key_id = \"A/B\"\nsecret_access_key = \"s\""),
        expect!["scrimp.toml:4:17: an access key's id is letters and digits; this one is not"],
    );
    refuses(
        &with(&[ACCESS, "region = \"EU\""].concat()),
        expect!["scrimp.toml:6:10: `EU` is no region such as us-east-1"],
    );
    let own = "[providers.b]\ndialect = \"bedrock\"\nbase_url = \"https://gate.internal\"\n";
    refuses(
        &[own, ACCESS].concat(),
        expect![
            "scrimp.toml:4:17: requests are signed for a region, and the host `gate.internal` names none: write `region`"
        ],
    );
}

#[test]
fn a_wrong_file_is_told_with_its_place_and_a_suggestion() {
    refuses(
        "[prompt_cache]\nstat = \"on\"",
        expect![
            "scrimp.toml:2:1: unknown field `stat` in [prompt_cache]; there are state, strategy, ttl, share, client_marks, experiment; did you mean `state`?"
        ],
    );
    refuses(
        "[prompt_cache.\"op:x\"]\nstrategy = \"tial\"",
        expect![
            "scrimp.toml:2:12: unknown variant `tial`, expected one of `none`, `client`, `system`, `tail`, `auto`; did you mean `tail`?"
        ],
    );
    refuses(
        "[listen]\nadress = \"127.0.0.1:1\"",
        expect![
            "scrimp.toml:2:1: unknown field `adress`, expected one of `address`, `hosts`, `control_token`, `tokens`, `tls`, `workers`; did you mean `address`?"
        ],
    );
    refuses(
        "[listen]\naddress = \"nowhere\"",
        expect!["scrimp.toml:2:11: `nowhere` is no address such as 127.0.0.1:4100"],
    );
    refuses(
        "[providers.openai]\napi_key = \"${OTHER}\"",
        expect!["scrimp.toml:2:11: the environment variable `OTHER` is not set"],
    );
    refuses(
        "[providers.mine]\ndialect = \"openai\"",
        expect!["scrimp.toml:1:12: provider `mine` needs a `base_url`"],
    );
    refuses(
        "[providers.v1]\nbase_url = \"http://x\"",
        expect!["scrimp.toml:1:12: `v1` cannot name a provider: it is a part of paths"],
    );
    refuses(
        "[models.fast]\ntargets = [\"opnai/gpt\"]",
        expect!["scrimp.toml:2:12: no provider is named `opnai`; did you mean `openai`?"],
    );
    refuses(
        "[http]\nchunk_timeout = \"5 parsecs\"",
        expect![[
            r#"scrimp.toml:2:17: invalid value: string "5 parsecs", expected a length of time above 0, such as "500ms", "30s", "5m", "1h" or "14d""#
        ]],
    );
    refuses(
        "[prompt_cache.\"ops:x\"]\nstate = \"on\"",
        expect![[
            r#"scrimp.toml:1:15: `ops:x` is no scope: write "op:NAME", "model:NAME", "key:ID", "team:NAME" or "tag:KEY=VALUE""#
        ]],
    );
    refuses(
        "[providers.openai]\nroutes = [\"/v1/files\"]",
        expect![[r#"scrimp.toml:2:11: `/v1/files` is no route such as "GET /v1/files*""#]],
    );
    refuses(
        "[providers.openai]\nproxy = \"socks5://u:secret@p:1\"",
        expect![
            "scrimp.toml:2:9: `proxy` names a proxy that is spoken to by `socks5`, not by http"
        ],
    );
    refuses(
        "[providers.vllm]\nproxy = \"http://p:1\"",
        expect![
            "scrimp.toml:2:9: `proxy` makes no sense: this machine is never called through a proxy"
        ],
    );
    refuses("[listen\n", expect!["scrimp.toml:1:8: unclosed table, expected `]`"]);
}

#[test]
fn what_others_can_reach_needs_a_token_and_with_a_key_virtual_keys() {
    refuses(
        "[listen]\naddress = \"0.0.0.0:4100\"",
        expect![
            "scrimp.toml: listening on 0.0.0.0:4100, which is not loopback, needs `control_token` in [listen]"
        ],
    );
    let none = KeyRing::default();
    let open = "[listen]\naddress = \"0.0.0.0:4100\"\ncontrol_token = \"t\"\n";
    let keyed = "[providers.openai]\napi_key = \"env.KEY\"\n";
    let config = read(&[open, keyed].concat()).unwrap();
    expect![
        "scrimp.toml: provider `openai` has a stored key, and on 0.0.0.0:4100 anybody who reaches the gateway could spend it: make virtual keys with `scrimp keys create`, or write `required = true` in [keys] and make them later"
    ]
    .assert_eq(&config.check_keys("scrimp.toml", &none).unwrap_err().to_string());
    let required = read(&[open, keyed, "[keys]\nrequired = true"].concat()).unwrap();
    for config in [required, read(open).unwrap(), read(keyed).unwrap()] {
        assert_eq!(config.check_keys("scrimp.toml", &none), Ok(()));
    }
}

#[test]
fn the_examples_of_the_documents_are_right() {
    let text = [
        include_str!("../../../../docs/configuration.md"),
        include_str!("../../../../docs/bedrock.md"),
    ]
    .concat();
    let blocks = text.split("```").skip(1).step_by(2).filter_map(|b| b.strip_prefix("toml\n"));
    let mut read = 0;
    for block in blocks {
        let environment = |_: &str| Some("canary".to_owned());
        let config = Config::parse("configuration.md", block, None, &environment);
        assert!(config.is_ok(), "{}", config.unwrap_err());
        read += 1;
    }
    assert!(0 < read, "there is an example");
}

#[test]
fn control_tokens_have_names_and_roles_and_are_kept_as_hashes() {
    let config = read(
        r#"
        [listen]
        control_token = "sk-canary-1"
        [listen.tokens.ada]
        token = "${KEY}"
        role = "operator"
        [listen.tokens.wall]
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        role = "viewer"
        "#,
    )
    .unwrap();
    let found = |guess: &[u8]| {
        let token = config.listen.tokens.iter().find(|token| token.is(guess));
        token.map(|token| (token.name.as_str(), token.role))
    };
    assert_eq!(found(b"sk-canary-1"), Some(("control_token", Role::Operator)));
    assert_eq!(found(b"sk-canary"), Some(("ada", Role::Operator)));
    assert_eq!(found(b"abc"), Some(("wall", Role::Viewer)));
    assert_eq!(found(b""), None);
    assert!(!format!("{config:?}").contains("canary"));
    let open =
        "[listen]\naddress = \"0.0.0.0:1\"\n[listen.tokens.a]\ntoken = \"t\"\nrole = \"viewer\"";
    assert!(read(open).is_ok(), "a token with a name is a token");

    refuses(
        "[listen.tokens.ada]\nrole = \"viewer\"",
        expect![
            "scrimp.toml:1:16: the control token `ada` needs either `token`, its text, or `sha256`, the hash of its text"
        ],
    );
    refuses("[listen.tokens.ada]\ntoken = \"t\"", expect!["scrimp.toml:1:1: missing field `role`"]);
    refuses(
        "[listen.tokens.ada]\ntoken = \"t\"\nrole = \"viewr\"",
        expect![
            "scrimp.toml:3:8: unknown variant `viewr`, expected `viewer` or `operator`; did you mean `viewer`?"
        ],
    );
    refuses(
        "[listen.tokens.local]\ntoken = \"t\"\nrole = \"viewer\"",
        expect![
            "scrimp.toml:1:16: the control token `local` cannot be called so: the audit log calls others by this name"
        ],
    );
    refuses(
        "[listen.tokens.ada]\nsha256 = \"t\"\nrole = \"viewer\"",
        expect!["scrimp.toml:2:10: this is no SHA-256: 64 hexadecimal digits are asked for"],
    );
}
