//! The kept schema is written the same way every time, read back, and refused with all that is wrong with it.

use trainyard_diagnostics::Source;
use trainyard_spec::{ColumnType, KeptSchema, Origin, resolve};

use crate::given::Given;

fn kept(columns: &[(&str, ColumnType)]) -> KeptSchema {
    let mut schema = KeptSchema::default();
    columns.iter().for_each(|(name, kind)| assert!(schema.keep(name, *kind)));
    schema
}

fn parse(text: &str) -> Result<KeptSchema, Vec<String>> {
    let problems = KeptSchema::parse(&Source::new("versions/schema.yaml", text));
    problems.map_err(|problems| problems.into_vec().iter().map(|problem| problem.to_string()).collect())
}

#[test]
fn what_is_written_is_read_back() {
    let names = ["id", "a b", "true", "No", "07", "é", "a: #", "\"", "~", "a\u{2028}b", "x\ny", "_1"];
    let columns: Vec<_> = names.iter().map(|name| (*name, ColumnType::Float)).collect();
    for schema in [kept(&columns), kept(&[("tenure", ColumnType::Integer), ("day", ColumnType::Date)])] {
        let text = schema.to_yaml();
        let read = parse(&text).unwrap();
        assert_eq!(read, schema, "{text}");
        assert_eq!(read.to_yaml(), text);
    }
    let text = kept(&[("tenure", ColumnType::Integer), ("on", ColumnType::Boolean)]).to_yaml();
    assert!(text.ends_with("\ncolumns:\n  \"on\": boolean\n  tenure: integer\n"), "{text}");
    assert!(text.starts_with("# "), "{text}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    for nothing in ["", "columns:\n", "columns: {}\n"] {
        assert!(parse(nothing).unwrap().is_empty(), "{nothing}");
    }
    let wrong = parse("columns:\n  a: int\n  b: text\n  c: [float]\nrows: 3\n").unwrap_err();
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
    assert!(wrong.iter().any(|problem| problem.contains("int")), "{wrong:#?}");
    assert!(parse("- a\n").is_err());
    assert!(parse("columns: {a: text, a: float}\n").is_err());
}

#[test]
fn a_type_is_kept_once_and_what_is_declared_comes_first() {
    let mut schema = kept(&[("n", ColumnType::Integer)]);
    assert!(!schema.keep("n", ColumnType::Float), "the first type stands");
    assert!(schema.keep("t", ColumnType::Text));
    let given = Given::default_project().with_flags(&["--set", "data.types.n=float"]);
    let data = schema.under(&resolve(&given.files()).unwrap().project.data);
    assert_eq!((data.types["n"].value, data.types["t"].value), (ColumnType::Float, ColumnType::Text));
    assert!(!matches!(data.types["n"].origin, Origin::Kept(_)));
    assert_eq!(data.types["t"].origin, Origin::Kept(None));
}

#[test]
fn a_kept_type_points_at_its_line() {
    let schema = parse("# Types\ncolumns:\n  a: text\n  \"b c\": float\n  \"d\\ne\" : date\n").unwrap();
    let data = schema.under(&resolve(&Given::default_project().files()).unwrap().project.data);
    for (name, text, shown) in [
        ("a", "a: text", "versions/schema.yaml:3:3"),
        ("b c", "b c\": float", "versions/schema.yaml:4:4"),
        ("d\ne", "date", "versions/schema.yaml:5:12"),
    ] {
        let origin = &data.types[name].origin;
        assert_eq!((origin.place().unwrap().text(), origin.to_string().as_str()), (text, shown));
    }
    let of_record = KeptSchema::default().under(&data);
    assert!(matches!(of_record.types["a"].origin, Origin::Kept(Some(_))));
}
