//! Splits by group and by time: never cut, and the same sides in whatever order the data grows.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;
use rayon::ThreadPoolBuilder;
use trainyard_data::split::{Error, Outcome, Request, check_columns, split};
use trainyard_data::{Master, from_parquet, to_parquet};
use trainyard_files::DiskIo;
use trainyard_random::Key;
use trainyard_spec::Resolved;

use crate::given::{csv, project, values};

const KEYED: &str = "  source: rows.csv\n  key: id\n  target: {column: y, task: regression}";
const UNKEYED: &str = "  source: rows.csv\n  target: {column: y, task: regression}";
const BY_GROUP: &str = "seed: 3\nby_group: house\nshares: {train: 0.6, validation: 0.2, reference_test: 0.2}\n";
const BY_TIME: &str = "by_time: day\nshares: {train: 0.6, validation: 0.2, reference_test: 0.2}\n";
const BORDERS: &str = "by_time: {column: day, validation_from: 2024-03-01, reference_test_from: 2024-04-01}\n";

/// Rows of 150 houses over 150 days.
fn rows(count: u64, seed: u64) -> RecordBatch {
    let key = Key::new(seed, "rows");
    let row = |row: u64| {
        let (house, day) = (key.derive(0).at(row) % 150, key.derive(1).at(row) % 150);
        let day = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(day);
        format!("{row},h{house},{day},{}\n", key.derive(2).at(row) % 1000)
    };
    csv(&format!("id,house,day,y\n{}", (0..count).map(row).collect::<String>()))
}

fn divide(given: &Resolved, table: &RecordBatch, reference: Option<&RecordBatch>) -> Result<Outcome, Error> {
    let (data, spec) = (&given.project.data, &given.split.spec);
    split(&Request { table, data, version: 1, spec, reference, frozen_from: None })
}

/// What a later run reads: the reference test from its file.
fn frozen(outcome: &Outcome) -> RecordBatch {
    from_parquet(&to_parquet(&outcome.reference).unwrap(), "reference").unwrap()
}

fn parts(outcome: &Outcome) -> Vec<(&'static str, &RecordBatch)> {
    let validation = outcome.validation.as_ref().map(|table| ("validation", table));
    [Some(("train", &outcome.train)), validation, Some(("reference", &outcome.reference))]
        .into_iter()
        .flatten()
        .collect()
}

/// The values of a column in train, in validation and in the reference test.
fn found(outcome: &Outcome, column: &str) -> Vec<BTreeSet<String>> {
    let texts = |table: &RecordBatch| values(table, column).iter().map(ToString::to_string).collect();
    parts(outcome).into_iter().map(|(_, table)| texts(table)).collect()
}

fn sides(outcome: &Outcome) -> BTreeMap<String, &'static str> {
    let ids = |table: &RecordBatch| values(table, "id").iter().map(ToString::to_string).collect::<Vec<_>>();
    parts(outcome).into_iter().flat_map(|(side, table)| ids(table).into_iter().map(move |id| (id, side))).collect()
}

fn take(table: &RecordBatch, rows: impl IntoIterator<Item = u64>) -> RecordBatch {
    take_record_batch(table, &UInt64Array::from_iter_values(rows)).unwrap()
}

fn shuffled(table: &RecordBatch, seed: u64) -> RecordBatch {
    let mut order: Vec<u64> = (0..table.num_rows() as u64).collect();
    Key::new(seed, "order").stream().shuffle(&mut order);
    take(table, order)
}

fn disjoint(parts: &[BTreeSet<String>]) -> bool {
    (0..parts.len()).all(|a| (0..a).all(|b| parts[a].is_disjoint(&parts[b])))
}

#[test]
fn no_group_is_cut_and_shares_are_near_what_was_asked() {
    let table = rows(6000, 1);
    for seed in 0..10 {
        let outcome = divide(&project(KEYED, &BY_GROUP.replace('3', &seed.to_string())), &table, None).unwrap();
        assert!(disjoint(&found(&outcome, "house")));
        let counts = outcome.counts;
        assert_eq!(counts.train + counts.validation + counts.reference, 6000);
        assert!(counts.reference.abs_diff(1200) <= 60, "{counts:?}");
        // Some 120 groups are drawn one by one: four standard deviations.
        let train = counts.train as f64 / (counts.train + counts.validation) as f64;
        assert!((train - 0.75).abs() < 4.0 * (0.75 * 0.25 / 120.0_f64).sqrt(), "{counts:?}");
    }
}

