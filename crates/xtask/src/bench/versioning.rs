//! Data under versions, beside DVC.

use std::fs;

use super::places::Places;
use crate::root;

/// Measures every deed on both sides and gives the table, which the peer's script writes.
pub(super) fn measured(places: &Places) -> Result<String, String> {
    let folder = places.fresh("versioning")?;
    let mut command = places.peer("python");
    command.arg(root().join("benches/peers/versioning.py"));
    command.arg(places.trainyard().get_program()).arg(places.peer("dvc").get_program()).arg(&folder);
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    // It takes 12 GB, and is of no use afterwards.
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
