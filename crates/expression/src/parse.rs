//! From text to `sqlparser`'s syntax tree, with the place of every token kept.

use std::ops::Range;

use sqlparser::ast::{Expr, Spanned, UnaryOperator};
use sqlparser::dialect::{Dialect, DuckDbDialect, Precedence};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use crate::problem::{Problem, ProblemKind};

/// How deep parentheses, CASEs and prefix operators may nest.
pub(crate) const DEEPEST: usize = 100;
/// How deep the parser may recurse. Operators of rising precedence recurse too, at most a dozen in each parenthesis, so
/// that the limit above always speaks first.
const RECURSION: usize = 16 * DEEPEST;
/// The stack on which an expression is parsed and checked: the parser's frames are large.
pub(crate) const STACK: usize = 64 << 20;
/// How many tokens an expression may have: a chain of operators becomes a tree as deep as it is long.
const LONGEST: usize = 10_000;
/// How many bytes an expression may have.
const LARGEST: usize = 1 << 20;

/// DuckDB's dialect, with the precedence of its operators and without its lists, structs and lambdas.
#[derive(Debug)]
struct ExpressionDialect;

/// Between the comparison operators and `+`: what PostgreSQL's grammar calls any other operator.
const OTHER: u8 = 25;
/// Above `*`, so that `2 * x ^ 2` squares x alone.
const POWER: u8 = 45;
/// Above `^` and below `::`, so that `-2 ^ 2` is 4, as in DuckDB.
const SIGN: u8 = 47;

impl Dialect for ExpressionDialect {
    fn dialect(&self) -> std::any::TypeId {
        std::any::TypeId::of::<DuckDbDialect>()
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphanumeric() || character == '_' || character == '$'
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '"'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Between | Precedence::Like => 22,
            Precedence::Pipe | Precedence::PgOther | Precedence::Colon => OTHER,
            Precedence::Xor | Precedence::Ampersand | Precedence::Caret => OTHER,
            other => DuckDbDialect.prec_value(other),
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat => Some(Ok(OTHER)),
            Token::Caret => Some(Ok(POWER)),
            _ => None,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let op = match parser.peek_token_ref().token {
            Token::Minus => UnaryOperator::Minus,
            Token::Plus => UnaryOperator::Plus,
            _ => return None,
        };
        parser.advance_token();
        Some(parser.parse_subexpr(SIGN).map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }
}

/// The tokens of an expression without spaces and comments, each with its bytes.
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
}