#[test]
fn no_moment_is_cut_and_time_runs_from_train_to_reference() {
    for (data, spec) in [(KEYED, BY_TIME), (UNKEYED, BY_TIME), (KEYED, BORDERS)] {
        let outcome = divide(&project(data, spec), &shuffled(&rows(3000, 2), 1), None).unwrap();
        let days = found(&outcome, "day");
        assert!(days.windows(2).all(|days| days[0].last() < days[1].first()), "{spec}");
        let counts = outcome.counts;
        assert_eq!(counts.train + counts.validation + counts.reference, 3000);
        if spec == BY_TIME {
            // At most half a day of rows beside the share, twice where one border moves the other.
            assert!(counts.reference.abs_diff(600) <= 20 && counts.validation.abs_diff(600) <= 30, "{counts:?}");
        } else {
            assert_eq!(
                (days[1].first().unwrap().as_str(), days[2].first().unwrap().as_str()),
                ("\"2024-03-01\"", "\"2024-04-01\"")
            );
        }
    }
}

#[test]
fn every_row_keeps_its_side_in_whatever_order_the_data_grows() {
    let all = rows(4000, 3);
    for spec in [BY_GROUP, BY_TIME, BORDERS] {
        let given = project(KEYED, spec);
        let first = divide(&given, &take(&all, 0..2000), None).unwrap();
        let reference = frozen(&first);
        let mut before = sides(&first);
        for (step, rows) in [2500, 3200, 4000].into_iter().enumerate() {
            let grown = shuffled(&take(&all, 0..rows), step as u64);
            let again = divide(&given, &grown, Some(&reference)).unwrap();
            assert_eq!(to_parquet(&again.reference).unwrap(), to_parquet(&first.reference).unwrap());
            let after = sides(&again);
            assert!(before.iter().all(|(id, side)| after.get(id) == Some(side)), "{spec} at {rows} rows");
            let counts = again.counts;
            let left_out = counts.excluded_group_members + counts.excluded_later;
            assert!(left_out > 0 && counts.excluded_duplicates == 0, "{counts:?}");
            assert_eq!(after.len() + left_out, rows as usize);
            let column = if spec == BY_GROUP { "house" } else { "day" };
            assert!(disjoint(&found(&again, column)));
            before = after;
        }
    }
}

#[test]
fn later_rows_never_train_and_late_ones_go_by_the_frozen_borders() {
    let given = project(KEYED, BY_TIME);
    let day = |id: u32, day: u32| format!("{id},h,2024-01-{day:02},{id}\n");
    let early: String = (1..=20).map(|number| day(number, number)).collect();
    let first = divide(&given, &csv(&format!("id,house,day,y\n{early}")), None).unwrap();
    assert_eq!((first.counts.train, first.counts.validation, first.counts.reference), (12, 4, 4));
    // Eighty old rows would move both borders if they were found anew.
    let late: String = (100..180).map(|id| day(id, 1 + id % 3)).collect();
    let later: String = (200..230).map(|id| day(id, 17 + id % 10)).collect();
    let grown = csv(&format!("id,house,day,y\n{late}{early}{later}"));
    let again = divide(&given, &grown, Some(&frozen(&first))).unwrap();
    assert_eq!((again.counts.train, again.counts.validation, again.counts.reference), (92, 4, 4));
    assert_eq!(again.counts.excluded_later, 30);
}

#[test]
fn a_border_that_the_source_inherited_is_not_taken_for_ours() {
    let first = divide(&project(KEYED, BY_TIME), &rows(2000, 5), None).unwrap();
    assert!(!first.reference.schema().metadata().is_empty());
    let spec = BY_TIME.replace("train: 0.6, validation: 0.2,", "train: 0.8,");
    let given = project(KEYED, &spec);
    let again = divide(&given, &frozen(&first), None).unwrap();
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().unwrap();
    std::fs::write(file.path(), to_parquet(&first.reference).unwrap()).unwrap();
    let read = Master::read(&DiskIo, file.path(), &given.project.data).unwrap();
    assert!(read.table.schema().metadata().is_empty());
    assert!(again.reference.schema().metadata().is_empty());
    assert!(again.validation.is_none());
}

