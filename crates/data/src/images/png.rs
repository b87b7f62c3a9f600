//! PNG files to rows of samples (W3C, Portable Network Graphics, third edition): all colour types and depths, interlaced
//! or not.
//!
//! Rows are given as they are unpacked; no more than two of them are held, whatever the header says.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read};

use flate2::Crc;
use flate2::bufread::ZlibDecoder;

/// The most pixels of an image.
pub(super) const MOST_PIXELS: u64 = 1 << 26;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What other files begin with.
const OTHERS: [(&[u8], &str); 6] = [
    (b"\xff\xd8\xff", "a JPEG file"),
    (b"GIF8", "a GIF file"),
    (b"RIFF", "a WebP file"),
    (b"BM", "a bitmap"),
    (b"II*\0", "a TIFF file"),
    (b"MM\0*", "a TIFF file"),
];

/// Where the rows of an interlaced image lie: the first pixel of each pass and the steps to the next, x and y.
const PASSES: [(Start, Step); 7] = [
    ((0, 0), (8, 8)),
    ((4, 0), (8, 8)),
    ((0, 4), (4, 8)),
    ((2, 0), (4, 4)),
    ((0, 2), (2, 4)),
    ((1, 0), (2, 2)),
    ((0, 1), (1, 2)),
];

type Start = (u32, u32);
type Step = (u32, u32);

/// Why a file is no image that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is something else, which may be known.
    NotPng(Option<&'static str>),
    /// It ends too early.
    Cut,
    /// It contradicts itself.
    Damaged(String),
    /// It has too many pixels.
    TooLarge { width: u32, height: u32 },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotPng(Some(kind)) => write!(formatter, "is {kind}; save it as PNG"),
            Fault::NotPng(None) => write!(formatter, "is no PNG file"),
            Fault::Cut => write!(formatter, "is cut off"),
            Fault::Damaged(what) => write!(formatter, "is damaged: {what}"),
            Fault::TooLarge { width, height } => {
                write!(formatter, "has {width} × {height} pixels, more than {MOST_PIXELS}; make it smaller")
            }
        }
    }
}

fn damaged(what: impl Into<String>) -> Fault {
    Fault::Damaged(what.into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Color {
    Gray,
    Rgb,
    Palette,
    GrayAlpha,
    RgbAlpha,
}

/// What the header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    depth: u8,
    color: Color,
    is_interlaced: bool,
}

impl Header {
    fn read(data: &[u8]) -> Result<Header, Fault> {
        let &[w0, w1, w2, w3, h0, h1, h2, h3, depth, color, compression, filter, interlace] = data else {
            return Err(damaged("its header has another length"));
        };
        let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
        if width == 0 || height == 0 {
            return Err(damaged("it has no pixel"));
        }
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(Fault::TooLarge { width, height });
        }
        let color = match (color, depth) {
            (0, 1 | 2 | 4 | 8 | 16) => Color::Gray,
            (2, 8 | 16) => Color::Rgb,
            (3, 1 | 2 | 4 | 8) => Color::Palette,
            (4, 8 | 16) => Color::GrayAlpha,
            (6, 8 | 16) => Color::RgbAlpha,
            _ => return Err(damaged(format!("there is no colour type {color} of {depth} bits"))),
        };
        if compression != 0 || filter != 0 || interlace > 1 {
            return Err(damaged("its header asks for a method that there is none of"));
        }
        Ok(Header { width, height, depth, color, is_interlaced: interlace == 1 })
    }

    fn samples(&self) -> usize {
        match self.color {
            Color::Gray | Color::Palette => 1,
            Color::GrayAlpha => 2,
            Color::Rgb => 3,
            Color::RgbAlpha => 4,
        }
    }

    fn bits(&self) -> usize {
        self.samples() * usize::from(self.depth)
    }

    /// Gives the greatest value of a sample as it is given: 255, or 65,535 of 16 bits.
    pub(super) fn most(&self) -> u32 {
        if self.depth == 16 { 65_535 } else { 255 }
    }
}

