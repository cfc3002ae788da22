//! Markdown as GitHub renders it.

/// What stands first on every page.
pub(super) const GENERATED: &str = "<!-- Made by `make generate` from the types in crds/src; change them instead. -->";

/// A table's row.
pub(super) fn row<const N: usize>(cells: [String; N]) -> String {
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "))
}

/// A table's first two lines.
pub(super) fn head<const N: usize>(titles: [&str; N]) -> String {
    format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(N))
}

/// Text in code type.
pub(super) fn code(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    // A backtick within is only read as one between longer fences.
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// A list of words in code type, with commas.
pub(super) fn codes<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

/// The parts of a cell that are there, each on a line of its own.
pub(super) fn lines(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("<br>")
}

/// A paragraph without the line breaks of its source, with what would be read as HTML escaped.
pub(super) fn prose(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let escaped = |part: &str| part.replace('<', "&lt;").replace('*', "\\*");
    // Within code nothing is read as HTML or emphasis.
    let escape = |(number, part): (usize, &str)| if number % 2 == 0 { escaped(part) } else { part.to_owned() };
    text.split('`').enumerate().map(escape).collect::<Vec<_>>().join("`")
}
