//! `hearken sysctl`: the names that `run --sysctl` takes.

use std::fmt::Write as _;

use hearken_abi::sysctl::{SPECS, Spec, Value};

use crate::{Failure, args, print, print_json};

/// Prints name, default, bounds and meaning of each sysctl.
pub(crate) fn describe(options: &args::Sysctl) -> Result<(), Failure> {
    let specs = choose(&options.names)?;
    if options.json {
        print_json(&json(&specs))
    } else {
        print(&text(&specs))
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Spec>, Failure> {
    if names.is_empty() {
        return Ok(SPECS.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            let dotted = name.replace('/', ".");
            hearken_abi::sysctl::find(&dotted).ok_or_else(|| unknown(&dotted).into())
        })
        .collect()
}

/// Names the sysctls that share the last part, or else part of it.
fn unknown(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    let near: Vec<&str> = SPECS
        .iter()
        .map(|s| s.name)
        .filter(|n| !last.is_empty() && n.contains(last))
        .take(4)
        .collect();
    if near.is_empty() {
        format!("no sysctl '{name}'; `hearken sysctl` lists all")
    } else {
        format!("no sysctl '{name}'; did you mean {}?", near.join(" or "))
    }
}

fn default(spec: &Spec) -> String {
    match spec.default {
        Value::Int(n) => n.to_string(),
        Value::Ints(all) => all.iter().map(i64::to_string).collect::<Vec<_>>().join(" "),
        Value::Text(text) => text.to_owned(),
    }
}

fn text(specs: &[&Spec]) -> String {
    let mut out = String::new();
    for spec in specs {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{} = {}", spec.name, default(spec));
        if !matches!(spec.default, Value::Text(_)) {
            let _ = writeln!(out, "    {} to {}", spec.min, spec.max);
        }
        let _ = writeln!(out, "    {}", spec.doc);
    }
    out
}

fn json(specs: &[&Spec]) -> serde_json::Value {
    serde_json::json!({
        "schema": "hearken.sysctl/1",
        "sysctls": specs.iter().map(|s| {
            let number = !matches!(s.default, Value::Text(_));
            serde_json::json!({
                "name": s.name,
                "default": default(s),
                "min": number.then_some(s.min),
                "max": number.then_some(s.max),
                "doc": s.doc,
            })
        }).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describe_names_bounds_and_default() {
        let specs = choose(&["net/core/somaxconn".to_owned()]).unwrap();
        let shown = text(&specs);
        assert!(
            shown.starts_with("net.core.somaxconn = 4096\n    0 to 2147483647\n    "),
            "{shown}"
        );
        assert_eq!(json(&specs)["sysctls"][0]["default"], "4096");
    }

    #[test]
    fn describe_unknown_name_suggests() {
        let error = choose(&["somaxconn".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("net.core.somaxconn"), "{error}");
        let error = choose(&["nonsense".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("lists all"), "{error}");
    }
}
