//! Every row of docs/run-differences.md names a test that exists.

use std::fs;
use std::path::Path;

fn sources(dir: &Path, out: &mut String) {
    for entry in fs::read_dir(dir).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}

#[test]
fn run_differences_every_row_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/run-differences.md")).expect("the page");
    let mut code = String::new();
    sources(&root.join("crates"), &mut code);
    sources(&root.join("tests"), &mut code);
    let rows: Vec<&str> = page
        .lines()
        .filter(|l| l.starts_with('|'))
        .skip(2)
        .collect();
    assert!(rows.len() > 10);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{row}");
        let names: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            // A test, or a declared difference of tests/alike, which fails once it stops differing.
            let held = code.contains(&format!("fn {name}()"))
                || code.contains(&format!("label: \"{name}\""))
                || code.contains(&format!("fn {name}("))
                || Path::new(env!("CARGO_MANIFEST_DIR")).join(name).is_dir();
            assert!(held, "{name}: {row}");
        }
    }
}
