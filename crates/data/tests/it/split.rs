//! Splits: disjoint, complete, stable, and never through equal rows.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use rayon::ThreadPoolBuilder;
use trainyard_data::split::{ColumnChange, Error, Outcome, Request, split};
use trainyard_data::synth::churn;
use trainyard_data::to_parquet;
use trainyard_random::Key;
use trainyard_spec::{DataSpec, SplitSpec};

use crate::given::{csv, project, values};

const CHURN: &str = "  source: rows.csv\n  key: customerID\n  target: {column: Churn, positive: \"Yes\"}";
const SHARES: &str = "seed: 42\nshares: {train: 0.6, validation: 0.2, reference_test: 0.2}\n";

struct Given {
    data: DataSpec,
    spec: SplitSpec,
}

impl Given {
    fn new(data: &str, spec: &str) -> Given {
        let resolved = project(data, spec);
        Given { data: resolved.project.data, spec: resolved.split.spec }
    }

    fn churn() -> Given {
        Given::new(CHURN, SHARES)
    }

    fn split(&self, table: &RecordBatch, reference: Option<&RecordBatch>) -> Result<Outcome, Error> {
        let frozen_from = reference.map(|_| "rows.csv");
        split(&Request { table, data: &self.data, version: 1, spec: &self.spec, reference, frozen_from })
    }
}

/// A text for the key of every row of a part.
fn keys(table: &RecordBatch, column: &str) -> Vec<String> {
    values(table, column).iter().map(ToString::to_string).collect()
}

/// The part that each customer is in.
fn sides(outcome: &Outcome) -> BTreeMap<String, &'static str> {
    let parts = [("train", &outcome.train), ("reference", &outcome.reference)];
    let parts = parts.into_iter().chain(outcome.validation.as_ref().map(|table| ("validation", table)));
    let mut sides = BTreeMap::new();
    for (side, table) in parts {
        for key in keys(table, "customerID") {
            assert_eq!(sides.insert(key, side), None, "a row is in two parts");
        }
    }
    sides
}

fn shuffled(table: &RecordBatch, seed: u64) -> RecordBatch {
    let mut order: Vec<u64> = (0..table.num_rows() as u64).collect();
    Key::new(seed, "order").stream().shuffle(&mut order);
    take_record_batch(table, &UInt64Array::from(order)).unwrap()
}

#[test]
fn every_row_is_on_one_side_and_the_shares_hold() {
    let table = churn(20_000, 1);
    let outcome = Given::churn().split(&table, None).unwrap();
    let counts = outcome.counts;
    assert_eq!((counts.master, sides(&outcome).len() + counts.excluded_duplicates), (20_000, 20_000));
    assert_eq!((counts.train, counts.reference), (outcome.train.num_rows(), outcome.reference.num_rows()));
    // Groups are passed over where they don't fit: one row of each class at most.
    assert!(counts.reference.abs_diff(4000) <= 2, "{counts:?}");
    // Train and validation are drawn row by row: four standard deviations.
    let spread = 4.0 * (16_000.0_f64 * 0.75 * 0.25).sqrt();
    assert!((counts.train as f64 - 12_000.0).abs() < spread, "{counts:?}");
    // Parts keep the source's order.
    let order: BTreeMap<String, usize> =
        keys(&table, "customerID").into_iter().enumerate().map(|(row, key)| (key, row)).collect();
    for part in [&outcome.train, &outcome.reference, outcome.validation.as_ref().unwrap()] {
        assert!(keys(part, "customerID").iter().map(|key| order[key]).is_sorted());
    }
}

