//! `hearken doctor`: what this machine lacks for `hearken run`, and the command that mends it.

use std::fmt::Write as _;

use hearken_run::doctor::Check;

use crate::{Failure, args, print, print_json};

/// Prints the checks; true when `hearken run` can work here.
pub(crate) fn doctor(options: &args::Doctor) -> Result<bool, Failure> {
    let checks = hearken_run::doctor::checks();
    if options.json {
        print_json(&json(&checks))?;
    } else {
        print(&table(&checks))?;
    }
    Ok(lacking(&checks) == 0)
}

/// How many things that `run` cannot do without are amiss.
fn lacking(checks: &[Check]) -> usize {
    checks.iter().filter(|c| c.required && !c.ok).count()
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
        let _ = writeln!(out, "{mark}  {:<width$}  {}", check.name, check.found);
        if !check.ok {
            let _ = writeln!(
                out,
                "      {:<width$}  needed for: {}",
                "", check.why_it_matters
            );
            if let Some(repair) = &check.repair_command {
                let _ = writeln!(out, "      {:<width$}  mend it:    {repair}", "");
            }
        }
    }
    let _ = match lacking(checks) {
        0 => writeln!(out, "\n`hearken run` works here. To see it: hearken demo"),
        n => writeln!(out, "\n`hearken run` does not work here: {n} to be mended."),
    };
    out
}

fn json(checks: &[Check]) -> serde_json::Value {
    serde_json::json!({
        "schema": "hearken.doctor/1",
        "ok": lacking(checks) == 0,
        "checks": checks.iter().map(|c| serde_json::json!({
            "name": c.name,
            "ok": c.ok,
            "required": c.required,
            "found": c.found,
            "why": c.why_it_matters,
            "repair": c.repair_command.as_ref().filter(|_| !c.ok),
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, ok: bool, required: bool) -> Check {
        Check {
            name,
            ok,
            required,
            found: "this".into(),
            why_it_matters: "that",
            repair_command: Some(format!("mend {name}")),
        }
    }

    #[test]
    fn table_failed_check_names_its_repair() {
        let checks = [
            check("seccomp", true, true),
            check("userns", false, true),
            check("tun", false, false),
        ];
        let text = table(&checks);
        assert!(
            text.contains("ok    seccomp  this\nLACK  userns   this\n"),
            "{text}"
        );
        assert!(text.contains("mend it:    mend userns"), "{text}");
        assert!(text.contains("note  tun      this"), "{text}");
        assert!(!text.contains("mend seccomp"), "{text}");
        assert!(text.contains("does not work here: 1"), "{text}");
        assert_eq!(json(&checks)["ok"], false);
    }

    #[test]
    fn table_optional_lack_still_works() {
        let checks = [check("tun", false, false)];
        assert!(table(&checks).contains("works here"));
        assert_eq!(json(&checks)["ok"], true);
    }
}
