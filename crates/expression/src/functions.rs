//! The functions of the language.

/// One function as the guide shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionDoc {
    /// The name.
    pub name: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// An expression, an arrow and the expression it equals: `abs(-2) → 2`.
    pub example: &'static str,
}

/// Returns every function, ordered by name.
pub fn functions() -> &'static [FunctionDoc] {
    &[]
}
