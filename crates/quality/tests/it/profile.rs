//! Profiles, beside pandas and SciPy.

use std::fmt::Write;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    TimestampMicrosecondArray,
};
use serde_json::{Value, json};
use trainyard_judges::{number, peak_memory, python, shared};
use trainyard_quality::expectations::{Table, propose, propose_from};
use trainyard_quality::profile::{Kind, Limits, Profile, Profiler, Scalar, page};

use crate::drift::{lines, nasty, table};

/// What pandas, NumPy and SciPy say of the columns of a table.
const PANDAS: &str = r#"
import io
import numpy as np, pandas as pd
from scipy.stats.contingency import association
answer = []
for text in data:
    frame = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=["", " "])
    columns, numeric, texts = {}, [], []
    for name in frame:
        s = frame[name]
        told = dict(missing=s.isna().sum(), distinct=s.nunique())
        counts = s.value_counts()
        told["top"] = counts.iloc[:20].tolist()
        if s.dtype != bool and pd.api.types.is_numeric_dtype(s):
            numeric.append(name)
            f = s.astype("float64").replace([np.inf, -np.inf], np.nan).dropna()
            told.update(mean=f.mean(), deviation=f.std(), skewness=f.skew(), kurtosis=f.kurt())
            told["constant"] = f.nunique() < 2
            told["quantiles"] = np.quantile(f, [0, .01, .05, .25, .5, .75, .95, .99, 1]).tolist() if len(f) else []
            if len(f):
                rounded = s.isna().any() and (f == f.round()).all() and f.abs().max() < 2**53
                whole = pd.api.types.is_integer_dtype(s) or rounded
                f = f.astype("int64") if whole else f
                # NumPy refuses a range of nothing around a number without neighbours one half away.
                alone = f.nunique() == 1 and f.abs().max() > 2**52
                bins = np.array([]) if alone else np.histogram_bin_edges(f, "sturges")
                told["edges"], told["counts"] = bins.tolist(), (np.histogram(f, bins)[0].tolist() if len(bins) else [])
        elif s.dtype == bool or s.nunique() <= 50:
            texts.append(name)
        if not (s.dtype == bool or pd.api.types.is_numeric_dtype(s)):
            length = s.dropna().str.len()
            told["length"] = [length.min(), length.mean(), length.median(), length.max()]
        columns[name] = told
    with np.errstate(all="ignore"):
        r = frame[numeric].replace([np.inf, -np.inf], np.nan).corr()
    pairs = [[a, b, "pearson", r.loc[a, b]] for i, a in enumerate(numeric) for b in numeric[i + 1:]]
    for i, a in enumerate(texts):
        for b in texts[i + 1:]:
            cross = pd.crosstab(frame[a], frame[b]).to_numpy()
            if min(cross.shape) > 1:
                pairs.append([a, b, "cramers_v", association(cross, method="cramer")])
    answer.append(dict(rows=len(frame), columns=columns, pairs=pairs, duplicates=frame.duplicated().sum()))
"#;

fn profiled(table: &RecordBatch, target: Option<&str>) -> Profile {
    let mut profiler = Profiler::new(&table.schema(), target);
    profiler.add(table);
    profiler.finish()
}

fn near(ours: f64, theirs: f64, tolerance: f64) -> bool {
    (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0)
}