#[test]
fn the_reference_has_the_classes_share() {
    let table = churn(5000, 2);
    let rate = |table: &RecordBatch| -> f64 {
        values(table, "Churn").iter().filter(|label| *label == "Yes").count() as f64 / table.num_rows() as f64
    };
    for seed in 0..10 {
        let spec = SHARES.replace("42", &seed.to_string());
        let stratified = Given::new(CHURN, &spec).split(&table, None).unwrap();
        assert!((rate(&stratified.reference) - rate(&table)).abs() < 0.002);
        // Each class has its share of its own rows; only groups of equal rows can leave it short.
        for label in ["Yes", "No"] {
            let of = |table: &RecordBatch| values(table, "Churn").iter().filter(|found| *found == label).count();
            let (wanted, found) = ((of(&table) as f64 * 0.2).round() as usize, of(&stratified.reference));
            assert!((wanted - 1..=wanted).contains(&found), "{label}: {found} of {wanted}");
        }
    }
    let free = |seed: u64| {
        let spec = format!("{}stratify: false\n", SHARES.replace("42", &seed.to_string()));
        rate(&Given::new(CHURN, &spec).split(&table, None).unwrap().reference)
    };
    assert!((0..10).any(|seed| (free(seed) - rate(&table)).abs() > 0.002), "stratify: false does not stratify");
}

#[test]
fn a_number_to_predict_is_stratified_by_its_tenths() {
    let rows: String = (0..2000).map(|row| format!("{row},{}\n", (row * 7919) % 2000)).collect();
    let table = csv(&format!("id,y\n{rows}"));
    let given = Given::new("  source: rows.csv\n  key: id\n  target: {column: y, task: regression}", SHARES);
    let reference = given.split(&table, None).unwrap().reference;
    for tenth in 0..10 {
        let within = values(&reference, "y").iter().filter(|y| y.as_i64().unwrap() / 200 == tenth).count();
        assert_eq!(within, 40, "tenth {tenth}");
    }
}

#[test]
fn order_and_threads_do_not_matter() {
    let table = churn(3000, 3);
    let given = Given::churn();
    let expected = sides(&given.split(&table, None).unwrap());
    for seed in 0..5 {
        assert_eq!(sides(&given.split(&shuffled(&table, seed), None).unwrap()), expected);
    }
    let bytes = |outcome: Outcome| {
        [&outcome.train, outcome.validation.as_ref().unwrap(), &outcome.reference].map(|part| to_parquet(part).unwrap())
    };
    let one = bytes(given.split(&table, None).unwrap());
    for threads in [1, 2, 8] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| bytes(given.split(&table, None).unwrap())), one, "{threads} threads");
    }
    let other = Given::new(CHURN, &SHARES.replace("42", "43"));
    assert_ne!(sides(&other.split(&table, None).unwrap()), expected, "another seed is another split");
}

#[test]
fn rows_keep_their_side_as_the_master_grows_shrinks_and_changes() {
    let all = churn(4400, 4);
    let (given, master) = (Given::churn(), all.slice(0, 4000));
    let first = given.split(&master, None).unwrap();
    assert!(first.reference_is_new);
    let before = sides(&first);
    let again = given.split(&all, Some(&first.reference)).unwrap();
    assert!(!again.reference_is_new);
    assert_eq!(to_parquet(&again.reference).unwrap(), to_parquet(&first.reference).unwrap());
    let after = sides(&again);
    assert!(before.iter().all(|(key, side)| after[key] == *side));
    assert_eq!(after.len() + again.counts.excluded_duplicates, 4400);
    // New rows never become reference rows.
    assert_eq!(again.counts.reference, first.counts.reference);
    let fewer = sides(&given.split(&master.slice(0, 3000), Some(&first.reference)).unwrap());
    assert!(fewer.iter().all(|(key, side)| before[key] == *side));
    // A customer whose values change stays where the key puts it.
    let other = churn(4000, 5);
    let mut columns = other.columns().to_vec();
    columns[0] = master.column(0).clone();
    let changed = RecordBatch::try_new(master.schema(), columns).unwrap();
    let changed = sides(&given.split(&changed, Some(&first.reference)).unwrap());
    assert!(changed.iter().all(|(key, side)| before[key] == *side));
}

