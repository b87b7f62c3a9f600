//! The guide's commands, executed as they stand.

use std::path::Path;
use std::process::Command;

/// Gives the commands of all `sh` blocks of a page.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_command_of_the_guide_works() {
    let guide = trainyard_judges::repository().join("docs/guide");
    let mut pages: Vec<_> = std::fs::read_dir(guide).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(!pages.is_empty());
    let binary = Path::new(env!("CARGO_BIN_EXE_trainyard"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut executed = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let folder = tempfile::tempdir().unwrap();
        for command in commands(&std::fs::read_to_string(page).unwrap()) {
            let output = Command::new("sh")
                .args(["-c", &command])
                .current_dir(folder.path())
                .env("PATH", &path)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: `{command}` ended with {}\n{said}", page.display(), output.status);
            executed += 1;
        }
    }
    assert!(executed >= 10, "only {executed} commands were found");
}
