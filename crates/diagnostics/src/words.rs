//! Numbers and words as people read and type them.

/// Writes a count with commas between thousands: 7,043.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a word for a POSIX shell, quoted where it must be.
pub fn shell_word(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Writes a text for HTML and XML, so that it is shown as it is; what XML 1.0 does not allow becomes U+FFFD.
pub fn markup_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for mark in text.chars() {
        match mark {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            mark if mark < ' ' || matches!(mark, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            mark => safe.push(mark),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_and_words_quoted() {
        assert_eq!([0, 999, 1000, 7_043, 1_000_000].map(count), ["0", "999", "1,000", "7,043", "1,000,000"]);
        assert_eq!(["data/x.csv", "", "a b", "it's"].map(shell_word), ["data/x.csv", "''", "'a b'", r"'it'\''s'"]);
    }

    #[test]
    fn markup_shows_a_text_as_it_is() {
        assert_eq!(markup_text("a<b> & \"c\"\td\u{0}\u{ffff}é"), "a&lt;b&gt; &amp; &quot;c&quot; d\u{fffd}\u{fffd}é");
    }
}
