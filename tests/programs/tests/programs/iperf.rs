//! iperf3 between two processes of one run.

use crate::common::{alone, inside};
use crate::needs;

fn both_ways(address: &str) {
    for flags in ["-n 64M", "-n 64M -R", "-n 64M -P 4", "-t 1 --bidir"] {
        let script = format!(
            "dir=$(mktemp -d); trap 'rm -r $dir' EXIT
            iperf3 -s -1 -B {address} --forceflush >$dir/log & server=$!
            until_ok grep -q listening $dir/log
            iperf3 -c {address} {flags} --json
            wait $server"
        );
        let out = inside(&[], &script);
        let json: serde_json::Value = serde_json::from_str(&out).expect("iperf3's JSON");
        assert!(json.get("error").is_none(), "{out}");
        // What is still on its way when the client ends is not counted: a part suffices here.
        let sums: &[&str] = if flags.contains("bidir") {
            &["sum_received", "sum_received_bidir_reverse"]
        } else {
            &["sum_received"]
        };
        for sum in sums {
            let received = json["end"][sum]["bytes"].as_u64();
            assert!(
                received.is_some_and(|n| n >= 32 << 20),
                "{address} {flags}: {received:?}\n{out}"
            );
        }
    }
}

#[test]
fn iperf3_carries_both_directions_over_ipv4() {
    needs!("iperf3");
    let _alone = alone();
    both_ways("127.0.0.1");
}

#[test]
fn iperf3_carries_both_directions_over_ipv6() {
    needs!("iperf3");
    let _alone = alone();
    both_ways("::1");
}
