//! Images as features: which column names their files, and which pixels they are brought to.

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Integer, Section, Shape, bare, choice, integer, named, record, required, text, unless_given,
};
use crate::error::Error;
use crate::tree::{Content, Node};

/// The most features of a group of images.
const MOST_FEATURES: u64 = 100_000;

named! {
    /// What a pixel holds.
    pub enum ColorMode {
        /// One number: how light it is.
        Gray = "gray",
        /// Three numbers: its red, green and blue.
        Rgb = "rgb",
    }
}

impl ColorMode {
    /// Gives what is put behind the names of a pixel's numbers.
    fn endings(self) -> &'static [&'static str] {
        match self {
            ColorMode::Gray => &[""],
            ColorMode::Rgb => &["_red", "_green", "_blue"],
        }
    }

    /// Gives the numbers of a pixel: 1 or 3.
    pub fn channels(self) -> usize {
        self.endings().len()
    }
}

record! {
    /// Images whose pixels are features.
    pub struct ImageSpec {
        /// The column with the path of each row's PNG file, from the folder of the data file.
        column: Located<String> = required(text(), "path"),
        /// Height and width in pixels that images are brought to; height × width (× 3 for rgb) is at most 100,000.
        size: [u32; 2] = required(SizeShape, "[8, 8]"),
        /// What a pixel holds.
        mode: ColorMode = unless_given(bare(choice()), ColorMode::Gray),
    }
    check check_features
}

impl ImageSpec {
    /// Gives the pixels that images are brought to.
    pub fn pixels(&self) -> Pixels {
        let [height, width] = self.size;
        Pixels { column: self.column.value.clone(), height, width, mode: self.mode }
    }
}

/// Refuses more features than a table can hold.
fn check_features(spec: &mut ImageSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let features = u64::from(spec.size[0]) * u64::from(spec.size[1]) * spec.mode.channels() as u64;
    let Some((key, node)) = section.entries.iter().find(|(key, _)| key.value == "size") else { return };
    if features > MOST_FEATURES {
        let by_mode = if spec.mode == ColorMode::Rgb { " × 3" } else { "" };
        let value = format!("[{}, {}]{by_mode}", spec.size[0], spec.size[1]);
        let range = "a height and a width of at most 100,000 features".to_owned();
        let spot = decoder.under(key, |decoder| decoder.spot(node));
        decoder.errors.push(Error::OutOfRange { spot, value, range, whose: None });
    }
}

/// Takes a height and a width.
struct SizeShape;

impl Shape for SizeShape {
    type Value = [u32; 2];

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<[u32; 2]> {
        let items = match &node.content {
            Content::Sequence(items) if items.len() == 2 => items,
            _ => {
                decoder.wrong_type(node, "a height and a width in pixels such as [8, 8]");
                return None;
            }
        };
        let both: Vec<Option<Located<u32>>> = items.iter().map(|item| side().decode(item, decoder)).collect();
        let [Some(height), Some(width)] = both.as_slice() else { return None };
        Some([height.value, width.value])
    }

    fn encode(&self, value: &[u32; 2]) -> Value {
        json!(value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "items": side().schema(definitions), "minItems": 2, "maxItems": 2 })
    }
}

fn side() -> Integer<u32> {
    integer(1, MOST_FEATURES)
}

/// Says which pixels of the images that a column names are columns of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// The column with the paths of the files.
    pub column: String,
    /// The rows of pixels that images are brought to.
    pub height: u32,
    /// The pixels in each of them.
    pub width: u32,
    /// What a pixel holds.
    pub mode: ColorMode,
}

impl Pixels {
    /// Gives the number of columns: height × width, × 3 in colour.
    pub fn count(&self) -> usize {
        self.height as usize * self.width as usize * self.mode.channels()
    }

    /// Names the columns, from the top left, row after row: `path_8x8_0_0`, `path_8x8_0_1` …; in colour three for each
    /// pixel: `path_8x8_0_0_red` and so on. The size stands in the name, so that pixels of another size, which are other
    /// features, are never taken for these.
    pub fn names(&self) -> Vec<String> {
        let Pixels { column, height, width, mode } = self;
        let places = (0..*height).flat_map(|y| (0..*width).map(move |x| (y, x)));
        let name = |(y, x)| mode.endings().iter().map(move |end| format!("{column}_{height}x{width}_{y}_{x}{end}"));
        places.flat_map(name).collect()
    }

    /// Finds the pixels of which all columns are among `names`, by what they are called.
    pub fn among<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<Pixels> {
        let mut found: Vec<(Pixels, usize)> = Vec::new();
        for pixels in names.filter_map(Pixels::of_name) {
            match found.iter_mut().find(|(known, _)| *known == pixels) {
                Some((_, count)) => *count += 1,
                None => found.push((pixels, 1)),
            }
        }
        found.into_iter().filter(|(pixels, count)| pixels.count() == *count).map(|(pixels, _)| pixels).collect()
    }

    /// Reads the name of a column as [`Pixels::names`] gives it.
    fn of_name(name: &str) -> Option<Pixels> {
        let colored = ColorMode::Rgb.endings().iter().find_map(|end| name.strip_suffix(end));
        let (place, mode) = colored.map_or((name, ColorMode::Gray), |place| (place, ColorMode::Rgb));
        let mut parts = place.rsplitn(4, '_');
        let (x, y, size, column) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (height, width) = size.split_once('x')?;
        // A leading zero or a sign would make two names of one column.
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| number.to_string() == text);
        let pixels = Pixels { column: column.to_owned(), height: number(height)?, width: number(width)?, mode };
        let is_inside = number(y)? < pixels.height && number(x)? < pixels.width;
        let is_small = u64::from(pixels.height) * u64::from(pixels.width) <= MOST_FEATURES;
        (is_inside && is_small && !column.is_empty()).then_some(pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::{ColorMode, Pixels};

    fn pixels(column: &str, height: u32, width: u32, mode: ColorMode) -> Pixels {
        Pixels { column: column.to_owned(), height, width, mode }
    }

    #[test]
    fn pixels_are_known_by_the_names_of_their_columns() {
        let gray = pixels("a_photo", 2, 3, ColorMode::Gray);
        assert_eq!(gray.names()[..4], ["a_photo_2x3_0_0", "a_photo_2x3_0_1", "a_photo_2x3_0_2", "a_photo_2x3_1_0"]);
        let colored = pixels("a_photo", 2, 1, ColorMode::Rgb);
        assert_eq!(colored.names()[2..4], ["a_photo_2x1_0_0_blue", "a_photo_2x1_1_0_red"]);
        let all = [gray.names(), colored.names(), vec!["tenure".to_owned()]].concat();
        let among = |names: &[String]| Pixels::among(names.iter().map(String::as_str));
        assert_eq!(among(&all), [gray.clone(), colored]);
        assert_eq!(among(&all[1..6]), [], "one is absent");
        for other in ["a_2x3_2_0", "a_2x3_0_3", "_2x3_0_0", "a_02x3_0_0", "a_2x3_+0_0", "2x3_0_0", "a_2x3_0", "a_2_0_0"]
        {
            assert_eq!(Pixels::of_name(other), None, "{other}");
        }
        assert_eq!(Pixels::of_name(&gray.names()[5]), Some(gray));
    }
}
