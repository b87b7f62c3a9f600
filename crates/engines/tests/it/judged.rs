//! Every fit against the Python package of the same engine: the same trees, the same margins.

use serde_json::{Value, json};
use trainyard_engines::{Engine, FitRequest, FitRows, Heard, Held};
use trainyard_judges::{json_number, number};
use trainyard_learn::metrics::Task;
use trainyard_learn::{Matrix, TreeExplainer};

use crate::{Table, judged_engines, on, owned, request};

const TASKS: [Task; 4] =
    [Task::Binary, Task::Multiclass { classes: 3 }, Task::Multiclass { classes: 2 }, Task::Regression];

const LIGHTGBM: &str = r#"
import numpy as np, lightgbm
fit = np.array(data["fit"], dtype=float).T
new = np.array(data["new"], dtype=float).T
answer = []
for case in data["cases"]:
    set_ = lightgbm.Dataset(fit, label=np.array(case["targets"]), weight=case["weights"], params=case["parameters"],
                            categorical_feature=case["categorical"])
    booster = lightgbm.train(case["parameters"], set_, num_boost_round=20)
    answer.append({
        "margins": booster.predict(new, raw_score=True).ravel().tolist(),
        "contributions": booster.predict(new[:200], pred_contrib=True).ravel().tolist(),
    })
"#;

const XGBOOST: &str = r#"
import numpy as np, xgboost
fit = np.array(data["fit"], dtype=float).T
new = xgboost.DMatrix(np.array(data["new"], dtype=float).T, nthread=1)
answer = []
for case in data["cases"]:
    set_ = xgboost.DMatrix(fit, label=np.array(case["targets"]), weight=case["weights"], nthread=1)
    booster = xgboost.train(case["parameters"], set_, num_boost_round=20)
    answer.append({"margins": booster.predict(new, output_margin=True).ravel().tolist()})
"#;

fn columns(columns: &[Vec<f64>]) -> Value {
    columns.iter().map(|column| column.iter().copied().map(json_number).collect::<Value>()).collect()
}

/// Gives the objective of a task as the library spells it, with what else the Python package must be told.
fn told(engine: Engine, task: Task) -> Value {
    let (objective, classes) = match (engine, task) {
        (Engine::LightGbm, Task::Binary) => ("binary", 1),
        (Engine::LightGbm, Task::Multiclass { classes }) => ("multiclass", classes),
        (Engine::LightGbm, Task::Regression) => ("regression", 1),
        (Engine::XgBoost, Task::Binary) => ("binary:logistic", 0),
        (Engine::XgBoost, Task::Multiclass { classes }) => ("multi:softprob", classes),
        (Engine::XgBoost, Task::Regression) => ("reg:squarederror", 0),
    };
    match engine {
        Engine::LightGbm => json!({
            "objective": objective, "num_class": classes, "seed": 3, "num_threads": 1, "deterministic": true,
            "force_row_wise": true, "verbosity": -1,
        }),
        Engine::XgBoost => {
            json!({"objective": objective, "num_class": classes, "seed": 3, "nthread": 1, "verbosity": 0})
        }
    }
}

