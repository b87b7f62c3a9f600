//! Drift as Evidently 0.7.23 tells it, whose definitions are written down here with SciPy, NumPy and pandas.

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use trainyard_data::{ReadOptions, read_csv_bytes};
use trainyard_judges::{number, python, shared};
use trainyard_quality::drift::{Judged, Report, Request, Rules, drift, page};
use trainyard_spec::DriftTest;

/// What Evidently does, with its own names for what it does: `infer_column_type`, `_get_default_stattest`,
/// `get_binned_data` and the tests.
const EVIDENTLY: &str = r#"
import io
import numpy as np, pandas as pd
from scipy import stats
from scipy.spatial import distance

def infer(s):
    if s.dtype.name.startswith("float"):
        return "numeric"
    if s.dtype.name.startswith("int"):
        return "categorical" if s.nunique() <= 10 else "numeric"
    if s.dtype.name in ("str", "object", "string"):
        return "text" if s.nunique() > s.count() * 0.5 else "categorical"
    return "categorical"

def choice(r, c, kind):
    n = pd.concat([r, c]).nunique()
    if len(r) <= 1000:
        if kind == "numeric" and n > 5:
            return "ks"
        return "chisquare" if n > 2 else "z"
    return "wasserstein" if kind == "numeric" and n > 5 else "jensen_shannon"

def keys_of(r, c):
    return sorted(set(r.unique()) | set(c.unique()))

def binned(r, c, kind, fill):
    if kind == "numeric" and r.nunique() > 20:
        bins = np.histogram_bin_edges(np.asarray(pd.concat([r, c]).values), bins="sturges")
        p, q = np.histogram(r, bins)[0] / len(r), np.histogram(c, bins)[0] / len(c)
    else:
        keys = keys_of(r, c)
        a, b = r.value_counts(), c.value_counts()
        p = np.array([a.get(k, 0) / len(r) for k in keys])
        q = np.array([b.get(k, 0) / len(c) for k in keys])
    if fill:
        for x in (p, q):
            least = min(x[x != 0])
            np.place(x, x == 0, least / 10**6 if least <= 0.0001 else 0.0001)
    return p, q

def hellinger(r, c, kind):
    keys = keys_of(r, c)
    if kind == "categorical":
        a, b = r.value_counts() / len(r), c.value_counts() / len(c)
        h = sum(np.sqrt(float(a.get(k, 0)) * float(b.get(k, 0))) for k in keys)
    else:
        bins = np.histogram_bin_edges(keys, bins="sturges")
        a = np.histogram(r.to_numpy(), bins=bins, density=True)[0]
        b = np.histogram(c.to_numpy(), bins=bins, density=True)[0]
        h = sum(np.sqrt(float(x) * float(y)) * (max(bins) - min(bins)) / (len(bins) - 1) for x, y in zip(a, b))
    return np.sqrt(1 - np.clip(h, 0, 1))

def z(r, c):
    if r.nunique() == 1 and c.nunique() == 1 and r.unique()[0] == c.unique()[0]:
        return 1.0
    key = keys_of(r, c)[0]
    n1, n2 = len(r), len(c)
    p1, p2 = (r != key).sum() / n1, (c != key).sum() / n2
    p = (p1 * n1 + p2 * n2) / (n1 + n2)
    return 2 * stats.norm.sf(abs((p1 - p2) / np.sqrt(p * (1 - p) * (1 / n1 + 1 / n2))))

def value(test, r, c, kind):
    if test == "ks":
        return stats.ks_2samp(r, c)[1]
    if test == "wasserstein":
        return stats.wasserstein_distance(r, c) / max(float(np.std(r)), 0.001)
    if test == "psi":
        p, q = binned(r, c, kind, True)
        return np.sum((p - q) * np.log(p / q))
    if test == "kl_div":
        return stats.entropy(*binned(r, c, kind, True))
    if test == "jensen_shannon":
        return distance.jensenshannon(*binned(r, c, kind, False))
    if test == "hellinger":
        return hellinger(r, c, kind)
    if test == "chisquare":
        keys, a, b = keys_of(r, c), r.value_counts(), c.value_counts()
        if len(keys) < 2:
            return None
        return stats.chisquare([b.get(k, 0) for k in keys], [a.get(k, 0) * (len(c) / len(r)) for k in keys])[1]
    return z(r, c)

