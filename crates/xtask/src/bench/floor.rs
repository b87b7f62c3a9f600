//! What the work that no program can leave out costs alone.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::measure::{Taken, take};
use super::tables::Spread;

const TIMES: usize = 10;

/// Measures the floor of a run that read `data` and left `project`; `scratch` is written and stays.
pub(super) fn measured(data: &Path, project: &Path, scratch: &Path, peer: &[Taken]) -> Result<String, String> {
    let started = (0..TIMES).map(|_| take(&mut Command::new("true")).map(|taken| taken.wall));
    let started: Vec<f64> = started.collect::<Result<_, String>>()?;
    let mut fields = 0;
    let read: Vec<f64> = (0..TIMES)
        .map(|_| {
            timed(|| {
                let bytes = fs::read(data)?;
                fields = bytes.iter().filter(|byte| matches!(byte, b',' | b'\n')).count();
                Ok(())
            })
        })
        .collect::<Result<_, String>>()?;
    let mut left = Vec::new();
    files(&project.join(".trainyard"), &mut left).map_err(|error| format!("{}: {error}", project.display()))?;
    let bytes: usize = left.iter().map(Vec::len).sum();
    let written: Vec<f64> = (0..TIMES)
        .map(|time| timed(|| write(&left, &scratch.join(time.to_string()))))
        .collect::<Result<_, String>>()?;
    let fits = Spread::of(peer.iter().filter_map(|taken| taken.result["fitting_seconds"].as_f64()));
    let mut table = "| the floor | s |\n|---|---:|\n".to_owned();
    let mut line = |what: &str, spread: Spread| {
        let _ = writeln!(table, "| {what} | {spread} |");
    };
    line("a process that does nothing", Spread::of(started.into_iter()));
    line(&format!("reading the CSV and finding its {fields} fields"), Spread::of(read.into_iter()));
    let what = format!(
        "writing {} files of {} kB together, as many as a run leaves, each forced to the disk",
        left.len(),
        bytes / 1000
    );
    line(&what, Spread::of(written.into_iter()));
    line("LightGBM's six fits, of matrices in memory", fits);
    Ok(table)
}

fn timed(work: impl FnOnce() -> std::io::Result<()>) -> Result<f64, String> {
    let started = Instant::now();
    work().map_err(|error| error.to_string())?;
    Ok(started.elapsed().as_secs_f64())
}

/// Reads every file below a folder.
fn files(folder: &Path, found: &mut Vec<Vec<u8>>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found)? } else { found.push(fs::read(&path)?) }
    }
    Ok(())
}

fn write(files: &[Vec<u8>], folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, bytes) in files.iter().enumerate() {
        let mut file = File::create(folder.join(number.to_string()))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    File::open(folder)?.sync_all()
}
