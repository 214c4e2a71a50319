//! The key that requests to Amazon are signed with, in place of one that is sent along.

use std::ops::Range;

use toml::Spanned;

use super::problem::{ConfigError, Source};
use super::provider::{Origin, Secret, resolved, secret};
use super::values::Lookup;

/// An access key of Amazon's, and where it is used. Nothing of it is sent but its id and, if it is
/// there, the token of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: Secret,
    /// What signatures are made with.
    pub secret: Secret,
    /// The session of a key that is good for a while only.
    pub session_token: Option<Secret>,
    /// The region that requests are signed for.
    pub region: Box<str>,
}

/// What a provider's table says of it.
pub(super) struct Written {
    pub(super) id: Option<Spanned<String>>,
    pub(super) secret: Option<Spanned<String>>,
    pub(super) session_token: Option<Spanned<String>>,
    pub(super) region: Option<Spanned<String>>,
}

impl Written {
    /// Where the first of it stands, if any of it was written.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        let Written { id, secret, session_token, region } = self;
        [id, secret, session_token, region].into_iter().flatten().map(Spanned::span).next()
    }
}

/// The access key of a provider at `origin`, if its table has one.
pub(super) fn access_key(
    source: &Source<'_>,
    written: Written,
    origin: &Origin,
    environment: Lookup<'_>,
) -> Result<Option<AccessKey>, ConfigError> {
    let Written { id, secret: own, session_token, region } = written;
    let (id, own) = match (id, own) {
        (Some(id), Some(own)) => (id, own),
        (Some(alone), None) => return Err(incomplete(source, &alone, "access_key_id")),
        (None, Some(alone)) => return Err(incomplete(source, &alone, "secret_access_key")),
        (None, None) => {
            return match session_token.or(region) {
                None => Ok(None),
                Some(left) => Err(source.wrong(Some(left.span()), ONLY_SIGNING.to_owned())),
            };
        }
    };
    let key = secret(source, &id, environment)?;
    if !key.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = "an access key's id is letters and digits; this one is not".to_owned();
        return Err(source.wrong(Some(id.span()), message));
    }
    let session_token =
        session_token.map(|token| secret(source, &token, environment)).transpose()?;
    let region = match region {
        Some(written) => named_region(source, &written, environment)?,
        None => region_of(&origin.host)
            .ok_or_else(|| {
                let message = format!(
                    "requests are signed for a region, and the host `{}` names none: write `region`",
                    origin.host
                );
                source.wrong(Some(id.span()), message)
            })?
            .into(),
    };
    let secret = secret(source, &own, environment)?;
    Ok(Some(AccessKey { id: key, secret, session_token, region }))
}

const ONLY_SIGNING: &str = "this is for signing requests, and goes with `access_key_id` and \
                            `secret_access_key`";

fn incomplete(source: &Source<'_>, alone: &Spanned<String>, named: &str) -> ConfigError {
    let message = format!(
        "`{named}` alone signs nothing: `access_key_id` and `secret_access_key` go together"
    );
    source.wrong(Some(alone.span()), message)
}

fn named_region(
    source: &Source<'_>,
    written: &Spanned<String>,
    environment: Lookup<'_>,
) -> Result<Box<str>, ConfigError> {
    let text = resolved(source, written, environment)?;
    if is_region(&text) {
        return Ok(text.into());
    }
    let message = format!("`{text}` is no region such as us-east-1");
    Err(source.wrong(Some(written.span()), message))
}

fn is_region(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_plain)
}

/// The region in a host's name: `bedrock-runtime.us-east-1.amazonaws.com`, and the same behind an
/// endpoint of one's own network.
fn region_of(host: &str) -> Option<&str> {
    let mut labels = host.split('.').skip_while(|label| !label.starts_with("bedrock"));
    // What stands behind the region tells this host from another that is only called so.
    let (_, region, _domain) = (labels.next()?, labels.next()?, labels.next()?);
    Some(region).filter(|region| is_region(region) && region.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_its_region() {
        for (host, region) in [
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("bedrock-runtime.eu-west-1.api.aws", Some("eu-west-1")),
            ("vpce-0a1-x.bedrock-runtime.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("bedrock.example.com", None),
            ("bedrock.internal", None),
            ("127.0.0.1", None),
            ("", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }
}
