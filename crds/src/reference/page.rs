use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
};

use super::{
    Examples, ReferenceError,
    markdown::{GENERATED, code, codes, head, lines, prose, row},
    object::{Field, Object, objects},
    rule::{messages_of_name, messages_of_whole},
};

/// A kind's page.
pub(super) fn page(definition: &CustomResourceDefinition, examples: &Examples) -> Result<String, ReferenceError> {
    let kind = &definition.spec.names.kind;
    let mut versions: Vec<_> = definition.spec.versions.iter().filter(|version| version.served).collect();
    versions.sort_by_key(|version| !version.storage);
    let schemas = versions.iter().map(|version| schema(kind, version)).collect::<Result<Vec<_>, _>>()?;
    let what = schemas.first().and_then(|schema| schema.description.as_deref()).unwrap_or_default();
    let sections = versions.iter().zip(&schemas).map(|(v, schema)| version(definition, v, schema));
    Ok(format!(
        "{GENERATED}\n\n# {kind}\n\n{}\n\n{}\n{}{}",
        prose(what),
        facts(definition, &versions),
        example(kind, examples)?,
        sections.collect::<String>().trim_end().to_owned() + "\n",
    ))
}

fn schema<'a>(kind: &str, version: &'a CustomResourceDefinitionVersion) -> Result<&'a JSONSchemaProps, ReferenceError> {
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    schema.ok_or_else(|| ReferenceError::NoSchema { kind: kind.into(), version: version.name.clone() })
}

/// What holds for every version.
fn facts(definition: &CustomResourceDefinition, versions: &[&CustomResourceDefinitionVersion]) -> String {
    let (spec, names) = (&definition.spec, &definition.spec.names);
    let link = |version: &&CustomResourceDefinitionVersion| {
        let note = match () {
            () if version.storage => ", stored",
            () if version.deprecated == Some(true) => ", deprecated",
            () => "",
        };
        format!("[{0}](#{0}){note}", version.name)
    };
    let json_schema = |version: &&CustomResourceDefinitionVersion| {
        let path = format!("{}/{}_{}.json", spec.group, names.kind.to_lowercase(), version.name);
        format!("[{}](../schemas/{path})", version.name)
    };
    let plural = [&names.plural].into_iter().chain(&names.singular).chain(names.short_names.iter().flatten());
    let listed = names.categories.iter().flatten().map(|category| format!("kubectl get {category}"));
    let facts = [
        ("Group", code(&spec.group)),
        ("Versions", versions.iter().map(link).collect::<Vec<_>>().join("; ")),
        ("Scope", spec.scope.to_lowercase()),
        ("Names for kubectl", codes(plural)),
        ("Listed by", codes(listed)),
        ("JSON Schema", versions.iter().map(json_schema).collect::<Vec<_>>().join(", ")),
    ];
    let rows = facts.into_iter().filter(|(_, what)| !what.is_empty());
    format!("{}{}", head(["", ""]), rows.map(|(name, what)| row([name.into(), what])).collect::<String>())
}

fn example(kind: &str, examples: &Examples) -> Result<String, ReferenceError> {
    let more = examples.naming(kind).into_iter().map(|path| format!("[{path}](../../examples/{path})"));
    let more = more.collect::<Vec<_>>().join(", ");
    let more = if more.is_empty() { more } else { format!("\nMore: {more}.\n") };
    Ok(format!("## Example\n\n```yaml\n{}\n```\n{more}\n", examples.of(kind)?))
}

fn version(
    definition: &CustomResourceDefinition,
    version: &CustomResourceDefinitionVersion,
    schema: &JSONSchemaProps,
) -> String {
    let (group, name) = (&definition.spec.group, &version.name);
    let warning = version.deprecation_warning.as_ref().map(|warning| format!("{warning}.\n\n")).unwrap_or_default();
    let rules = list(messages_of_name(schema).chain(messages_of_whole(schema)));
    let parts = ["spec", "status"].into_iter();
    let parts = parts.filter_map(|part| Some(objects(part, schema.properties.as_ref()?.get(part)?)));
    let sections: String = parts.flatten().map(|object| section(name, &object)).collect();
    format!("## {name}\n\n`apiVersion: {group}/{name}`\n\n{warning}{rules}{sections}{}", kubectl(definition, version))
}

