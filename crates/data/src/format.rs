//! How a file is written, by its ending.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use trainyard_files::{Io, ReadSeek};

/// The form of a table in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Cells between commas, or what `data.delimiter` says.
    Csv,
    /// Cells between tabs.
    Tsv,
    /// A JSON object a line.
    JsonLines,
    /// Parquet.
    Parquet,
    /// Arrow's own form, as a file or as a stream.
    Arrow,
}

/// What a file has to be unpacked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstandard,
}

impl Format {
    /// Gives the form and the packing that a file's name tells; nothing for an ending that names none.
    pub(crate) fn of(path: &Path) -> Option<(Format, Packing)> {
        let ending = |path: &Path| path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let packing = match ending(path)?.as_str() {
            "gz" => Packing::Gzip,
            "zst" => Packing::Zstandard,
            _ => Packing::Plain,
        };
        let inner = if packing == Packing::Plain { path } else { Path::new(path.file_stem()?) };
        let format = match ending(inner)?.as_str() {
            "csv" | "txt" => Format::Csv,
            "tsv" => Format::Tsv,
            "jsonl" | "ndjson" => Format::JsonLines,
            // These two have their own compression inside.
            "parquet" if packing == Packing::Plain => Format::Parquet,
            "arrow" | "feather" | "ipc" if packing == Packing::Plain => Format::Arrow,
            _ => return None,
        };
        Some((format, packing))
    }

    /// Gives the byte between the cells of a line, where nobody says another.
    pub(crate) fn delimiter(self) -> u8 {
        if self == Format::Tsv { b'\t' } else { b',' }
    }
}

/// Opens a file and unpacks it on the way.
pub(crate) fn open<'a>(io: &'a dyn Io, path: &'a Path, packing: Packing) -> io::Result<Box<dyn ReadSeek + 'a>> {
    match packing {
        Packing::Plain => io.open(path),
        _ => Ok(Box::new(Unpacked { io, path, packing, text: unpacked(io, path, packing)?, at: 0 })),
    }
}

fn unpacked(io: &dyn Io, path: &Path, packing: Packing) -> io::Result<Box<dyn Read + Send>> {
    let file = BufReader::new(io.open(path)?);
    Ok(match packing {
        Packing::Plain => Box::new(file),
        // Both read on where one packed file follows another.
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstandard => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
    })
}

/// The text of a packed file. It goes forward by reading and back by starting again.
struct Unpacked<'a> {
    io: &'a dyn Io,
    path: &'a Path,
    packing: Packing,
    text: Box<dyn Read + Send>,
    at: u64,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Unpacked<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            // Nobody knows the end before it is reached.
            SeekFrom::End(_) => None,
        };
        let wanted = wanted.ok_or(io::ErrorKind::Unsupported)?;
        if wanted < self.at {
            self.text = unpacked(self.io, self.path, self.packing)?;
            self.at = 0;
        }
        let skipped = wanted - self.at;
        io::copy(&mut self.by_ref().take(skipped), &mut io::sink())?;
        Ok(self.at)
    }
}
