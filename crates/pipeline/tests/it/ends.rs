//! Failures, panics, stops.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier, Mutex, mpsc};

use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_pipeline::StepStatus;
use trainyard_pipeline::engine::{Cancel, Done, Entry, Failure, Sink};

use crate::given::{Fake, World, codes, diamond, ended};

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else() {
    let world = World::new();
    let [a, b, c, d] = diamond();
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    let fails = move |_: &_| {
        receiver.lock().unwrap().recv().unwrap();
        Err(Diagnostic::error("test/wrong", "it went wrong").into())
    };
    // c starts before b fails.
    let c = c.doing(move |_| {
        sender.send(()).unwrap();
        Ok(Vec::new())
    });
    let outcome = world.run(&[a, b.doing(fails), c, d]);
    assert_eq!(codes(&outcome), ["test/wrong"]);
    assert_eq!(ended(&outcome, StepStatus::Ran), ["a", "c"]);
    assert_eq!(ended(&outcome, StepStatus::Failed), ["b"]);
    assert_eq!(ended(&outcome, StepStatus::Skipped), ["d"]);
    let failed = Entry::StepFailed { step: "b".into(), problems: vec!["test/wrong: it went wrong".into()] };
    assert!(world.entries().contains(&failed), "{:?}", world.entries());
    assert!(world.heard.all().contains(&"b failed".to_owned()));
    // Mended, the run goes on from what was done.
    let again = world.resume(&diamond());
    assert_eq!(ended(&again, StepStatus::Ran), ["a", "b", "c", "d"]);
    let began = |step: &str| world.heard.all().iter().filter(|event| **event == format!("{step} started")).count();
    assert_eq!(["a", "b", "c", "d"].map(began), [1, 2, 1, 1]);
}

#[test]
fn a_panic_is_a_failure_in_its_own_words() {
    let world = World::new();
    let [a, b, c, d] = diamond();
    let outcome = world.run(&[a, b.doing(|_| panic!("two and two are {}", 5)), c, d]);
    let Some(Failure::Problems(problems)) = &outcome.failure else { panic!("{outcome:?}") };
    assert_eq!((problems[0].code.as_str(), problems[0].fault), ("engine/broken", Fault::Internal));
    assert_eq!(problems[0].notes, ["two and two are 5"]);
    assert_eq!(ended(&outcome, StepStatus::Skipped), ["d"]);
}

#[test]
fn a_stop_ends_the_run_and_it_goes_on_later() {
    let world = World::new();
    let [a, b, c, d] = diamond();
    let cancel = world.cancel.clone();
    let stops = move |scope: &trainyard_pipeline::engine::Scope| {
        cancel.cancel();
        assert!(!scope.progress("half", 1, 2), "progress says that it is time to stop");
        scope.check()?;
        Ok(Vec::new())
    };
    let outcome = world.run(&[a, b.doing(stops), c, d]);
    assert_eq!(codes(&outcome), ["interrupted"]);
    assert!(!ended(&outcome, StepStatus::Ran).contains(&"b"));
    let whole = World::new();
    let expected = whole.bytes(&whole.run(&diamond()), "d");
    let later = World { cancel: Default::default(), ..world };
    let resumed = later.resume(&diamond());
    assert_eq!((codes(&resumed), later.bytes(&resumed, "d")), (Vec::new(), expected));
}

#[test]
fn a_step_that_does_not_listen_is_left_behind() {
    let world = World::new();
    let [a, b, c, d] = diamond();
    let cancel = world.cancel.clone();
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Arc::new(Mutex::new(receiver));
    let deaf = move |_: &_| {
        cancel.cancel();
        // Ends only with the test.
        let _ = receiver.lock().unwrap().recv();
        Ok(Vec::new())
    };
    let outcome = world.run(&[a, b.doing(deaf), c, d]);
    assert_eq!(codes(&outcome), ["interrupted"]);
    assert!(ended(&outcome, StepStatus::Skipped).contains(&"b"));
    drop(sender);
}