/// Rows of which many are equal in all but the key.
fn with_equals(rows: usize) -> RecordBatch {
    let key = Key::new(1, "equals");
    let row = |row: usize| {
        let content = key.at(row as u64) % (rows as u64 / 3);
        format!("k{row},{content},{}\n", if content.is_multiple_of(3) { "yes" } else { "no" })
    };
    csv(&format!("id,x,y\n{}", (0..rows).map(row).collect::<String>()))
}

const KEYED: &str = "  source: rows.csv\n  key: id\n  target: {column: y, positive: \"yes\"}";

#[test]
fn equal_rows_are_never_cut() {
    let table = with_equals(900);
    for seed in 0..20 {
        let given = Given::new(KEYED, &SHARES.replace("42", &seed.to_string()));
        let outcome = given.split(&table, None).unwrap();
        let contents = |table: &RecordBatch| keys(table, "x").into_iter().collect::<BTreeSet<_>>();
        let parts = [&outcome.train, outcome.validation.as_ref().unwrap(), &outcome.reference].map(contents);
        assert!(parts[0].is_disjoint(&parts[1]) && parts[0].is_disjoint(&parts[2]) && parts[1].is_disjoint(&parts[2]));
        assert_eq!(outcome.counts.excluded_duplicates, 0, "whole groups go to the reference");
    }
}

#[test]
fn the_reference_is_frozen_alike_in_any_order_even_of_equal_rows() {
    let (table, given) = (with_equals(900), Given::new(KEYED, SHARES));
    let frozen = |table: &RecordBatch| {
        keys(&given.split(table, None).unwrap().reference, "id").into_iter().collect::<BTreeSet<_>>()
    };
    for seed in 0..10 {
        assert_eq!(frozen(&shuffled(&table, seed)), frozen(&table));
    }
}

#[test]
fn a_new_row_equal_to_a_reference_row_stays_out() {
    let table = csv(&format!(
        "id,x,y\n{}",
        (0..100).map(|row| format!("k{row},{row},{}\n", ["no", "yes"][row % 2])).collect::<String>()
    ));
    let given = Given::new(KEYED, SHARES);
    let first = given.split(&table, None).unwrap();
    let twin = |row: usize| {
        format!(
            "new{row},{},{}\n",
            values(&first.reference, "x")[row],
            values(&first.reference, "y")[row].as_str().unwrap()
        )
    };
    let twins = csv(&format!("id,x,y\n{}{}", twin(0), twin(1)));
    let grown = concat_batches(&table.schema(), [&table, &twins]).unwrap();
    let again = given.split(&grown, Some(&first.reference)).unwrap();
    assert_eq!(again.counts.excluded_duplicates, 2);
    assert_eq!((again.counts.train, again.counts.validation), (first.counts.train, first.counts.validation));
}

#[test]
fn without_a_key_the_whole_row_decides() {
    let given = Given::new("  source: rows.csv\n  target: {column: y, positive: \"yes\"}", SHARES);
    let table = with_equals(600).project(&[1, 2]).unwrap();
    let first = given.split(&table, None).unwrap();
    let of = |outcome: &Outcome| {
        [&outcome.train, outcome.validation.as_ref().unwrap(), &outcome.reference]
            .map(|part| keys(part, "x").into_iter().collect::<BTreeSet<_>>())
    };
    assert_eq!(of(&given.split(&shuffled(&table, 1), None).unwrap()), of(&first));
    let [train, validation, reference] = of(&first);
    assert!(train.is_disjoint(&validation) && train.is_disjoint(&reference) && validation.is_disjoint(&reference));
    let again = given.split(&table, Some(&first.reference)).unwrap();
    assert_eq!(of(&again), of(&first));
}

