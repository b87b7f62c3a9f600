//! What parent and child say to each other over the child's stdin and stdout.
//!
//! The parent sends a [`Header`] as JSON behind its length, then the cells of the training rows column after column, their
//! targets, and the same of the rows that are held out, all as little-endian doubles. Fits of these rows follow: an
//! [`Order`] as JSON behind its length, then the weights that its [`Ask`] has. The parent keeps the pipe open, so that its
//! end tells the child that the parent is gone. The child answers with frames: a byte that says what it is, a length, and
//! so many bytes. Behind [`Frame::Predicted`] it waits for the order to go on or to stop.

use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trainyard_files::Digest;

use crate::Engine;

/// The longest header or message of a library, in bytes.
const LONGEST_TEXT: u64 = 1 << 20;

/// Doubles that are written or read together.
const CHUNK: usize = 8192;

/// What fits, and what the rows of all fits are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) engine: Engine,
    pub(crate) library: PathBuf,
    /// The digest that the library had when it was found.
    pub(crate) digest: Digest,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// The rows that may say when a fit stops, or be predicted on the way; 0 where there are none.
    pub(crate) held_rows: usize,
}

/// What the parent says once the rows are there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Fit.
    Fit(Ask),
    /// What was predicted is good enough to go on.
    GoOn,
    /// It is not: end the fit without a model.
    Stop,
}

/// One fit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// By the names of the library.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) iterations: usize,
    /// The iterations without a fall of the loss on the held rows after which the fit stops.
    pub(crate) patience: Option<usize>,
    /// The iterations after which the margins of the held rows are asked for.
    pub(crate) told: Vec<usize>,
    pub(crate) has_weights: bool,
    pub(crate) has_held_weights: bool,
}

/// Rows, as they arrive.
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// Column after column.
    pub(crate) cells: Vec<f64>,
    pub(crate) targets: Vec<f32>,
}

/// How much the rows of a fit count; all the same where nothing is said.
#[derive(Debug, PartialEq)]
pub(crate) struct Weights {
    pub(crate) train: Option<Vec<f32>>,
    pub(crate) held: Option<Vec<f32>>,
}

/// What the child says.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// The library is loaded; its version, where it tells.
    Ready(String),
    /// So many iterations are done.
    Done(u64),
    /// The margins of the held rows after so many iterations, row after row.
    Predicted { iterations: u64, margins: Vec<f64> },
    /// The fit has ended without a model, as it was told to.
    Stopped,
    /// The model, in the library's own format.
    Model(Vec<u8>),
    /// The library refused, in its own words.
    Refused(String),
}

const READY: u8 = b'v';
const DONE: u8 = b'd';
const PREDICTED: u8 = b'p';
const STOPPED: u8 = b's';
const MODEL: u8 = b'm';
const REFUSED: u8 = b'r';

/// Writes a header or an order.
pub(crate) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(value)?;
    out.write_all(&(json.len() as u64).to_le_bytes())?;
    out.write_all(&json)
}

/// Reads a header or an order.
pub(crate) fn read_json<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let length = read_length(from)?;
    Ok(serde_json::from_slice(&exactly(from, length, LONGEST_TEXT)?)?)
}

pub(crate) fn write_numbers(out: &mut impl Write, numbers: &[f64]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK * 8);
    for chunk in numbers.chunks(CHUNK) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|number| number.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

pub(crate) fn read_rows(from: &mut impl Read, count: usize, columns: usize) -> io::Result<Rows> {
    let cells = count.checked_mul(columns).ok_or(ErrorKind::InvalidData)?;
    let cells = read_numbers(from, cells, |number| number)?;
    Ok(Rows { count, cells, targets: read_numbers(from, count, single)? })
}

pub(crate) fn read_weights(from: &mut impl Read, header: &Header, ask: &Ask) -> io::Result<Weights> {
    let mut weights = |are_there: bool, rows| are_there.then(|| read_numbers(from, rows, single)).transpose();
    Ok(Weights {
        train: weights(ask.has_weights, header.rows)?,
        held: weights(ask.has_held_weights, header.held_rows)?,
    })
}

/// Both libraries keep targets and weights as singles.
fn single(number: f64) -> f32 {
    number as f32
}

