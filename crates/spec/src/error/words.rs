//! What the user reads.

use trainyard_diagnostics::{Diagnostic, Fault, count, nearest, one_of};

use crate::declare::{Record, Spot};
use crate::features::GROUP_KINDS;
use crate::{Difference, Error, FeatureSpec, Located, ModelSpec, Origin, Part, SplitSpec, Task};

/// The most names that a message lists.
const LISTED: usize = 14;

pub(super) fn diagnostic(error: &Error) -> Diagnostic {
    match error {
        Error::Syntax { .. }
        | Error::ManyDocuments { .. }
        | Error::TooLarge { .. }
        | Error::Tag { .. }
        | Error::KeyNotText { .. }
        | Error::DuplicateKey { .. } => yaml(error),
        Error::UnknownKey { key, section, file, known } => unknown_key(key, section, file, known),
        Error::MissingKey { section, file, key, example } => missing_key(section, file, key, example),
        Error::WrongType { .. } | Error::OutOfRange { .. } | Error::NotOneOf { .. } | Error::Empty { .. } => {
            value(error)
        }
        Error::UnknownEnvironment { .. }
        | Error::UnknownVersion { .. }
        | Error::Retired { .. }
        | Error::Edited { .. }
        | Error::SplitUnder { .. } => version(error),
        Error::SetPath { .. } | Error::SetThrough { .. } | Error::SetValue { .. } => flag(error),
        _ => meaning(error),
    }
}

fn yaml(error: &Error) -> Diagnostic {
    match error {
        Error::Syntax { place, info, conflict, open } => {
            let mut diagnostic = Diagnostic::error("spec/syntax", "this is not YAML").at(place.clone(), info.clone());
            if *conflict {
                return diagnostic.help("resolve the merge conflict: lines with <<<<<<<, ======= and >>>>>>>");
            }
            if let Some(open) = open {
                diagnostic = diagnostic.also(open.clone(), "this bracket is open");
            }
            diagnostic
                .help("look for a quote or bracket that is not closed, a tab, or lines that are not indented alike")
        }
        Error::ManyDocuments { place } => {
            Diagnostic::error("spec/many-documents", "the file holds more than one document")
                .at(place.clone(), "a second document begins here")
                .help("remove the line with ---, or move what follows to a file of its own")
        }
        Error::TooLarge { place, limit } => {
            Diagnostic::error("spec/too-large", format!("the file is beyond the limit of {limit}"))
                .at(place.clone(), "the limit is reached here")
                .help("write what is repeated or nested here with fewer values")
        }
        Error::Tag { place, tag } => Diagnostic::error("spec/tag", format!("the tag `{tag}` means nothing here"))
            .at(place.clone(), "values need no tag")
            .help("remove the tag; quotes make a text of a number"),
        Error::KeyNotText { place } => Diagnostic::error("spec/key-not-text", "a key is a list or a section")
            .at(place.clone(), "a key is a name")
            .help("give it a name, or quote it"),
        Error::DuplicateKey { key, first } => {
            let title = format!("`{}` is written twice", key.value);
            let diagnostic = key.origin.point(Diagnostic::error("spec/duplicate-key", title), "the second one");
            also(diagnostic, first, "the first one").help("keep one of them")
        }
        _ => meaning(error),
    }
}

fn unknown_key(key: &Located<String>, section: &str, file: &str, known: &[String]) -> Diagnostic {
    let owner = if section.is_empty() { file.to_owned() } else { format!("`{section}`") };
    let title = format!("{owner} has no key `{}`", key.value);
    let diagnostic = key.origin.point(Diagnostic::error("spec/unknown-key", title), "not a known key");
    let versioned =
        [(Part::Split, SplitSpec::KEYS), (Part::Features, FeatureSpec::KEYS), (Part::Model, ModelSpec::KEYS)];
    if let Some(near) = nearest(&key.value, known.iter().map(String::as_str)) {
        return diagnostic.help(format!("did you mean `{near}`?"));
    }
    if section.is_empty()
        && file == "trainyard.yaml"
        && let Some((part, _)) = versioned.iter().find(|(_, keys)| keys.contains(&key.value.as_str()))
    {
        return diagnostic
            .note("--set and environments change keys of trainyard.yaml only")
            .help(format!("write it in a new version under versions/{}, and choose that version", part.folder()));
    }
    if known.is_empty() {
        return diagnostic.help("remove it: nothing can be set here");
    }
    if section == "gates" {
        // Its short names are many, and made alike.
        let short = "short names such as min_accuracy and max_f1_regression";
        return diagnostic.help(format!("known here: at_least or at_most; {short}"));
    }
    diagnostic.help(format!("known here: {}", listed(known)))
}

