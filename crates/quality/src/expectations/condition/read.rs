//! Reads row conditions: as pandas' `query` and Great Expectations write them.

use super::{Condition, Operand, SIGNS, Sign};
use crate::expectations::value::Value;

/// The names of condition parsers.
pub(crate) const PARSERS: [&str; 5] =
    ["pandas", "great_expectations", "great_expectations__experimental__", "spark", "sql"];

/// Reads a condition as a suite holds it: a text beside `condition_parser`, or an object.
///
/// # Errors
/// Text that is no condition, an object of another form, a text without `condition_parser`.
pub(crate) fn read(value: &Value, parser: Option<&str>) -> Result<Option<Condition>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => text_condition(text, parser).map(Some),
        Value::Map(_) => object(value, parser).map(Some),
        other => Err(format!("a condition is a text or an object, not {}", other.kind())),
    }
}

fn text_condition(text: &str, parser: Option<&str>) -> Result<Condition, String> {
    match parser {
        None => Err(format!("`condition_parser` has to say how it is read: {}", PARSERS.join(", "))),
        Some("sql" | "spark") => Ok(Condition::Sql(text.to_owned())),
        Some(_) => {
            let mut reader = Reader { tokens: tokens(text)?, at: 0, depth: 0 };
            let condition = reader.any()?;
            match reader.tokens.get(reader.at) {
                None => Ok(condition),
                Some(token) => Err(format!("{} is not expected", token.shown())),
            }
        }
    }
}

