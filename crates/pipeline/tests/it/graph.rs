//! The order of steps, and what runs side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use trainyard_diagnostics::Diagnostic;
use trainyard_pipeline::StepStatus;
use trainyard_pipeline::engine::{Graph, GraphError, Step};

use crate::given::{Fake, World, codes, diamond, ended};

fn graph(steps: &[Fake]) -> Result<Vec<&'static str>, GraphError> {
    let graph = Graph::new(steps.iter().map(|step| Arc::new(step.clone()) as Arc<dyn Step>).collect())?;
    Ok(graph.steps().iter().map(|step| step.name()).collect())
}

#[test]
fn steps_come_after_what_they_need_and_otherwise_as_given() {
    let [a, b, c, d] = diamond();
    assert_eq!(graph(&[d.clone(), c.clone(), b.clone(), a.clone()]), Ok(vec!["a", "c", "b", "d"]));
    assert_eq!(graph(&[a, b, c, d]), Ok(vec!["a", "b", "c", "d"]));
    assert_eq!(graph(&[]), Ok(Vec::new()));
}

#[test]
fn what_is_no_graph_is_refused() {
    let [a, b, ..] = diamond();
    assert_eq!(graph(&[a.clone(), a.clone()]), Err(GraphError::Twice("a")));
    assert_eq!(graph(std::slice::from_ref(&b)), Err(GraphError::Unknown("b", "a")));
    let (x, y) = (Fake::new("x", &["y"]), Fake::new("y", &["x"]));
    assert_eq!(graph(&[a, x, b, y]), Err(GraphError::Cycle(vec!["x", "y"])));
}

#[test]
fn independent_steps_run_side_by_side() {
    let world = World::new();
    let [a, b, c, d] = diamond();
    // Each of the two waits for a word of the other.
    let (to_b, from_c) = mpsc::channel::<()>();
    let (to_c, from_b) = mpsc::channel::<()>();
    let meets = |sender: mpsc::Sender<()>, receiver: mpsc::Receiver<()>| {
        let receiver = Mutex::new(receiver);
        move |_: &_| {
            sender.send(()).unwrap();
            let met = receiver.lock().unwrap().recv_timeout(Duration::from_secs(30));
            met.map_err(|_| Diagnostic::error("test/alone", "the other step never ran").into()).map(|()| Vec::new())
        }
    };
    let outcome = world.run(&[a, b.doing(meets(to_c, from_c)), c.doing(meets(to_b, from_b)), d]);
    assert_eq!((codes(&outcome), ended(&outcome, StepStatus::Ran).len()), (Vec::new(), 4));
}

#[test]
fn the_thread_budget_holds_for_all_steps_together() {
    for threads in [1, 2, 8] {
        let world = World { threads, ..World::new() };
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let steps: Vec<Fake> = ["a", "b", "c", "d"]
            .map(|name| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                Fake::new(name, &[]).doing(move |_| {
                    assert_eq!(rayon::current_num_threads(), threads);
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(Vec::new())
                })
            })
            .into();
        assert_eq!(ended(&world.run(&steps), StepStatus::Ran).len(), 4);
        assert!(most.load(Ordering::SeqCst) <= threads);
    }
}

#[test]
fn a_step_starts_when_there_is_a_thread_for_it() {
    let world = World { threads: 1, ..World::new() };
    let steps = ["a", "b", "c"].map(|name| Fake::new(name, &[]));
    assert_eq!(ended(&world.run(&steps), StepStatus::Ran).len(), 3);
    assert_eq!(world.heard.all(), ["a started", "a ran", "b started", "b ran", "c started", "c ran"]);
    let zero = World { threads: 0, ..World::new() };
    assert_eq!(ended(&zero.run(&steps), StepStatus::Ran).len(), 3);
}
