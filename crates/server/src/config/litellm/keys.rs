//! What LiteLLM's keys mean here: tables, a line for each group of keys with one fate.
//!
//! After LiteLLM's own reference of May 2026 (`docs/proxy/config_settings.md` of
//! BerriAI/litellm-docs).

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is taken over; the importer has code for it.
    Maps,
    /// Nothing that matters here depends on it.
    Harmless,
    /// Calls go on without it, and differ from LiteLLM's.
    NotYet,
    /// Without it somebody may do or see what they must not: authentication, budgets, guardrails.
    Unsafe,
}

use Fate::{Harmless, Maps, NotYet, Unsafe};

/// Keys that share a fate: their names, separated by blanks, and why.
pub(super) struct Keys {
    pub(super) names: &'static str,
    pub(super) fate: Fate,
    pub(super) why: &'static str,
}

const fn keys(fate: Fate, names: &'static str, why: &'static str) -> Keys {
    Keys { names, fate, why }
}

const LOGS: &str = "about LiteLLM's own logs, alerts and checks";
const DATABASE: &str = "keys and budgets lie in a database that is not read";
const AUTHENTICATES: &str =
    "decides who may call; take it out and let virtual keys decide (`scrimp keys create`)";
const SPENDS: &str = "limits what may be spent; there are no budgets here yet";
const GUARDS: &str = "checks or changes what is sent; there are no guardrails here";
const REMEMBERS: &str = "answers are not cached yet";
const RETRIES: &str = "calls are not retried and go to no other model yet";
const BALANCES: &str = "a name leads to one target; there are no groups yet";
const LIMITS: &str = "there are no limits by model or caller yet";
const PASSES: &str = "requests pass as the client wrote them; nothing is put in or left out";
const SIGNS: &str =
    "a provider takes one key, or an access key of Amazon's; no others are asked for";
const AMAZON: &str = "not taken over; write a provider with `dialect = \"bedrock\"`, which signs";
const PRICES: &str = "own prices go into a file that [prices] names (docs/prices.md)";
const NOT_SERVED: &str = "not served here";

/// What a key is found in.
pub(super) const TOP: &[Keys] = &[
    keys(
        Maps,
        "model_list litellm_settings router_settings general_settings environment_variables",
        "",
    ),
    keys(Unsafe, "guardrails policies policy_attachments", GUARDS),
    keys(Unsafe, "include", "what other files say is not known here: import each"),
    keys(NotYet, "credential_list", "keys stand with their providers"),
    keys(
        NotYet,
        "mcp_servers mcp_tools prompts vector_store_registry search_tools agent_list \
         assistant_settings files_settings finetune_settings worker_registry",
        NOT_SERVED,
    ),
    keys(NotYet, "default_vertex_config", SIGNS),
    keys(Harmless, "callback_settings", LOGS),
];

pub(super) const MODEL: &[Keys] =
    &[keys(Maps, "model_name litellm_params model_info", ""), keys(Unsafe, "guardrails", GUARDS)];

pub(super) const MODEL_INFO: &[Keys] = &[
    keys(
        NotYet,
        "input_cost_per_token output_cost_per_token input_cost_per_second output_cost_per_second \
         cache_read_input_token_cost cache_creation_input_token_cost base_model input_cost_per_pixel \
         output_cost_per_image output_cost_per_reasoning_token input_cost_per_token_batches \
         output_cost_per_token_batches",
        PRICES,
    ),
    keys(Unsafe, "access_groups", AUTHENTICATES),
    keys(
        Harmless,
        "id mode max_tokens max_input_tokens max_output_tokens description tier version db_model \
         litellm_provider supports_vision supports_function_calling supports_web_search \
         supports_reasoning supports_prompt_caching health_check_timeout health_check_model \
         health_check_voice disable_background_health_check owner created_at updated_at",
        "describes the model to LiteLLM",
    ),
];

