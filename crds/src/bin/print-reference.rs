//! Writes the API reference, with the repository's examples: `print-reference DIRECTORY`.
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use komputer_crds::reference::{Examples, pages};

fn main() -> ExitCode {
    match print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print() -> Result<(), Box<dyn Error>> {
    let directory: PathBuf = std::env::args_os().nth(1).ok_or("usage: print-reference DIRECTORY")?.into();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = pages(&komputer_crds::definitions()?, &examples(&repository)?)?;
    fs::create_dir_all(&directory)?;
    for (name, page) in pages {
        let file = directory.join(name);
        fs::write(&file, page)?;
        println!("{}", file.display());
    }
    Ok(())
}

fn examples(repository: &Path) -> Result<Examples, Box<dyn Error>> {
    let mut examples = Examples::default();
    let own = repository.join("docs/reference/examples");
    for file in manifests(&own)? {
        examples.add_own(&file.strip_prefix(&own)?.to_string_lossy(), fs::read_to_string(&file)?);
    }
    let more = repository.join("examples");
    for file in manifests(&more)? {
        let path = file.strip_prefix(&more)?.to_string_lossy().into_owned();
        examples.add(&path, &fs::read_to_string(&file)?).map_err(|error| format!("examples/{path}: {error}"))?;
    }
    Ok(examples)
}

/// Every YAML file in a directory and below.
fn manifests(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.append(&mut manifests(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
