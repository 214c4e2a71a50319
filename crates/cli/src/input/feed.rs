//! Files as pieces, in order: small files and those that must be read as a whole are one piece each.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Condvar, Mutex};

use scrimp_wire::import::{self, Columns, Import, Pieces};

use super::Place;

/// A file may not be larger than this, decompressed, if it must be read as a whole.
const MOST_BYTES: usize = 8 << 30;
/// So much is looked at to recognise a format.
const HEAD_BYTES: usize = 4 << 20;
/// About so much is read at a time. The calls of a table of short lines take twenty times as much.
const PIECE_BYTES: usize = 1 << 19;
/// So many pieces may have been given out and not yet taken in.
const MOST_OUT: u64 = 4;

/// A part of a file.
pub(super) struct Piece<'p> {
    /// Its number among all pieces of all files.
    pub(super) number: u64,
    /// The place's number.
    pub(super) at: usize,
    pub(super) place: &'p Place,
    /// The bytes break off here, for this reason.
    pub(super) broken: Option<String>,
    pub(super) content: Result<Content, String>,
}

/// Bytes of a known format.
pub(super) struct Content {
    pub(super) format: &'static Import,
    pub(super) bytes: Vec<u8>,
    /// See [`import::Source`].
    pub(super) lines_before: u64,
}

/// Gives out pieces to several workers.
pub(super) struct Feed<'p> {
    state: Mutex<State<'p>>,
    /// Pieces were taken in.
    taken: Condvar,
    format: Option<&'static Import>,
    columns: Option<&'p Columns>,
}

struct State<'p> {
    places: std::iter::Enumerate<std::slice::Iter<'p, Place>>,
    open: Option<Open<'p>>,
    given_out: u64,
    taken_in: u64,
}

/// A file that more pieces come from.
struct Open<'p> {
    at: usize,
    place: &'p Place,
    reader: Box<dyn Read + Send>,
    format: &'static Import,
    pieces: Pieces,
    /// Of a table: stands before each piece but the first.
    header: Vec<u8>,
    /// Read and not yet given out.
    rest: Vec<u8>,
    lines: u64,
}

impl Piece<'_> {
    pub(super) fn without_bytes(mut self) -> Self {
        if let Ok(content) = &mut self.content {
            content.bytes = Vec::new();
        }
        self
    }
}

impl<'p> Feed<'p> {
    pub(super) fn new(
        places: &'p [Place],
        format: Option<&'static Import>,
        columns: Option<&'p Columns>,
    ) -> Feed<'p> {
        let places = places.iter().enumerate();
        let state = State { places, open: None, given_out: 0, taken_in: 0 };
        Feed { state: Mutex::new(state), taken: Condvar::new(), format, columns }
    }

    /// The next piece, once few enough are out. `None`: all were given out.
    pub(super) fn next(&self) -> Option<Piece<'p>> {
        let state = self.state.lock().expect("reading a file does not panic");
        let is_full = |state: &mut State<'p>| state.taken_in + MOST_OUT <= state.given_out;
        let mut state =
            self.taken.wait_while(state, is_full).expect("reading a file does not panic");
        let number = state.given_out;
        let piece = if let Some(mut open) = state.open.take() {
            let piece = open.piece(number);
            state.open = Some(open).filter(|open| !open.is_done());
            piece
        } else {
            let (at, place) = state.places.find(|(_, place)| !place.is_records)?;
            self.first(number, at, place, &mut state.open)
        };
        state.given_out += 1;
        Some(piece)
    }

    /// A piece was taken in.
    pub(super) fn took(&self) {
        self.state.lock().expect("reading a file does not panic").taken_in += 1;
        self.taken.notify_all();
    }

    fn first(
        &self,
        number: u64,
        at: usize,
        place: &'p Place,
        rest: &mut Option<Open<'p>>,
    ) -> Piece<'p> {
        let (mut bytes, mut broken) = (Vec::new(), None);
        let opened = open(&place.path).map_err(|error| error.to_string()).and_then(|mut reader| {
            let is_over = fill(&mut reader, &mut bytes, HEAD_BYTES, &mut broken);
            let format = match self.format {
                Some(format) => Ok(format),
                None => import::recognise_with(&bytes, self.columns),
            };
            // A folder may hold other things than logs: each of them is told about in one line.
            let format = format.map_err(|error| match place.is_named {
                true => error.to_string(),
                false => error.in_short(),
            })?;
            Ok((reader, format, is_over))
        });
        let (mut reader, format, is_over) = match opened {
            Ok(opened) => opened,
            Err(why) => return Piece { number, at, place, broken: None, content: Err(why) },
        };
        let pieces = (format.pieces)(&bytes);
        if pieces == Pieces::Whole && !is_over {
            fill(&mut reader, &mut bytes, MOST_BYTES, &mut broken);
        }
        if pieces != Pieces::Whole && PIECE_BYTES < bytes.len() && broken.is_none() {
            let header = match pieces {
                Pieces::Table { header } => bytes[..header.min(bytes.len())].to_vec(),
                Pieces::Lines | Pieces::Whole => Vec::new(),
            };
            let mut open =
                Open { at, place, reader, format, pieces, header, rest: bytes, lines: 0 };
            let piece = open.cut(number, broken);
            *rest = Some(open).filter(|open| !open.is_done());
            return piece;
        }
        let content = Content { format, bytes, lines_before: 0 };
        Piece { number, at, place, broken, content: Ok(content) }
    }
}

