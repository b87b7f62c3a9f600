//! Statistics of two samples as SciPy and NumPy compute them: 1e-9, p-values 1e-6.

use serde_json::{Value, json};
use trainyard_judges::{Judge, number, python};
use trainyard_quality::statistics::{
    Walk, chi_square, counts, hellinger, hellinger_of_densities, jensen_shannon, kl_divergence, kolmogorov_smirnov,
    proportions, psi, shares, sorted, sturges,
};

const SAMPLES: &str = r#"
import numpy as np
from scipy import stats
rng = np.random.default_rng(7)
normal = lambda n, shift=0.0, scale=1.0: rng.normal(shift, scale, n)
tied = lambda n, levels, shift=0: np.floor(rng.random(n) * levels) + shift
pairs = {
    "alike": (normal(500), normal(400)),
    "equal sizes": (normal(700), normal(700, 0.1)),
    "shifted": (normal(900), normal(1100, 0.5)),
    "far apart": (normal(50), normal(60, 100)),
    "ties": (tied(1000, 7), tied(800, 9)),
    "two values": (tied(300, 2), tied(200, 2)),
    "constant": (np.full(20, 3.0), np.full(30, 3.0)),
    "constants apart": (np.full(20, 3.0), np.full(30, 4.0)),
    "one value each": (np.array([1.0]), np.array([2.0])),
    "one against many": (np.array([0.3]), normal(1000)),
    "one against very many": (np.array([0.3]), normal(10001)),
    "three against very many": (np.array([0.3, -2.0, 8.0]), normal(12000)),
    "fifty against very many": (normal(50, 0.2), normal(20000)),
    "fifty against very many, narrow": (normal(50, 0.0, 0.3), normal(20000)),
    "fifty quantiles": ((np.arange(50) + 0.5) / 50, np.linspace(0, 1, 20001)),
    "hundred quantiles": (np.linspace(0, 1, 100), np.linspace(0, 1, 20000)),
    "two hundred against many": (normal(200, 0.1), normal(15000)),
    "two hundred quantiles": ((np.arange(200) + 0.5) / 200, np.linspace(0, 1, 30001)),
    "five hundred against many": (normal(500, 0.3), normal(15000)),
    "half of it": (np.linspace(0, 0.4, 60), np.linspace(0, 1, 20000)),
    "border below": (normal(10000), normal(9999, 0.01)),
    "border": (normal(10000), normal(10000, 0.03)),
    "border above": (normal(10001), normal(10000, 0.03)),
    "both above": (normal(15000), normal(20000, 0.005)),
    "both above, equal": (np.linspace(0, 1, 20000), np.linspace(0, 1, 20000) + 1e-7),
    "both above, apart": (normal(15000), normal(20000, 0.2)),
    "very different sizes": (normal(7), normal(9999)),
    "coprime": (normal(97), normal(101, 0.4)),
    "large numbers": (normal(300, 1e15, 3.0), normal(300, 1e15 + 1, 3.0)),
    "small numbers": (normal(300) * 1e-300, normal(300, 0.3) * 1e-300),
    "heavy tails": (rng.standard_cauchy(2000) ** 3, rng.standard_cauchy(1500) ** 3),
    "signed zeros": (np.array([0.0, -0.0, 1.0]), np.array([-0.0, -0.0, 2.0, 0.0])),
}
answer = []
for name, (a, b) in pairs.items():
    ks = stats.ks_2samp(a, b)
    both = np.concatenate([a, b])
    edges = np.histogram_bin_edges(both, bins="sturges")
    whole = np.histogram_bin_edges(np.floor(np.clip(both, -1e9, 1e9)).astype(int), bins="sturges")
    answer.append(dict(
        name=name, a=a, b=b, ks=ks.statistic, p=ks.pvalue, wasserstein=stats.wasserstein_distance(a, b),
        distinct=[len(np.unique(a)), len(np.unique(both))], edges=edges, whole=whole,
        counts=[np.histogram(a, edges)[0], np.histogram(b, edges)[0]]))
"#;

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    let near = (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0);
    assert!(near || ours == theirs || (ours.is_nan() && theirs.is_nan()), "{what}: ours {ours}, theirs {theirs}");
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn wholes(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect()
}

fn core(script: &str, data: &Value) -> Option<Value> {
    python("core").map(|judge: Judge| judge.run(script, data))
}

#[test]
fn walks_tests_and_bins_agree_with_scipy_and_numpy() {
    let Some(cases) = core(SAMPLES, &json!(null)) else { return };
    for case in cases.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (a, b) = (sorted(floats(&case["a"])), sorted(floats(&case["b"])));
        let walk = Walk::of(&a, &b).unwrap();
        let (statistic, p) = kolmogorov_smirnov(&walk);
        close(&format!("{name}: ks"), statistic, number(&case["ks"]), 1e-9);
        close(&format!("{name}: p"), p, number(&case["p"]), 1e-6);
        let area = number(&case["wasserstein"]);
        close(&format!("{name}: wasserstein"), walk.area / area.max(1e-300), area / area.max(1e-300), 1e-9);
        let distinct = [walk.distinct_reference as u64, walk.distinct as u64];
        assert_eq!(distinct.to_vec(), wholes(&case["distinct"]), "{name}");
        let (least, most) = (a[0].min(b[0]), a[a.len() - 1].max(b[b.len() - 1]));
        let edges = sturges(least, most, a.len() + b.len(), false);
        assert_eq!(edges, floats(&case["edges"]), "{name}");
        assert_eq!(counts(&a, &edges), wholes(&case["counts"][0]), "{name}");
        assert_eq!(counts(&b, &edges), wholes(&case["counts"][1]), "{name}");
        let (least, most) = (least.clamp(-1e9, 1e9).floor(), most.clamp(-1e9, 1e9).floor());
        assert_eq!(sturges(least, most, a.len() + b.len(), true), floats(&case["whole"]), "{name}");
    }
}

