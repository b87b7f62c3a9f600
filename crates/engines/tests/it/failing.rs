//! Libraries that crash, leave, talk nonsense or are none: each ends in a typed failure of the parent, which lives on.

use std::path::{Path, PathBuf};
use std::process::Command;

use trainyard_engines::{Engine, Engines, Error, FitRequest, FitRows, Heard, Held};
use trainyard_learn::Matrix;
use trainyard_learn::metrics::Task;

use crate::{Table, engines_of, judged_engines, on, owned, request};

/// A LightGBM whose training does `act`; the rest does as little as can be.
const FAKE: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
const char* LGBM_GetLastError(void) { return "the fake has its reasons"; }
int LGBM_DatasetCreateFromMat(const void* d, int t, int r, int c, int m, const char* p, void* f, void** out) {
    *out = malloc(1);
    return 0;
}
int LGBM_DatasetSetField(void* d, const char* n, const void* f, int l, int t) { return 0; }
int LGBM_BoosterCreate(void* d, const char* p, void** out) { *out = malloc(1); return 0; }
int LGBM_DatasetFree(void* d) { return 0; }
int LGBM_BoosterFree(void* b) { return 0; }
int LGBM_BoosterAddValidData(void* b, void* d) { return 0; }
int LGBM_BoosterGetEvalCounts(void* b, int* n) { *n = 1; return 0; }
int LGBM_BoosterGetEval(void* b, int i, int* n, double* out) { *out = 0; return 0; }
int LGBM_BoosterCalcNumPredict(void* b, int r, int t, int s, int n, long long* l) { *l = r; return 0; }
int LGBM_BoosterPredictForMat() { return 0; }
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

fn fit(library: PathBuf, progress: &dyn Fn(Heard) -> bool) -> Result<(), Error> {
    let table = Table::new(3000);
    let targets = table.targets(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    let engines = engines_of(Engine::LightGbm, library);
    engines.fit(&request(Engine::LightGbm, Task::Regression, &matrix, &targets), progress).map(|_| ())
}

fn failure(act: &str, model: &str) -> Option<Error> {
    let folder = tempfile::tempdir().unwrap();
    Some(fit(fake(folder.path(), act, model)?, &on).unwrap_err())
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
fn a_process_that_goes_on_without_a_pipe_is_ended() {
    // Every pipe but what it hears and its words becomes a file in which all is lost.
    let act = r#"
        struct stat of;
        int lost = open("/dev/null", O_RDWR);
        for (int f = 1; f < 1000; f++) if (f != 2 && !fstat(f, &of) && S_ISFIFO(of.st_mode)) dup2(lost, f);
        fprintf(stderr, "no more of this\n");
        for (;;) pause()"#;
    let Some(Error::Died { how, words, .. }) = failure(act, "") else { return };
    assert_eq!(how, "stopped answering, went on running and was ended");
    assert_eq!(words, "no more of this");
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
    assert_eq!(fit(library, &|_| false), Err(Error::Stopped));
}

#[test]
fn predictions_that_are_too_few_are_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = fake(folder.path(), "", "no model") else { return };
    let (table, task) = (Table::new(50), Task::Multiclass { classes: 3 });
    let targets = table.targets(task);
    let matrix = Matrix::of(&table.columns, table.rows);
    let rows = FitRows { matrix: &matrix, targets: &targets, weights: None };
    let held = Some(Held { rows, patience: None, told: &[5] });
    let wanted = FitRequest { held, ..request(Engine::LightGbm, task, &matrix, &targets) };
    let refused = engines_of(Engine::LightGbm, library).fit(&wanted, &on);
    let what = "it has 50 predictions of 50 rows, each with 3".to_owned();
    assert_eq!(refused, Err(Error::Garbled { engine: Engine::LightGbm, what }));
}

#[test]
fn a_library_that_says_nothing_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = fake(folder.path(), "sleep(600)", "") else { return };
    let heard = std::sync::Mutex::new(Vec::new());
    let stop = |one| {
        heard.lock().unwrap().push(one);
        heard.lock().unwrap().len() < 3
    };
    assert_eq!(fit(library, &stop), Err(Error::Stopped));
    assert_eq!(heard.into_inner().unwrap(), [const { Heard::Waiting }; 3]);
}

#[test]
fn a_file_that_is_no_library_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib_lightgbm.so");
    std::fs::write(&path, "#!/bin/sh\n").unwrap();
    let Err(error) = fit(path, &on) else { panic!("no library, no fit") };
    assert!(matches!(&error, Error::NotALibrary { what, .. } if what == "is no shared object"), "{error:?}");
    assert!(error.diagnostic().help[0].contains("trainyard engines add lightgbm"), "{error:?}");
}

#[test]
fn a_library_of_another_machine_or_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(sound) = fake(folder.path(), "", "") else { return };
    let mut bytes = std::fs::read(&sound).unwrap();
    let path = folder.path().join("other.so");
    // What is cut short has the right beginning: the loader says no.
    std::fs::write(&path, &bytes[..100]).unwrap();
    let Err(Error::NotLoaded { words, .. }) = fit(path.clone(), &on) else { panic!("a library of 100 bytes") };
    assert!(words.contains("other.so"), "{words}");
    bytes[18] ^= 0x55;
    std::fs::write(&path, &bytes).unwrap();
    let Err(Error::NotALibrary { what, .. }) = fit(path, &on) else { panic!("another machine") };
    assert!(what.starts_with("is built for "), "{what}");
}