impl<'p> Open<'p> {
    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn piece(&mut self, number: u64) -> Piece<'p> {
        let mut broken = None;
        if fill(&mut self.reader, &mut self.rest, PIECE_BYTES, &mut broken) {
            let rest = std::mem::take(&mut self.rest);
            return self.of(number, rest, broken);
        }
        self.cut(number, broken)
    }

    /// The whole records at the beginning of what was read. A record may be longer than a piece.
    fn cut(&mut self, number: u64, mut broken: Option<String>) -> Piece<'p> {
        let mut wanted = PIECE_BYTES;
        let end = loop {
            let window = &self.rest[..self.rest.len().min(wanted)];
            if let Some(end) = self.pieces.cut(window).filter(|end| self.header.len() < *end) {
                break end;
            }
            wanted = (wanted * 2).min(MOST_BYTES);
            if fill(&mut self.reader, &mut self.rest, wanted, &mut broken) {
                break self.rest.len();
            }
        };
        let after = self.rest.split_off(end);
        let bytes = std::mem::replace(&mut self.rest, after);
        // The end of the file may just have been reached: no empty piece follows then.
        if self.rest.is_empty() && broken.is_none() {
            fill(&mut self.reader, &mut self.rest, PIECE_BYTES, &mut broken);
        }
        self.of(number, bytes, broken)
    }

    fn of(&mut self, number: u64, bytes: Vec<u8>, broken: Option<String>) -> Piece<'p> {
        let is_first = self.lines == 0;
        let lines = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let header = memchr::memchr_iter(b'\n', &self.header).count() as u64;
        let (bytes, lines_before) = match is_first {
            true => (bytes, 0),
            false => ([self.header.as_slice(), &bytes].concat(), self.lines - header),
        };
        self.lines += lines;
        let content = Content { format: self.format, bytes, lines_before };
        Piece { number, at: self.at, place: self.place, broken, content: Ok(content) }
    }
}

/// Reads until there are `wanted` bytes, and says whether the file is over. Of one that goes wrong,
/// what came before is still worth reading.
fn fill(
    reader: &mut Box<dyn Read + Send>,
    bytes: &mut Vec<u8>,
    wanted: usize,
    broken: &mut Option<String>,
) -> bool {
    let missing = wanted.saturating_sub(bytes.len()) as u64;
    match reader.by_ref().take(missing).read_to_end(bytes) {
        Err(error) => {
            *broken = Some(format!("it breaks off or goes wrong here: {error}"));
            true
        }
        Ok(_) if MOST_BYTES <= bytes.len() => {
            *broken = Some(format!("larger than {MOST_BYTES} bytes"));
            true
        }
        Ok(_) => bytes.len() < wanted,
    }
}

/// A file's bytes, decompressed.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let raw: Box<dyn Read + Send> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    let mut raw = BufReader::with_capacity(1 << 16, raw);
    Ok(match raw.fill_buf()? {
        [0x1f, 0x8b, ..] => named("gzip", flate2::bufread::MultiGzDecoder::new(raw)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            named("zstd", zstd::stream::read::Decoder::with_buffer(raw)?)
        }
        _ => Box::new(raw),
    })
}

fn named<R: Read + Send + 'static>(kind: &'static str, reader: R) -> Box<dyn Read + Send> {
    Box::new(Compressed { kind, reader })
}

/// Says of what kind the data was that goes wrong.
struct Compressed<R> {
    kind: &'static str,
    reader: R,
}

impl<R: Read> Read for Compressed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let kind = self.kind;
        self.reader.read(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::new(error.kind(), format!("{kind} data: {error}")),
        })
    }
}
