//! The commands of registered models.

use std::path::PathBuf;

use clap::Subcommand;

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
    /// Lists what happened to a model
    #[command(after_help = "EXAMPLES:
  trainyard models history churn")]
    History {
        /// The model's name
        name: String,
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
