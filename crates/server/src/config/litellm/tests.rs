//! Files of LiteLLM's, and what becomes of each part of them.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::super::Config;
use super::*;

fn read(text: &str) -> Result<Import, ConfigError> {
    import("config.yaml", text)
}

fn told(import: &Import) -> String {
    let Import { toml, maps, ignored, not_yet, refused, .. } = import;
    let mut text = toml.clone();
    for (list, notes) in
        [("maps", maps), ("ignored", ignored), ("not yet", not_yet), ("refused", refused)]
    {
        for Note { place: (line, column), what, why } in notes {
            writeln!(text, "{list} {line}:{column} {what}: {why}").unwrap();
        }
    }
    text
}

/// What becomes of a file; what it makes is a right configuration.
#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn becomes(text: &str, expected: Expect) {
    let import = read(text).unwrap();
    expected.assert_eq(&told(&import));
    let is_proxy = |name: &str| name.to_ascii_uppercase().ends_with("_PROXY");
    let environment = |name: &str| (!is_proxy(name)).then(|| "https://host".to_owned());
    let config = Config::parse("config.yaml", &import.toml, None, &environment);
    assert!(config.is_ok(), "{}\n{}", config.unwrap_err(), import.toml);
}

#[expect(clippy::needless_pass_by_value, reason = "snapshots read best inline")]
fn refuses(text: &str, expected: Expect) {
    expected.assert_eq(&read(text).unwrap_err().to_string());
}