#[test]
fn every_number_agrees_with_pandas_and_scipy() {
    let mut texts = vec![
        nasty(1, 1, 0.0),
        nasty(2, 2, 0.0),
        nasty(3, 3, 0.0),
        nasty(5, 4, 0.5),
        nasty(300, 5, 0.0),
        nasty(9_000, 6, 0.2),
        "a,b,c\n1,2.5,x\n1,2.5,x\n2,,y\n1,2.5,x\n".to_owned(),
        "far,near,same\n1000000000000001,1e-300,1\n1000000000000002,3e-300,3\n\
         1000000000000009,4e-300,4\n1000000000000003,9e-300,9\n"
            .to_owned(),
    ];
    for file in ["data/telco_churn/customers.csv", "data/adult/adult.csv"] {
        let Some(path) = shared(file) else { continue };
        texts.push(lines(&std::fs::read_to_string(path).unwrap(), |at| at < 20_000));
    }
    let Some(judge) = python("core") else { return };
    let answers = judge.run(PANDAS, &json!(texts));
    let (mut judged, mut pairs) = (0, 0);
    for (at, (text, answer)) in texts.iter().zip(answers.as_array().unwrap()).enumerate() {
        let profile = profiled(&table(text), None);
        assert_eq!(
            (json!(profile.rows), json!(profile.duplicates.rows)),
            (answer["rows"].clone(), answer["duplicates"].clone())
        );
        for column in &profile.columns {
            let theirs = &answer["columns"][&column.column];
            let name = format!("table {at}, {}", column.column);
            assert_eq!(
                (json!(column.missing), json!(column.distinct.count)),
                (theirs["missing"].clone(), theirs["distinct"].clone()),
                "{name}"
            );
            let top: Vec<u64> = column.top.iter().map(|top| top.count).collect();
            // pandas counts an infinity among the values.
            let infinite = column.numbers.as_ref().is_some_and(|numbers| numbers.infinite > 0);
            assert!(infinite || json!(top) == theirs["top"], "{name}: {top:?}, {}", theirs["top"]);
            if let Some(length) = &column.length {
                let ours = [length.least as f64, length.mean, length.median, length.most as f64];
                assert!(
                    ours.iter().zip(theirs["length"].as_array().unwrap()).all(|(a, b)| near(*a, number(b), 1e-12)),
                    "{name}"
                );
            }
            let Some(numbers) = &column.numbers else { continue };
            let quantiles: Vec<f64> = column
                .quantiles
                .iter()
                .flat_map(|quantiles| &quantiles.values)
                .map(|one| match one.value {
                    Scalar::Float(value) => value,
                    ref other => panic!("{name}: {other:?}"),
                })
                .collect();
            let expected: Vec<f64> = theirs["quantiles"].as_array().unwrap().iter().map(number).collect();
            assert_eq!(quantiles, expected, "{name}");
            let shape = [
                ("mean", numbers.mean),
                ("deviation", numbers.deviation),
                ("skewness", numbers.skewness),
                ("kurtosis", numbers.kurtosis),
            ];
            for (what, ours) in shape {
                let theirs_said = number(&theirs[what]);
                match ours {
                    Some(ours) => {
                        // A number of 1e-300 is judged by its own size.
                        let ratio =
                            if theirs_said.abs() < 1e-9 && theirs_said != 0.0 { ours / theirs_said } else { f64::NAN };
                        // pandas takes a deviation below 1e-14 for none, and then skewness and kurtosis for 0.
                        // Squares of 1e-300 are 0 to it.
                        let tiny = column.column == "near" && (theirs_said.is_nan() || theirs_said == 0.0);
                        let rounded_off = tiny || matches!(what, "skewness" | "kurtosis") && theirs_said == 0.0;
                        assert!(
                            rounded_off || near(ratio, 1.0, 1e-9) || (ratio.is_nan() && near(ours, theirs_said, 1e-9)),
                            "{name}, {what}: {ours}, {theirs_said}"
                        );
                        judged += 1;
                    }
                    None => assert!(
                        theirs_said.is_nan() || theirs["constant"] == json!(true),
                        "{name}, {what}: {theirs_said}"
                    ),
                }
            }
            if let Some(histogram) = &column.histogram {
                let edges: Vec<f64> = theirs["edges"].as_array().unwrap().iter().map(number).collect();
                if histogram.edges == edges {
                    assert_eq!(json!(histogram.counts), theirs["counts"], "{name}");
                    judged += 1;
                } else {
                    // A column of whole numbers with gaps is one of floats in pandas.
                    assert!(
                        column.kind == Kind::Integer && column.missing > 0 || edges.len() <= 2,
                        "{name}: {:?}, {edges:?}",
                        histogram.edges
                    );
                }
            }
        }
        for theirs in answer["pairs"].as_array().unwrap() {
            let ours = profile.correlations.iter().find(|one| one.a == theirs[0] && one.b == theirs[1]);
            let ours = ours.unwrap_or_else(|| panic!("table {at}: {theirs}"));
            assert_eq!(ours.measure, theirs[2]);
            match (ours.value, number(&theirs[3])) {
                // Squares of 1e-300 are 0 to pandas; the same numbers in another unit have the same correlation.
                (Some(ours), theirs_said) if is_tiny(theirs_said, theirs) => {
                    let other = if theirs[0] == "far" { "far" } else { "near" };
                    let same = profile.correlations.iter().find(|one| one.a == other && one.b == "same").unwrap();
                    let expected = if other == "near" { Some(1.0) } else { same.value };
                    assert!(expected.is_some_and(|expected| near(ours, expected, 1e-12)), "{theirs}: {ours}");
                }
                (Some(ours), theirs_said) => {
                    assert!(near(ours, theirs_said, 1e-9), "table {at}, {theirs}: {ours}");
                    pairs += 1;
                }
                // pandas knows no spread below 1e-300, since its squares are 0.
                (None, theirs_said) => assert!(theirs_said.is_nan(), "table {at}, {theirs}"),
            }
        }
    }
    assert!(judged > 250 && pairs > 200, "only {judged} values and {pairs} pairs were judged");
}

