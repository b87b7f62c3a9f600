//! TF-IDF against scikit-learn: its numbers, its words, its choice of terms.

use std::fmt::Write;

use arrow_array::RecordBatch;
use serde_json::{Value as Json, json};
use trainyard_features::{Error, FittedFeatures, row_of};
use trainyard_judges::{number, python};
use trainyard_random::Key;

use crate::given::{planned, table, texts};

const TFIDF: &str = "
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
class Stable(TfidfVectorizer):
    # Of terms that stand equally often NumPy's sort keeps any; a stable one keeps the first in order.
    def _limit_features(self, X, vocabulary, high=None, low=None, limit=None):
        dfs = np.bincount(X.indices, minlength=X.shape[1])
        mask = (dfs <= high) & (dfs >= low)
        if limit is not None and mask.sum() > limit:
            tfs = np.asarray(X.sum(axis=0)).ravel()
            kept = np.where(mask)[0][np.argsort(-tfs[mask], kind='stable')[:limit]]
            cut = np.sort(-tfs[mask])
            self.tied = bool(cut[limit - 1] == cut[limit])
            mask = np.zeros(len(dfs), dtype=bool)
            mask[kept] = True
        places = np.cumsum(mask) - 1
        for term, old in list(vocabulary.items()):
            if mask[old]:
                vocabulary[term] = places[old]
            else:
                del vocabulary[term]
        if not mask.any():
            raise ValueError('no terms remain')
        return X[:, np.where(mask)[0]]
answer = []
for case in data:
    train = [v or '' for v in case['train']]
    test = [v or '' for v in case['test']]
    options = dict(case['options'])
    options['ngram_range'] = tuple(options.get('ngram_range', (1, 1)))
    options['norm'] = {'none': None}.get(options.get('norm', 'l2'), options.get('norm', 'l2'))
    try:
        stable = Stable(**options)
        stable.fit(train)
        vectorizer = stable if getattr(stable, 'tied', False) else TfidfVectorizer(**options).fit(train)
        names = vectorizer.get_feature_names_out().tolist()
        answer.append([names, vectorizer.transform(test).toarray().T.tolist()])
    except ValueError as error:
        answer.append(str(error))
";

/// Texts of few words, so that terms tie; of odd letters; empty, missing, without words.
fn texts_of(seed: u64) -> Vec<(&'static str, Vec<Option<String>>)> {
    let drawn = |words: &[&str], rows: u64, most: u64| -> Vec<Option<String>> {
        let key = Key::new(seed, "words/texts");
        let text = |row: u64| {
            let mut stream = key.derive(row).stream();
            let mut text = String::new();
            for _ in 0..stream.below(most) {
                let word = words[stream.below(words.len() as u64) as usize];
                let space = [" ", ", ", "\n", "--", "\u{a0}", "…"][stream.below(6) as usize];
                write!(text, "{word}{space}").unwrap();
            }
            (row % 9 != 4).then_some(text)
        };
        (0..rows).map(text).collect()
    };
    let plain =
        ["free", "Free", "call", "now", "I", "a", "win", "WIN", "prize", "to", "the", "you", "your", "u", "4", "10"];
    let odd = [
        "naïve",
        "NAÏVE",
        "nai\u{308}ve",
        "ΟΔΟΣ",
        "ΟΔΟΣ!",
        "ΣΑΣ",
        "straße",
        "STRASSE",
        "İstanbul",
        "ısı",
        "Ǆ",
        "ǅa",
        "東京",
        "東",
        "が\u{3099}",
        "हिन्दी",
        "ไทย",
        "한국어",
        "עִבְרִית",
        "٣٤",
        "²³",
        "Ⅷ",
        "ⅷⅷ",
        "½½",
        "ⒶⒷ",
        "e_mail",
        "__",
        "_",
        "don't",
        "a.b.c",
        "x\u{200d}y",
        "zero\u{200b}width",
        "𝔘𝔫𝔦",
        "𐐀𐐁",
        "😀😀",
        "ﬁﬂ",
        "ª1",
        "K",
        "ẞß",
    ];
    vec![
        ("plain", drawn(&plain, 80, 12)),
        ("odd", drawn(&odd, 60, 9)),
        ("one row", vec![Some("the one and only text, the one".to_owned())]),
        ("no words", vec![Some("a b ! ?".to_owned()), None, Some(String::new())]),
        ("one word each", ["ab", "cd", "ef", "gh"].map(|word| Some(word.to_owned())).to_vec()),
    ]
}

