//! Digests of many texts at once, each in a lane of the processor's registers: a single md5 is one long chain of steps
//! that wait for each other.

use super::Md5;

/// How many texts are digested at once: what the registers of every processor of the last twenty years hold.
const LANES: usize = 4;
const BLOCK: usize = 64;
/// What lanes go through that have nothing to do.
const IDLE: [[u8; BLOCK]; 64] = [[0; BLOCK]; 64];

/// A number for each lane.
type Wide = [u32; LANES];
type Blocks<'a> = &'a [[u8; BLOCK]];

/// What a digest begins with (RFC 1321, 3.3).
const BEGIN: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The whole part of 2³² · |sin(i + 1)| (RFC 1321, 3.4).
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// How far each of four steps in a row turns its bits; another four numbers for every sixteen steps.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// Digests texts; those of like length are done soonest.
pub(crate) fn digest_all(texts: &[&[u8]]) -> Vec<Md5> {
    // One is done sooner by itself.
    if texts.len() > 1 { in_lanes(texts) } else { texts.iter().map(|text| Md5::of(text)).collect() }
}

/// Is what one lane is at.
#[derive(Clone, Copy)]
struct Lane<'a> {
    /// The number of its text; none where there is no more to do.
    text: Option<usize>,
    blocks: Blocks<'a>,
    /// What comes after those.
    end: Blocks<'a>,
}

fn in_lanes(texts: &[&[u8]]) -> Vec<Md5> {
    let ends: Vec<([[u8; BLOCK]; 2], usize)> = texts.iter().map(|text| end(text)).collect();
    let mut digests = vec![Md5::from_bytes([0; 16]); texts.len()];
    let mut state = BEGIN.map(|word| [word; LANES]);
    let mut lanes = [Lane { text: None, blocks: &[], end: &[] }; LANES];
    let mut next = 0;
    loop {
        for (at, lane) in lanes.iter_mut().enumerate() {
            if lane.blocks.is_empty() {
                (lane.blocks, lane.end) = (lane.end, &[]);
            }
            if !lane.blocks.is_empty() {
                continue;
            }
            if let Some(text) = lane.text.take() {
                let words = state.map(|words| words[at].to_le_bytes());
                digests[text] = Md5::from_bytes(std::array::from_fn(|byte| words[byte / 4][byte % 4]));
            }
            if let (Some(text), Some((end, count))) = (texts.get(next), ends.get(next)) {
                let whole = text.as_chunks().0;
                let (blocks, end) = if whole.is_empty() { (&end[..*count], &[][..]) } else { (whole, &end[..*count]) };
                *lane = Lane { text: Some(next), blocks, end };
                state.iter_mut().zip(BEGIN).for_each(|(words, begin)| words[at] = begin);
                next += 1;
            }
        }
        let busy = lanes.iter().filter(|lane| lane.text.is_some()).map(|lane| lane.blocks.len());
        let Some(least) = busy.min() else { return digests };
        let count = if lanes.iter().any(|lane| lane.text.is_none()) { least.min(IDLE.len()) } else { least };
        through(
            &mut state,
            &lanes.map(|lane| if lane.text.is_some() { &lane.blocks[..count] } else { &IDLE[..count] }),
        );
        for lane in lanes.iter_mut().filter(|lane| lane.text.is_some()) {
            lane.blocks = &lane.blocks[count..];
        }
    }
}

/// Returns the last blocks of a text, one or two: what is left of it, a one, zeros, and its length in bits (RFC 1321,
/// 3.1 and 3.2).
fn end(text: &[u8]) -> ([[u8; BLOCK]; 2], usize) {
    let rest = text.as_chunks::<BLOCK>().1;
    let count = if rest.len() < BLOCK - 8 { 1 } else { 2 };
    let mut end = [[0; BLOCK]; 2];
    let bytes = end.as_flattened_mut();
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = 0x80;
    let bits = (text.len() as u64).wrapping_mul(8);
    bytes[count * BLOCK - 8..count * BLOCK].copy_from_slice(&bits.to_le_bytes());
    (end, count)
}

/// Goes through as many blocks as every lane has (RFC 1321, 3.4).
fn through(state: &mut [Wide; 4], lanes: &[Blocks<'_>; LANES]) {
    let count = lanes.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    for block in 0..count {
        let mut words = [[0; LANES]; 16];
        for (lane, blocks) in lanes.iter().enumerate() {
            for (word, bytes) in words.iter_mut().zip(blocks[block].as_chunks::<4>().0) {
                word[lane] = u32::from_le_bytes(*bytes);
            }
        }
        let [mut a, mut b, mut c, mut d] = *state;
        // Written out, so that what is turned by is part of each instruction.
        macro_rules! steps {
            ($round:literal, $word:expr, $mix:expr, $($step:literal)*) => {$({
                let words = &words[$word($step) % 16];
                let mut next = [0; LANES];
                for lane in 0..LANES {
                    let sum = a[lane].wrapping_add($mix(b[lane], c[lane], d[lane]));
                    let sum = sum.wrapping_add(words[lane]).wrapping_add(SINES[$round * 16 + $step]);
                    next[lane] = b[lane].wrapping_add(sum.rotate_left(TURNS[$round][$step % 4]));
                }
                (a, b, c, d) = (d, next, b, c);
            })*};
        }
        macro_rules! sixteen {
            ($round:literal, $word:expr, $mix:expr) => {
                steps!($round, $word, $mix, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
            };
        }
        sixteen!(0, |step: usize| step, |x: u32, y: u32, z: u32| (x & y) | (!x & z));
        sixteen!(1, |step: usize| 5 * step + 1, |x: u32, y: u32, z: u32| (x & z) | (y & !z));
        sixteen!(2, |step: usize| 3 * step + 5, |x: u32, y: u32, z: u32| x ^ y ^ z);
        sixteen!(3, |step: usize| 7 * step, |x: u32, y: u32, z: u32| y ^ (x | !z));
        for (before, mixed) in state.iter_mut().zip([a, b, c, d]) {
            for (before, mixed) in before.iter_mut().zip(mixed) {
                *before = before.wrapping_add(mixed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Md5, digest_all};

    #[test]
    fn lanes_digest_what_one_digests() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let lengths = (0..=260).chain([4095, 4096, 4097, 20_000, 65_537, 0, 70_000, 1, 9000]);
        let texts: Vec<&[u8]> = lengths.map(|length| &bytes[bytes.len() - length..]).collect();
        let singly: Vec<Md5> = texts.iter().map(|text| Md5::of(text)).collect();
        for count in [0, 1, 2, 3, 7, 8, 9, 17, texts.len()] {
            assert_eq!(digest_all(&texts[..count]), singly[..count], "{count}");
            let last = texts.len() - count;
            assert_eq!(digest_all(&texts[last..]), singly[last..], "the last {count}");
        }
    }
}
