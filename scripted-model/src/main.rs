//! scripted-model
fn main() {}
