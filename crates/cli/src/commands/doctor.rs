//! `trainyard doctor`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};
use trainyard_diagnostics::Fault;
use trainyard_engines::{Engine, Engines, Error, Pip, pip};
use trainyard_pipeline::{Finding, Health, Request, examine, is_project};

use super::in_project;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::{Stop, with_place};
use crate::table::{Side, clean, count, counted, pad};

/// How long a library may take to be loaded.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long each way to call `pip` may take to tell its version.
const PATIENCE_WITH_PIP: Duration = Duration::from_secs(5);

/// The free memory, in bytes, below which little can be trained.
const LITTLE: u64 = 500_000_000;

/// The columns of a terminal that names of things take.
const NAMES: usize = 12;

/// Findings about one thing.
struct Area {
    title: String,
    findings: Vec<Finding>,
}

pub(super) fn run(request: &Request, is_named: bool, printer: Printer) -> Result<u8, Stop> {
    let (project, asked) = project(request, is_named);
    let areas = [machine(request.threads), project, engines(&request.engines, &asked)];
    let place = in_project(&request.root);
    let findings = || areas.iter().flat_map(|area| &area.findings);
    let in_health = |health: Health| findings().filter(|finding| finding.health == health).count();
    let (broken, warnings) = (in_health(Health::Broken), in_health(Health::Warning));
    let program = std::env::current_exe().unwrap_or_default();
    let document = || {
        let area = |area: &Area| {
            let findings: Vec<Value> = area.findings.iter().map(|finding| json!(placed(finding, &place))).collect();
            json!({"area": area.title, "findings": findings})
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "program": program,
            "well": broken == 0,
            "broken": broken,
            "warnings": warnings,
            "areas": areas.iter().map(area).collect::<Vec<_>>(),
        })
    };
    printer.result(document, |paint| {
        let mut text = format!("Trainyard {}   {}\n", env!("CARGO_PKG_VERSION"), clean(&program.display().to_string()));
        for area in &areas {
            text.push_str(&format!("\n{}\n", paint.ink(Ink::Strong, &clean(&area.title))));
            area.findings.iter().for_each(|finding| text.push_str(&drawn(&placed(finding, &place), paint)));
        }
        let verdict = match (broken, warnings) {
            (0, 0) => paint.ink(Ink::Good, "All is well."),
            (0, warnings) => {
                format!("{} There is {} to look at.", paint.ink(Ink::Good, "All works."), counted(warnings, "warning"))
            }
            (broken, _) => paint.ink(Ink::Bad, &format!("{} to mend.", counted(broken, "thing"))),
        };
        format!("{text}\n{verdict}\n")
    })?;
    Ok(if broken == 0 { 0 } else { Fault::User.exit_code() })
}

/// Lets the commands that a finding advises name the project.
fn placed(finding: &Finding, place: &str) -> Finding {
    let mend = finding.mend.as_ref().map(|mend| if place.is_empty() { mend.clone() } else { with_place(mend, place) });
    Finding { mend, ..finding.clone() }
}

fn drawn(finding: &Finding, paint: Paint) -> String {
    let mark = match finding.health {
        Health::Well => paint.ink(Ink::Good, "✓"),
        Health::Absent => paint.ink(Ink::Faint, "·"),
        Health::Warning => paint.ink(Ink::Strong, "!"),
        Health::Broken => paint.ink(Ink::Bad, "✗"),
    };
    let mut text = format!("  {mark} {} {}\n", pad(&finding.name, NAMES, Side::Left), clean(&finding.what));
    if let Some(mend) = &finding.mend {
        text.push_str(&format!("{}→ {}\n", " ".repeat(NAMES + 5), clean(mend)));
    }
    text
}

fn machine(threads: usize) -> Area {
    let processors = format!("{}, {} at work", online(), counted(threads, "thread"));
    let findings = vec![Finding::well("processors", processors), memory(), files()];
    Area { title: "machine".to_owned(), findings }
}

/// Says how many processors there are, and what this process may use of them.
fn online() -> String {
    let all = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let all = all.lines().filter(|line| line.starts_with("processor")).count();
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    if all > usable { format!("{usable} of {all} may be used") } else { usable.to_string() }
}

/// Tells of the memory that this process may have: of the machine, of its group, and by its own limit.
fn memory() -> Finding {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = |name: &str| -> Option<u64> {
        let rest = told.lines().find_map(|line| line.strip_prefix(name))?;
        rest.trim_start_matches(':').split_whitespace().next()?.parse().ok()
    };
    let (Some(total), Some(free)) = (kilobytes("MemTotal"), kilobytes("MemAvailable")) else {
        return Finding::well("memory", "unknown");
    };
    let (total, mut free) = (total * 1024, free * 1024);
    let mut what = format!("{} free of {}", gigabytes(free), gigabytes(total));
    if let Some(group) = group(Path::new("/sys/fs/cgroup")).filter(|group| group.limit < total) {
        let left = group.limit.saturating_sub(group.used);
        free = free.min(left);
        what.push_str(&format!("; {} free of its group's limit of {}", gigabytes(left), gigabytes(group.limit)));
    }
    if let Some(limit) = getrlimit(Resource::As).current {
        free = free.min(limit);
        what.push_str(&format!("; its own limit is {}", gigabytes(limit)));
    }
    if free < LITTLE {
        return Finding::ill("memory", Health::Warning, what, "end other programs, or raise the limits");
    }
    Finding::well("memory", what)
}

