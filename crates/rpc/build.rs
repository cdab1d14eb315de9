//! Compiles proto/ with protox (no protoc) and keeps the descriptor set for reflection and the
//! command line's generic output.

use std::path::{Path, PathBuf};

use prost::Message as _;

fn protos(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            protos(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    protos(&root, &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // The command line finds a method by its request.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    let build = tonic_prost_build::configure().bytes(".tierline.content.v1");
    build.compile_fds_with_config(descriptors, config)?;
    Ok(())
}
