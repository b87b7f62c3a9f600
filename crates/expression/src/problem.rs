//! What can be wrong with an expression before any row is read.

use std::ops::Range;

use crate::value::Type;

/// One thing wrong with an expression, and where in its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The bytes of the SQL text that are to blame.
    pub span: Range<usize>,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The text holds no expression.
    Empty,
    /// The text is not an SQL expression.
    Syntax {
        /// What the grammar wanted there.
        expected: String,
        /// What stands there; empty at the end of the text.
        found: String,
    },
    /// Something follows a complete expression.
    Trailing {
        /// The first token left over.
        found: String,
    },
    /// A `;`: an expression is not a statement.
    Statement,
    /// The expression nests too deeply.
    TooDeep {
        /// How deep an expression may nest.
        limit: usize,
    },
    /// The expression has too many tokens.
    TooLong {
        /// How many tokens an expression may have.
        limit: usize,
    },
    /// No column has this name.
    UnknownColumn {
        /// The name as written.
        name: String,
        /// The nearest column that may be read.
        nearest: Option<String>,
        /// Every column that may be read.
        known: Vec<String>,
    },
    /// Several columns differ from this name only by case, and none equals it.
    AmbiguousColumn {
        /// The name as written.
        name: String,
        /// The columns that it may mean.
        candidates: Vec<String>,
    },
    /// A column that this expression must not read.
    ForbiddenColumn {
        /// The column.
        name: String,
        /// Why it must not be read.
        why: String,
    },
    /// A name with a dot: there is only one table.
    QualifiedName {
        /// The name as written.
        name: String,
        /// Its last part.
        last: String,
    },
    /// No function has this name.
    UnknownFunction {
        /// The name as written.
        name: String,
        /// The nearest function.
        nearest: Option<String>,
    },
    /// A function got too few or too many arguments.
    ArgumentCount {
        /// The function.
        function: String,
        /// How it is called.
        signature: String,
        /// How many arguments it got.
        got: usize,
    },
    /// A function got arguments of the wrong types.
    ArgumentTypes {
        /// The function.
        function: String,
        /// How it is called.
        signature: String,
        /// The types it got; `None` is NULL.
        got: Vec<Option<Type>>,
    },
    /// An operator got operands of the wrong types.
    OperandTypes {
        /// The operator.
        operator: String,
        /// The types of its operands; `None` is NULL.
        got: Vec<Option<Type>>,
    },
    /// Values of one CASE, IN, COALESCE … have types that do not mix.
    MixedTypes {
        /// The construct.
        construct: String,
        /// The type so far.
        first: Type,
        /// The type that does not mix with it.
        second: Type,
    },
    /// A condition is not boolean.
    NotBoolean {
        /// Where the condition stands.
        construct: String,
        /// The type it has.
        got: Type,
    },
    /// No cast leads from one type to the other.
    ImpossibleCast {
        /// The type of the value.
        from: Type,
        /// The type asked for.
        to: Type,
    },
    /// A cast names a type that tables do not have.
    UnknownType {
        /// The type as written.
        name: String,
    },
    /// A literal cannot be read as the type it needs.
    BadLiteral {
        /// The literal.
        text: String,
        /// The type it needs.
        kind: Type,
    },
    /// An interval that is not understood.
    BadInterval {
        /// What the interval says.
        text: String,
    },
    /// An argument must be a literal.
    NotLiteral {
        /// The function.
        function: String,
        /// The argument.
        argument: String,
    },
    /// A regular expression that does not compile.
    BadPattern {
        /// What its parser says.
        message: String,
    },
    /// An unknown part of a date.
    UnknownPart {
        /// The part as written.
        name: String,
        /// The nearest known part.
        nearest: Option<String>,
    },
    /// A format of `strftime` or `strptime` with an unknown specifier.
    BadFormat {
        /// The specifier, such as `%q`.
        specifier: String,
    },
    /// An escape that is not one character, or a LIKE pattern that ends with it.
    BadEscape {
        /// The escape.
        escape: String,
        /// Whether the pattern ends with the escape.
        at_end: bool,
    },
    /// An option or argument outside what the function takes.
    BadArgument {
        /// The function.
        function: String,
        /// The argument.
        argument: String,
        /// What it may be.
        expected: String,
    },
    /// An aggregate over rows.
    Aggregate {
        /// The function.
        name: String,
        /// The fitted aggregate that does the same from the training rows.
        fitted: Option<String>,
    },
    /// A window function.
    Window {
        /// The function.
        name: String,
    },
    /// A subquery.
    Subquery,
    /// A function whose result changes from run to run.
    Volatile {
        /// The function.
        name: String,
    },
    /// A fitted aggregate where nothing is fitted.
    FittedNotAllowed {
        /// The function.
        name: String,
    },
    /// A fitted aggregate inside another one.
    FittedNested {
        /// The inner function.
        name: String,
    },
    /// Comparisons in a chain, such as `1 < x < 3`.
    ChainedComparison,
    /// The whole expression is NULL and has no type.
    NullType,
    /// SQL that is understood but has no place here.
    Unsupported {
        /// What it is.
        what: String,
    },
}