/// The memory of a control group, in bytes.
#[derive(Debug, PartialEq)]
struct Group {
    limit: u64,
    /// What its processes hold. Files that were read and can be let go are none of it.
    used: u64,
}

/// The files of both versions of control groups that tell a limit and what is in use, and the line of `memory.stat`
/// that tells what of it can be let go.
const GROUP_FILES: [[&str; 3]; 2] = [
    ["memory.max", "memory.current", "inactive_file"],
    ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
];

/// Gives the memory of the control group that this process is in; none where it has no limit.
fn group(root: &Path) -> Option<Group> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let [new, old] = GROUP_FILES;
    group_in(&root.join(own.trim_start_matches('/')), new).or_else(|| group_in(&root.join("memory"), old))
}

fn group_in(folder: &Path, [limit, used, can_go]: [&str; 3]) -> Option<Group> {
    let number = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let can_go = stat.lines().find_map(|line| line.strip_prefix(can_go)?.trim().parse::<u64>().ok());
    let used = number(used).unwrap_or(0).saturating_sub(can_go.unwrap_or(0));
    Some(Group { limit: number(limit)?, used })
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn files() -> Finding {
    match getrlimit(Resource::Nofile).current {
        Some(most @ 0..256) => {
            let what = format!("{} may be open at once", count(most));
            Finding::ill("files", Health::Warning, what, "raise the limit: `ulimit -n 1024`")
        }
        Some(most) => Finding::well("files", format!("{} may be open at once", count(most))),
        None => Finding::well("files", "any number may be open at once"),
    }
}

/// Looks at the project, and gives the engines that it asks for. That there is none is fine where none is named.
fn project(request: &Request, is_named: bool) -> (Area, BTreeSet<Engine>) {
    let folder = request.root.display().to_string();
    if !is_project(&request.root) {
        let health = if is_named { Health::Broken } else { Health::Absent };
        let what = format!("there is no trainyard.yaml in {folder}");
        let mend = "name its folder with --project, or make one: `trainyard init DIR --from CSV --target COLUMN`";
        let findings = vec![Finding::ill("spec", health, what, mend)];
        return (Area { title: "project".to_owned(), findings }, BTreeSet::new());
    }
    let examination = examine(request);
    let name = examination.name.map(|name| format!(" {name}")).unwrap_or_default();
    let title = if folder == "." { format!("project{name}") } else { format!("project{name} in {folder}") };
    (Area { title, findings: examination.findings }, examination.engines)
}

/// Looks at each engine, and at what could bring it.
fn engines(engines: &Engines, asked: &BTreeSet<Engine>) -> Area {
    let mut findings: Vec<Finding> =
        Engine::ALL.into_iter().map(|engine| of_engine(engines, engine, asked.contains(&engine))).collect();
    findings.push(match pip(PATIENCE_WITH_PIP) {
        Pip::Says(said) => Finding::well("pip", said),
        Pip::Silent => {
            let what = format!("it did not answer within {} seconds", PATIENCE_WITH_PIP.as_secs());
            Finding::ill("pip", Health::Warning, what, "look what keeps it: `pip --version`")
        }
        Pip::Absent => Finding::ill("pip", Health::Absent, "none: engines cannot be added", "install Python with pip"),
    });
    Area { title: "engines".to_owned(), findings }
}

fn of_engine(engines: &Engines, engine: Engine, is_asked: bool) -> Finding {
    let name = engine.name();
    let started = Instant::now();
    let loaded = engines.load(engine, &|| started.elapsed() < PATIENCE);
    let health = if is_asked { Health::Broken } else { Health::Warning };
    let error = match loaded {
        Ok(version) => {
            let version = version.unwrap_or_else(|| "of an unknown version".to_owned());
            let path = engines.library(engine).map(|library| library.path.display().to_string()).unwrap_or_default();
            return Finding::well(name, format!("{version}, loads from {path}"));
        }
        Err(error) => error,
    };
    let mend = format!("`trainyard engines add {name}`");
    match error {
        Error::Absent { .. } if is_asked => {
            Finding::ill(name, Health::Broken, "not on this machine, and the model version asks for it", mend)
        }
        Error::Absent { .. } => Finding::ill(name, Health::Absent, "not on this machine", mend),
        Error::Stopped => {
            Finding::ill(name, health, format!("it did not load within {} seconds", PATIENCE.as_secs()), mend)
        }
        error => Finding::of(name, health, &error.diagnostic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_holds_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        let [new, old] = GROUP_FILES;
        assert_eq!(group_in(folder.path(), new), None);
        write("memory.max", "max\n");
        assert_eq!(group_in(folder.path(), new), None);
        write("memory.max", "4000\n");
        assert_eq!(group_in(folder.path(), new), Some(Group { limit: 4000, used: 0 }));
        write("memory.current", "3000\n");
        assert_eq!(group_in(folder.path(), new), Some(Group { limit: 4000, used: 3000 }));
        write("memory.stat", "anon 1500\ninactive_anon 7\ninactive_file 1000\ntotal_inactive_file 900\n");
        assert_eq!(group_in(folder.path(), new), Some(Group { limit: 4000, used: 2000 }));
        write("memory.limit_in_bytes", "8000\n");
        write("memory.usage_in_bytes", "1000\n");
        assert_eq!(group_in(folder.path(), old), Some(Group { limit: 8000, used: 100 }));
    }
}