/// Says whether a pair has a column whose squares are 0 as doubles.
fn is_tiny(theirs_said: f64, pair: &Value) -> bool {
    theirs_said.is_nan() && (pair[0] == "near" || pair[1] == "near")
}

/// Limits that a table of some thousand rows exceeds.
fn tight() -> Limits {
    Limits { numbers: 200, texts: 200, rows: 500, level: 128, bits: 10, counters: 64, block: 100, sample: 1000 }
}

fn sketched(table: &RecordBatch, batch: usize) -> Profile {
    let mut profiler = Profiler::with_limits(&table.schema(), Some("flag"), tight());
    for at in (0..table.num_rows()).step_by(batch) {
        profiler.add(&table.slice(at, batch.min(table.num_rows() - at)));
    }
    profiler.finish()
}

#[test]
fn neither_batches_nor_threads_change_a_byte() {
    let table = table(&nasty(6000, 3, 0.1));
    let at = |threads: usize, batch: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let profile = sketched(&table, batch);
            (serde_json::to_string(&profile).unwrap(), page(&profile, "a table"))
        })
    };
    let alone = at(1, 6000);
    for (threads, batch) in [(2, 6000), (8, 6000), (2, 777), (8, 1), (1, 100)] {
        assert!(at(threads, batch) == alone, "{threads} threads, batches of {batch}");
    }
}

