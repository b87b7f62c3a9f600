//! What can be wrong with a suite.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, Place, nearest, one_of};

/// Says what is wrong with a suite.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant says what is wrong; its fields are what its message names")]
pub enum Error {
    /// The bytes are no text as JSON has it.
    Encoding { file: String, what: String },
    /// The text is no JSON.
    NotJson { place: Place, what: String },
    /// The JSON has another form than a suite.
    NotASuite { place: Place, wanted: String },
    /// A key that a suite does not have.
    UnknownKey { place: Place, key: String, known: Vec<&'static str> },
    /// An expectation that there is not.
    UnknownExpectation { place: Place, name: String, known: Vec<String> },
    /// An argument that the expectation does not have.
    UnknownArgument { place: Place, name: String, expectation: String, known: Vec<&'static str> },
    /// An argument that the expectation needs.
    MissingArgument { place: Place, name: &'static str, expectation: String },
    /// An argument that is not what it has to be.
    WrongArgument { place: Place, name: String, wanted: String },
    /// A row condition that can't be read.
    RowCondition { place: Place, what: String },
    /// A severity that there is not.
    UnknownSeverity { place: Place, name: String },
    /// A suite without expectations.
    Empty { place: Place },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}

fn suggest<'a>(problem: Diagnostic, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    match nearest(name, known.clone()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("there are {}", one_of(&known.collect::<Vec<_>>(), 12))),
    }
}

impl Error {
    /// Says it to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::Encoding { file, what } => {
                Diagnostic::error("expectations/encoding", format!("{file} is not plain UTF-8: {what}"))
                    .help("save it as UTF-8 without a byte-order mark")
            }
            Error::NotJson { place, what } => {
                Diagnostic::error("expectations/not-json", format!("{} is no JSON", place.source.name))
                    .at(place.clone(), what.clone())
                    .help("mend it, or write a suite anew: `trainyard data validate init FILE`")
            }
            Error::NotASuite { place, wanted } => {
                let title = format!("{} is no suite of expectations", place.source.name);
                Diagnostic::error("expectations/not-a-suite", title)
                    .at(place.clone(), wanted.clone())
                    .help("a suite is `{\"name\": …, \"expectations\": [{\"type\": …, \"kwargs\": {…}}, …]}`")
            }
            Error::UnknownKey { place, key, known } => {
                let problem = Diagnostic::error("expectations/unknown-key", format!("a suite has no key {key}"))
                    .at(place.clone(), "not known here");
                suggest(problem, key, known.iter().copied())
            }
            Error::UnknownExpectation { place, name, known } => {
                let problem =
                    Diagnostic::error("expectations/unknown-expectation", format!("there is no expectation {name}"))
                        .at(place.clone(), "not known");
                let near = nearest(name, known.iter().map(String::as_str));
                problem.help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "the guide lists all: docs/guide/expectations.md".to_owned(),
                })
            }
            Error::UnknownArgument { place, name, expectation, known } => {
                let title = format!("{expectation} has no argument {name}");
                let problem = Diagnostic::error("expectations/unknown-argument", title)
                    .at(place.clone(), "not among its arguments");
                suggest(problem, name, known.iter().copied())
            }
            Error::MissingArgument { place, name, expectation } => {
                let title = format!("{expectation} needs the argument {name}");
                Diagnostic::error("expectations/missing-argument", title)
                    .at(place.clone(), format!("no `{name}` here"))
                    .help(format!("add `\"{name}\": …`"))
            }
            Error::WrongArgument { place, name, wanted } => Diagnostic::error(
                "expectations/wrong-argument",
                format!("the argument {name} is not what it has to be"),
            )
            .at(place.clone(), wanted.clone())
            .help("mend it here"),
            Error::RowCondition { place, what } => {
                Diagnostic::error("expectations/row-condition", format!("the row condition can't be read: {what}"))
                    .at(place.clone(), "this is the condition")
                    .help("write it as pandas does, such as `tenure > 6 and Contract == \"One year\"`")
            }
            Error::UnknownSeverity { place, name } => {
                let problem =
                    Diagnostic::error("expectations/unknown-severity", format!("there is no severity {name}"))
                        .at(place.clone(), "not known");
                suggest(problem, name, ["critical", "warning", "info"].into_iter())
            }
            Error::Empty { place } => {
                let title = format!("{} holds no expectation: it would let anything through", place.source.name);
                Diagnostic::error("expectations/empty-suite", title)
                    .at(place.clone(), "nothing in here")
                    .help("write one from the data: `trainyard data validate init FILE`")
            }
        }
    }
}

/// Says that the suite `suite` can't be read, because of `error`; `command` writes one from the data.
pub fn missing_suite(suite: &str, error: &std::io::Error, command: &str) -> Diagnostic {
    let title = match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no suite {suite}"),
        _ => format!("the suite {suite} can't be read: {error}"),
    };
    Diagnostic::error("expectations/missing-suite", title).help(format!("write one from the data: `{command}`"))
}
