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

#[test]
fn sets_of_categories_come_back_and_damaged_ones_do_not() {
    let (table, categorical) = crate::categories::synthetic(2_000, 7);
    let parameters = BoostingParameters { max_iter: 5, ..BoostingParameters::default() };
    let (binning, fit) = crate::categories::fit(&table, &categorical, &parameters, Objective::BinaryLogLoss);
    let ensemble = fit.ensemble();
    let whole = serde_json::to_value(ensemble).expect("JSON");
    let back: TreeEnsemble = serde_json::from_value(whole.clone()).expect("an ensemble");
    assert_eq!(&back, ensemble);
    assert_eq!(
        serde_json::from_str::<Binning>(&serde_json::to_string(&binning).expect("JSON")).expect("bins"),
        binning
    );
    let at = whole["trees"].as_array().expect("trees").iter().position(|tree| tree["sets"].is_array()).expect("a set");
    let damaged = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = whole.clone();
        change(&mut value["trees"][at]);
        serde_json::from_value::<TreeEnsemble>(value).expect_err("a damaged model").to_string()
    };
    let (set, order) = ("the set of a tree's split", "the sets of a tree are not in order");
    assert!(damaged(&|tree| tree["sets"][0]["left"] = serde_json::json!([])).contains(set));
    assert!(damaged(&|tree| tree["sets"][0]["left"] = serde_json::json!([3, 1])).contains(order));
    assert!(damaged(&|tree| tree["sets"][0]["left"] = serde_json::json!([1, 1])).contains(order));
    assert!(damaged(&|tree| tree["sets"][0]["left"] = serde_json::json!([255])).contains(order));
    assert!(damaged(&|tree| tree["sets"][0]["left"] = serde_json::json!([256])).contains("256"));
    assert!(damaged(&|tree| tree["sets"][0]["node"] = 9_999.into()).contains(order));
    let leaf = whole["trees"][at]["left"].as_array().expect("nodes").iter().position(|child| *child == 0);
    let leaf = serde_json::json!([{"node": leaf.expect("a leaf"), "left": [0]}]);
    assert!(damaged(&|tree| tree["sets"] = leaf.clone()).contains(set));
    let twice = |tree: &mut serde_json::Value| {
        let first = tree["sets"][0].clone();
        tree["sets"].as_array_mut().expect("sets").insert(0, first);
    };
    assert!(damaged(&twice).contains(order));
    // A column has categories or numbers.
    assert!(
        damaged(&|tree| _ = tree.as_object_mut().expect("a tree").remove("sets")).contains("by thresholds and by sets")
    );
}

#[test]
fn a_tree_without_sets_is_written_as_ever() {
    let (ensemble, binning) = ensemble();
    let text = serde_json::to_string(&ensemble).expect("JSON") + &serde_json::to_string(&binning).expect("JSON");
    assert!(!text.contains("sets") && !text.contains("categorical"), "{text}");
}

#[test]
fn a_damaged_binning_is_refused() {
    let (table, categorical) = crate::categories::synthetic(2_000, 7);
    let (binning, _) =
        crate::categories::fit(&table, &categorical, &BoostingParameters::default(), Objective::BinaryLogLoss);
    let whole = serde_json::to_value(&binning).expect("JSON");
    assert_eq!(serde_json::from_value::<Binning>(whole.clone()).expect("a binning"), binning);
    let damaged = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = whole.clone();
        change(&mut value);
        serde_json::from_value::<Binning>(value).expect_err("a damaged binning").to_string()
    };
    let (edges, spread, order) = ("edges of a column's bins do not increase", "does not fit its bins", "not in order");
    assert!(damaged(&|value| value["columns"][0][3] = value["columns"][0][2].clone()).contains(edges));
    assert!(damaged(&|value| value["columns"][0][3] = "nan".into()).contains(edges));
    assert!(damaged(&|value| value["columns"][0][253] = "inf".into()).contains(edges));
    let many: Vec<f64> = (0..255).map(f64::from).collect();
    assert!(damaged(&|value| value["columns"][0] = many.clone().into()).contains("more than 255 bins"));
    assert!(damaged(&|value| _ = value["columns"].as_array_mut().expect("columns").pop()).contains("each column"));
    assert!(damaged(&|value| value["categorical"] = serde_json::json!([2, 1])).contains(order));
    assert!(damaged(&|value| value["categorical"] = serde_json::json!([1, 1])).contains(order));
    assert!(damaged(&|value| value["categorical"] = serde_json::json!([5])).contains(order));
    assert!(damaged(&|value| value["columns"][1][0] = 0.25.into()).contains("one for each code"));
    assert!(damaged(&|value| value["categorical"] = serde_json::json!([1])).contains(spread));
    assert!(damaged(&|value| _ = value["columns"][0].as_array_mut().expect("edges").pop()).contains(spread));
    for tail in ["lowest", "highest"] {
        assert!(damaged(&|value| value["spreads"][0][tail]["rows"] = 0.into()).contains(spread));
        assert!(damaged(&|value| value["spreads"][0][tail]["rows"] = u64::MAX.into()).contains(spread));
        assert!(damaged(&|value| value["spreads"][0][tail]["values"][0] = "nan".into()).contains(spread));
        let turned = |value: &mut serde_json::Value| {
            value["spreads"][0][tail]["values"].as_array_mut().expect("values").reverse();
        };
        assert!(damaged(&turned).contains(spread));
    }
    assert!(damaged(&|value| value["extra"] = 1.into()).contains("extra"));
    // What has no values at all, infinite ones or one alone comes back.
    let odd = [vec![f64::NAN; 4], vec![f64::NEG_INFINITY, f64::INFINITY, 0.0, f64::NAN], vec![1.0; 4]];
    let matrix = trainyard_learn::Matrix::of(&odd, 4);
    let binning = Binning::fit(&matrix, 255);
    let text = serde_json::to_string(&binning).expect("JSON");
    assert_eq!(serde_json::from_str::<Binning>(&text).expect("a binning"), binning);
}
