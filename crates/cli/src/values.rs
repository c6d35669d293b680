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

#[cfg(test)]
mod tests {
    use super::*;

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