fn missing_key(section: &Spot, file: &str, key: &str, example: &str) -> Diagnostic {
    let (title, text) = if section.path.is_empty() {
        (format!("{file} has no `{key}`"), format!("`{key}` is missing"))
    } else {
        (format!("`{}` has no `{key}`", section.path), format!("needs `{key}`"))
    };
    let diagnostic = section.origin.point(Diagnostic::error("spec/missing-key", title), text);
    diagnostic.help(format!("add `{key}: {example}`"))
}

fn value(error: &Error) -> Diagnostic {
    match error {
        Error::WrongType { spot, expected, found, text } => {
            let title = format!("{} must be {expected}", subject(spot));
            let label = format!("this is {found}");
            let diagnostic = spot.origin.point(Diagnostic::error("spec/wrong-type", title), label);
            diagnostic.help(advice(expected, found, text.as_deref()))
        }
        Error::OutOfRange { spot, value, range, whose } => {
            let title = format!("{} cannot be {}", subject(spot), cited(value));
            let label = match whose {
                Some(library) => format!("{library} takes {range}"),
                None => format!("must be {range}"),
            };
            let diagnostic = spot.origin.point(Diagnostic::error("spec/out-of-range", title), label);
            let percent = value.parse::<f64>().ok().filter(|value| *value > 1.0 && *value <= 100.0);
            match percent {
                Some(percent) if range.ends_with(" 1") => {
                    diagnostic.help(format!("write {} for {value}%", percent / 100.0))
                }
                _ => diagnostic.help(format!("choose {range}")),
            }
        }
        Error::NotOneOf { spot, value, known } => {
            let title = format!("{} cannot be {}", subject(spot), cited(value));
            let diagnostic = Diagnostic::error("spec/unknown-value", title);
            match nearest(value, known.iter().map(String::as_str)) {
                Some(near) => {
                    let diagnostic = spot.origin.point(diagnostic, format!("must be {}", listed(known)));
                    diagnostic.help(format!("did you mean `{near}`?"))
                }
                None => spot.origin.point(diagnostic, "not a known value").help(format!("choose {}", listed(known))),
            }
        }
        Error::Empty { spot, needs } => {
            let title = format!("{} is empty", subject(spot));
            let diagnostic = spot.origin.point(Diagnostic::error("spec/empty", title), format!("needs {needs}"));
            diagnostic.help("fill it in")
        }
        _ => meaning(error),
    }
}