NUMERIC = ["ks", "wasserstein", "psi", "kl_div", "jensen_shannon", "hellinger"]
CATEGORICAL = ["psi", "kl_div", "jensen_shannon", "hellinger", "chisquare", "z"]
answer = []
for then, now in data:
    then, now = (pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=["", " "]) for text in (then, now))
    columns = {}
    for name in now:
        kind = infer(now[name])
        r, c = (t[name].replace([-np.inf, np.inf], np.nan).dropna() for t in (then, now))
        whole = kind
        if kind == "text":
            r, c, whole = r.str.len().astype("int64"), c.str.len().astype("int64"), "numeric"
            if then[name].isna().any() or now[name].isna().any():
                r, c = r.astype("float64"), c.astype("float64")
        first = choice(r, c, whole)
        tests = [first] + [t for t in (CATEGORICAL if whole == "categorical" else NUMERIC) if t != first]
        with np.errstate(all="ignore"):
            columns[name] = dict(kind=kind, tests=[[t, value(t, r, c, whole)] for t in tests])
    answer.append(columns)
"#;

pub(crate) fn table(text: &str) -> RecordBatch {
    read_csv_bytes(text.as_bytes(), "a table", &ReadOptions::default()).unwrap()
}

fn all_tests() -> Rules {
    use DriftTest::{ChiSquare, Hellinger, JensenShannon, KlDiv, Ks, Psi, Wasserstein, Z};
    Rules {
        numeric: vec![Ks, Wasserstein, Psi, KlDiv, JensenShannon, Hellinger],
        categorical: vec![Psi, KlDiv, JensenShannon, Hellinger, ChiSquare, Z],
        ..Rules::default()
    }
}

fn compared(then: &str, now: &str, rules: &Rules) -> Report {
    let (then, now) = (table(then), table(now));
    drift(&Request {
        reference: &then,
        current: &now,
        columns: None,
        without: &[],
        target: None,
        target_is_label: false,
        rules,
    })
}

