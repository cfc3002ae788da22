/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The version of the system before komputer.
    V1alpha1,
    /// The version that is stored.
    V1beta1,
}

impl Version {
    /// The version that an `apiVersion` names.
    pub fn of(api_version: &str) -> Option<Self> {
        [Self::V1alpha1, Self::V1beta1].into_iter().find(|version| version.api_version() == api_version)
    }

    /// The `apiVersion` of its objects.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1alpha1 => "komputer.komputer.ai/v1alpha1",
            Self::V1beta1 => "komputer.komputer.ai/v1beta1",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::V1alpha1 => Self::V1beta1,
            Self::V1beta1 => Self::V1alpha1,
        }
    }
}
