//! Quantiles of targets and residuals: the constants of least absolute and pinball loss.

/// Gives the quantile at `share`, above 0 and below 1, of what `value` says of `rows`; `None` where nothing counts.
///
/// As in scikit-learn: without weights linear between the two nearest values (NumPy's default), otherwise the least value
/// up to which at least `share` of the weight lies (Hyndman and Fan: "Sample quantiles in statistical packages", 1996,
/// definition 1). Equal values are added up in the order of their rows.
pub(crate) fn of_rows(
    rows: impl Iterator<Item = u32>,
    value: impl Fn(usize) -> f64,
    weights: Option<&[f64]>,
    share: f64,
) -> Option<f64> {
    let rows = rows.map(|row| row as usize);
    let Some(weights) = weights else {
        let mut values: Vec<f64> = rows.map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        return trainyard_exact::quantile(&values, share);
    };
    let counting = rows.filter(|row| weights[*row] > 0.0);
    let mut values: Vec<(f64, f64)> = counting.map(|row| (value(row), weights[row])).collect();
    values.sort_by(|left, right| left.0.total_cmp(&right.0));
    let total = values.iter().fold(0.0, |total, (_, weight)| total + weight);
    let wanted = share * total;
    let mut below = 0.0;
    let reaches = |(_, weight): &&(f64, f64)| {
        below += weight;
        below >= wanted
    };
    values.iter().find(reaches).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy_and_scikit_learn() {
        let values = [7.0, 1.0, 3.0, 2.0];
        let of = |weights: Option<&[f64]>, share| of_rows(0..4, |row| values[row], weights, share);
        assert_eq!([0.5, 0.25].map(|share| of(None, share)), [Some(2.5), Some(1.75)]);
        // The weight below is 2, 4, 8, 9 of 9.
        let weights = [1.0, 2.0, 4.0, 2.0];
        let shares = [0.01, 0.22, 0.23, 0.5, 0.88, 0.89, 0.99];
        let wanted = [1.0, 1.0, 2.0, 3.0, 3.0, 7.0, 7.0];
        assert_eq!(shares.map(|share| of(Some(&weights), share)), wanted.map(Some));
        assert_eq!(of(Some(&[0.0; 4]), 0.5), None);
        assert_eq!(of_rows(0..0, |_| 1.0, None, 0.5), None);
    }
}
