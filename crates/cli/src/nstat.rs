//! `hearken nstat`: counters in the form of iproute2's `nstat`, text and JSON.

use std::fmt::Write as _;

/// A counter's full name (`TcpExtListenOverflows`) and its value.
pub(crate) type Row = (String, u64);

/// Keeps the named counters (all, if none is named) and drops zeros unless they are wanted or named.
pub(crate) fn choose(rows: Vec<Row>, names: &[String], zeros: bool) -> Vec<Row> {
    rows.into_iter()
        .filter(|(name, value)| {
            if names.is_empty() {
                zeros || *value != 0
            } else {
                names.iter().any(|n| n.eq_ignore_ascii_case(name))
            }
        })
        .collect()
}

/// As `nstat -a` prints: the rate of a first look is 0.0.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from("#hearken\n");
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<32}{value:<16}{:>6.1}", 0.0);
    }
    out
}

/// As `nstat --json` prints, under the source's name.
pub(crate) fn json(rows: &[Row]) -> serde_json::Value {
    let map: serde_json::Map<String, serde_json::Value> = rows
        .iter()
        .map(|(name, value)| (name.clone(), (*value).into()))
        .collect();
    serde_json::json!({ "hearken": map })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line is copied from `nstat -a` of iproute2 6.1.0.
    #[test]
    fn table_row_is_what_nstat_prints() {
        assert_eq!(
            table(&[("IpInReceives".into(), 1098)]),
            "#hearken\nIpInReceives                    1098               0.0\n"
        );
    }

    #[test]
    fn choose_without_names_drops_zeros() {
        let rows = vec![("A".to_owned(), 0), ("B".to_owned(), 2)];
        assert_eq!(choose(rows.clone(), &[], false), [("B".to_owned(), 2)]);
        assert_eq!(choose(rows.clone(), &[], true).len(), 2);
        assert_eq!(
            choose(rows, &["a".to_owned()], false),
            [("A".to_owned(), 0)]
        );
    }
}