/// Fits every task with every set of parameters, the last of them with weights, and holds all margins of other rows
/// against those of the Python package: `tolerance` of one more than the margin; of LightGBM the contributions, too, which
/// XGBoost weighs by second derivatives.
fn judge(engine: Engine, script: &str, sets: &[&[(&str, &str)]], tolerance: f64) {
    let (Some(engines), Some(judge)) = (judged_engines(engine), trainyard_judges::python("core")) else { return };
    let (table, mut new) = (Table::new(1500), Table::new(2300));
    // Cells that are missing where none was in training.
    new.columns[0][100..180].fill(f64::NAN);
    new.columns[2][150..200].fill(f64::NAN);
    let (matrix, new_matrix) = (Matrix::of(&table.columns, table.rows), Matrix::of(&new.columns, new.rows));
    let (mut cases, mut fits) = (Vec::new(), Vec::new());
    for task in TASKS {
        for (index, own) in sets.iter().enumerate() {
            let targets = table.targets(task);
            let weights = (index + 1 == sets.len()).then(|| table.weights());
            let own = owned(own);
            let rows = FitRows { matrix: &matrix, targets: &targets, weights: weights.as_deref() };
            let wanted = FitRequest { parameters: &own, rows, ..request(engine, task, &matrix, &targets) };
            let ensembles = engines.fit(&wanted, &on).unwrap().ensembles;
            let mut nodes = ensembles.iter().flat_map(|ensemble| ensemble.trees()).flat_map(|tree| tree.nodes());
            let is_categorical = own.iter().any(|(name, _)| name == "categorical_feature");
            assert_eq!(nodes.any(|node| node.set.is_some()), is_categorical, "{task:?} {own:?}");
            fits.push((task, own.clone(), ensembles));
            let mut parameters = told(engine, task);
            let is_category = |name: &String| name == "categorical_feature";
            let categorical: Vec<usize> =
                own.iter().filter(|(name, _)| is_category(name)).map(|(_, column)| column.parse().unwrap()).collect();
            own.into_iter()
                .filter(|(name, _)| !is_category(name))
                .for_each(|(name, value)| parameters[name] = value.into());
            cases.push(json!({
                "targets": targets, "weights": weights, "parameters": parameters, "categorical": categorical,
            }));
        }
    }
    let answer =
        judge.run(script, &json!({"fit": columns(&table.columns), "new": columns(&new.columns), "cases": cases}));
    for ((task, own, ensembles), theirs) in fits.into_iter().zip(answer.as_array().unwrap()) {
        for (margin, ensemble) in ensembles.iter().enumerate() {
            let explainer = TreeExplainer::new(ensemble).unwrap();
            if let Some(contributions) = theirs["contributions"].as_array() {
                // Row after row, margin after margin: each column, then what is expected.
                let ours = explainer.contributions(&new_matrix).unwrap();
                for (row, theirs) in contributions.chunks_exact(ensembles.len() * 7).enumerate() {
                    let theirs = &theirs[margin * 7..][..7];
                    for (ours, theirs) in ours.row(row).iter().zip(theirs) {
                        assert!((ours - number(theirs)).abs() <= 1e-9, "{task:?} {own:?} row {row}: {ours} {theirs}");
                    }
                }
            }
            for (row, ours) in ensemble.predict_margin(&new_matrix).into_iter().enumerate() {
                let theirs = number(&theirs["margins"][row * ensembles.len() + margin]);
                let bound = tolerance * (1.0 + theirs.abs());
                assert!((ours - theirs).abs() <= bound, "{task:?} {own:?} row {row}: {ours} and {theirs}");
            }
        }
    }
}

#[test]
fn lightgbm_gives_the_margins_of_its_python_package() {
    let sampled = [("bagging_fraction", "0.7"), ("bagging_freq", "2"), ("feature_fraction", "0.6")];
    let small = [("num_leaves", "7"), ("learning_rate", "0.3"), ("lambda_l2", "2.5"), ("max_bin", "31")];
    let leaves = [("min_data_in_leaf", "1000")];
    let sets = [("categorical_feature", "2"), ("min_data_per_group", "20"), ("cat_smooth", "3")];
    let alone = [("categorical_feature", "2"), ("max_cat_to_onehot", "10")];
    judge(Engine::LightGbm, LIGHTGBM, &[&[], &sampled, &leaves, &sets, &alone, &small], 0.0);
}

/// XGBoost adds the leaves in singles, we in doubles.
#[test]
fn xgboost_gives_the_margins_of_its_python_package() {
    let sampled = [("subsample", "0.7"), ("colsample_bytree", "0.6"), ("grow_policy", "lossguide")];
    let small = [("max_depth", "3"), ("eta", "0.1"), ("reg_alpha", "0.5"), ("tree_method", "exact")];
    let leaves = [("min_child_weight", "1e6")];
    judge(Engine::XgBoost, XGBOOST, &[&[], &sampled, &leaves, &small], 1e-6);
}

