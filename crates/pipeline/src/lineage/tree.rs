//! Lineage as a tree of lines, for a terminal.

use std::collections::BTreeSet;

use serde_json::Value;
use trainyard_diagnostics::count;

use super::graph::{Kind, Node, Place, Role, Way};
use super::{Lineage, Reach};

/// How many artifacts a line names.
const NAMED: usize = 2;

/// One line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// What is drawn before the name.
    pub lines: String,
    /// What people call it.
    pub name: String,
    /// The digest of its content; empty where it has none.
    pub digest: String,
    /// How it stands, in a word or two: `ran`, `cached from 7f3a`, `FINISHED`; empty where nothing is to say.
    pub status: String,
    /// More of it.
    pub words: String,
    /// What it is.
    pub kind: Kind,
    /// Whether what is behind it is drawn at another line.
    pub is_repeated: bool,
}

/// What is drawn below a line: a place, with the artifacts that lead to it.
struct Child {
    place: Place,
    role: Role,
    through: Vec<Place>,
}

/// Draws one way of a lineage.
struct Drawing<'a> {
    lineage: &'a Lineage,
    reach: &'a Reach,
    is_up: bool,
    /// Whether each artifact has a line of its own.
    is_whole: bool,
    drawn: BTreeSet<Place>,
    /// The run whose lineage is drawn, on the way up.
    run: Option<Place>,
    branches: Vec<Branch>,
}

impl Lineage {
    /// Draws what the roots were made from; nothing where that was not asked for. With `is_whole` each artifact has a
    /// line.
    pub fn tree_up(&self, is_whole: bool) -> Option<Vec<Branch>> {
        self.up.as_ref().map(|reach| self.draw(reach, true, is_whole))
    }

    /// Draws what was made of the roots; nothing where that was not asked for.
    pub fn tree_down(&self, is_whole: bool) -> Option<Vec<Branch>> {
        self.down.as_ref().map(|reach| self.draw(reach, false, is_whole))
    }

    fn draw(&self, reach: &Reach, is_up: bool, is_whole: bool) -> Vec<Branch> {
        let (drawn, branches) = (BTreeSet::new(), Vec::new());
        let mut drawing = Drawing { lineage: self, reach, is_up, is_whole, drawn, run: None, branches };
        for root in &self.roots {
            drawing.add(&Child { place: *root, role: Role::Made, through: Vec::new() }, None, "", "");
        }
        drawing.branches
    }

    fn node(&self, place: Place) -> Option<&Node> {
        self.graph.nodes.get(place)
    }
}

