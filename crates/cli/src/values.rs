//! Values of options that `hearken_run` leaves to the command line.

use std::str::FromStr;

/// Up to 64 hexadecimal digits, the last ones of a 32-byte seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) [u8; 32]);

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(format!(
                "'{text}' is not a seed: 1 to 64 hexadecimal digits"
            ));
        }
        let full = format!("{digits:0>64}");
        let mut seed = [0; 32];
        for (byte, at) in seed.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&full[at..at + 2], 16).map_err(|e| e.to_string())?;
        }
        Ok(Seed(seed))
    }
}

/// A number of bytes: plain, or with K, M or G behind it (powers of 1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
        let unit = units.iter().find_map(|(letter, factor)| {
            let digits = text.strip_suffix([*letter, letter.to_ascii_lowercase()])?;
            Some((digits, *factor))
        });
        let (digits, factor) = unit.unwrap_or((text, 1u64));
        let number: Option<u64> = digits.parse().ok();
        match number.and_then(|n| n.checked_mul(factor)) {
            Some(n) if n > 0 => Ok(Size(n)),
            _ => Err(format!(
                "'{text}' is not a size: write for example 500K, 10M or 1G"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_with_a_unit_is_in_powers_of_1024() {
        for (text, bytes) in [
            ("7", 7),
            ("500K", 512_000),
            ("10m", 10 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)));
        }
        for text in ["", "0", "K", "1T", "-1", "99999999999999G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn seed_short_hex_fills_the_last_bytes() {
        let Seed(seed) = "2a".parse().unwrap();
        assert_eq!(seed[31], 0x2a);
        assert_eq!(seed[..31], [0; 31]);
        assert!("".parse::<Seed>().is_err());
        assert!("xyz".parse::<Seed>().is_err());
        assert!("0".repeat(65).parse::<Seed>().is_err());
    }
}