/// Gives the head of a text with those of its lines that are wanted.
pub(crate) fn lines(text: &str, wanted: impl Fn(usize) -> bool) -> String {
    let kept = text.lines().enumerate().filter(|(at, _)| *at == 0 || wanted(*at));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

/// Columns that statistics stumble over, in tables of any size.
pub(crate) fn nasty(rows: usize, seed: u64, shift: f64) -> String {
    let draw = |row: usize, column: u64| {
        let mut bits = (row as u64 * 31 + column + seed * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut text = String::from(
        "wide,halves,constant,three,count,gaps,flag,rare,name,city,endless,huge,one_hundred,sparse,fifty\n",
    );
    for row in 0..rows {
        let d = |column| draw(row, column);
        let gap = if d(5) < 0.3 { String::new() } else { format!("{}", (d(6) * 40.0) as i64) };
        let endless = if d(13) < 0.02 { "inf".to_owned() } else { format!("{:.3}", d(14) + shift) };
        text.push_str(&format!(
            "{:.6},{},7.5,{},{},{gap},{},{},{},{},{endless},{:e},{},{},{}\n",
            d(1) * d(2) / (d(3) + 1e-3) + shift,
            ((d(4) + shift) * 6.0).floor() / 2.0,
            (d(7) * 3.0) as i64 * 2,
            (d(8) * 1000.0 * (1.0 + shift)) as i64,
            if d(9) < 0.4 + shift { "true" } else { "false" },
            if d(10) < 0.002 { "x" } else { "y" },
            "abcdefghijklmnopqrstuvwxyz".repeat(3).chars().take(3 + (d(11) * 20.0) as usize).collect::<String>()
                + &row.to_string(),
            ["Köln", "東京", "Rio", "Oslo"][((d(12) + shift) * 4.0) as usize % 4],
            (d(15) - 0.5) * 1e18,
            (d(16) * 100.0) as i64,
            if row % 97 == 0 { format!("{:.2}", d(17)) } else { String::new() },
            (d(18) * 50.0) as i64 - 25,
        ));
    }
    text
}

#[test]
fn every_test_of_every_column_agrees_with_evidently() {
    let mut pairs = vec![
        (nasty(300, 1, 0.0), nasty(200, 2, 0.3)),
        (nasty(1000, 3, 0.0), nasty(1500, 4, 0.0)),
        (nasty(1001, 5, 0.0), nasty(700, 6, 0.05)),
        (nasty(12_000, 7, 0.0), nasty(9_000, 8, 0.02)),
        ("a,b,c\n1,2.5,x\n".to_owned(), "a,b,c\n2,2.5,y\n".to_owned()),
        (nasty(400, 9, 0.0), "wide,halves,name\n0.5,1.5,abc\n".to_owned()),
    ];
    for file in ["data/telco_churn/customers.csv", "data/adult/adult.csv"] {
        let Some(text) = shared(file).map(|path| std::fs::read_to_string(path).unwrap()) else { continue };
        pairs.push((lines(&text, |at| at % 2 == 0), lines(&text, |at| at % 2 == 1)));
        pairs.push((lines(&text, |at| at <= 900), lines(&text, |at| at > 5000)));
    }
    let Some(judge) = python("core") else { return };
    let answers = judge.run(EVIDENTLY, &json!(pairs));
    let mut judged = 0;
    for (at, ((then, now), answer)) in pairs.iter().zip(answers.as_array().unwrap()).enumerate() {
        let report = compared(then, now, &all_tests());
        assert_eq!(report.columns.len(), answer.as_object().unwrap().len(), "pair {at}: {:?}", report.left_out);
        for column in &report.columns {
            let theirs = &answer[&column.column];
            let name = format!("pair {at}, {}", column.column);
            assert_eq!(column.kind.name(), theirs["kind"], "{name}");
            let tests = theirs["tests"].as_array().unwrap();
            assert_eq!(column.tests.iter().map(|test| test.test.name()).collect::<Vec<_>>().len(), tests.len());
            for (ours, theirs) in column.tests.iter().zip(tests) {
                assert_eq!(ours.test.name(), theirs[0], "{name}");
                let theirs = if theirs[1].is_null() { None } else { Some(number(&theirs[1])) };
                judged += 1;
                match (ours.value, theirs) {
                    (None, None) => {}
                    (Some(value), Some(theirs)) => {
                        // Near 0 the root turns the last bit of a sum into 1e-8.
                        let root = matches!(ours.test, DriftTest::Hellinger | DriftTest::JensenShannon);
                        let tolerance = match ours.test {
                            test if test.is_p_value() => 1e-6,
                            _ if root && theirs < 1e-6 => 1e-7,
                            _ => 1e-9,
                        };
                        let off = (value - theirs).abs();
                        assert!(off <= tolerance * theirs.abs().max(1.0), "{name}, {}: {value}, {theirs}", ours.test);
                    }
                    (ours, theirs) => panic!("{name}: {ours:?}, {theirs:?}"),
                }
            }
        }
    }
    assert!(judged > 500, "only {judged} values were judged");
}

#[test]
fn the_report_does_not_depend_on_threads() {
    let (then, now) = (nasty(5000, 1, 0.0), nasty(4000, 2, 0.1));
    let at = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let report = compared(&then, &now, &all_tests());
            (serde_json::to_string(&report).unwrap(), page(&report, ["then", "now"]))
        })
    };
    let alone = at(1);
    assert_eq!(at(2), alone);
    assert_eq!(at(8), alone);
}

#[test]
fn columns_that_cannot_be_compared_are_named_with_the_reason() {
    let then = "a,b,c,d,e,gone\n1,x,2024-01-01,5,,1\n2,y,2024-01-02,6,,2\n";
    let now = "a,b,c,d,e,new\n1,7,2024-01-01,,3,1\n2,8,2024-01-02,,4,2\n";
    let report = compared(then, now, &Rules::default());
    let left: Vec<(&str, &str)> = report.left_out.iter().map(|left| (&*left.column, &*left.why)).collect();
    let expected = [
        ("b", "texts in the reference, numbers now"),
        ("c", "days are not compared"),
        ("d", "no value in the current table"),
        ("e", "no value in the reference"),
        ("new", "not in the reference"),
        ("gone", "not in the current table"),
    ];
    assert_eq!(left, expected);
    // Those that no longer can be compared have moved furthest of all, and stand where they stood.
    let judged: Vec<(&str, bool)> = report
        .judged()
        .iter()
        .map(|judged| match judged {
            Judged::Compared(_, column) => (&*column.column, column.drifted),
            Judged::Broken(column) => (&*column.column, column.drifted),
        })
        .collect();
    assert_eq!(judged, [("a", false), ("b", true), ("d", true), ("gone", true)]);
    let page = page(&report, ["then", "now"]);
    let (table, rest) = page.split_once("</table>").unwrap();
    assert!(
        table.contains("<td class=\"bad\" colspan=\"3\">texts in the reference, numbers now<td class=\"bad\">drifted")
    );
    assert!(rest.contains("<p>new ") && !rest.contains("<p>gone "), "{rest}");
    assert_eq!((report.compared, report.drifted, report.share, report.drift), (4, 3, 0.75, true));
}

