//! What komputer promises of any object and any request, whatever it holds: for property tests, for fuzzing, and for what
//! fuzzing has found.
pub mod conversion;
pub mod corpus;
pub mod review;
pub mod validation;

/// How a promise is broken.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// Whether a promise holds.
pub type Held = Result<(), Broken>;

/// Holds where `is` does; `why` says how it is broken.
fn holds(is: bool, why: impl FnOnce() -> String) -> Held {
    if is { Ok(()) } else { Err(Broken(why())) }
}
