//! The child: one fit of one library, from stdin to stdout.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use trainyard_files::Digest;

use crate::native;
use crate::protocol::{Frame, Header, read_header, read_table, write_frame};

/// Serves the parent: reads one fit from stdin, answers on stdout, and gives the exit code.
///
/// The process belongs to the library from then on: what it prints goes to stderr, and it ends with its parent.
pub fn work() -> u8 {
    match serve() {
        Ok(()) => 0,
        // The parent hears of it by the code; it is gone, or what it said was cut.
        Err(_) => 70,
    }
}

fn serve() -> io::Result<()> {
    die_with_parent()?;
    // The parent reads what was stdout; a library that prints to stdout prints to stderr.
    let mut out = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?);
    rustix::stdio::dup2_stdout(io::stderr())?;
    let mut from = BufReader::new(io::stdin());
    let header = read_header(&mut from)?;
    let table = read_table(&mut from, &header)?;
    // The parent says nothing more: the end of the pipe is its end.
    std::thread::spawn(move || {
        let _ = from.read(&mut [0]);
        std::process::abort();
    });
    let mut said = Ok(());
    let fitted = unchanged(&header).and_then(|()| {
        native::fit(&header, &table, &mut |done| {
            if said.is_ok() {
                said = write_frame(&mut out, &Frame::Done(done as u64));
            }
        })
    });
    said?;
    let last = match fitted {
        Ok(model) => Frame::Model(model),
        Err(words) => Frame::Refused(words),
    };
    write_frame(&mut out, &last)?;
    out.flush()
}

/// Refuses a library that was replaced since its digest became part of the step's key.
fn unchanged(header: &Header) -> Result<(), String> {
    let bytes = std::fs::read(&header.library).map_err(|error| format!("{}: {error}", header.library.display()))?;
    if Digest::of(&bytes) == header.digest {
        Ok(())
    } else {
        Err(format!("{} was replaced while the run was on its way", header.library.display()))
    }
}

/// Lets the system kill this process when its parent ends, and leave no core file when the library crashes.
fn die_with_parent() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none)?;
    Ok(())
}
