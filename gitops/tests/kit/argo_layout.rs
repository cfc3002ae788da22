//! The script as Argo CD's own repository wants it: `health_test.yaml` and `testdata` beside it.
use std::{collections::BTreeSet, fs};

use komputer_tests::kustomize::repository;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    files::{check_generated, text},
    judge::{Health, Judge},
    kinds::kinds,
    states::{State, states},
};

const DIRECTORY: &str = "kustomize/components/argocd-health/resource_customizations/komputer.komputer.ai/_";

#[derive(Deserialize)]
struct Suite {
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    health_status: Health,
    input_path: String,
}

fn tests() -> Vec<Test> {
    serde_yaml::from_str::<Suite>(&text(&format!("{DIRECTORY}/health_test.yaml"))).unwrap().tests
}

fn input(test: &Test) -> Value {
    serde_yaml::from_str(&text(&format!("{DIRECTORY}/{}", test.input_path))).unwrap()
}

#[test]
fn argos_own_test_of_the_script_passes() {
    let tests = tests();
    let judge = Judge { script: text(&format!("{DIRECTORY}/health.lua")), ..Judge::new() };
    let verdicts = judge.judge(&tests.iter().map(input).collect::<Vec<_>>());
    for (test, verdict) in tests.iter().zip(&verdicts) {
        assert_eq!(verdict.argo, test.health_status, "{}", test.input_path);
    }
    let used: BTreeSet<_> = tests.into_iter().map(|test| test.input_path).collect();
    let there = fs::read_dir(repository(DIRECTORY).join("testdata")).unwrap();
    let there = there.map(|entry| format!("testdata/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    assert_eq!(used, there);
}

#[test]
fn generated_test_data_is_of_every_row_of_the_table() {
    for state in states() {
        let kind = kinds().iter().find(|kind| kind.stored && state.concerns(kind)).unwrap();
        let file = format!("{DIRECTORY}/testdata/{}.yaml", file_name(&state));
        check_generated(&file, &serde_yaml::to_string(&state.object(kind)).unwrap());
        assert!(tests().iter().any(|test| file.ends_with(&test.input_path)), "health_test.yaml lacks {file}");
    }
}

fn file_name(state: &State) -> String {
    state.situation.replace(',', "").replace(' ', "_")
}
