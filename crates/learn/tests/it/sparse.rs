//! Linear models with an L1 penalty, and without an intercept, at scikit-learn's optimum.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{
    ElasticNetParameters, Error, LinearModel, LogisticParameters, elastic_net, logistic_regression,
    multinomial_regression, ridge,
};
use trainyard_random::Key;

use crate::data::{Table, json, json_columns};

/// Fits each case with `saga`, or without an L1 penalty with `newton-cg`, and says what `ours` is worth.
const LOGISTIC: &str = r#"
import numpy as np, warnings
from sklearn.linear_model import LogisticRegression
from scipy.special import logsumexp
warnings.simplefilter("ignore")
answer = []
for case in data:
    X, y = np.array(case["columns"]).T, np.array(case["targets"]).astype(int)
    w = np.ones(len(y)) if case["weights"] is None else np.array(case["weights"])
    k, C, ratio = y.max() + 1, case["c"], case["l1_ratio"]
    def worth(coef, intercept):
        z = X @ np.array(coef).T + np.array(intercept)
        z = np.column_stack([np.zeros(len(y)), z[:, 0]]) if k == 2 else z
        loss = C * np.sum(w * (logsumexp(z, axis=1) - z[np.arange(len(y)), y]))
        coef = np.array(coef)
        return loss + ratio * np.abs(coef).sum() + (1 - ratio) * 0.5 * (coef ** 2).sum()
    model = LogisticRegression(C=C, l1_ratio=ratio, tol=1e-13, max_iter=case["sweeps"], random_state=0,
                               solver="saga" if ratio > 0 else "newton-cg",
                               fit_intercept=case["fit_intercept"]).fit(X, y, sample_weight=w)
    intercept = np.broadcast_to(np.atleast_1d(model.intercept_), (model.coef_.shape[0],))
    answer.append(dict(coefficients=model.coef_, intercepts=intercept - (intercept.mean() if k > 2 else 0),
                       worth=worth(model.coef_, intercept), ours=worth(*case["ours"]), size=C * w.sum()))
"#;

const ELASTIC: &str = r#"
import numpy as np, warnings
from sklearn.linear_model import ElasticNet
warnings.simplefilter("ignore")
answer = []
for case in data:
    X, y = np.array(case["columns"]).T, np.array(case["targets"])
    w = np.ones(len(y)) if case["weights"] is None else np.array(case["weights"])
    a, ratio = case["alpha"], case["l1_ratio"]
    def worth(coef, intercept):
        coef = np.array(coef)
        return (0.5 * np.average((y - X @ coef - intercept) ** 2, weights=w)
                + a * ratio * np.abs(coef).sum() + a * (1 - ratio) * 0.5 * (coef ** 2).sum())
    model = ElasticNet(alpha=a, l1_ratio=ratio, tol=1e-15, max_iter=1000000).fit(X, y, sample_weight=w)
    answer.append(dict(coefficients=[model.coef_], intercepts=[model.intercept_],
                       worth=worth(model.coef_, model.intercept_), ours=worth(*case["ours"]),
                       size=np.average((y - np.average(y, weights=w)) ** 2, weights=w) or 1.0))
"#;

/// A fit to compare; `is_unique` says whether one solution alone is the best.
struct Case<'a> {
    name: &'static str,
    table: &'a Table,
    weights: Option<&'a [f64]>,
    /// `C` of logistic regression, `alpha` of the elastic net.
    strength: f64,
    l1_ratio: f64,
    fit_intercept: bool,
    is_unique: bool,
}

fn case<'a>(name: &'static str, table: &'a Table, strength: f64, l1_ratio: f64) -> Case<'a> {
    Case { name, table, weights: None, strength, l1_ratio, fit_intercept: true, is_unique: true }
}

