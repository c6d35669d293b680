//! `hearken doctor`: what this machine lacks for `hearken run`, and the command that mends it.

use std::fmt::Write as _;

use crate::stack::Check;
use crate::{Failure, args, print, print_json, stack};

/// Prints the checks; true when nothing is amiss.
pub(crate) fn doctor(options: &args::Doctor) -> Result<bool, Failure> {
    let checks = stack::checks();
    if options.json {
        print_json(&json(&checks))?;
    } else {
        print(&table(&checks))?;
    }
    Ok(checks.iter().all(|c| c.ok || !c.required))
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let mark = match (check.ok, check.required) {
            (true, _) => "ok  ",
            (false, true) => "LACK",
            (false, false) => "note",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{mark}  {:<width$}  {}", check.name, check.detail);
        if let Some(repair) = check.repair.as_ref().filter(|_| !check.ok) {
            let _ = writeln!(out, "      {:<width$}  mend it: {repair}", "");
        }
    }
    let lacking = checks.iter().filter(|c| !c.ok && c.required).count();
    let _ = match lacking {
        0 => writeln!(out, "\nNothing is amiss: `hearken demo` will work here."),
        1 => writeln!(out, "\n1 thing is amiss."),
        n => writeln!(out, "\n{n} things are amiss."),
    };
    out
}

fn json(checks: &[Check]) -> serde_json::Value {
    serde_json::json!({
        "schema": "hearken.doctor/1",
        "ok": checks.iter().all(|c| c.ok || !c.required),
        "checks": checks.iter().map(|c| serde_json::json!({
            "name": c.name,
            "ok": c.ok,
            "required": c.required,
            "detail": c.detail,
            "repair": c.repair.as_ref().filter(|_| !c.ok),
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_failed_check_names_its_repair() {
        let checks = [
            Check {
                name: "seccomp".into(),
                ok: true,
                required: true,
                detail: "there".into(),
                repair: Some("no".into()),
            },
            Check {
                name: "userns".into(),
                ok: false,
                required: true,
                detail: "off".into(),
                repair: Some("sysctl -w x=1".into()),
            },
        ];
        let text = table(&checks);
        assert!(
            text.contains("ok    seccomp  there\nLACK  userns   off\n"),
            "{text}"
        );
        assert!(text.contains("mend it: sysctl -w x=1"), "{text}");
        assert!(!text.contains("mend it: no"), "{text}");
        assert!(text.ends_with("1 thing is amiss.\n"), "{text}");
        assert_eq!(json(&checks)["ok"], false);
    }
}