/// A run of tokens, by the places of the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl Run {
    /// Gives the run from the start of this one to the end of another.
    pub(crate) fn to(self, other: Run) -> Run {
        Run { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

impl<'a> Tokens<'a> {
    fn read(sql: &'a str) -> Result<Tokens<'a>, Problem> {
        let dialect = ExpressionDialect;
        let places = Places::new(sql);
        let read = Tokenizer::new(&dialect, sql).tokenize_with_location().map_err(|error| {
            let mut start = places.byte(error.location);
            let expected = if error.message.contains("comment") {
                start = sql.rfind("/*").unwrap_or(start);
                "a closing `*/`"
            } else if sql.get(start..).is_some_and(|rest| rest.starts_with('"')) {
                "a closing `\"`"
            } else if error.message.contains("nterminated") {
                "a closing `'`"
            } else {
                "an SQL expression"
            };
            let kind = ProblemKind::Syntax { expected: expected.to_owned(), found: String::new() };
            Problem { kind, span: start..sql.len() }
        })?;
        let tokens = read
            .into_iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
            .map(|token| (token.token, places.byte(token.span.start)..places.byte(token.span.end)))
            .collect();
        Ok(Tokens { sql, tokens })
    }

    /// Gives the token at a place.
    pub(crate) fn token(&self, place: usize) -> Option<&Token> {
        self.tokens.get(place).map(|(token, _)| token)
    }

    /// Gives the text of the token at a place.
    pub(crate) fn text(&self, place: usize) -> &'a str {
        self.tokens.get(place).and_then(|(_, range)| self.sql.get(range.clone())).unwrap_or_default()
    }

    /// Tells whether the token at a place is a keyword, in any case.
    pub(crate) fn is_word(&self, place: usize, word: &str) -> bool {
        matches!(self.token(place), Some(Token::Word(found)) if found.quote_style.is_none())
            && self.text(place).eq_ignore_ascii_case(word)
    }

    /// Gives the bytes of a run.
    pub(crate) fn bytes(&self, run: Run) -> Range<usize> {
        let bytes = |place: usize| self.tokens.get(place).map(|(_, range)| range.clone());
        match (bytes(run.first), bytes(run.last)) {
            (Some(first), Some(last)) => first.start..last.end.max(first.end),
            _ => self.sql.len()..self.sql.len(),
        }
    }

    /// Gives the text of some bytes.
    pub(crate) fn slice(&self, bytes: Range<usize>) -> &'a str {
        self.sql.get(bytes).unwrap_or_default()
    }

    /// Gives the tokens of a node, as far as the syntax tree knows them.
    pub(crate) fn run(&self, node: &impl Spanned) -> Option<Run> {
        self.run_of(node.span())
    }

    /// Gives the tokens of a span.
    pub(crate) fn run_of(&self, span: Span) -> Option<Run> {
        let place = |location: Location| usize::try_from(location.column.checked_sub(1)?).ok();
        if span.start.line == 0 {
            return None;
        }
        Some(Run { first: place(span.start)?, last: place(span.end)? })
    }

    /// Gives the `)` that belongs to the `(` at a place.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (place, (token, _)) in self.tokens.iter().enumerate().skip(open) {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return place;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// Gives the call `word(…)` around a token inside its parentheses.
    pub(crate) fn call_around(&self, inside: usize) -> Run {
        let mut depth = 0_usize;
        for place in (0..inside).rev() {
            match self.token(place) {
                Some(Token::RParen) => depth += 1,
                Some(Token::LParen) if depth == 0 => {
                    return Run { first: place.saturating_sub(1), last: self.closing(place) };
                }
                Some(Token::LParen) => depth -= 1,
                _ => {}
            }
        }
        Run { first: 0, last: self.tokens.len().saturating_sub(1) }
    }

    /// Gives the call that begins with the function name at a place.
    pub(crate) fn call_of(&self, name: Run) -> Run {
        match self.token(name.last + 1) {
            Some(Token::LParen) => Run { first: name.first, last: self.closing(name.last + 1) },
            _ => name,
        }
    }

    /// Gives everything.
    pub(crate) fn all(&self) -> Run {
        Run { first: 0, last: self.tokens.len().saturating_sub(1) }
    }

    fn problem(&self, kind: ProblemKind, run: Run) -> Problem {
        Problem { kind, span: self.bytes(run) }
    }

    /// Finds what is wrong already with the tokens.
    fn check(&self) -> Result<(), Problem> {
        let at = |place: usize| Run { first: place, last: place };
        if self.tokens.is_empty() {
            return Err(Problem { kind: ProblemKind::Empty, span: 0..self.sql.len() });
        }
        if self.tokens.len() > LONGEST {
            return Err(self.problem(ProblemKind::TooLong { limit: LONGEST }, at(LONGEST)));
        }
        let mut nesting = Nesting::default();
        for (place, (token, _)) in self.tokens.iter().enumerate() {
            match token {
                Token::LParen => {
                    nesting.open();
                    if self.is_word(place + 1, "select") || self.is_word(place + 1, "with") {
                        let run = Run { first: place, last: self.closing(place) };
                        return Err(self.problem(ProblemKind::Subquery, run));
                    }
                }
                Token::RParen => nesting.close(),
                Token::Word(_) if self.is_word(place, "case") => nesting.open(),
                Token::Word(_) if self.is_word(place, "end") => nesting.close(),
                Token::Word(_) if self.is_word(place, "not") => nesting.prefix(),
                Token::Minus | Token::Plus | Token::Tilde => nesting.prefix(),
                Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) => nesting.operand(),
                Token::SemiColon => return Err(self.problem(ProblemKind::Statement, at(place))),
                Token::LBracket | Token::LBrace => {
                    let what = if *token == Token::LBracket { "a list" } else { "a struct" };
                    return Err(self.problem(ProblemKind::Unsupported { what: what.to_owned() }, at(place)));
                }
                _ => {}
            }
            if nesting.depth > DEEPEST {
                return Err(self.problem(ProblemKind::TooDeep { limit: DEEPEST }, at(place)));
            }
        }
        Ok(())
    }

    /// Turns what the parser says into a problem; it was given places of tokens as columns.
    fn parser_problem(&self, error: ParserError) -> Problem {
        let message = match error {
            ParserError::RecursionLimitExceeded => {
                return self.problem(ProblemKind::TooDeep { limit: DEEPEST }, self.all());
            }
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
        };
        let (message, place) = match message.rsplit_once(" at Line: ") {
            Some((message, location)) => {
                let column = location.rsplit_once("Column: ").and_then(|(_, column)| column.trim().parse().ok());
                (message.to_owned(), column.and_then(|column: usize| column.checked_sub(1)))
            }
            None => (message, None),
        };
        let place = place.unwrap_or(self.tokens.len());
        let expected = message.strip_prefix("Expected: ").unwrap_or(&message);
        let expected = expected.rsplit_once(", found: ").map_or(expected, |(expected, _)| expected);
        let kind = ProblemKind::Syntax { expected: expected.to_owned(), found: self.text(place).to_owned() };
        self.problem(kind, Run { first: place, last: place })
    }
}

