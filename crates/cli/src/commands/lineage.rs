//! `trainyard lineage`.

use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::write_atomic;
use trainyard_pipeline::{Branch, Direction, LineageKind, Request, lineage, open_lineage};

use crate::arguments::{Lineage, LineageFormat};
use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, pad, width};

pub(super) fn run(request: &Request, asked: &Lineage, printer: Printer) -> Result<u8, Stop> {
    let direction = match (asked.up, asked.down) {
        (true, false) => Direction::Up,
        (false, true) => Direction::Down,
        _ => Direction::Both,
    };
    let wanted = asked.what.as_str();
    let format = match asked.format {
        None if printer.json => LineageFormat::Json,
        None => LineageFormat::Tree,
        Some(format) => format,
    };
    let is_file = asked.output.is_some();
    let text = match format {
        LineageFormat::Openlineage => open_lineage(request, wanted, direction)?,
        _ => {
            let found = lineage(request, wanted, direction)?;
            let left_out: Vec<Diagnostic> = found.unreadable().iter().map(|run| left_out(run)).collect();
            printer.warnings(&left_out);
            match format {
                LineageFormat::Json if !is_file => {
                    return printer.result(|| found.to_json(), |_| pretty(&found)).map(|()| 0);
                }
                LineageFormat::Json => pretty(&found),
                LineageFormat::Mermaid => found.mermaid(),
                _ => {
                    let paint = if is_file || printer.json { Paint::NONE } else { printer.out() };
                    let (up, down) = (found.tree_up(printer.verbose), found.tree_down(printer.verbose));
                    let trees = [("Made from", up), ("Made of it", down)];
                    let both = direction == Direction::Both;
                    let drawn = trees.into_iter().filter_map(|(title, tree)| Some((title, tree?)));
                    drawn
                        .map(|(title, tree)| draw(if both { title } else { "" }, &tree, paint))
                        .collect::<Vec<_>>()
                        .join("\n")
                }
            }
        }
    };
    let name = format.name();
    match &asked.output {
        Some(path) => {
            write_atomic(&*request.io, path, text.as_bytes())?;
            let shown = path.display().to_string();
            printer.result(
                || json!({ "format": name, "output": shown }),
                |_| format!("{} holds the lineage of {} as {name}.\n", clean(&shown), clean(wanted)),
            )?;
        }
        None => printer.result(|| json!({ "format": name, "text": text }), |_| text.clone())?,
    }
    Ok(0)
}

fn pretty(found: &trainyard_pipeline::Lineage) -> String {
    format!("{:#}\n", found.to_json())
}

fn left_out(run: &str) -> Diagnostic {
    Diagnostic::warning("lineage/unreadable-run", format!("run {run} is left out: its journal can't be read"))
        .note("what it read and made is not shown")
        .help("bring its folder in .trainyard/runs back from a copy")
}

/// Draws a tree: names, digests and status words in columns.
fn draw(title: &str, tree: &[Branch], paint: Paint) -> String {
    let name = |branch: &Branch| clean(&format!("{}{}", branch.lines, branch.name));
    let names = tree.iter().map(|branch| width(&name(branch))).max().unwrap_or(0);
    let digests = tree.iter().map(|branch| branch.digest.len()).max().unwrap_or(0);
    let states = tree.iter().map(|branch| width(&branch.status)).max().unwrap_or(0);
    let mut text = String::new();
    if !title.is_empty() {
        text.push_str(&format!("{}\n", paint.ink(Ink::Strong, title)));
    }
    for branch in tree {
        let name = name(branch);
        let filled = pad(&name, names, Side::Left);
        let filled = if branch.lines.is_empty() { paint.ink(Ink::Strong, &filled) } else { filled };
        let ink = match branch.status.as_str() {
            "FAILED" | "REFUSED" | "crashed" | "failed" | "unreadable" => Ink::Bad,
            _ if branch.kind == LineageKind::Step => Ink::Good,
            _ => Ink::Strong,
        };
        let status = paint.ink(ink, &pad(&branch.status, states, Side::Left));
        let more = match (branch.is_repeated, branch.words.as_str()) {
            (true, "") => "(shown above)".to_owned(),
            (true, words) => format!("{words} (shown above)"),
            (false, words) => words.to_owned(),
        };
        let digest = paint.ink(Ink::Faint, &pad(&branch.digest, digests, Side::Left));
        let line = format!("{filled}  {digest}  {status}  {}", paint.ink(Ink::Faint, &clean(&more)));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