pub(super) const PARAMS: &[Keys] = &[
    keys(Maps, "model api_base base_url api_key custom_llm_provider api_version", ""),
    keys(NotYet, "rpm tpm max_parallel_requests", LIMITS),
    keys(NotYet, "weight order tags priority", BALANCES),
    keys(
        NotYet,
        "timeout stream_timeout",
        "lengths of time are in [http], the same for all models",
    ),
    keys(
        NotYet,
        "num_retries max_retries fallbacks cooldown_time context_window_fallback_dict",
        RETRIES,
    ),
    keys(
        NotYet,
        "cache_control_injection_points",
        "write it as a rule: [prompt_cache.\"model:NAME\"] with state and strategy",
    ),
    keys(
        NotYet,
        "drop_params additional_drop_params modify_params allowed_openai_params headers \
         extra_headers extra_body extra_query organization temperature top_p top_k n stop max_tokens \
         max_completion_tokens presence_penalty frequency_penalty seed logit_bias logprobs \
         top_logprobs response_format reasoning_effort thinking tools tool_choice \
         parallel_tool_calls functions function_call stream stream_options user metadata \
         service_tier dimensions encoding_format input_type prompt_id prompt_variables \
         prompt_integration merge_reasoning_content_in_choices system_prompt web_search_options \
         text verbosity min_tokens serviceTier repetition_penalty min_p safety_settings store modalities audio prediction",
        PASSES,
    ),
    keys(
        NotYet,
        "input_cost_per_token output_cost_per_token input_cost_per_second output_cost_per_second \
         cache_read_input_token_cost cache_creation_input_token_cost",
        PRICES,
    ),
    keys(
        NotYet,
        "aws_region_name aws_access_key_id aws_secret_access_key aws_session_token \
         aws_bedrock_runtime_endpoint",
        AMAZON,
    ),
    keys(
        NotYet,
        "aws_role_name aws_session_name aws_profile_name aws_web_identity_token \
         aws_sts_endpoint vertex_project vertex_location vertex_credentials vertex_ai_project \
         vertex_ai_location vertex_ai_credentials azure_ad_token azure_scope tenant_id client_id \
         client_secret azure_username azure_password region_name watsonx_region_name project_id \
         litellm_credential_name token auth_token",
        SIGNS,
    ),
    keys(
        NotYet,
        "ssl_verify",
        "certificates are always verified; `ca_file` of a provider names others to trust",
    ),
    keys(
        NotYet,
        "mock_response mock_timeout auto_router_config auto_router_config_path \
         auto_router_default_model auto_router_embedding_model complexity_router_config \
         use_litellm_proxy use_chat_completions_api model_config vector_store_id vector_store_ids bucket_name \
         embedding_model search_provider",
        NOT_SERVED,
    ),
    keys(
        Harmless,
        "use_in_pass_through litellm_trace_id supports_system_message max_file_size_mb rust",
        "about LiteLLM itself",
    ),
    keys(Unsafe, "max_budget budget_duration", SPENDS),
    keys(Unsafe, "guardrails guardrail", GUARDS),
    keys(Unsafe, "configurable_clientside_auth_params", AUTHENTICATES),
];

pub(super) const SETTINGS: &[Keys] = &[
    keys(
        Maps,
        "request_timeout callbacks success_callback failure_callback service_callback \
         service_callbacks post_call_rules pre_call_rules input_callback",
        "",
    ),
    keys(
        Harmless,
        "turn_off_message_logging redact_messages_in_exceptions redact_user_api_key_info",
        "no text of prompts and answers is stored or logged, and keys only as digests",
    ),
    keys(
        Harmless,
        "set_verbose json_logs langfuse_default_tags langfuse_enable_update_trace_keys \
         disable_end_user_cost_tracking disable_end_user_cost_tracking_prometheus_only \
         request_correlation_in_logs prometheus_initialize_budget_metrics \
         custom_prometheus_metadata_labels custom_prometheus_tags prometheus_metrics_config \
         require_auth_for_metrics_endpoint datadog_params datadog_llm_observability_params \
         s3_callback_params langsmith_default_run_name otel_params suppress_debug_info \
         disable_hf_tokenizer_download telemetry enable_preview_features \
         disable_copilot_system_to_assistant public_model_groups public_model_groups_links",
        LOGS,
    ),
    keys(
        NotYet,
        "cache cache_params enable_redis_auth_cache enable_caching_on_provider_specific_optional_params",
        REMEMBERS,
    ),
    keys(
        NotYet,
        "num_retries num_retries_per_request allowed_fails fallbacks default_fallbacks \
         content_policy_fallbacks context_window_fallbacks retry_policy cooldown_time max_fallbacks",
        RETRIES,
    ),
    keys(
        NotYet,
        "drop_params modify_params disable_stop_sequence_limit headers organization \
         disable_add_transform_inline_image_block use_chat_completions_url_for_anthropic_messages \
         route_all_chat_openai_to_responses enable_json_schema_validation \
         cache_control_injection_points forward_traceparent_to_llm_provider \
         add_function_to_prompt default_in_memory_ttl extra_spend_tag_headers \
         ssl_verify ssl_certificate ssl_security_level force_ipv4",
        PASSES,
    ),
    keys(NotYet, "cost_discount_config cost_margin_config custom_provider_map model_cost", PRICES),
    keys(NotYet, "mcp_aliases api_base api_key vector_store_registry", NOT_SERVED),
    keys(NotYet, "priority_reservation priority_reservation_settings", LIMITS),
    keys(
        Unsafe,
        "max_budget budget_duration max_user_budget max_internal_user_budget \
         internal_user_budget_duration max_end_user_budget max_end_user_budget_id tag_budget_config \
         soft_budget default_max_internal_user_budget",
        SPENDS,
    ),
    keys(
        Unsafe,
        "key_generation_settings default_internal_user_params default_key_generate_params \
         upperbound_key_generate_params default_team_settings default_team_params \
         enable_key_alias_format_validation default_user_params default_key_permissions \
         lowerbound_key_generate_params",
        AUTHENTICATES,
    ),
    keys(
        Unsafe,
        "guardrails guardrail_name_config_map llamaguard_model_name llamaguard_unsafe_content_categories \
         llm_guard_mode banned_keywords_list blocked_user_list google_moderation_confidence_threshold \
         openai_moderations_model_name presidio_ad_hoc_recognizers output_parse_pii \
         skip_system_message_in_guardrail prompt_injection_params secret_detection",
        GUARDS,
    ),
];

