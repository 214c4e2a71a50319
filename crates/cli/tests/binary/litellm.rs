//! LiteLLM's `config.yaml`: imported, checked, and served as it is.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use expect_test::{Expect, expect};

use crate::support::Place;

const MODELS: &str = "\
model_list:
  - model_name: fast
    litellm_params: {model: ollama/llama3, api_base: 'http://127.0.0.1:9/v1', rpm: 60}
litellm_settings:
  callbacks: [langfuse]
";

#[test]
fn an_import_is_a_configuration_that_can_be_served_and_says_what_it_lacks() {
    let place = Place::new();
    place.write("config.yaml", MODELS);
    let said = place.run(&["config", "import", "config.yaml"]);
    expect![[r#"
        taken over (1)
          config.yaml:2:5: model_list[0] `fast`: calls go to ollama-127.0.0.1/llama3, with the caller's own
              key
        ignored, harmless (1)
          config.yaml:5:15: litellm_settings.callbacks: langfuse: logs elsewhere; every call is recorded
              here
        left out: calls go on without it, and differ from LiteLLM's (1)
          config.yaml:3:79: model_list[0].litellm_params.rpm: there are no limits by model or caller yet
    "#]].assert_eq(&said.err);
    let toml = said.done();
    expect![[r##"
        # Made from config.yaml.
        # left out: model_list[0].litellm_params.rpm: there are no limits by model or caller yet

        [providers."ollama-127.0.0.1"]
        base_url = "http://127.0.0.1:9/v1"
        prices_as = "ollama"

        [models.fast]
        targets = ["ollama-127.0.0.1/llama3"]
    "##]]
    .assert_eq(&toml);
    let written = place.run(&["config", "import", "config.yaml", "-o", "scrimp.toml"]).done();
    expect![[r#"
        wrote scrimp.toml; look at it, then `scrimp config check scrimp.toml`
    "#]]
    .assert_eq(&written);
    assert_eq!(place.read("scrimp.toml"), toml);
    place.run(&["config", "check", "scrimp.toml"]).done();
}

#[cfg(unix)]
#[test]
fn what_is_written_may_hold_keys_and_replaces_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.write("config.yaml", MODELS);
    place.run(&["config", "import", "config.yaml", "-o", "new.toml"]).done();
    let mode = std::fs::metadata(place.path("new.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.write("mine.toml", "# mine");
    let said = place.run(&["config", "import", "config.yaml", "-o", "mine.toml"]).failed();
    assert!(said.contains("error: mine.toml: File exists"), "{said}");
    assert_eq!(place.read("mine.toml"), "# mine");
}

fn fails(arguments: &[&str], text: &str, expected: &Expect) {
    let place = Place::new();
    place.write("config.yaml", text);
    expected.assert_eq(&place.run(arguments).failed());
    assert!(!place.path("home/.local").exists(), "nothing is made before the file is right");
}

#[test]
fn what_decides_who_may_call_refuses_the_start_and_the_check_alike() {
    let text = format!("{MODELS}general_settings:\n  master_key: sk-canary\n");
    let expected = expect![[r#"
        taken over (1)
          config.yaml:2:5: model_list[0] `fast`: calls go to ollama-127.0.0.1/llama3, with the caller's own
              key
        ignored, harmless (1)
          config.yaml:5:15: litellm_settings.callbacks: langfuse: logs elsewhere; every call is recorded
              here
        left out: calls go on without it, and differ from LiteLLM's (1)
          config.yaml:3:79: model_list[0].litellm_params.rpm: there are no limits by model or caller yet
        refused: the gateway does not start with this in the file (1)
          config.yaml:7:3: general_settings.master_key: decides who may call; take it out and let virtual
              keys decide (`scrimp keys create`)
        error: config.yaml:7:3: `general_settings.master_key` cannot be left out: decides who may call; take it out and let virtual keys decide (`scrimp keys create`)
        hint: `scrimp config import config.yaml -o scrimp.toml` makes a configuration without it, to look at before it is started
    "#]];
    fails(&["serve", "--config", "config.yaml"], &text, &expected);
    fails(&["config", "check", "config.yaml"], &text, &expected);
}

#[test]
fn a_slip_is_told_with_its_place_and_what_was_meant() {
    let text = MODELS.replace("api_base", "api_bse");
    for command in [&["config", "check"][..], &["config", "import"], &["serve", "--config"]] {
        let arguments = [command, &["config.yaml"]].concat();
        fails(
            &arguments,
            &text,
            &expect![[r#"
            error: config.yaml:3:44: unknown field `api_bse` in model_list[0].litellm_params; did you mean `api_base`?
        "#]],
        );
    }
}

#[test]
fn it_is_served_as_it_is() {
    let place = Place::new();
    let sim = place.start(&["sim", "--fast"]);
    let models = MODELS.replace("http://127.0.0.1:9", &sim.url);
    place.write("config.yaml", models.replace("ollama/llama3", "openai/gpt-4o-mini"));
    let arguments = ["serve", "--config", "config.yaml", "--listen", "127.0.0.1:0"];
    let gateway = place.start(&arguments);
    let body = r#"{"model":"fast","messages":[{"role":"user","content":"hello"}]}"#;
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         authorization: Bearer sk-own\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"model\":\"gpt-4o-mini"), "{answer}");
}
