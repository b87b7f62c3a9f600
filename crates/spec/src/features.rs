//! A feature version: which columns are derived, and how columns become numbers.

use serde_json::{Map, Value, json};

use crate::declare::{
    Decoder, Definitions, Integer, Named, Number, Record, Section, Shape, bare, boolean, choice, defaulted, integer,
    list, map, named, number, optional, or_empty, rec, record, required, text, unless_given,
};
use crate::error::Error;
use crate::image::{ImageSpec, Pixels};
use crate::tree::{Content, Kind, Node};
use crate::{Located, Origin};

/// The library whose bounds these are.
const LIBRARY: &str = "scikit-learn";

record! {
    /// Which columns are derived, and how columns become numbers.
    pub struct FeatureSpec {
        /// Derived columns, each by a row-wise SQL expression: `total_amount: "tenure * MonthlyCharges"`.
        columns: Vec<(Located<String>, Located<String>)> = or_empty(map(text())),
        /// Columns that are treated alike.
        groups: Vec<Group> = required(list(GroupShape).filled(), "[{numeric: [tenure], impute: median}]"),
    }
}

impl FeatureSpec {
    /// Says whether a feature learns from the target.
    pub fn reads_target(&self) -> bool {
        let reads = |group: &Group| matches!(group, Group::Categorical { encode: CategoricalEncode::Target(_), .. });
        self.groups.iter().any(reads)
    }

    /// Gives the columns that are left to splits by sets of categories, each with what says so.
    pub fn native_columns(&self) -> impl Iterator<Item = (&Located<String>, &Origin)> {
        self.groups.iter().flat_map(|group| {
            let (columns, encode) = match group {
                Group::Categorical { columns, encode: CategoricalEncode::Native(encode), .. } => {
                    (columns.as_slice(), &encode.origin)
                }
                Group::Categorical { .. } | Group::Numeric { .. } | Group::Text { .. } | Group::Image { .. } => {
                    (&[][..], &Origin::Default)
                }
            };
            columns.iter().map(move |column| (column, encode))
        })
    }

    /// Gives the pixels that groups of images read, each once, in the order of the groups.
    pub fn pixels(&self) -> Vec<Pixels> {
        let mut all: Vec<Pixels> = Vec::new();
        for group in &self.groups {
            if let Group::Image { image, .. } = group
                && !all.contains(&image.pixels())
            {
                all.push(image.pixels());
            }
        }
        all
    }
}

/// What stands for a missing number.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Impute {
    /// Nothing: it stays missing.
    #[default]
    None,
    /// The mean of the training rows.
    Mean,
    /// The median of the training rows.
    Median,
    /// The most frequent number of the training rows, of several the least.
    MostFrequent,
    /// This number.
    Constant(f64),
}

named! {
    /// How numbers are scaled.
    pub enum Scale {
        /// Not at all.
        None = "none",
        /// To mean 0 and standard deviation 1 over the training rows.
        Standard = "standard",
        /// To 0 at the least and 1 at the most of the training rows.
        MinMax = "min_max",
        /// To median 0 and distance 1 between the quartiles of the training rows.
        Robust = "robust",
    }
}

named! {
    /// How categories become numbers.
    pub enum Encode {
        /// One feature per category, 1 where the row has it.
        OneHot = "one_hot",
        /// One feature, the position of the category in sorted order.
        Ordinal = "ordinal",
    }
}

/// How much a category's mean is mixed with the mean of all training rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smooth {
    /// As the variance inside the category and that of all rows say.
    #[default]
    Auto,
    /// As if the category had so many more rows, at the mean of all; at least 0.
    Rows(f64),
}

record! {
    /// Categories that become the target's mean over their rows, as scikit-learn's `TargetEncoder` makes it.
    pub struct TargetEncoding {
        /// How much a category's mean is mixed with that of all training rows: `auto`, or as if it had so many more rows.
        smooth: Smooth = unless_given(SmoothShape, Smooth::Auto),
        /// The folds of the training rows, each encoded by what the others say.
        cv: Located<u32> = defaulted(integer(2, 1000), 5),
    }
}

/// How the categories of a group become numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum CategoricalEncode {
    /// By the category alone.
    Plain(Encode),
    /// Not at all: trees split them by sets.
    Native(Located<()>),
    /// By the target's mean over the category's rows.
    Target(TargetEncoding),
}

named! {
    /// How numbers are cut into bins.
    pub enum BinStrategy {
        /// Bins of equal width.
        Uniform = "uniform",
        /// Bins of equally many training rows.
        Quantile = "quantile",
        /// Bins halfway between the centres of clusters of the training rows' numbers.
        Kmeans = "kmeans",
    }
}