/// A row of an image, or of a pass of it.
pub(super) struct Row<'a> {
    /// Where it lies, from the top.
    pub(super) y: u32,
    /// Where its first pixel lies, from the left.
    pub(super) x: u32,
    /// How far it is from one pixel to the next.
    pub(super) step: u32,
    /// Red, green, blue and what covers of each pixel, from 0 to [`Header::most`].
    pub(super) pixels: &'a [[u32; 4]],
}

/// What the chunks hold.
struct Chunks<'a> {
    header: Header,
    palette: &'a [u8],
    transparency: Option<&'a [u8]>,
    /// The compressed rows, in pieces.
    data: Vec<&'a [u8]>,
}

impl<'a> Chunks<'a> {
    fn read(bytes: &'a [u8]) -> Result<Chunks<'a>, Fault> {
        let Some(mut rest) = bytes.strip_prefix(SIGNATURE) else {
            let is_begun = !bytes.is_empty() && SIGNATURE.starts_with(bytes);
            let known = OTHERS.iter().find(|(start, _)| bytes.starts_with(start));
            return Err(if is_begun { Fault::Cut } else { Fault::NotPng(known.map(|(_, kind)| *kind)) });
        };
        let mut header = None;
        let (mut palette, mut transparency, mut data) = (&[][..], None, Vec::new());
        loop {
            let (length, after) = rest.split_first_chunk::<4>().ok_or(Fault::Cut)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (kind, after) = after.split_first_chunk::<4>().ok_or(Fault::Cut)?;
            let (content, after) = after.split_at_checked(length).ok_or(Fault::Cut)?;
            let (check, after) = after.split_first_chunk::<4>().ok_or(Fault::Cut)?;
            let name = String::from_utf8_lossy(kind);
            let mut sum = Crc::new();
            sum.update(kind);
            sum.update(content);
            if sum.sum() != u32::from_be_bytes(*check) {
                return Err(damaged(format!("the checksum of its part {} is wrong", name.escape_debug())));
            }
            match (kind, header) {
                (b"IHDR", None) => header = Some(Header::read(content)?),
                (_, None) => return Err(damaged("it does not begin with its header")),
                (b"IHDR", Some(_)) => return Err(damaged("it has two headers")),
                (b"PLTE", _) => palette = content,
                (b"tRNS", _) => transparency = Some(content),
                (b"IDAT", _) => data.push(content),
                (b"IEND", Some(header)) => return Ok(Chunks { header, palette, transparency, data }),
                // A small first letter says that a reader may do without it.
                ([first, ..], _) if first.is_ascii_lowercase() => {}
                _ => return Err(damaged(format!("it has a part {} that is not known", name.escape_debug()))),
            }
            rest = after;
        }
    }
}

/// Reads pieces one after the other.
struct Pieces<'a> {
    current: &'a [u8],
    rest: std::vec::IntoIter<&'a [u8]>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.rest.next() {
                Some(next) => self.current = next,
                None => break,
            }
        }
        Ok(self.current)
    }

    fn consume(&mut self, count: usize) {
        self.current = self.current.get(count..).unwrap_or_default();
    }
}

