//! The dashboard's files, built from `web/` by `build.rs` and embedded in the binary.
//!
//! A crate of its own, depended on by nothing but the server: a change anywhere else does not drag
//! the files through the compiler again, and a change of the files compiles next to nothing.
//!
//! Without Node on the building machine there is one page that says how to get the rest
//! ([`BUILT`] is false then).

/// Value for `Content-Security-Policy`; goes with every file of the dashboard. Nothing inline, nothing
/// from elsewhere, no sink that turns text into markup, no framing: hostile text in a model's name
/// stays text.
pub const CONTENT_SECURITY_POLICY: &str = include_str!("csp.txt");

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path below the dashboard's root, without a leading slash.
    pub path: &'static str,
    /// Value for `Content-Type`.
    pub content_type: &'static str,
    /// Its bytes as they are.
    pub plain: Representation,
    /// Its bytes compressed, if that was done.
    pub gzip: Option<Representation>,
}

/// One representation of a file. Each has its own strong entity tag, as RFC 9110 §8.8.3.3 asks.
#[derive(Clone, Copy, Debug)]
pub struct Representation {
    /// What goes into the body.
    pub bytes: &'static [u8],
    /// Value for `ETag`, quotes included.
    pub etag: &'static str,
    /// Value for `Content-Encoding`.
    pub encoding: Option<&'static str>,
}

/// The file at `path`, with or without a leading slash; the page itself for `/`.
pub fn asset(path: &str) -> Option<Asset> {
    let path = match path.strip_prefix('/').unwrap_or(path) {
        "" => "index.html",
        path => path,
    };
    ASSETS.iter().find(|asset| asset.path == path).copied()
}

impl Asset {
    /// The representation for a client that sent this `Accept-Encoding` (empty if it sent none).
    /// Answers vary by that header.
    pub fn representation(&self, accept_encoding: &str) -> Representation {
        self.gzip.filter(|_| accepts_gzip(accept_encoding)).unwrap_or(self.plain)
    }

    /// Value for `Cache-Control`. Names under `assets/` that carry a digest never change meaning;
    /// the page is asked for again each time.
    pub fn cache_control(&self) -> &'static str {
        match self.path.starts_with("assets/") && self.path.contains('-') {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        }
    }
}

/// Whether gzip is among the codings and not refused by a quality of zero.
fn accepts_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let quality = quality.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && 0.0 < quality.unwrap_or(1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_one_line_and_allows_nothing_unsafe() {
        assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none'; script-src 'self';"));
        for forbidden in ["unsafe", "\n", "*", "http", "data:"] {
            assert!(!CONTENT_SECURITY_POLICY.contains(forbidden), "{forbidden:?}");
        }
    }

    #[test]
    fn the_root_is_a_page() {
        for path in ["/", "", "/index.html", "index.html"] {
            let page = asset(path).unwrap_or_else(|| panic!("no page at {path:?}"));
            assert_eq!(page.content_type, "text/html; charset=utf-8");
            assert_eq!(page.cache_control(), "no-cache");
        }
    }

    #[test]
    fn nothing_else_is_reachable() {
        for path in ["/assets", "/assets/", "/../Cargo.toml", "//index.html", "/INDEX.HTML"] {
            assert!(asset(path).is_none(), "{path}");
        }
    }

    #[test]
    fn everything_that_the_page_names_is_embedded() {
        let page = asset("/").expect("there is always a page").plain.bytes;
        let page = std::str::from_utf8(page).expect("the page is UTF-8");
        let named = page.split('"').filter(|part| part.starts_with("assets/"));
        let named: Vec<_> = named.collect();
        assert!(!named.is_empty());
        for path in named {
            assert!(asset(path).is_some(), "{path}");
        }
    }

    #[test]
    fn nothing_is_inline_or_from_elsewhere() {
        let page = asset("/").expect("there is always a page").plain.bytes;
        let page = std::str::from_utf8(page).expect("the page is UTF-8");
        for forbidden in ["<style", "style=", "<script>", "onload=", "http:", "https:"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn representations_differ_in_tag_and_coding() {
        for asset in ASSETS {
            let Some(gzip) = asset.gzip else { continue };
            assert_eq!(gzip.encoding, Some("gzip"));
            assert_ne!(gzip.etag, asset.plain.etag);
            assert_eq!(gzip.bytes[..2], [0x1f, 0x8b], "{}", asset.path);
        }
    }

    #[test]
    fn gzip_goes_only_to_those_who_take_it() {
        for (accept_encoding, taken) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.2", true),
            ("", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("x-gzip-not", false),
        ] {
            assert_eq!(accepts_gzip(accept_encoding), taken, "{accept_encoding:?}");
        }
    }
}