fn column(values: &[Option<String>]) -> RecordBatch {
    table(vec![("body", texts(&values.iter().map(Option::as_deref).collect::<Vec<_>>()))])
}

fn group(options: &Json) -> String {
    json!({"groups": [{"text": "body", "tfidf": options}]}).to_string()
}

#[test]
fn tfidf_is_that_of_scikit_learn() {
    let Some(judge) = python("core") else { return };
    let options = [
        json!({}),
        json!({"max_features": 5}),
        json!({"max_features": 12, "ngram_range": [1, 2], "sublinear_tf": true}),
        json!({"ngram_range": [2, 3], "norm": "l1"}),
        json!({"ngram_range": [1, 3], "min_df": 2, "max_features": 40}),
        json!({"min_df": 3, "max_df": 0.5}),
        json!({"min_df": 0.1, "max_df": 40}),
        json!({"min_df": 1.0}),
        json!({"lowercase": false, "norm": "none"}),
        json!({"use_idf": false, "sublinear_tf": true, "norm": "none"}),
        json!({"smooth_idf": false, "max_df": 1.0, "min_df": 0.0}),
        json!({"max_df": 1, "min_df": 4}),
    ];
    let (mut cases, mut ours, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (seed, options) in options.iter().enumerate() {
        for (name, train) in texts_of(seed as u64) {
            let more =
                ["", "unseen words only", "FREE free call 10 now NOW ΟΔΟΣ straße"].map(|text| Some(text.to_owned()));
            let test = [train.clone(), more.to_vec(), vec![None]].concat();
            let fitted = planned(&group(options), &column(&train)).fit(&column(&train));
            ours.push(fitted.map(|fitted| fitted.transform(&column(&test)).unwrap()));
            cases.push(json!({"train": train, "test": test, "options": options}));
            names.push(format!("{name}, {options}"));
        }
    }
    let theirs = judge.run(TFIDF, &Json::from(cases));
    let mut compared = 0;
    for ((ours, theirs), name) in ours.iter().zip(theirs.as_array().unwrap()).zip(&names) {
        let ours = match ours {
            Ok(ours) => ours,
            Err(error) => {
                assert_eq!(*error, Error::NoTerms { column: "body".into() }, "{name}");
                assert!(theirs.is_string(), "{name}: scikit-learn has terms: {theirs}");
                continue;
            }
        };
        assert!(theirs.is_array(), "{name}: scikit-learn says {theirs}");
        let terms: Vec<String> = serde_json::from_value(theirs[0].clone()).unwrap();
        let terms: Vec<String> = terms.iter().map(|term| format!("tfidf(body)={term}")).collect();
        assert_eq!(ours.names, terms, "{name}");
        for (ours, theirs) in ours.columns.iter().zip(theirs[1].as_array().unwrap()) {
            for (a, b) in ours.iter().zip(theirs.as_array().unwrap()) {
                let b = number(b);
                assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{name}: {a}, scikit-learn has {b}");
                compared += 1;
            }
        }
    }
    assert!(compared > 50_000, "{compared}");
}

const ASSIGNED: &str = "
import unicodedata
answer = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ('Cn', 'Cs', 'Co')]
";

const TERMS: &str = "
from sklearn.feature_extraction.text import TfidfVectorizer
answer = []
for texts in data:
    answer.append([TfidfVectorizer(lowercase=lower).fit(texts).get_feature_names_out().tolist() for lower in (False, True)])
