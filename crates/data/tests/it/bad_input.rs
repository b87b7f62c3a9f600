//! Everything that can be wrong with a file or its target: the source and what the user reads, recorded in `tests/cases`.

use trainyard_data::{Error, ReadOptions, check};
use trainyard_diagnostics::{Style, render_all};
use trainyard_files::DiskIo;

use crate::given::{csv, data_spec, read_bytes, recorded};

/// A wrong table: the file's name and bytes, the `data` section that reads it.
struct Case {
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    section: &'static str,
}

const SECTION: &str = "  source: rows.csv\n  key: id\n  target: {column: churn, positive: \"yes\"}";

fn case(name: &'static str, text: &str) -> Case {
    Case { name, file: "rows.csv", bytes: text.into(), section: SECTION }
}

fn long(rows: usize, last: &str) -> String {
    let rows: String = (0..rows).map(|row| format!("{row},{},no\n", row % 7)).collect();
    format!("id,amount,churn\n{rows}{last}")
}

/// Files that can't be read.
fn unreadable() -> Vec<Case> {
    vec![
        case("empty", ""),
        case("only blank lines", "\n \n"),
        case("header only", "id,amount,churn\n"),
        case("ragged short", "id,amount,churn\na,1,no\nb,2\nc,3,yes\n"),
        case("ragged long", "id,amount,churn\r\n\"a\r\nb\",1,no\r\nb,2,no,4\r\n"),
        case("unclosed quote", "id,amount,churn\na,1,no\n\"b,2,no\nc,3,yes\n"),
        case("duplicate column", "id,amount,id,idle\na,1,b,no\n"),
        case("empty column name", "id,,churn\na,1,no\n"),
        case("no utf8", "id,amount,churn\na,1,no\nZoë,2,yes\n").with_latin1(),
        case("utf16", "id,amount\na,1\n").with_utf16(),
        case("semicolons", "id;amount;churn\na;1,5;no\nb;2;yes\n"),
        case("semicolons in quotes", "id;amount;churn\na;\"1;5\";no\nb;2;yes\n"),
        case("tabs", "id\tamount\na\t1\n"),
        case("bars", "id|amount|churn\na|1|no\nb|2|yes\n"),
        Case {
            file: "rows.tsv",
            section: "  source: rows.tsv\n  target: churn",
            ..case("commas in a tsv", "id,churn\na,no\n")
        },
        case("type breaks", &long(1200, "x7,4,no\n")),
        case("type breaks in a quoted cell", "id,note,amount\na,\"4, x\ny\",1\n")
            .with_rows(1000, "b,\"x, \"\"oops\"\" y\",oops\n"),
        Case {
            section: "  source: rows.csv\n  target: churn\n  types: {amount: integer}",
            ..case("declared type breaks", "id,amount,churn\na,1,no\nb,1.5,yes\n")
        },
        Case {
            section: "  source: rows.csv\n  target: churn\n  types: {amuont: float}",
            ..case("declared type of no column", "id,amount,churn\na,1,no\n")
        },
        Case {
            section: "  source: rows.csv\n  target: churn\n  drop: [amuont]",
            ..case("dropped column of no name", "id,amount,churn\na,1,no\n")
        },
        Case { file: "rows.xlsx", ..case("unknown ending", "id\n1\n") },
        Case { file: "rows.parquet", ..case("damaged parquet", "PAR1 and then nothing of use PAR1") },
    ]
}

impl Case {
    fn with_latin1(mut self) -> Case {
        let text = String::from_utf8(self.bytes).unwrap();
        self.bytes = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
        self
    }

    fn with_utf16(mut self) -> Case {
        let text = String::from_utf8(self.bytes).unwrap();
        self.bytes = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self
    }

    fn with_rows(mut self, rows: usize, last: &str) -> Case {
        self.bytes.extend((0..rows).flat_map(|row| format!("{row},,{row}\n").into_bytes()));
        self.bytes.extend(last.bytes());
        self
    }

    /// What is shown of the source: its beginning.
    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).replace('\r', "␍").replace('\0', "␀");
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() <= 12 {
            return text;
        }
        format!("{}\n… {} more\n{}\n", lines[..3].join("\n"), lines.len() - 4, lines[lines.len() - 1])
    }
}