/// Says what to write in place of a value of another type.
fn advice(expected: &str, found: &str, text: Option<&str>) -> String {
    match (expected, text) {
        ("true or false", Some(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "1" => "write `true`".to_owned(),
            "no" | "off" | "n" | "0" => "write `false`".to_owned(),
            _ => "write `true` or `false`".to_owned(),
        },
        ("a number" | "a whole number", Some(text)) if text.trim().parse::<f64>().is_ok() => match found {
            "text" => "remove the quotes".to_owned(),
            _ => "write it without a fraction or an exponent".to_owned(),
        },
        ("a whole number", Some(text))
            if text.strip_prefix(['v', 'V']).is_some_and(|rest| rest.parse::<u32>().is_ok()) =>
        {
            format!("write `{}`", text.trim_start_matches(['v', 'V']))
        }
        ("a number", Some(text)) if text.ends_with('%') => "write a share, such as 0.2 for 20%".to_owned(),
        ("a list", Some(text)) => format!("write `[{text}]`"),
        _ => format!("replace it by {expected}"),
    }
}

fn version(error: &Error) -> Diagnostic {
    match error {
        Error::UnknownEnvironment { name, known } => {
            let title = format!("there is no environment `{name}`");
            let diagnostic = Diagnostic::error("spec/unknown-environment", title)
                .with_fault(Fault::CommandLine)
                .note("--env or TRAINYARD_ENV chooses it");
            match nearest(name, known.iter().map(String::as_str)) {
                _ if known.is_empty() => diagnostic.help(format!("write environments/{name}.yaml, or choose none")),
                Some(near) => diagnostic.help(format!("did you mean `{near}`? Known: {}", listed(known))),
                None => diagnostic.help(format!("choose {}, or write environments/{name}.yaml", listed(known))),
            }
        }
        Error::UnknownVersion { chosen, part, version, known, used } => {
            let title = format!("there is no {} version {version}", noun(*part));
            let diagnostic = Diagnostic::error("versions/unknown", title);
            let diagnostic = chosen.point(diagnostic, format!("{} does not exist", part.path(*version)));
            if *used {
                return diagnostic
                    .note(format!("versions/lock.yaml says that a run has used v{version}"))
                    .help(format!("bring {} back, as it was", part.path(*version)));
            }
            let known: Vec<String> = known.iter().map(u32::to_string).collect();
            if known.is_empty() {
                diagnostic.help(format!("write {}", part.path(*version)))
            } else {
                diagnostic.help(format!("choose version {}, or write {}", listed(&known), part.path(*version)))
            }
        }
        Error::Retired { status, chosen, part, version, usable } => {
            let title = format!("{} version {version} is retired", noun(*part));
            let diagnostic = Diagnostic::error("versions/retired", title);
            let diagnostic = chosen.point(diagnostic, "chosen here");
            let diagnostic = also(diagnostic, status, "retired here");
            let usable: Vec<String> = usable.iter().map(u32::to_string).collect();
            if usable.is_empty() {
                diagnostic.help("write a new version, and choose it")
            } else {
                diagnostic.help(format!("choose version {}", listed(&usable)))
            }
        }
        Error::Edited { place, part, version, run, next, differences } => {
            let title = format!("{} version {version} was edited after it was used", noun(*part));
            let mut diagnostic = Diagnostic::error("versions/edited", title).at(
                differences.first().and_then(|first| first.origin.place()).unwrap_or_else(|| place.clone()),
                format!("v{version} was used by {}; write v{next}", by(run.as_deref())),
            );
            for difference in differences.iter().take(MOST_DIFFERENCES) {
                diagnostic = diagnostic.note(changed(difference));
            }
            diagnostic = match differences.len().checked_sub(MOST_DIFFERENCES) {
                None if differences.is_empty() => diagnostic.note("versions/lock.yaml knows what it said"),
                None | Some(0) => diagnostic,
                Some(more) => diagnostic.note(format!("and {more} more")),
            };
            diagnostic.help(format!("move the edit to {}, and choose version {next}", part.path(*next)))
        }
        Error::SplitUnder { spot, what, was, is, version, run, next } => {
            let title = format!("`{what}` was changed under split version {version}, which is in use");
            let diagnostic = Diagnostic::error("versions/split-in-use", title);
            let name =
                |column: &Option<String>| column.as_ref().map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
            let label = format!("was {}, is {}", name(was), name(is));
            spot.origin
                .point(diagnostic, label)
                .note(format!("{} froze a reference test with the old one", by(run.as_deref())))
                .help(format!("write {}, and choose version {next}", Part::Split.path(*next)))
        }
        _ => meaning(error),
    }
}

/// The most changes of a version that are told.
const MOST_DIFFERENCES: usize = 5;

/// The most letters of a value that are told.
const MOST_LETTERS: usize = 60;

/// Says what was changed.
fn changed(difference: &Difference) -> String {
    let told = |value: &str| match value.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    };
    let path = &difference.path;
    match (&difference.was, &difference.is) {
        (Some(was), Some(is)) => format!("`{path}` was {}, is {}", told(was), told(is)),
        (Some(was), None) => format!("`{path}` is gone; it was {}", told(was)),
        (None, Some(is)) => format!("`{path}` is new: {}", told(is)),
        (None, None) => format!("`{path}` was changed"),
    }
}