#[test]
fn a_library_without_the_functions_is_refused_with_the_name_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = fake(folder.path(), "", "") else { return };
    let table = Table::new(50);
    let targets = table.targets(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    let engines = engines_of(Engine::XgBoost, library);
    let refused = engines.fit(&request(Engine::XgBoost, Task::Regression, &matrix, &targets), &on);
    let Err(Error::NotLoaded { words, .. }) = refused else { panic!("a LightGBM is no XGBoost") };
    assert!(words.contains("XGBGetLastError"), "{words}");
    let loaded = engines.load(Engine::XgBoost, &|| true).unwrap_err();
    assert!(matches!(loaded, Error::NotLoaded { .. }), "{loaded:?}");
}

#[test]
fn a_library_that_falls_while_it_is_loaded_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (source, object) = (folder.path().join("falling.c"), folder.path().join("falling.so"));
    std::fs::write(&source, "__attribute__((constructor)) void fall(void) { *(volatile int*)0 = 1; }\n").unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&object).arg(&source).status();
    if compiled.is_err() {
        return;
    }
    let words = "the process that loaded it was killed by signal 11 (a segmentation fault)".to_owned();
    let not_loaded = Error::NotLoaded { engine: Engine::LightGbm, words };
    assert_eq!(engines_of(Engine::LightGbm, object.clone()).load(Engine::LightGbm, &|| true), Err(not_loaded.clone()));
    assert_eq!(fit(object, &on), Err(not_loaded));
}

/// An XGBoost of which only the version is asked.
#[test]
fn a_version_that_is_not_known_to_work_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let functions = [
        "XGBGetLastError",
        "XGBRegisterLogCallback",
        "XGDMatrixCreateFromDense",
        "XGDMatrixSetInfoFromInterface",
        "XGDMatrixFree",
        "XGBoosterCreate",
        "XGBoosterSetParam",
        "XGBoosterUpdateOneIter",
        "XGBoosterEvalOneIter",
        "XGBoosterPredictFromDMatrix",
        "XGBoosterSlice",
        "XGBoosterSaveJsonConfig",
        "XGBoosterSaveModelToBuffer",
        "XGBoosterFree",
    ];
    let rest = functions.map(|name| format!("int {name}() {{ return -1; }}\n")).concat();
    let (source, object) = (folder.path().join("old.c"), folder.path().join("old.so"));
    let engines_of_version = |major: u32, minor: u32| -> Option<Engines> {
        let version = format!("void XGBoostVersion(int* a, int* b, int* c) {{ *a = {major}; *b = {minor}; *c = 5; }}");
        std::fs::write(&source, format!("{rest}{version}\n")).unwrap();
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&object).arg(&source).status();
        compiled.ok().map(|_| engines_of(Engine::XgBoost, object.clone()))
    };
    let table = Table::new(50);
    let targets = table.targets(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    for (major, minor) in [(1, 7), (2, 0), (4, 0), (11, 2)] {
        let Some(engines) = engines_of_version(major, minor) else { return };
        let refused = engines.fit(&request(Engine::XgBoost, Task::Regression, &matrix, &targets), &on);
        let version = format!("{major}.{minor}.5");
        let Err(Error::Version { found, .. }) = refused else { panic!("{version} is refused") };
        assert_eq!(found, version);
    }
    let engines = engines_of_version(3, 9).unwrap();
    assert_eq!(engines.load(Engine::XgBoost, &|| true), Ok(Some("3.9.5".to_owned())));
}

#[test]
fn a_device_that_is_not_there_is_refused_in_the_words_of_the_library() {
    let table = Table::new(50);
    let targets = table.targets(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    for (engine, name) in [(Engine::XgBoost, "device"), (Engine::LightGbm, "device_type")] {
        let Some(engines) = judged_engines(engine) else { return };
        let cuda = owned(&[(name, "cuda")]);
        let fit = FitRequest { parameters: &cuda, ..request(engine, Task::Regression, &matrix, &targets) };
        let Err(error) = engines.fit(&fit, &on) else { panic!("the judge's {} has no CUDA", engine.title()) };
        let Error::Refused { words, .. } = &error else { panic!("{error:?}") };
        assert!(words.contains("GPU") || words.contains("CUDA"), "{words}");
        assert!(error.diagnostic().help[0].starts_with("leave `device` out"), "{error:?}");
    }
}

#[test]
fn what_the_real_libraries_refuse_is_told_in_their_words() {
    let mut table = Table::new(50);
    let targets = table.targets(Task::Regression);
    table.columns[0][3] = f64::INFINITY;
    let matrix = Matrix::of(&table.columns, table.rows);
    let Some(engines) = judged_engines(Engine::XgBoost) else { return };
    let infinite = engines.fit(&request(Engine::XgBoost, Task::Regression, &matrix, &targets), &on);
    let Err(Error::Refused { words, .. }) = infinite else { panic!("XGBoost takes no infinity") };
    assert!(words.contains("inf"), "{words}");
    let Some(engines) = judged_engines(Engine::LightGbm) else { return };
    let few = owned(&[("num_leaves", "1")]);
    let one = FitRequest { parameters: &few, ..request(Engine::LightGbm, Task::Regression, &matrix, &targets) };
    let Err(Error::Refused { words, .. }) = engines.fit(&one, &on) else { panic!("a tree has two leaves") };
    assert!(words.contains("num_leaves"), "{words}");
}
