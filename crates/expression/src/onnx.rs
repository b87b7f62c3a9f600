//! Expressions as nodes of an ONNX graph.
//!
//! What is translated: arithmetic, comparison, boolean logic, CASE, IN, BETWEEN, COALESCE, NULLIF, greatest and least,
//! casts among booleans and numbers and of booleans and integers to text, `abs`, `sign`, `ceil`, `floor`, `round`,
//! `trunc`, `sqrt`, `exp`, `ln`, `pow`, `isnan`, `isinf` and `isfinite`, over booleans, integers, floats and (for
//! equality, `||` and `concat`) text. A graph has no NULL and no errors, so that a value travels with the mask of its
//! NULLs; an integer that overflows wraps around, `//` and `%` by an integer zero and a float that no integer is near
//! give NULL, where [`Bound::evaluate`] fails.

use std::sync::Arc;

use crate::expression::Bound;
use crate::kernel::compare::Comparison;
use crate::kernel::numeric::power_of_ten;
use crate::meaning::Meaning;
use crate::operation::Operation;
use crate::program::{Block, Case, Step};
use crate::value::{Type, Value};

/// Collects the nodes of a graph, in the standard operator set (`ai.onnx`, 21).
pub trait Graph {
    /// Adds a node with one output and gives the output's name.
    fn node(&mut self, operator: &'static str, inputs: &[&str], attribute: Option<(&'static str, i64)>) -> String;
    /// Adds a constant tensor of shape `[1]` and gives its name: bool, int64, double or string. Other values do not come.
    fn constant(&mut self, value: &Value) -> String;
}

/// A column in a graph: tensors of shape `[rows, 1]`, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The values: bool, int64, double or string after `kind`. Where NULL they mean nothing.
    pub value: String,
    /// The rows that are NULL, as bool; `None` where no row is.
    pub null: Option<String>,
    /// The type.
    pub kind: Type,
}

/// Says which part of an expression has no translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untranslatable {
    /// The part, as its SQL text has it.
    pub part: String,
}

impl Bound {
    /// Says whether [`Bound::to_onnx`] will succeed.
    ///
    /// # Errors
    /// As [`Bound::to_onnx`].
    pub fn is_translatable(&self) -> Result<(), Untranslatable> {
        let cell = |kind| Cell { value: String::new(), null: Some(String::new()), kind };
        let columns: Vec<Cell> = self.program.columns.iter().map(|column| cell(column.kind)).collect();
        self.to_onnx(&mut Nowhere, &columns).map(|_| ())
    }

    /// Returns the columns that [`Bound::to_onnx`] wants, in their order.
    pub fn reads(&self) -> Vec<&str> {
        self.program.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// Adds the nodes that compute the expression from `columns`, those of [`Bound::reads`], and gives its result.
    ///
    /// # Errors
    /// Where a part has no translation, or the expression reads no column and so has no rows.
    pub fn to_onnx(&self, graph: &mut dyn Graph, columns: &[Cell]) -> Result<Cell, Untranslatable> {
        let program = &self.program;
        let whole = || Untranslatable { part: program.sql.clone() };
        let columns: Vec<Term> = columns.iter().cloned().map(Term::of_column).collect();
        if columns.iter().map(|column| column.kind).chain([Some(program.kind)]).any(|kind| !is_translated(kind)) {
            return Err(whole());
        }
        let mut translator = Translator { graph, columns: &columns, fitted: &self.fitted, sql: &program.sql };
        let result = translator.run(&program.block)?;
        let result = translator.typed(result, program.kind);
        if result.per_row {
            Ok(Cell { value: result.value, null: result.null, kind: program.kind })
        } else {
            Err(whole())
        }
    }
}

/// A graph that keeps nothing.
struct Nowhere;

impl Graph for Nowhere {
    fn node(&mut self, _: &'static str, _: &[&str], _: Option<(&'static str, i64)>) -> String {
        String::new()
    }

    fn constant(&mut self, _: &Value) -> String {
        String::new()
    }
}