impl Case<'_> {
    fn classes(&self) -> usize {
        1 + self.table.targets.iter().fold(0.0f64, |largest, target| largest.max(*target)) as usize
    }

    fn logistic(&self) -> Vec<LinearModel> {
        let parameters = LogisticParameters {
            c: self.strength,
            l1_ratio: self.l1_ratio,
            fit_intercept: self.fit_intercept,
            tol: 1e-10,
            max_iter: 1_000,
        };
        let (matrix, targets) = (self.table.matrix(), &self.table.targets);
        match self.classes() {
            2 => vec![logistic_regression(&matrix, targets, self.weights, &parameters).expect("a fit")],
            classes => multinomial_regression(&matrix, targets, classes, self.weights, &parameters).expect("a fit"),
        }
    }

    fn elastic(&self) -> Vec<LinearModel> {
        let parameters =
            ElasticNetParameters { alpha: self.strength, l1_ratio: self.l1_ratio, tol: 1e-13, max_iter: 1_000 };
        vec![elastic_net(&self.table.matrix(), &self.table.targets, self.weights, &parameters).expect("a fit")]
    }

    fn request(&self, models: &[LinearModel], is_regression: bool) -> Value {
        let coefficients: Vec<Value> = models.iter().map(|model| json(&model.coefficients)).collect();
        let intercepts: Vec<f64> = models.iter().map(|model| model.intercept).collect();
        let ours = if is_regression {
            json!([coefficients[0], intercepts[0]])
        } else {
            json!([coefficients, json(&intercepts)])
        };
        json!({
            "columns": json_columns(&self.table.columns), "targets": json(&self.table.targets),
            "weights": self.weights.map(json), "c": self.strength, "alpha": self.strength, "l1_ratio": self.l1_ratio,
            "fit_intercept": self.fit_intercept, "ours": ours, "sweeps": if self.is_unique { 200_000 } else { 3_000 },
        })
    }
}

