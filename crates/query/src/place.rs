//! Where in a query something stands.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use trainyard_diagnostics::Place;
use trainyard_spec::Located;

/// Gives the place of a name in a query, after the name that qualifies it where there is one; else that of the query.
pub(crate) fn of_name(sql: &Located<String>, qualifier: Option<&str>, name: &str) -> Option<Place> {
    let tokens = Tokenizer::new(&GenericDialect {}, &sql.value).tokenize_with_location().unwrap_or_default();
    let is = |at: usize, name: &str| matches!(tokens.get(at).map(|token| &token.token), Some(Token::Word(word)) if word.value.eq_ignore_ascii_case(name));
    let is_point = |at: usize| matches!(tokens.get(at).map(|token| &token.token), Some(Token::Period));
    let qualified = qualifier.and_then(|qualifier| {
        (0..tokens.len()).find(|at| is(*at, qualifier) && is_point(at + 1) && is(at + 2, name)).map(|at| at + 2)
    });
    let found = qualified.or_else(|| (0..tokens.len()).find(|at| is(*at, name)));
    let span = found.and_then(|at| tokens.get(at)).map(|token| token.span);
    let range = span.and_then(|span| Some(offset(&sql.value, span.start)?..offset(&sql.value, span.end)?));
    match range {
        Some(range) => sql.place_of(range),
        None => sql.place(),
    }
}

/// Cuts the place, which the parser counts in lines and columns from 1, from what it says.
pub(crate) fn of_message(sql: &Located<String>, message: &str) -> (String, Option<Place>) {
    let found = message.rsplit_once(" at Line: ").and_then(|(cause, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let column: String = column.chars().take_while(char::is_ascii_digit).collect();
        let start = offset(&sql.value, Location { line: line.parse().ok()?, column: column.parse().ok()? })?;
        // A word, or one sign.
        let word = sql.value[start..].find(|sign: char| !sign.is_alphanumeric() && sign != '_');
        let sign = sql.value[start..].chars().next().map_or(0, char::len_utf8);
        let end = start + word.unwrap_or(sql.value.len() - start).max(sign);
        Some((cause.to_owned(), sql.place_of(start..end)))
    });
    found.unwrap_or_else(|| (message.to_owned(), sql.place()))
}

/// Gives the byte at which a place of the parser is; nothing for one that is not in the text.
fn offset(text: &str, at: Location) -> Option<usize> {
    let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let start = match line {
        0 => 0,
        line => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let rest = &text[start..];
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}
