//! What an image costs: by its size, in a way that each vendor documents.
//!
//! Sizes are read from the head of a PNG, JPEG or GIF that is in the request. Of one behind an
//! address nothing is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An image's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// What is taken of an image whose size is not known.
pub(crate) const USUAL: Size = Size { width: 1_024, height: 1_024 };

impl Size {
    /// The size of an image in base64.
    pub fn of_base64(text: &str) -> Option<Size> {
        // Without what a cut-off group would need.
        let whole = text.len() / 4 * 4;
        Size::of(&STANDARD.decode(text.get(..whole)?).ok()?)
    }

    /// The size of an image, by its head.
    pub fn of(bytes: &[u8]) -> Option<Size> {
        let big = |at: usize| {
            let bytes = bytes.get(at..at + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        let little = |at: usize| {
            let bytes = bytes.get(at..at + 2)?;
            Some(u32::from(u16::from_le_bytes(bytes.try_into().ok()?)))
        };
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Some(Size { width: big(16)?, height: big(20)? }),
            [b'G', b'I', b'F', ..] => Some(Size { width: little(6)?, height: little(8)? }),
            [0xff, 0xd8, rest @ ..] => of_jpeg(rest),
            _ => None,
        }
    }
}

/// Walks the segments of a JPEG to the one that begins a frame.
fn of_jpeg(mut rest: &[u8]) -> Option<Size> {
    loop {
        let [0xff, marker, high, low, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // C4, C8 and CC are tables.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let [_, _, _, _, _, h1, h0, w1, w0, ..] = *rest else { return None };
            let number = |high, low| u32::from(u16::from_be_bytes([high, low]));
            return Some(Size { width: number(w1, w0), height: number(h1, h0) });
        }
        rest = rest.get(2 + length.max(2)..)?;
    }
}

/// The tokens of an image of `size` for the model of this name, and whether the vendor documents
/// the rule for it.
pub(crate) fn tokens(model: &str, size: Size, is_low: bool) -> (u64, bool) {
    let model = model.to_lowercase();
    let has = |part: &str| model.contains(part);
    let patches = |side: u32, longest: u32, most: u64| {
        let Size { width, height } = fit(size, longest);
        (u64::from(width.div_ceil(side)) * u64::from(height.div_ceil(side))).min(most)
    };
    match () {
        () if has("claude") && is_new_claude(&model) => (patches(28, 2_576, 4_784), true),
        () if has("claude") => (patches(28, 1_568, 1_568), true),
        () if has("gemini-3") => (1_085, false),
        () if has("gemini") => (258 * tiles(size, 768), true),
        () if has("gpt-6") || has("gpt-5.6") => (patches(32, 6_000, 14_364) * 6 / 5, false),
        () if has("4.1-mini") || has("5-mini") => (patches(32, 2_048, 1_536) * 162 / 100, true),
        () if has("4.1-nano") || has("5-nano") => (patches(32, 2_048, 1_536) * 246 / 100, true),
        () if is_low => (if has("gpt-5") { 70 } else { 85 }, true),
        () if has("gpt-5") => (70 + 140 * scaled_tiles(size), true),
        () => (85 + 170 * scaled_tiles(size), has("gpt-4")),
    }
}

fn is_new_claude(model: &str) -> bool {
    let old = ["claude-2", "claude-3", "opus-4-1", "opus-4-5", "opus-4-6", "sonnet-4", "haiku-4"];
    let dotted = ["opus-4.1", "opus-4.5", "opus-4.6"];
    !old.iter().chain(&dotted).any(|part| model.contains(part)) && !model.ends_with("opus-4")
}

/// No side longer than `longest`, in the same proportion.
fn fit(size: Size, longest: u32) -> Size {
    let longer = size.width.max(size.height).max(1);
    match longer <= longest {
        true => size,
        false => Size {
            width: scale(size.width, longest, longer),
            height: scale(size.height, longest, longer),
        },
    }
}

fn scale(length: u32, numerator: u32, denominator: u32) -> u32 {
    let scaled = u64::from(length) * u64::from(numerator) / u64::from(denominator);
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

fn tiles(size: Size, edge: u32) -> u64 {
    (u64::from(size.width.div_ceil(edge)) * u64::from(size.height.div_ceil(edge))).max(1)
}

/// `OpenAI`, "Images and vision": into a square of 2,048, then the shorter side to 768, then tiles.
fn scaled_tiles(size: Size) -> u64 {
    let size = fit(size, 2_048);
    let shorter = size.width.min(size.height).max(1);
    let size = match shorter <= 768 {
        true => size,
        false => Size {
            width: scale(size.width, 768, shorter),
            height: scale(size.height, 768, shorter),
        },
    };
    tiles(size, 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_heads() {
        let png = "iVBORw0KGgoAAAANSUhEUgAAAoAAAAHgCAYAAAA10dzk";
        assert_eq!(Size::of_base64(png), Some(Size { width: 640, height: 480 }));
        let gif = b"GIF89a\x80\x02\xe0\x01";
        assert_eq!(Size::of(gif), Some(Size { width: 640, height: 480 }));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\x01\xe0\x02\x80\x03";
        assert_eq!(Size::of(jpeg), Some(Size { width: 640, height: 480 }));
        for broken in [&b""[..], b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\0\0", b"\x89PNG", b"GIF8"] {
            assert_eq!(Size::of(broken), None);
        }
    }

    #[test]
    fn images_cost_what_the_vendors_document() {
        let square = |side| Size { width: side, height: side };
        for (model, size, low, expected) in [
            ("gpt-4o", square(1_024), false, 765),
            ("gpt-4o", square(1_024), true, 85),
            ("gpt-5", square(1_024), false, 630),
            ("gpt-6-sol", square(1_024), false, 1_228),
            ("claude-sonnet-4-5", square(4_000), false, 1_568),
            ("claude-opus-4-8", square(4_000), false, 4_784),
            ("gemini-2.5-pro", square(1_024), false, 1_032),
        ] {
            assert_eq!(tokens(model, size, low).0, expected, "{model}");
        }
    }
}
