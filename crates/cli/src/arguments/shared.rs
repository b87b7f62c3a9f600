//! The commands of versioned data that is shared.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do with versions of data and the remotes that share them.
#[derive(Debug, Subcommand)]
pub(crate) enum Shared {
    /// Sends versioned data to a remote, what it does not hold yet
    #[command(after_help = "EXAMPLES:
  trainyard data push
  trainyard data push data/raw --remote backup
  trainyard data push --json

Remotes are those of .dvc/config and .dvc/config.local: a folder, s3://, gs://, azure:// or http(s)://.
Credentials come from the usual environment. What breaks off goes on with the same command.")]
    Push {
        /// Versioned files and folders, or folders that hold some [default: all]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// The remote [default: that of the data, else core.remote]
        #[arg(long, short, value_name = "NAME")]
        remote: Option<String>,
    },
    /// Brings versioned data from a remote, what the cache does not hold yet, and puts it back
    #[command(after_help = "EXAMPLES:
  trainyard data pull
  git pull && trainyard data pull data/raw --remote backup
  trainyard data pull --force

Every byte that arrives is digested: what is not what its name says is refused, and not stored.")]
    Pull {
        /// Versioned files and folders, or folders that hold some [default: all]
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// The remote [default: that of the data, else core.remote]
        #[arg(long, short, value_name = "NAME")]
        remote: Option<String>,
        /// Gives up what lies in the workspace and is in no version
        #[arg(long)]
        force: bool,
    },
    /// Digests every versioned object of the cache: says which are damaged or missing, and mends them
    #[command(after_help = "EXAMPLES:
  trainyard data fsck
  trainyard data fsck --repair
  trainyard data fsck --repair --remote backup --json

Looks at what .dvc files name, here and in every commit, and names the runs that used
what is damaged or missing. What is damaged is set aside in the cache, under
.trainyard/damaged. Exit code 0: every object is there, and whole; 1: some are not.")]
    Fsck {
        /// Brings what is damaged or missing from the remote
        #[arg(long)]
        repair: bool,
        /// The remote to repair from [default: that of the data, and core.remote]
        #[arg(long, short, value_name = "NAME", requires = "repair")]
        remote: Option<String>,
    },
}
