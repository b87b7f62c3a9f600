//! References to models, as people write them.

use trainyard_spec::Stage;
use trainyard_tracking::{Error, Field, ModelReference, Which};

#[test]
fn references_are_read() {
    for (text, model, which) in [
        ("churn", "churn", Which::Default),
        ("churn@champion", "churn", Which::Alias("champion".to_owned())),
        ("churn@latest", "churn", Which::Latest),
        ("churn/latest", "churn", Which::Latest),
        ("churn/3", "churn", Which::Version(3)),
        ("churn/v3", "churn", Which::Version(3)),
        ("churn/Staging", "churn", Which::Stage(Stage::Staging)),
        ("churn/PRODUCTION", "churn", Which::Stage(Stage::Production)),
        ("models:/churn model@a-b_c", "churn model", Which::Alias("a-b_c".to_owned())),
    ] {
        let read: ModelReference = text.parse().unwrap();
        assert_eq!(read, ModelReference { model: model.to_owned(), which });
        assert_eq!(read.to_string().parse::<ModelReference>().unwrap(), read);
    }
}

#[test]
fn what_is_no_reference_is_refused() {
    for text in ["", "@champion", "/3", "models:/", " churn", "a:b", "a\nb"] {
        assert!(
            matches!(text.parse::<ModelReference>(), Err(Error::Invalid { field: Field::ModelName, .. })),
            "{text:?}"
        );
    }
    for text in ["churn@", "churn@v3", "churn@3", "churn@a b", "churn@a@b", "churn@LATEST", "churn@a/3"] {
        assert!(matches!(text.parse::<ModelReference>(), Err(Error::Invalid { field: Field::Alias, .. })), "{text:?}");
    }
    for text in ["churn/", "churn/Stagin", "churn/-1", "churn/99999999999", "churn/3/4", "churn/3@x"] {
        assert!(matches!(text.parse::<ModelReference>(), Err(Error::BadReference { .. })), "{text:?}");
    }
}
