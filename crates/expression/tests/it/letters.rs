//! Letter case, judged over every code point.

use serde_json::json;
use trainyard_expression::{Type, Value};
use trainyard_judges::python;

use crate::support::{batch, bound, table};

#[test]
fn case_of_every_letter_agrees_with_duckdb() {
    let Some(judge) = python("core") else { return };
    let letters: Vec<String> = (1..=0x10_ffff).filter_map(char::from_u32).map(String::from).collect();
    let table = table(&[("s", Type::Text, letters.iter().cloned().map(Value::Text).collect())]);
    let mapped = |sql: &str| batch(&bound(sql, &table), &table).unwrap();
    let (lower, upper) = (mapped("lower(s)"), mapped("upper(s)"));
    let script = r#"
import duckdb
connection = duckdb.connect()
rows = connection.execute("SELECT c, lower(chr(c)), upper(chr(c)) FROM (SELECT unnest(generate_series(1, 1114111))::INTEGER AS c) WHERE c < 55296 OR c > 57343").fetchall()
answer = [[c, l, u] for c, l, u in rows if l != chr(c) or u != chr(c)]
"#;
    let answer = judge.run(script, &json!(null));
    let mut changed: std::collections::BTreeMap<u64, (String, String)> = std::collections::BTreeMap::new();
    for row in answer.as_array().unwrap() {
        let text = |place: usize| row[place].as_str().unwrap().to_owned();
        changed.insert(row[0].as_u64().unwrap(), (text(1), text(2)));
    }
    let mut wrong = Vec::new();
    for ((letter, lower), upper) in letters.iter().zip(&lower).zip(&upper) {
        let code = u64::from(u32::from(letter.chars().next().unwrap()));
        let theirs = changed.get(&code).cloned().unwrap_or((letter.clone(), letter.clone()));
        // Letters and pairs that Unicode gained after the version that DuckDB 2.0 knows: it leaves them as they are.
        let newer =
            matches!(code, 0x19b | 0x264 | 0x1c89..=0x1c8a | 0xa7cb..=0xa7dc | 0x10d50..=0x10d85 | 0x16ea0..=0x16ed3);
        if newer && theirs == (letter.clone(), letter.clone()) {
            continue;
        }
        if (lower, upper) != (&Value::Text(theirs.0.clone()), &Value::Text(theirs.1.clone())) {
            wrong.push(format!("U+{code:04X} {letter}: ours {lower:?} {upper:?}, theirs {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
