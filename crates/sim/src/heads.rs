//! Heads of answers: the headers of both vendors, errors, and the faults of heads, some of which
//! have to be written past hyper.

use crate::ask::Refusal;
use crate::fault::Fault;
use crate::limits::{Allowance, Exhausted, Left};
use crate::models::Api;
use crate::{anthropic, openai};
use bytes::Bytes;
use http::response::Builder;
use http::{HeaderValue, Response};
use std::time::Duration;

/// The start of an answer.
pub(crate) fn start(api: Api, status: u16, request_id: &str) -> Builder {
    let builder = Response::builder().status(status);
    match api {
        Api::OpenAi => builder
            .header("x-request-id", request_id)
            .header("openai-organization", "org-simulated")
            .header("openai-version", "2020-10-01"),
        Api::Anthropic => builder
            .header("request-id", request_id)
            .header("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
    }
}

/// Adds what is left of the limits.
pub(crate) fn with_limits(
    builder: Builder,
    api: Api,
    allowance: &Allowance,
    unix_s: u64,
) -> Builder {
    let Allowance { requests, tokens } = allowance;
    match api {
        Api::OpenAi => {
            let builder = openai_limit(builder, "requests", requests);
            openai_limit(builder, "tokens", tokens)
        }
        Api::Anthropic => {
            let builder = anthropic_limit(builder, "requests", requests, unix_s);
            let builder = anthropic_limit(builder, "tokens", tokens, unix_s);
            anthropic_limit(builder, "input-tokens", tokens, unix_s)
        }
    }
}

fn openai_limit(builder: Builder, what: &str, left: &Left) -> Builder {
    let Left { limit, remaining, reset } = left;
    builder
        .header(format!("x-ratelimit-limit-{what}"), *limit)
        .header(format!("x-ratelimit-remaining-{what}"), *remaining)
        .header(format!("x-ratelimit-reset-{what}"), spelled(*reset))
}

fn anthropic_limit(builder: Builder, what: &str, left: &Left, unix_s: u64) -> Builder {
    let Left { limit, remaining, reset } = left;
    let reset =
        rfc3339(unix_s + reset.as_secs().saturating_add(u64::from(reset.subsec_nanos() != 0)));
    builder
        .header(format!("anthropic-ratelimit-{what}-limit"), *limit)
        .header(format!("anthropic-ratelimit-{what}-remaining"), *remaining)
        .header(format!("anthropic-ratelimit-{what}-reset"), reset)
}

/// A duration as `OpenAI` writes it: `20ms`, `1.5s`, `6m0s`.
fn spelled(span: Duration) -> String {
    let (minutes, seconds) = (span.as_secs() / 60, span.as_secs() % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{}ms", span.subsec_millis()),
        (0, _) => format!("{seconds}.{:03}s", span.subsec_millis()),
        _ => format!("{minutes}m{seconds}s"),
    }
}

/// Seconds since 1970 as `2026-11-23T00:00:00Z` (days to a date after Howard Hinnant's
/// `civil_from_days`).
pub(crate) fn rfc3339(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// An error's body in the vendor's shape.
pub(crate) fn error_body(api: Api, refusal: &Refusal, request_id: &str) -> Bytes {
    match api {
        Api::OpenAi => openai::answer::error(refusal),
        Api::Anthropic => anthropic::answer::error(refusal, request_id),
    }
}

/// What a vendor says when a limit is met.
pub(crate) fn over_limit(api: Api, exhausted: &Exhausted) -> Refusal {
    let Exhausted { what, limit, retry_after, .. } = exhausted;
    let (kind, message) = match api {
        Api::OpenAi => (
            if *what == "tokens" { "tokens" } else { "requests" },
            format!(
                "Rate limit reached on {what} per min: Limit {limit}. Please try again in {}.",
                spelled(*retry_after)
            ),
        ),
        Api::Anthropic => (
            "rate_limit_error",
            format!("This request would exceed the rate limit of {limit} {what} per minute."),
        ),
    };
    Refusal { status: 429, kind, code: Some("rate_limit_exceeded"), message }
}

/// What a vendor says with an error status.
pub(crate) fn refusal_of_status(api: Api, status: u16) -> Refusal {
    let kind = match (api, status) {
        (Api::Anthropic, 401) => "authentication_error",
        (Api::Anthropic, 403) => "permission_error",
        (Api::Anthropic, 404) => "not_found_error",
        (Api::Anthropic, 413) => "request_too_large",
        (Api::Anthropic, 429) => "rate_limit_error",
        (Api::Anthropic, 504) => "timeout_error",
        (Api::Anthropic, 529) => "overloaded_error",
        (Api::Anthropic, 500..) => "api_error",
        (Api::OpenAi, 429) => "requests",
        (Api::OpenAi, 500..) => "server_error",
        _ => "invalid_request_error",
    };
    let code = match (api, status) {
        (Api::OpenAi, 429) => Some("rate_limit_exceeded"),
        (Api::OpenAi, 401) => Some("invalid_api_key"),
        _ => None,
    };
    let message = match status {
        529 => "Overloaded".to_owned(),
        429 => "Rate limit reached.".to_owned(),
        _ => format!("The simulated provider was asked for a {status}."),
    };
    Refusal { status, kind, code, message }
}

/// Adds what an error's argument says about coming back.
pub(crate) fn with_return(builder: Builder, api: Api, fault: &Fault) -> Builder {
    let Some(argument) = &fault.argument else { return builder };
    let (name, value) = match argument.split_once('=') {
        Some(("ms", value)) => ("retry-after-ms", value),
        Some(("should-retry", value)) => ("x-should-retry", value),
        Some(("reset", value)) => match api {
            Api::OpenAi => ("x-ratelimit-reset-requests", value),
            Api::Anthropic => ("anthropic-ratelimit-requests-reset", value),
        },
        _ => ("retry-after", argument.as_str()),
    };
    match HeaderValue::from_str(value) {
        Ok(value) => builder.header(name, value),
        Err(_) => builder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_the_vendors_do() {
        assert_eq!(rfc3339(951_826_154), "2000-02-29T12:09:14Z");
        assert_eq!(rfc3339(1_795_391_999), "2026-11-22T23:59:59Z");
        assert_eq!(spelled(Duration::from_millis(20)), "20ms");
        assert_eq!(spelled(Duration::from_millis(1500)), "1.500s");
        assert_eq!(spelled(Duration::from_mins(6)), "6m0s");
    }
}
