//! Where a table is: a file, a table or query of a database, an object of a store, or a query over files.

mod address;

use std::collections::BTreeMap;
use std::ops::Deref;

use serde_json::{Value, json};
use trainyard_diagnostics::conceal;

use crate::declare::{
    Decoder, Definitions, Section, Shape, Spot, decided, map, optional, or_empty, rec, record, sorted_map, text,
};
use crate::error::Error;
use crate::tree::{Content, Kind, Node};
use crate::{Located, Origin};

pub use address::{Address, ObjectAddress, PostgresAddress, Rows, SslMode, Store, names_rows};

/// A value that a query is given under a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
}

/// One value, in its YAML type.
struct ParameterShape;

impl Shape for ParameterShape {
    type Value = Located<Parameter>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<Parameter>> {
        let expected = "a number, a truth value or text";
        let Content::Scalar(scalar) = &node.content else {
            decoder.wrong_type(node, expected);
            return None;
        };
        let value = match scalar.kind() {
            Kind::Null => {
                decoder.wrong_type(node, expected);
                return None;
            }
            Kind::Boolean(value) => Parameter::Boolean(value),
            Kind::Integer(value) => match i64::try_from(value) {
                Ok(value) => Parameter::Integer(value),
                Err(_) => {
                    let (spot, value) = (decoder.spot(node), scalar.text.clone());
                    let range = "a whole number of 64 bits, or text".to_owned();
                    decoder.errors.push(Error::OutOfRange { spot, value, range, whose: None });
                    return None;
                }
            },
            Kind::Float(value) => Parameter::Float(value),
            Kind::Text => Parameter::Text(scalar.text.clone()),
        };
        Some(Located::new(value, node.origin.clone()))
    }

