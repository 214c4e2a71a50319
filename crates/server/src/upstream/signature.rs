//! Signatures of requests to Amazon, version 4: who asks is shown by a hash over the request and a
//! key that never leaves.
//!
//! What is signed is read from the very lines and bytes that go out, after all edits. A signature is
//! good for minutes only, so each request gets its own.
//!
//! Source: `docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html`.

use std::fmt::Write as _;

use http::Method;
use http::header::{AUTHORIZATION, HeaderName};
use ring::{digest, hmac};
use scrimp_core::Time;

use super::head::Lines;
use crate::config::AccessKey;

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A request as it goes out, but for what its signature adds.
pub(crate) struct Unsigned<'r> {
    pub(crate) method: &'r Method,
    /// Path and query.
    pub(crate) target: &'r str,
    pub(crate) lines: &'r Lines,
    pub(crate) body: &'r [u8],
}

/// What is the same for all requests to one service.
struct Service {
    name: &'static str,
    /// Which headers its signatures hold beside `host`.
    signs: fn(&str) -> bool,
}

/// Headers that somebody on the way may change are left out, but Amazon's own and the body's type
/// must be in.
const BEDROCK: Service =
    Service { name: "bedrock", signs: |name| name == "content-type" || name.starts_with("x-amz-") };

/// A request's lines with its signature.
pub(crate) fn signed(request: &Unsigned<'_>, key: &AccessKey, now: Time) -> Lines {
    BEDROCK.signed(request, key, now)
}

impl Service {
    fn signed(&self, request: &Unsigned<'_>, key: &AccessKey, now: Time) -> Lines {
        let at = spelled(now);
        let mut lines = request.lines.clone();
        lines.push(&X_AMZ_DATE, &[at.as_bytes()]);
        if let Some(token) = &key.session_token {
            lines.push(&X_AMZ_SECURITY_TOKEN, &[token.reveal().as_bytes()]);
        }
        let (day, region, service) = (&at[..8], &*key.region, self.name);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let Canonical { text, names } = self.canonical(&Unsigned { lines: &lines, ..*request });
        let hash = hex(digest::digest(&digest::SHA256, &text).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{hash}");
        let mut proof = ["AWS4", key.secret.reveal()].concat().into_bytes();
        for word in [day, region, service, "aws4_request", &to_sign] {
            proof = mac(&proof, word);
        }
        let (id, proof) = (key.id.reveal(), hex(&proof));
        let shown = format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={proof}"
        );
        lines.push(&AUTHORIZATION, &[shown.as_bytes()]);
        lines
    }

    /// The form of a request on which both sides agree.
    fn canonical(&self, request: &Unsigned<'_>) -> Canonical {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let mut headers = request.lines.iter().collect::<Vec<_>>();
        headers.retain(|(name, _)| *name == "host" || (self.signs)(name));
        // Stable: the values of a header that is there several times keep their order.
        headers.sort_by_key(|(name, _)| *name);
        let mut names = String::new();
        let first = [request.method.as_str(), &tidied(path), &sorted(query)];
        let mut text = first.join("\n").into_bytes();
        let mut last = "";
        for (name, value) in headers {
            if name == last {
                text.push(b',');
            } else {
                names.push_str(if last.is_empty() { "" } else { ";" });
                names.push_str(name);
                text.extend(["\n", name, ":"].concat().bytes());
            }
            last = name;
            text.extend(one_spaced(value));
        }
        let body = hex(digest::digest(&digest::SHA256, request.body).as_ref());
        text.extend(["\n\n", &names, "\n", &body].concat().bytes());
        Canonical { text, names }
    }
}

struct Canonical {
    text: Vec<u8>,
    /// The headers that it holds.
    names: String,
}

/// `20150830T123600Z`.
fn spelled(now: Time) -> String {
    let at = jiff::Timestamp::from_second(now.secs()).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A path without empty parts and dots, and encoded. What is encoded already is encoded once more:
/// that is the rule of all services but S3.
fn tidied(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut out = String::with_capacity(path.len() + 8);
    for part in &parts {
        out.push('/');
        encode(part.as_bytes(), &mut out);
    }
    if parts.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// The parts of a query in order, encoded once however they came.
fn sorted(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        [name, value].map(|part| {
            let mut out = String::new();
            encode(&decoded(part), &mut out);
            out
        })
    });
    let mut pairs = pairs.collect::<Vec<_>>();
    pairs.sort();
    pairs.iter().map(|pair| pair.join("=")).collect::<Vec<_>>().join("&")
}

