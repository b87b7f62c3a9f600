//! Gray pixels to a PNG file whose bytes depend on them alone: nothing is compressed, so that no other version of a
//! compressor writes another file.

use crate::png::{Samples, file};

/// The most bytes of a block of a zlib stream that is stored as it is.
const BLOCK: usize = 65_535;

/// The greatest prime below 2¹⁶, by which the sums of zlib's checksum are taken.
const PRIME: u32 = 65_521;

/// Writes `height` rows of `width` pixels, from 0 for black to 255.
pub(super) fn gray(width: u16, height: u16, pixels: &[u8]) -> Vec<u8> {
    let mut rows = Vec::with_capacity(pixels.len() + usize::from(height));
    for row in pixels.chunks(usize::from(width).max(1)) {
        // No filter.
        rows.push(0);
        rows.extend(row);
    }
    file(u32::from(width), u32::from(height), Samples::Gray, &stored(&rows))
}

/// Makes a zlib stream of stored blocks (RFC 1950 and 1951).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(BLOCK).peekable();
    while let Some(block) = blocks.next() {
        stream.push(u8::from(blocks.peek().is_none()));
        let length = block.len() as u16;
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % PRIME;
        (low, (high + low) % PRIME)
    });
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}
