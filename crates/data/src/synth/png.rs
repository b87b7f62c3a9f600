//! Gray pixels to a PNG file whose bytes depend on them alone: nothing is compressed, so that no other version of a
//! compressor writes another file.

use flate2::Crc;

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
    let mut header = Vec::with_capacity(13);
    header.extend(u32::from(width).to_be_bytes());
    header.extend(u32::from(height).to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"IDAT", &stored(&rows));
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend((data.len() as u32).to_be_bytes());
    let mut check = Crc::new();
    check.update(kind);
    check.update(data);
    png.extend(kind);
    png.extend(data);
    png.extend(check.sum().to_be_bytes());
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
