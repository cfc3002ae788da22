//! Quantities, as far as they are compared
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

/// Thousandths of what a quantity like `5Gi`, `1.5G` or `500m` says, rounded down; nothing where it is none, or has an exponent.
pub fn thousandths(quantity: &str) -> Option<u128> {
    let end = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(end);
    let factor = factor(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = u32::try_from(fraction.len()).ok()?;
    let all: u128 = format!("{whole}{fraction}").parse().ok()?;
    all.checked_mul(factor)?.checked_div(10_u128.checked_pow(digits)?)
}

/// What a suffix multiplies by, times thousand.
fn factor(suffix: &str) -> Option<u128> {
    let (base, letter): (u128, &str) = match suffix.strip_suffix('i') {
        Some(letter) => (1024, letter),
        None => (1000, suffix),
    };
    let power = match (letter, base) {
        ("m", 1000) => return Some(1),
        ("", 1000) => 0,
        ("k", 1000) | ("K", 1024) => 1,
        ("M", _) => 2,
        ("G", _) => 3,
        ("T", _) => 4,
        ("P", _) => 5,
        ("E", _) => 6,
        _ => return None,
    };
    base.pow(power).checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_those_of_kubernetes() {
        let gibibytes = |count: u128| Some(count * 1000 * 1024 * 1024 * 1024);
        assert_eq!(thousandths("5Gi"), gibibytes(5));
        assert_eq!(thousandths("1.5Gi"), Some(1000 * 1536 * 1024 * 1024));
        assert_eq!(thousandths("5120Mi"), gibibytes(5));
        assert_eq!(thousandths("1E"), Some(1_000_000_000_000_000_000_000));
        assert_eq!(
            [thousandths("2k"), thousandths("7"), thousandths("500m")],
            [Some(2_000_000), Some(7_000), Some(500)]
        );
        for wrong in ["", "Gi", "5gi", "5mi", "5K", "-1", "1.2.3", "1e3", "5 Gi"] {
            assert_eq!(thousandths(wrong), None, "{wrong}");
        }
    }
}
