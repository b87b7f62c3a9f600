//! Bins of equal width, as NumPy 2 makes them.

/// Gives the edges of bins between `least` and `most`, by Sturges' rule as NumPy has it: a width of
/// `range / (log2(count) + 1)`, at least 1 for whole numbers, and the number of bins that covers the range.
///
/// `count` is the number of values. Edges are those of `numpy.histogram_bin_edges(…, bins="sturges")`, to the bit. A
/// range of nothing is widened by one half on either side.
pub fn sturges(least: f64, most: f64, count: usize, whole: bool) -> Vec<f64> {
    let width = (most - least) / (libm::log2(count as f64) + 1.0);
    let width = if whole && width > 0.0 && width < 1.0 { 1.0 } else { width };
    let (first, last) = if least == most { (least - 0.5, most + 0.5) } else { (least, most) };
    // A range beyond the doubles has one bin.
    let bins = ((last - first) / width).ceil();
    let bins = if width > 0.0 && bins.is_finite() { bins.max(1.0) as usize } else { 1 };
    let step = (last - first) / bins as f64;
    let edge = |at: usize| {
        if at == 0 || at == bins {
            return if at == 0 { first } else { last };
        }
        // A step below the doubles is taken apart.
        if step == 0.0 { at as f64 / bins as f64 * (last - first) + first } else { at as f64 * step + first }
    };
    (0..=bins).map(edge).collect()
}

/// Counts the values of a sorted sample in each bin: from its lower edge and below its upper one, the last bin with
/// both.
pub fn counts(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let last = edges.len().saturating_sub(1);
    let below = |at: usize, edge: f64| {
        let inside = |value: &f64| if at == last { *value <= edge } else { *value < edge };
        sorted.partition_point(inside) as u64
    };
    let places: Vec<u64> = edges.iter().enumerate().map(|(at, edge)| below(at, *edge)).collect();
    places.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

/// Gives the Hellinger distance of two histograms over the same edges, by their densities as Evidently computes it.
///
/// `None` without counts on either side.
pub fn hellinger_of_densities(reference: &[u64], current: &[u64], edges: &[f64]) -> Option<f64> {
    let (first, last) = (edges.first()?, edges.last()?);
    let width = (last - first) / (edges.len() - 1) as f64;
    let density = |counts: &[u64]| {
        let all: u64 = counts.iter().sum();
        let of = |(count, pair): (&u64, &[f64])| *count as f64 / (pair[1] - pair[0]) / all as f64;
        (all > 0).then(|| counts.iter().zip(edges.windows(2)).map(of).collect::<Vec<f64>>())
    };
    let (p, q) = (density(reference)?, density(current)?);
    let overlap: f64 = p.iter().zip(&q).map(|(p, q)| (p * q).sqrt() * width).sum();
    Some((1.0 - overlap.clamp(0.0, 1.0)).sqrt())
}
