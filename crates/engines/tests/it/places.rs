//! Where engines are found, and how one is brought.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trainyard_engines::{Engine, Engines, Error, Places, add};

fn place(packages: &Path, bytes: &str) {
    let lib = packages.join("lightgbm/lib");
    fs::create_dir_all(&lib).unwrap();
    fs::write(lib.join("lib_lightgbm.so"), bytes).unwrap();
    fs::write(packages.join("lightgbm/VERSION.txt"), "4.7.0\n").unwrap();
}

#[test]
fn an_engine_that_is_nowhere_is_told_with_the_command_that_brings_it() {
    let error = Engines::none().library(Engine::LightGbm).unwrap_err();
    assert_eq!(error, Error::Absent { engine: Engine::LightGbm });
    let diagnostic = error.diagnostic();
    assert_eq!(diagnostic.code, "engines/absent");
    assert!(diagnostic.help[0].contains("trainyard engines add lightgbm"), "{diagnostic:?}");
}

#[test]
fn a_variable_comes_before_what_was_added_and_that_before_an_environment() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    place(&root.join("venv/lib/python3.11/site-packages"), "of the environment");
    let mut places = Places { environments: vec![root.join("venv")], ..Places::default() };
    let found = places.find(Engine::LightGbm).unwrap();
    assert_eq!(found.version.as_deref(), Some("4.7.0"));
    assert!(found.path.starts_with(root.join("venv")));
    fs::write(root.join("named.so"), "named").unwrap();
    places.named = vec![(Engine::LightGbm, root.join("named.so"))];
    let named = places.find(Engine::LightGbm).unwrap();
    assert_eq!((named.path, named.version), (root.join("named.so"), None));
    assert_ne!(named.digest, found.digest);
    places.named = vec![(Engine::LightGbm, root.join("gone.so"))];
    assert!(matches!(places.find(Engine::LightGbm), Err(Error::NotThere { .. })));
    assert_eq!(places.find(Engine::XgBoost), Err(Error::Absent { engine: Engine::XgBoost }));
}

#[test]
fn a_version_beside_a_library_that_is_not_known_to_work_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let packages = folder.path().join("venv/lib/python3.11/site-packages");
    place(&packages, "");
    // Any shared object for this machine does: nothing of it is run.
    fs::copy(std::env::current_exe().unwrap(), packages.join("lightgbm/lib/lib_lightgbm.so")).unwrap();
    let found = |version: &str| {
        fs::write(packages.join("lightgbm/VERSION.txt"), version).unwrap();
        let places = Places { environments: vec![folder.path().join("venv")], ..Places::default() };
        let engines = Engines::new(places, crate::worker());
        engines.library(Engine::LightGbm).map(|library| library.version.clone())
    };
    for version in ["4.0.0", "4.7.0", "4.12.1.99"] {
        assert_eq!(found(version), Ok(Some(version.to_owned())));
    }
    for version in ["3.3.5", "5.0.0", "10.1", "2"] {
        let Err(error) = found(version) else { panic!("{version} is refused") };
        let told = error.diagnostic();
        assert_eq!(told.code, "engines/version");
        assert!(told.title.contains(version) && told.title.contains("from 4.0, before 5.0"), "{told:?}");
        assert!(told.help[0].contains("trainyard engines add lightgbm"), "{told:?}");
    }
}

/// One test, since it changes the `PATH` of its process.
#[test]
#[expect(unsafe_code, reason = "the environment of a process that runs this test alone, as nextest does")]
fn pip_brings_an_engine_whose_bytes_are_known_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (root, programs) = (folder.path(), folder.path().join("programs"));
    fs::create_dir_all(&programs).unwrap();
    let places = Places { added: Some(root.join("engines")), ..Places::default() };
    let path = std::env::var("PATH").unwrap();
    let set = |text: &str| {
        // SAFETY: this process has one thread that runs tests, and none of them reads the environment meanwhile.
        unsafe { std::env::set_var("PATH", text) }
    };
    let pip = |script: &str| {
        fs::write(programs.join("pip"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(programs.join("pip"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    set(programs.to_str().unwrap());
    assert_eq!(add(Engine::LightGbm, &places), Err(Error::NoPip { engine: Engine::LightGbm }));
    set(&format!("{}:{path}", programs.display()));
    pip("echo 'ERROR: no matching distribution' >&2; exit 1");
    let words = "ERROR: no matching distribution".to_owned();
    assert_eq!(add(Engine::LightGbm, &places), Err(Error::Pip { engine: Engine::LightGbm, words }));
    assert_eq!(fs::read_dir(root.join("engines")).unwrap().count(), 0, "nothing is left of a failure");
    pip(r#"while [ "$1" != --target ]; do shift; done
mkdir -p "$2/lightgbm/lib"; echo 4.7.0 > "$2/lightgbm/VERSION.txt"; echo "$3" > "$2/lightgbm/lib/lib_lightgbm.so""#);
    for _ in 0..2 {
        let added = add(Engine::LightGbm, &places).unwrap();
        assert!(added.path.starts_with(root.join("engines/lightgbm-4.7.0")), "{added:?}");
        assert_eq!(fs::read_to_string(&added.path).unwrap(), "lightgbm==4.7.*\n");
        assert_eq!(places.find(Engine::LightGbm).unwrap(), added);
    }
    assert_eq!(fs::read_dir(root.join("engines")).unwrap().count(), 1);
    let added = places.find(Engine::LightGbm).unwrap();
    fs::write(&added.path, "another").unwrap();
    assert_eq!(places.find(Engine::LightGbm), Err(Error::Altered { engine: Engine::LightGbm, path: added.path }));
}
