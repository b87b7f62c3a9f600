//! What of an earlier attempt a resumed run keeps.

use std::fs;
use std::sync::atomic::Ordering;

use trainyard_diagnostics::Diagnostic;
use trainyard_pipeline::StepStatus;
use trainyard_pipeline::engine::Failure;

use crate::given::{Fake, World, codes, diamond, ended, found, out};

/// Resumes and gives the names of the steps that did their work, and the bytes of the last.
fn resumed(world: &World, steps: &[Fake]) -> (Vec<&'static str>, Vec<u8>) {
    let outcome = world.resume(steps);
    assert_eq!(codes(&outcome), [""; 0]);
    let worked = steps.iter().filter(|step| step.times_run.load(Ordering::SeqCst) > 0);
    (worked.map(|step| step.name).collect(), world.bytes(&outcome, "d"))
}

#[test]
fn a_damaged_object_runs_its_step_and_those_below_again() {
    let world = World::new();
    let first = world.run(&diamond());
    let whole = world.bytes(&first, "d");
    fs::remove_file(world.object(&out(&found(&first, "b").record))).unwrap();
    assert_eq!(resumed(&world, &diamond()), (vec!["b", "d"], whole.clone()));
    assert_eq!(resumed(&world, &diamond()), (Vec::new(), whole));
}

#[test]
fn a_step_whose_code_changed_runs_again() {
    let world = World::new();
    world.run(&diamond());
    let [a, b, c, d] = diamond();
    assert_eq!(resumed(&world, &[a, b, c.with_code("2"), d]).0, ["c", "d"]);
}

#[test]
fn a_run_keeps_the_inputs_that_it_began_with() {
    let world = World::new();
    let whole = world.bytes(&world.run(&diamond()), "d");
    let [a, b, c, d] = diamond();
    assert_eq!(resumed(&world, &[a.with_input("other"), b, c, d]), (Vec::new(), whole));
}

#[test]
fn results_of_two_attempts_never_mix() {
    let world = World::new();
    let first = world.run(&diamond());
    // The second attempt makes a anew, from another source, and fails before b and c are done.
    fs::remove_file(world.object(&out(&found(&first, "a").record))).unwrap();
    let other = || {
        let [a, b, c, d] = diamond();
        [a.with_input("other"), b, c, d]
    };
    let fails = |step: Fake| step.doing(|_| Err(Diagnostic::error("test/wrong", "it went wrong").into()));
    let [a, b, c, d] = other();
    let second = world.resume(&[a, fails(b), fails(c), d]);
    assert!(matches!(second.failure, Some(Failure::Problems(_))));
    assert_eq!(ended(&second, StepStatus::Ran), ["a"]);
    // The third keeps the new a, and none of what the first attempt made of the old one.
    let whole = World::new();
    let expected = whole.bytes(&whole.run(&other()), "d");
    assert_eq!(resumed(&world, &other()), (vec!["b", "c", "d"], expected));
}
