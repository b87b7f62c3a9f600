//! Cases with what they come to: `tests/cases/KIND/NAME.yaml` and, beside it, `NAME.snap`, which holds the source and what
//! the user reads. `TRAINYARD_BLESS=1` rewrites the latter; without it an absent one is a failure.

use trainyard_diagnostics::{Style, render_all};
use trainyard_spec::resolve;

use crate::given::{Given, cases, folder};

const STYLE: Style = Style { color: false, width: 120 };

fn compare(kind: &str, outcome: impl Fn(&Given) -> Result<String, String>) {
    let bless = std::env::var_os("TRAINYARD_BLESS").is_some();
    let mut wrong = Vec::new();
    for (name, text) in cases(kind) {
        let found = match outcome(&Given::case(&text)) {
            Ok(found) => format!("{text}\n---\n{found}"),
            Err(found) => {
                wrong.push(format!("{kind}/{name} came out the other way:\n{found}"));
                continue;
            }
        };
        let path = folder(kind).join(format!("{name}.snap"));
        if bless {
            std::fs::write(&path, found).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{kind}/{name} changed; expected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nTRAINYARD_BLESS=1 takes what was found", wrong.join("\n"));
}

#[test]
fn invalid_cases_read_as_they_did() {
    compare("invalid", |given| match resolve(&given.files()) {
        Err(problems) => Ok(render_all(problems.as_slice(), &STYLE, "Nothing was run and nothing was written.")),
        Ok(resolved) => Err(format!("{:#}", resolved.to_json())),
    });
}

#[test]
fn valid_cases_mean_what_they_did() {
    compare("valid", |given| match resolve(&given.files()) {
        Ok(resolved) => {
            let warnings = render_all(&resolved.warnings, &STYLE, "");
            let mut json = resolved.to_json();
            for part in ["split", "features", "model"] {
                // The text stands above.
                json[part].as_object_mut().unwrap().remove("text");
            }
            Ok(format!("{warnings}{json:#}\n"))
        }
        Err(problems) => Err(render_all(problems.as_slice(), &STYLE, "")),
    });
}

#[test]
fn every_message_says_where_and_what_to_do() {
    let mut wrong = Vec::new();
    for (name, text) in cases("invalid") {
        let Err(problems) = resolve(&Given::case(&text).files()) else { continue };
        for problem in &problems {
            let placed = problem.primary.is_some() || problem.code == "spec/unknown-environment";
            if !placed || problem.help.is_empty() || !problem.code.contains('/') {
                wrong.push(format!("{name}: {problem:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