fn flag(error: &Error) -> Diagnostic {
    match error {
        Error::SetPath { flag } => {
            let diagnostic = Diagnostic::error("spec/set-path", "--set needs the path of a key");
            flag.point(diagnostic, "a few keys joined by dots, none of them empty").help("write --set data.key=id")
        }
        Error::SetThrough { flag, through, value } => {
            let title = format!("`{through}` is a single value, not a section");
            let diagnostic = flag.point(Diagnostic::error("spec/set-path", title), "asks for a key of it");
            also(diagnostic, value, "the value").help(format!("set all of it: --set '{through}={{key: value}}'"))
        }
        Error::SetValue { flag } => {
            let diagnostic = Diagnostic::error("spec/set-value", "the value of --set is not YAML");
            flag.point(diagnostic, "cannot be read").help("quote it inside the shell's quotes: --set 'key=\"a: b\"'")
        }
        _ => meaning(error),
    }
}

/// What is wrong with what values mean.
fn meaning(error: &Error) -> Diagnostic {
    match error {
        Error::SameThing { key, first, name } => {
            let title = format!("`{name}` is given twice");
            let diagnostic = key.origin.point(Diagnostic::error("spec/same-thing", title), "the second one");
            let text = if first.value == key.value {
                "the first one".to_owned()
            } else {
                format!("means the same as `{}`", key.value)
            };
            also(diagnostic, &first.origin, text).help("keep one of them")
        }
        Error::BadName { spot, name, why } => {
            let title = format!("{} cannot be {}", subject(spot), cited(name));
            let diagnostic = spot.origin.point(Diagnostic::error("spec/bad-name", title), why.clone());
            diagnostic.help("choose another name")
        }
        Error::UnknownMetric { spot, name, known } => {
            let diagnostic = Diagnostic::error("spec/unknown-metric", format!("there is no metric {}", cited(name)));
            near_or_known(spot.origin.point(diagnostic, "not a known metric"), name, known)
        }
        Error::OtherTask { spot, name, what, of, task, because, known } => {
            let task = task_in_words(*task);
            let title = format!("`{name}` is {} {what} for {of}, and this project is {task}", article(what));
            let diagnostic = spot.origin.point(Diagnostic::error("spec/other-task", title), format!("for {of} only"));
            also(diagnostic, because, format!("makes it {task}")).help(format!("choose {}", listed(known)))
        }
        Error::Measured { spot, name } => {
            let title = format!("`{name}` is measured with a clock, and cannot decide here");
            let diagnostic =
                spot.origin.point(Diagnostic::error("spec/measured-metric", title), "differs from run to run");
            diagnostic.help(format!("bound it by a gate: `gates: {{at_most: {{{name}: 10}}}}`"))
        }
        Error::DuplicateGate { key, first, metric } => {
            let title = format!("two gates bound `{metric}` on the same side");
            let diagnostic = key.origin.point(Diagnostic::error("spec/duplicate-gate", title), "the second one");
            also(diagnostic, &first.origin, "the first one").help("keep one of them")
        }
        Error::LossWithoutPromotion { key, metric } => {
            let title = format!("a limit on what `{metric}` may lose, and nothing to lose it against");
            let diagnostic =
                key.origin.point(Diagnostic::error("spec/loss-without-promotion", title), "needs `promote`");
            diagnostic.help("add `promote: {alias: champion}`, so that models are compared")
        }
        Error::GainWithoutBetter { gain, when } => {
            let title = "`minimum_gain` asks for a better model, and `when` only for one that is not worse";
            let diagnostic = gain.point(Diagnostic::error("spec/gain-without-better", title), "asks for a gain");
            also(diagnostic, when, "asks for none").help("write `when: better`, or leave `minimum_gain` out")
        }
        Error::NoPolicy { spot } => {
            let diagnostic = Diagnostic::error("spec/no-policy", "the file has neither `gates` nor `promote`");
            spot.origin
                .point(diagnostic, "says nothing of what is promoted")
                .help("write one of the two sections as in trainyard.yaml: `gates: {at_least: {roc_auc: 0.8}}`")
        }
        Error::WorstSliceWithoutSlices { metric } => {
            let title = format!("a gate bounds `{}` of the worst slice, and there are no slices", metric.value);
            let diagnostic = Diagnostic::error("spec/worst-slice-without-slices", title);
            let diagnostic = metric.origin.point(diagnostic, "needs `evaluate.slices`");
            diagnostic.help("name the columns to cut the test by: `evaluate: {slices: [COLUMN]}`")
        }
        Error::MasterIsNoFile { master, source } => {
            let title = "only master data that is one file of the project can be versioned with it";
            let diagnostic = Diagnostic::error("spec/master-is-no-file", title);
            let diagnostic = source.point(diagnostic, "this is something else");
            let diagnostic = match master.place() {
                Some(place) => diagnostic.also(place, "asks for it"),
                None => diagnostic,
            };
            diagnostic.help("leave `master` out; a folder or a database file of the project goes to `versioning.paths`")
        }
        Error::RepeatsByTime { repeats, by_time } => {
            let title = "folds of a split by time cannot be repeated";
            let diagnostic = Diagnostic::error("spec/repeats-by-time", title);
            let diagnostic =
                repeats.origin.point(diagnostic, "the blocks of time lie where they lie: every repeat is the same");
            also(diagnostic, &by_time.origin, "the order of time").help("leave `repeats` out, or take more `folds`")
        }
        Error::TargetConflict { positive, task } => {
            let words = task_in_words(task.value);
            let diagnostic = Diagnostic::error("spec/target-conflict", format!("{words} has no positive class"));
            let diagnostic = positive.origin.point(diagnostic, "a positive class");
            also(diagnostic, &task.origin, format!("asks for {words}")).help("remove one of them")
        }
        Error::ThresholdWithoutPositive { threshold, task, because } => {
            let words = task_in_words(*task);
            let title = format!("a threshold decides between two classes, and this project is {words}");
            let diagnostic = Diagnostic::error("spec/threshold-without-positive", title);
            let diagnostic = threshold.point(diagnostic, "decides nothing here");
            also(diagnostic, because, format!("makes it {words}")).help("leave `threshold` out")
        }
        Error::CalibrationWithoutClasses { calibrate, because } => {
            let title = "a calibration makes probabilities, and this project is regression";
            let diagnostic = Diagnostic::error("spec/calibration-without-classes", title);
            let diagnostic = calibrate.point(diagnostic, "has nothing to map");
            also(diagnostic, because, "makes it regression".to_owned()).help("leave `calibrate` out")
        }
        Error::CalibrationWithoutValidation { rows } => {
            let title = "the calibration is to be fitted to validation rows, and the split has none";
            let diagnostic = Diagnostic::error("spec/calibration-without-validation", title);
            rows.point(diagnostic, "means the validation rows")
                .help("write a number of folds, such as 5, or give the split a share `validation`")
        }
        Error::ValueWithoutBound { value, rule } => {
            let diagnostic =
                Diagnostic::error("spec/value-without-bound", format!("the rule {rule} has no bound to keep"));
            value.point(diagnostic, "says nothing here").help(format!("leave it out: `threshold: {rule}`"))
        }
        Error::ColumnConflict { name, first, second_role, first_role } => {
            let title = if second_role == first_role {
                format!("`{}` is {first_role} twice", name.value)
            } else {
                format!("`{}` is {first_role} and {second_role} at once", name.value)
            };
            let diagnostic = name.origin.point(Diagnostic::error("spec/column-conflict", title), *second_role);
            also(diagnostic, &first.origin, *first_role).help("keep one of them")
        }
        Error::SameCharacter { character, second_key, second, first_key, first } => {
            let title = format!("`{first_key}` and `{second_key}` are both {character:?}");
            let diagnostic = second.point(Diagnostic::error("spec/same-character", title), "the same character");
            let help = match (first.place(), *first_key) {
                (None, "data.delimiter") => {
                    "say in `data.delimiter` what stands between the cells of a line".to_owned()
                }
                _ => "give each a character of its own".to_owned(),
            };
            also(diagnostic, first, format!("`{first_key}`")).help(help)
        }
        Error::SplitConflict { first, second, why, help } => {
            exclusive(Diagnostic::error("spec/split-conflict", excluding(first, second)), first, second, why)
                .help(*help)
        }
        Error::SearchRange { spot, what, help } => {
            let title = format!("`{}` cannot be searched: {what}", spot.path);
            spot.origin.point(Diagnostic::error("spec/search-range", title), "this is sought").help(help.clone())
        }
        Error::Source { spot, what, help } => {
            let diagnostic = Diagnostic::error("spec/source", what.clone());
            spot.origin.point(diagnostic, "this is the source").help(help.clone())
        }
        Error::PasswordInSource { place, scheme } => {
            let to = match scheme.as_str() {
                "s3" => "give it as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                "gs" => "name the file of a service account in GOOGLE_APPLICATION_CREDENTIALS",
                "az" | "abfs" | "abfss" => "give it as AZURE_STORAGE_ACCOUNT_KEY",
                "http" | "https" => "ask for an address that is signed, or fetch the file before",
                _ => "put it into the variable PGPASSWORD or into ~/.pgpass",
            };
            Diagnostic::error("spec/password", "the address of the source holds a password")
                .note(format!("in {place}, where others may find it"))
                .help(format!("take it out, and {to}"))
        }
        Error::GroupConflict { first, second, why, help } => {
            exclusive(Diagnostic::error("spec/group-conflict", excluding(first, second)), first, second, why)
                .help(*help)
        }
        Error::NativeCategories { name, estimator, column, encode } => {
            let title = format!("`{estimator}` cannot split the categories of `{column}` by sets");
            let diagnostic = Diagnostic::error("spec/native-categories", title);
            let diagnostic = name.origin.point(diagnostic, "takes numbers alone");
            also(diagnostic, encode, "leaves the categories to the estimator")
                .help("encode them as one_hot or ordinal, or use gradient_boosting or lightgbm in its place")
        }
        Error::DirectionOfCategories { way, column, encode } => {
            let title = format!("`monotonic_cst` gives a direction to `{column}`, whose categories have no order");
            let diagnostic = Diagnostic::error("spec/direction-of-categories", title);
            let diagnostic = way.point(diagnostic, "has nothing to follow");
            also(diagnostic, encode, "leaves the categories as they are")
                .help(format!("take `{column}` out of `monotonic_cst`, or encode it as ordinal"))
        }
        Error::LoneParameter { key, needs, why } => {
            let name = &key.value;
            let title = format!("`{name}` needs `{needs}`");
            let diagnostic = key.origin.point(Diagnostic::error("spec/lone-parameter", title), *why);
            diagnostic.help(format!("write `{needs}` beside it, or leave `{name}` out"))
        }
        Error::ParameterConflict { first, second, why, help } => {
            let title = format!("`{}` and `{}` exclude each other here", first.value, second.value);
            let diagnostic = second.origin.point(Diagnostic::error("spec/parameter-conflict", title), *why);
            also(diagnostic, &first.origin, "beside this").help(*help)
        }
        Error::SharesAboveOne { spot, sum, shares } => {
            let diagnostic = Diagnostic::error("spec/shares-above-one", "the shares add up to more than 1");
            let label = format!("{} = {}", sum_of(shares), rounded(*sum));
            spot.origin.point(diagnostic, label).help(format!("take {} away from one of them", rounded(sum - 1.0)))
        }
        Error::SharesBelowOne { spot, sum, shares } => {
            let diagnostic = Diagnostic::error("spec/shares-below-one", "the shares add up to less than 1");
            let label = format!("{} = {}", sum_of(shares), rounded(*sum));
            spot.origin.point(diagnostic, label).help(format!("add {} to one of them", rounded(1.0 - sum)))
        }
        Error::UnknownEstimator { spot, name, known } => {
            let diagnostic =
                Diagnostic::error("spec/unknown-estimator", format!("there is no estimator {}", cited(name)));
            let diagnostic = spot.origin.point(diagnostic, "not a known estimator");
            match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => {
                    diagnostic.help(format!("choose {}; a name of your own needs `estimator: NAME`", listed(known)))
                }
            }
        }
        Error::GroupKind { spot, keys } => {
            let kinds = GROUP_KINDS.into_iter().filter(|kind| keys.iter().any(|key| key.value == *kind));
            match kinds.collect::<Vec<&str>>().as_slice() {
                [] => {}
                kinds => {
                    let title = format!("a group is {} at once", kinds.join(" and "));
                    let diagnostic =
                        spot.origin.point(Diagnostic::error("spec/group-kind", title), "names several kinds");
                    return diagnostic.help("make a group of each");
                }
            }
            let diagnostic = Diagnostic::error("spec/group-kind", "a group does not say which columns it is for");
            let slip = keys.iter().find_map(|key| Some((key, nearest(&key.value, GROUP_KINDS)?)));
            match slip {
                Some((key, near)) => {
                    key.origin.point(diagnostic, "not a known key").help(format!("did you mean `{near}`?"))
                }
                None => spot.origin.point(diagnostic, "needs `numeric`, `categorical`, `text` or `image`").help(
                    "begin with `numeric: [columns]`, `categorical: [columns]`, `text: column` or `image: {column: \
                         path, size: [8, 8]}`",
                ),
            }
        }
        Error::Lock { error } => {
            let mut diagnostic = diagnostic(error);
            if !matches!(**error, Error::Syntax { conflict: true, .. }) {
                diagnostic.help.clear();
                diagnostic = diagnostic.help("bring versions/lock.yaml back from version control: Trainyard writes it");
            }
            diagnostic
        }
        Error::Record { what } => Diagnostic::error("spec/record", "the record of the configuration cannot be read")
            .note(what.clone())
            .help("use the version of Trainyard that wrote it"),
        Error::ManyMore { more } => {
            let title = format!("{} more problems are not shown", count(*more as u64));
            Diagnostic::error("spec/many-more", title).help("mend those above first")
        }
        // Every other error has words above.
        other => Diagnostic::error("spec/internal", format!("{other:?}")).with_fault(Fault::Internal),
    }
}