#[test]
fn what_is_sketched_is_within_its_error() {
    let table = table(&nasty(12_000, 3, 0.1));
    let (sketched, exact) = (sketched(&table, 12_000), profiled(&table, None));
    let mut judged = 0;
    for (ours, exact) in sketched.columns.iter().zip(&exact.columns) {
        let name = &ours.column;
        assert!(exact.distinct.exact && exact.top_error == 0, "{name}");
        assert_eq!(
            (ours.values, ours.missing, &ours.least, &ours.most),
            (exact.values, exact.missing, &exact.least, &exact.most),
            "{name}"
        );
        assert_eq!(ours.distinct.exact, exact.distinct.count <= 200, "{name}");
        if let Some(error) = ours.distinct.standard_error {
            let off = ours.distinct.count as f64 / exact.distinct.count as f64 - 1.0;
            assert!(off.abs() <= 4.0 * error, "{name}: {:?}, {:?}", ours.distinct, exact.distinct);
            judged += 1;
        }
        for top in &ours.top {
            let Some(real) = exact.top.iter().find(|other| other.value == top.value) else { continue };
            assert!(top.count <= real.count && real.count <= top.count + ours.top_error, "{name}: {top:?}, {real:?}");
        }
        let (Some(quantiles), Ok(at)) = (&ours.quantiles, table.schema().index_of(name)) else { continue };
        if quantiles.rank_error == 0.0 {
            assert_eq!(Some(quantiles), exact.quantiles.as_ref(), "{name}");
            continue;
        }
        assert!(quantiles.rank_error < 0.1, "{name}: {}", quantiles.rank_error);
        let values: Vec<f64> = match table.column(at).data_type() {
            arrow_schema::DataType::Int64 => {
                let array = table.column(at).as_any().downcast_ref::<Int64Array>().unwrap();
                array.iter().flatten().map(|value| value as f64).collect()
            }
            _ => table.column(at).as_any().downcast_ref::<Float64Array>().unwrap().iter().flatten().collect(),
        };
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        for one in &quantiles.values {
            let Scalar::Float(value) = one.value else { panic!("{name}: {one:?}") };
            let share = |of: &dyn Fn(&f64) -> bool| {
                values.iter().filter(|value| of(value)).count() as f64 / values.len() as f64
            };
            let (below, up_to) = (share(&|other| *other < value), share(&|other| *other <= value));
            let slack = quantiles.rank_error + 1.0 / values.len() as f64;
            assert!(below - slack <= one.share && one.share <= up_to + slack, "{name}: {one:?}: {below} to {up_to}");
            judged += 1;
        }
        let histogram = ours.histogram.as_ref().unwrap();
        assert_eq!(histogram.counts.iter().sum::<u64>(), values.len() as u64, "{name}");
    }
    assert!(judged > 30, "{judged}");
    // What has no sketch is the same.
    for (ours, exact) in sketched.correlations.iter().zip(&exact.correlations) {
        assert_eq!((&ours.a, &ours.b, ours.rows), (&exact.a, &exact.b, exact.rows));
        let off = ours.value.zip(exact.value).map_or(0.0, |(ours, exact)| (ours - exact).abs());
        assert!(off < 1e-9, "{ours:?}, {exact:?}");
    }
    assert!(!sketched.duplicates.exact && sketched.duplicates.rows == 0);
}

