//! Colours, each for light and for dark paper.

/// Red, green, blue.
pub(super) type Color = [u8; 3];

/// What a picture lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// White paper.
    Light,
    /// Dark paper.
    Dark,
}

/// A colour for each theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tone {
    pub(super) light: Color,
    pub(super) dark: Color,
}

pub(super) const PAPER: Tone = Tone { light: [255, 255, 255], dark: [17, 24, 39] };
pub(super) const INK: Tone = Tone { light: [31, 41, 55], dark: [229, 231, 235] };
pub(super) const FAINT: Tone = Tone { light: [107, 114, 128], dark: [156, 163, 175] };
pub(super) const GRID: Tone = Tone { light: [229, 231, 235], dark: [43, 53, 69] };
pub(super) const AXIS: Tone = Tone { light: [156, 163, 175], dark: [107, 114, 128] };
pub(super) const BAR: Tone = Tone { light: [37, 99, 178], dark: [96, 156, 232] };
/// A cell that holds next to nothing, one that holds all, and what is written on the latter.
pub(super) const PALE: Tone = Tone { light: [240, 244, 250], dark: [27, 37, 56] };
pub(super) const STRONG: Tone = Tone { light: [37, 99, 178], dark: [45, 105, 190] };
pub(super) const ON_STRONG: Tone = Tone { light: [255, 255, 255], dark: [255, 255, 255] };
/// The colours of a feature's lowest and highest value.
pub(super) const LOW: Tone = BAR;
pub(super) const HIGH: Tone = Tone { light: [196, 51, 72], dark: [244, 114, 128] };

/// The colours of several lines; neighbours differ in lightness too.
pub(super) const SERIES: [Tone; 10] = [
    BAR,
    HIGH,
    Tone { light: [46, 139, 87], dark: [94, 201, 142] },
    Tone { light: [217, 119, 6], dark: [245, 166, 66] },
    Tone { light: [109, 40, 217], dark: [172, 131, 247] },
    Tone { light: [14, 116, 144], dark: [72, 191, 219] },
    Tone { light: [190, 24, 160], dark: [238, 122, 214] },
    Tone { light: [101, 84, 60], dark: [196, 176, 146] },
    Tone { light: [132, 160, 30], dark: [185, 214, 84] },
    Tone { light: [75, 85, 99], dark: [176, 184, 196] },
];

impl Tone {
    pub(super) fn of(self, theme: Theme) -> Color {
        match theme {
            Theme::Light => self.light,
            Theme::Dark => self.dark,
        }
    }

    /// Mixes this tone and another, of which it takes a share from 0 to 1.
    pub(super) fn towards(self, other: Tone, share: f64) -> Tone {
        let mix = |from: Color, to: Color| {
            let mut color = from;
            for ((part, from), to) in color.iter_mut().zip(from).zip(to) {
                *part = (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
            }
            color
        };
        Tone { light: mix(self.light, other.light), dark: mix(self.dark, other.dark) }
    }
}
