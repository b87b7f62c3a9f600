//! The functions of the language: one declaration each, from which calls are checked and the guide is written.

mod conditional;
mod fitted;
mod numeric;
mod text;
mod time;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::kernel::calendar::Part;
use crate::operation::Operation;
use crate::value::Type;

/// One function as the guide shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionDoc {
    /// The name.
    pub name: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// What it does, in a sentence or two.
    pub summary: &'static str,
    /// An expression, an arrow and the expression it equals: `abs(-2) → 2`. For a fitted aggregate, a use of it.
    pub example: &'static str,
}

/// A function: its page and what checks a call of it.
pub(crate) struct Function {
    pub(crate) doc: FunctionDoc,
    aliases: &'static [&'static str],
    pub(crate) rule: Rule,
}

/// How a call is checked.
pub(crate) enum Rule {
    /// By the types of the arguments.
    Overloads(Vec<Overload>),
    /// By code of its own, since an argument is a literal, of any type, or lazy.
    Special(Special),
}

/// One choice of argument types.
pub(crate) struct Overload {
    pub(crate) arguments: Vec<Type>,
    pub(crate) result: Type,
    pub(crate) operation: Arc<dyn Operation>,
}

/// The functions with a rule of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Pi,
    Coalesce,
    If,
    NullIf,
    Greatest,
    Least,
    Concat,
    ConcatSeparated,
    RegexpMatches,
    RegexpFullMatch,
    RegexpExtract,
    RegexpReplace,
    Part,
    PartNamed(Part),
    Truncate,
    Difference,
    AddInterval,
    Strftime,
    Strptime { lenient: bool },
    Fitted(Fitted),
}

/// The fitted aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitted {
    Mean,
    Median,
    Minimum,
    Maximum,
    StandardDeviation,
    Quantile,
    Count,
}

/// Starts a declaration: name, signature, summary, example.
fn function(name: &'static str, signature: &'static str, summary: &'static str, example: &'static str) -> Function {
    let doc = FunctionDoc { name, signature, summary, example };
    Function { doc, aliases: &[], rule: Rule::Overloads(Vec::new()) }
}

impl Function {
    /// Adds other names.
    fn alias(mut self, aliases: &'static [&'static str]) -> Function {
        self.aliases = aliases;
        self
    }

    /// Adds a choice of argument types; an earlier one wins where two fit equally well.
    fn on(mut self, arguments: &[Type], result: Type, operation: Arc<dyn Operation>) -> Function {
        if let Rule::Overloads(overloads) = &mut self.rule {
            overloads.push(Overload { arguments: arguments.to_vec(), result, operation });
        }
        self
    }

    /// Gives the function a rule of its own.
    fn special(mut self, special: Special) -> Function {
        self.rule = Rule::Special(special);
        self
    }
}

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    let mut functions: Vec<Function> =
        [numeric::all(), text::all(), time::all(), conditional::all(), fitted::all()].into_iter().flatten().collect();
    functions.sort_by_key(|function| function.doc.name);
    functions
});

static DOCS: LazyLock<Vec<FunctionDoc>> = LazyLock::new(|| FUNCTIONS.iter().map(|function| function.doc).collect());

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let named = |function: &'static Function| {
        let names = std::iter::once(&function.doc.name).chain(function.aliases);
        names.map(move |name| (*name, function))
    };
    FUNCTIONS.iter().flat_map(named).collect()
});

/// Returns every function, ordered by name.
pub fn functions() -> &'static [FunctionDoc] {
    &DOCS
}

/// Finds a function by its name or an alias, in any case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name.to_ascii_lowercase().as_str()).copied()
}

/// Gives every name and alias.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}
