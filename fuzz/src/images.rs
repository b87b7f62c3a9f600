//! PNG files whose pixels become columns.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, LargeStringArray, RecordBatch};
use trainyard_data::images::with_pixels;
use trainyard_spec::{ColorMode, Pixels};

use crate::memory::Memory;
use crate::places;

/// Checks one file, as it is and with the checksums that it should have: few inputs have them right.
pub fn check(input: &[u8]) {
    check_one(input);
    check_one(&mended(input));
}

fn check_one(input: &[u8]) {
    let memory = Memory::with("a.png", input);
    let paths: LargeStringArray = [Some("a.png"), None].into_iter().collect();
    let table = RecordBatch::try_from_iter_with_nullable([("file", Arc::new(paths) as ArrayRef, true)]);
    let table = table.expect("a table of one column");
    let pixels = |height, width, mode| Pixels { column: "file".to_owned(), height, width, mode };
    let wanted = [pixels(3, 5, ColorMode::Gray), pixels(2, 2, ColorMode::Rgb)];
    match with_pixels(&memory, Path::new(""), &table, "labels.csv", &wanted, &|_, _| true) {
        Ok(None) => panic!("nobody stops it"),
        Ok(Some(read)) => {
            assert_eq!((read.table.num_columns(), read.images), (1 + 15 + 12, 1));
            for column in &read.table.columns()[1..] {
                let column = column.as_primitive::<Float64Type>();
                assert!((0.0..=255.0).contains(&column.value(0)) && column.is_null(1));
            }
        }
        Err(error) => places::check_all([&error.diagnostic()]),
    }
}

/// Puts right the checksum of each part.
fn mended(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        let end = at.saturating_add(8).saturating_add(length);
        if bytes.len() < end.saturating_add(4) {
            break;
        }
        let sum = checksum(&bytes[at + 4..end]).to_be_bytes();
        bytes[end..end + 4].copy_from_slice(&sum);
        at = end + 4;
    }
    bytes
}

/// The CRC of a part's kind and content.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { 0xEDB8_8320 ^ (sum >> 1) } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