const COUNTS: &str = r#"
import numpy as np
from scipy import stats
from scipy.spatial import distance
def filled(p):
    least = min(p[p != 0])
    return np.where(p == 0, least / 10**6 if least <= 0.0001 else 0.0001, p)
answer = []
for a, b in data:
    a, b = np.array(a), np.array(b)
    p, q = a / a.sum(), b / b.sum()
    fp, fq = filled(p), filled(q)
    kept = (a + b) > 0
    with np.errstate(all="ignore"):
        chi = stats.chisquare(b[kept], a[kept] * (b.sum() / a.sum()))
    answer.append(dict(
        psi=np.sum((fp - fq) * np.log(fp / fq)), kl=stats.entropy(fp, fq), js=distance.jensenshannon(p, q),
        hellinger=np.sqrt(1 - np.clip(np.sum(np.sqrt(p * q)), 0, 1)), chi=[chi.statistic, chi.pvalue]))
"#;

#[test]
fn distances_and_chi_square_of_counts_agree_with_scipy() {
    let many = |count: u64, by: u64| (0..count).map(|at| 1 + at * by % 97).collect::<Vec<u64>>();
    let cases: Vec<(Vec<u64>, Vec<u64>)> = vec![
        (vec![10, 20, 30], vec![12, 18, 33]),
        (vec![10, 20, 0], vec![0, 18, 33]),
        (vec![1, 0], vec![0, 1]),
        (vec![99_999, 1, 0], vec![100_000, 0, 1]),
        (vec![5, 5], vec![500_000, 500_000]),
        (vec![5, 0, 7], vec![3, 0, 9]),
        (vec![1, 1, 1, 1], vec![1_000_000, 1, 1, 1]),
        (many(400, 31), many(400, 37)),
        (many(5000, 31), many(5000, 89)),
        (vec![40, 60], vec![60, 40]),
        (vec![400_000, 600_000], vec![600_000, 400_000]),
    ];
    let Some(answers) = core(COUNTS, &json!(cases)) else { return };
    for ((a, b), answer) in cases.iter().zip(answers.as_array().unwrap()) {
        let name = format!("{:?} {:?}", &a[..a.len().min(4)], &b[..b.len().min(4)]);
        let (p, q) = (shares(a).unwrap(), shares(b).unwrap());
        close(&format!("{name}: psi"), psi(&p, &q), number(&answer["psi"]), 1e-9);
        close(&format!("{name}: kl"), kl_divergence(&p, &q), number(&answer["kl"]), 1e-9);
        close(&format!("{name}: js"), jensen_shannon(&p, &q), number(&answer["js"]), 1e-9);
        let ours = hellinger(&p, &q);
        // Near 0 the root turns the last bit of the sum into 1e-8.
        let theirs = number(&answer["hellinger"]);
        close(&format!("{name}: hellinger"), ours * ours, theirs * theirs, 1e-13);
        close(&format!("{name}: hellinger"), ours, theirs, if theirs < 1e-6 { 1e-7 } else { 1e-9 });
        let (statistic, p) = chi_square(a, b).unwrap();
        close(&format!("{name}: chi-square"), statistic, number(&answer["chi"][0]), 1e-9);
        close(&format!("{name}: p"), p, number(&answer["chi"][1]), 1e-6);
    }
}

#[test]
fn counts_of_nothing_have_no_statistic() {
    assert_eq!((chi_square(&[5], &[7]), chi_square(&[0, 5], &[0, 7])), (None, None));
    assert_eq!((chi_square(&[0, 0], &[1, 2]), chi_square(&[1, 2], &[0, 0])), (None, None));
    assert_eq!((shares(&[]), shares(&[0, 0])), (None, None));
    assert_eq!(
        (proportions((0, 0), (1, 2)), proportions((2, 2), (3, 3)), proportions((0, 2), (0, 3))),
        (None, None, None)
    );
    assert_eq!(hellinger_of_densities(&[0], &[1], &[0.0, 1.0]), None);
}

#[test]
fn proportions_are_those_of_the_normal_distribution() {
    let cases =
        [(40, 100, 60, 100), (0, 10, 10, 10), (1, 3, 1, 3), (500_000, 1_000_000, 501_000, 1_000_000), (3, 7, 1, 900)];
    let z = |(a, m, b, n): (u64, u64, u64, u64)| proportions((a, m), (b, n)).unwrap();
    let ours: Vec<(f64, f64)> = cases.into_iter().map(z).collect();
    let zs: Vec<f64> = ours.iter().map(|(z, _)| *z).collect();
    let script = "from scipy import stats\nanswer = [2 * stats.norm.sf(abs(z)) for z in data]";
    let Some(answer) = core(script, &json!(zs)) else { return };
    for ((_, p), theirs) in ours.iter().zip(floats(&answer)) {
        close("p", *p, theirs, 1e-9);
    }
    // (0.4 − 0.6) / √(0.5 · 0.5 · 2/100)
    close("z", zs[0], -0.2 / 0.005f64.sqrt(), 1e-12);
}
