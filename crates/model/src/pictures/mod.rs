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
mod search;
mod svg;
mod tone;

pub use self::confusion::confusion_matrix;
pub use self::contributions::contributions;
pub use self::curves::curves;
pub use self::importance::feature_importance;
pub use self::learning_curve::learning_curve;
pub use self::picture::Picture;
pub use self::residuals::residuals;
pub use self::search::{SearchPicture, SearchSlice, search};
pub use self::tone::Theme;

/// The sizes of letters.
const TITLE: f32 = 26.0;
const LABEL: f32 = 18.0;
const SMALL: f32 = 16.0;
const LARGE: f32 = 34.0;

/// The most features that a picture shows.
const TOP: usize = 20;

const MARGIN: usize = 32;

/// Writes a number of rows, or their weight.
fn amount(rows: f64) -> String {
    match rows {
        rows if rows >= 1e15 => format!("{:e}", crate::report::rounded(rows, 4)),
        rows if rows >= 1e3 || rows.fract() == 0.0 => trainyard_diagnostics::count(rows.round() as u64),
        rows => crate::report::significant(rows, 4),
    }
}

fn percent(share: f64, with_tenths: bool) -> String {
    if with_tenths { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_the_same_each_time_and_differ_where_numbers_do() {
        let classes = ["No".to_owned(), "Yes".to_owned()];
        let of = |last: f64| confusion_matrix(&[vec![900.0, 100.0], vec![50.0, last]], &classes, None);
        let picture = of(50.0);
        assert_eq!(of(50.0), picture);
        assert_ne!(of(51.0), picture);
        // Frozen: another value is another set of bytes for every model that is trained.
        assert_eq!(crc(&picture.to_png(Theme::Light)), 1_991_524_332);
    }

    #[test]
    fn curves_are_drawn_for_any_number_of_classes() {
        let of = |class: usize| {
            let targets: Vec<f64> = (0..200).map(|row| f64::from(u8::from(row % 3 == class % 3))).collect();
            let probabilities: Vec<f64> =
                (0..200).map(|row| f64::from(row * (class as i32 + 3) % 101) / 101.0).collect();
            crate::Curves::of(&format!("class {class}"), &targets, &probabilities, None).unwrap()
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
            let counts = vec![vec![7.0; classes]; classes];
            let names: Vec<String> = (0..classes).map(|class| "x".repeat(class * 9)).collect();
            is_whole(&confusion_matrix(&counts, &names, None));
            is_whole(&confusion_matrix(&vec![vec![1e-300; classes]; classes], &names, Some("weight")));
            is_whole(&confusion_matrix(&vec![vec![f64::MAX; classes]; classes], &names, Some("客")));
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
    fn a_weighted_matrix_says_by_what() {
        let classes = ["No".to_owned(), "Yes".to_owned()];
        let of = |by| confusion_matrix(&[vec![900.25, 100.0], vec![0.1 + 0.2, 1234.5]], &classes, by).to_svg();
        assert!(of(Some("seen")) != of(None) && of(Some("seen")) != of(Some("here")));
        assert_eq!([0.1 + 0.2, 900.25, 1234.5, 7.0, 1e20].map(amount), ["0.3", "900.2", "1,235", "7", "1e20"]);
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