record! {
    /// Numbers cut into bins, as scikit-learn's `KBinsDiscretizer` cuts them.
    pub struct BinsSpec {
        /// The number of bins; fewer where the training rows do not tell so many apart.
        n_bins: Located<u32> = defaulted(integer(2, 1000), 5),
        /// Where the bins end.
        strategy: BinStrategy = unless_given(bare(choice()), BinStrategy::Quantile),
        /// How bins become numbers.
        encode: Encode = unless_given(bare(choice()), Encode::OneHot),
    }
}

/// In how many texts of the training rows a term stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TextFrequency {
    /// In so many, at least 1.
    Count(u32),
    /// In a share of them, from 0 to 1.
    Share(f64),
}

named! {
    /// What the features of a text are divided by.
    pub enum Norm {
        /// Nothing.
        None = "none",
        /// The sum of their sizes.
        L1 = "l1",
        /// The root of the sum of their squares.
        L2 = "l2",
    }
}

record! {
    /// Texts as weighed counts of their words, as scikit-learn's `TfidfVectorizer` makes them.
    pub struct TfidfSpec {
        /// The most terms: those that stand most often in the training rows, of equals the first in order.
        max_features: Option<Located<u32>> = optional(integer(1, 10_000)),
        /// The least and the most words of a term.
        ngram_range: [u32; 2] = unless_given(NgramShape, [1, 1]),
        /// The texts that a term must stand in: a whole number, or a share with a point.
        min_df: TextFrequency = unless_given(TextFrequencyShape, TextFrequency::Count(1)),
        /// The texts that a term may stand in: a whole number, or a share with a point.
        max_df: TextFrequency = unless_given(TextFrequencyShape, TextFrequency::Share(1.0)),
        /// Whether letters count as their small ones.
        lowercase: Located<bool> = defaulted(boolean(), true),
        /// Whether a count n becomes 1 + ln n.
        sublinear_tf: Located<bool> = defaulted(boolean(), false),
        /// Whether a term weighs the more, the fewer texts it stands in.
        use_idf: Located<bool> = defaulted(boolean(), true),
        /// Whether these weights are taken as if one more text had every term.
        smooth_idf: Located<bool> = defaulted(boolean(), true),
        /// What the features of a text are divided by.
        norm: Norm = unless_given(bare(choice()), Norm::L2),
    }
}

/// What stands for a missing category.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CategoricalImpute {
    /// Nothing: missing is a category of its own.
    #[default]
    None,
    /// The most frequent category of the training rows.
    MostFrequent,
    /// This category.
    Constant(String),
}

/// Columns that are treated alike.
#[derive(Debug, Clone, PartialEq)]
pub enum Group {
    /// Numbers.
    Numeric {
        /// The columns, of the data or derived.
        columns: Vec<Located<String>>,
        /// What stands for a missing number.
        impute: Impute,
        /// How the numbers are scaled; not at all where they are cut into bins.
        scale: Scale,
        /// Into which bins the numbers are cut, if any.
        bins: Option<BinsSpec>,
    },
    /// Categories.
    Categorical {
        /// The columns, of the data or derived.
        columns: Vec<Located<String>>,
        /// How categories become numbers.
        encode: CategoricalEncode,
        /// The number of training rows below which categories count as rare, and as one.
        min_frequency: Option<Located<u32>>,
        /// What stands for a missing category.
        impute: CategoricalImpute,
    },
    /// A text.
    Text {
        /// The column, of the data or derived.
        column: Located<String>,
        /// How words become numbers.
        tfidf: TfidfSpec,
    },
    /// Images, of which each pixel is a number.
    Image {
        /// The column of their files, and what they are brought to.
        image: ImageSpec,
        /// What stands for the pixels of a row without an image.
        impute: Impute,
        /// How the pixels are scaled.
        scale: Scale,
    },
}

impl Group {
    /// Gives the columns that the group names.
    pub fn columns(&self) -> &[Located<String>] {
        match self {
            Group::Numeric { columns, .. } | Group::Categorical { columns, .. } => columns,
            Group::Text { column, .. } => std::slice::from_ref(column),
            Group::Image { image, .. } => std::slice::from_ref(&image.column),
        }
    }
}