#[test]
fn tables_of_nothing_and_columns_of_nothing_have_profiles() {
    let floats = |values: &[Option<f64>]| -> ArrayRef { std::sync::Arc::new(Float64Array::from(values.to_vec())) };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("none", floats(&[None, None, None])),
        ("nan", floats(&[Some(nan), Some(-nan), None])),
        ("endless", floats(&[Some(inf), Some(-inf), Some(-inf)])),
        ("zeros", floats(&[Some(-0.0), Some(0.0), Some(0.0)])),
        ("ids", std::sync::Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, i64::MAX - 1]))),
        ("text", std::sync::Arc::new(LargeStringArray::from(vec![Some("日本語 🦀"), Some(""), None]))),
        ("days", std::sync::Arc::new(Date32Array::from(vec![Some(0), Some(19_782), Some(-1)]))),
        ("moments", std::sync::Arc::new(TimestampMicrosecondArray::from(vec![1_500_000, 0, 0]))),
        ("flags", std::sync::Arc::new(BooleanArray::from(vec![Some(true), None, None]))),
    ];
    let table =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    for rows in 0..=3 {
        let part = table.slice(0, rows);
        for target in [None, Some("ids"), Some("text"), Some("days"), Some("flags"), Some("none"), Some("gone")] {
            let profile = profiled(&part, target);
            assert_eq!(profile.rows, rows as u64);
            assert!(page(&profile, "t").ends_with("</html>\n"));
            assert_eq!(profile.target.is_some(), target.is_some_and(|target| target != "gone"));
            assert!(profile.target.iter().all(|target| target.predictors.is_none() && target.why.is_some()));
        }
    }
    let profile = profiled(&table, None);
    let column = |name: &str| profile.columns.iter().find(|column| column.column == name).unwrap();
    let numbers = |name: &str| column(name).numbers.clone().unwrap();
    assert_eq!((column("none").values, column("none").notes[0].about, numbers("none").mean), (0, "empty", None));
    assert_eq!((column("nan").distinct.count, numbers("nan").not_a_number, numbers("nan").mean), (0, 2, None));
    assert_eq!(
        (column("endless").distinct.count, numbers("endless").infinite, &column("endless").least),
        (2, 3, &None)
    );
    assert_eq!((column("zeros").distinct.count, numbers("zeros").zeros, numbers("zeros").negative), (1, 3, 0));
    assert_eq!(column("zeros").notes[0].about, "constant");
    let ids = column("ids");
    assert_eq!(
        (&ids.least, &ids.most, ids.distinct.count),
        (&Some(Scalar::Integer(i64::MIN)), &Some(Scalar::Integer(i64::MAX)), 3)
    );
    assert_eq!(ids.notes[0].about, "key");
    let text = column("text").length.clone().unwrap();
    assert_eq!((text.least, text.most, text.mean), (0, 5, 2.5));
    assert_eq!(column("text").notes[0].about, "blank");
    let days = column("days");
    assert_eq!(days.least, Some(Scalar::Text("1969-12-31".to_owned())));
    assert_eq!(days.quantiles.as_ref().unwrap().at(0.5), Some(&Scalar::Text("1970-01-01".to_owned())));
    assert_eq!(days.histogram.as_ref().unwrap().ends, ["1969-12-31", "2024-02-29"]);
    assert_eq!(column("moments").most, Some(Scalar::Text("1970-01-01T00:00:01.500000".to_owned())));
    assert_eq!((column("flags").missing, &column("flags").top[0].value), (2, &Scalar::Boolean(true)));
}

#[test]
fn rows_that_repeat_are_counted_and_the_first_is_named() {
    let profile = profiled(&table("a,b,c\n1,x,\n2,y,0.5\n1,x,\n1,,x\n1,x,\n"), None);
    assert_eq!((profile.duplicates.rows, profile.duplicates.first, profile.duplicates.exact), (2, Some(3), true));
    assert_eq!(profile.duplicates.told(), "2 rows repeat earlier ones.");
}

fn customers() -> String {
    let draw = |row: u64, column: u64| {
        let mut bits = (row * 31 + column).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (bits ^ bits >> 31) % 1000
    };
    let mut text = String::from("id,noise,useful,code,reason,closed,paid,churn,bill\n");
    for row in 0..3000_u64 {
        let gone = draw(row, 1) < 300;
        let useful = if gone { draw(row, 2) + 200 } else { draw(row, 2) };
        let reason = if gone { ["price", "moved"][(row % 2) as usize] } else { "" };
        let closed = if gone { "2024-03-01" } else { "" };
        let paid = draw(row, 3);
        let _ = writeln!(
            text,
            "c{row},{},{useful},{},{reason},{closed},{paid},{},{}",
            draw(row, 4),
            draw(row, 5) % 40,
            if gone { "Yes" } else { "No" },
            paid * 2 + draw(row, 6) / 100
        );
    }
    text
}

