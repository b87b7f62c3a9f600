//! Passwords in addresses, which no message shows.

use std::borrow::Cow;

/// What ends the part of an address that may hold a password.
const ENDS: [char; 12] = ['/', '?', '#', ' ', '\t', '\n', '"', '\'', '`', '<', '>', ','];

/// Puts stars in the place of the password of every address in a text (`scheme://user:password@host`), as many as it has
/// letters, so that nothing else moves.
pub(crate) fn conceal(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(ENDS).unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        match authority.rsplit_once('@').and_then(|(login, host)| Some((login.split_once(':')?, host))) {
            Some(((user, password), host)) => {
                shown.extend([user, ":"]);
                shown.extend(password.chars().map(|_| '*'));
                shown.extend(["@", host]);
            }
            None => shown.push_str(authority),
        }
        rest = behind;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::conceal;

    #[test]
    fn only_passwords_of_addresses_become_stars() {
        let same = ["", "a: b@c", "https://host/a:b@c", "postgresql://ada@host/db", "sqlite:///a:b.db", "x://", "://:"];
        for text in same {
            assert_eq!(conceal(text), text);
        }
        assert_eq!(conceal("to postgresql://ada:sécret@host:1/db!"), "to postgresql://ada:******@host:1/db!");
        assert_eq!(conceal("a://b:c@d e://f:g@h:i@j"), "a://b:*@d e://f:*****@j");
    }
}
