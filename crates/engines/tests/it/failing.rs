//! Libraries that crash, leave, talk nonsense or are none: each ends in a typed failure of the parent, which lives on.

use std::path::{Path, PathBuf};
use std::process::Command;

use trainyard_engines::{Engine, Error};
use trainyard_learn::Matrix;
use trainyard_learn::metrics::Task;

use crate::{Table, engines_of, judged_engines, request};

/// A LightGBM whose training does `act`; the rest does as little as can be.
const FAKE: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
const char* LGBM_GetLastError(void) { return "the fake has its reasons"; }
int LGBM_DatasetCreateFromMat(const void* d, int t, int r, int c, int m, const char* p, void* f, void** out) {
    *out = malloc(1);
    return 0;
}
int LGBM_DatasetSetField(void* d, const char* n, const void* f, int l, int t) { return 0; }
int LGBM_BoosterCreate(void* d, const char* p, void** out) { *out = malloc(1); return 0; }
int LGBM_BoosterUpdateOneIter(void* b, int* f) { ACT; return 0; }
int LGBM_BoosterSaveModelToString(void* b, int s, int n, int i, long long room, long long* length, char* out) {
    const char* model = MODEL;
    *length = strlen(model) + 1;
    if (room >= *length) memcpy(out, model, *length);
    return 0;
}
"#;

/// Compiles the fake; none where there is no C compiler.
fn fake(folder: &Path, act: &str, model: &str) -> Option<PathBuf> {
    let (source, object) = (folder.join("fake.c"), folder.join("fake.so"));
    std::fs::write(&source, FAKE.replace("ACT", act).replace("MODEL", &format!("{model:?}"))).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&object).arg(&source).status();
    match compiled {
        Ok(status) => assert!(status.success(), "the fake compiles"),
        Err(_) => return None,
    }
    Some(object)
}

fn fit(library: PathBuf, progress: &dyn Fn(usize, usize) -> bool) -> Result<(), Error> {
    let table = Table::new(3000);
    let targets = table.targets(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    let engines = engines_of(Engine::LightGbm, library);
    engines.fit(&request(Engine::LightGbm, Task::Regression, &matrix, &targets), progress).map(|_| ())
}

fn failure(act: &str, model: &str) -> Option<Error> {
    let folder = tempfile::tempdir().unwrap();
    Some(fit(fake(folder.path(), act, model)?, &|_, _| true).unwrap_err())
}

#[test]
fn a_crash_of_the_library_is_told_with_its_last_words() {
    let act = r#"fprintf(stderr, "about to fall\n"); *(volatile int*)0 = 1"#;
    let Some(Error::Died { how, words, .. }) = failure(act, "") else { return };
    assert_eq!(how, "was killed by signal 11 (a segmentation fault)");
    assert_eq!(words, "about to fall");
}

#[test]
fn a_library_that_ends_the_process_has_not_fitted() {
    let Some(Error::Died { how, words, .. }) = failure(r#"printf("bye\n"); exit(0)"#, "") else { return };
    assert_eq!((how.as_str(), words.as_str()), ("ended with exit code 0", "bye"));
}

#[test]
fn a_killed_process_is_told() {
    let Some(Error::Died { how, .. }) = failure("kill(getpid(), SIGKILL)", "") else { return };
    assert!(how.starts_with("was killed by signal 9"), "{how}");
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_library() {
    let Some(error) = failure("return -1", "") else { return };
    assert_eq!(error, Error::Refused { engine: Engine::LightGbm, words: "the fake has its reasons".into() });
    assert_eq!(error.diagnostic().notes, ["the fake has its reasons"]);
}

#[test]
fn what_a_library_prints_is_no_answer() {
    let Some(error) = failure(r#"puts("r\0\0\0\0\0\0\0"); fflush(stdout)"#, "no model") else { return };
    assert_eq!(error, Error::Garbled { engine: Engine::LightGbm, what: "it does not begin with `tree`".into() });
}

#[test]
fn a_model_that_leads_in_circles_is_garbled() {
    let tree = "num_leaves=3\nnum_cat=0\nsplit_feature=0 0\nsplit_gain=1 1\nthreshold=0 1\ndecision_type=2 2\n\
                left_child=1 0\nright_child=-1 -2\nleaf_value=1 2 3\nleaf_count=1 1 1\ninternal_count=3 2\n";
    let model = format!("tree\nnum_tree_per_iteration=1\n\nTree=0\n{tree}\nend of trees\n");
    let Some(error) = failure("", &model) else { return };
    let what = "tree 0: a node is the child of two".to_owned();
    assert_eq!(error, Error::Garbled { engine: Engine::LightGbm, what });
}

#[test]
fn one_who_asks_to_stop_does_not_wait_for_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = fake(folder.path(), "static int n; if (n++) sleep(600)", "") else { return };
    assert_eq!(fit(library, &|_, _| false), Err(Error::Stopped));
}

#[test]
fn a_file_that_is_no_library_is_refused_by_the_loader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib_lightgbm.so");
    std::fs::write(&path, "#!/bin/sh\n").unwrap();
    let Err(Error::Refused { words, .. }) = fit(path, &|_, _| true) else { panic!("no library, no fit") };
    assert!(words.contains("lib_lightgbm.so"), "{words}");
}

#[test]
fn what_the_real_libraries_refuse_is_told_in_their_words() {
    let mut table = Table::new(50);
    let targets = table.targets(Task::Regression);
    table.columns[0][3] = f64::INFINITY;
    let matrix = Matrix::of(&table.columns, table.rows);
    let Some(engines) = judged_engines(Engine::XgBoost) else { return };
    let infinite = engines.fit(&request(Engine::XgBoost, Task::Regression, &matrix, &targets), &|_, _| true);
    let Err(Error::Refused { words, .. }) = infinite else { panic!("XGBoost takes no infinity") };
    assert!(words.contains("inf"), "{words}");
    let Some(engines) = judged_engines(Engine::LightGbm) else { return };
    let few = vec![("num_leaves".to_owned(), "1".to_owned())];
    let one = trainyard_engines::FitRequest {
        parameters: &few,
        ..request(Engine::LightGbm, Task::Regression, &matrix, &targets)
    };
    let Err(Error::Refused { words, .. }) = engines.fit(&one, &|_, _| true) else { panic!("a tree has two leaves") };
    assert!(words.contains("num_leaves"), "{words}");
}