#[test]
fn other_data_and_other_columns_are_refused() {
    let given = Given::churn();
    let table = churn(1000, 6);
    let reference = given.split(&table, None).unwrap().reference;
    let half = |share: f64| {
        let found: Vec<bool> =
            keys(&table, "customerID").iter().map(|key| keys(&reference, "customerID").contains(key)).collect();
        let kept = (reference.num_rows() as f64 * share).round() as usize;
        let mut left = kept;
        let mask: arrow_array::BooleanArray = found
            .into_iter()
            .map(|is_reference| {
                let keep = !is_reference || left > 0;
                left -= usize::from(is_reference && left > 0);
                Some(keep)
            })
            .collect();
        arrow_select::filter::filter_record_batch(&table, &mask).unwrap()
    };
    assert!(given.split(&half(0.5), Some(&reference)).is_ok());
    let error = given.split(&half(0.49), Some(&reference)).unwrap_err();
    assert_eq!(error, Error::OtherData { version: 1, frozen_from: "rows.csv".into(), keys: 200, found: 98 });
    assert!(matches!(given.split(&churn(1000, 7), Some(&reference)), Err(Error::OtherData { found: 0, .. })));
    let fewer: Vec<usize> = (0..20).collect();
    let error = given.split(&table.project(&[&fewer[1..], &[20]].concat()).unwrap(), Some(&reference));
    assert!(
        matches!(&error, Err(Error::OtherColumns { columns }) if *columns == [("customerID".to_owned(), ColumnChange::Absent)]),
        "{error:?}"
    );
}

#[test]
fn keys_of_every_type_and_in_every_script_hold() {
    for (header, key) in [
        ("integers", (|row: usize| format!("{}", row as i64 - 50)) as fn(usize) -> String),
        ("dates", |row| format!("{}-01-01", 1900 + row)),
        ("texts", |row| format!("鍵{row}é😀")),
        ("fractions", |row| format!("{row}.5")),
    ] {
        let row = |row: usize| format!("{},{row},{}\n", key(row), ["no", "yes"][row % 2]);
        let table = csv(&format!("id,x,y\n{}", (0..100).map(row).collect::<String>()));
        let given = Given::new(KEYED, SHARES);
        let first = given.split(&table, None).unwrap();
        assert_eq!(first.counts.reference, 20, "{header}");
        let again = given.split(&shuffled(&table, 2), Some(&first.reference)).unwrap();
        assert_eq!((again.counts.train, again.counts.reference_found), (first.counts.train, 20), "{header}");
    }
}

#[test]
fn too_few_rows_for_a_part_are_said() {
    for rows in 1..4 {
        let row = |row: usize| format!("k{row},{row},{}\n", ["no", "yes"][row % 2]);
        let table = csv(&format!("id,x,y\n{}", (0..rows).map(row).collect::<String>()));
        let error = Given::new(KEYED, SHARES).split(&table, None).unwrap_err();
        assert!(matches!(error, Error::EmptyPart { rows: all, .. } if all == rows), "{error:?}");
    }
}

#[test]
fn a_group_too_large_for_the_reference_shows_in_the_counts() {
    let row = |row: usize| {
        format!("k{row},{},{}\n", row.saturating_sub(500), ["no", "yes"][usize::from(row >= 500) * (row % 2)])
    };
    let table = csv(&format!("id,x,y\n{}", (0..1000).map(row).collect::<String>()));
    let given = Given::new(KEYED, SHARES);
    let first = given.split(&table, None).unwrap();
    // The 501 rows with x = 0 are one group, larger than the share of its class.
    assert!(first.counts.reference_wanted == Some(200) && first.counts.reference <= 200, "{:?}", first.counts);
    assert!(keys(&first.reference, "x").iter().all(|x| x != "0"));
    let again = given.split(&table, Some(&first.reference)).unwrap();
    assert_eq!(again.counts.reference_wanted, None);
}