/// Asks for the judge's objective within 1e-6 or a better one, its support, and its coefficients within 1e-6 of the
/// largest.
#[expect(clippy::print_stdout, reason = "the numbers are worth a look: `--no-capture` shows them")]
fn are_close(script: &str, cases: &[Case<'_>]) {
    let is_regression = script == ELASTIC;
    let fits: Vec<Vec<LinearModel>> =
        cases.iter().map(|case| if is_regression { case.elastic() } else { case.logistic() }).collect();
    let Some(judge) = trainyard_judges::python("core") else { return };
    let request = cases.iter().zip(&fits).map(|(case, models)| case.request(models, is_regression)).collect();
    for ((case, models), answer) in cases.iter().zip(&fits).zip(judge.run(script, &request).as_array().expect("a list"))
    {
        let name = case.name;
        let of = |key: &str| number(&answer[key]) / number(&answer["size"]);
        println!("{name}: {:e} iterations {}", of("ours") - of("worth"), models[0].iterations);
        assert!(models.iter().all(|model| model.converged), "{name}: {models:?}");
        assert!(of("ours") - of("worth") <= 1e-9, "{name}: {} {}", of("ours"), of("worth"));
        if !case.is_unique {
            continue;
        }
        assert!(of("worth") - of("ours") <= 1e-6, "{name}: {} {}", of("ours"), of("worth"));
        let numbers = |value: &Value| value.as_array().expect("a list").iter().map(number).collect::<Vec<f64>>();
        let theirs: Vec<Vec<f64>> = answer["coefficients"].as_array().expect("a list").iter().map(numbers).collect();
        let largest = theirs.iter().flatten().fold(1.0f64, |largest, value| largest.max(value.abs()));
        let intercepts = numbers(&answer["intercepts"]);
        for ((model, theirs), intercept) in models.iter().zip(&theirs).zip(&intercepts) {
            for (ours, theirs) in model.coefficients.iter().zip(theirs) {
                assert!((ours - theirs).abs() <= 1e-6 * largest, "{name}: {ours} {theirs}");
                assert_eq!(*ours == 0.0, theirs.abs() <= 1e-9 * largest, "{name}: {ours} {theirs}");
            }
            let size = largest.max(intercept.abs());
            assert!((model.intercept - intercept).abs() <= 2e-6 * size, "{name}: {} {intercept}", model.intercept);
        }
    }
}

fn standardized(table: &Table) -> Table {
    let rows = table.rows() as f64;
    let column = |column: &Vec<f64>| -> Vec<f64> {
        let mean = column.iter().sum::<f64>() / rows;
        let spread = (column.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / rows).sqrt();
        column.iter().map(|value| (value - mean) / spread).collect()
    };
    Table { columns: table.columns.iter().map(column).collect(), targets: table.targets.clone() }
}

/// Columns of normal size, of which the first few tell the target.
fn random(rows: usize, columns: usize, key: u64, target: impl Fn(&[f64], f64) -> f64) -> Table {
    let key = Key::new(key, "learn/tests/sparse");
    let columns: Vec<Vec<f64>> = (0..columns as u64)
        .map(|column| (0..rows as u64).map(|row| key.derive(column).uniform(row) * 3.0 - 1.5).collect())
        .collect();
    let of_row = |row: usize| {
        let cells: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        target(&cells, key.derive(1 << 40).uniform(row as u64))
    };
    let targets = (0..rows).map(of_row).collect();
    Table { columns, targets }
}

fn sign(margin: f64, draw: f64) -> f64 {
    f64::from(u8::from(draw < trainyard_learn::sigmoid(margin)))
}

#[test]
fn logistic_regression_with_an_l1_penalty() {
    let (Some(cancer), Some(credit)) = (Table::breast_cancer(), Table::german_credit()) else { return };
    let (cancer, credit) = (standardized(&cancer), standardized(&credit));
    let weights: Vec<f64> = (0..cancer.rows()).map(|row| 0.5 * (row % 4) as f64).collect();
    let one = random(50, 1, 1, |cells, draw| sign(2.0 * cells[0], draw));
    let few = random(8, 12, 2, |cells, draw| sign(3.0 * cells[0], draw));
    are_close(
        LOGISTIC,
        &[
            case("breast_cancer", &cancer, 0.5, 1.0),
            case("breast_cancer, strong penalty", &cancer, 0.02, 1.0),
            case("breast_cancer, both penalties", &cancer, 0.5, 0.5),
            Case { weights: Some(&weights), ..case("breast_cancer, weighted", &cancer, 0.5, 1.0) },
            Case { fit_intercept: false, ..case("breast_cancer, no intercept", &cancer, 0.2, 1.0) },
            case("german_credit", &credit, 0.05, 1.0),
            case("german_credit, weak penalty", &credit, 1.0, 0.9),
            case("one column", &one, 1.0, 1.0),
            // The judge stops where it starts.
            Case { is_unique: false, ..case("one column, nothing kept", &one, 1e-3, 1.0) },
            case("few rows", &few, 1.0, 0.9),
        ],
    );
}

#[test]
fn logistic_regression_of_several_classes_with_an_l1_penalty() {
    let (Some(wine), Some(penguins)) = (Table::wine(), Table::penguins()) else { return };
    let (wine, penguins) = (standardized(&wine), standardized(&penguins.filter_complete_rows()));
    let weights: Vec<f64> = (0..wine.rows()).map(|row| (row % 4) as f64).collect();
    are_close(
        LOGISTIC,
        &[
            case("wine", &wine, 1.0, 1.0),
            case("wine, strong penalty", &wine, 0.05, 1.0),
            Case { weights: Some(&weights), ..case("wine, weighted, both penalties", &wine, 0.3, 0.5) },
            Case { fit_intercept: false, ..case("wine, no intercept", &wine, 0.3, 1.0) },
            Case { fit_intercept: false, ..case("wine, no intercept, L2", &wine, 0.3, 0.0) },
            case("penguins", &penguins, 0.5, 1.0),
        ],
    );
}

#[test]
fn logistic_regression_without_an_intercept() {
    let Some(cancer) = Table::breast_cancer() else { return };
    let plain = standardized(&cancer);
    let key = Key::new(9, "learn/tests/wide");
    let targets: Vec<f64> = (0..400).map(|row| sign(0.5, key.uniform(row))).collect();
    let column = |column: u64| (0..400).map(|row| key.derive(column).uniform(row)).collect();
    let wide = Table { columns: (0..300).map(column).collect(), targets };
    are_close(
        LOGISTIC,
        &[
            Case { fit_intercept: false, ..case("breast_cancer", &plain, 1.0, 0.0) },
            Case { fit_intercept: false, ..case("more columns than Newton's method takes", &wide, 1.0, 0.0) },
        ],
    );
}

#[test]
fn l1_penalties_of_hard_data() {
    let Some(cancer) = Table::breast_cancer() else { return };
    let mut table = Table::synthetic(400, 6, 1).complete();
    table.columns.push(table.columns[0].iter().map(|value| 2.0 * value).collect());
    table.columns.push(table.columns[0].clone());
    table.columns.push(vec![3.0; 400]);
    let mut scaled = standardized(&cancer);
    for (column, power) in scaled.columns.iter_mut().zip([-9, 9, -3, 3, 0, 6].into_iter().cycle()) {
        column.iter_mut().for_each(|value| *value = (*value + 4.0) * libm::exp10(f64::from(power)));
    }
    let separable = Table {
        targets: table.columns[0].iter().map(|value| f64::from(u8::from(*value > 0.5))).collect(),
        columns: table.columns[..2].to_vec(),
    };
    // The judge is far from the lowest point of some of these: ours must be as low or lower.
    let hard = |name, table, strength| Case { is_unique: false, ..case(name, table, strength, 1.0) };
    are_close(
        LOGISTIC,
        &[
            hard("collinear and constant columns", &table, 1.0),
            hard("breast_cancer as it is", &cancer, 1.0),
            hard("breast_cancer in eighteen powers of ten", &scaled, 1.0),
            hard("separable", &separable, 1.0),
            hard("separable, hardly penalised", &separable, 1e5),
        ],
    );
}

#[test]
fn more_columns_than_move_at_once() {
    let wide = random(300, 900, 3, |cells, draw| sign(2.0 * cells[0] - 2.0 * cells[1] + cells[2], draw));
    let numbers = random(300, 900, 4, |cells, draw| 3.0 * cells[0] - 2.0 * cells[1] + cells[2] + draw);
    are_close(LOGISTIC, &[Case { is_unique: false, ..case("wide", &wide, 0.2, 1.0) }]);
    are_close(ELASTIC, &[case("wide", &numbers, 0.05, 1.0), case("wide, hardly sparse", &numbers, 0.05, 0.02)]);
}

#[test]
fn lasso_and_elastic_net() {
    let (Some(diabetes), Some(housing)) = (Table::diabetes(), Table::california_housing()) else { return };
    let housing = housing.complete();
    let scaled = standardized(&housing);
    let weights: Vec<f64> = (0..diabetes.rows()).map(|row| (row % 3) as f64).collect();
    let one = random(40, 1, 5, |cells, draw| 2.0 * cells[0] + draw);
    let few = random(6, 10, 6, |cells, draw| 5.0 * cells[0] + draw);
    let constant = Table { targets: vec![7.0; 40], columns: one.columns.clone() };
    let mut large = standardized(&diabetes);
    for (column, power) in large.columns.iter_mut().zip([-6, 6, 0, 3].into_iter().cycle()) {
        column.iter_mut().for_each(|value| *value *= libm::exp10(f64::from(power)));
    }
    large.targets.iter_mut().for_each(|target| *target *= 1e6);
    let mut collinear = Table::synthetic(300, 6, 3).complete();
    collinear.columns.push(collinear.columns[0].iter().map(|value| 2.0 * value).collect());
    collinear.columns.push(vec![3.0; 300]);
    are_close(
        ELASTIC,
        &[
            case("diabetes", &diabetes, 0.5, 1.0),
            case("diabetes, weak penalty", &diabetes, 0.01, 1.0),
            case("diabetes, both penalties", &diabetes, 0.1, 0.5),
            Case { weights: Some(&weights), ..case("diabetes, weighted", &diabetes, 0.3, 1.0) },
            Case { weights: Some(&weights), ..case("diabetes, weighted, both", &diabetes, 0.3, 0.3) },
            case("diabetes, nothing kept", &diabetes, 1e4, 1.0),
            case("housing", &scaled, 0.05, 1.0),
            case("one column", &one, 0.1, 1.0),
            case("few rows", &few, 0.1, 0.9),
            case("targets that are all the same", &constant, 0.1, 1.0),
            Case { is_unique: false, ..case("housing as it is", &housing, 0.1, 1.0) },
            Case { is_unique: false, ..case("twelve powers of ten", &large, 1e4, 1.0) },
            Case { is_unique: false, ..case("collinear and constant columns", &collinear, 0.01, 1.0) },
            case("collinear and constant columns, both penalties", &collinear, 0.01, 0.7),
        ],
    );
}

#[test]
fn without_an_l1_penalty_it_is_ridge() {
    let table = random(60, 4, 7, |cells, draw| cells[0] - cells[1] + draw);
    let fit = |alpha: f64, l1_ratio: f64| {
        let parameters = ElasticNetParameters { alpha, l1_ratio, ..Default::default() };
        elastic_net(&table.matrix(), &table.targets, None, &parameters).expect("a fit")
    };
    let plain = |alpha: f64| ridge(&table.matrix(), &table.targets, None, alpha).expect("a fit");
    assert_eq!(fit(0.0, 1.0), plain(0.0));
    assert_eq!(fit(0.5, 0.0), plain(30.0));
}

#[test]
fn a_fit_that_runs_out_of_iterations_says_so() {
    let table = random(300, 200, 8, |cells, draw| sign(2.0 * cells[0] - cells[1] + cells[2], draw));
    let parameters = LogisticParameters { l1_ratio: 1.0, c: 100.0, max_iter: 1, ..Default::default() };
    let model = logistic_regression(&table.matrix(), &table.targets, None, &parameters).expect("a fit");
    assert!(!model.converged && model.iterations == 1);
    let parameters = ElasticNetParameters { alpha: 1e-4, l1_ratio: 1.0, max_iter: 1, tol: 1e-12 };
    let model = elastic_net(&table.matrix(), &table.targets, None, &parameters).expect("a fit");
    assert!(!model.converged && model.iterations == 1);
}

#[test]
fn bad_input_is_a_typed_error() {
    let mut table = random(30, 2, 9, |cells, draw| cells[0] + draw);
    let usual = ElasticNetParameters::default();
    let fit = |table: &Table, parameters: &ElasticNetParameters| {
        elastic_net(&table.matrix(), &table.targets, None, parameters).expect_err("an error")
    };
    let refused = |parameters: ElasticNetParameters| match fit(&table, &parameters) {
        Error::Parameter { name, .. } => name,
        error => panic!("{error}"),
    };
    assert_eq!(refused(ElasticNetParameters { alpha: -1.0, ..usual.clone() }), "alpha");
    assert_eq!(refused(ElasticNetParameters { l1_ratio: 1.1, ..usual.clone() }), "l1_ratio");
    assert_eq!(refused(ElasticNetParameters { tol: 0.0, ..usual.clone() }), "tol");
    assert_eq!(refused(ElasticNetParameters { max_iter: 0, ..usual.clone() }), "max_iter");
    let tiny = Table { columns: vec![vec![0.0, 1e-90, 2e-90, 0.0]], targets: vec![0.0, 1.0, 0.0, 1.0] };
    let endless = ElasticNetParameters { alpha: 1e300, ..usual.clone() };
    assert_eq!(fit(&tiny, &endless), Error::Diverged { operation: "elastic net" });
    let wrong = LogisticParameters { l1_ratio: f64::NAN, ..Default::default() };
    let answer = logistic_regression(&tiny.matrix(), &tiny.targets, None, &wrong);
    assert!(matches!(answer, Err(Error::Parameter { name: "l1_ratio", .. })));
    table.columns[1][7] = f64::NAN;
    table.columns[0][9] = f64::INFINITY;
    assert!(matches!(fit(&table, &usual), Error::NotFinite { column: 0, row: 9, .. }));
}
