//! Of every kind, any object and any part of one comes back as it went.
use komputer_crds::convert::{Version, convert};
use komputer_tests::{
    objects::{self, Kind, Unstructured, kinds},
    promises::{
        Broken, Held,
        conversion::{changes_annotations_alone, comes_back, comes_there_again, is_valid_there},
    },
};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value;

const CASES: u32 = 200;

/// Makes an object of a kind and a version.
type Made = fn(&Kind, Version, &mut Unstructured<'_>) -> objects::Result<Value>;

/// Whether `promise` holds for many objects of every kind and both versions.
fn for_all(made: Made, promise: impl Fn(&Kind, Version, &Value) -> Held) {
    for kind in kinds().iter().filter(|kind| kind.is_converted()) {
        for version in [Version::V1alpha1, Version::V1beta1] {
            let mut runner =
                TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) });
            let object = |bytes: Vec<u8>| made(kind, version, &mut Unstructured::new(&bytes)).unwrap();
            let objects = prop::collection::vec(any::<u8>(), 0..1024).prop_map(object);
            let result = runner.run(&objects, |object| {
                promise(kind, version, &object).map_err(|Broken(how)| TestCaseError::fail(how))
            });
            if let Err(error) = result {
                panic!("{} from {version:?}: {error}", kind.name);
            }
        }
    }
}

#[test]
fn any_part_of_an_object_comes_back() {
    for_all(Kind::any, |_, version, object| comes_back(version, object));
}

#[test]
fn any_valid_object_comes_back() {
    for_all(Kind::valid, |kind, version, object| {
        is_valid_there(kind, version, object)?;
        comes_back(version, object)
    });
}

#[test]
fn what_somebody_has_changed_of_what_is_kept_changes_once() {
    for_all(Kind::with_kept, |_, version, object| comes_there_again(version, object));
}

#[test]
fn only_annotations_of_the_metadata_change() {
    for_all(Kind::any, |_, version, object| changes_annotations_alone(version, object));
}

#[test]
fn the_same_version_changes_nothing() {
    for_all(Kind::any, |_, version, object| match convert(object.clone(), version) {
        Ok(same) if same == *object => Ok(()),
        other => Err(Broken(format!("{object} became {other:?}"))),
    });
}
