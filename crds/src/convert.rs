//! Conversion between versions, on JSON values.
