//! Diagnostics that can be drawn.

use trainyard_diagnostics::{Diagnostic, Place, Style, render};

/// The most diagnostics of one input that are drawn; each reads its whole text.
const DRAWN: usize = 20;

/// Checks that a place lies inside its text and cuts no character.
pub(crate) fn check(place: &Place) {
    assert!(place.source.text.get(place.span.clone()).is_some(), "{place:?}");
}

/// Checks that each diagnostic says something, points into its texts, and is drawn at any width.
pub(crate) fn check_all<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
    for (at, diagnostic) in diagnostics.into_iter().enumerate() {
        assert!(!diagnostic.title.is_empty() && diagnostic.code.contains('/'), "{diagnostic:?}");
        diagnostic.primary.iter().chain(&diagnostic.secondary).for_each(|label| check(&label.place));
        if at < DRAWN {
            for style in [Style { color: false, width: 0 }, Style { color: true, width: 40 }] {
                assert!(render(diagnostic, &style).ends_with('\n'));
            }
            assert!(diagnostic.to_json().is_object());
        }
    }
}
