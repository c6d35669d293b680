//! Text from outside: options of `hearken run`, values of sysctls, the control socket's JSON.

use hearken_inet::{Config, Net};
use hearken_run::control::{Answer, Request};
use hearken_run::options::{LinkOpts, Publish, Sysctl};

pub(crate) fn text(b: &[u8]) {
    let Some((kind, text)) = b.split_first() else {
        return;
    };
    let Ok(s) = std::str::from_utf8(text) else {
        return;
    };
    match kind % 5 {
        0 => {
            if let Ok(p) = s.parse::<Publish>() {
                assert!(p.port != 0 && !p.listen_addrs().is_empty());
            }
        }
        1 => {
            if let Ok(l) = s.parse::<LinkOpts>() {
                assert!((0.0..=1.0).contains(&l.loss) && l.delay.as_secs() <= 3600);
            }
        }
        2 => {
            let Ok(k) = s.parse::<Sysctl>() else { return };
            let mut net = Net::new(Config::new([1; 32]));
            let before = net.sysctl_get(&k.name);
            match net.sysctl_set(&k.name, &k.value) {
                Ok(()) => {
                    // What it shows it takes again, and then shows the same.
                    let shown = net.sysctl_get(&k.name).expect("it was set");
                    if net.sysctl_set(&k.name, &shown).is_ok() {
                        assert_eq!(net.sysctl_get(&k.name), Ok(shown));
                    }
                }
                Err(_) => {
                    // Several numbers: those before the bad one are kept, as in Linux (docs/linux/port-choice.md). A lone
                    // value changes only as a whole.
                    let lone = before
                        .as_ref()
                        .is_ok_and(|b| b.split_whitespace().count() < 2);
                    let after = net.sysctl_get(&k.name);
                    assert!(!lone || after == before, "an error changed {}", k.name);
                }
            }
        }
        3 => drop(serde_json::from_str::<Request>(s)),
        _ => {
            if let Ok(a) = serde_json::from_str::<Answer>(s) {
                let again = serde_json::to_string(&a).expect("an answer is JSON");
                assert_eq!(serde_json::from_str::<Answer>(&again).ok(), Some(a));
            }
        }
    }
}