pub(super) const ROUTER: &[Keys] = &[
    keys(Maps, "timeout model_group_alias", ""),
    keys(
        NotYet,
        "routing_strategy routing_strategy_args redis_host redis_password redis_port redis_db \
         redis_url enable_pre_call_check enable_pre_call_checks enable_tag_filtering \
         tag_filtering_match_any tag_routing_prefix default_priority polling_interval \
         optional_pre_call_checks deployment_affinity_ttl_seconds model_group_affinity_config \
         ignore_invalid_deployments enable_health_check_routing health_check_staleness_threshold \
         health_check_ignore_transient_errors router_general_settings client_ttl caching_groups",
        BALANCES,
    ),
    keys(
        NotYet,
        "num_retries allowed_fails allowed_fails_policy cooldown_time disable_cooldowns retry_policy \
         retry_after model_group_retry_policy fallbacks default_fallbacks content_policy_fallbacks \
         context_window_fallbacks max_fallbacks",
        RETRIES,
    ),
    keys(NotYet, "default_max_parallel_requests", LIMITS),
    keys(NotYet, "cache_responses cache_kwargs", REMEMBERS),
    keys(NotYet, "default_litellm_params", PASSES),
    keys(NotYet, "stream_timeout", "how long a stream may be silent is `chunk_timeout` in [http]"),
    keys(NotYet, "assistants_config search_tools", NOT_SERVED),
    keys(Harmless, "debug_level set_verbose alerting_config", LOGS),
    keys(Unsafe, "provider_budget_config", SPENDS),
    keys(Unsafe, "guardrail_list", GUARDS),
];

pub(super) const GENERAL: &[Keys] = &[
    keys(
        Maps,
        "max_request_size_mb global_max_parallel_requests maximum_spend_logs_retention_period",
        "",
    ),
    keys(
        Harmless,
        "alerting alerting_threshold alerting_args alert_types alert_to_webhook_url alert_type_config \
         background_health_checks health_check_interval health_check_details health_check_concurrency \
         use_shared_health_check enable_health_check_routing health_check_staleness_threshold \
         health_check_ignore_transient_errors disable_error_logs spend_report_frequency \
         maximum_spend_logs_retention_interval maximum_spend_logs_cleanup_cron disable_spend_logs \
         disable_spend_updates always_include_stream_usage litellm_license proxy_batch_write_at \
         proxy_batch_polling_interval disable_prisma_schema_update use_redis_transaction_buffer \
         infer_model_from_keys image_generation_model moderation_model embedding_model \
         disable_batch_input_file_rate_limiting block_robots skip_batch_input_file_rate_limiting_for_providers \
         disable_retry_on_max_parallel_request_limit_error missing_session_id",
        LOGS,
    ),
    keys(
        NotYet,
        "completion_model",
        "the model that a call names is the one it gets, or what its alias says",
    ),
    keys(NotYet, "store_prompts_in_spend_logs", "no text of prompts and answers is stored"),
    keys(NotYet, "max_response_size_mb max_parallel_requests token_rate_limit_type", LIMITS),
    keys(
        NotYet,
        "forward_openai_org_id forward_client_headers_to_llm_api forward_llm_provider_auth_headers",
        "a client's headers always pass on, but for its key where the provider has one here",
    ),
    keys(
        NotYet,
        "pass_through_endpoints store_model_in_db supported_db_objects search_tools \
         enable_mcp_registry mcp_client_side_auth_header_name mcp_internal_ip_ranges \
         mcp_required_fields mcp_trusted_proxy_ranges control_plane_url user_mcp_management_mode",
        NOT_SERVED,
    ),
    keys(
        Unsafe,
        "master_key custom_auth custom_auth_run_common_checks enable_jwt_auth litellm_jwtauth \
         enable_oauth2_auth enable_oauth2_proxy_auth oauth2_config_mappings custom_sso \
         custom_ui_sso_sign_in_handler auto_redirect_ui_login_to_sso ui_access_mode enforce_rbac \
         role_permissions allowed_routes public_routes admin_only_routes allowed_ips \
         use_x_forwarded_for enforce_user_param enforced_params reject_clientside_metadata_tags \
         litellm_key_header_name user_header_name user_header_mappings service_account_settings \
         allow_user_auth user_api_key_cache_ttl custom_key_generate custom_key_update \
         allow_client_side_credentials default_team_disabled require_end_user_mcp_access_defined \
         use_client_credentials_pass_through_routes disable_master_key_return \
         disable_responses_id_security allow_unmanaged_response_ids enforce_fallback_model_access \
         disable_adding_master_key_hash_to_db disable_auto_add_proxy_admin_to_teams",
        AUTHENTICATES,
    ),
    keys(
        Unsafe,
        "key_management_system key_management_settings use_azure_key_vault use_google_kms",
        "keys are read from the environment or the file, not from a vault",
    ),
    keys(
        Unsafe,
        "database_url database_type database_args database_connection_pool_limit \
         database_connection_timeout database_connection_pool_timeout database_connect_timeout \
         database_socket_timeout database_statement_timeout database_lock_timeout \
         database_extra_connection_params database_disable_prepared_statements \
         allow_requests_on_db_unavailable",
        DATABASE,
    ),
    keys(
        Unsafe,
        "max_budget budget_duration disable_reset_budget proxy_budget_rescheduler_min_time \
         proxy_budget_rescheduler_max_time fail_closed_budget_enforcement enforce_fallback_budget \
         disable_budget_reservation",
        SPENDS,
    ),
];