fn read_numbers<T>(from: &mut impl Read, count: usize, number: impl Fn(f64) -> T) -> io::Result<Vec<T>> {
    let mut numbers = Vec::with_capacity(count);
    let mut bytes = vec![0; CHUNK * 8];
    while numbers.len() < count {
        let chunk = &mut bytes[..8 * CHUNK.min(count - numbers.len())];
        from.read_exact(chunk)?;
        let (doubles, _) = chunk.as_chunks::<8>();
        numbers.extend(doubles.iter().map(|bytes| number(f64::from_le_bytes(*bytes))));
    }
    Ok(numbers)
}

pub(crate) fn write_frame(out: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let done;
    let predicted: Vec<u8>;
    let (kind, bytes): (u8, &[u8]) = match frame {
        Frame::Done(iterations) => {
            done = iterations.to_le_bytes();
            (DONE, &done)
        }
        Frame::Predicted { iterations, margins } => {
            let numbers = margins.iter().flat_map(|margin| margin.to_le_bytes());
            predicted = iterations.to_le_bytes().into_iter().chain(numbers).collect();
            (PREDICTED, &predicted)
        }
        Frame::Stopped => (STOPPED, &[]),
        Frame::Ready(version) => (READY, version.as_bytes()),
        Frame::Model(bytes) => (MODEL, bytes),
        Frame::Refused(words) => (REFUSED, words.as_bytes()),
    };
    out.write_all(&[kind])?;
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)?;
    out.flush()
}

/// Reads a frame; none at the end.
pub(crate) fn read_frame(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut kind = [0];
    loop {
        match from.read(&mut kind) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = read_length(from)?;
    match kind[0] {
        DONE => {
            let bytes = exactly(from, length, 8)?;
            let bytes: [u8; 8] = bytes.try_into().map_err(|_| ErrorKind::InvalidData)?;
            Ok(Some(Frame::Done(u64::from_le_bytes(bytes))))
        }
        PREDICTED => {
            let bytes = exactly(from, length, u64::MAX)?;
            let (words, rest) = bytes.as_chunks::<8>();
            match words {
                [iterations, margins @ ..] if rest.is_empty() => Ok(Some(Frame::Predicted {
                    iterations: u64::from_le_bytes(*iterations),
                    margins: margins.iter().map(|margin| f64::from_le_bytes(*margin)).collect(),
                })),
                _ => Err(ErrorKind::InvalidData.into()),
            }
        }
        STOPPED if length == 0 => Ok(Some(Frame::Stopped)),
        MODEL => Ok(Some(Frame::Model(exactly(from, length, u64::MAX)?))),
        READY => Ok(Some(Frame::Ready(words(from, length)?))),
        REFUSED => Ok(Some(Frame::Refused(words(from, length)?))),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

fn words(from: &mut impl Read, length: u64) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&exactly(from, length, LONGEST_TEXT)?).into_owned())
}

fn read_length(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads so many bytes; memory is taken as they arrive.
fn exactly(from: &mut impl Read, length: u64, most: u64) -> io::Result<Vec<u8>> {
    if length > most {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::{Frame, read_frame, write_frame};

    #[test]
    fn frames_come_back_and_what_is_none_is_refused() {
        let frames = [
            Frame::Ready("3.2.0".into()),
            Frame::Done(7),
            Frame::Predicted { iterations: 10, margins: vec![0.25, f64::NEG_INFINITY] },
            Frame::Predicted { iterations: 20, margins: Vec::new() },
            Frame::Stopped,
            Frame::Model(vec![1, 2, 3]),
            Frame::Refused("no".into()),
        ];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| write_frame(&mut bytes, frame).unwrap());
        let mut from = bytes.as_slice();
        for frame in frames {
            assert_eq!(read_frame(&mut from).unwrap(), Some(frame));
        }
        assert_eq!(read_frame(&mut from).unwrap(), None);
        assert!(read_frame(&mut &bytes[..5]).is_err(), "cut");
        assert!(read_frame(&mut b"p\x09\0\0\0\0\0\0\0ninebytes".as_slice()).is_err(), "no doubles");
        assert!(read_frame(&mut b"p\0\0\0\0\0\0\0\0".as_slice()).is_err(), "of no iteration");
        assert!(read_frame(&mut b"[Info] hello from the library".as_slice()).is_err(), "not ours");
    }
}
