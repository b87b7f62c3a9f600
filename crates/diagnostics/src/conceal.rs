//! Passwords and signatures in addresses, which no message shows.

use std::borrow::Cow;
use std::ops::Range;

/// What ends the part of an address that may hold a password.
const ENDS: [char; 12] = ['/', '?', '#', ' ', '\t', '\n', '"', '\'', '`', '<', '>', ','];

/// What ends an address together with its query.
const BEHIND: [char; 8] = [' ', '\t', '\n', '"', '\'', '`', '<', '>'];

/// What the name of a query's part holds whose value lets somebody in: signatures of the cloud stores, tokens, keys.
const SECRET: [&str; 9] = ["sig", "token", "secret", "pass", "pwd", "credential", "key", "auth", "policy"];

/// Puts stars in the place of the password of every address in a text (`scheme://user:password@host`) and of the values in
/// its query that let somebody in (`?X-Amz-Signature=…`, `&sig=…`), as many as there are letters, so that nothing else moves.
pub fn conceal(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| before.ends_with(scheme));
        let login = password(&after[..after.find(BEHIND).unwrap_or(after.len())], is_postgres);
        let after = match login {
            Some(password) => {
                shown.push_str(&after[..password.start]);
                shown.extend(after[password.clone()].chars().map(|_| '*'));
                &after[password.end..]
            }
            None => after,
        };
        let (authority, behind) = after.split_at(after.find(ENDS).unwrap_or(after.len()));
        shown.push_str(authority);
        let end = behind.find(BEHIND).unwrap_or(behind.len());
        // Another address may follow without a space; one in the query is a part of it.
        let query = behind[..end].find('?').unwrap_or(end);
        let end = behind[..query].find("://").unwrap_or(end);
        let (path, next) = behind.split_at(end);
        conceal_query(path, &mut shown);
        rest = next;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Finds the password in what follows the scheme of an address: between the first `:` and the last `@` of what names who
/// asks and the host. In an address of PostgreSQL it may hold signs that should have been encoded, such as `/`.
pub fn password(rest: &str, is_postgres: bool) -> Option<Range<usize>> {
    let authority = rest.find(ENDS).unwrap_or(rest.len());
    let colon = rest[..authority].find(':')?;
    if let Some(at) = rest[..authority].rfind('@') {
        return (colon < at).then_some(colon + 1..at);
    }
    let at = rest.find('@').filter(|_| is_postgres)?;
    // Behind a port and a database an option may have one.
    let behind = &rest[colon + 1..at];
    let port = &behind[..behind.find(['/', '?']).unwrap_or(behind.len())];
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (!(is_port && behind.contains('?'))).then_some(colon + 1..at)
}

/// Says whether the value of a query's part lets somebody in.
fn is_secret(name: &str) -> bool {
    let name = plain(name).to_ascii_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
}

/// Writes encoded letters (`%77`) as themselves.
fn plain(name: &str) -> String {
    let mut parts = name.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[2..]);
            }
            None => text.extend(["%", part]),
        }
    }
    text
}

/// Says whether a part of a query gives a password, however its name is written.
pub fn is_password(part: &str) -> bool {
    let name = plain(part.split('=').next().unwrap_or_default()).to_ascii_lowercase();
    name.starts_with("pass") || name.starts_with("pwd")
}

fn conceal_query(path: &str, shown: &mut String) {
    let Some((path, query)) = path.split_once('?') else { return shown.push_str(path) };
    shown.extend([path, "?"]);
    for (at, part) in query.split('&').enumerate() {
        if at > 0 {
            shown.push('&');
        }
        match part.split_once('=') {
            // What is stars already is told as it is, and so is the sentence around it.
            Some((_, value))
                if value.trim_end_matches([':', ',', '.', ';', ')']).chars().all(|letter| letter == '*') =>
            {
                shown.push_str(part);
            }
            Some((name, value)) if is_secret(name) => {
                shown.extend([name, "="]);
                shown.extend(value.chars().map(|_| '*'));
            }
            _ => shown.push_str(&conceal(part)),
        }
    }
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
        // Signs that should have been encoded hide nothing.
        for (text, shown) in [
            ("postgresql://ada:p/q@h/db", "postgresql://ada:***@h/db"),
            ("postgres://ada:p?q@h/db?table=t", "postgres://ada:***@h/db?table=t"),
            ("postgresql://ada:5432/q@h/db", "postgresql://ada:******@h/db"),
            ("postgresql://h:5432/db?query=a@b", "postgresql://h:5432/db?query=a@b"),
            ("postgresql://h/db?passwd=x&Pass%77ord=yz", "postgresql://h/db?passwd=*&Pass%77ord=**"),
        ] {
            assert_eq!(conceal(text), shown);
        }
    }

    #[test]
    fn only_what_lets_somebody_in_becomes_stars() {
        for text in ["https://host/a.csv?version=3&part=b", "sqlite:///f.db?table=t", "s3://b/p-?.csv", "why? key=1"] {
            assert_eq!(conceal(text), text);
        }
        let signed = "see \"https://h/a.csv?X-Amz-Date=1&X-Amz-Signature=ab%2Fc&x=1\" and az://c/d?sv=2&sig=é";
        let shown = "see \"https://h/a.csv?X-Amz-Date=1&X-Amz-Signature=******&x=1\" and az://c/d?sv=2&sig=*";
        assert_eq!(conceal(signed), shown);
        assert_eq!(conceal(shown), shown);
        assert_eq!(conceal("no a://b?sig=***: it is gone"), "no a://b?sig=***: it is gone");
        assert_eq!(conceal("h://a/b?to=i://c&sig=x,i://u:p@c"), "h://a/b?to=i://c&sig=***********");
        assert_eq!(conceal("h://a/b?to=i://u:p@c"), "h://a/b?to=i://u:*@c");
    }
}