const EARLY: &str = r#"
import io, json, numpy as np, lightgbm, xgboost
columns = lambda name: np.array(data[name], dtype=float).T
fit, held, new = columns("fit"), columns("held"), columns("new")
lists = lambda values: np.asarray(values).ravel().tolist()
answer = []
for case in data["cases"]:
    p, weights, rounds = case["parameters"], case["weights"], case["rounds"]
    if case["engine"] == "lightgbm":
        set_ = lightgbm.Dataset(fit, label=case["targets"], weight=weights[0], params=p)
        watched = lightgbm.Dataset(held, label=case["held_targets"], weight=weights[1], reference=set_, params=p)
        booster = lightgbm.train(p, set_, num_boost_round=300, valid_sets=[watched],
                                 callbacks=[lightgbm.early_stopping(rounds, verbose=False)])
        best, theirs = booster.best_iteration, booster.predict(new)
        ours = lightgbm.Booster(model_str=case["native"])
        trees, loaded = ours.current_iteration(), ours.predict(new)
    else:
        set_ = xgboost.DMatrix(fit, label=case["targets"], weight=weights[0], nthread=1)
        watched = xgboost.DMatrix(held, label=case["held_targets"], weight=weights[1], nthread=1)
        booster = xgboost.train(p, set_, num_boost_round=300, evals=[(watched, "held")],
                                early_stopping_rounds=rounds, verbose_eval=False)
        best = booster.best_iteration + 1
        theirs = booster.predict(xgboost.DMatrix(new, nthread=1), iteration_range=(0, best))
        ours = xgboost.Booster()
        ours.load_model(bytearray(case["native"], "utf-8"))
        trees, loaded = ours.num_boosted_rounds(), ours.predict(xgboost.DMatrix(new, nthread=1))
    answer.append({"best": best, "theirs": lists(theirs), "trees": trees, "loaded": lists(loaded)})
"#;

/// Gives what margins of a row mean.
fn predictions(task: Task, margins: Vec<f64>) -> Vec<f64> {
    match task {
        Task::Regression => margins,
        Task::Binary => margins.into_iter().map(trainyard_learn::sigmoid).collect(),
        Task::Multiclass { .. } => {
            let mut shares = margins;
            trainyard_learn::softmax(&mut shares);
            shares
        }
    }
}

/// With rows that say when to stop the trees up to the lowest loss are the model, as in the Python packages; and what the
/// library itself wrote is that model, loads there and predicts the same.
#[test]
fn fits_that_stop_early_keep_the_trees_of_the_best_iteration() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let (table, held, new) = (Table::new(700), Table::seeded(400, 11), Table::seeded(300, 12));
    let matrices = [&table, &held, &new].map(|table| Matrix::of(&table.columns, table.rows));
    let [matrix, held_matrix, new_matrix] = &matrices;
    let (mut cases, mut fits) = (Vec::new(), Vec::new());
    for engine in Engine::ALL {
        let Some(engines) = judged_engines(engine) else { return };
        for (index, task) in TASKS.into_iter().enumerate() {
            let (targets, held_targets) = (table.noisy(task), held.noisy(task));
            let weights = (index % 2 == 0).then(|| [table.weights(), held.weights()]);
            let of = |rows: usize| weights.as_ref().map(|weights| weights[rows].as_slice());
            let directions = match engine {
                Engine::LightGbm => "1,0,-1,0,0,0",
                Engine::XgBoost => "(1,0,-1,0,0,0)",
            };
            let own = owned(&[("learning_rate", "0.3"), ("max_depth", "3"), ("monotone_constraints", directions)]);
            let wanted = FitRequest {
                parameters: &own,
                iterations: 300,
                rows: FitRows { matrix, targets: &targets, weights: of(0) },
                held: Some(Held {
                    rows: FitRows { matrix: held_matrix, targets: &held_targets, weights: of(1) },
                    patience: Some(7),
                    told: &[],
                }),
                ..request(engine, task, matrix, &targets)
            };
            let fit = engines.fit(&wanted, &on).unwrap();
            let mut parameters = told(engine, task);
            own.into_iter().for_each(|(name, value)| parameters[name] = value.into());
            let native = String::from_utf8(fit.native.clone()).unwrap();
            cases.push(json!({
                "engine": engine.name(), "parameters": parameters, "rounds": 7, "native": native,
                "targets": targets, "held_targets": held_targets, "weights": [of(0), of(1)],
            }));
            fits.push((engine, task, fit));
        }
    }
    let data = json!({"fit": columns(&table.columns), "held": columns(&held.columns), "new": columns(&new.columns),
                      "cases": cases});
    let answer = judge.run(EARLY, &data);
    for ((engine, task, fit), theirs) in fits.into_iter().zip(answer.as_array().unwrap()) {
        let trees = fit.ensembles[0].trees().len();
        assert!(trees < 293, "{engine:?} {task:?} stopped early: {trees}");
        assert_eq!(json!([trees, trees]), json!([theirs["best"], theirs["trees"]]), "{engine:?} {task:?}");
        let margins: Vec<Vec<f64>> = fit.ensembles.iter().map(|one| one.predict_margin(new_matrix)).collect();
        for row in 0..new.rows {
            let ours = predictions(task, margins.iter().map(|margin| margin[row]).collect());
            for (output, ours) in ours.iter().enumerate() {
                for who in ["theirs", "loaded"] {
                    let theirs = number(&theirs[who][row * margins.len() + output]);
                    let bound = 2e-6 * (1.0 + theirs.abs());
                    assert!((ours - theirs).abs() <= bound, "{engine:?} {task:?} {who} row {row}: {ours} {theirs}");
                }
            }
        }
    }
}

