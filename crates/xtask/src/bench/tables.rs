//! Measurements as tables in Markdown: medians, and from least to most in parentheses.

use std::fmt::Write;

use super::measure::Taken;

/// Puts two sides beside one another.
pub(super) fn beside(our_command: &str, ours: &[Taken], peer_command: &str, peer: &[Taken]) -> String {
    let mut table = format!("| {} runs of each, in turn | `{our_command}` | `{peer_command}` | ratio |\n", ours.len());
    table.push_str("|---|---:|---:|---:|\n");
    type Figure = fn(&Taken) -> f64;
    let figures: [(&str, Figure); 3] = [
        ("wall, s", |taken| taken.wall),
        ("processor, s", |taken| taken.cpu),
        ("peak memory, MiB", |taken| taken.peak as f64 / f64::from(1 << 20)),
    ];
    for (name, figure) in figures {
        let [ours, peer] = [ours, peer].map(|side| Spread::of(side.iter().map(figure)));
        let _ = writeln!(table, "| {name} | {ours} | {peer} | {:.1} |", peer.median / ours.median);
    }
    table
}

/// Says where the time of whole runs goes.
pub(super) fn by_step(ours: &[Taken], peer: &[Taken]) -> Result<String, String> {
    let first = ours.first().ok_or("there was no run")?;
    let steps = first.result["steps"].as_array().into_iter().flatten();
    let mut table = "| step | trainyard, s | churn.py, s |\n|---|---:|---:|\n".to_owned();
    for name in steps.filter_map(|step| step["name"].as_str()) {
        let of_ours = Spread::of(ours.iter().filter_map(|taken| step_seconds(taken, name)));
        let of_peer = Spread::of(peer.iter().filter_map(|taken| taken.result["seconds"][name].as_f64()));
        let _ = writeln!(table, "| `{name}` | {of_ours} | {of_peer} |");
    }
    let outside = |taken: &Taken| Some(taken.wall - taken.result["seconds"].as_f64()?);
    let outside_peer = |taken: &Taken| {
        let steps = taken.result["seconds"].as_object()?;
        Some(taken.wall - steps.values().filter_map(|seconds| seconds.as_f64()).sum::<f64>())
    };
    let (of_ours, of_peer) =
        (Spread::of(ours.iter().filter_map(outside)), Spread::of(peer.iter().filter_map(outside_peer)));
    let _ = writeln!(table, "| before the first and after the last | {of_ours} | {of_peer} |");
    let [of_ours, of_peer] = [ours, peer].map(|side| Spread::of(side.iter().map(|taken| taken.wall)));
    let _ = writeln!(table, "| **the whole process** | {of_ours} | {of_peer} |");
    Ok(table)
}

/// What data of one size took.
pub(super) struct Size {
    pub(super) rows: u64,
    pub(super) ours: Taken,
    /// Absent where the peer would take too long.
    pub(super) peer: Option<Taken>,
}

/// Says what a row costs at several sizes, in microseconds of wall time.
pub(super) fn per_row(measured: &[Size]) -> Result<String, String> {
    let first = &measured.first().ok_or("there was no run")?.ours;
    let names: Vec<&str> =
        first.result["steps"].as_array().into_iter().flatten().filter_map(|step| step["name"].as_str()).collect();
    let sizes = |text: &dyn Fn(&Size) -> String| -> String {
        measured.iter().map(|size| format!(" {} |", text(size))).collect()
    };
    let mut table = format!("| µs a row |{}\n|---|", sizes(&|size| format!("{} rows", size.rows)));
    table.push_str(&"---:|".repeat(measured.len()));
    let line = |name: &str, seconds: &dyn Fn(&Size) -> Option<f64>| {
        let cells = sizes(&|size| match seconds(size) {
            Some(seconds) => format!("{:.2}", 1e6 * seconds / size.rows as f64),
            None => "–".to_owned(),
        });
        format!("\n| {name} |{cells}")
    };
    for name in names {
        table.push_str(&line(&format!("`{name}`"), &|size| step_seconds(&size.ours, name)));
    }
    table.push_str(&line("**trainyard, the whole process**", &|size| Some(size.ours.wall)));
    table.push_str(&line("churn.py, the whole process", &|size| Some(size.peer.as_ref()?.wall)));
    let bytes = |taken: &Taken| format!("{:.0}", taken.peak as f64 / f64::from(1 << 20));
    let _ = write!(table, "\n| **trainyard, peak memory, MiB** |{}", sizes(&|size| bytes(&size.ours)));
    let peers = sizes(&|size| size.peer.as_ref().map_or_else(|| "–".to_owned(), bytes));
    let _ = writeln!(table, "\n| churn.py, peak memory, MiB |{peers}");
    Ok(table)
}

fn step_seconds(taken: &Taken, name: &str) -> Option<f64> {
    let steps = taken.result["steps"].as_array()?;
    steps.iter().find(|step| step["name"] == name)?["seconds"].as_f64()
}

/// The middle and the ends of some measurements.
pub(super) struct Spread {
    pub(super) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Describes measurements; NaN where there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Spread { median: (at(last / 2) + at(last.div_ceil(2))) / 2.0, least: at(0), most: at(last) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.median.is_nan() {
            return formatter.write_str("–");
        }
        let digits = if self.most < 10.0 { 4 } else { 1 };
        write!(formatter, "{:.digits$} ({:.digits$}..{:.digits$})", self.median, self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0].into_iter()).to_string(), "2.5000 (1.0000..4.0000)");
        assert_eq!(Spread::of([30.0, 10.0, 20.0].into_iter()).to_string(), "20.0 (10.0..30.0)");
        assert_eq!(Spread::of(std::iter::empty()).to_string(), "–");
    }
}