record! {
    /// Columns of numbers.
    pub(crate) struct NumericGroup {
        /// The columns, of the data or derived.
        columns as "numeric": Vec<Located<String>> = required(list(text()).filled(), "[tenure]"),
        /// What stands for a missing number; fitted on training rows only.
        impute: Impute = unless_given(ImputeShape, Impute::None),
        /// How the numbers are scaled; fitted on training rows only.
        scale: Scale = unless_given(bare(choice()), Scale::None),
        /// Bins into which the numbers are cut, in place of `scale`; fitted on training rows only.
        bins: Option<BinsSpec> = optional(rec::<BinsSpec>()),
    }
    check check_numeric
}

/// Refuses a scale of bins.
fn check_numeric(group: &mut NumericGroup, section: &Section<'_>, decoder: &mut Decoder) {
    if group.scale == Scale::None {
        return;
    }
    let why = "bins stay the same whatever the scale of their numbers";
    decoder.exclude(section, ["scale", "bins"], why, "leave `scale` out");
}

record! {
    /// Columns of categories.
    pub(crate) struct CategoricalGroup {
        /// The columns, of the data or derived.
        columns as "categorical": Vec<Located<String>> = required(list(text()).filled(), "[Contract]"),
        /// How categories become numbers; the categories are those of training rows.
        encode: CategoricalEncode = unless_given(EncodeShape, CategoricalEncode::Plain(Encode::OneHot)),
        /// The number of training rows below which categories count as rare, and as one.
        min_frequency: Option<Located<u32>> = optional(integer(1, u64::from(u32::MAX))),
        /// What stands for a missing category.
        impute: CategoricalImpute = unless_given(CategoricalImputeShape, CategoricalImpute::None),
    }
    check check_categorical
}

/// Refuses to join rare categories whose means are weighed by how rare they are.
fn check_categorical(group: &mut CategoricalGroup, section: &Section<'_>, decoder: &mut Decoder) {
    if let CategoricalEncode::Target(_) = group.encode {
        let why = "a target encoding weighs rare categories by `smooth`";
        decoder.exclude(section, ["min_frequency", "encode"], why, "leave `min_frequency` out");
    }
}

record! {
    /// A column of texts.
    pub(crate) struct TextGroup {
        /// The column, of the data or derived.
        column as "text": Located<String> = required(text(), "body"),
        /// How words become numbers; the terms and their weights are those of training rows.
        tfidf: TfidfSpec = required(rec::<TfidfSpec>(), "{max_features: 500}"),
    }
}

record! {
    /// Images, of which each pixel is a number.
    pub(crate) struct ImageGroup {
        /// The column of their files, and what they are brought to.
        image: ImageSpec = required(rec::<ImageSpec>(), "{column: path, size: [8, 8]}"),
        /// What stands for the pixels of a row without an image; fitted on training rows only.
        impute: Impute = unless_given(ImputeShape, Impute::None),
        /// How the pixels are scaled; fitted on training rows only.
        scale: Scale = unless_given(bare(choice()), Scale::None),
    }
}

/// A group: the key that lists its columns says its kind.
struct GroupShape;

/// The keys of which each says a group's kind.
pub(crate) const GROUP_KINDS: [&str; 4] = ["numeric", "categorical", "text", "image"];

impl Shape for GroupShape {
    type Value = Group;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Group> {
        let Content::Mapping(entries) = &node.content else {
            decoder.wrong_type(node, "a section with `numeric`, `categorical`, `text` or `image`");
            return None;
        };
        match GROUP_KINDS.map(|kind| node.get(kind).is_some()) {
            [true, false, false, false] => {
                let NumericGroup { columns, impute, scale, bins } = Record::decode(node, decoder)?;
                Some(Group::Numeric { columns, impute, scale, bins })
            }
            [false, true, false, false] => {
                let CategoricalGroup { columns, encode, min_frequency, impute } = Record::decode(node, decoder)?;
                Some(Group::Categorical { columns, encode, min_frequency, impute })
            }
            [false, false, true, false] => {
                let TextGroup { column, tfidf } = Record::decode(node, decoder)?;
                Some(Group::Text { column, tfidf })
            }
            [false, false, false, true] => {
                let ImageGroup { image, impute, scale } = Record::decode(node, decoder)?;
                Some(Group::Image { image, impute, scale })
            }
            _ => {
                let spot = decoder.here(node);
                let keys = entries.iter().map(|(key, _)| key.clone()).collect();
                decoder.errors.push(Error::GroupKind { spot, keys });
                None
            }
        }
    }

