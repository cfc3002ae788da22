//! What documents show.

/// The YAML blocks of a Markdown document, in their order.
pub fn yaml_blocks(document: &str) -> Vec<&str> {
    document.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}
