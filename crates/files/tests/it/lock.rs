//! The lock is held by living processes, and by nobody else.

use std::fs;
use std::path::Path;

use tempfile::tempdir;
use trainyard_faults::{Process, arguments, say, text, wait_for_death};
use trainyard_files::{Cause, Error, Holder, Operation, ProjectLock, host_name};

fn me(run: &str) -> Holder {
    Holder {
        pid: std::process::id(),
        host: host_name(),
        command: "trainyard run".to_owned(),
        run: run.to_owned(),
        since_unix: 1_700_000_000,
    }
}

fn held(outcome: Result<ProjectLock, Error>) -> Holder {
    match outcome {
        Err(Error::Held(holder)) => holder,
        other => panic!("{other:?}"),
    }
}

/// What a child does: takes the lock as it is told, says how that went, and holds it.
fn be_child() -> bool {
    let Some(told) = arguments() else { return false };
    let [how, path, run] = told.as_slice() else { panic!("{told:?}") };
    let take = if how == "shared" { ProjectLock::shared_by_run } else { ProjectLock::exclusive };
    match take(Path::new(path), me(run)) {
        Ok(_lock) => {
            say("held");
            wait_for_death();
        }
        Err(Error::Held(holder)) => say(&format!("refused by {}", holder.pid)),
        Err(other) => say(&other.to_string()),
    }
    true
}

fn child(name: &str, how: &str, path: &Path, run: &str) -> (Process, String) {
    let mut process = Process::start(&format!("lock::{name}"), &[how, text(path), run]);
    let said = process.hear().unwrap();
    (process, said)
}

#[test]
fn one_holder_at_a_time_in_one_process_too() {
    let dir = tempdir().unwrap();
    let path = dir.path().join(".trainyard/lock");
    assert_eq!(ProjectLock::holder(&path).unwrap(), None);
    let lock = ProjectLock::exclusive(&path, me("a")).unwrap();
    assert_eq!(ProjectLock::holder(&path).unwrap(), Some(me("a")));
    assert_eq!(held(ProjectLock::exclusive(&path, me("b"))), me("a"));
    assert_eq!(held(ProjectLock::shared_by_run(&path, me("a"))), me("a"));
    drop(lock);
    assert_eq!(ProjectLock::holder(&path).unwrap(), None);
    ProjectLock::exclusive(&path, me("b")).unwrap();
}

#[test]
fn a_killed_process_holds_nothing() {
    if be_child() {
        return;
    }
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    for how in ["exclusive", "shared"] {
        let (process, said) = child("a_killed_process_holds_nothing", how, &path, "a");
        assert_eq!(said, "held");
        let holder = held(ProjectLock::exclusive(&path, me("b")));
        assert_eq!((holder.pid, holder.host, holder.run), (process.id(), host_name(), "a".to_owned()));
        assert_eq!(ProjectLock::holder(&path).unwrap().unwrap().pid, process.id());
        process.kill();
        // Its name is still in the file, and counts for nothing.
        assert!(fs::read_to_string(&path).unwrap().contains("\"a\""));
        assert_eq!(ProjectLock::holder(&path).unwrap(), None);
        assert!(ProjectLock::exclusive(&path, me("b")).unwrap().follows_crash());
        assert!(!ProjectLock::exclusive(&path, me("b")).unwrap().follows_crash());
    }
}

#[test]
fn processes_of_one_run_share_and_another_run_is_refused() {
    if be_child() {
        return;
    }
    let name = "processes_of_one_run_share_and_another_run_is_refused";
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    let mut others: Vec<Process> = Vec::new();
    for _ in 0..3 {
        let (process, said) = child(name, "shared", &path, "a");
        assert_eq!(said, "held");
        others.push(process);
    }
    let mine = ProjectLock::shared_by_run(&path, me("a")).unwrap();
    let first = others.remove(0);
    let (refused, said) = child(name, "exclusive", &path, "b");
    assert_eq!(said, format!("refused by {}", first.id()));
    assert!(refused.ends());
    assert_eq!(held(ProjectLock::shared_by_run(&path, me("b"))).pid, first.id());
    // Alone is alone, even for the same run.
    assert_eq!(held(ProjectLock::exclusive(&path, me("a"))).pid, first.id());
    // When the first is gone, however it went, the others still hold.
    first.kill();
    let second = others.remove(0);
    assert_eq!(held(ProjectLock::exclusive(&path, me("b"))).pid, second.id());
    assert!(second.ends());
    others.remove(0).kill();
    assert_eq!(held(ProjectLock::exclusive(&path, me("b"))).pid, std::process::id());
    drop(mine);
    assert_eq!(ProjectLock::holder(&path).unwrap(), None);
    drop(ProjectLock::exclusive(&path, me("b")).unwrap());
}

