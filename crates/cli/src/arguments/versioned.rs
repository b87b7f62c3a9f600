//! The commands of versioned data.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do with versions of data.
#[derive(Debug, Subcommand)]
pub(crate) enum Versioned {
    /// Versions files and folders, in DVC's own files
    #[command(after_help = "EXAMPLES:
  trainyard data add data/raw
  trainyard data add data/raw/customers.csv data/images
  trainyard data add data/raw --json

Beside each a .dvc file says what it is, for Git to keep; the bytes go into the cache (.dvc/cache, or
cache.dir in .dvc/config), and a line of .gitignore keeps Git from them. DVC 3 reads and writes the
same files. Where there is no .dvc folder yet, it is made as `dvc init` makes it.")]
    Add {
        /// The files and folders
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Says which versioned data is not as it was versioned
    #[command(after_help = "EXAMPLES:
  trainyard data status
  trainyard data status data/raw --json

Only files that may have changed are read.")]
    Status {
        /// Versioned files and folders, or folders that hold some [default: all]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Puts data back as its .dvc files say, after `git checkout` for one
    #[command(after_help = "EXAMPLES:
  trainyard data checkout
  git checkout main && trainyard data checkout data/raw
  trainyard data checkout data/raw --force

What lies there and is in no version is kept, and told, unless --force gives it up.")]
    Checkout {
        /// Versioned files and folders, or folders that hold some [default: all]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Gives up what is in no version
        #[arg(long)]
        force: bool,
    },
    /// Says which versioned files differ between two commits, or a commit and the workspace
    #[command(after_help = "EXAMPLES:
  trainyard data diff HEAD
  trainyard data diff v1.0 main --json")]
    Diff {
        /// The old side: a commit, a branch or a tag of Git
        #[arg(value_name = "A")]
        from: String,
        /// The new side [default: the workspace]
        #[arg(value_name = "B")]
        to: Option<String>,
    },
    /// Removes from the cache what no .dvc file names, here or in any commit
    #[command(after_help = "EXAMPLES:
  trainyard data gc --dry-run
  trainyard data gc")]
    Gc {
        /// Only says what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Goes on although the cache lies outside of the project, where others may use it
        #[arg(long)]
        force: bool,
    },
}