/// The element types of ONNX (`TensorProto.DataType`) that a cast names.
const INT64: i64 = 7;
const STRING: i64 = 8;
const DOUBLE: i64 = 11;

/// An intermediate result.
#[derive(Clone)]
struct Term {
    value: String,
    null: Option<String>,
    /// The type; `None` for a NULL that takes the type of what uses it.
    kind: Option<Type>,
    /// Whether a value that is not NULL may be NaN.
    nan: bool,
    /// Whether it has a value for each row; a constant has one for all.
    per_row: bool,
    /// The integer that it is, where it is written out.
    literal: Option<i64>,
}

impl Term {
    fn of_column(cell: Cell) -> Term {
        // Where a raw column is NaN it is NULL, but a derived one may be either.
        let nan = cell.kind == Type::Float;
        Term { nan, value: cell.value, null: cell.null, kind: Some(cell.kind), per_row: true, literal: None }
    }
}

fn is_translated(kind: Option<Type>) -> bool {
    !matches!(kind, Some(Type::Date | Type::Timestamp))
}

struct Translator<'a> {
    graph: &'a mut dyn Graph,
    columns: &'a [Term],
    fitted: &'a [Value],
    sql: &'a str,
}

impl Translator<'_> {
    fn run(&mut self, block: &Block) -> Result<Term, Untranslatable> {
        let mut stack: Vec<Term> = Vec::new();
        for step in &block.steps {
            let next = match step {
                Step::Column(index) => self.columns[*index].clone(),
                Step::Constant(value) => self.constant(value)?,
                Step::Fitted(index) => {
                    let value = self.fitted.get(*index).unwrap_or(&Value::Null);
                    self.constant(value)?
                }
                Step::Apply { operation, arity, span } => {
                    let unknown = Untranslatable { part: self.sql.get(span.clone()).unwrap_or(self.sql).to_owned() };
                    let arguments = stack.split_off(stack.len().saturating_sub(*arity));
                    let meaning = operation.meaning().ok_or_else(|| unknown.clone())?;
                    self.apply(meaning, arguments).ok_or(unknown)?
                }
                Step::Case(case) => {
                    let operand = if case.compare.is_some() { stack.pop() } else { None };
                    self.case(case, operand)?
                }
                Step::Coalesce(coalesce) => {
                    let parts = coalesce.blocks.iter().map(|block| self.run(block)).collect::<Result<Vec<_>, _>>()?;
                    self.coalesce(parts, coalesce.kind)
                }
            };
            stack.push(next);
        }
        stack.pop().ok_or_else(|| self.untranslatable())
    }

    fn untranslatable(&self) -> Untranslatable {
        Untranslatable { part: self.sql.to_owned() }
    }

    fn constant(&mut self, value: &Value) -> Result<Term, Untranslatable> {
        let kind = value.kind();
        if !is_translated(kind) {
            return Err(self.untranslatable());
        }
        let name = if kind.is_some() { self.graph.constant(value) } else { String::new() };
        let nan = matches!(value, Value::Float(float) if float.is_nan());
        let literal = if let Value::Integer(integer) = value { Some(*integer) } else { None };
        Ok(Term { value: name, null: None, kind, nan, per_row: false, literal })
    }

    /// Gives a NULL literal the type that is wanted of it.
    fn typed(&mut self, term: Term, kind: Type) -> Term {
        if term.kind.is_some() {
            return term;
        }
        let nothing = match kind {
            Type::Boolean => Value::Boolean(false),
            Type::Text => Value::Text(String::new()),
            Type::Integer | Type::Date | Type::Timestamp => Value::Integer(0),
            Type::Float => Value::Float(0.0),
        };
        let value = self.graph.constant(&nothing);
        let null = Some(self.graph.constant(&Value::Boolean(true)));
        Term { value, null, kind: Some(kind), nan: false, per_row: false, literal: None }
    }

    fn apply(&mut self, meaning: Meaning, arguments: Vec<Term>) -> Option<Term> {
        let kinds = |kind: Type| vec![kind; arguments.len()];
        let wanted = match meaning {
            Meaning::Add(kind)
            | Meaning::Subtract(kind)
            | Meaning::Multiply(kind)
            | Meaning::Quotient(kind)
            | Meaning::Remainder(kind)
            | Meaning::Negate(kind)
            | Meaning::Function(_, kind)
            | Meaning::Compare(kind, _)
            | Meaning::Distinct { kind, .. }
            | Meaning::Between { kind, .. }
            | Meaning::Among { kind, .. }
            | Meaning::IsNull { kind, .. }
            | Meaning::NullIf(kind)
            | Meaning::Extreme { kind, .. }
            | Meaning::Cast(kind, _)
            | Meaning::Same(kind)
            | Meaning::Sign(kind) => kinds(kind),
            Meaning::Divide
            | Meaning::Power
            | Meaning::Round
            | Meaning::Truncate
            | Meaning::IsNan
            | Meaning::IsInfinite
            | Meaning::IsFinite => kinds(Type::Float),
            Meaning::Decimals { kind, .. } => vec![kind, Type::Integer],
            Meaning::Join | Meaning::Concat => kinds(Type::Text),
            Meaning::Not | Meaning::And | Meaning::Or | Meaning::IsBoolean { .. } => kinds(Type::Boolean),
        };
        if wanted.iter().any(|kind| !is_translated(Some(*kind))) {
            return None;
        }
        let parts: Vec<Term> = arguments.into_iter().zip(wanted).map(|(term, kind)| self.typed(term, kind)).collect();
        Some(match (meaning, parts.as_slice()) {
            (Meaning::Add(_), [a, b]) => self.strict("Add", &[a, b], true),
            (Meaning::Subtract(_), [a, b]) => self.strict("Sub", &[a, b], true),
            (Meaning::Multiply(_), [a, b]) => self.strict("Mul", &[a, b], true),
            (Meaning::Divide | Meaning::Quotient(Type::Float), [a, b]) => self.strict("Div", &[a, b], true),
            (Meaning::Power, [a, b]) => self.strict("Pow", &[a, b], true),
            (Meaning::Remainder(Type::Float), [a, b]) => {
                let value = self.graph.node("Mod", &[&a.value, &b.value], Some(("fmod", 1)));
                self.result(value, &[a, b], Type::Float, true)
            }
            (Meaning::Quotient(_), [a, b]) => self.divide_integers(a, b, true),
            (Meaning::Remainder(_), [a, b]) => self.divide_integers(a, b, false),
            (Meaning::Negate(_), [a]) => self.strict("Neg", &[a], a.nan),
            (Meaning::Function(operator, _), [a]) => self.strict(operator, &[a], true),
            (Meaning::Not, [a]) => self.strict("Not", &[a], false),
            (Meaning::And, [a, b]) => self.both(a, b),
            (Meaning::Or, [a, b]) => self.either(a, b),
            (Meaning::Compare(_, comparison), [a, b]) => self.compare(comparison, a, b)?,
            (Meaning::Distinct { negated, .. }, [a, b]) => self.distinct(a, b, negated)?,
            (Meaning::Between { negated, .. }, [value, low, high]) => {
                let above = self.compare(Comparison::GreaterOrEqual, value, low)?;
                let below = self.compare(Comparison::LessOrEqual, value, high)?;
                let inside = self.both(&above, &below);
                self.unless(inside, negated)
            }
            (Meaning::Among { negated, .. }, [value, list @ ..]) => {
                let mut found: Option<Term> = None;
                for item in list {
                    let same = self.compare(Comparison::Equal, value, item)?;
                    found = Some(found.map_or(same.clone(), |found| self.either(&found, &same)));
                }
                self.unless(found?, negated)
            }
            (Meaning::IsNull { negated, .. }, [a]) => {
                let value = a.null.clone().unwrap_or_else(|| self.graph.constant(&Value::Boolean(false)));
                let per_row = a.per_row && a.null.is_some();
                let term = Term { value, null: None, kind: Some(Type::Boolean), nan: false, per_row, literal: None };
                self.unless(term, negated)
            }
            (Meaning::IsBoolean { wanted, negated }, [a]) => {
                let is = self.unless(a.clone(), !wanted);
                let value = self.present(&is.value, is.null.as_deref());
                self.unless(Term { value, null: None, ..is }, negated)
            }
            (Meaning::NullIf(_), [a, b]) => {
                let same = self.compare(Comparison::Equal, a, b)?;
                // Where `a` is NULL the result is NULL whatever the comparison says.
                let same = self.present(&same.value, b.null.as_deref());
                let null = self.join(a.null.clone(), Some(same));
                Term { null, literal: None, ..a.clone() }
            }
            (Meaning::Extreme { greatest, .. }, [first, rest @ ..]) => {
                let mut best = first.clone();
                for item in rest {
                    let comparison = if greatest { Comparison::Greater } else { Comparison::Less };
                    let better = self.compare(comparison, item, &best)?.value;
                    let better = match &best.null {
                        Some(null) => self.graph.node("Or", &[null, &better], None),
                        None => better,
                    };
                    let better = self.present(&better, item.null.as_deref());
                    best = self.select(&better, item, &best);
                }
                best
            }
            (Meaning::Cast(from, to), [a]) => self.cast(a, from, to)?,
            (Meaning::Same(_), [a]) => a.clone(),
            (Meaning::Round, [a]) => {
                let value = self.round(&a.value);
                self.result(value, &[a], Type::Float, true)
            }
            (Meaning::Truncate, [a]) => {
                let value = self.truncate(&a.value);
                self.result(value, &[a], Type::Float, true)
            }
            (Meaning::Decimals { kind, cut }, [a, digits]) => {
                let digits = digits.literal?;
                let value = match kind {
                    Type::Integer => self.integer_decimals(&a.value, digits, cut),
                    _ => self.float_decimals(&a.value, digits, cut),
                };
                self.result(value, &[a], kind, kind == Type::Float)
            }
            (Meaning::Sign(kind), [a]) => {
                let value =
                    if kind == Type::Integer { self.graph.node("Sign", &[&a.value], None) } else { self.sign(a) };
                self.result(value, &[a], Type::Integer, false)
            }
            (Meaning::IsNan, [a]) => {
                let value = self.graph.node("IsNaN", &[&a.value], None);
                self.result(value, &[a], Type::Boolean, false)
            }
            (Meaning::IsInfinite, [a]) => {
                let value = self.graph.node("IsInf", &[&a.value], None);
                self.result(value, &[a], Type::Boolean, false)
            }
            (Meaning::IsFinite, [a]) => {
                let value = self.is_finite(&a.value);
                self.result(value, &[a], Type::Boolean, false)
            }
            (Meaning::Join, [a, b]) => self.strict("StringConcat", &[a, b], false),
            (Meaning::Concat, parts) => self.concat(parts)?,
            _ => return None,
        })
    }

    /// A node whose result has the type of its first operand, NULL where an operand is.
    fn strict(&mut self, operator: &'static str, parts: &[&Term], nan: bool) -> Term {
        let inputs: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        let value = self.graph.node(operator, &inputs, None);
        let kind = parts.first().and_then(|part| part.kind).unwrap_or(Type::Boolean);
        self.result(value, parts, kind, nan && kind == Type::Float)
    }

    fn result(&mut self, value: String, parts: &[&Term], kind: Type, nan: bool) -> Term {
        let null = parts.iter().fold(None, |null, part| self.join(null, part.null.clone()));
        Term { value, null, kind: Some(kind), nan, per_row: parts.iter().any(|part| part.per_row), literal: None }
    }

    /// The quotient towards zero or its remainder. The divisors 0 and -1 would end the process that runs the graph.
    fn divide_integers(&mut self, a: &Term, b: &Term, quotient: bool) -> Term {
        let [zero, one, minus_one] = [0, 1, -1].map(|integer| self.graph.constant(&Value::Integer(integer)));
        let by_zero = self.graph.node("Equal", &[&b.value, &zero], None);
        let by_minus_one = self.graph.node("Equal", &[&b.value, &minus_one], None);
        let odd = self.graph.node("Or", &[&by_zero, &by_minus_one], None);
        let divisor = self.graph.node("Where", &[&odd, &one, &b.value], None);
        let value = if quotient {
            let plain = self.graph.node("Div", &[&a.value, &divisor], None);
            let negative = self.graph.node("Neg", &[&a.value], None);
            self.graph.node("Where", &[&by_minus_one, &negative, &plain], None)
        } else {
            // With the sign of the dividend.
            self.graph.node("Mod", &[&a.value, &divisor], Some(("fmod", 1)))
        };
        let result = self.result(value, &[a, b], Type::Integer, false);
        let null = self.join(result.null.clone(), Some(by_zero));
        Term { null, ..result }
    }

    /// The nearest whole float, halves away from zero.
    ///
    /// Where a runtime takes what is chosen first, `Where` may lose the sign of a zero: so a zero comes second.
    fn round(&mut self, value: &str) -> String {
        let [zero, half] = [0.0, 0.5].map(|float| self.graph.constant(&Value::Float(float)));
        let below = self.graph.node("Floor", &[value], None);
        let above = self.graph.node("Ceil", &[value], None);
        // Adding a half and cutting off would send 0.49999999999999994 to 1; these differences are exact.
        let [up, down] = [(value, below.as_str()), (above.as_str(), value)].map(|(greater, less)| {
            let rest = self.graph.node("Sub", &[greater, less], None);
            let is_over = self.graph.node("GreaterOrEqual", &[&rest, &half], None);
            self.graph.node("Cast", &[&is_over], Some(("to", DOUBLE)))
        });
        let of_positive = self.graph.node("Add", &[&below, &up], None);
        let of_negative = self.graph.node("Sub", &[&above, &down], None);
        let is_positive = self.graph.node("Greater", &[value, &zero], None);
        self.graph.node("Where", &[&is_positive, &of_positive, &of_negative], None)
    }

    /// The whole float towards zero.
    fn truncate(&mut self, value: &str) -> String {
        let zero = self.graph.constant(&Value::Float(0.0));
        let is_positive = self.graph.node("Greater", &[value, &zero], None);
        let below = self.graph.node("Floor", &[value], None);
        let above = self.graph.node("Ceil", &[value], None);
        self.graph.node("Where", &[&is_positive, &below, &above], None)
    }

    /// Rounds or cuts to decimals, with the operations of `kernel::numeric` in their order.
    fn float_decimals(&mut self, value: &str, digits: i64, cut: bool) -> String {
        let power = self.graph.constant(&Value::Float(power_of_ten(digits.unsigned_abs())));
        let (there, back) = if digits < 0 { ("Div", "Mul") } else { ("Mul", "Div") };
        let scaled = self.graph.node(there, &[value, &power], None);
        let whole = if cut { self.truncate(&scaled) } else { self.round(&scaled) };
        let result = self.graph.node(back, &[&whole, &power], None);
        let is_finite = self.is_finite(&result);
        let is_beyond = self.graph.node("Not", &[&is_finite], None);
        if cut || digits >= 0 {
            return self.graph.node("Where", &[&is_beyond, value, &result], None);
        }
        let zero = self.graph.constant(&Value::Float(0.0));
        let result = self.graph.node("Where", &[&is_beyond, &zero, &result], None);
        let was_finite = self.is_finite(value);
        let was_beyond = self.graph.node("Not", &[&was_finite], None);
        self.graph.node("Where", &[&was_beyond, value, &result], None)
    }

    /// Rounds or cuts an integer to tens, hundreds …; 10 to the power of 19 is more than an integer holds.
    fn integer_decimals(&mut self, value: &str, digits: i64, cut: bool) -> String {
        if digits >= 0 {
            return value.to_owned();
        }
        let zero = self.graph.constant(&Value::Integer(0));
        let Some(power) = u32::try_from(digits.unsigned_abs()).ok().and_then(|digits| 10_i64.checked_pow(digits))
        else {
            return self.graph.node("Mul", &[value, &zero], None);
        };
        let half = self.graph.constant(&Value::Integer(power / 2));
        let power = self.graph.constant(&Value::Integer(power));
        let mut whole = self.graph.node("Div", &[value, &power], None);
        if !cut {
            let rest = self.graph.node("Mod", &[value, &power], Some(("fmod", 1)));
            let size = self.graph.node("Abs", &[&rest], None);
            let is_up = self.graph.node("GreaterOrEqual", &[&size, &half], None);
            let sign = self.graph.node("Sign", &[value], None);
            let more = self.graph.node("Where", &[&is_up, &sign, &zero], None);
            whole = self.graph.node("Add", &[&whole, &more], None);
        }
        self.graph.node("Mul", &[&whole, &power], None)
    }

    /// The sign of a float as an integer, 0 for NaN.
    fn sign(&mut self, a: &Term) -> String {
        let zero = self.graph.constant(&Value::Float(0.0));
        let [above, below] = ["Greater", "Less"].map(|operator| {
            let is = self.graph.node(operator, &[&a.value, &zero], None);
            self.graph.node("Cast", &[&is], Some(("to", INT64)))
        });
        self.graph.node("Sub", &[&above, &below], None)
    }

    /// Says whether a float is neither NaN nor infinite: only then is its difference to itself 0.
    fn is_finite(&mut self, value: &str) -> String {
        let zero = self.graph.constant(&Value::Float(0.0));
        let difference = self.graph.node("Sub", &[value, value], None);
        self.graph.node("Equal", &[&difference, &zero], None)
    }

    /// Texts one after another, without those that are NULL.
    fn concat(&mut self, parts: &[Term]) -> Option<Term> {
        let empty = self.graph.constant(&Value::Text(String::new()));
        let mut all: Option<Term> = None;
        for part in parts {
            let value = match &part.null {
                Some(null) => self.graph.node("Where", &[null, &empty, &part.value], None),
                None => part.value.clone(),
            };
            let part = Term { value, null: None, literal: None, ..part.clone() };
            all = Some(match &all {
                Some(all) => self.strict("StringConcat", &[all, &part], false),
                None => part,
            });
        }
        all
    }

    /// AND of three-valued logic.
    fn both(&mut self, a: &Term, b: &Term) -> Term {
        let value = {
            let (a, b) = (self.present(&a.value, a.null.as_deref()), self.present(&b.value, b.null.as_deref()));
            self.graph.node("And", &[&a, &b], None)
        };
        // NULL where one is NULL and the other is not false.
        let unknown = self.join(a.null.clone(), b.null.clone());
        let null = unknown.map(|unknown| {
            [a, b].into_iter().fold(unknown, |unknown, part| {
                let not_false = match &part.null {
                    Some(null) => self.graph.node("Or", &[null, &part.value], None),
                    None => part.value.clone(),
                };
                self.graph.node("And", &[&unknown, &not_false], None)
            })
        });
        Term { value, null, kind: Some(Type::Boolean), nan: false, per_row: a.per_row || b.per_row, literal: None }
    }

    /// OR of three-valued logic.
    fn either(&mut self, a: &Term, b: &Term) -> Term {
        let value = {
            let (a, b) = (self.present(&a.value, a.null.as_deref()), self.present(&b.value, b.null.as_deref()));
            self.graph.node("Or", &[&a, &b], None)
        };
        let unknown = self.join(a.null.clone(), b.null.clone());
        let null = unknown.map(|unknown| self.present(&unknown, Some(&value)));
        Term { value, null, kind: Some(Type::Boolean), nan: false, per_row: a.per_row || b.per_row, literal: None }
    }

    fn unless(&mut self, term: Term, negated: bool) -> Term {
        if negated { Term { value: self.graph.node("Not", &[&term.value], None), ..term } } else { term }
    }

    /// Compares with NaN as the greatest and equal to itself; `None` where there is no such comparison of text.
    fn compare(&mut self, comparison: Comparison, a: &Term, b: &Term) -> Option<Term> {
        let (value, negated) = match comparison {
            Comparison::Equal => (self.equal(a, b), false),
            Comparison::NotEqual => (self.equal(a, b), true),
            Comparison::Less => (self.less(a, b)?, false),
            Comparison::GreaterOrEqual => (self.less(a, b)?, true),
            Comparison::Greater => (self.less(b, a)?, false),
            Comparison::LessOrEqual => (self.less(b, a)?, true),
        };
        let result = self.result(value, &[a, b], Type::Boolean, false);
        Some(self.unless(result, negated))
    }

    fn equal(&mut self, a: &Term, b: &Term) -> String {
        let equal = self.graph.node("Equal", &[&a.value, &b.value], None);
        if !(a.nan && b.nan) {
            return equal;
        }
        let [a, b] = [a, b].map(|part| self.graph.node("IsNaN", &[&part.value], None));
        let both = self.graph.node("And", &[&a, &b], None);
        self.graph.node("Or", &[&equal, &both], None)
    }

    fn less(&mut self, a: &Term, b: &Term) -> Option<String> {
        if a.kind == Some(Type::Text) {
            return None;
        }
        if a.kind == Some(Type::Boolean) {
            let [a, b] = [a, b].map(|part| self.graph.node("Cast", &[&part.value], Some(("to", INT64))));
            return Some(self.graph.node("Less", &[&a, &b], None));
        }
        let less = self.graph.node("Less", &[&a.value, &b.value], None);
        if !b.nan {
            return Some(less);
        }
        let mut below = self.graph.node("IsNaN", &[&b.value], None);
        if a.nan {
            let nan = self.graph.node("IsNaN", &[&a.value], None);
            below = self.present(&below, Some(&nan));
        }
        Some(self.graph.node("Or", &[&less, &below], None))
    }

    fn distinct(&mut self, a: &Term, b: &Term, negated: bool) -> Option<Term> {
        let equal = self.compare(Comparison::Equal, a, b)?;
        let mut same = self.present(&equal.value, equal.null.as_deref());
        if let (Some(a), Some(b)) = (&a.null, &b.null) {
            let neither = self.graph.node("And", &[a, b], None);
            same = self.graph.node("Or", &[&same, &neither], None);
        }
        Some(self.unless(Term { value: same, null: None, ..equal }, !negated))
    }

    fn cast(&mut self, a: &Term, from: Type, to: Type) -> Option<Term> {
        let value = match (from, to) {
            (Type::Boolean, Type::Integer) => self.graph.node("Cast", &[&a.value], Some(("to", INT64))),
            (Type::Boolean | Type::Integer, Type::Float) => self.graph.node("Cast", &[&a.value], Some(("to", DOUBLE))),
            (Type::Integer | Type::Float, Type::Boolean) => {
                let zero = if from == Type::Integer { Value::Integer(0) } else { Value::Float(0.0) };
                let zero = self.graph.constant(&zero);
                let is_zero = self.graph.node("Equal", &[&a.value, &zero], None);
                self.graph.node("Not", &[&is_zero], None)
            }
            (Type::Integer, Type::Text) => self.graph.node("Cast", &[&a.value], Some(("to", STRING))),
            (Type::Boolean, Type::Text) => {
                let [yes, no] = ["true", "false"].map(|text| self.graph.constant(&Value::Text(text.to_owned())));
                self.graph.node("Where", &[&a.value, &yes, &no], None)
            }
            (Type::Float, Type::Integer) => return Some(self.integer_of(a)),
            _ => return None,
        };
        Some(Term { value, kind: Some(to), nan: false, literal: None, ..a.clone() })
    }

    /// The nearest integer, halves to even; NULL where there is none.
    fn integer_of(&mut self, a: &Term) -> Term {
        let rounded = self.graph.node("Round", &[&a.value], None);
        // 2^63 is the first float that is too large; -2^63 still fits.
        let least = self.graph.constant(&Value::Float(-9_223_372_036_854_775_808.0));
        let beyond = self.graph.constant(&Value::Float(9_223_372_036_854_775_808.0));
        let above = self.graph.node("GreaterOrEqual", &[&rounded, &least], None);
        let below = self.graph.node("Less", &[&rounded, &beyond], None);
        let fits = self.graph.node("And", &[&above, &below], None);
        let zero = self.graph.constant(&Value::Float(0.0));
        let kept = self.graph.node("Where", &[&fits, &rounded, &zero], None);
        let value = self.graph.node("Cast", &[&kept], Some(("to", INT64)));
        let none = self.graph.node("Not", &[&fits], None);
        let null = self.join(a.null.clone(), Some(none));
        Term { value, null, kind: Some(Type::Integer), nan: false, per_row: a.per_row, literal: None }
    }

    /// The first arm that holds, from the last to the first.
    fn case(&mut self, case: &Case, operand: Option<Term>) -> Result<Term, Untranslatable> {
        let mut result = self.run(&case.otherwise)?;
        result = self.typed(result, case.kind);
        for (when, then) in case.arms.iter().rev() {
            let when = self.run(when)?;
            let holds = match (&case.compare, &operand) {
                (Some(compare), Some(operand)) => self.apply_compare(compare, vec![operand.clone(), when])?,
                _ => self.typed(when, Type::Boolean),
            };
            let then = self.run(then)?;
            let then = self.typed(then, case.kind);
            let condition = self.present(&holds.value, holds.null.as_deref());
            let chosen = self.select(&condition, &then, &result);
            result = Term { per_row: chosen.per_row || holds.per_row, ..chosen };
        }
        Ok(result)
    }

    fn apply_compare(&mut self, compare: &Arc<dyn Operation>, parts: Vec<Term>) -> Result<Term, Untranslatable> {
        let meaning = compare.meaning().ok_or_else(|| self.untranslatable())?;
        self.apply(meaning, parts).ok_or_else(|| self.untranslatable())
    }

    fn coalesce(&mut self, parts: Vec<Term>, kind: Type) -> Term {
        let mut parts = parts.into_iter().rev().map(|part| self.typed(part, kind)).collect::<Vec<_>>().into_iter();
        let last = parts.next();
        let nothing = Term { value: String::new(), null: None, kind: None, nan: false, per_row: false, literal: None };
        let last = last.unwrap_or_else(|| self.typed(nothing, kind));
        parts.fold(last, |rest, part| match part.null.clone() {
            Some(null) => self.select(&null, &rest, &Term { null: None, ..part }),
            None => part,
        })
    }

    /// Takes `yes` where `condition` holds, else `no`.
    fn select(&mut self, condition: &str, yes: &Term, no: &Term) -> Term {
        let value = match yes.kind {
            Some(Type::Boolean) => self.choose(condition, &yes.value, &no.value),
            _ => self.graph.node("Where", &[condition, &yes.value, &no.value], None),
        };
        let null = match (&yes.null, &no.null) {
            (None, None) => None,
            (Some(yes), None) => Some(self.graph.node("And", &[condition, yes], None)),
            (None, Some(no)) => Some(self.present(no, Some(condition))),
            (Some(yes), Some(no)) => Some(self.choose(condition, yes, no)),
        };
        let per_row = yes.per_row || no.per_row;
        Term { value, null, kind: yes.kind, nan: yes.nan || no.nan, per_row, literal: None }
    }

    /// Takes a flag where `condition` holds, else another: `Where` has no flags in every runtime.
    fn choose(&mut self, condition: &str, yes: &str, no: &str) -> String {
        let yes = self.graph.node("And", &[condition, yes], None);
        let no = self.present(no, Some(condition));
        self.graph.node("Or", &[&yes, &no], None)
    }

    /// Gives the flag where the rows are not among `null`.
    fn present(&mut self, flag: &str, null: Option<&str>) -> String {
        match null {
            Some(null) => {
                let present = self.graph.node("Not", &[null], None);
                self.graph.node("And", &[flag, &present], None)
            }
            None => flag.to_owned(),
        }
    }

    fn join(&mut self, a: Option<String>, b: Option<String>) -> Option<String> {
        match (a, b) {
            (Some(a), Some(b)) if a == b => Some(a),
            (Some(a), Some(b)) => Some(self.graph.node("Or", &[&a, &b], None)),
            (a, b) => a.or(b),
        }
    }
}
