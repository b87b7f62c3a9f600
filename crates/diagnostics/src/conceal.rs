//! Passwords and signatures in addresses, which no message shows.

use std::borrow::Cow;

/// What ends the part of an address that may hold a password.
const ENDS: [char; 12] = ['/', '?', '#', ' ', '\t', '\n', '"', '\'', '`', '<', '>', ','];

/// What ends an address together with its query.
const BEHIND: [char; 8] = [' ', '\t', '\n', '"', '\'', '`', '<', '>'];

/// What the name of a query's part holds whose value lets somebody in: signatures of the cloud stores, tokens, keys.
const SECRET: [&str; 9] = ["sig", "token", "secret", "passw", "pwd", "credential", "key", "auth", "policy"];

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

/// Says whether the value of a query's part lets somebody in.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|secret| name.contains(secret))
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
