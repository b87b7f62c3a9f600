//! The commands of registered models.

use std::path::PathBuf;

use clap::Subcommand;
use trainyard_spec::Stage;
use trainyard_tracking::parse_stage;

use super::moment;

/// What to see of models.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// Lists registered models
    #[command(after_help = "EXAMPLES:
  trainyard models list")]
    List,
    /// Shows a model's versions, or one of them
    #[command(after_help = "EXAMPLES:
  trainyard models show churn
  trainyard models show churn/3")]
    Show {
        /// The model: NAME, NAME@ALIAS, NAME/VERSION or NAME/STAGE
        name: String,
    },
    /// Gives a version a stage and its alias
    #[command(after_help = "EXAMPLES:
  trainyard models promote churn/3 --to Production --reason 'a week in staging without complaints'
  trainyard models promote churn@challenger --to Production --alias champion
  trainyard models promote churn/1 --to Production --force --reason 'v3 fails on new customers'

Who held the stage is archived, and who held the alias is called previous. A version that is archived,
that was refused, or that no run of this project has judged needs --force. The history records who did
it and why.")]
    Promote {
        /// The version: NAME/VERSION, NAME@ALIAS or NAME/STAGE
        name: String,
        /// The stage: Staging, Production or None
        #[arg(long, value_name = "STAGE", value_parser = stage)]
        to: Stage,
        /// The alias [default: the project's where it promotes to that stage, else champion in Production and
        /// challenger in Staging]
        #[arg(long)]
        alias: Option<String>,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Promotes a version that was archived, refused or never judged
        #[arg(long, requires = "reason")]
        force: bool,
    },
    /// Gives an alias back to the version that held it before
    #[command(after_help = "EXAMPLES:
  trainyard models rollback churn
  trainyard models rollback churn --alias champion --reason 'wrong for new customers'

The stage goes with the alias. The version that held it is archived, and called previous. Again goes
back one more.")]
    Rollback {
        /// The model's name
        name: String,
        /// The alias [default: that of the project's promote section, else champion]
        #[arg(long)]
        alias: Option<String>,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Archives a version and takes its aliases away
    #[command(after_help = "EXAMPLES:
  trainyard models archive churn/2 --reason 'trained on last year'")]
    Archive {
        /// The version: NAME/VERSION or NAME@ALIAS
        name: String,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Lists what happened to a model: who decided what, when and why
    #[command(after_help = "EXAMPLES:
  trainyard models history churn
  trainyard models history churn --json")]
    History {
        /// The model's name, or NAME/VERSION
        name: String,
    },
    /// Tells which versions had which stages and aliases at a moment
    #[command(
        name = "as-of",
        after_help = "EXAMPLES:
  trainyard models as-of 2026-01-31
  trainyard models as-of 2026-01-31T06:00:00+01:00 churn

Without a zone a time is in UTC; a date is its first moment."
    )]
    AsOf {
        /// The moment: a date, or a date and a time
        #[arg(value_name = "TIME", value_parser = moment)]
        time: i64,
        /// The model's name [default: all]
        name: Option<String>,
    },
    /// Proves that history, registry and models are what was recorded
    #[command(after_help = "EXAMPLES:
  trainyard models audit
  trainyard models audit --expect 5c1d09e2

Every entry of the history holds the hash of the one before. The last one's is the head: kept elsewhere,
it shows later with --expect that nothing before it was changed or cut off.")]
    Audit {
        /// The head of an earlier audit, or its first 8 characters or more
        #[arg(long, value_name = "HEAD", value_parser = head)]
        expect: Option<String>,
    },
    /// Writes a model's folder: native form, ONNX graph, MLmodel and card
    #[command(after_help = "EXAMPLES:
  trainyard models export churn@champion --output model")]
    Export {
        /// The model: NAME, NAME@ALIAS, NAME/VERSION or NAME/STAGE
        name: String,
        /// The folder to write, new or empty
        #[arg(long, short, value_name = "FOLDER")]
        output: PathBuf,
    },
}

fn stage(text: &str) -> Result<Stage, String> {
    match parse_stage(text) {
        Some(Stage::Archived) => Err("`trainyard models archive` puts a version away".to_owned()),
        Some(stage) => Ok(stage),
        None => Err("expected Staging, Production or None".to_owned()),
    }
}

fn head(text: &str) -> Result<String, String> {
    let is_hash = (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_owned()) } else { Err("expected 8 to 64 hexadecimal digits".to_owned()) }
}