#[test]
fn a_name_from_another_container_is_kept_and_neither_holds_nor_hides_the_lock() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    let mine = ProjectLock::shared_by_run(&path, me("a")).unwrap();
    let written = |path: &Path| -> Vec<serde_json::Value> { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let here = written(&path).remove(0);
    for key in ["boot", "pid_namespace"] {
        assert!(here[key].is_string(), "{here}");
        // A pid that nobody has: here it is dead, in another container of the same host name it may not be.
        let mut dead = here.clone();
        dead["pid"] = 4_194_305.into();
        let mut elsewhere = dead.clone();
        elsewhere[key] = "another".into();
        let listed = serde_json::to_vec(&[&elsewhere, &dead, &here]).unwrap();
        fs::write(&path, listed).unwrap();
        // One that is seen to live is named before one that only may.
        assert_eq!(held(ProjectLock::exclusive(&path, me("b"))), me("a"));
        let second = ProjectLock::shared_by_run(&path, me("a")).unwrap();
        assert_eq!(written(&path), [elsewhere.clone(), here.clone(), here.clone()]);
        drop(second);
        assert_eq!(written(&path), [elsewhere.clone(), here.clone()]);
        // Where only that one is named, it is shown rather than taken for dead.
        fs::write(&path, serde_json::to_vec(&[&elsewhere]).unwrap()).unwrap();
        assert_eq!(ProjectLock::holder(&path).unwrap().unwrap().pid, 4_194_305);
        fs::write(&path, serde_json::to_vec(&[&here]).unwrap()).unwrap();
    }
    // A file from before the places were written is read, and the kernel's lock alone decides.
    drop(mine);
    fs::write(&path, serde_json::to_vec(&[me("old")]).unwrap()).unwrap();
    assert_eq!(ProjectLock::holder(&path).unwrap(), None);
    drop(ProjectLock::exclusive(&path, me("b")).unwrap());
}

#[test]
fn readers_do_not_get_in_the_way() {
    if be_child() {
        return;
    }
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    // A dead process's name makes readers look at the lock itself.
    child("readers_do_not_get_in_the_way", "exclusive", &path, "dead").0.kill();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    ProjectLock::holder(&path).unwrap();
                }
            });
        }
        for number in 0..50 {
            let lock = ProjectLock::exclusive(&path, me(&number.to_string()));
            drop(lock.unwrap());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn one_of_many_gets_it() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    let locks: Vec<_> = std::thread::scope(|scope| {
        let take = |number: usize| ProjectLock::exclusive(&path, me(&number.to_string()));
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || take(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(locks.iter().filter(|lock| lock.is_ok()).count(), 1);
    let winner = locks.iter().flatten().next().unwrap().held_as().clone();
    for lock in &locks {
        if let Err(error) = lock {
            assert!(matches!(error, Error::Held(holder) if *holder == winner), "{error:?}");
        }
    }
}

#[test]
fn what_others_wrote_into_the_file_does_no_harm() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    for text in ["not json", "[{\"pid\":1}]", &"[".repeat(10_000)] {
        fs::write(&path, text).unwrap();
        assert_eq!(ProjectLock::holder(&path).unwrap(), None);
        let lock = ProjectLock::exclusive(&path, me("a")).unwrap();
        assert_eq!(ProjectLock::holder(&path).unwrap(), Some(me("a")));
        drop(lock);
    }
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let error = ProjectLock::exclusive(&folder, me("a")).unwrap_err();
    assert!(matches!(error, Error::Io { operation: Operation::Lock, cause: Cause::WrongKind, .. }), "{error:?}");
}