#[test]
fn predictions_follow_the_directions_of_their_columns() {
    let table = Table::new(1500);
    let targets = table.noisy(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    for engine in Engine::ALL {
        let Some(engines) = judged_engines(engine) else { return };
        let falls = |directions: &str| {
            let own = owned(&[("monotone_constraints", directions)]);
            let own = if directions.is_empty() { Vec::new() } else { own };
            let fit = FitRequest { parameters: &own, ..request(engine, Task::Regression, &matrix, &targets) };
            let ensemble = engines.fit(&fit, &on).unwrap().ensembles.remove(0);
            let along = |row: usize| {
                let at = |step: i32| {
                    let mut cells: Vec<f64> = table.columns.iter().map(|column| column[row]).collect();
                    cells[0] = f64::from(step) / 4.0;
                    ensemble.predict_margin_row(&cells)
                };
                (-20..20).filter(|step| at(step + 1) < at(*step)).count()
            };
            (0..50).map(along).sum::<usize>()
        };
        let kept = if engine == Engine::LightGbm { "1,0,0,0,0,0" } else { "(1,0,0,0,0,0)" };
        assert_eq!((falls(kept), falls("") > 0), (0, true), "{engine:?}");
    }
}

#[test]
fn the_same_fit_gives_the_same_bytes_and_hears_of_every_iteration() {
    let table = Table::new(800);
    let targets = table.targets(Task::Binary);
    let matrix = Matrix::of(&table.columns, table.rows);
    for engine in Engine::ALL {
        let Some(engines) = judged_engines(engine) else { return };
        let sampled = owned(&[("subsample", "0.5"), ("bagging_freq", "1"), ("colsample_bytree", "0.5")]);
        let one = FitRequest { parameters: &sampled, ..request(engine, Task::Binary, &matrix, &targets) };
        let heard = std::sync::Mutex::new(Vec::new());
        let listen = |one| {
            if let Heard::Done { iterations, of } = one {
                heard.lock().unwrap().push((iterations, of));
            }
            true
        };
        let fit = engines.fit(&one, &listen).unwrap();
        assert_eq!(heard.into_inner().unwrap(), (1..=20).map(|done| (done, 20)).collect::<Vec<_>>());
        assert_eq!(fit, engines.fit(&one, &on).unwrap());
        let other = FitRequest { seed: 4, ..one };
        assert_ne!(fit.ensembles, engines.fit(&other, &on).unwrap().ensembles);
        for node in fit.ensembles[0].trees().iter().flat_map(|tree| tree.nodes()).filter(|node| !node.is_leaf()) {
            assert!(node.rows > 0 && node.gain > 0.0, "{node:?}");
        }
    }
}