    fn encode(&self, value: &Group) -> Value {
        Value::Object(match value.clone() {
            Group::Numeric { columns, impute, scale, bins } => NumericGroup { columns, impute, scale, bins }.encode(),
            Group::Categorical { columns, encode, min_frequency, impute } => {
                CategoricalGroup { columns, encode, min_frequency, impute }.encode()
            }
            Group::Text { column, tfidf } => TextGroup { column, tfidf }.encode(),
            Group::Image { image, impute, scale } => ImageGroup { image, impute, scale }.encode(),
        })
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let kinds = [
            rec::<NumericGroup>().schema(definitions),
            rec::<CategoricalGroup>().schema(definitions),
            rec::<TextGroup>().schema(definitions),
            rec::<ImageGroup>().schema(definitions),
        ];
        json!({ "anyOf": kinds })
    }
}

named! {
    /// What stands for a missing number.
    enum Statistic {
        /// Nothing, it stays missing.
        None = "none",
        /// The mean of the training rows.
        Mean = "mean",
        /// The median of the training rows.
        Median = "median",
        /// The most frequent number of the training rows, of several the least.
        MostFrequent = "most_frequent",
    }
}

named! {
    /// What stands for a missing category.
    enum Filling {
        /// Nothing, missing is a category of its own.
        None = "none",
        /// The most frequent category of the training rows.
        MostFrequent = "most_frequent",
    }
}

record! {
    /// A number for what is missing.
    pub(crate) struct ConstantNumber {
        /// The number.
        constant: Located<f64> = required(number(), "0"),
    }
}

record! {
    /// A category for what is missing.
    pub(crate) struct ConstantText {
        /// The category.
        constant: Located<String> = required(text().or_empty(), "unknown"),
    }
}

named! {
    /// How categories become numbers.
    enum EncodeName {
        /// One feature per category, 1 where the row has it.
        OneHot = "one_hot",
        /// One feature, the position of the category in sorted order.
        Ordinal = "ordinal",
        /// The target's mean over the category's rows.
        Target = "target",
        /// One feature, which trees split by sets of categories; for gradient_boosting and lightgbm.
        Native = "native",
    }
}

record! {
    /// Categories that become the target's mean over their rows.
    pub(crate) struct EncodeByTarget {
        /// How the means are taken.
        target: TargetEncoding = required(rec::<TargetEncoding>(), "{smooth: auto}"),
    }
}

struct EncodeShape;

impl Shape for EncodeShape {
    type Value = CategoricalEncode;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<CategoricalEncode> {
        if let Content::Mapping(_) = node.content {
            let EncodeByTarget { target } = Record::decode(node, decoder)?;
            return Some(CategoricalEncode::Target(target));
        }
        let name = choice::<EncodeName>().decode(node, decoder)?;
        Some(match name.value {
            EncodeName::Native => CategoricalEncode::Native(Located::new((), name.origin)),
            EncodeName::OneHot => CategoricalEncode::Plain(Encode::OneHot),
            EncodeName::Ordinal => CategoricalEncode::Plain(Encode::Ordinal),
            EncodeName::Target => {
                CategoricalEncode::Target(TargetEncoding { smooth: Smooth::Auto, cv: Located::of_default(5) })
            }
        })
    }

    fn encode(&self, value: &CategoricalEncode) -> Value {
        match value {
            CategoricalEncode::Plain(encode) => encode.named().into(),
            CategoricalEncode::Native(_) => EncodeName::Native.named().into(),
            CategoricalEncode::Target(target) => Value::Object(EncodeByTarget { target: target.clone() }.encode()),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let target = rec::<EncodeByTarget>().schema(definitions);
        json!({ "anyOf": [choice::<EncodeName>().schema(definitions), target] })
    }
}

/// Takes `auto` or a number of rows.
struct SmoothShape;

impl Shape for SmoothShape {
    type Value = Smooth;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Smooth> {
        match &node.content {
            Content::Scalar(scalar) if scalar.text == "auto" => Some(Smooth::Auto),
            Content::Scalar(scalar) if matches!(scalar.kind(), Kind::Integer(_) | Kind::Float(_)) => {
                Some(Smooth::Rows(rows().decode(node, decoder)?.value))
            }
            _ => {
                decoder.wrong_type(node, "auto or a number");
                None
            }
        }
    }

    fn encode(&self, value: &Smooth) -> Value {
        match value {
            Smooth::Auto => "auto".into(),
            Smooth::Rows(rows) => (*rows).into(),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "const": "auto" }, rows().schema(definitions)] })
    }
}

/// Takes a whole number or a share with a point.
struct TextFrequencyShape;

