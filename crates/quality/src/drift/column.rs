//! One column of two tables.

use trainyard_exact::{Spread, quantile};

use super::Request;
use super::categories::Categories;
use super::numbers::Numbers;
use super::report::{ColumnDrift, LeftOut, Side, Summary};
use super::sample::{Cells, Kind};
use crate::statistics::{Room, distinct};

/// Compares a column of both tables, or says why not; each table's is sorted in a room of its own.
pub(super) fn compare(request: &Request<'_>, name: &str, rooms: &mut [Room; 2]) -> Result<ColumnDrift, LeftOut> {
    let left_out = |why: String| LeftOut { column: name.to_owned(), why, is_broken: false, was: None };
    let [of_then, of_now] = rooms;
    let (then, now) =
        rayon::join(|| Cells::of(request.reference, name, of_then), || Cells::of(request.current, name, of_now));
    let then = then.ok_or_else(|| left_out("not in the reference".to_owned()))?;
    // What was compared and no longer can be has moved furthest of all.
    let was = then.kind().filter(|_| then.values() > 0);
    let broken = |why: String| LeftOut { is_broken: was.is_some(), was, ..left_out(why) };
    let now = now.ok_or_else(|| broken("not in the current table".to_owned()))?;
    for (cells, which) in [(&then, "the reference"), (&now, "the current table")] {
        if !matches!(cells, Cells::Other(_)) && cells.values() == 0 {
            return Err(broken(format!("no value in {which}")));
        }
    }
    let is_target = request.target == Some(name);
    let kind = match now.kind() {
        Some(Kind::Numeric | Kind::Text) if is_target && request.target_is_label => Kind::Categorical,
        Some(kind) => kind,
        None => return Err(broken(format!("{} are not compared", now.noun()))),
    };
    if then.noun() != now.noun() {
        return Err(broken(format!("{} in the reference, {} now", then.noun(), now.noun())));
    }
    let rows = [request.reference.num_rows(), request.current.num_rows()];
    let missing = [rows[0] - then.values(), rows[1] - now.values()];
    let rules = request.rules;
    let (sides, distribution, tests) = match (kind, then, now) {
        (Kind::Categorical, Cells::Texts { counts: then, values: m }, Cells::Texts { counts: now, values: n }) => {
            let categories = Categories::of_texts(&then, &now);
            let sides = [(m, then.len(), None), (n, now.len(), None)];
            (sides, categories.distribution(false), categories.tested(rules))
        }
        (Kind::Categorical, Cells::Numbers { sorted: then, truth, .. }, Cells::Numbers { sorted: now, .. }) => {
            let categories = Categories::of_numbers(&then, &now, truth);
            let sides = [&then, &now].map(|side| (side.len(), distinct(side), None));
            of_then.take_back(then);
            of_now.take_back(now);
            (sides, categories.distribution(true), categories.tested(rules))
        }
        (_, then, now) => {
            let (then, whole_then) = then.numbers(missing[0], of_then);
            let (now, whole_now) = now.numbers(missing[1], of_now);
            let Some(numbers) = Numbers::of(&then, &now, whole_then && whole_now) else {
                return Err(left_out("no value".to_owned()));
            };
            let sides = [&then, &now].map(|side| (side.len(), distinct(side), summary(side)));
            let tests = numbers.tested(sides[0].2.as_ref(), rules);
            let distribution = numbers.distribution();
            of_then.take_back(then);
            of_now.take_back(now);
            (sides, distribution, tests)
        }
    };
    let side = |at: usize| {
        let (values, distinct, summary) = sides[at].clone();
        Side { values, missing: missing[at], distinct, summary }
    };
    Ok(ColumnDrift {
        column: name.to_owned(),
        is_target,
        kind,
        drifted: tests.first().is_some_and(|test| test.drifted),
        tests,
        reference: side(0),
        current: side(1),
        distribution,
    })
}

fn summary(sorted: &[f64]) -> Option<Summary> {
    let spread = Spread::of(sorted)?;
    let quartiles = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(sorted, share));
    Some(Summary {
        mean: spread.mean,
        deviation: spread.population_variance().sqrt(),
        quartiles: quartiles.into_iter().flatten().collect(),
    })
}
