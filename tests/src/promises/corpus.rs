//! What fuzzing has found: the inputs that reach most code, and those that have broken something.
use std::{fs, path::Path};

use super::Held;

/// Holds `promise` against every input of a fuzzing target.
///
/// # Panics
/// It is broken, with every input by which it is; or there are none to speak of.
pub fn replay(target: &str, promise: impl Fn(&[u8]) -> Held) {
    let of = |directory: &str| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(directory).join(target);
        let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| Some((entry.path(), fs::read(entry.path()).ok()?)))
    };
    let inputs: Vec<_> = of("corpus").chain(of("found")).collect();
    assert!(inputs.len() >= 10, "{} inputs of {target}", inputs.len());
    let broken: Vec<_> = inputs
        .iter()
        .filter_map(|(path, input)| Some(format!("{}: {}", path.display(), promise(input).err()?)))
        .collect();
    assert!(broken.is_empty(), "{} of {} inputs\n{}", broken.len(), inputs.len(), broken.join("\n"));
}
