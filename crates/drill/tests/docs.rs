//! The scripts of docs/drill.md do what the page says.
#![forbid(unsafe_code)]

use hearken_drill::{RunOptions, System, Verdict, parse, run};

#[test]
fn scripts_of_the_page_pass_on_hearken() {
    let page = include_str!("../../../docs/drill.md");
    let scripts: Vec<&str> = page
        .split("```drill\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    assert!(scripts.len() >= 4, "{} scripts on the page", scripts.len());
    for text in scripts {
        let script = parse("docs/drill.md", text, &[]).unwrap_or_else(|e| panic!("{e}"));
        let outcome = run(&script, System::Hearken, &RunOptions::default());
        assert_eq!(outcome.verdict, Verdict::Pass, "{text}");
        assert_eq!(outcome.notes, Vec::<String>::new(), "{text}");
    }
}
