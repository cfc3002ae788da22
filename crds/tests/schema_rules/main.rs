//! What every definition keeps to, whatever kind it is of. A test is named after its rule, one family a file: drift between
//! Git and the cluster (F), defaulting (D), presentation (P), immutability (I), status (S), validation (V), delivery (U, L)
//! and versions (C). Each shows, on a definition broken for the purpose, that it would notice.
#![allow(clippy::unwrap_used, clippy::panic)]

mod defaulting;
mod definition;
mod delivery;
mod drift;
mod immutability;
mod names;
mod presentation;
mod reviewed;
mod status;
mod validation;
mod versions;
mod yaml;