fn compare(cases: &[(Case, Vec<Error>)]) {
    let style = Style { color: false, width: 120 };
    let mut wrong = Vec::new();
    for (case, errors) in cases {
        let diagnostics: Vec<_> = errors.iter().map(Error::diagnostic).collect();
        for diagnostic in &diagnostics {
            if diagnostic.help.is_empty() || !diagnostic.code.starts_with("data/") || diagnostic.title.is_empty() {
                wrong.push(format!("{}: {diagnostic:?} does not say what to do", case.name));
            }
        }
        let rendered = render_all(&diagnostics, &style, "Nothing was run and nothing was written.");
        let text = format!("data:\n{}\n--- {}\n{}---\n{rendered}", case.section, case.file, case.shown());
        let name = format!("bad_input/{}.snap", case.name.replace(' ', "_"));
        wrong.extend(recorded(&name, &text).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let read = |case: Case| match read_bytes(case.file, &case.bytes, &ReadOptions::of(&data_spec(case.section))) {
        Err(error) => (case, vec![error]),
        Ok(_) => panic!("{} was read", case.name),
    };
    compare(&unreadable().into_iter().map(read).collect::<Vec<_>>());
}

#[test]
fn targets_and_keys_that_cannot_be_used_say_why() {
    let with = |section, case| Case { section, ..case };
    let good = "id,amount,churn\na,1,no\nb,2,yes\nc,3,no\n";
    let cases = [
        with("  source: rows.csv\n  target: {column: Chrun, positive: \"yes\"}", case("target absent", good)),
        with("  source: rows.csv\n  target: {column: outcome, positive: \"yes\"}", case("target far away", good)),
        with("  source: rows.csv\n  key: ids\n  target: {column: churn, positive: \"yes\"}", case("key absent", good)),
        case("target constant", "id,churn\na,yes\nb,yes\n"),
        case("third class", "id,churn\na,yes\nb,no\nc,No\nd,no\ne,maybe\n"),
        with("  source: rows.csv\n  target: {column: churn, positive: \"Yes\"}", case("positive never occurs", good)),
        with("  source: rows.csv\n  target: churn", case("positive not given", good)),
        with("  source: rows.csv\n  target: {column: churn, task: regression}", case("regression of labels", good)),
        with(
            "  source: rows.csv\n  target: {column: amount, task: regression}",
            case("infinite target", "id,amount\na,1.5\nb,inf\n"),
        ),
        case("target missing in rows", "id,amount,churn\na,1,no\nb,2,\nc,3,yes\nd,4, \n"),
        case("duplicate keys", "id,churn\nb,yes\na,no\nb,no\na,no\nc,yes\nb,no\n"),
        case("missing keys", "id,churn\na,no\n,yes\n ,no\n"),
        case("all at once", "id,churn\na,yes\na,no\n,maybe\nb,\n"),
    ];
    let checked = |case: Case| {
        let table = csv(std::str::from_utf8(&case.bytes).unwrap());
        match check(&table, &data_spec(case.section)) {
            Err(errors) => (case, errors),
            Ok(checked) => panic!("{} passed: {checked:?}", case.name),
        }
    };
    compare(&cases.into_iter().map(checked).collect::<Vec<_>>());
}

#[test]
fn a_missing_file_names_its_neighbour_and_a_folder_is_called_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("customers.csv"), "a\n1\n").unwrap();
    std::fs::create_dir(folder.path().join("raw")).unwrap();
    let read = |name: &str| trainyard_data::read(&DiskIo, &folder.path().join(name), name, &ReadOptions::default());
    let help = |name: &str| read(name).unwrap_err().diagnostic().help;
    assert_eq!(
        read("custmers.csv"),
        Err(Error::Missing { file: "custmers.csv".into(), near: Some("customers.csv".into()) })
    );
    assert_eq!(help("custmers.csv"), ["did you mean `customers.csv`?"]);
    assert!(help("elsewhere/x.csv")[0].contains("data.source"));
    assert_eq!(read("raw"), Err(Error::Folder { file: "raw".into() }));
    assert!(help("raw")[0].contains(".csv"));
}

#[test]
fn a_wrong_byte_is_counted_with_the_mark_before_it() {
    let error = read_bytes("rows.csv", b"\xef\xbb\xbfa\nb\n\xff\n", &ReadOptions::default()).unwrap_err();
    assert_eq!(error, Error::Encoding { file: "rows.csv".into(), line: 3, byte: 8, utf16: false });
}

#[test]
fn utf16_is_known_by_its_mark_and_by_its_zeros() {
    let little: Vec<u8> = "имя,y\nИван,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = "имя\nИван\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: &[u8], text: &[u8]| [mark, text].concat();
    let help = |bytes: &[u8]| {
        let error = read_bytes("rows.csv", bytes, &ReadOptions::default()).unwrap_err();
        error.diagnostic().help.concat()
    };
    for bytes in [&little, &big, &marked(b"\xff\xfe", &little), &marked(b"\xfe\xff", &big)] {
        assert!(help(bytes).contains("iconv -f UTF-16 "), "{bytes:?}");
    }
    assert!(help(b"name\nZo\xeb\n").contains("iconv -f LATIN1 "));
}

#[test]
fn the_delimiter_in_use_is_not_proposed_and_a_given_one_holds_for_any_ending() {
    assert_eq!(csv("\"a,b\"\n\"c,d\"\n").num_columns(), 1);
    let columns = |name: &str, text: &str, section: &str| {
        let section = format!("  target: y\n{section}");
        read_bytes(name, text.as_bytes(), &ReadOptions::of(&data_spec(&section))).unwrap().num_columns()
    };
    assert_eq!(columns("rows.tsv", "x,y\n1,2\n", "  source: rows.tsv\n  delimiter: \",\""), 2);
    // What is not given follows the ending of the file that is read, as when predicting.
    assert_eq!(columns("rows.csv", "x,y\n1,2\n", "  source: train.tsv"), 2);
    assert_eq!(columns("rows.tsv", "x\ty\n1\t2\n", "  source: train.csv"), 2);
}

#[test]
fn a_broken_type_points_at_the_cell_itself() {
    // The value also stands in the cells before it.
    let rows = "x,x,1\n".repeat(3);
    let text = format!("a,b,c\n{rows}oops,\"oops \"\"oops\",oops\n");
    let options =
        ReadOptions { types: [("c".to_owned(), trainyard_spec::ColumnType::Integer)].into(), ..ReadOptions::default() };
    let Err(Error::Type { line, value, .. }) = read_bytes("rows.csv", text.as_bytes(), &options) else {
        panic!("it was read");
    };
    assert_eq!((line.number, value.as_str(), line.span), (5, "oops", 19..23));
}