#[test]
fn a_target_that_is_gone_has_drifted() {
    let (then, now) = (table("a,y\n1,2\n2,3\n"), table("a,x\n1,2\n2,3\n"));
    let rules = Rules::default();
    let request = Request {
        reference: &then,
        current: &now,
        columns: None,
        without: &[],
        target: Some("y"),
        target_is_label: false,
        rules: &rules,
    };
    let report = drift(&request);
    assert_eq!((report.compared, report.drifted, report.drift, report.target_drift), (2, 1, true, Some(true)));
}

#[test]
fn the_share_of_drifted_columns_decides_and_the_target_is_told_apart() {
    let rows = |shift: usize| {
        let line = |row: usize| format!("{},{},{}\n", row * 13 % 101, row % 50 + shift, row % 2);
        format!("same,moved,label\n{}", (0..400).map(line).collect::<String>())
    };
    let (then, now) = (table(&rows(0)), table(&rows(30)));
    let rules = Rules { share: 0.5, ..Rules::default() };
    let request = Request {
        reference: &then,
        current: &now,
        columns: None,
        without: &[],
        target: Some("label"),
        target_is_label: true,
        rules: &rules,
    };
    let report = drift(&request);
    assert_eq!((report.drifted, report.compared, report.drift, report.target_drift), (1, 3, false, Some(false)));
    let decided: Vec<&str> = report.columns.iter().map(|column| column.tests[0].test.name()).collect();
    assert_eq!(decided, ["ks", "ks", "z"]);
    let columns = ["same".to_owned(), "moved".to_owned()];
    let half = drift(&Request { columns: Some(&columns), ..request });
    assert_eq!((half.drifted, half.compared, half.drift, half.target_drift), (1, 2, true, None));
    let without = drift(&Request { without: &columns[1..], ..request });
    assert_eq!((without.drifted, without.compared), (0, 2));
    // A threshold that the column does not reach, and a test that another spec chose.
    let strict = Rules {
        decides_numeric: Some(DriftTest::Wasserstein),
        thresholds: [(DriftTest::Wasserstein, 3.0)].into(),
        ..Rules::default()
    };
    let strict = drift(&Request { rules: &strict, ..request });
    assert_eq!((strict.drifted, strict.columns[1].tests[0].threshold), (0, 3.0));
}

#[test]
fn the_page_shows_names_as_they_are_and_needs_nothing_else() {
    let then = "<b>&\",label\n1.5,x\n2.5,<i>\n3.5,x\n4.5,<i>\n";
    let report = compared(then, "<b>&\",label\n1.5,x\n9.5,\u{7}\n7.5,x\n8.5,\u{7}\n", &all_tests());
    let page = page(&report, ["<then>", "now & \"here\""]);
    assert!(page.contains("&lt;b&gt;&amp;&quot;") && page.contains("&lt;then&gt;") && page.contains("&lt;i&gt;"));
    for foreign in ["<b>&", "<i>", "\u{7}", "http://", "https://", "<script", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!((page.matches("<svg").count(), page.matches("</svg>").count()), (2, 2));
}

#[test]
fn the_form_of_the_report_is_known() {
    let report = compared("a\n1.5\n2.5\n3.5\n", "a\n1.5\n2.5\n9.5\n", &Rules::default());
    let document: Value = serde_json::to_value(&report).unwrap();
    let column = &document["columns"][0];
    assert_eq!(column["tests"][0]["test"], "chisquare");
    // A category that the reference does not have.
    assert_eq!((&column["tests"][0]["statistic"], &column["tests"][0]["value"]), (&json!("inf"), &json!(0.0)));
    assert_eq!(column["reference"]["summary"]["quartiles"], json!([1.5, 2.0, 2.5, 3.0, 3.5]));
    assert_eq!(column["distribution"]["categories"], json!(["1.5", "2.5", "3.5", "9.5"]));
    assert_eq!((&document["drift"], &document["reference"]["rows"]), (&json!(true), &json!(3)));
}
