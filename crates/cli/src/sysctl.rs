//! `hearken sysctl`: the values of a run that is alive, read and set; with --doc what each name means.

use std::fmt::Write as _;

use hearken_abi::sysctl::{SPECS, Spec, Value};
use hearken_run::control::{Request, Sysctl};

use crate::{Failure, args, print, print_json, stack};

/// Sets, reads or describes.
pub(crate) fn sysctl(options: &args::Sysctl) -> Result<(), Failure> {
    let asked = parse(&options.names)?;
    if options.doc || (asked.is_empty() && !options.all) {
        let specs: Vec<&Spec> = if asked.is_empty() {
            SPECS.iter().collect()
        } else {
            asked.iter().map(|(spec, _)| *spec).collect()
        };
        return if options.json {
            print_json(&documents(&specs))
        } else {
            print(&text(&specs))
        };
    }
    let mut read: Vec<String> = asked.iter().map(|(spec, _)| spec.name.to_owned()).collect();
    if options.all {
        read = SPECS.iter().map(|s| s.name.to_owned()).collect();
    }
    let write = asked
        .iter()
        .filter_map(|(spec, value)| Some((spec.name.to_owned(), value.clone()?)));
    let request = Request::Sysctl(Sysctl {
        write: write.collect(),
        read,
    });
    let answer = stack::one(options.run, &request)?;
    if let Some(error) = answer.error {
        return Err(error.into());
    }
    if options.json {
        let values: serde_json::Map<String, serde_json::Value> = answer
            .sysctls
            .into_iter()
            .map(|(n, v)| (n, v.into()))
            .collect();
        return print_json(&serde_json::json!({
            "schema": "hearken.sysctl-values/1",
            "run": answer.pid,
            "values": values,
        }));
    }
    print(&lines(&answer.sysctls, options.values))
}

/// As sysctl(8) prints.
fn lines(values: &[(String, String)], bare: bool) -> String {
    let line = |(name, value): &(String, String)| {
        if bare {
            format!("{value}\n")
        } else {
            format!("{name} = {value}\n")
        }
    };
    values.iter().map(line).collect()
}

/// KEY or KEY=VALUE, with dots or slashes.
fn parse(words: &[String]) -> Result<Vec<(&'static Spec, Option<String>)>, Failure> {
    let one = |word: &String| -> Result<_, Failure> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
            None => (word.as_str(), None),
        };
        let dotted = name.replace('/', ".");
        match SPECS.iter().find(|s| s.name == dotted) {
            Some(spec) => Ok((spec, value)),
            None => Err(unknown(&dotted).into()),
        }
    };
    words.iter().map(one).collect()
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
        format!("no sysctl '{name}'; `hearken sysctl --doc` lists all")
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

fn documents(specs: &[&Spec]) -> serde_json::Value {
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
    fn documentation_names_bounds_and_default() {
        let asked = parse(&["net/core/somaxconn".to_owned()]).unwrap();
        let specs = [asked[0].0];
        let shown = text(&specs);
        assert!(
            shown.starts_with("net.core.somaxconn = 4096\n    0 to 2147483647\n    "),
            "{shown}"
        );
        assert_eq!(documents(&specs)["sysctls"][0]["default"], "4096");
    }

    #[test]
    fn every_specification_is_documented() {
        assert!(SPECS.iter().all(|s| s.doc.ends_with('.')));
    }

    #[test]
    fn words_are_keys_with_or_without_a_value() {
        let asked = parse(&[
            "net.core.somaxconn=16".into(),
            "net/ipv4/tcp_rmem = 1 2 3".into(),
            "net.ipv4.tcp_sack".into(),
        ])
        .unwrap();
        let asked: Vec<_> = asked.iter().map(|(s, v)| (s.name, v.as_deref())).collect();
        assert_eq!(
            asked,
            [
                ("net.core.somaxconn", Some("16")),
                ("net.ipv4.tcp_rmem", Some("1 2 3")),
                ("net.ipv4.tcp_sack", None)
            ]
        );
    }

    #[test]
    fn unknown_name_suggests() {
        let error = parse(&["somaxconn".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("net.core.somaxconn"), "{error}");
        let error = parse(&["nonsense".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("lists all"), "{error}");
        // Linux has it, but nothing here obeys it.
        assert!(parse(&["net.ipv4.tcp_retrans_collapse".to_owned()]).is_err());
    }

    #[test]
    fn lines_are_those_of_sysctl() {
        let values = [("net.core.somaxconn".to_owned(), "7".to_owned())];
        assert_eq!(lines(&values, false), "net.core.somaxconn = 7\n");
        assert_eq!(lines(&values, true), "7\n");
    }
}