impl Drawing<'_> {
    fn node(&self, place: Place) -> Option<&Node> {
        self.lineage.node(place)
    }

    fn is(&self, place: Place, kind: Kind) -> bool {
        self.node(place).is_some_and(|node| node.kind == kind)
    }

    /// Draws a place and all behind it.
    fn add(&mut self, child: &Child, above: Option<Place>, own: &str, below: &str) {
        let lineage = self.lineage;
        let Some(node) = lineage.node(child.place) else { return };
        if self.is_up && node.kind == Kind::Run {
            self.run = Some(child.place);
        }
        let (children, single) = self.children(child.place);
        let is_new = self.drawn.insert(child.place);
        let is_repeated = !is_new && !children.is_empty();
        self.branches.push(self.branch(node, child, above, own, is_repeated));
        if !is_new {
            return;
        }
        let last = (children.len() + usize::from(!single.is_empty())).saturating_sub(1);
        for (number, one) in children.iter().enumerate() {
            let (corner, bar) = if number == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.add(one, Some(child.place), &format!("{below}{corner}"), &format!("{below}{bar}"));
        }
        if !single.is_empty() {
            self.branches.push(self.several(&single, format!("{below}└─ ")));
        }
    }

    /// Tells of artifacts that nothing read in one line.
    fn several(&self, artifacts: &[Place], lines: String) -> Branch {
        let names = artifacts.iter().filter_map(|place| self.node(*place));
        let names: Vec<&str> = names.map(|node| node.name.split_once('.').map_or("", |(_, name)| name)).collect();
        let name = format!("{} more artifacts", artifacts.len());
        let (digest, status) = (String::new(), String::new());
        let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let words = if names.len() > NAMED { format!("{shown}, …") } else { shown };
        Branch { lines, name, digest, status, words, kind: Kind::Artifact, is_repeated: false }
    }

    fn branch(&self, node: &Node, child: &Child, above: Option<Place>, own: &str, is_repeated: bool) -> Branch {
        let status = match (node.kind, child.role) {
            (Kind::Step, _) => self.how(child.place, above),
            (Kind::Run, Role::Cached) => "took it from the cache".to_owned(),
            _ => node.status.clone().unwrap_or_default(),
        };
        let name = match node.kind {
            Kind::Step if !self.is_up && above.is_none_or(|above| !self.is(above, Kind::Run)) => {
                format!("{} of run {}", node.name, node.text("run"))
            }
            Kind::Run => format!("run {}", node.name),
            Kind::Change => format!("change {}", node.id.trim_start_matches("change:")),
            _ => node.name.clone(),
        };
        let mut words: Vec<String> = match node.kind {
            Kind::Step if !self.is_whole => self.named(&child.through).into_iter().collect(),
            Kind::Step if !node.text("code").is_empty() => {
                vec![format!("code {}", node.text("code").get(..12).unwrap_or_default())]
            }
            Kind::Change => vec![node.name.clone(), node.text("reason").to_owned()],
            Kind::Run => vec![node.details.get("project").and_then(Value::as_str).unwrap_or_default().to_owned()],
            Kind::Model => {
                let aliases = node.details.get("aliases").and_then(Value::as_array).into_iter().flatten();
                aliases.filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        if child.role == Role::Compared && node.kind == Kind::Model {
            words.insert(0, "compared with".to_owned());
        }
        if let Some(rows) = node.details.get("rows").and_then(Value::as_u64) {
            words.push(format!("{} rows", count(rows)));
        }
        words.retain(|word| !word.is_empty());
        let digest = node.digest.as_deref().and_then(|digest| digest.get(..12)).unwrap_or_default().to_owned();
        let (lines, words) = (own.to_owned(), words.join(", "));
        Branch { lines, name, digest, status, words, kind: node.kind, is_repeated }
    }

    /// Says how a step came to its result, for the run above it, else for any.
    fn how(&self, step: Place, above: Option<Place>) -> String {
        let ways = self.lineage.graph.out_of(step);
        let cached = above
            .filter(|above| self.is(*above, Kind::Run))
            .or(self.run)
            .is_some_and(|run| ways.iter().any(|way| way.to == run && way.role == Role::Cached));
        match (cached, self.node(step)) {
            (true, Some(node)) => format!("cached from {}", node.text("run")),
            _ => "ran".to_owned(),
        }
    }

    /// Names artifacts with their digests, as many as fit.
    fn named(&self, artifacts: &[Place]) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        // The files of a folder are told together.
        let mut folders: Vec<(&str, usize)> = Vec::new();
        for node in artifacts.iter().filter_map(|place| self.node(*place)) {
            let name = node.name.split_once('.').map_or(node.name.as_str(), |(_, artifact)| artifact);
            match name.split_once('/').filter(|(folder, _)| *folder == "model") {
                Some((folder, _)) => match folders.iter_mut().find(|(known, _)| *known == folder) {
                    Some((_, files)) => *files += 1,
                    None => folders.push((folder, 1)),
                },
                None => names.push(format!("{name} {}", node.digest.as_deref()?.get(..12)?)),
            }
        }
        let files = |files: usize| if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        names.splice(0..0, folders.into_iter().map(|(folder, count)| format!("{folder}: {}", files(count))));
        match names.len() {
            0 => None,
            all if all > NAMED => {
                let shown = names.get(..NAMED).unwrap_or_default().join(", ");
                Some(format!("{shown} and {} more", all - NAMED))
            }
            _ => Some(names.join(", ")),
        }
    }

    fn other(&self, way: &Way, place: Place) -> Place {
        if way.from == place { way.to } else { way.from }
    }

    /// Lists what is drawn below a place, and the artifacts that are told together since nothing read them.
    fn children(&self, place: Place) -> (Vec<Child>, Vec<Place>) {
        let ways = self.reach.beyond.get(&place).map(Vec::as_slice).unwrap_or_default();
        let (mut children, mut single): (Vec<Child>, Vec<Place>) = (Vec::new(), Vec::new());
        for way in ways {
            let other = self.other(way, place);
            if self.is(place, Kind::Run) && self.is_inner(other, ways, place) {
                continue;
            }
            // A step says itself which run did it.
            if !self.is_up && way.role == Role::Ran && self.is(other, Kind::Run) {
                continue;
            }
            let is_artifact = self.is(other, Kind::Artifact);
            if !is_artifact || self.is_whole {
                children.push(Child { place: other, role: way.role, through: Vec::new() });
                continue;
            }
            // An artifact is told with the step that made it, or that read it.
            let beyond = self.reach.beyond.get(&other).map(Vec::as_slice).unwrap_or_default();
            for next in beyond {
                let step = self.other(next, other);
                match children.iter_mut().find(|child| child.place == step && child.role == next.role) {
                    Some(child) => child.through.push(other),
                    None => children.push(Child { place: step, role: next.role, through: vec![other] }),
                }
            }
            if beyond.is_empty() {
                single.push(other);
            }
        }
        if single.len() <= NAMED {
            let alone = single.drain(..);
            children.extend(alone.map(|place| Child { place, role: Role::Made, through: Vec::new() }));
        }
        // Steps first, the last one done before those that it built on; then what came from outside.
        let order = |child: &Child| {
            let is_step = self.is(child.place, Kind::Step);
            (!is_step, if is_step && self.is_up { usize::MAX - child.place } else { child.place })
        };
        children.sort_by_key(order);
        (children, single)
    }

    /// Says whether a step of a run is drawn below another step of it: on the way up below one that read it, on the way
    /// down below one that it read; so is a model, below the step that registered it.
    fn is_inner(&self, other: Place, of_run: &[Way], run: Place) -> bool {
        let graph = &self.lineage.graph;
        let steps: BTreeSet<Place> = of_run.iter().map(|way| self.other(way, run)).collect();
        let is_step = |place: Place| place != other && steps.contains(&place);
        if self.is_up {
            let made = graph.out_of(other).iter().filter(|way| way.role == Role::Made);
            let mut readers = made.flat_map(|way| graph.out_of(way.to)).filter(|way| way.role == Role::Read);
            return readers.any(|way| is_step(way.to));
        }
        let mut sources = graph.into(other).iter();
        sources.any(|way| is_step(way.from) || graph.into(way.from).iter().any(|made| is_step(made.from)))
    }
}