#[test]
fn a_stop_after_a_failure_ends_too() {
    let world = World::new();
    let [a, b, c, d] = diamond();
    let cancel = world.cancel.clone();
    let (failed, after) = mpsc::channel::<()>();
    let after = Mutex::new(after);
    let fails = move |_: &_| {
        failed.send(()).unwrap();
        Err(Diagnostic::error("test/wrong", "it went wrong").into())
    };
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let deaf = move |_: &_| {
        after.lock().unwrap().recv().unwrap();
        cancel.cancel();
        let _ = held.lock().unwrap().recv();
        Ok(Vec::new())
    };
    let outcome = world.run(&[a, b.doing(fails), c.doing(deaf), d]);
    assert!(!codes(&outcome).is_empty());
    drop(hold);
}

#[test]
fn every_failure_of_independent_steps_is_told_in_order() {
    let world = World::new();
    // Both are under way before either fails.
    let both = Arc::new(Barrier::new(2));
    let fails = |code: &'static str| {
        let both = Arc::clone(&both);
        move |_: &_| {
            both.wait();
            Err(Diagnostic::error(code, "it went wrong").into())
        }
    };
    let steps = [Fake::new("a", &[]).doing(fails("test/a")), Fake::new("b", &[]).doing(fails("test/b"))];
    assert_eq!(codes(&world.run(&steps)), ["test/a", "test/b"]);
}

/// Does something whenever a step finished.
struct After(Box<dyn Fn(&str) + Send + Sync>);

impl Sink for After {
    fn finished(&self, steps: &[Done]) -> Result<(), Failure> {
        steps.iter().for_each(|done| (self.0)(&done.record.step));
        Ok(())
    }
}

#[test]
fn a_panic_while_a_result_is_logged_is_a_failure_too() {
    let world = World::new();
    let mut engine = world.engine(&diamond(), Some(world.cache()));
    engine.sink = Arc::new(After(Box::new(|step| assert_ne!(step, "b", "the store broke"))));
    let outcome = engine.run(Default::default(), None);
    assert_eq!(codes(&outcome), ["engine/broken"]);
    assert_eq!(ended(&outcome, StepStatus::Failed), ["b"]);
    assert_eq!(ended(&outcome, StepStatus::Skipped), ["d"]);
}

/// Takes nothing but what one step leaves.
struct Only(&'static str);

impl Sink for Only {
    fn finished(&self, steps: &[Done]) -> Result<(), Failure> {
        match steps.iter().all(|done| done.record.step == self.0) {
            true => Ok(()),
            false => Err(Diagnostic::error("test/full", "the store is full").into()),
        }
    }
}

#[test]
fn nothing_is_made_beside_a_step_that_could_not_be_logged() {
    let world = World::new();
    let [a, ..] = diamond();
    assert_eq!(codes(&world.run(std::slice::from_ref(&a))), Vec::<String>::new());
    // The cached a is logged when b and c, which only come after it, want to run: neither does.
    let after_a = |name| Fake { after: vec!["a"], ..Fake::new(name, &[]) };
    let steps = [a, after_a("b"), after_a("c")];
    let mut engine = world.engine(&steps, Some(world.cache()));
    engine.sink = Arc::new(Only("b"));
    let outcome = engine.run(Default::default(), None);
    assert_eq!(codes(&outcome), ["test/full"], "told once");
    assert_eq!(ended(&outcome, StepStatus::Ran), Vec::<&str>::new());
    assert_eq!(steps.map(|step| step.times_run.load(Ordering::Relaxed)), [1, 0, 0]);
    assert!(!world.entries().iter().any(|entry| matches!(entry, Entry::StepDone { cached: true, .. })));
    // Where nothing runs afterwards, it is told at the end.
    let mut engine = world.engine(&steps_of_a(), Some(world.cache()));
    engine.sink = Arc::new(Only("none"));
    assert_eq!(codes(&engine.run(Default::default(), None)), ["test/full"]);
}

fn steps_of_a() -> [Fake; 1] {
    let [a, ..] = diamond();
    [a]
}

#[test]
fn a_stop_that_comes_when_all_is_done_changes_nothing() {
    let world = World::new();
    let cancel: Cancel = world.cancel.clone();
    let mut engine = world.engine(&diamond(), Some(world.cache()));
    engine.sink = Arc::new(After(Box::new(move |step| {
        if step == "d" {
            cancel.cancel();
        }
    })));
    let outcome = engine.run(Default::default(), None);
    assert_eq!((codes(&outcome), ended(&outcome, StepStatus::Ran).len()), (Vec::new(), 4));
}
