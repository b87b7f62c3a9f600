//! The child: fits of one library on the same rows, from stdin to stdout.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use trainyard_files::Digest;

use crate::native::Loaded;
use crate::protocol::{Ask, Frame, Header, Order, Weights, read_json, read_rows, read_weights, write_frame};

/// Serves the parent: reads rows and the fits of them from stdin, answers on stdout, and gives the exit code.
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
    let header: Header = read_json(&mut from)?;
    let loaded = unchanged(&header).and_then(|()| Loaded::open(header.engine, &header.library));
    let mut loaded = match loaded {
        Ok(loaded) => loaded,
        Err(words) => return write_frame(&mut out, &Frame::Refused(words)),
    };
    write_frame(&mut out, &Frame::Ready(loaded.version()))?;
    let train = read_rows(&mut from, header.rows, header.columns)?;
    let held = read_rows(&mut from, header.held_rows, header.columns)?;
    let (asked, asks) = channel();
    let (answered, answers) = channel();
    thread::Builder::new().spawn(move || listen(from, &header, &asked, &answered))?;
    for (ask, weights) in asks {
        let mut said = Ok(());
        let fitted = loaded.fit(&train, &held, &ask, weights, &mut |frame| {
            said = write_frame(&mut out, &frame);
            let is_question = matches!(frame, Frame::Predicted { .. });
            said.is_ok() && (!is_question || answers.recv().unwrap_or(false))
        });
        said?;
        let last = match fitted {
            Ok(Some(model)) => Frame::Model(model),
            Ok(None) => Frame::Stopped,
            Err(words) => Frame::Refused(words),
        };
        write_frame(&mut out, &last)?;
    }
    Ok(())
}

/// Passes on what is asked for, and whether fits go on, until the pipe ends, which is the end of the parent, whatever the
/// library is doing.
fn listen(mut from: impl Read, header: &Header, asked: &Sender<(Ask, Weights)>, answered: &Sender<bool>) {
    while let Ok(order) = read_json(&mut from) {
        let is_heard = match order {
            Order::Fit(ask) => match read_weights(&mut from, header, &ask) {
                Ok(weights) => asked.send((ask, weights)).is_ok(),
                Err(_) => false,
            },
            Order::GoOn => answered.send(true).is_ok(),
            Order::Stop => answered.send(false).is_ok(),
        };
        if !is_heard {
            break;
        }
    }
    std::process::abort();
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
