use super::{
    Fields, Version, agent, config, connector,
    field::{Field, same},
    office, schedule, squad, template,
};

/// A kind that has both versions.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The fields of its spec; nothing where they are the same in both versions.
    pub(super) spec: Option<&'static [Field]>,
    /// Its status, where that is not the same in both versions.
    pub(super) status: Option<Status>,
}

/// How a status is said in both versions.
pub(super) struct Status {
    /// Fields that one version alone has, or that do not say the same in both. The others are the same in both.
    pub(super) own: &'static [&'static str],
    /// Translates these fields, given all others.
    pub(super) translate: fn(&Fields, &Fields, Version) -> Fields,
}

const KNOWLEDGE: [Field; 2] = [same(&["content"]), same(&["description"])];

const KINDS: [&Kind; 10] = [
    &agent::KIND,
    &config::KIND,
    &connector::KIND,
    &Kind { name: "KomputerMemory", spec: Some(&KNOWLEDGE), status: None },
    &Kind { name: "KomputerSkill", spec: Some(&KNOWLEDGE), status: None },
    &office::KIND,
    &schedule::KIND,
    &squad::KIND,
    &template::NAMESPACED,
    &template::CLUSTER,
];

impl Kind {
    /// The kind of that name, where it has both versions.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn schema<'a>(definition: &'a Value, version: &str) -> &'a Value {
        let mut versions = definition["spec"]["versions"].as_array().unwrap().iter();
        let version = versions.find(|found| found["name"] == version).unwrap();
        version.pointer("/schema/openAPIV3Schema/properties/spec").unwrap()
    }

    fn has(schema: &Value, path: &[&str]) -> bool {
        path.iter().try_fold(schema, |schema, name| schema.get("properties")?.get(name)).is_some()
    }

    #[test]
    fn the_tables_name_fields_that_exist_and_kinds_that_have_both_versions() {
        for definition in crate::definitions().unwrap() {
            let kind = Kind::of(&definition.spec.names.kind);
            assert_eq!(kind.is_some(), definition.spec.versions.len() == 2, "{}", definition.spec.names.kind);
            let definition = serde_json::to_value(definition).unwrap();
            for field in kind.and_then(|kind| kind.spec).unwrap_or_default() {
                assert!(has(schema(&definition, "v1alpha1"), field.v1alpha1), "v1alpha1 {:?}", field.v1alpha1);
                assert!(has(schema(&definition, "v1beta1"), field.v1beta1), "v1beta1 {:?}", field.v1beta1);
            }
        }
    }
}
