//! Clusters of the numbers of one column, by k-means.

use std::cmp::Reverse;

use trainyard_exact::{halfway, mean, power_of_two};

/// The most iterations.
const ITERATIONS: usize = 300;
/// Centres that move less than this share of the variance, in squares, have come to rest.
const TOLERANCE: f64 = 1e-4;

/// Gives where the clusters of sorted values meet, ascending: halfway between neighbouring centres.
///
/// Lloyd's algorithm ("Least squares quantization in PCM", 1982) from the centres of bins of equal width, as
/// scikit-learn's `KMeans(init=…, n_init=1)`: a value that is as far from two centres belongs to the first of them, and
/// a centre without values goes to the value that is farthest from its own. Where several centres are without values at
/// once, the order in which scikit-learn moves them depends on the machine; here they are moved in their order to the
/// farthest values, of equal ones to the least. Values that are no more different than clusters wanted are a cluster
/// each, where scikit-learn keeps centres between which nothing lies. Values are finite, at least two differ, and their
/// range is finite.
pub(crate) fn borders(sorted: &[f64], clusters: usize) -> Vec<f64> {
    let mut distinct: Vec<f64> = sorted.to_vec();
    distinct.dedup();
    if distinct.len() <= clusters {
        return distinct.windows(2).map(|pair| halfway(pair[0], pair[1])).collect();
    }
    let (least, most) = (distinct[0], distinct[distinct.len() - 1]);
    // By a power of two, which rounds nothing that matters, so that squares stay inside the range.
    let exponent = (1023 - ((most - least).to_bits() >> 52) as i32).clamp(-1022, 1022);
    let (scale, back) = (power_of_two(exponent), power_of_two(-exponent));
    let scaled: Vec<f64> = sorted.iter().map(|value| value * scale).collect();
    let middle = mean(&scaled).unwrap_or(0.0);
    let edge =
        |at: usize| if at == clusters { most * scale } else { edge_of(least * scale, most * scale, at, clusters) };
    let starts = (0..clusters).map(|at| (edge(at + 1) + edge(at)) * 0.5 - middle);
    let mut centers = Values::new(&scaled, middle).settled(starts.collect());
    centers.iter_mut().for_each(|center| *center += middle);
    centers.sort_unstable_by(f64::total_cmp);
    centers.windows(2).map(|pair| (pair[1] + pair[0]) * 0.5 * back).collect()
}

/// Gives an edge of bins of equal width, rounded as NumPy's `linspace` rounds it.
pub(crate) fn edge_of(least: f64, most: f64, at: usize, bins: usize) -> f64 {
    let (range, bins, at) = (most - least, bins as f64, at as f64);
    let step = range / bins;
    (if step == 0.0 { at / bins * range } else { at * step }) + least
}

/// Distinct values, from the least to the greatest, less the mean of all.
struct Values {
    values: Vec<f64>,
    /// How often each occurs.
    counts: Vec<u64>,
    /// The number of rows before each value, and after the last.
    rows: Vec<u64>,
    /// Their sum, as a double and what its rounding left.
    sums: Vec<(f64, f64)>,
    /// The mean square.
    variance: f64,
}

/// The values of one cluster: from one place to before another.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    cluster: usize,
    from: usize,
    to: usize,
}

impl Values {
    fn new(sorted: &[f64], middle: f64) -> Values {
        let mut found =
            Values { values: Vec::new(), counts: Vec::new(), rows: vec![0], sums: vec![(0.0, 0.0)], variance: 0.0 };
        let (mut rows, mut sum) = (0, (0.0, 0.0));
        for equal in sorted.chunk_by(|a, b| a - middle == b - middle) {
            let (value, count) = (equal[0] - middle, equal.len() as u64);
            found.values.push(value);
            found.counts.push(count);
            rows += count;
            found.rows.push(rows);
            let product = value * count as f64;
            sum = added(sum, (product, libm::fma(value, count as f64, -product)));
            found.sums.push(sum);
            found.variance += value * product;
        }
        found.variance /= rows as f64;
        found
    }

