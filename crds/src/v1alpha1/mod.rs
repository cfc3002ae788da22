//! The schema of the system before komputer, field for field.
