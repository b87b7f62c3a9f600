//! Calls with a regular expression.

use std::sync::Arc;

use super::calls::Call;
use super::{Checker, Typed};
use crate::functions::Special;
use crate::kernel::pattern::{Options, Replacement};
use crate::operation::{B, Operation, S, one, one_text};
use crate::problem::ProblemKind;
use crate::value::{Type, Value};

impl Checker<'_> {
    /// Compiles the pattern, which must be a literal, and applies it.
    pub(super) fn regular(&mut self, special: Special, call: &Call<'_>, arguments: Vec<Typed>) -> Option<Typed> {
        let first_kind = arguments.first()?.kind;
        if first_kind.is_some_and(|kind| kind != Type::Text) {
            return self.wrong_types(call, &arguments);
        }
        let pattern = self.literal_text(call, &arguments, 1, "pattern")?;
        let options_at = match special {
            Special::RegexpMatches | Special::RegexpFullMatch => 2,
            _ => 3,
        };
        let every = special == Special::RegexpReplace;
        let options = match arguments.get(options_at) {
            None => Options::default(),
            Some(argument) => {
                let run = argument.run;
                let letters = self.literal_text(call, &arguments, options_at, "options")?;
                match Options::parse(&letters, every) {
                    Ok(options) => options,
                    Err(letter) => {
                        let expected = if every {
                            "the letters `c`, `g`, `i`, `l`, `s`"
                        } else {
                            "the letters `c`, `i`, `l`, `s`"
                        };
                        let kind = ProblemKind::BadArgument {
                            function: call.name.to_owned(),
                            argument: letter.to_string(),
                            expected: expected.to_owned(),
                        };
                        return self.report(kind, run);
                    }
                }
            }
        };
        let pattern_run = arguments.get(1)?.run;
        let regex = match options.compile(&pattern, special == Special::RegexpFullMatch) {
            Ok(regex) => regex,
            Err(message) => return self.report(ProblemKind::BadPattern { message }, pattern_run),
        };
        let (operation, kind): (Arc<dyn Operation>, Type) = match special {
            Special::RegexpExtract => {
                let group = match arguments.get(2).map(|argument| (&argument.literal, argument.run)) {
                    None => 0,
                    Some((Some(Value::Integer(group @ 0..=9)), _)) => *group as usize,
                    Some((_, run)) => {
                        let kind = ProblemKind::BadArgument {
                            function: call.name.to_owned(),
                            argument: "the group".to_owned(),
                            expected: "a whole number from 0 to 9".to_owned(),
                        };
                        return self.report(kind, run);
                    }
                };
                let operation = one_text::<S>(move |text, out| {
                    if group == 0 {
                        out.push_str(regex.find(text).map_or("", |found| found.as_str()));
                    } else if let Some(captures) = regex.captures(text) {
                        out.push_str(captures.get(group).map_or("", |found| found.as_str()));
                    }
                    Ok(Some(()))
                });
                (operation, Type::Text)
            }
            Special::RegexpReplace => {
                let replacement = self.literal_text(call, &arguments, 2, "replacement")?;
                let Some(replacement) = Replacement::parse(&replacement, regex.captures_len() - 1) else {
                    let run = arguments.get(2)?.run;
                    let kind = ProblemKind::BadArgument {
                        function: call.name.to_owned(),
                        argument: replacement,
                        expected: format!(
                            "text in which `\\0` to `\\{}` are groups of the pattern and `\\\\` is a backslash",
                            regex.captures_len() - 1
                        ),
                    };
                    return self.report(kind, run);
                };
                let operation = one_text::<S>(move |text, out| {
                    replacement.replace(&regex, text, options.every, out);
                    Ok(Some(()))
                });
                (operation, Type::Text)
            }
            _ => (one::<S, B>(move |text| Ok(Some(regex.is_match(text)))), Type::Boolean),
        };
        let text = arguments.into_iter().next()?;
        Some(self.apply(operation, vec![text], kind, call.run))
    }
}
