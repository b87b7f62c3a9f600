//! Lineage as a flowchart in Mermaid's text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Lineage;
use super::graph::{Kind, Node, Place, Role};

/// How many artifacts an arrow names.
const NAMED: usize = 3;

/// Writes a text so that Mermaid takes nothing in it for its own: what is no letter, digit, blank or plain mark becomes
/// the number of its character.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        let is_plain = c.is_alphanumeric() || " .,:/_-+=()×→…·".contains(c);
        match c {
            _ if is_plain => quoted.push(c),
            c if c.is_control() => quoted.push(' '),
            c => {
                let _ = write!(quoted, "#{};", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

fn label(node: &Node) -> String {
    let name = match node.kind {
        Kind::Run => format!("run {}", node.name),
        Kind::Change => format!("change {}: {}", node.id.trim_start_matches("change:"), node.name),
        _ => node.name.clone(),
    };
    let digest = match node.kind {
        Kind::Step => node.text("code").get(..12).map(|code| format!("code {code}")),
        _ => node.digest.as_deref().and_then(|digest| digest.get(..12)).map(str::to_owned),
    };
    let about = [digest, node.status.clone()].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let (name, about) = (quoted(&name), quoted(&about));
    match about.as_str() {
        "\"\"" => name,
        about => format!("{}<br/>{}", name.trim_end_matches('"'), about.trim_start_matches('"')),
    }
}

impl Lineage {
    /// Draws it as a flowchart from left to right, in the direction in which things are made.
    ///
    /// An artifact that some step read is the text of an arrow; each step stands in the box of the run that did it.
    pub fn mermaid(&self) -> String {
        let (places, ways) = (self.places(), self.ways());
        let node = |place: Place| self.graph.nodes.get(place);
        let is = |place: Place, kind: Kind| self.graph.is(place, kind);
        let maker = |artifact: Place| ways.iter().find(|way| way.to == artifact && way.role == Role::Made);
        // An artifact between two steps is an arrow; one at an end has a box of its own.
        let is_read = |artifact: Place| ways.iter().any(|way| way.from == artifact);
        let is_arrow = |place: Place| {
            is(place, Kind::Artifact) && is_read(place) && maker(place).is_some() && !self.roots.contains(&place)
        };
        let mut text = String::from("flowchart LR\n");
        let mut boxes: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
        let mut outside = Vec::new();
        for place in places.iter().copied().filter(|place| !is_arrow(*place)) {
            match node(place) {
                Some(step) if step.kind == Kind::Step => boxes.entry(step.text("run")).or_default().push(place),
                Some(_) => outside.push(place),
                None => {}
            }
        }
        for (number, (run, steps)) in boxes.iter().enumerate() {
            let _ = writeln!(text, "  subgraph r{number} [{}]", quoted(&format!("steps of run {run}")));
            for place in steps {
                let _ = writeln!(text, "    n{place}[{}]", node(*place).map(label).unwrap_or_default());
            }
            text.push_str("  end\n");
        }
        for place in outside {
            let Some(found) = node(place) else { continue };
            let (open, close) = match found.kind {
                Kind::Source => ("[(", ")]"),
                Kind::Run | Kind::Change => ("([", "])"),
                Kind::Model => ("{{", "}}"),
                Kind::Step | Kind::Artifact => ("[", "]"),
                _ => ("[/", "/]"),
            };
            let _ = writeln!(text, "  n{place}{open}{}{close}", label(found));
        }
        let mut arrows: BTreeMap<(Place, Place), BTreeSet<String>> = BTreeMap::new();
        // A step stands in the box of its run: an arrow to it says no more, but from the last.
        let leads_on =
            |step: Place| ways.iter().any(|way| way.from == step && (way.role == Role::Registered || is_arrow(way.to)));
        for way in &ways {
            if is_arrow(way.to) || way.role == Role::Ran && leads_on(way.from) {
                continue;
            }
            let (from, said) = match maker(way.from).filter(|_| is_arrow(way.from)) {
                Some(made) => {
                    let name = node(way.from).map(|artifact| artifact.name.as_str()).unwrap_or_default();
                    (made.from, name.split_once('.').map_or(name, |(_, artifact)| artifact).to_owned())
                }
                None => (
                    way.from,
                    match way.role {
                        Role::Cached => "cached".to_owned(),
                        Role::Compared => "compared with".to_owned(),
                        _ => String::new(),
                    },
                ),
            };
            arrows.entry((from, way.to)).or_default().insert(said);
        }
        for ((from, to), said) in arrows {
            let said: Vec<String> = said.into_iter().filter(|word| !word.is_empty()).collect();
            let named = match said.len() {
                0 => String::new(),
                all if all > NAMED => format!("{} and {} more", said[..NAMED].join(", "), all - NAMED),
                _ => said.join(", "),
            };
            let arrow = if named.is_empty() { "-->".to_owned() } else { format!("-->|{}|", quoted(&named)) };
            let _ = writeln!(text, "  n{from} {arrow} n{to}");
        }
        text
    }
}
