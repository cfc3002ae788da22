//! Writes every definition to a file of its own: `print-crds DIRECTORY`.
use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let directory: PathBuf = std::env::args_os().nth(1).ok_or("usage: print-crds DIRECTORY")?.into();
    fs::create_dir_all(&directory)?;
    for definition in komputer_crds::definitions()? {
        let file = directory.join(format!("{}.yaml", definition.spec.names.plural));
        fs::write(&file, komputer_crds::to_yaml(&definition)?)?;
        println!("{}", file.display());
    }
    Ok(())
}
