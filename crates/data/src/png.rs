//! The frame of a PNG file (W3C, Portable Network Graphics, third edition).

use flate2::Crc;

/// What a pixel of eight bits a sample holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// How light it is.
    Gray,
    /// Red, green and blue.
    Rgb,
}

/// Writes the file of an image: `packed` is the zlib stream of its rows, each behind the number of its filter.
pub fn file(width: u32, height: u32, samples: Samples, packed: &[u8]) -> Vec<u8> {
    let color = match samples {
        Samples::Gray => 0,
        Samples::Rgb => 2,
    };
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, color, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"IDAT", packed);
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