/// What may stand behind `callbacks`, and checks or changes calls instead of logging them. What has a
/// dot in it is somebody's own code, which may do anything.
const GUARDING: &[&str] = &[
    "hide_secrets",
    "llamaguard_moderations",
    "llmguard_moderations",
    "lakera_prompt_injection",
    "google_text_moderation",
    "openai_moderations",
    "azure_content_safety",
    "presidio",
    "detect_prompt_injection",
    "banned_keywords",
    "blocked_user_check",
    "aporia",
    "bedrock",
    "compression_interception",
    "prompt_management",
    "qualifire_eval",
];

/// What becomes of a callback.
pub(super) fn callback(name: &str) -> (Fate, &'static str) {
    let is_limit = name.starts_with("dynamic_rate_limiter") || name == "max_parallel_requests";
    match () {
        () if GUARDING.contains(&name) => (Unsafe, GUARDS),
        () if name.contains('.') => (Unsafe, "own code that may check or change calls"),
        () if is_limit => (NotYet, LIMITS),
        () => (Harmless, "logs elsewhere; every call is recorded here"),
    }
}

/// Words in the name of a key that nobody here knows, by which it may be about safety.
const ALARMING: &[&str] =
    &["auth", "budget", "guard", "key", "token", "redact", "secret", "pii", "allow", "permission"];

/// What becomes of a key that is in no table and near to none.
pub(super) fn stranger(key: &str) -> (Fate, &'static str) {
    match ALARMING.iter().any(|word| key.to_lowercase().contains(word)) {
        true => (Unsafe, "not known here, and by its name about who may do what"),
        false => (NotYet, "not known here"),
    }
}

/// The fate of a key in its table.
pub(super) fn fate(table: &[Keys], key: &str) -> Option<(Fate, &'static str)> {
    let has = |keys: &&Keys| keys.names.split_whitespace().any(|name| name == key);
    table.iter().find(has).map(|keys| (keys.fate, keys.why))
}

/// Every name in a table.
pub(super) fn names(table: &[Keys]) -> impl Iterator<Item = &'static str> {
    table.iter().flat_map(|keys| keys.names.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_fate() {
        for table in [TOP, MODEL, MODEL_INFO, PARAMS, SETTINGS, ROUTER, GENERAL] {
            let mut all: Vec<_> = names(table).collect();
            all.sort_unstable();
            let twice = all.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None);
        }
    }

    #[test]
    fn what_guards_calls_is_told_from_what_logs_them() {
        let fates = ["langfuse", "hide_secrets", "mine.handler", "dynamic_rate_limiter_v3"];
        let fates = fates.map(|name| callback(name).0);
        assert_eq!(fates, [Harmless, Unsafe, Unsafe, NotYet]);
        assert_eq!(stranger("new_auth_thing").0, Unsafe);
        assert_eq!(stranger("new_thing").0, NotYet);
    }
}