fn subject(spot: &Spot) -> String {
    if spot.path.is_empty() { "the file".to_owned() } else { format!("`{}`", spot.path) }
}

fn task_in_words(task: Task) -> &'static str {
    match task {
        Task::Binary => "binary classification",
        Task::Multiclass => "classification of several classes",
        Task::Regression => "regression",
    }
}

/// Cites a value in a title, the beginning of it if it is long.
fn cited(value: &str) -> String {
    let mut characters = value.chars();
    let start: String = characters.by_ref().take(40).collect();
    let more = if characters.next().is_some() { "…" } else { "" };
    format!("`{start}{more}`")
}

fn listed(known: &[String]) -> String {
    one_of(known, LISTED)
}

fn near_or_known(diagnostic: Diagnostic, name: &str, known: &[String]) -> Diagnostic {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("choose {}", listed(known))),
    }
}

fn also(diagnostic: Diagnostic, origin: &Origin, text: impl Into<String>) -> Diagnostic {
    match origin.place() {
        Some(place) => diagnostic.also(place, text),
        None => diagnostic,
    }
}

fn excluding(first: &Located<String>, second: &Located<String>) -> String {
    format!("`{}` and `{}` exclude each other", first.value, second.value)
}

fn exclusive(diagnostic: Diagnostic, first: &Located<String>, second: &Located<String>, why: &str) -> Diagnostic {
    also(second.origin.point(diagnostic, why), &first.origin, "beside this")
}

fn noun(part: Part) -> &'static str {
    match part {
        Part::Split => "split",
        Part::Features => "feature",
        Part::Model => "model",
    }
}

fn by(run: Option<&str>) -> String {
    run.map_or_else(|| "a run".to_owned(), |run| format!("run {run}"))
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn sum_of(shares: &[(&str, f64)]) -> String {
    let parts: Vec<String> = shares.iter().map(|(_, share)| share.to_string()).collect();
    parts.join(" + ")
}

/// Writes a sum without the last digits that adding in doubles leaves.
fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}
