//! The worker alone, for this crate's tests; users have it as a hidden command of `trainyard`.

fn main() -> std::process::ExitCode {
    trainyard_engines::work().into()
}