    /// Moves the centres until the clusters stay what they are.
    fn settled(&self, mut centers: Vec<f64>) -> Vec<f64> {
        let mut last = Vec::new();
        for _ in 0..ITERATIONS {
            let segments = self.segments(&centers);
            let moved = self.centers(&centers, &segments);
            let shift: f64 = moved.iter().zip(&centers).map(|(new, old)| (new - old) * (new - old)).sum();
            centers = moved;
            if segments == last || shift <= self.variance * TOLERANCE {
                break;
            }
            last = segments;
        }
        centers
    }

    /// Gives each value to the nearest centre, of equally near ones the first.
    fn segments(&self, centers: &[f64]) -> Vec<Segment> {
        let mut order: Vec<usize> = (0..centers.len()).collect();
        order.sort_by(|a, b| centers[*a].total_cmp(&centers[*b]));
        order.dedup_by(|b, a| centers[*a] == centers[*b]);
        // The squared distance but for the square of the value; rounded as scikit-learn rounds it, which decides where
        // a value lies in the middle.
        let far = |value: f64, center: f64| center * center - 2.0 * (value * center);
        let mut segments = Vec::with_capacity(order.len());
        let mut from = 0;
        for (place, &cluster) in order.iter().enumerate() {
            let to = match order.get(place + 1) {
                Some(&next) => {
                    let stays = |value: &f64| {
                        let (here, there) = (far(*value, centers[cluster]), far(*value, centers[next]));
                        here < there || (here == there && cluster < next)
                    };
                    self.values.partition_point(stays).max(from)
                }
                None => self.values.len(),
            };
            if to > from {
                segments.push(Segment { cluster, from, to });
            }
            from = to;
        }
        segments
    }

    /// Gives each cluster the mean of its values, and the farthest values to clusters that have none.
    fn centers(&self, centers: &[f64], segments: &[Segment]) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); centers.len()];
        let mut rows = vec![0; centers.len()];
        for segment in segments {
            let (high, low) = self.sums[segment.from];
            sums[segment.cluster] = added(self.sums[segment.to], (-high, -low));
            rows[segment.cluster] = self.rows[segment.to] - self.rows[segment.from];
        }
        let empty: Vec<usize> = (0..centers.len()).filter(|cluster| rows[*cluster] == 0).collect();
        for (cluster, (value, home)) in empty.iter().zip(self.farthest(centers, segments, empty.len())) {
            sums[home] = added(sums[home], (-value, 0.0));
            rows[home] -= 1;
            (sums[*cluster], rows[*cluster]) = ((value, 0.0), 1);
        }
        let largest = (0..centers.len()).max_by_key(|cluster| (rows[*cluster], Reverse(*cluster))).unwrap_or(0);
        let mean = |cluster: usize| (sums[cluster].0 + sums[cluster].1) * (1.0 / rows[cluster] as f64);
        (0..centers.len()).map(|cluster| mean(if rows[cluster] > 0 { cluster } else { largest })).collect()
    }

    /// Gives as many rows as wanted, the farthest from their centres first: value and cluster.
    fn farthest(&self, centers: &[f64], segments: &[Segment], wanted: usize) -> Vec<(f64, usize)> {
        if wanted == 0 {
            return Vec::new();
        }
        let mut all: Vec<(f64, usize, usize)> = Vec::with_capacity(self.values.len());
        for segment in segments {
            let far = |at: usize| self.values[at] - centers[segment.cluster];
            all.extend((segment.from..segment.to).map(|at| (far(at) * far(at), at, segment.cluster)));
        }
        let farther = |a: &(f64, usize, usize), b: &(f64, usize, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if wanted < all.len() {
            all.select_nth_unstable_by(wanted, farther);
            all.truncate(wanted);
        }
        all.sort_unstable_by(farther);
        let rows = all.iter().filter(|(far, ..)| *far > 0.0).flat_map(|(_, at, cluster)| {
            std::iter::repeat_n((self.values[*at], *cluster), self.counts[*at].min(wanted as u64) as usize)
        });
        rows.take(wanted).collect()
    }
}

/// Adds two sums with what their rounding left (Knuth: "The Art of Computer Programming", volume 2, section 4.2.2).
fn added(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let sum = a.0 + b.0;
    let of_b = sum - a.0;
    let low = (a.0 - (sum - of_b)) + (b.0 - of_b) + (a.1 + b.1);
    let high = sum + low;
    (high, low - (high - sum))
}