/// Reads the header, and gives every row to `take`.
pub(super) fn rows<T>(
    bytes: &[u8],
    begin: impl FnOnce(&Header) -> T,
    mut take: impl FnMut(&mut T, &Row<'_>),
) -> Result<T, Fault> {
    let chunks = Chunks::read(bytes)?;
    let header = chunks.header;
    let mut taken = begin(&header);
    let mut source = ZlibDecoder::new(Pieces { current: &[], rest: chunks.data.clone().into_iter() });
    let whole = [((0, 0), (1, 1))];
    let passes = if header.is_interlaced { &PASSES[..] } else { &whole[..] };
    let (mut line, mut above, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
    for ((x, first), (step, down)) in passes {
        let width = header.width.saturating_sub(*x).div_ceil(*step) as usize;
        if width == 0 {
            continue;
        }
        let length = (width * header.bits()).div_ceil(8);
        above.clear();
        above.resize(length, 0);
        line.resize(length, 0);
        for y in (*first..header.height).step_by(*down as usize) {
            let mut filter = [0];
            source.read_exact(&mut filter).and_then(|()| source.read_exact(&mut line)).map_err(unpacking)?;
            unfilter(filter[0], &mut line, &above, header.bits().div_ceil(8))?;
            expand(&chunks, &line, width, &mut pixels)?;
            take(&mut taken, &Row { y, x: *x, step: *step, pixels: &pixels });
            std::mem::swap(&mut line, &mut above);
        }
    }
    // The checksum of all rows stands behind the last.
    source.read(&mut [0]).map_err(unpacking)?;
    Ok(taken)
}

fn unpacking(error: io::Error) -> Fault {
    match error.kind() {
        ErrorKind::UnexpectedEof => Fault::Cut,
        _ => damaged("its pixels can't be unpacked"),
    }
}

/// Undoes a row's filter, beside the row above.
fn unfilter(filter: u8, line: &mut [u8], above: &[u8], step: usize) -> Result<(), Fault> {
    let before = |line: &[u8], at: usize| if at >= step { line[at - step] } else { 0 };
    match filter {
        0 => {}
        1 => (step..line.len()).for_each(|at| line[at] = line[at].wrapping_add(line[at - step])),
        2 => line.iter_mut().zip(above).for_each(|(byte, above)| *byte = byte.wrapping_add(*above)),
        3 => {
            for at in 0..line.len() {
                let mean = (u16::from(before(line, at)) + u16::from(above[at])) / 2;
                line[at] = line[at].wrapping_add(mean as u8);
            }
        }
        4 => {
            for at in 0..line.len() {
                line[at] = line[at].wrapping_add(paeth(before(line, at), above[at], before(above, at)));
            }
        }
        other => return Err(damaged(format!("there is no filter {other}"))),
    }
    Ok(())
}

/// Gives that of three neighbours that is nearest to left + above − corner.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
    let (to_left, to_above, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_above && to_left <= to_corner {
        left
    } else if to_above <= to_corner {
        above
    } else {
        corner
    }
}

/// Gives the pixels of a row.
fn expand(chunks: &Chunks<'_>, line: &[u8], width: usize, pixels: &mut Vec<[u32; 4]>) -> Result<(), Fault> {
    let header = &chunks.header;
    let (samples, depth, most) = (header.samples(), usize::from(header.depth), header.most());
    let sample = |at: usize| -> u32 {
        match depth {
            16 => u32::from(line[2 * at]) << 8 | u32::from(line[2 * at + 1]),
            8 => u32::from(line[at]),
            _ => u32::from(line[at * depth / 8] >> (8 - depth - at * depth % 8)) & ((1 << depth) - 1),
        }
    };
    // Of 1, 2 or 4 bits the greatest value is 255 as well.
    let scale = if depth < 8 && header.color == Color::Gray { 255 / ((1 << depth) - 1) } else { 1 };
    let key = |at: usize| {
        let bytes = chunks.transparency?.get(2 * at..2 * at + 2)?;
        Some(u32::from(bytes[0]) << 8 | u32::from(bytes[1]))
    };
    let keys = [key(0), key(1), key(2)];
    let cover = |hidden: bool| if hidden { 0 } else { most };
    pixels.clear();
    for at in 0..width {
        let value = |number: usize| sample(at * samples + number);
        pixels.push(match header.color {
            Color::Gray => {
                let level = value(0) * scale;
                [level, level, level, cover(keys[0] == Some(value(0)))]
            }
            Color::GrayAlpha => [value(0), value(0), value(0), value(1)],
            Color::Rgb => {
                let all = [value(0), value(1), value(2)];
                [all[0], all[1], all[2], cover(all.map(Some) == keys)]
            }
            Color::RgbAlpha => [value(0), value(1), value(2), value(3)],
            Color::Palette => {
                let index = value(0) as usize;
                let Some([red, green, blue]) = chunks.palette.get(3 * index..3 * index + 3) else {
                    return Err(damaged(format!("its palette has no colour {index}")));
                };
                let alpha = chunks.transparency.and_then(|alphas| alphas.get(index)).map_or(255, |alpha| *alpha);
                [*red, *green, *blue, alpha].map(u32::from)
            }
        });
    }
    Ok(())
}