";

#[test]
fn every_character_is_part_of_a_word_where_it_is_in_python() {
    let Some(judge) = python("core") else { return };
    let assigned: Vec<u32> = serde_json::from_value(judge.run(ASSIGNED, &Json::Null)).unwrap();
    assert!(assigned.len() > 140_000);
    let characters: Vec<char> = assigned.into_iter().filter_map(char::from_u32).collect();
    let text = |character: &char| Some(format!("n{:x}{character}{:x}", *character as u32, *character as u32));
    let stretches: Vec<Vec<Option<String>>> =
        characters.chunks(3_000).map(|characters| characters.iter().map(text).collect()).collect();
    let theirs = judge.run(TERMS, &json!(stretches));
    for (stretch, theirs) in stretches.iter().zip(theirs.as_array().unwrap()) {
        for (lowercase, theirs) in [false, true].into_iter().zip(theirs.as_array().unwrap()) {
            let table = column(stretch);
            let fitted = planned(&group(&json!({"lowercase": lowercase})), &table).fit(&table).unwrap();
            let ours: Vec<&str> =
                fitted.names().iter().map(|name| name.strip_prefix("tfidf(body)=").unwrap()).collect();
            let theirs: Vec<&str> = theirs.as_array().unwrap().iter().map(|term| term.as_str().unwrap()).collect();
            let differ = ours.iter().zip(&theirs).find(|(a, b)| a != b);
            assert!(ours == theirs, "lowercase {lowercase}: {differ:?}");
        }
    }
}

#[test]
fn rows_tables_and_files_give_the_same_bits_at_any_thread_count() {
    let values: Vec<Option<String>> =
        (0..60).flat_map(|seed| texts_of(seed).into_iter().take(2).flat_map(|(_, values)| values)).collect();
    let table = column(&values);
    let options = group(&json!({"ngram_range": [1, 2], "max_features": 300, "sublinear_tf": true}));
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let fitted = planned(&options, &table).fit(&table).unwrap();
            let features = fitted.transform(&table).unwrap();
            (fitted.to_json(), format!("{:?}", features.columns))
        })
    };
    let one = with_threads(1);
    assert!(one == with_threads(2));
    assert!(one == with_threads(8));
    let read = FittedFeatures::from_json(&one.0).unwrap();
    assert_eq!(read.to_json(), one.0);
    let whole = read.transform(&table).unwrap();
    for row in 0..values.len() {
        let single: Vec<u64> =
            read.transform_row(&row_of(&table, row)).unwrap().iter().map(|value| value.to_bits()).collect();
        assert_eq!(single, whole.columns.iter().map(|column| column[row].to_bits()).collect::<Vec<_>>(), "row {row}");
    }
    // The order of rows is no part of what is learned.
    let mut turned = values;
    turned.reverse();
    assert_eq!(planned(&options, &column(&turned)).fit(&column(&turned)).unwrap().to_json(), one.0);
    for wrong in
        [one.0.replacen("\"weights\":[", "\"weights\":[1.0,", 1), one.0.replacen("\"terms\":[\"", "\"terms\":[\"~", 1)]
    {
        assert!(matches!(FittedFeatures::from_json(&wrong), Err(Error::Damaged { .. })));
    }
}

#[test]
fn too_many_terms_are_refused() {
    let words: Vec<Option<String>> = (0..10_001).map(|word| Some(format!("word{word}"))).collect();
    let table = column(&words);
    let fit = |options: Json| planned(&group(&options), &table).fit(&table);
    let too_many = Error::TooManyTerms { column: "body".into(), found: 10_001, limit: 10_000 };
    assert_eq!(fit(json!({})).unwrap_err(), too_many);
    assert_eq!(fit(json!({"max_features": 10_000})).unwrap().names().len(), 10_000);
    assert_eq!(fit(json!({"min_df": 2})).unwrap_err(), Error::NoTerms { column: "body".into() });
}
