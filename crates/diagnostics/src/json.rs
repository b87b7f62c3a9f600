//! Diagnostics for programs.

use serde_json::{Value, json};

use crate::conceal::conceal;
use crate::{Diagnostic, Label, Severity};

impl Diagnostic {
    /// Gives the form for programs: `code`, `severity`, `title`, `file`, `line`, `column`, `end_line`, `end_column`,
    /// `label`, `also` (other places, each with `file` to `label`), `notes`, `help`.
    ///
    /// Lines and columns count from 1, columns in characters, the end is behind the last character; without a place
    /// they are null.
    pub fn to_json(&self) -> Value {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut object = serde_json::Map::new();
        object.insert("code".into(), self.code.clone().into());
        object.insert("severity".into(), severity.into());
        object.insert("title".into(), shown(&self.title));
        let place = match &self.primary {
            Some(label) => label_json(label),
            None => json!({
                "file": null, "line": null, "column": null, "end_line": null, "end_column": null, "label": null
            }),
        };
        if let Value::Object(place) = place {
            object.extend(place);
        }
        object.insert("also".into(), self.secondary.iter().map(label_json).collect());
        object.insert("notes".into(), self.notes.iter().map(|note| shown(note)).collect());
        object.insert("help".into(), self.help.iter().map(|help| shown(help)).collect());
        Value::Object(object)
    }
}

fn shown(text: &str) -> Value {
    conceal(text).into()
}

fn label_json(label: &Label) -> Value {
    let (start, end) = (label.place.start(), label.place.end());
    json!({
        "file": label.place.source.name,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "label": shown(&label.text),
    })
}
