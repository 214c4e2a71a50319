//! What went wrong with a call, named as its client was told, and what somebody can do about it.

use scrimp_core::{Ending, Fault, Record, Refusal};

use crate::flight::{fault_text, refusal_text};

/// Calls that went wrong alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// As the ledger counts it: rejected, truncated, failed, abandoned, refused.
    pub(super) ending: &'static str,
    /// The word for programs, where there is one.
    pub(super) word: Option<&'static str>,
    /// What the provider answered, where it did.
    pub(super) status: Option<u16>,
}

/// What kind of trouble a call had, and the advice; `None` if it had none.
pub(super) fn trouble(record: &Record) -> Option<(Kind, &'static str)> {
    let kind = |ending, word, status| Kind { ending, word, status };
    Some(match &record.ending {
        Ending::Answered { .. } if record.is_success() => return None,
        Ending::Answered { status, .. } => {
            (kind("rejected", None, Some(*status)), on_status(*status))
        }
        Ending::Truncated { status } => (kind("truncated", None, Some(*status)), ON_TRUNCATED),
        Ending::Failed { fault } => {
            (kind("failed", Some(fault_text(*fault).1), None), on_fault(*fault))
        }
        Ending::Abandoned => (kind("abandoned", None, None), ON_ABANDONED),
        Ending::Refused(refusal) => {
            (kind("refused", Some(refusal_text(refusal).1), None), on_refusal(refusal))
        }
    })
}

const ON_TRUNCATED: &str = "The client may have taken half an answer for a whole one: look for \
                            its finish reason there. If it happens at one length, a proxy on the \
                            way cuts long answers.";
const ON_ABANDONED: &str = "The client hung up, and what was generated until then is billed. If \
                            all end after the same time, it is the client's timeout: raise it, \
                            or stream.";

fn on_status(status: u16) -> &'static str {
    match status {
        400 | 422 => {
            "The provider does not understand the request: a parameter this model does not know, \
             or a prompt longer than its context. The client was told which."
        }
        401 => "The provider does not take the key: it is wrong, revoked, or another account's.",
        402 => "The account at the provider has no credit left.",
        403 => "The key may not use this model, or not from here: see the account's permissions.",
        404 => {
            "The model or path does not exist there: misspelt, retired, or not for this account."
        }
        408 | 504 => "The provider took too long: shorter prompts or outputs, or a stream.",
        413 => "The request is too large: fewer or smaller images, files, or messages.",
        429 => {
            "A rate limit, or a quota that is used up: spread the calls, use batch for what can \
             wait, let more of the prompt come from the cache, or ask for a higher limit."
        }
        500 | 502 | 503 | 520..=524 => {
            "The provider has trouble: see its status page. Most clients try again by themselves."
        }
        529 => "The provider is overloaded: try again later and slower, or use another model.",
        300..=399 => "The provider sends elsewhere, which is never followed: correct its base_url.",
        _ => "The client was told what is wrong in the provider's own words.",
    }
}

fn on_fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Connect => "Check the provider's base_url, DNS and firewall: `scrimp doctor`.",
        Fault::ConnectTimeout => "A firewall that swallows packets, or a provider that is down.",
        Fault::Tls => {
            "A proxy that opens TLS needs its certificate in `ca_file`: `scrimp doctor` shows it."
        }
        Fault::FirstByteTimeout => {
            "A long prompt, or trouble at the provider. `first_token_timeout` under [http] says \
             how long to wait."
        }
        Fault::IdleTimeout => {
            "Trouble at the provider. `chunk_timeout` under [http] says how long it may be silent."
        }
        Fault::Reset | Fault::BrokenBody => {
            "The connection broke: trouble at the provider or on the way. It is safe to try again \
             where answers need not be unique."
        }
        Fault::Protocol => "What answered speaks no HTTP that can be trusted: check base_url.",
        Fault::Redirect => "Redirects are never followed: correct the provider's base_url.",
        Fault::Cancelled => "Another attempt won, or the client had gone.",
        Fault::TooLarge => "The body grew over `body_bytes` under [http]: raise it, or send less.",
        Fault::Proxy => "Check the proxy that HTTPS_PROXY or `proxy` names: `scrimp doctor`.",
    }
}

fn on_refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed { .. } => {
            "The body is not what the API asks for; the client was told where."
        }
        Refusal::TooLarge { .. } => "Raise `body_bytes` under [http], or send less.",
        Refusal::BodyTimeout => "The client sent its body too slowly, or stopped.",
        Refusal::NoRoute { .. } => "Name a provider for this model or path in the configuration.",
        Refusal::NoKey => "Send a key with the call, or configure one for the provider.",
        Refusal::Stopping => "The gateway was stopping: clients try again.",
        Refusal::Overloaded => {
            "More calls were open at once than `calls` under [http] allows: raise it, or spread them."
        }
        Refusal::NoVirtualKey => "Give this client a virtual key: `scrimp keys create`.",
        Refusal::UnknownKey => "The key was never made here: misspelt, or another gateway's.",
        Refusal::KeyRevoked { .. } | Refusal::KeyExpired { .. } => {
            "A client still uses an old virtual key: give it a new one."
        }
        Refusal::ModelNotAllowed { .. } => {
            "The virtual key may not use this model: use another, or a key that may."
        }
        Refusal::RouteNotAllowed { .. } => {
            "Name the route under the provider's `routes`, or send a key of the caller's own."
        }
        Refusal::ForeignPage => {
            "A page of another site called the gateway, whose configured key it must not spend: if \
             the page is yours, call from its server, or give it a virtual key."
        }
        Refusal::InputTooLong { .. } => {
            "Send less, raise `max_input_tokens` under [token_budgets], or let its `strategy` leave \
             something out."
        }
        Refusal::NoWebSocket { .. } => "Let realtime connections go to the provider itself.",
    }
}
