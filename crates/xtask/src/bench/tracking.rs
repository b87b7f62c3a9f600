//! The embedded store of runs, beside MLflow's server.

use super::places::Places;
use crate::root;

/// Measures every deed on both sides and gives the table, which the peer's script writes.
pub(super) fn measured(places: &Places) -> Result<String, String> {
    let folder = places.fresh("tracking")?;
    let mut command = places.peer("python");
    command.arg(root().join("benches/peers/tracking.py")).arg(places.stages().get_program()).arg(&folder);
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
