//! Images brought to a size: a pixel is the mean of the area that it covers, in whole numbers until the last division.

use trainyard_spec::{ColorMode, Pixels};

use super::png::{self, Fault, Header, Row};

/// Sums of what covers each pixel.
struct Sums {
    from: (u64, u64),
    to: (usize, usize),
    mode: ColorMode,
    most: u32,
    /// Row after row, the numbers of a pixel side by side; each the sum of values times the area that they cover, in
    /// units in which a whole pixel is height × width of the file.
    sums: Vec<u64>,
    line: Vec<u64>,
}

/// Reads a PNG file and gives its pixels at the wanted size, from 0 to 255, in the order of [`Pixels::names`].
pub(super) fn pixels(bytes: &[u8], wanted: &Pixels) -> Result<Vec<f64>, Fault> {
    png::rows(bytes, |header| Sums::new(header, wanted), Sums::add).map(Sums::means)
}

impl Sums {
    fn new(header: &Header, wanted: &Pixels) -> Sums {
        Sums {
            from: (u64::from(header.height), u64::from(header.width)),
            to: (wanted.height as usize, wanted.width as usize),
            mode: wanted.mode,
            most: header.most(),
            sums: vec![0; wanted.count()],
            line: vec![0; wanted.width as usize * wanted.mode.channels()],
        }
    }

    fn add(&mut self, row: &Row<'_>) {
        let channels = self.mode.channels();
        self.line.fill(0);
        for (at, pixel) in row.pixels.iter().enumerate() {
            let x = u64::from(row.x) + at as u64 * u64::from(row.step);
            let values = seen(*pixel, self.most, self.mode);
            for (place, share) in covered(x, self.from.1, self.to.1 as u64) {
                for (channel, value) in values[..channels].iter().enumerate() {
                    self.line[place * channels + channel] += share * u64::from(*value);
                }
            }
        }
        for (place, share) in covered(u64::from(row.y), self.from.0, self.to.0 as u64) {
            let first = place * self.line.len();
            for (sum, part) in self.sums[first..].iter_mut().zip(&self.line) {
                *sum += share * part;
            }
        }
    }

    fn means(self) -> Vec<f64> {
        // All of these are whole numbers below 2⁵³: the quotient is the only rounding.
        let whole = (self.from.0 * self.from.1 * u64::from(self.most / 255)) as f64;
        self.sums.into_iter().map(|sum| sum as f64 / whole).collect()
    }
}

/// Gives the places among `to` that place `at` of `from` covers a part of, with the part: all parts that cover a place
/// add up to `from`.
fn covered(at: u64, from: u64, to: u64) -> impl Iterator<Item = (usize, u64)> {
    let (start, end) = (at * to, (at + 1) * to);
    (start / from..=(end - 1) / from).map(move |place| {
        let share = end.min((place + 1) * from) - start.max(place * from);
        (place as usize, share)
    })
}

/// Gives what is seen of a pixel on white: its three colours, or first how light it is.
fn seen([red, green, blue, alpha]: [u32; 4], most: u32, mode: ColorMode) -> [u32; 3] {
    let on_white = |value: u32| match alpha {
        alpha if alpha == most => value,
        alpha => {
            let (value, alpha, most) = (u64::from(value), u64::from(alpha), u64::from(most));
            ((value * alpha + most * (most - alpha) + most / 2) / most) as u32
        }
    };
    let colors = [red, green, blue].map(on_white);
    match mode {
        ColorMode::Rgb => colors,
        ColorMode::Gray => {
            // The luma of ITU-R BT.601 in 16 bits after the point, as Pillow has it; a grey is itself.
            let [red, green, blue] = colors.map(u64::from);
            [((19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16) as u32, 0, 0]
        }
    }
}
