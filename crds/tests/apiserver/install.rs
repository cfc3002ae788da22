use crate::cluster::{cluster, installed, quietly};

/// The first time, which is when the cluster is made, and again after the other way.
#[test]
fn p6_installing_prints_no_warning() {
    let cluster = cluster();
    for way in [&["apply"][..], &["apply", "--server-side"]] {
        let said = quietly(&cluster, &[way, &["-k", &installed()]].concat(), "");
        assert!(said.contains("komputeragents.komputer.komputer.ai"), "{said}");
    }
    let differences = quietly(&cluster, &["diff", "-k", &installed()], "");
    assert_eq!(differences, "");
}