#[test]
fn an_appended_row_joins_the_side_of_its_equals() {
    let table = with_equals(600);
    let given = Given::new(KEYED, SHARES);
    let first = given.split(&table, None).unwrap();
    let before = |outcome: &Outcome| {
        let train = keys(&outcome.train, "id").into_iter().collect::<BTreeSet<_>>();
        (train, keys(outcome.validation.as_ref().unwrap(), "id").into_iter().collect::<BTreeSet<_>>())
    };
    let twins: String = (0..600)
        .map(|row| format!("t{row},{},{}\n", values(&table, "x")[row], values(&table, "y")[row].as_str().unwrap()))
        .collect();
    let grown = concat_batches(&table.schema(), [&table, &csv(&format!("id,x,y\n{twins}"))]).unwrap();
    let again = given.split(&grown, Some(&first.reference)).unwrap();
    let ((train, held), (train_now, held_now)) = (before(&first), before(&again));
    assert!(train.is_subset(&train_now) && held.is_subset(&held_now));
}

#[test]
fn a_class_of_one_row_splits() {
    let row = |row: usize| format!("k{row},{row},{}\n", if row == 17 { "yes" } else { "no" });
    let table = csv(&format!("id,x,y\n{}", (0..100).map(row).collect::<String>()));
    let outcome = Given::new(KEYED, SHARES).split(&table, None).unwrap();
    assert_eq!(outcome.counts.train + outcome.counts.validation + outcome.counts.reference, 100);
}

#[test]
fn without_a_validation_share_all_others_train() {
    let given = Given::new(CHURN, "seed: 1\nshares: {train: 0.8, reference_test: 0.2}\n");
    let outcome = given.split(&churn(500, 8), None).unwrap();
    assert!(outcome.validation.is_none());
    assert_eq!(outcome.counts.train + outcome.counts.reference, 500);
}

#[test]
fn optional_tests_are_parts_of_the_reference() {
    let spec = format!(
        "{SHARES}optional_tests: {{new: \"tenure < 6\", unbilled: \"TotalCharges > 1000\", none: \"tenure > 99\"}}\n"
    );
    let outcome = Given::new(CHURN, &spec).split(&churn(2000, 9), None).unwrap();
    let tests: BTreeMap<&str, &RecordBatch> =
        outcome.optional_tests.iter().map(|(name, table)| (name.as_str(), table)).collect();
    let all = values(&outcome.reference, "tenure");
    let new = all.iter().filter(|tenure| tenure.as_i64().unwrap() < 6).count();
    assert_eq!((tests["new"].num_rows(), tests["none"].num_rows()), (new, 0));
    // A NULL is not true.
    let dear = values(&outcome.reference, "TotalCharges").iter().filter(|total| total.as_f64() > Some(1000.0)).count();
    assert_eq!(tests["unbilled"].num_rows(), dear);
}

#[test]
fn a_predicate_that_fails_on_a_row_names_its_test_and_its_place() {
    let spec = format!("{SHARES}optional_tests: {{odd: \"CAST(gender AS BIGINT) > 1\"}}\n");
    let error = Given::new(CHURN, &spec).split(&churn(100, 9), None).unwrap_err().diagnostic();
    assert!(error.title.contains("odd") && error.primary.is_some(), "{error:?}");
}

#[test]
fn a_predicate_that_cannot_be_is_explained() {
    let schema = churn(10, 1).schema();
    for (sql, code) in [
        ("tenuer < 6", "expression/unknown-column"),
        ("tenure + 6", "split/predicate"),
        ("Churn = 'Yes'", "expression/forbidden-column"),
        ("tenure <", "expression/syntax"),
        ("avg(tenure) > 3", "expression/aggregate"),
    ] {
        let given = Given::new(CHURN, &format!("{SHARES}optional_tests: {{part: \"{sql}\"}}\n"));
        let errors = trainyard_data::split::check_optional_tests(&given.spec, &schema, &given.data).unwrap_err();
        let diagnostic = errors[0].diagnostic();
        assert_eq!(diagnostic.code, code, "{sql}");
        assert!(diagnostic.primary.is_some() && !diagnostic.help.is_empty(), "{diagnostic:?}");
    }
}