/// The section of one object.
fn section(version: &str, object: &Object) -> String {
    let path = &object.path;
    let level = if path.contains('.') { "####" } else { "###" };
    let default = object.default.as_ref().map(|default| format!("Default: {}\n\n", code(default.to_string())));
    let fields: String = object.fields.iter().map(|field| self::field(version, field)).collect();
    format!(
        "{level} {}{path}\n\n{}\n\n{}{}{}{fields}\n",
        anchor(version, path),
        prose(&object.description),
        default.unwrap_or_default(),
        list(object.rules.iter().map(String::as_str)),
        head(["Field", "Type", "Description"])
    )
}

fn field(version: &str, field: &Field) -> String {
    let required = if field.required { "**required**" } else { "" };
    // What has a section of its own has its address there.
    let (name, type_name) = match &field.section {
        Some(section) => (code(&field.name), format!("[{}](#{})", field.type_name, address(version, section))),
        None => (anchor(version, &field.path) + &code(&field.name), field.type_name.clone()),
    };
    let default = field.default.as_ref().map(|default| format!("default {}", code(default.to_string())));
    let type_ = [type_name].into_iter().chain(field.bounds.clone()).chain(field.merge.clone()).chain(default);
    let words = field.words.iter().map(|(word, meaning)| word_line(word, meaning));
    let rules = field.rules.iter().map(|rule| format!("*{}*", prose(rule)));
    let description = [prose(&field.description)].into_iter().chain(words).chain(rules);
    row([lines([name, required.into(), field.mutability.word().into()]), lines(type_), lines(description)])
}

fn word_line(word: &str, meaning: &str) -> String {
    let word = if word.is_empty() { code("\"\"") } else { code(word) };
    if meaning.is_empty() { format!("• {word}") } else { format!("• {word}: {}", prose(meaning)) }
}

/// What `kubectl get` shows and can be asked.
fn kubectl(definition: &CustomResourceDefinition, version: &CustomResourceDefinitionVersion) -> String {
    let column = |column: &CustomResourceColumnDefinition| {
        let wide = if column.priority.unwrap_or_default() > 0 { "with `-o wide`" } else { "" };
        row([column.name.clone(), code(&column.json_path), wide.into()])
    };
    let columns: String = version.additional_printer_columns.iter().flatten().map(column).collect();
    let fields = version.selectable_fields.iter().flatten();
    let fields = codes(fields.map(|field| field.json_path.trim_start_matches('.')));
    let subresources = version.subresources.iter().flat_map(|subresources| {
        let status = subresources.status.as_ref().map(|_| "status");
        status.into_iter().chain(subresources.scale.as_ref().map(|_| "scale"))
    });
    let selector = format!("`kubectl get {} --field-selector` selects by", definition.spec.names.plural);
    format!(
        "### kubectl get\n\n{}{columns}\n{}{}",
        head(["Column", "Shows", ""]),
        sentence(&selector, &fields),
        sentence("Subresources:", &codes(subresources)),
    )
}

/// A paragraph, where there is something to say.
fn sentence(beginning: &str, rest: &str) -> String {
    if rest.is_empty() { String::new() } else { format!("{beginning} {rest}.\n\n") }
}

/// A list of what people read where a rule is broken, and the line after it.
fn list<'a>(rules: impl Iterator<Item = &'a str>) -> String {
    let rules: Vec<String> = rules.map(|rule| format!("- *{}*\n", prose(rule))).collect();
    if rules.is_empty() { String::new() } else { rules.concat() + "\n" }
}

fn anchor(version: &str, path: &str) -> String {
    format!("<a id=\"{}\"></a>", address(version, path))
}

/// Where a path is found on its page: what a list or map holds is found under its own name.
fn address(version: &str, path: &str) -> String {
    format!("{version}.{path}").replace("[]", "").replace("{}", "")
}