    fn encode(&self, value: &Located<Parameter>) -> Value {
        match &value.value {
            Parameter::Boolean(value) => (*value).into(),
            Parameter::Integer(value) => (*value).into(),
            Parameter::Float(value) => (*value).into(),
            Parameter::Text(value) => value.clone().into(),
        }
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

record! {
    /// Where the table is. A file's path alone is one, and so is a database's address with `?table=NAME`.
    pub struct SourceSpec {
        /// A file, relative to the project, or several by a pattern (`data/raw/part-*.csv`): .csv, .tsv, .txt, .jsonl and
        /// .ndjson, also packed as .gz or .zst; .parquet, .arrow, .feather, .ipc. A database: `sqlite:///FILE`,
        /// `postgresql://USER@HOST/DATABASE`. An object of a store: `s3://BUCKET/NAME`, `gs://BUCKET/NAME`,
        /// `az://CONTAINER/NAME`, `https://HOST/FILE`. Never a password: that comes from the environment.
        url: Located<String> = decided(text()),
        /// The table of a database, `schema.table` where it is not in the default one.
        table: Option<Located<String>> = optional(text()),
        /// The query whose rows are the table; `:name` stands for a parameter.
        query: Option<Located<String>> = optional(text()),
        /// The values of the query's parameters, by name.
        parameters: BTreeMap<String, Located<Parameter>> = or_empty(sorted_map(ParameterShape)),
        /// One SELECT over files, whose rows are the table, in place of an address. The engine for it is in a build with
        /// the cargo feature `datafusion`. Names of tables and columns are taken as they are written, upper case and all.
        sql: Option<Located<String>> = optional(text()),
        /// The tables of that query: a name each, with a file, or several by a pattern, relative to the project.
        tables: Option<Vec<(Located<String>, Located<String>)>> = optional(map(text()).unless(no_table_name)),
    }
    check check_source
}

/// Says why a text is no name of a table that SQL knows without quotes.
fn no_table_name(name: &str) -> Option<String> {
    let letter = |sign: char| sign.is_ascii_alphabetic() || sign == '_';
    let fits = name.starts_with(letter) && name.chars().all(|sign| letter(sign) || sign.is_ascii_digit());
    (!fits).then(|| "a table's name is made of letters, digits and `_`, and begins with no digit".to_owned())
}

/// A source is mostly its address, or the query over files: messages point at it.
impl Deref for SourceSpec {
    type Target = Located<String>;

    fn deref(&self) -> &Located<String> {
        self.sql.as_ref().unwrap_or(&self.url)
    }
}

impl SourceSpec {
    /// Makes the source of an address alone.
    pub fn of(url: Located<String>) -> SourceSpec {
        SourceSpec { url, table: None, query: None, parameters: BTreeMap::new(), sql: None, tables: None }
    }

    /// Gives what the address says.
    ///
    /// # Errors
    /// What is wrong with it; decoding has told it already.
    pub fn address(&self) -> Result<Address, Error> {
        address::parse(self)
    }

    /// Gives the tables of a query over files, by their names; none where the source is another.
    pub fn tables(&self) -> &[(Located<String>, Located<String>)] {
        self.tables.as_deref().unwrap_or_default()
    }

    /// Names the source in results: its address, with what of a database it is, or the tables of a query over files.
    ///
    /// What in an address lets somebody in, such as a signature, is stars.
    pub fn shown(&self) -> String {
        if self.sql.is_some() {
            let names: Vec<&str> = self.tables().iter().map(|(name, _)| name.value.as_str()).collect();
            return format!("SQL over {}", names.join(", "));
        }
        let url = conceal(&self.url.value);
        match (&self.table, &self.query) {
            (Some(table), _) => format!("{url} table {}", table.value),
            (None, Some(_)) => format!("{url} query"),
            (None, None) => url.into_owned(),
        }
    }

    /// Gives the address up to what is no part of a file's name: of the web, up to the query.
    pub fn path(&self) -> &str {
        let url = self.url.value.as_str();
        let is_web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        let end = if is_web { url.find(['?', '#']) } else { None };
        &url[..end.unwrap_or(url.len())]
    }

    /// Takes from `now` what lets somebody in and is in no record, where it is the same source; says whether it is.
    pub fn complete(&mut self, now: &SourceSpec) -> bool {
        // A secret of another length is another number of stars.
        let plain = |source: &SourceSpec| -> String {
            let url = conceal(&source.url.value);
            url.split('&').map(|part| part.trim_end_matches('*')).collect::<Vec<_>>().join("&")
        };
        let is_same = plain(self) == plain(now);
        if is_same {
            self.url.value.clone_from(&now.url.value);
        }
        is_same
    }

    /// Gives the source as it is recorded: without what lets somebody in.
    fn recorded(&self) -> SourceSpec {
        let mut recorded = self.clone();
        recorded.url.value = conceal(&self.url.value).into_owned();
        recorded
    }

    fn is_plain(&self) -> bool {
        self.table.is_none() && self.query.is_none() && self.parameters.is_empty() && self.sql.is_none()
    }
}

fn check_source(source: &mut SourceSpec, section: &Section<'_>, decoder: &mut Decoder) {
    let mut missing = |key: &str, example: &'static str| {
        if !section.misspells(key) {
            let (section, file) = (decoder.here(section.node), decoder.file);
            decoder.errors.push(Error::MissingKey { section, file, key: key.to_owned(), example });
        }
    };
    match (&source.sql, &source.tables) {
        (None, None) if source.url.is_empty() => return missing("url", "data/raw/customers.csv"),
        (Some(_), None) => missing("tables", "{customers: data/raw/customers.csv}"),
        (None, Some(_)) if source.url.is_empty() => missing("sql", "SELECT * FROM customers"),
        (Some(_), Some(tables)) if tables.is_empty() => {
            let at = section.entry("tables", &[], decoder);
            let spot = at.map(|(key, node)| decoder.under(key, |decoder| decoder.spot(node)));
            decoder.errors.extend(spot.map(|spot| Error::Empty { spot, needs: "one table or more" }));
        }
        _ => {}
    }
    for (name, file) in source.tables().iter().filter(|(_, file)| file.contains("://")) {
        let spot = Spot { path: format!("data.source.tables.{}", name.value), origin: file.origin.clone() };
        let (what, help) = (format!("the table {} is no file", name.value), "name a file, or several by a pattern");
        decoder.errors.push(Error::Source { spot, what, help: help.to_owned() });
    }
    if let Err(error) = source.address() {
        decoder.errors.push(error);
    }
}

/// A problem of a source, at one of its values.
fn wrong(at: &Located<String>, key: &'static str, what: impl Into<String>, help: impl Into<String>) -> Error {
    let spot = Spot { path: format!("data.source{key}"), origin: at.origin.clone() };
    Error::Source { spot, what: what.into(), help: help.into() }
}

/// Where a value stands, in words that hold nothing of it.
fn place_in_words(origin: &Origin) -> String {
    match origin {
        Origin::File(place) => format!("{}, line {}", place.source.name, place.start().line),
        Origin::Flag(words) if words.starts_with("--set ") => "--set data.source=…".to_owned(),
        Origin::Flag(_) => "the command line".to_owned(),
        Origin::Environment(name) => name.clone(),
        Origin::Kept(_) | Origin::Default => "data.source".to_owned(),
    }
}

/// The source: a section, or the address alone.
pub(crate) struct Source;

impl Shape for Source {
    type Value = SourceSpec;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<SourceSpec> {
        match &node.content {
            Content::Scalar(_) => {
                let source = SourceSpec::of(text().decode(node, decoder)?);
                if let Err(error) = source.address() {
                    decoder.errors.push(error);
                }
                Some(source)
            }
            Content::Mapping(_) => rec::<SourceSpec>().decode(node, decoder),
            Content::Sequence(_) => {
                decoder.wrong_type(node, "a file, an address, or a section with `url` or `sql`");
                None
            }
        }
    }

    fn encode(&self, value: &SourceSpec) -> Value {
        let value = &value.recorded();
        if value.is_plain() { value.url.value.clone().into() } else { rec().encode(value) }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let section = rec::<SourceSpec>().schema(definitions);
        if let Some(record) = definitions.get_mut("SourceSpec") {
            record["anyOf"] = json!([{ "required": ["url"] }, { "required": ["sql", "tables"] }]);
        }
        json!({ "anyOf": [section, text().schema(definitions)] })
    }
}
