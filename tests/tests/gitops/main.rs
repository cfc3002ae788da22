//! Komputer under Flux's own kustomize-controller: what is committed runs, what is edited changes once, what is refused is
//! told and loses nothing, what is removed goes.
mod document;
mod drift;
mod edits;
mod examples;
mod health;
mod history;
mod installation;
mod refusals;
mod removal;
mod substitution;
mod suspension;
mod tenants;
