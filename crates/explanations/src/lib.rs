//! What every code of a diagnostic means, why Trainyard refuses, and what to do.
//!
//! The texts are the files of `areas/`, one for each area: a title, then `## area/code`, its meaning in one line, and
//! what is to be said beyond it. They are no part of the crates that give the codes: no step runs again because its
//! error was explained better.

/// What is to be said of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code, `area/kebab-name`.
    pub code: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// Why, what to do, and where it helps an example: Markdown with code indented by four blanks; may be empty.
    pub text: &'static str,
}

impl Explanation {
    /// Says whether the text shows how to write it, which no message has the room for.
    pub fn has_example(&self) -> bool {
        self.text.lines().any(|line| line.starts_with("    "))
    }
}

/// The codes that begin with one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// The word.
    pub name: &'static str,
    /// What its codes are about.
    pub about: &'static str,
    /// The codes, in the order of their file.
    pub explanations: Vec<Explanation>,
}

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../areas/", $name, ".md")))),*] };
}

/// The files, in the order in which a user meets their areas.
const FILES: [(&str, &str); 39] = files!(
    "command-line" "explain" "init" "project" "spec" "versions" "data" "versioned" "source" "query" "expectations" "drift" "split" "expression" "features" "learn" "model" "tune"
    "engines"
    "evaluate" "run" "resume" "step" "why" "verify" "export" "import" "bundle" "lineage" "predict" "output" "tracking" "filter" "sql" "files" "memory" "engine" "pipeline" "internal"
);

/// Gives all areas.
pub fn areas() -> Vec<Area> {
    FILES.iter().map(|(name, file)| area(name, file)).collect()
}

/// Gives the explanation of a code.
pub fn explanation(code: &str) -> Option<Explanation> {
    let name = code.split('/').next()?;
    let (name, file) = FILES.iter().find(|(area, _)| *area == name)?;
    area(name, file).explanations.into_iter().find(|explanation| explanation.code == code)
}

fn area(name: &'static str, file: &'static str) -> Area {
    let mut parts = file.split("\n## ");
    let about = parts.next().unwrap_or_default().trim_start_matches("# ").trim();
    let explanations = parts.map(|part| {
        let (code, rest) = part.split_once('\n').unwrap_or((part, ""));
        let (meaning, text) = rest.trim().split_once('\n').unwrap_or((rest.trim(), ""));
        Explanation { code: code.trim(), meaning, text: text.trim_start_matches('\n') }
    });
    Area { name, about, explanations: explanations.collect() }
}

#[cfg(test)]
mod tests {
    use super::{areas, explanation};

    #[test]
    fn a_code_stands_once_and_in_the_file_of_its_area() {
        let mut seen = std::collections::BTreeSet::new();
        for area in areas() {
            assert!(!area.about.is_empty() && !area.explanations.is_empty(), "{}", area.name);
            for explanation in &area.explanations {
                assert_eq!(explanation.code.split_once('/').map(|(area, _)| area), Some(area.name));
                assert!(seen.insert(explanation.code), "{} is explained twice", explanation.code);
            }
        }
    }

    #[test]
    fn a_meaning_is_one_sentence_that_fits_into_a_line_beside_its_code() {
        for told in areas().iter().flat_map(|area| &area.explanations) {
            assert!(told.meaning.ends_with('.') && told.meaning.len() <= 90, "{}: {}", told.code, told.meaning);
        }
    }

    #[test]
    fn texts_fit_into_a_terminal() {
        for told in areas().iter().flat_map(|area| &area.explanations) {
            let long = told.text.lines().find(|line| line.chars().count() > 100);
            assert_eq!(long, None, "{}", told.code);
        }
    }

    #[test]
    fn an_explanation_is_found_by_its_code() {
        let found = explanation("data/ragged-row").map(|told| (told.code, told.has_example()));
        assert_eq!(found, Some(("data/ragged-row", true)));
        assert_eq!(explanation("data/ragged"), None);
        assert_eq!(explanation("nothing"), None);
    }
}