fn object(value: &Value, parser: Option<&str>) -> Result<Condition, String> {
    let wanted = |key: &str| value.get(key).ok_or_else(|| format!("the condition has no `{key}`"));
    let column = || {
        let name = wanted("column")?;
        let name = name.get("name").unwrap_or(name).as_text();
        name.map(str::to_owned).ok_or_else(|| "`column` names a column".to_owned())
    };
    let several = || -> Result<Vec<Condition>, String> {
        let items = wanted("conditions")?.as_list().ok_or("`conditions` is a list")?;
        items.iter().map(|item| object(item, parser)).collect()
    };
    match wanted("type")?.as_text() {
        Some("pass_through") => {
            let text = wanted("pass_through_filter")?.as_text().ok_or("`pass_through_filter` is a text")?;
            text_condition(text, parser.or(Some("pandas")))
        }
        Some("nullity") => match wanted("is_null")? {
            Value::Bool(is_missing) => Ok(Condition::Missing { column: column()?, is_missing: *is_missing }),
            _ => Err("`is_null` is true or false".to_owned()),
        },
        Some("comparison") => {
            let (sign, parameter) = (wanted("operator")?.as_text().unwrap_or_default(), wanted("parameter")?);
            let is_in = sign.eq_ignore_ascii_case("in");
            if is_in || sign.eq_ignore_ascii_case("not in") {
                let values = parameter.as_list().ok_or("`parameter` is a list behind `in`")?.to_vec();
                return Ok(Condition::In { column: column()?, values, is_in });
            }
            let found = SIGNS.iter().find(|(known, _)| *known == sign);
            let (_, sign) = found.ok_or_else(|| format!("{sign:?} is no operator"))?;
            let right = Operand::Literal(parameter.clone());
            Ok(Condition::Compare { left: Operand::Column(column()?), sign: *sign, right })
        }
        Some("and") => Ok(Condition::All(several()?)),
        Some("or") => Ok(Condition::Any(several()?)),
        other => Err(format!(
            "{:?} is no type of condition; there are comparison, nullity, and, or, pass_through",
            other.unwrap_or_default()
        )),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    /// A name in backticks is never a word of the language.
    Quoted(String),
    Literal(Value),
    Sign(Sign),
    Mark(char),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Token::Name(name) | Token::Quoted(name) => format!("`{name}`"),
            Token::Literal(value) => value.to_json().to_string(),
            Token::Sign(sign) => {
                SIGNS.iter().find(|(_, known)| known == sign).map_or(String::new(), |(text, _)| format!("`{text}`"))
            }
            Token::Mark(mark) => format!("`{mark}`"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some((sign, meaning)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            tokens.push(Token::Sign(*meaning));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let (token, length) = match first {
            '"' | '\'' => {
                let (text, length) = quoted(rest, first)?;
                (Token::Literal(Value::Text(text)), length)
            }
            '`' => {
                let end = rest[1..].find('`').ok_or("a backtick is opened and never closed")?;
                (Token::Quoted(rest[1..=end].to_owned()), end + 2)
            }
            '0'..='9' | '.' | '-' => number(rest, matches!(tokens.last(), Some(Token::Mark('.') | Token::Mark(')'))))?,
            '(' | ')' | '[' | ']' | ',' | '&' | '|' | '~' => (Token::Mark(first), 1),
            first if first.is_alphabetic() || first == '_' => {
                let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
                let end = end.unwrap_or(rest.len());
                (word(&rest[..end]), end)
            }
            other => return Err(format!("`{other}` is not expected")),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word(text: &str) -> Token {
    match text {
        "True" | "true" => Token::Literal(Value::Bool(true)),
        "False" | "false" => Token::Literal(Value::Bool(false)),
        "None" => Token::Literal(Value::Null),
        name => Token::Name(name.to_owned()),
    }
}

fn number(rest: &str, behind_name: bool) -> Result<(Token, usize), String> {
    let text = &rest[..number_end(rest.as_bytes())];
    let end = text.len();
    if text.starts_with('.') && (behind_name || !text[1..].starts_with(|next: char| next.is_ascii_digit())) {
        return Ok((Token::Mark('.'), 1));
    }
    let value = text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::Float));
    value.map(|value| (Token::Literal(value), end)).map_err(|_| format!("`{text}` is no number"))
}

/// Finds where a number ends: an optional sign, digits and points, then perhaps an exponent with its own sign.
fn number_end(bytes: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let mut end = 1 + bytes[1..].iter().take_while(|byte| is_part(byte)).count();
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end += 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end += bytes[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    end
}

fn quoted(rest: &str, quote: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => text.extend(characters.next().map(|(_, escaped)| match escaped {
                'n' => '\n',
                't' => '\t',
                other => other,
            })),
            character if character == quote => return Ok((text, at + 1)),
            character => text.push(character),
        }
    }
    Err("a quote is opened and never closed".to_owned())
}

/// How deep conditions may be in one another.
const DEEPEST: usize = 128;

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, wanted: &str) -> bool {
        self.take(&Token::Name(wanted.to_owned()))
    }

    fn next(&mut self) -> Result<Token, String> {
        let token = self.tokens.get(self.at).cloned().ok_or("the condition ends where something is expected")?;
        self.at += 1;
        Ok(token)
    }

    fn need(&mut self, mark: char) -> Result<(), String> {
        if self.take(&Token::Mark(mark)) { Ok(()) } else { Err(format!("`{mark}` is missing")) }
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.all()?];
        while self.take(&Token::Mark('|')) || self.word("or") || self.word("OR") {
            conditions.push(self.all()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::Any(conditions) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut conditions = vec![self.not()?];
        while self.take(&Token::Mark('&')) || self.word("and") || self.word("AND") {
            conditions.push(self.not()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::All(conditions) })
    }

    fn not(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("conditions are in one another more than {DEEPEST} deep"));
        }
        let condition = self.one();
        self.depth -= 1;
        condition
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.take(&Token::Mark('~')) || self.word("not") {
            return Ok(Condition::Not(Box::new(self.not()?)));
        }
        if self.take(&Token::Mark('(')) {
            let inner = self.any()?;
            self.need(')')?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, String> {
        let mut left = self.operand()?;
        if let (Operand::Column(column), true) = (&left, self.take(&Token::Mark('.'))) {
            let Token::Name(method) = self.next()? else {
                return Err("a name is expected behind `.`".to_owned());
            };
            self.need('(')?;
            self.need(')')?;
            let is_missing = match method.to_lowercase().as_str() {
                "isnull" | "isna" => true,
                "notnull" | "notna" => false,
                other => return Err(format!("`.{other}()` is not known; there are isnull and notnull")),
            };
            return Ok(Condition::Missing { column: column.clone(), is_missing });
        }
        let mut conditions = Vec::new();
        loop {
            let negated = self.word("not");
            if self.word("in") {
                let (Operand::Column(column), Operand::List(values)) = (&left, self.operand()?) else {
                    return Err("`in` wants a column before and a list behind".to_owned());
                };
                conditions.push(Condition::In { column: column.clone(), values, is_in: !negated });
                break;
            }
            if negated {
                return Err("`not` is expected before a condition or `in`".to_owned());
            }
            let Some(Token::Sign(sign)) = self.tokens.get(self.at).cloned() else {
                break;
            };
            self.at += 1;
            let right = self.operand()?;
            conditions.push(match (&left, sign, right.clone()) {
                (Operand::Column(column), Sign::Equal | Sign::Unequal, Operand::List(values)) => {
                    Condition::In { column: column.clone(), values, is_in: sign == Sign::Equal }
                }
                (_, _, Operand::List(_)) => return Err("a list stands behind `in`".to_owned()),
                (_, sign, right) => Condition::Compare { left: left.clone(), sign, right },
            });
            left = right;
        }
        match (conditions.len(), left) {
            (0, left @ Operand::Column(_)) => {
                // A column of truth values is a condition of its own.
                Ok(Condition::Compare { left, sign: Sign::Equal, right: Operand::Literal(Value::Bool(true)) })
            }
            (0, _) => Err("a comparison is expected".to_owned()),
            (1, _) => Ok(conditions.remove(0)),
            _ => Ok(Condition::All(conditions)),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.next()? {
            Token::Name(name) if name == "col" && self.take(&Token::Mark('(')) => {
                let (Token::Literal(Value::Text(column)) | Token::Name(column) | Token::Quoted(column)) =
                    self.next()?
                else {
                    return Err("`col(…)` names a column".to_owned());
                };
                self.need(')')?;
                Ok(Operand::Column(column))
            }
            Token::Name(name) | Token::Quoted(name) => Ok(Operand::Column(name)),
            Token::Literal(value) => Ok(Operand::Literal(value)),
            Token::Mark(open @ ('[' | '(')) => {
                let close = if open == '[' { ']' } else { ')' };
                let mut values = Vec::new();
                while !self.take(&Token::Mark(close)) {
                    match self.next()? {
                        Token::Literal(value) => values.push(value),
                        other => return Err(format!("{} is no value for a list", other.shown())),
                    }
                    if !self.take(&Token::Mark(',')) && self.tokens.get(self.at) != Some(&Token::Mark(close)) {
                        return Err(format!("`,` or `{close}` is missing"));
                    }
                }
                Ok(Operand::List(values))
            }
            other => Err(format!("{} is not expected", other.shown())),
        }
    }
}
