//! The same bytes at any number of threads.

use trainyard_learn::{
    Binning, BoostingParameters, ElasticNetParameters, GrowPolicy, LogisticParameters, Matrix, Monotonic, Objective,
    Score, Validation, boost, elastic_net, logistic_regression, metrics, ridge,
};

use crate::data::{Table, with_threads};

/// Runs `work` with 1, 2 and 8 threads and asks for the same answer.
fn same<T: PartialEq + Send>(what: &str, work: impl Fn() -> T + Sync) {
    let alone = with_threads(1, &work);
    for threads in [2, 3, 8] {
        assert!(with_threads(threads, &work) == alone, "{what} differs with {threads} threads");
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn boosting() {
    let table = Table::synthetic(150_000, 12, 1);
    let held_out = Table::synthetic(20_000, 12, 2);
    // Where trees stop early, it is by this.
    let roc_auc = |margins: &[Vec<f64>]| metrics::roc_auc(&held_out.targets, &margins[0]).expect("an area");
    let run = |parameters: &BoostingParameters, objective| {
        let binning = Binning::fit(&table.matrix(), 255);
        let (binned, binned_held_out) = (binning.apply(&table.matrix()), binning.apply(&held_out.matrix()));
        let score = parameters.early_stopping.then_some(&roc_auc as &Score<'_>);
        let validation = Some(Validation {
            matrix: &binned_held_out,
            targets: &held_out.targets,
            weights: None,
            score,
            losses: true,
        });
        let fit = boost(&binned, &binning, &table.targets, None, parameters, objective, validation, &|_| true)
            .expect("a fit");
        assert_eq!(fit.validation_margins, [fit.ensemble().predict_margin(&held_out.matrix())]);
        let text = serde_json::to_string(&fit.ensemble()).expect("JSON");
        (text, bits(&fit.train_loss), bits(&fit.validation_loss), bits(&fit.ensemble().predict_margin(&table.matrix())))
    };
    let usual = BoostingParameters { max_iter: 5, ..BoostingParameters::default() };
    same("boosting", || run(&usual, Objective::BinaryLogLoss));
    let sampled = BoostingParameters { subsample: 0.7, colsample_bytree: 0.6, ..usual.clone() };
    same("boosting on samples", || run(&sampled, Objective::SquaredError));
    let stopping = BoostingParameters { early_stopping: true, n_iter_no_change: 1, tol: 0.01, ..sampled.clone() };
    same("boosting that stops by a metric", || run(&stopping, Objective::BinaryLogLoss));
    same("boosting of medians", || run(&usual, Objective::AbsoluteError));
    same("boosting of quantiles on samples", || run(&sampled, Objective::Quantile { quantile: 0.7 }));
    same("boosting of counts", || run(&usual, Objective::Poisson));
    let mut monotonic_cst = vec![Monotonic::Free; 12];
    (monotonic_cst[0], monotonic_cst[2]) = (Monotonic::Increase, Monotonic::Decrease);
    let grow_policy = GrowPolicy::Depthwise;
    let bounded = BoostingParameters { monotonic_cst, reg_alpha: 3.0, min_hessian: 9.0, grow_policy, ..sampled };
    same("bounded boosting, level by level", || run(&bounded, Objective::BinaryLogLoss));
}

#[test]
fn boosting_of_flags_beside_a_constant() {
    // Flags share a byte and a constant has none, so that some trees have nothing to look at.
    let mut table = Table::synthetic(270_000, 5, 3);
    table.columns.iter_mut().for_each(|column| column.iter_mut().for_each(|cell| *cell = f64::from(*cell > 0.0)));
    table.columns[4].fill(1.0);
    let parameters = BoostingParameters { max_iter: 12, colsample_bytree: 0.2, ..BoostingParameters::default() };
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    same("boosting of flags", || {
        let fit =
            boost(&binned, &binning, &table.targets, None, &parameters, Objective::BinaryLogLoss, None, &|_| true);
        let fit = fit.expect("a fit");
        let leaves = fit.ensemble().trees().iter().filter(|tree| tree.nodes().len() == 1).count();
        assert!(leaves > 0 && leaves < 12, "{leaves} trees without a split");
        serde_json::to_string(&fit.ensemble()).expect("JSON")
    });
}

#[test]
fn boosting_of_many_columns() {
    // More lanes than are read together, and rows enough for several parts.
    let table = Table::synthetic(40_000, 45, 4);
    let parameters = BoostingParameters { max_iter: 3, colsample_bytree: 0.9, ..BoostingParameters::default() };
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    same("boosting of many columns", || {
        let fit =
            boost(&binned, &binning, &table.targets, None, &parameters, Objective::BinaryLogLoss, None, &|_| true);
        serde_json::to_string(&fit.expect("a fit").ensemble()).expect("JSON")
    });
}

#[test]
fn boosting_of_categories() {
    let (table, categorical) = crate::categories::synthetic(150_000, 1);
    let usual = BoostingParameters { max_iter: 5, ..BoostingParameters::default() };
    let sampled = BoostingParameters { subsample: 0.7, colsample_bytree: 0.6, ..usual.clone() };
    for (parameters, objective) in [(&usual, Objective::BinaryLogLoss), (&sampled, Objective::SquaredError)] {
        same("boosting of categories", || {
            let (_, fit) = crate::categories::fit(&table, &categorical, parameters, objective);
            let text = serde_json::to_string(&fit.ensemble()).expect("JSON");
            (text, bits(&fit.train_loss), bits(&fit.ensemble().predict_margin(&table.matrix())))
        });
    }
}

#[test]
fn losses_where_one_thread_becomes_several() {
    // Up to 4 · 4,096 rows one thread sums alone.
    let whole = Table::synthetic(16_385 + 1, 4, 11);
    for rows in [4_095, 16_383, 16_384, 16_385] {
        let (train, held_out) = (whole.filter(|row| row < rows), whole.filter(|row| row > 16_385 - rows));
        let weights: Vec<f64> = (0..rows).map(|row| 0.5 + (row % 7) as f64).collect();
        for (weights, objective) in [
            (None, Objective::BinaryLogLoss),
            (None, Objective::SquaredError),
            (Some(weights.as_slice()), Objective::BinaryLogLoss),
            (Some(weights.as_slice()), Objective::SquaredError),
            (None, Objective::Poisson),
            (Some(weights.as_slice()), Objective::Quantile { quantile: 0.6 }),
        ] {
            same(&format!("{objective:?} of {rows} rows, weighted: {}", weights.is_some()), || {
                let binning = Binning::fit(&train.matrix(), 32);
                let (binned, binned_held_out) = (binning.apply(&train.matrix()), binning.apply(&held_out.matrix()));
                let validation = Some(Validation {
                    matrix: &binned_held_out,
                    targets: &held_out.targets,
                    weights: None,
                    score: None,
                    losses: true,
                });
                let parameters =
                    BoostingParameters { max_iter: 3, max_bins: 32, early_stopping: true, ..Default::default() };
                let fit =
                    boost(&binned, &binning, &train.targets, weights, &parameters, objective, validation, &|_| true)
                        .expect("a fit");
                assert_eq!((fit.train_loss.len(), fit.validation_loss.len()), (3, 3));
                (bits(&fit.train_loss), bits(&fit.validation_loss), fit.ensembles)
            });
        }
    }
}

#[test]
fn wide_boosting() {
    // More bins than one thread searches alone.
    let table = Table::synthetic(3_000, 120, 3);
    same("boosting of many columns", || {
        let binning = Binning::fit(&table.matrix(), 255);
        let binned = binning.apply(&table.matrix());
        let parameters = BoostingParameters { max_iter: 4, ..BoostingParameters::default() };
        let objective = Objective::BinaryLogLoss;
        boost(&binned, &binning, &table.targets, None, &parameters, objective, None, &|_| true).expect("a fit")
    });
}

#[test]
fn linear_models() {
    let table = Table::synthetic(30_000, 20, 4).complete();
    let matrix = table.matrix();
    same("logistic regression", || {
        let model = logistic_regression(&matrix, &table.targets, None, &LogisticParameters::default()).expect("a fit");
        (bits(&model.coefficients), model.intercept.to_bits(), bits(&model.predict(&matrix)))
    });
    same("ridge", || {
        let model = ridge(&matrix, &table.targets, None, 0.5).expect("a fit");
        (bits(&model.coefficients), model.intercept.to_bits())
    });
    let weights: Vec<f64> = (0..30_000).map(|row| (row % 5) as f64).collect();
    same("sparse models", || {
        let sparse = LogisticParameters { c: 0.01, l1_ratio: 0.8, ..LogisticParameters::default() };
        let of_classes = logistic_regression(&matrix, &table.targets, Some(&weights), &sparse).expect("a fit");
        let usual = ElasticNetParameters { alpha: 0.01, l1_ratio: 0.9, ..ElasticNetParameters::default() };
        let of_numbers = elastic_net(&matrix, &table.targets, Some(&weights), &usual).expect("a fit");
        [of_classes, of_numbers].map(|model| (bits(&model.coefficients), model.intercept.to_bits()))
    });
    let wider = Table::synthetic(2_500, 1_100, 6).complete();
    same("ridge of many columns", || {
        let model = ridge(&wider.matrix(), &wider.targets, None, 5.0).expect("a fit");
        assert!(model.converged);
        bits(&model.coefficients)
    });
    let wide = Table::synthetic(3_000, 450, 5).complete();
    same("logistic regression of many columns", || {
        let parameters = LogisticParameters { max_iter: 30, ..LogisticParameters::default() };
        let model = logistic_regression(&wide.matrix(), &wide.targets, None, &parameters).expect("a fit");
        bits(&model.coefficients)
    });
}

#[test]
fn a_row_is_predicted_as_in_a_table() {
    let table = Table::synthetic(20_000, 6, 6).complete();
    let model = ridge(&table.matrix(), &table.targets, None, 1.0).expect("a fit");
    for (row, value) in model.predict(&table.matrix()).iter().enumerate() {
        assert_eq!(value.to_bits(), model.predict_row(&table.row(row)).to_bits());
    }
}

#[test]
fn bootstrap() {
    for (rows, resamples) in [(2_000, 200), (9_001, 60), (70_000, 9)] {
        let table = Table::synthetic(rows, 4, 7);
        let (a, b) = (&table.columns[0], &table.columns[1]);
        for task in [metrics::Task::Binary, metrics::Task::Regression] {
            same("bootstrap", || {
                let intervals = metrics::bootstrap(task, &table.targets, a, 0.5, resamples, 1).expect("intervals");
                let ends = |interval: &metrics::Interval| [interval.low.to_bits(), interval.high.to_bits()];
                let paired = |metric: &&str| {
                    let pair = metrics::paired_bootstrap(metric, task, &table.targets, a, b, 0.5, resamples, 1)
                        .expect("a pair");
                    bits(&[pair.difference, pair.low, pair.high, pair.p_value])
                };
                (
                    intervals.values().map(ends).collect::<Vec<_>>(),
                    task.metrics().iter().map(paired).collect::<Vec<_>>(),
                )
            });
        }
    }
}

#[test]
fn metrics_of_many_rows() {
    let table = Table::synthetic(30_000, 4, 10);
    same("metrics", || {
        let (y, p) = (&table.targets, &table.columns[1]);
        let mut all = metrics::binary(y, p, 0.5).expect("metrics");
        all.extend(metrics::regression(y, p).expect("metrics"));
        let curve = metrics::roc(y, p, None).expect("a curve");
        (
            bits(&all.into_values().collect::<Vec<f64>>()),
            bits(&curve.iter().map(|point| point.threshold).collect::<Vec<f64>>()),
        )
    });
}

#[test]
fn metrics_do_not_depend_on_the_order_of_rows() {
    let table = Table::synthetic(5_000, 4, 8);
    let values: Vec<f64> = table.columns[0].iter().map(|value| (value * 300.0).round() / 300.0).collect();
    let mut order: Vec<usize> = (0..5_000).collect();
    trainyard_random::Key::new(1, "learn/tests/order").stream().shuffle(&mut order);
    let take = |values: &[f64]| order.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let (targets, shuffled) = (take(&table.targets), take(&values));
    let all = |y: &[f64], p: &[f64]| {
        let mut all = metrics::binary(y, p, 0.5).expect("metrics");
        all.extend(metrics::regression(y, p).expect("metrics"));
        bits(&all.into_values().collect::<Vec<f64>>())
    };
    assert_eq!(all(&table.targets, &values), all(&targets, &shuffled));
    let intervals =
        |y: &[f64], p: &[f64]| metrics::bootstrap(metrics::Task::Binary, y, p, 0.5, 50, 3).expect("intervals");
    assert_eq!(intervals(&table.targets, &values), intervals(&targets, &shuffled));
    let regression =
        |y: &[f64], p: &[f64]| metrics::bootstrap(metrics::Task::Regression, y, p, 0.5, 50, 3).expect("intervals");
    assert_eq!(regression(&table.targets, &values), regression(&targets, &shuffled));
}

#[test]
fn a_fit_on_copied_columns_is_the_same() {
    let table = Table::synthetic(1_000, 3, 9);
    let copy = table.columns.clone();
    let fit = |matrix: &Matrix<'_>| {
        let binning = Binning::fit(matrix, 64);
        let parameters = BoostingParameters { max_iter: 3, ..BoostingParameters::default() };
        let objective = Objective::BinaryLogLoss;
        boost(&binning.apply(matrix), &binning, &table.targets, None, &parameters, objective, None, &|_| true)
            .expect("a fit")
    };
    // Of two equal columns the first is always chosen.
    let doubled: Vec<&[f64]> = table.columns.iter().chain(&copy).map(Vec::as_slice).collect();
    let importance = fit(&Matrix::new(doubled, 1_000)).ensemble().importance_gain();
    assert_eq!(importance[..3], fit(&table.matrix()).ensemble().importance_gain());
    assert_eq!(importance[3..], [0.0; 3]);
}
