//! `trainyard data drift`.

use serde_json::{Value, json};
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{DiskIo, write_atomic};
use trainyard_pipeline::{Request as Project, figure};
use trainyard_quality::drift::{ColumnDrift, Judged, Kind, Report, Request, Rules, drift, page};

use crate::arguments::Drift;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, count, counted, number, table};

pub(super) fn run(arguments: &Drift, project: &Project, printer: Printer) -> Result<u8, Stop> {
    super::asked(&arguments.rows).check(&[&arguments.reference, &arguments.current])?;
    let given = |path| super::given(project, path, &arguments.rows);
    let (reference, current) = (given(&arguments.reference)?, given(&arguments.current)?);
    let (then, now) = (super::read_as_project(&reference)?, super::read_as_project(&current)?);
    let asked: Vec<String> = arguments.columns.iter().chain(&arguments.target).cloned().collect();
    super::known("drift/unknown-column", &asked, &[&then, &now])?;
    let tests = || arguments.tests.iter().copied();
    let rules = Rules {
        numeric: tests().filter(|test| test.takes_numbers()).collect(),
        categorical: tests().filter(|test| test.takes_categories()).collect(),
        ..Rules::default()
    };
    let report = drift(&Request {
        reference: &then,
        current: &now,
        columns: (!arguments.columns.is_empty()).then_some(&asked),
        without: &[],
        target: arguments.target.as_deref(),
        target_is_label: false,
        rules: &rules,
    });
    if report.compared == 0 {
        return Err(nothing(&report).into());
    }
    let names = [reference.shown, current.shown];
    if let Some(path) = &arguments.html {
        write_atomic(&DiskIo, path, page(&report, [&names[0], &names[1]]).as_bytes())?;
    }
    printer.result(|| document(&report, &names), |paint| text(&report, &names, paint))?;
    Ok(if arguments.refuse && report.drift { Fault::Refused.exit_code() } else { 0 })
}

fn nothing(report: &Report) -> Diagnostic {
    let problem = Diagnostic::error("drift/nothing-compared", "no column of the two tables can be compared");
    let told = report.left_out.iter().take(5).map(|left| format!("{}: {}", left.column, left.why));
    told.fold(problem, |problem, why| problem.note(why)).help("name two tables that have columns of one name and type")
}

fn document(report: &Report, names: &[String; 2]) -> Value {
    let mut document = json!(report);
    document["reference"]["file"] = json!(names[0]);
    document["current"]["file"] = json!(names[1]);
    document
}

fn text(report: &Report, names: &[String; 2], paint: Paint) -> String {
    let rows = |rows: usize| counted(rows, "row");
    let mut text = format!(
        "{}   {} ({}) against {} ({})\n\n",
        paint.ink(Ink::Strong, "Drift"),
        clean(&names[1]),
        rows(report.current.rows),
        clean(&names[0]),
        rows(report.reference.rows)
    );
    let head = ["", "column", "kind", "test", "value", "limit", "reference", "now"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(report.judged().into_iter().flat_map(|judged| match judged {
        Judged::Compared(_, compared) => column(compared),
        Judged::Broken(broken) => {
            let kind = kind(broken.kind, broken.is_target);
            vec![vec!["✗".to_owned(), broken.column.clone(), kind, broken.why.clone()]]
        }
    }));
    let (left, right) = (Side::Left, Side::Right);
    text.push_str(&table(&[left, left, left, left, right, right, right, right], &lines));
    for left in report.left_out.iter().filter(|left| !left.is_broken) {
        text.push_str(&format!("  · {}: not compared, {}\n", clean(&left.column), clean(&left.why)));
    }
    let verdict = if report.drift { (Ink::Bad, "has drifted") } else { (Ink::Good, "has not drifted") };
    text.push_str(&format!(
        "\n  {} of {} drifted, a share of {} (limit {}): the data {}\n",
        count(report.drifted as u64),
        counted(report.compared, "column"),
        figure(report.share),
        report.limit,
        paint.ink(verdict.0, verdict.1)
    ));
    if let Some(drifted) = report.target_drift {
        text.push_str(&format!("  the target {}\n", if drifted { "has drifted" } else { "has not drifted" }));
    }
    text
}

/// Gives the lines of a column: what the deciding test says, and then the others.
fn column(column: &ColumnDrift) -> Vec<Vec<String>> {
    let (then, now) = sizes(column);
    let line = |(at, test): (usize, &trainyard_quality::drift::Outcome)| {
        let first = |text: String| if at == 0 { text } else { String::new() };
        vec![
            first(if column.drifted { "✗" } else { "✓" }.to_owned()),
            first(column.column.clone()),
            first(kind(column.kind, column.is_target)),
            test.test.name().to_owned(),
            number(test.value),
            test.bound(),
            first(then.clone()),
            first(now.clone()),
        ]
    };
    column.tests.iter().enumerate().map(line).collect()
}

fn kind(kind: Kind, is_target: bool) -> String {
    format!("{}{}", kind.name(), if is_target { ", target" } else { "" })
}

/// Says how the column moved: the means of numbers, the shares of the category that changed most.
fn sizes(column: &ColumnDrift) -> (String, String) {
    if let (Some(then), Some(now)) = (&column.reference.summary, &column.current.summary) {
        let what = if column.kind == Kind::Text { "length" } else { "mean" };
        return (format!("{what} {}", figure(then.mean)), format!("{what} {}", figure(now.mean)));
    }
    let shown = &column.distribution;
    let moved = |at: &usize| (shown.reference[*at] - shown.current[*at]).abs();
    let most = (0..shown.categories.len()).max_by(|a, b| moved(a).total_cmp(&moved(b)).then(b.cmp(a)));
    let Some(at) = most else { return Default::default() };
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let name = crate::table::cut(&shown.categories[at], 24);
    (format!("{name} {}", percent(shown.reference[at])), percent(shown.current[at]))
}