/// `text` with its percent codes decoded; what is no such code stays.
fn decoded(text: &str) -> Vec<u8> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        out.push(code.map_or(*first, |(high, low)| high << 4 | low));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    out
}

fn encode(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            _ => write!(out, "%{byte:02X}").expect("strings take everything"),
        }
    }
}

/// A header's value without spaces around it, and with one where there are several.
fn one_spaced(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        write!(out, "{byte:02x}").expect("strings take everything");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    /// The rules of the published vectors: every header is signed, for a service without a name.
    const SUITE: Service = Service { name: "service", signs: |_| true };

    fn key(session_token: Option<&str>) -> AccessKey {
        let secret = |text: &str| Secret::new(text.to_owned());
        AccessKey {
            id: secret("AKIDEXAMPLE"),
            secret: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: session_token.map(secret),
            region: "us-east-1".into(),
        }
    }

    /// The headers and the signature that a request gets on 30 August 2015.
    fn sign(service: &Service, request: &str, headers: &[(&str, &str)], body: &str) -> [String; 2] {
        let (method, target) = request.split_once(' ').unwrap();
        let mut lines = Lines::default();
        for (name, value) in headers {
            lines.push(&name.parse().unwrap(), &[value.as_bytes()]);
        }
        let method = method.parse().unwrap();
        let request = Unsigned { method: &method, target, lines: &lines, body: body.as_bytes() };
        let now = Time::from_secs(1_440_938_160);
        let lines = service.signed(&request, &key(None), now);
        let shown = lines.iter().find(|(name, _)| *name == "authorization").unwrap().1;
        let shown = std::str::from_utf8(shown).unwrap();
        let shown =
            shown.strip_prefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/");
        let (_, shown) = shown.unwrap().split_once("/aws4_request, SignedHeaders=").unwrap();
        let (names, proof) = shown.split_once(", Signature=").unwrap();
        [names.to_owned(), proof.to_owned()]
    }

    /// Source: Amazon's Signature Version 4 test suite (`aws-sig-v4-test-suite`), by the names of its
    /// folders.
    #[test]
    fn the_published_vectors_are_signed_as_published() {
        let host = ("host", "example.amazonaws.com");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let own = |value| ("my-header1", value);
        for (name, request, headers, body, proof) in [
            (
                "get-vanilla",
                "GET /",
                &[host][..],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET /?Param2=value2&Param1=value1",
                &[host],
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-vanilla-query-unreserved",
                "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=\
                 -._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                &[host],
                "",
                "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
            ),
            (
                "get-utf8",
                "GET /\u{1234}",
                &[host],
                "",
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            (
                "get-space",
                "GET /example space/",
                &[host],
                "",
                "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
            ),
            (
                "get-slash-dot-slash",
                "GET /./",
                &[host],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-relative-relative",
                "GET /example1/example2/../..",
                &[host],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-slash",
                "GET //",
                &[host],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-header-value-trim",
                "GET /",
                &[host, own(" value1"), ("my-header2", " \"a   b   c\"")],
                "",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "get-header-key-duplicate",
                "GET /",
                &[host, own("value2"), own("value2"), own("value1")],
                "",
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "post-vanilla",
                "POST /",
                &[host],
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST /",
                &[host, form],
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            assert_eq!(sign(&SUITE, request, headers, body)[1], proof, "{name}");
        }
        // The worked example of the documents.
        let iam = Service { name: "iam", ..SUITE };
        let type_of_form = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = [("content-type", type_of_form), ("host", "iam.amazonaws.com")];
        let [names, proof] = sign(&iam, "GET /?Action=ListUsers&Version=2010-05-08", &headers, "");
        assert_eq!(names, "content-type;host;x-amz-date");
        assert_eq!(proof, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }
}
