//! What an operation computes, where another engine can compute the same.

use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::kernel::compare::Comparison;
use crate::operation::{Operation, Vector};
use crate::runtime::Fault;
use crate::value::{Type, Value};

/// The operations that are known by more than their kernel. The type is that of the operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Add(Type),
    Subtract(Type),
    Multiply(Type),
    /// `/` over floats.
    Divide,
    /// `//`, towards zero over integers.
    Quotient(Type),
    Remainder(Type),
    Power,
    Negate(Type),
    /// A function of one number with a result of its type, by the name of the operator in ONNX.
    Function(&'static str, Type),
    Not,
    And,
    Or,
    Compare(Type, Comparison),
    Distinct {
        kind: Type,
        negated: bool,
    },
    Between {
        kind: Type,
        negated: bool,
    },
    Among {
        kind: Type,
        negated: bool,
    },
    IsNull {
        kind: Type,
        negated: bool,
    },
    IsBoolean {
        wanted: bool,
        negated: bool,
    },
    NullIf(Type),
    Extreme {
        kind: Type,
        greatest: bool,
    },
    Cast(Type, Type),
    /// The operand itself.
    Same(Type),
    /// To the nearest whole float, halves away from zero.
    Round,
    /// Towards zero to a whole float.
    Truncate,
    /// As the two above, to a number of decimals, which is the second operand; over integers to tens, hundreds ….
    Decimals {
        kind: Type,
        cut: bool,
    },
    /// -1, 0 or 1 as an integer.
    Sign(Type),
    IsNan,
    IsInfinite,
    IsFinite,
    /// Texts one after another, NULL where one is.
    Join,
    /// Texts one after another, without those that are NULL.
    Concat,
}

/// An operation together with its meaning.
struct Known {
    meaning: Meaning,
    operation: Arc<dyn Operation>,
}

impl Meaning {
    /// Says of an operation that it computes this.
    pub(crate) fn of(self, operation: Arc<dyn Operation>) -> Arc<dyn Operation> {
        Arc::new(Known { meaning: self, operation })
    }
}

impl Operation for Known {
    fn batch(&self, arguments: &[Vector], rows: usize) -> Result<ArrayRef, (usize, Box<Fault>)> {
        self.operation.batch(arguments, rows)
    }

    fn row(&self, arguments: &[Value]) -> Result<Value, Box<Fault>> {
        self.operation.row(arguments)
    }

    fn meaning(&self) -> Option<Meaning> {
        Some(self.meaning)
    }
}