#[test]
fn order_and_threads_do_not_matter() {
    let table = rows(2000, 4);
    for spec in [BY_GROUP, BY_TIME, BORDERS] {
        let given = project(KEYED, spec);
        let expected = sides(&divide(&given, &table, None).unwrap());
        assert_eq!(sides(&divide(&given, &shuffled(&table, 1), None).unwrap()), expected);
        let bytes = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let outcome = pool.install(|| divide(&given, &table, None).unwrap());
            parts(&outcome).into_iter().map(|(_, part)| to_parquet(part).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(1), bytes(8));
    }
}

#[test]
fn numbers_and_moments_order_rows_too() {
    for (name, cell) in [
        ("whole numbers", (|row: u64| format!("{}", row as i64 - 50)) as fn(u64) -> String),
        ("moments", |row| format!("2024-01-{:02} {:02}:30:00", 1 + row / 24, row % 24)),
    ] {
        let rows: String = (0..100).rev().map(|row| format!("{row},h,{},{row}\n", cell(row))).collect();
        let outcome = divide(&project(KEYED, BY_TIME), &csv(&format!("id,house,day,y\n{rows}")), None).unwrap();
        let side = |id: u64| sides(&outcome)[&id.to_string()];
        assert_eq!(
            [side(0), side(59), side(60), side(79), side(80), side(99)],
            ["train", "train", "validation", "validation", "reference", "reference"],
            "{name}"
        );
    }
}

#[test]
fn a_key_may_be_the_moment() {
    // Rows equal in all but the moment are not the same row.
    let rows: String = (0..100).map(|row| format!("{row},h,{}\n", row % 3)).collect();
    let table = csv(&format!("day,house,y\n{rows}"));
    let given = project(&KEYED.replace("key: id", "key: day"), BY_TIME);
    let outcome = divide(&given, &table, None).unwrap();
    assert_eq!((outcome.counts.train, outcome.counts.validation, outcome.counts.reference), (60, 20, 20));
}

#[test]
fn what_a_split_cannot_go_by_is_said() {
    let table = rows(300, 5);
    let gaps = csv("id,house,day,y\n1,a,2024-01-01,1\n2,,2024-01-02,2\n3,c,,3\n4,d,2024-01-04,4\n");
    let codes = |spec: &str, table: &RecordBatch| -> Vec<String> {
        let errors = check_columns(&project(KEYED, spec).split.spec, table).err().unwrap_or_default();
        let diagnostics: Vec<_> = errors.iter().map(Error::diagnostic).collect();
        assert!(diagnostics.iter().all(|problem| problem.primary.is_some() && !problem.help.is_empty()));
        diagnostics.into_iter().map(|problem| problem.code.to_string()).collect()
    };
    for (spec, table, expected) in [
        (BY_GROUP, &table, &[][..]),
        (BORDERS, &table, &[]),
        (&BY_GROUP.replace("house", "huose"), &table, &["split/unknown-column"]),
        (&BY_TIME.replace("day", "house"), &table, &["split/no-time"]),
        (BY_GROUP, &gaps, &["split/missing-value"]),
        (BY_TIME, &gaps, &["split/missing-value"]),
        (&BORDERS.replace("2024-03-01", "March"), &table, &["split/border"]),
        (&BORDERS.replace("2024-03-01", "2024-04-01"), &table, &["split/border-order"]),
    ] {
        assert_eq!(codes(spec, table), expected, "{spec}");
    }
}

#[test]
fn a_part_without_rows_is_said() {
    let table = rows(300, 6);
    let empty = |spec: &str| divide(&project(KEYED, spec), &table, None).unwrap_err();
    let part = |error: Error| match error {
        Error::EmptyPart { part, rows: 300 } => part,
        other => panic!("{other:?}"),
    };
    assert_eq!(part(empty(&BORDERS.replace("2024-04-01", "2025-01-01"))), "reference test");
    assert_eq!(part(empty(&BORDERS.replace("2024-03-01", "2023-01-01"))), "train");
    let one_day = csv("id,house,day,y\n1,a,2024-01-01,1\n2,b,2024-01-01,2\n");
    assert!(matches!(divide(&project(KEYED, BY_TIME), &one_day, None), Err(Error::EmptyPart { rows: 2, .. })));
}