impl Shape for TextFrequencyShape {
    type Value = TextFrequency;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<TextFrequency> {
        match &node.content {
            Content::Scalar(scalar) if matches!(scalar.kind(), Kind::Integer(_)) => {
                Some(TextFrequency::Count(texts().decode(node, decoder)?.value))
            }
            Content::Scalar(scalar) if matches!(scalar.kind(), Kind::Float(_)) => {
                Some(TextFrequency::Share(share().decode(node, decoder)?.value))
            }
            _ => {
                decoder.wrong_type(node, "a whole number or a share such as 0.5");
                None
            }
        }
    }

    fn encode(&self, value: &TextFrequency) -> Value {
        match value {
            TextFrequency::Count(count) => (*count).into(),
            TextFrequency::Share(share) => (*share).into(),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [texts().schema(definitions), share().schema(definitions)] })
    }
}

fn texts() -> Integer<u32> {
    integer(1, u64::from(u32::MAX)).of(LIBRARY)
}

fn share() -> Number {
    number().at_least(0.0).at_most(1.0).of(LIBRARY)
}

/// Takes the least and the most words of a term.
struct NgramShape;

impl Shape for NgramShape {
    type Value = [u32; 2];

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<[u32; 2]> {
        let items = match &node.content {
            Content::Sequence(items) if items.len() == 2 => items,
            _ => {
                decoder.wrong_type(node, "two whole numbers such as [1, 2]");
                return None;
            }
        };
        let both: Vec<Option<Located<u32>>> = items.iter().map(|item| words().decode(item, decoder)).collect();
        let [Some(least), Some(most)] = both.as_slice() else { return None };
        if least.value > most.value {
            let (spot, value) = (decoder.spot(node), format!("[{}, {}]", least.value, most.value));
            let range = "two whole numbers, the second no less than the first".to_owned();
            decoder.errors.push(Error::OutOfRange { spot, value, range, whose: Some(LIBRARY) });
            return None;
        }
        Some([least.value, most.value])
    }

    fn encode(&self, value: &[u32; 2]) -> Value {
        json!(value)
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "items": words().schema(definitions), "minItems": 2, "maxItems": 2 })
    }
}

fn words() -> Integer<u32> {
    integer(1, 100)
}

fn rows() -> Number {
    number().at_least(0.0).of(LIBRARY)
}

struct ImputeShape;

impl Shape for ImputeShape {
    type Value = Impute;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Impute> {
        if let Content::Mapping(_) = node.content {
            let ConstantNumber { constant } = Record::decode(node, decoder)?;
            return Some(Impute::Constant(constant.value));
        }
        Some(match choice::<Statistic>().decode(node, decoder)?.value {
            Statistic::None => Impute::None,
            Statistic::Mean => Impute::Mean,
            Statistic::Median => Impute::Median,
            Statistic::MostFrequent => Impute::MostFrequent,
        })
    }

    fn encode(&self, value: &Impute) -> Value {
        match value {
            Impute::None => Statistic::None.named().into(),
            Impute::Mean => Statistic::Mean.named().into(),
            Impute::Median => Statistic::Median.named().into(),
            Impute::MostFrequent => Statistic::MostFrequent.named().into(),
            Impute::Constant(constant) => constant_of(Value::from(*constant)),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let constant = rec::<ConstantNumber>().schema(definitions);
        json!({ "anyOf": [choice::<Statistic>().schema(definitions), constant] })
    }
}

struct CategoricalImputeShape;

impl Shape for CategoricalImputeShape {
    type Value = CategoricalImpute;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<CategoricalImpute> {
        if let Content::Mapping(_) = node.content {
            let ConstantText { constant } = Record::decode(node, decoder)?;
            return Some(CategoricalImpute::Constant(constant.value));
        }
        Some(match choice::<Filling>().decode(node, decoder)?.value {
            Filling::None => CategoricalImpute::None,
            Filling::MostFrequent => CategoricalImpute::MostFrequent,
        })
    }

    fn encode(&self, value: &CategoricalImpute) -> Value {
        match value {
            CategoricalImpute::None => Filling::None.named().into(),
            CategoricalImpute::MostFrequent => Filling::MostFrequent.named().into(),
            CategoricalImpute::Constant(constant) => constant_of(Value::from(constant.clone())),
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let constant = rec::<ConstantText>().schema(definitions);
        json!({ "anyOf": [choice::<Filling>().schema(definitions), constant] })
    }
}

fn constant_of(value: Value) -> Value {
    Value::Object(Map::from_iter([("constant".to_owned(), value)]))
}
