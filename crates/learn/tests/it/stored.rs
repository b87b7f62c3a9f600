//! Models come back from their stored form bit by bit, and damaged ones do not.

use trainyard_learn::{Binning, BoostingParameters, LinearModel, Objective, TreeEnsemble};

use crate::boosting::fit;
use crate::data::Table;

fn ensemble() -> (TreeEnsemble, Binning) {
    let mut table = Table::synthetic(500, 5, 1);
    // A split of missing against present has an infinite threshold, which JSON lacks.
    table.columns[4] = (0..500).map(|row| if row % 3 == 0 { f64::NAN } else { 1.0 }).collect();
    table.targets = (0..500).map(|row| f64::from(u8::from(row % 3 == 0 || table.columns[0][row] > 0.8))).collect();
    let parameters = BoostingParameters { max_iter: 5, ..BoostingParameters::default() };
    let (binning, _, fit) = fit(&table, &parameters, Objective::BinaryLogLoss);
    (fit.ensemble().clone(), binning)
}

#[test]
fn a_round_trip_is_exact() {
    let (ensemble, binning) = ensemble();
    let text = serde_json::to_string(&ensemble).expect("JSON");
    assert!(text.contains("\"inf\""));
    let back: TreeEnsemble = serde_json::from_str(&text).expect("an ensemble");
    assert_eq!(ensemble, back);
    assert_eq!(text, serde_json::to_string(&back).expect("JSON"));
    let text = serde_json::to_string(&binning).expect("JSON");
    assert_eq!(binning, serde_json::from_str::<Binning>(&text).expect("a binning"));
    let linear =
        LinearModel { coefficients: vec![0.1, -1e-300, 3e300], intercept: -0.0, converged: true, iterations: 3 };
    let text = serde_json::to_string(&linear).expect("JSON");
    let back: LinearModel = serde_json::from_str(&text).expect("a model");
    assert_eq!(back.intercept.to_bits(), linear.intercept.to_bits());
    assert_eq!(back, linear);
}

#[test]
fn damage_is_refused() {
    let (ensemble, _) = ensemble();
    let whole = serde_json::to_value(&ensemble).expect("JSON");
    let damaged = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = whole.clone();
        change(&mut value);
        serde_json::from_value::<TreeEnsemble>(value).expect_err("a damaged model").to_string()
    };
    assert!(damaged(&|value| value["trees"][0]["left"][0] = 0.into()).contains("child"));
    assert!(damaged(&|value| value["trees"][0]["right"][0] = 9_999.into()).contains("child"));
    assert!(damaged(&|value| value["trees"][0]["feature"][0] = 99.into()).contains("column"));
    assert!(damaged(&|value| value["trees"][0]["rows"] = serde_json::json!([])).contains("length"));
    assert!(damaged(&|value| value["extra"] = 1.into()).contains("extra"));
}