#[test]
fn a_column_that_knows_the_target_is_a_suspect_and_a_key_is_none() {
    let table = table(&customers());
    let told = |target: &str| {
        let profile = profiled(&table, Some(target));
        let target = profile.target.unwrap();
        let predictors = target.predictors.unwrap();
        let all: Vec<(String, f64, bool)> =
            predictors.columns.iter().map(|one| (one.column.clone(), one.value, one.suspect)).collect();
        (predictors.measure, target.classes.map(|classes| classes.len()), all)
    };
    let suspects = |all: &[(String, f64, bool)]| -> Vec<String> {
        let mut names: Vec<String> = all.iter().filter(|one| one.2).map(|one| one.0.clone()).collect();
        names.sort();
        names
    };
    let value = |all: &[(String, f64, bool)], name: &str| all.iter().find(|one| one.0 == name).unwrap().1;
    let (measure, classes, all) = told("churn");
    assert_eq!((measure, classes), ("roc_auc", Some(2)));
    assert_eq!(suspects(&all), ["closed", "reason"]);
    assert_eq!(value(&all, "id"), 0.5);
    assert!((0.6..0.8).contains(&value(&all, "useful")), "{all:?}");
    assert!(value(&all, "noise") < 0.56 && value(&all, "code") < 0.56, "{all:?}");
    let (measure, classes, all) = told("bill");
    assert_eq!((measure, classes, suspects(&all)), ("r_squared", None, vec!["paid".to_owned()]));
    let (measure, _, all) = told("reason");
    assert_eq!((measure, value(&all, "id")), ("roc_auc", 0.5));
    // A key can't be predicted.
    let profile = profiled(&table, Some("id"));
    assert!(profile.target.unwrap().why.unwrap().contains("more than 50 classes"));
}

#[test]
fn an_area_by_rank_is_that_of_scikit_learn() {
    let Some(judge) = python("core") else { return };
    let text = customers();
    let script = "
import io
import pandas as pd
from sklearn.metrics import roc_auc_score
f = pd.read_csv(io.StringIO(data))
answer = roc_auc_score(f.churn == 'Yes', f.useful)";
    let theirs = number(&judge.run(script, &json!(text)));
    let profile = profiled(&table(&text), Some("churn"));
    let predictors = profile.target.unwrap().predictors.unwrap();
    let ours = predictors.columns.iter().find(|one| one.column == "useful").unwrap().value;
    assert!(near(ours, theirs, 1e-12), "{ours}, {theirs}");
}

#[test]
fn what_somebody_should_look_at_is_noted() {
    let text: String = (0..40)
        .map(|row| {
            let rest = if row == 7 { "?" } else { "12" };
            format!(
                "{row},\"{},{:03}\",{rest},{}, x,{},00{row}\n",
                row + 1,
                row * 3,
                "same",
                if row < 30 { "" } else { "1.5" }
            )
        })
        .collect();
    let profile = profiled(&table(&format!("id,price,age,constant,padded,sparse,code\n{text}")), None);
    let about: Vec<(&str, Vec<&str>)> = profile
        .columns
        .iter()
        .map(|column| (&*column.column, column.notes.iter().map(|note| note.about).collect()))
        .collect();
    let expected: Vec<(&str, Vec<&str>)> = vec![
        ("id", vec!["key"]),
        ("price", vec!["key", "thousands"]),
        ("age", vec!["numbers"]),
        ("constant", vec!["constant"]),
        ("padded", vec!["constant", "padded"]),
        ("sparse", vec!["missing", "constant"]),
        ("code", vec!["key", "numbers"]),
    ];
    assert_eq!(about, expected);
    assert_eq!(profile.columns[2].notes[0].text, "numbers but for 1, most often \"?\"");
    assert!(profile.columns[1].notes[1].text.contains("\"1,000\""), "{:?}", profile.columns[1].notes);
}