#[test]
fn models_become_names_and_providers() {
    becomes(
        "\
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/MY_KEY
  - model_name: claude
    litellm_params: {model: claude-sonnet-4-5}
  - model_name: 'my model'
    litellm_params:
      model: azure/my-dep
      api_base: https://eu.openai.azure.com/
      api_key: 'sk-\"quoted\"'
      api_version: '2025-01-01'
  - model_name: local
    litellm_params: {model: hosted_vllm/llama, api_base: 'http://10.0.0.7:8000/v1'}
  - model_name: other
    litellm_params: {model: gpt-4o-mini, api_key: os.environ/OTHER_KEY}
  - model_name: here
    litellm_params: {model: ollama_chat/llama3, api_base: 'http://localhost:11434/'}
",
        expect![[r##"
            # Made from config.yaml.

            [providers.openai]
            api_key = "${MY_KEY}"

            [providers.anthropic]
            api_key = "${ANTHROPIC_API_KEY}"

            [providers.azure-eu]
            base_url = "https://eu.openai.azure.com/openai"
            dialect = "azure"
            prices_as = "azure"
            api_key = "sk-\"quoted\""

            [providers."vllm-10.0.0.7"]
            base_url = "http://10.0.0.7:8000/v1"
            prices_as = "vllm"

            [providers.openai-2]
            base_url = "https://api.openai.com/v1"
            prices_as = "openai"
            api_key = "${OTHER_KEY}"

            [providers.ollama-localhost]
            base_url = "http://localhost:11434/v1"
            prices_as = "ollama"

            [models.gpt-4o]
            targets = ["openai/gpt-4o"]

            [models.claude]
            targets = ["anthropic/claude-sonnet-4-5"]

            [models."my model"]
            targets = ["azure-eu/my-dep"]

            [models.local]
            targets = ["vllm-10.0.0.7/llama"]

            [models.other]
            targets = ["openai-2/gpt-4o-mini"]

            [models.here]
            targets = ["ollama-localhost/llama3"]
            maps 2:5 model_list[0] `gpt-4o`: calls go to openai/gpt-4o
            maps 6:5 model_list[1] `claude`: calls go to anthropic/claude-sonnet-4-5
            maps 8:5 model_list[2] `my model`: calls go to azure-eu/my-dep
            maps 14:5 model_list[3] `local`: calls go to vllm-10.0.0.7/llama, with the caller's own key
            maps 16:5 model_list[4] `other`: calls go to openai-2/gpt-4o-mini
            maps 18:5 model_list[5] `here`: calls go to ollama-localhost/llama3, with the caller's own key
        "##]],
    );
}

#[test]
fn what_has_no_place_here_is_listed_and_nothing_is_invented() {
    becomes(
        "\
model_list:
  - model_name: fast
    litellm_params: {model: groq/llama-3, rpm: 60, tpm: 1000, weight: 2, timeout: 30}
    model_info: {id: one, input_cost_per_token: 0.1}
  - model_name: fast
    litellm_params: {model: openai/gpt-5-mini}
  - model_name: bedrock
    litellm_params: {model: bedrock/anthropic.claude, aws_region_name: eu-west-1}
  - model_name: '*'
    litellm_params: {model: 'openai/*'}
  - model_name: odd
    litellm_params: {model: something}
litellm_settings:
  request_timeout: 90
  num_retries: 2
  drop_params: true
  modify_params: false
  cache: true
  callbacks: [langfuse, otel]
  set_verbose: true
router_settings:
  timeout: 0.5
  routing_strategy: simple-shuffle
  model_group_alias: {quick: fast, gone: nothing}
general_settings:
  max_request_size_mb: 20
  global_max_parallel_requests: 100
  maximum_spend_logs_retention_period: 14d
  enable_jwt_auth: false
",
        expect![[r##"
            # Made from config.yaml.
            # left out: model_list[0].litellm_params.rpm: there are no limits by model or caller yet
            # left out: model_list[0].litellm_params.tpm: there are no limits by model or caller yet
            # left out: model_list[0].litellm_params.weight: a name leads to one target; there are no groups yet
            # left out: model_list[0].litellm_params.timeout: lengths of time are in [http], the same for all models
            # left out: model_list[0].model_info.input_cost_per_token: own prices go into a file that [prices] names (docs/prices.md)
            # left out: model_list[1] `fast`: a name leads to one target; calls go to the first of this name only
            # left out: model_list[2] `bedrock`: `bedrock` is no provider that is served here
            # left out: model_list[2].litellm_params.aws_region_name: not taken over; write a provider with `dialect = "bedrock"`, which signs
            # left out: model_list[3] `*`: a pattern is no model; PROVIDER/MODEL is understood without it
            # left out: model_list[4] `odd`: whose `something` is cannot be told; write PROVIDER/MODEL
            # left out: litellm_settings.num_retries: calls are not retried and go to no other model yet
            # left out: litellm_settings.drop_params: requests pass as the client wrote them; nothing is put in or left out
            # left out: litellm_settings.cache: answers are not cached yet
            # left out: router_settings.routing_strategy: a name leads to one target; there are no groups yet
            # left out: router_settings.model_group_alias.gone: `nothing` is no model of the list that is served here

            [providers.groq]
            api_key = "${GROQ_API_KEY}"

            [models.fast]
            targets = ["groq/llama-3"]

            [models.quick]
            targets = ["groq/llama-3"]

            [http]
            body_bytes = "20MiB"
            calls = 100
            first_token_timeout = "500ms"

            [store]
            retention = "14d"
            maps 2:5 model_list[0] `fast`: calls go to groq/llama-3
            maps 14:3 litellm_settings.request_timeout: `first_token_timeout` in [http]
            maps 22:3 router_settings.timeout: `first_token_timeout` in [http]
            maps 24:23 router_settings.model_group_alias.quick: calls go to groq/llama-3
            maps 26:3 general_settings.max_request_size_mb: `body_bytes` in [http]
            maps 27:3 general_settings.global_max_parallel_requests: `calls` in [http]; more get 503
            maps 28:3 general_settings.maximum_spend_logs_retention_period: `retention` in [store]
            ignored 4:18 model_list[0].model_info.id: describes the model to LiteLLM
            ignored 17:3 litellm_settings.modify_params: off
            ignored 19:15 litellm_settings.callbacks: langfuse: logs elsewhere; every call is recorded here
            ignored 19:25 litellm_settings.callbacks: otel: logs elsewhere; every call is recorded here
            ignored 20:3 litellm_settings.set_verbose: about LiteLLM's own logs, alerts and checks
            ignored 29:3 general_settings.enable_jwt_auth: off
            not yet 3:43 model_list[0].litellm_params.rpm: there are no limits by model or caller yet
            not yet 3:52 model_list[0].litellm_params.tpm: there are no limits by model or caller yet
            not yet 3:63 model_list[0].litellm_params.weight: a name leads to one target; there are no groups yet
            not yet 3:74 model_list[0].litellm_params.timeout: lengths of time are in [http], the same for all models
            not yet 4:27 model_list[0].model_info.input_cost_per_token: own prices go into a file that [prices] names (docs/prices.md)
            not yet 5:5 model_list[1] `fast`: a name leads to one target; calls go to the first of this name only
            not yet 7:5 model_list[2] `bedrock`: `bedrock` is no provider that is served here
            not yet 8:55 model_list[2].litellm_params.aws_region_name: not taken over; write a provider with `dialect = "bedrock"`, which signs
            not yet 9:5 model_list[3] `*`: a pattern is no model; PROVIDER/MODEL is understood without it
            not yet 11:5 model_list[4] `odd`: whose `something` is cannot be told; write PROVIDER/MODEL
            not yet 15:3 litellm_settings.num_retries: calls are not retried and go to no other model yet
            not yet 16:3 litellm_settings.drop_params: requests pass as the client wrote them; nothing is put in or left out
            not yet 18:3 litellm_settings.cache: answers are not cached yet
            not yet 23:3 router_settings.routing_strategy: a name leads to one target; there are no groups yet
            not yet 24:36 router_settings.model_group_alias.gone: `nothing` is no model of the list that is served here
        "##]],
    );
}

#[test]
fn variables_that_the_file_sets_are_put_in() {
    becomes(
        "\
environment_variables: {A: sk-a, B: os.environ/C}
model_list:
  - &base
    model_name: a
    litellm_params: &params {model: openai/a, api_key: os.environ/A}
  - {<<: *base, model_name: b, litellm_params: {<<: *params, api_key: os.environ/B}}
",
        expect![[r##"
            # Made from config.yaml.

            [providers.openai]
            api_key = "sk-a"

            [providers.openai-2]
            base_url = "https://api.openai.com/v1"
            prices_as = "openai"
            api_key = "${C}"

            [models.a]
            targets = ["openai/a"]

            [models.b]
            targets = ["openai-2/a"]
            maps 1:1 environment_variables: put in where they are named
            maps 3:5 model_list[0] `a`: calls go to openai/a
            maps 6:5 model_list[1] `b`: calls go to openai-2/a
        "##]],
    );
}

#[test]
fn authentication_budgets_and_guardrails_refuse_a_start() {
    let import = read(
        "\
model_list:
  - model_name: a
    litellm_params: {model: openai/a, max_budget: 10, guardrails: [pii]}
    model_info: {access_groups: [beta]}
guardrails: [{guardrail_name: pii}]
litellm_settings:
  max_budget: 100
  callbacks: [langfuse, hide_secrets, my.own_handler]
  some_new_budget: 1
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
  database_url: postgres://u:canary@host/db
router_settings: {provider_budget_config: {openai: {budget_limit: 1}}}
",
    )
    .unwrap();
    let refused = import.refused.iter().map(|note| format!("{}: {}", note.place.0, note.what));
    expect![[r#"
        3: model_list[0].litellm_params.max_budget
        3: model_list[0].litellm_params.guardrails
        4: model_list[0].model_info.access_groups
        5: guardrails
        7: litellm_settings.max_budget
        8: litellm_settings.callbacks: hide_secrets
        8: litellm_settings.callbacks: my.own_handler
        9: litellm_settings.some_new_budget
        11: general_settings.master_key
        12: general_settings.database_url
        13: router_settings.provider_budget_config"#]]
    .assert_eq(&refused.collect::<Vec<_>>().join("\n"));
    expect!["config.yaml:3:39: `model_list[0].litellm_params.max_budget` cannot be left out: limits what may be spent; there are no budgets here yet; and 10 more"].assert_eq(&import.check("config.yaml").unwrap_err().to_string());
    assert!(!told(&import).contains("canary"), "what is left out is not shown");
}

#[test]
fn a_slip_in_a_nested_field_is_told_with_its_place_and_what_was_meant() {
    refuses(
        "model_list:\n  - model_name: a\n    litellm_params:\n      modle: openai/a\n",
        expect![
            "config.yaml:4:7: unknown field `modle` in model_list[0].litellm_params; did you mean `model`?"
        ],
    );
    refuses(
        "model_list:\n  - model_name: a\n    litellm_params: {model: openai/a, api_bsae: x}\n",
        expect![
            "config.yaml:3:39: unknown field `api_bsae` in model_list[0].litellm_params; did you mean `api_base`?"
        ],
    );
    refuses(
        "general_setting:\n  master_key: x\n",
        expect![
            "config.yaml:1:1: unknown field `general_setting` in the file; did you mean `general_settings`?"
        ],
    );
    refuses(
        "general_settings:\n  master_kye: x\n",
        expect![
            "config.yaml:2:3: unknown field `master_kye` in general_settings; did you mean `master_key`?"
        ],
    );
    refuses("model_list: {}\n", expect!["config.yaml:1:13: model_list must be a list"]);
    refuses(
        "model_list:\n  - model_name: a\n",
        expect!["config.yaml:2:5: model_list[0] has no `litellm_params`"],
    );
    refuses(
        "model_list:\n  - litellm_params: {model: openai/a}\n",
        expect!["config.yaml:2:5: model_list[0] has no `model_name`"],
    );
    refuses(
        "model_list:\n  - {model_name: a, litellm_params: {rpm: 1}}\n",
        expect!["config.yaml:2:37: litellm_params names no `model`"],
    );
    refuses(
        "litellm_settings: {request_timeout: soon}\n",
        expect!["config.yaml:1:37: `soon` is no length of time in seconds"],
    );
    refuses(
        "litellm_settings: [a]\n",
        expect!["config.yaml:1:19: litellm_settings must be a mapping"],
    );
    refuses(
        "a: [1\n",
        expect!["config.yaml:2:1: no YAML: while parsing a flow sequence, expected ',' or ']'"],
    );
    refuses("# nothing\n", expect!["config.yaml:1:1: there is nothing in it"]);
}

#[test]
fn an_error_in_what_was_made_is_told_where_it_comes_from() {
    let text = "\nmodel_list:\n  - model_name: a\n    litellm_params:\n      model: openai/a\n      \
                api_key: os.environ/GONE\n";
    let import = read(text).unwrap();
    let error = Config::parse("config.yaml", &import.toml, None, &|_| None).unwrap_err();
    expect!["config.yaml:6:16: the environment variable `GONE` is not set"]
        .assert_eq(&import.relocated(error, "config.yaml").to_string());
}

#[test]
fn an_alias_wins_over_a_model_of_its_name() {
    let models = "model_list:\n- {model_name: a, litellm_params: {model: openai/a}}\n\
                  - {model_name: b, litellm_params: {model: openai/b}}\n";
    let alias = "router_settings: {model_group_alias: {a: {model: b, hidden: true}}}\n";
    let import = read(&[models, alias].concat()).unwrap();
    let environment = |_: &str| Some("sk".to_owned());
    let config = Config::parse("config.yaml", &import.toml, None, &environment).unwrap();
    assert_eq!(&*config.models["a"].model, "b");
}

#[test]
fn a_section_that_is_empty_is_as_if_it_were_not_there() {
    let text = "model_list:\nlitellm_settings:\ngeneral_settings: ~\nrouter_settings: {}\n";
    let import = read(text).unwrap();
    assert_eq!(import.toml, "# Made from config.yaml.\n");
}

#[test]
fn nothing_gets_out_of_a_comment() {
    let import = read("\"a\\nlisten = 1\": {x: 1}\nmodel_list: []\n").unwrap();
    assert_eq!(import.toml.lines().filter(|line| !line.starts_with('#')).count(), 0);
}

#[test]
fn only_yaml_is_taken_for_litellm_s() {
    let is = |name: &str| is_litellm(std::path::Path::new(name));
    assert!(is("config.yaml") && is("a/b.yml") && !is("scrimp.toml") && !is("yaml"));
}
