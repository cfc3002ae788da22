//! Writes the JSON Schema of every kind and version: `print-schemas DIRECTORY`.
use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let directory: PathBuf = std::env::args_os().nth(1).ok_or("usage: print-schemas DIRECTORY")?.into();
    for (path, schema) in komputer_crds::json_schemas(&komputer_crds::definitions()?)? {
        let file = directory.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&directory))?;
        fs::write(&file, serde_json::to_string_pretty(&schema)? + "\n")?;
        println!("{}", file.display());
    }
    Ok(())
}
