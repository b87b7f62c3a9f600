//! Everything that can be wrong with a spec.

mod words;

use trainyard_diagnostics::{Diagnostic, Place};

use crate::declare::Spot;
use crate::{Difference, Located, Origin, Part, Task};

/// Says what is wrong with a spec; fields, of which [`Error::diagnostic`] makes sentences.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A text is no YAML.
    Syntax {
        /// Where reading stopped.
        place: Place,
        /// What the parser says.
        info: String,
        /// Whether the text holds the marks of a merge conflict.
        conflict: bool,
        /// The bracket that is still open there.
        open: Option<Place>,
    },
    /// A text holds more than one document.
    ManyDocuments {
        /// Where the second one begins.
        place: Place,
    },
    /// A text is too long, too deep, or repeats too much.
    TooLarge {
        /// Where the limit was reached.
        place: Place,
        /// The limit.
        limit: &'static str,
    },
    /// A tag asks for a type of somebody's own.
    Tag {
        /// Where it stands.
        place: Place,
        /// The tag.
        tag: String,
    },
    /// A key is a list or a section.
    KeyNotText {
        /// Where it stands.
        place: Place,
    },
    /// A key stands twice in one section.
    DuplicateKey {
        /// The second one.
        key: Located<String>,
        /// The first one.
        first: Origin,
    },
    /// A name and its alias both stand in one section.
    SameThing {
        /// The second one.
        key: Located<String>,
        /// The first one.
        first: Located<String>,
        /// The name of the thing.
        name: String,
    },
    /// A section does not know a key.
    UnknownKey {
        /// The key.
        key: Located<String>,
        /// The keys that lead to the section; empty for a whole file.
        section: String,
        /// What the file is.
        file: &'static str,
        /// The keys that the section knows.
        known: Vec<String>,
    },
    /// A section lacks a key.
    MissingKey {
        /// The section.
        section: Spot,
        /// What the file is.
        file: &'static str,
        /// The key.
        key: String,
        /// What could stand there.
        example: &'static str,
    },
    /// A value is of another type.
    WrongType {
        /// The value.
        spot: Spot,
        /// What could stand there.
        expected: String,
        /// What stands there.
        found: &'static str,
        /// The text of a single value.
        text: Option<String>,
    },
    /// A value is beyond its bounds.
    OutOfRange {
        /// The value.
        spot: Spot,
        /// The value as written.
        value: String,
        /// The bounds.
        range: String,
        /// The library whose bounds these are.
        whose: Option<&'static str>,
    },
    /// A value is none of the known ones.
    NotOneOf {
        /// The value.
        spot: Spot,
        /// The value as written.
        value: String,
        /// The known ones.
        known: Vec<String>,
    },
    /// Something is empty that may not be.
    Empty {
        /// Where.
        spot: Spot,
        /// What it needs: text, a name.
        needs: &'static str,
    },
    /// A name holds what names may not hold.
    BadName {
        /// The name.
        spot: Spot,
        /// The name as written.
        name: String,
        /// Why it cannot be one.
        why: String,
    },
    /// No metric has this name.
    UnknownMetric {
        /// The name.
        spot: Spot,
        /// The name as written.
        name: String,
        /// The known ones.
        known: Vec<String>,
    },
    /// A metric belongs to the other task.
    OtherTask {
        /// The metric, or the estimator.
        spot: Spot,
        /// The name.
        name: String,
        /// What it is: a metric, an estimator.
        what: &'static str,
        /// What it is for: classification, regression.
        of: &'static str,
        /// The task of the project.
        task: Task,
        /// What makes the task what it is.
        because: Origin,
        /// The names that fit.
        known: Vec<String>,
    },
    /// A metric is measured, and decides nothing.
    Measured {
        /// The metric.
        spot: Spot,
        /// The name.
        name: String,
    },
    /// Two gates say the same thing.
    DuplicateGate {
        /// The second one.
        key: Located<String>,
        /// The first one.
        first: Located<String>,
        /// The metric.
        metric: String,
    },
    /// A limit on losses stands under `gates`, and there is no promotion.
    LossWithoutPromotion {
        /// The limit's key.
        key: Located<String>,
        /// The metric.
        metric: String,
    },
    /// A promotion asks for a gain, and only for a model that is not worse.
    GainWithoutBetter {
        /// The key of the gain.
        gain: Origin,
        /// The key of what it takes.
        when: Origin,
    },
    /// A file that should hold a policy has neither gates nor a promotion.
    NoPolicy {
        /// The file.
        spot: Spot,
    },
    /// A gate bounds the worst slice, and there are no slices.
    WorstSliceWithoutSlices {
        /// The metric that is bounded.
        metric: Located<String>,
    },
    /// The master data is to be versioned, and is no file of the project.
    MasterIsNoFile {
        /// Where that is asked for.
        master: Origin,
        /// Where the source stands.
        source: Origin,
    },
    /// Folds are to be made again, and they are the blocks of a split by time.
    RepeatsByTime {
        /// How often.
        repeats: Located<u32>,
        /// The column of the order of time.
        by_time: Located<String>,
    },
    /// The task has no positive class, and one is given.
    TargetConflict {
        /// The positive class.
        positive: Located<String>,
        /// The task.
        task: Located<Task>,
    },
    /// A threshold is given, and the task has no positive class to pass it.
    ThresholdWithoutPositive {
        /// The threshold.
        threshold: Origin,
        /// The task.
        task: Task,
        /// What makes the task what it is.
        because: Origin,
    },
    /// A calibration is asked for, and the task has no probabilities.
    CalibrationWithoutClasses {
        /// The section.
        calibrate: Origin,
        /// What makes the task what it is.
        because: Origin,
    },
    /// A calibration asks for validation rows, and the split has none.
    CalibrationWithoutValidation {
        /// `prefit`.
        rows: Origin,
    },
    /// A rule for the threshold has a value that it does not use.
    ValueWithoutBound {
        /// The value.
        value: Origin,
        /// The rule.
        rule: &'static str,
    },
    /// Target, key or weight is dropped, or one column is two of them.
    ColumnConflict {
        /// The second mention.
        name: Located<String>,
        /// The first mention.
        first: Located<String>,
        /// What the second one is: the key, dropped.
        second_role: &'static str,
        /// What the first one is.
        first_role: &'static str,
    },
    /// Two keys of a CSV dialect name one character.
    SameCharacter {
        /// The character.
        character: char,
        /// The key of the second mention.
        second_key: &'static str,
        /// The second mention.
        second: Origin,
        /// The key of the first mention, which may be the default.
        first_key: &'static str,
        /// The first mention.
        first: Origin,
    },
    /// Two settings of a split exclude each other.
    SplitConflict {
        /// The key of the one that stands.
        first: Located<String>,
        /// The key of the one that can't stand beside it.
        second: Located<String>,
        /// Why not.
        why: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A range of a search holds nothing that can be chosen.
    SearchRange {
        /// The range.
        spot: Spot,
        /// What is wrong with it.
        what: String,
        /// What to do.
        help: String,
    },
    /// A source is no address of a table.
    Source {
        /// The value.
        spot: Spot,
        /// What is wrong with it.
        what: String,
        /// What to do.
        help: String,
    },
    /// A source holds a password.
    PasswordInSource {
        /// Where, in words: nothing of the value is shown.
        place: String,
        /// What the address begins with.
        scheme: String,
    },
    /// A parameter of an estimator needs another.
    LoneParameter {
        /// Its key.
        key: Located<String>,
        /// What it needs: `loss: quantile`.
        needs: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Two parameters of an estimator exclude each other.
    ParameterConflict {
        /// The key of the one that stands.
        first: Located<String>,
        /// The key of the one that can't stand beside it.
        second: Located<String>,
        /// Why not.
        why: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// Categories are left to an estimator that cannot split them.
    NativeCategories {
        /// The candidate's name, or that of the baseline's estimator.
        name: Located<String>,
        /// The estimator.
        estimator: String,
        /// The first column whose categories they are.
        column: String,
        /// What leaves them.
        encode: Origin,
    },
    /// A direction is given to a column whose categories have no order.
    DirectionOfCategories {
        /// The direction.
        way: Origin,
        /// The column.
        column: String,
        /// What leaves its categories as they are.
        encode: Origin,
    },
    /// Two settings of a group of features exclude each other.
    GroupConflict {
        /// The key of the one that stands.
        first: Located<String>,
        /// The key of the one that can't stand beside it.
        second: Located<String>,
        /// Why not.
        why: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// The shares of a split add up to more than 1.
    SharesAboveOne {
        /// The section.
        spot: Spot,
        /// The sum.
        sum: f64,
        /// The shares with their names.
        shares: Vec<(&'static str, f64)>,
    },
    /// The shares of a split add up to less than 1.
    SharesBelowOne {
        /// The section.
        spot: Spot,
        /// The sum.
        sum: f64,
        /// The shares with their names.
        shares: Vec<(&'static str, f64)>,
    },
    /// An estimator is not known.
    UnknownEstimator {
        /// The name.
        spot: Spot,
        /// The name as written.
        name: String,
        /// The known ones.
        known: Vec<String>,
    },
    /// A group is of no kind or of several kinds.
    GroupKind {
        /// The group.
        spot: Spot,
        /// The keys of the group.
        keys: Vec<Located<String>>,
    },
    /// The path of a `--set` is none.
    SetPath {
        /// The flag.
        flag: Origin,
    },
    /// The path of a `--set` leads through a value that is no section.
    SetThrough {
        /// The flag.
        flag: Origin,
        /// The keys that lead to the value.
        through: String,
        /// The value.
        value: Origin,
    },
    /// The value of a `--set` is no YAML.
    SetValue {
        /// The flag.
        flag: Origin,
    },
    /// An environment is not known.
    UnknownEnvironment {
        /// The name.
        name: String,
        /// The known ones.
        known: Vec<String>,
    },
    /// A version does not exist.
    UnknownVersion {
        /// Where it is chosen.
        chosen: Origin,
        /// Of what.
        part: Part,
        /// The version.
        version: u32,
        /// The versions that there are.
        known: Vec<u32>,
        /// Whether a run has used it.
        used: bool,
    },
    /// A version may not be used any more.
    Retired {
        /// Where it says so.
        status: Origin,
        /// Where it is chosen.
        chosen: Origin,
        /// Of what.
        part: Part,
        /// The version.
        version: u32,
        /// The versions that may be used.
        usable: Vec<u32>,
    },
    /// A version was edited after a run has used it.
    Edited {
        /// The file.
        place: Place,
        /// Of what.
        part: Part,
        /// The version.
        version: u32,
        /// The run that first used it.
        run: Option<String>,
        /// The first version that is free.
        next: u32,
        /// What was changed since, as far as is known.
        differences: Vec<Difference>,
    },
    /// The key or the target was changed under a split that a run has used.
    SplitUnder {
        /// Where it is now.
        spot: Spot,
        /// What was changed: `data.key`, `data.target.column`, `data.target.positive`.
        what: &'static str,
        /// What it was.
        was: Option<String>,
        /// What it is.
        is: Option<String>,
        /// The split version.
        version: u32,
        /// The run that first used it.
        run: Option<String>,
        /// The first version that is free.
        next: u32,
    },
    /// The lock was damaged.
    Lock {
        /// How.
        error: Box<Error>,
    },
    /// There are more problems than are told.
    ManyMore {
        /// How many.
        more: usize,
    },
    /// A recorded configuration is not one.
    Record {
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// Says it in the user's words: what, where, the other place, one thing to do.
    pub fn diagnostic(&self) -> Diagnostic {
        words::diagnostic(self)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        error.diagnostic()
    }
}
