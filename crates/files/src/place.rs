//! Where a process lives: a process id means something only within one boot and one namespace of process ids.

use std::fs;
use std::sync::OnceLock;

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::{Digest, host_name};

/// Names where process ids are the same. Two containers may have one host name, and then only the rest differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The kernel's id of the time since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    /// The namespace of process ids, as the kernel writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<String>,
}

impl Place {
    /// Returns the place of this process; what the system does not tell is absent.
    pub(crate) fn here() -> &'static Self {
        static HERE: OnceLock<Place> = OnceLock::new();
        HERE.get_or_init(|| {
            let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
            let namespace = fs::read_link("/proc/self/ns/pid").ok();
            Self {
                boot: boot.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
                pid_namespace: namespace.map(|link| link.to_string_lossy().into_owned()),
            }
        })
    }

    /// Says whether process ids from this place, on the host of that name, can be looked up here.
    pub(crate) fn is_here(&self, host: &str) -> bool {
        is_known() && self == Self::here() && host == host_name()
    }
}

/// Says whether the system tells this place in full. Where it does not, no process id proves a death.
pub(crate) fn is_known() -> bool {
    let here = Place::here();
    here.boot.is_some() && here.pid_namespace.is_some()
}

/// Returns a short stand-in for this host and this place that is safe in a file name.
pub(crate) fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| {
        let Place { boot, pid_namespace } = Place::here();
        let mut mark = Digest::of(format!("{}\n{boot:?}\n{pid_namespace:?}", host_name()).as_bytes()).to_string();
        mark.truncate(8);
        mark
    })
}

/// Says whether a process of this place lives; one that may not be signalled does.
pub(crate) fn is_alive(pid: u32) -> bool {
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => test_kill_process(pid) != Err(rustix::io::Errno::SRCH),
        None => false,
    }
}