#[test]
fn the_page_shows_names_as_they_are_and_needs_nothing_else() {
    let profile = profiled(&table("<b>&,label\n1.5,x\n2.5,<i>\n3.5,x\n4.5,<i>\n"), Some("label"));
    let page = page(&profile, "<file> & \"name\"");
    assert!(page.contains("&lt;b&gt;&amp;") && page.contains("&lt;file&gt;") && page.contains("&lt;i&gt;"));
    for foreign in ["<b>&", "<i>", "<file>", "http://", "https://", "<script", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.matches("<svg").count() >= 3);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn a_suite_is_proposed_from_a_profile_as_from_the_table() {
    let mut texts = vec![nasty(500, 1, 0.0).replace("inf,", "1.5,"), customers(), "a,b\n1,\n2,\n".to_owned()];
    texts.push("x,y\nnan,1.5\n2.5,nan\n".to_owned());
    for file in ["data/telco_churn/customers.csv", "data/adult/adult.csv"] {
        texts.extend(shared(file).map(|path| std::fs::read_to_string(path).unwrap()));
    }
    for text in texts {
        let table = table(&text);
        let ours = propose_from("suite", &profiled(&table, None));
        assert_eq!(ours.write(), propose("suite", &Table::of(&table)).write());
        assert!(ours.expectations().len() > 3);
    }
    // Bounds that a value lies beyond would be no proposal, and what is only estimated is no ground for one.
    let text = nasty(3000, 1, 0.0);
    let estimated = propose_from("suite", &sketched(&table(&text), 3000));
    let proposed = |name: &str, column: &str| {
        estimated.expectations().iter().any(|one| one.name() == name && one.columns() == [column])
    };
    assert!(!proposed("expect_column_values_to_be_between", "endless"));
    assert!(proposed("expect_column_values_to_be_between", "wide"));
    assert!(!proposed("expect_column_values_to_be_unique", "name"));
}

#[test]
fn the_form_of_the_document_is_known() {
    let profile = profiled(&table("n,t\n1,x\n2,y\n2,y\n,\n"), Some("t"));
    let document: Value = serde_json::to_value(&profile).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["rows", "columns", "duplicates", "correlations", "uncorrelated", "target"]);
    let n = &document["columns"][0];
    assert_eq!((&n["type"], &n["values"], &n["missing"]), (&json!("integer"), &json!(3), &json!(1)));
    assert_eq!((&n["distinct"], &n["least"], &n["most"]), (&json!({"count": 2, "exact": true}), &json!(1), &json!(2)));
    assert_eq!(n["top"][0], json!({"value": 2, "count": 2, "share": 2.0 / 3.0}));
    assert_eq!(n["quantiles"]["values"][4], json!({"share": 0.5, "value": 2.0}));
    assert_eq!(document["duplicates"], json!({"rows": 1, "share": 0.25, "exact": true, "first": 3}));
    assert_eq!(document["target"]["classes"][0]["value"], json!("y"));
}

#[test]
fn more_rows_take_no_more_memory() {
    let rows = if std::env::var_os("TRAINYARD_LONG").is_some() { 20_000_000 } else { 1_500_000_i64 };
    let peak = peak_memory("profile::more_rows_take_no_more_memory", "distinct", || {
        let batch = |before: i64, rows: i64| {
            let ids = (before..before + rows).map(Some);
            let floats = ids.clone().map(|id| id.map(|id| (id as f64).sqrt()));
            let texts: Vec<String> =
                (before..before + rows).map(|id| format!("customer number {id} of very many")).collect();
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("id", std::sync::Arc::new(ids.collect::<Int64Array>())),
                ("x", std::sync::Arc::new(floats.collect::<Float64Array>())),
                ("name", std::sync::Arc::new(LargeStringArray::from(texts))),
            ];
            RecordBatch::try_from_iter(columns).unwrap()
        };
        let mut profiler = Profiler::new(&batch(0, 1).schema(), Some("x"));
        (0..rows).step_by(10_000).for_each(|before| profiler.add(&batch(before, 10_000)));
        let profile = profiler.finish();
        assert_eq!(profile.rows, rows as u64);
        for column in &profile.columns {
            let off = (column.distinct.count as f64 / rows as f64 - 1.0).abs();
            assert!(!column.distinct.exact && off < 0.03, "{}: {:?}", column.column, column.distinct);
        }
    });
    assert!(peak < 256 << 20, "{peak} bytes");
}
