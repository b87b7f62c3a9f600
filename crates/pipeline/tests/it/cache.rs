//! What runs again, what does not, and why.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use trainyard_pipeline::StepStatus;
use trainyard_pipeline::engine::{Action, Graph, Step, plan};

use crate::given::{Fake, World, diamond, ended, found, out};

/// What each step would do, and the first reason.
fn planned(world: &World, steps: &[Fake]) -> Vec<(Action, String)> {
    let graph = Graph::new(steps.iter().map(|step| Arc::new(step.clone()) as Arc<dyn Step>).collect()).unwrap();
    let planned = plan(&graph, &world.cache()).unwrap();
    planned.into_iter().map(|step| (step.action, step.reasons[0].clone())).collect()
}

#[test]
fn the_same_inputs_and_code_run_nothing() {
    let world = World::new();
    assert!(
        planned(&world, &diamond())
            .iter()
            .all(|(action, why)| { *action == Action::Run && why == "it has never run here" })
    );
    let first = world.run(&diamond());
    assert_eq!(ended(&first, StepStatus::Ran), ["a", "b", "c", "d"]);
    let steps = diamond();
    let second = world.run(&steps);
    assert_eq!(ended(&second, StepStatus::Cached), ["a", "b", "c", "d"]);
    assert!(steps.iter().all(|step| step.times_run.load(Ordering::SeqCst) == 0));
    assert_eq!(world.bytes(&second, "d"), world.bytes(&first, "d"));
    assert!(planned(&world, &diamond()).iter().all(|(action, _)| *action == Action::Cached));
}

#[test]
fn a_changed_input_runs_its_step_and_those_below() {
    let world = World::new();
    world.run(&diamond());
    let [a, b, c, d] = diamond();
    let changed = [a, b.with_input("other"), c, d];
    let plan = planned(&world, &changed);
    assert_eq!([plan[0].0, plan[1].0, plan[2].0], [Action::Cached, Action::Run, Action::Cached]);
    assert!(plan[1].1.starts_with("setting changed ("), "{}", plan[1].1);
    assert_eq!(plan[3], (Action::Depends, "it depends on b".to_owned()));
    let outcome = world.run(&changed);
    assert_eq!(ended(&outcome, StepStatus::Ran), ["b", "d"]);
    assert_eq!(world.bytes(&outcome, "d"), b"d(ab(othera(a))c(aa(a)))");
    // What was before is still there.
    assert_eq!(ended(&world.run(&diamond()), StepStatus::Ran), [""; 0]);
}

#[test]
fn changed_code_that_gives_the_same_bytes_runs_nothing_below() {
    let world = World::new();
    world.run(&diamond());
    let [a, b, c, d] = diamond();
    let changed = [a, b.with_code("2"), c, d];
    assert_eq!(planned(&world, &changed)[1], (Action::Run, "its code changed".to_owned()));
    assert_eq!(ended(&world.run(&changed), StepStatus::Ran), ["b"]);
}

#[test]
fn a_damaged_or_absent_object_runs_its_step_alone() {
    let world = World::new();
    let first = world.run(&diamond());
    for remove in [false, true] {
        let object = world.object(&out(&found(&first, "b").record));
        fs::remove_file(&object).unwrap();
        if !remove {
            fs::write(&object, "other").unwrap();
        }
        assert_eq!(planned(&world, &diamond())[1], (Action::Run, "its stored result out is absent or damaged".into()));
        let outcome = world.run(&diamond());
        assert_eq!(ended(&outcome, StepStatus::Ran), ["b"]);
        assert_eq!(world.bytes(&outcome, "d"), world.bytes(&first, "d"));
    }
}

#[test]
fn a_record_cut_anywhere_or_of_another_step_counts_as_absent() {
    let world = World::new();
    world.run(&diamond());
    let key = found(&world.run(&diamond()), "b").record.as_ref().unwrap().key;
    let path = world.path("cache/b").join(format!("{key}.json"));
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(world.cache().find("b", &key), None, "cut at {length}");
    }
    fs::write(&path, String::from_utf8(whole.clone()).unwrap().replace("\"step\": \"b\"", "\"step\": \"c\"")).unwrap();
    assert_eq!(ended(&world.run(&diamond()), StepStatus::Ran), ["b"]);
    assert_eq!(fs::read(&path).unwrap(), whole, "it was put right");
}

#[test]
fn a_step_that_acts_outside_always_runs() {
    let world = World::new();
    let steps = || [Fake::new("a", &[]), Fake { cacheable: false, ..Fake::new("b", &["a"]) }];
    world.run(&steps());
    assert_eq!(ended(&world.run(&steps()), StepStatus::Ran), ["b"]);
    assert!(planned(&world, &steps())[1].1.contains("always runs"));
}

#[test]
fn a_step_whose_records_are_unreadable_is_not_said_to_have_never_run() {
    let world = World::new();
    let record = world.run(&diamond()).steps.remove(0).record.unwrap();
    for file in [format!("{}.json", record.key), "latest.json".to_owned()] {
        fs::write(world.path("cache/a").join(file), "{").unwrap();
    }
    assert_eq!(planned(&world, &diamond())[0], (Action::Run, "its stored results can't be read".to_owned()));
    assert_eq!(ended(&world.run(&diamond()), StepStatus::Ran), ["a"]);
}

#[test]
fn a_step_that_only_comes_after_another_is_planned_by_its_own_inputs() {
    let world = World::new();
    let steps = |code| {
        let [a, b, ..] = diamond();
        [a.with_code(code), Fake { needs: Vec::new(), after: vec!["a"], ..b }.doing(|_| Ok(Vec::new()))]
    };
    world.run(&steps("1"));
    assert_eq!(
        planned(&world, &steps("2")).iter().map(|step| step.0).collect::<Vec<_>>(),
        [Action::Run, Action::Cached]
    );
    let outcome = world.run(&steps("2"));
    assert_eq!((ended(&outcome, StepStatus::Ran), ended(&outcome, StepStatus::Cached)), (vec!["a"], vec!["b"]));
    assert_eq!(world.heard.all()[..4], ["a started", "a ran", "b started", "b ran"], "b waits for a");
}

#[test]
fn a_record_that_is_gone_is_said_to_be_gone() {
    let world = World::new();
    let record = world.run(&diamond()).steps.remove(0).record.unwrap();
    fs::remove_file(world.path("cache/a").join(format!("{}.json", record.key))).unwrap();
    assert_eq!(planned(&world, &diamond())[0], (Action::Run, "its stored result is gone".to_owned()));
}

#[test]
fn what_a_step_did_not_declare_it_cannot_read() {
    let world = World::new();
    let [a, b, ..] = diamond();
    let thief = Fake { needs: Vec::new(), ..b }.doing(|scope| scope.read("a", "out"));
    let outcome = world.run(&[a, thief]);
    assert_eq!(crate::given::codes(&outcome), ["engine/undeclared"]);
}
