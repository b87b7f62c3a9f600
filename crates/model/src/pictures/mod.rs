//! Pictures of a model, as PNG and SVG with a font inside: the same bytes on any machine.

mod confusion;
mod contributions;
mod curves;
mod font;
mod importance;
mod learning_curve;
mod picture;
mod raster;
mod residuals;
mod scale;
mod svg;
mod tone;

pub use self::confusion::confusion_matrix;
pub use self::contributions::contributions;
pub use self::curves::curves;
pub use self::importance::feature_importance;
pub use self::learning_curve::learning_curve;
pub use self::picture::Picture;
pub use self::residuals::residuals;
pub use self::tone::Theme;

/// The sizes of letters.
const TITLE: f32 = 26.0;
const LABEL: f32 = 18.0;
const SMALL: f32 = 16.0;
const LARGE: f32 = 34.0;

/// The most features that a picture shows.
const TOP: usize = 20;

const MARGIN: usize = 32;

fn percent(share: f64, with_tenths: bool) -> String {
    if with_tenths { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_the_same_each_time_and_differ_where_numbers_do() {
        let classes = ["No".to_owned(), "Yes".to_owned()];
        let of = |last: u64| confusion_matrix(&[vec![900, 100], vec![50, last]], &classes);
        let picture = of(50);
        assert_eq!(of(50), picture);
        assert_ne!(of(51), picture);
        // Frozen: another value is another set of bytes for every model that is trained.
        assert_eq!(crc(&picture.to_png(Theme::Light)), 1_991_524_332);
    }

    #[test]
    fn curves_are_drawn_for_any_number_of_classes() {
        let of = |class: usize| {
            let targets: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 3 == class % 3))).collect();
            let probabilities: Vec<f64> =
                (0..200).map(|row| f64::from(row * (class as i32 + 3) % 101) / 101.0).collect();
            crate::Curves::of(&format!("class {class}"), &targets, &probabilities).unwrap()
        };
        for classes in [0, 1, 3, 12] {
            let all: Vec<_> = (0..classes).map(of).collect();
            let picture = curves(&all);
            is_whole(&picture);
            assert_eq!(picture, curves(&all));
        }
    }

    #[test]
    fn odd_importances_are_drawn_too() {
        for importance in
            [vec![], vec![("a\n\u{0}客".repeat(90), f64::NAN)], vec![("x".into(), -1.0), ("y".into(), f64::INFINITY)]]
        {
            is_whole(&feature_importance(&importance));
        }
        for classes in [0, 1, 2, 3, 8, 20, 31, 200] {
            let counts = vec![vec![7; classes]; classes];
            let names: Vec<String> = (0..classes).map(|class| "x".repeat(class * 9)).collect();
            is_whole(&confusion_matrix(&counts, &names));
        }
    }

    #[test]
    fn odd_losses_and_residuals_are_drawn_too() {
        for values in
            [vec![], vec![0.5], vec![f64::NAN, 1.0, 0.5], vec![f64::INFINITY; 3], vec![f64::MAX, f64::MIN, 0.0]]
        {
            is_whole(&learning_curve("a_name".repeat(20).as_str(), &values, &[]));
            is_whole(&learning_curve("boosting", &values, &values));
            let predictions: Vec<f64> = values.iter().map(|value| value / 3.0 - 1.0).collect();
            is_whole(&residuals(&values, &predictions));
        }
        let many: Vec<f64> = (0..5001).map(f64::from).collect();
        is_whole(&residuals(&many, &many));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(trainyard_diagnostics::count), ["0", "999", "1,000", "1,234,567"]);
    }

    fn is_whole(picture: &Picture) {
        for theme in [Theme::Light, Theme::Dark] {
            assert!(picture.to_png(theme).ends_with(b"IEND\xaeB`\x82"));
        }
        assert!(picture.to_svg().ends_with(b"</svg>\n"));
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut check = flate2::Crc::new();
        check.update(bytes);
        check.sum()
    }
}
