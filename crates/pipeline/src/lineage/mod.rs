//! Lineage: from any point of a project up to the raw data, and down to whatever was made of it.
//!
//! Boundary: reads journals and the registry, takes no lock and writes nothing. Never: a time, but in the events that
//! [`open_lineage`] gives.

mod events;
mod find;
mod graph;
mod mermaid;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use trainyard_diagnostics::Diagnostic;

use graph::{Graph, Place, Way};

pub use graph::Kind;
use graph::{Node, Role};
pub use tree::Branch;

use crate::look::is_project;
use crate::project::{PROJECT, Request};
use crate::stores::Stores;

/// Which way to look from a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To what it was made from.
    Up,
    /// To what was made of it.
    Down,
    /// Both ways.
    Both,
}

/// Where something comes from, and what became of it.
pub struct Lineage {
    graph: Graph,
    roots: Vec<Place>,
    up: Option<Reach>,
    down: Option<Reach>,
}

/// What is reached from the roots one way, nearest first.
#[derive(Default)]
struct Reach {
    /// The ways by the place nearer to the root; each leads to the places beyond.
    beyond: BTreeMap<Place, Vec<Way>>,
    found: BTreeSet<Place>,
}

/// Tells the lineage of a run, a model, a file or a digest.
///
/// # Errors
/// Nothing or several things of that name, or a registry that can't be read.
pub fn lineage(request: &Request, wanted: &str, direction: Direction) -> Result<Lineage, Vec<Diagnostic>> {
    let (graph, roots) = look(request, wanted)?;
    let up = matches!(direction, Direction::Up | Direction::Both).then(|| up(&graph, &roots));
    let down = matches!(direction, Direction::Down | Direction::Both).then(|| down(&graph, &roots));
    Ok(Lineage { graph, roots, up, down })
}

/// Gives OpenLineage's events of the runs in the lineage of a run, a model, a file or a digest: JSON lines.
///
/// # Errors
/// As [`lineage`].
pub fn open_lineage(request: &Request, wanted: &str, direction: Direction) -> Result<String, Vec<Diagnostic>> {
    let found = lineage(request, wanted, direction)?;
    let stores = Stores::look(&request.io, &request.root)?;
    Ok(events::events(&found, &stores))
}

fn look(request: &Request, wanted: &str) -> Result<(Graph, Vec<Place>), Vec<Diagnostic>> {
    if !is_project(&request.root) {
        let title = format!("{} is no project: there is no {PROJECT}", request.root.display());
        return Err(vec![Diagnostic::error("project/absent", title).help("name the project's folder with --project")]);
    }
    let stores = Stores::look(&request.io, &request.root)?;
    let graph = Graph::of(&stores)?;
    let roots = find::find(&graph, &stores, request, wanted)?;
    Ok((graph, roots))
}

/// Walks from the roots as `beyond` says, each place once. It gives the ways from a place, and whether to go on behind
/// each.
fn walk(roots: &[Place], beyond: impl Fn(Place) -> Vec<(Way, Place, bool)>) -> Reach {
    let mut reach = Reach { found: roots.iter().copied().collect(), ..Reach::default() };
    let mut open: Vec<Place> = roots.to_vec();
    let mut at = 0;
    while let Some(place) = open.get(at).copied() {
        at += 1;
        for (way, other, goes_on) in beyond(place) {
            reach.beyond.entry(place).or_default().push(way);
            if reach.found.insert(other) && goes_on {
                open.push(other);
            }
        }
    }
    reach
}

fn up(graph: &Graph, roots: &[Place]) -> Reach {
    let of_model = |place| graph.nodes.get(place).is_some_and(|node: &Node| node.kind == Kind::Model);
    walk(roots, |place| {
        let ways = graph.into(place).iter();
        // A model comes from its run, whose last step is the one that registered it.
        let ways = ways.filter(|way| !of_model(place) || graph.is(way.from, Kind::Run));
        // A model that was only compared with is none of what this one was made from.
        ways.map(|way| (*way, way.from, way.role != Role::Compared)).collect()
    })
}

fn down(graph: &Graph, roots: &[Place]) -> Reach {
    let is_root = |place: Place| roots.contains(&place);
    walk(roots, |place| {
        if graph.is(place, Kind::Run) && is_root(place) {
            let own = graph.into(place).iter().filter(|way| way.role == Role::Ran);
            let own = own.map(|way| (*way, way.from, true));
            let models = graph.out_of(place).iter().map(|way| (*way, way.to, true));
            return own.chain(models).collect();
        }
        let ways = graph.out_of(place).iter();
        // What a run did besides is not made of this; what was only compared with it neither.
        let goes_on = |way: &Way| !graph.is(way.to, Kind::Run) && way.role != Role::Compared;
        ways.map(|way| (*way, way.to, goes_on(way))).collect()
    })
}

impl Graph {
    fn is(&self, place: Place, kind: Kind) -> bool {
        self.nodes.get(place).is_some_and(|node| node.kind == kind)
    }
}

impl Lineage {
    /// Lists the ways that are part of it, each once, in order.
    fn ways(&self) -> Vec<Way> {
        let reaches = self.up.iter().chain(&self.down);
        let all: BTreeSet<Way> = reaches.flat_map(|reach| reach.beyond.values().flatten().copied()).collect();
        all.into_iter().collect()
    }

    /// Lists the places that are part of it, in order.
    fn places(&self) -> BTreeSet<Place> {
        let reaches = self.up.iter().chain(&self.down);
        let mut all: BTreeSet<Place> = reaches.flat_map(|reach| reach.found.iter().copied()).collect();
        all.extend(&self.roots);
        all
    }

    /// Names the runs whose journals can't be read, which are left out.
    pub fn unreadable(&self) -> &[String] {
        &self.graph.unreadable
    }

    /// Gives it as a document: what was asked for, all nodes, and all edges in the direction in which things are made.
    pub fn to_json(&self) -> Value {
        let places = self.places();
        let nodes: Vec<&Node> = places.iter().filter_map(|place| self.graph.nodes.get(*place)).collect();
        let id = |place: Place| self.graph.nodes.get(place).map(|node| node.id.clone());
        let edges: Vec<Value> = self
            .ways()
            .into_iter()
            .map(|way| json!({ "from": id(way.from), "to": id(way.to), "role": way.role }))
            .collect();
        json!({
            "of": self.roots.iter().map(|root| id(*root)).collect::<Vec<_>>(),
            "up": self.up.is_some(),
            "down": self.down.is_some(),
            "nodes": nodes,
            "edges": edges,
            "unreadable": self.graph.unreadable,
        })
    }
}