/// Counts how deep the tokens read so far nest, before the parser recurses over them.
#[derive(Default)]
struct Nesting {
    depth: usize,
    /// The prefix operators that wait for their operand, outside each open parenthesis.
    outside: Vec<usize>,
    waiting: usize,
}

impl Nesting {
    fn open(&mut self) {
        self.depth += 1;
        self.outside.push(std::mem::take(&mut self.waiting));
    }

    fn close(&mut self) {
        self.operand();
        if let Some(waiting) = self.outside.pop() {
            self.depth -= 1;
            self.waiting = waiting;
            self.operand();
        }
    }

    fn prefix(&mut self) {
        self.depth += 1;
        self.waiting += 1;
    }

    fn operand(&mut self) {
        self.depth -= std::mem::take(&mut self.waiting);
    }
}

/// Parses one expression, and nothing after it.
pub(crate) fn parse(sql: &str) -> Result<(Expr, Tokens<'_>), Problem> {
    if sql.len() > LARGEST {
        let start = (LARGEST..sql.len()).find(|byte| sql.is_char_boundary(*byte)).unwrap_or(sql.len());
        return Err(Problem { kind: ProblemKind::TooLong { limit: LONGEST }, span: start..sql.len() });
    }
    let tokens = Tokens::read(sql)?;
    tokens.check()?;
    let dialect = ExpressionDialect;
    // The parser copies the tokens' locations into its tree and its messages, so each token gets its own place as a
    // location: a column counted from 1, in a line that marks it as known.
    let placed = tokens.tokens.iter().zip(1..).map(|((token, _), column)| {
        let location = Location { line: 1, column };
        TokenWithSpan { token: token.clone(), span: Span { start: location, end: location } }
    });
    let mut parser = Parser::new(&dialect).with_recursion_limit(RECURSION).with_tokens_with_locations(placed.collect());
    let expr = parser.parse_expr().map_err(|error| tokens.parser_problem(error))?;
    let next = parser.index();
    if next < tokens.tokens.len() {
        let last = tokens.tokens.len() - 1;
        // A `=` or `AS` right after an expression says more than the whole rest.
        let kind = ProblemKind::Trailing { found: tokens.text(next).to_owned() };
        return Err(tokens.problem(kind, Run { first: next, last }));
    }
    Ok((expr, tokens))
}

/// Where lines and columns lie, for the tokenizer speaks in those.
struct Places {
    /// Line, column and byte of every character, and of the end.
    characters: Vec<(u64, u64, usize)>,
    end: usize,
}

impl Places {
    fn new(sql: &str) -> Places {
        let (mut line, mut column) = (1, 1);
        let mut characters = Vec::with_capacity(sql.len() + 1);
        for (byte, character) in sql.char_indices() {
            characters.push((line, column, byte));
            if character == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        characters.push((line, column, sql.len()));
        Places { characters, end: sql.len() }
    }

    fn byte(&self, location: Location) -> usize {
        let key = (location.line, location.column);
        let place = self.characters.partition_point(|(line, column, _)| (*line, *column) < key);
        self.characters.get(place).map_or(self.end, |(_, _, byte)| *byte)
    }
}
