#!/usr/bin/env python3
"""All mutants of a list in one build.  `.ci/mutate` calls it:  one_build.py LIST.json OUT

LIST.json is what `cargo mutants --list --json` says. cargo-mutants itself builds and links everything anew for each mutant, which
takes far longer than the tests do. Here each function gets one copy of its body per mutant behind a number, as in

    fn f(..) -> R { match crate::mutant::chosen() { 7 => return { the body with mutant 7 }, _ => {} } the body }

so that one build holds them all, and the environment of a test run (MUTANT=7) picks one. A copy that does not compile is unviable
and taken out. What stands in no function that runs (constants, `const fn` that makes one) gets a build of its own.

A mutant's tests end with the first that fails. OUT gets caught.txt, missed.txt, timeout.txt and unviable.txt as from cargo-mutants.
"""

import concurrent.futures
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

TREE = Path("target/mutants/tree")
BUILD = Path("target/mutants/build").resolve()
CONFIG = tomllib.loads(Path(".cargo/mutants.toml").read_text())
PACKAGES = CONFIG["test_package"]
SLOWEST = CONFIG["minimum_test_timeout"]
MEMORY = 4 << 30
SWITCH = """
mod mutant {
    extern crate std;
    pub(crate) fn chosen() -> u32 {
        static CHOSEN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
        *CHOSEN.get_or_init(|| std::env::var("MUTANT").ok().and_then(|v| v.parse().ok()).unwrap_or(0))
    }
}
"""


def offset(text, at):
    """Where a line and a column (both from 1) are in the text."""
    start = 0
    for _ in range(at["line"] - 1):
        start = text.index("\n", start) + 1
    return start + at["column"] - 1


class Mutant:
    """One change: bytes `start..end` of `file` become `new`."""

    def __init__(self, number, listed):
        self.number, self.name, self.file = number, listed["name"], listed["file"]
        self.text = Path(self.file).read_text()
        self.start, self.end = (offset(self.text, listed["span"][k]) for k in ("start", "end"))
        self.new = listed["replacement"]
        self.body = None
        self.result = None
        if f := listed["function"]:
            start, end = (offset(self.text, f["span"][k]) for k in ("start", "end"))
            name = re.escape(f["function_name"].split("::")[-1])
            head = re.compile(r"(const )?(?:unsafe )?fn " + name + r"\b").search(self.text, start)
            made = re.compile(r"(?:const|static) [A-Z_0-9]+:[^;]*?\b" + name + r"\(", re.S)
            if not (head.group(1) and made.search(self.text)):
                self.const = (head.start(1), head.end(1)) if head.group(1) else None
                self.body = (self.text.index("{", head.end()), end)

    def whole(self):
        """The file with only this change."""
        return self.text[: self.start] + self.new + self.text[self.end :]

    def copy(self):
        """The body with this change, braces included."""
        b, e = self.body
        return self.text[b : self.start] + self.new + self.text[self.end : e]


def write(path, text):
    """Leaves a file alone that is right already, so that cargo does too."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy_tree():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True)
    names = {name for name in listed.stdout.decode().split("\0") if name}
    for old in TREE.rglob("*"):
        if old.is_file() and str(old.relative_to(TREE)) not in names:
            old.unlink()
    for name in names:
        source, to = Path(name), TREE / name
        if source.is_file() and (not to.exists() or to.read_bytes() != source.read_bytes()):
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(source.read_bytes())
            to.chmod(source.stat().st_mode)


def weave(mutants):
    """Writes every file with the copies of `mutants` in it; returns for each file which lines are whose."""
    lines = {}
    for file in {m.file for m in mutants}:
        text = Path(file).read_text()
        bodies = {}
        for m in mutants:
            if m.file == file and m.result is None:
                bodies.setdefault(m.body, []).append(m)
        edits = [(m[0].const[0], m[0].const[1], "", []) for m in bodies.values() if m[0].const]
        for (b, _), ms in bodies.items():
            edits.append((b + 1, b + 1, None, ms))
        out, at, mine = "", 0, []
        for start, end, new, ms in sorted(edits, key=lambda e: e[:2]):
            out += text[at:start]
            at = end
            if new is None:
                out += " match crate::mutant::chosen() {\n"
                for m in ms:
                    first = out.count("\n") + 1
                    out += f"{m.number} => return {m.copy()},\n"
                    mine.append((first, out.count("\n"), m))
                out += "_ => {}\n}\n"
        write(TREE / file, out + text[at:])
        lines[file] = mine
        root = Path(file.split("/src/")[0]) / "src/lib.rs"
        if str(root) not in lines:
            write(TREE / root, root.read_text() + SWITCH)
    return lines


def build(lines):
    """Builds the tests. True, and the executables; or False, and the mutants that are at fault."""
    args = ["cargo", "test", "--no-run", "--tests", "--message-format=json"]
    for p in PACKAGES:
        args += ["-p", p]
    env = os.environ | {
        "CARGO_TARGET_DIR": str(BUILD),
        "RUSTFLAGS": "--cap-lints=warn -Awarnings",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_DEV_OPT_LEVEL": os.environ.get("MUTANT_OPT", "0"),
    }
    run = subprocess.run(args, cwd=TREE, env=env, capture_output=True, text=True)
    found, faulty, lost = [], set(), []
    for line in run.stdout.splitlines():
        said = json.loads(line)
        if said["reason"] == "compiler-artifact" and said.get("executable") and said["profile"]["test"]:
            found.append((said["executable"], str(Path(said["manifest_path"]).parent)))
        message = said.get("message") or {}
        if said["reason"] != "compiler-message" or message["level"] != "error" or not message["spans"]:
            continue
        whose = {
            m
            for s in message["spans"]
            for first, last, m in lines.get(os.path.relpath(TREE.resolve() / s["file_name"], TREE.resolve()), [])
            if s["is_primary"] and first <= s["line_start"] <= last
        }
        faulty |= whose
        if not whose:
            lost.append(message["rendered"])
    if run.returncode == 0:
        return True, found
    if not faulty:
        sys.exit("\n".join(lost) or run.stderr)
    return False, faulty


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def try_tests(tests, number, slowest):
    """What the tests make of a mutant: `caught`, `missed` or `timeout`, and who noticed."""
    for executable, cwd in tests:
        env = os.environ | {"MUTANT": str(number), "RUST_BACKTRACE": "0", "CARGO_MANIFEST_DIR": cwd}
        child = subprocess.Popen(
            [executable],
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            preexec_fn=limits,
            start_new_session=True,
        )
        late = threading.Event()

        def end():
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        timer = threading.Timer(slowest, lambda: (late.set(), end()))
        timer.start()
        failed = next((line for line in child.stdout if " ... FAILED" in line), None)
        if failed:
            end()
        code = child.wait()
        timer.cancel()
        child.stdout.close()
        if late.is_set() and not failed:
            return "timeout", Path(executable).name
        if failed or code != 0:
            return "caught", failed.split(" ... ")[0].strip() if failed else f"{Path(executable).name}: status {code}"
    return "missed", ""


def main():
    wanted, out = Path(sys.argv[1]), Path(sys.argv[2])
    mutants = [Mutant(i + 1, m) for i, m in enumerate(json.loads(wanted.read_text()))]
    woven = [m for m in mutants if m.body]
    alone = [m for m in mutants if not m.body]
    print(f"{len(mutants)} mutants, {len(alone)} of them with a build of their own", flush=True)
    copy_tree()
    began = time.monotonic()
    while True:
        right, found = build(weave(woven))
        if right:
            break
        for m in found:
            m.result = ("unviable", "")
        print(f"{time.monotonic() - began:.0f} s: {len(found)} do not compile", flush=True)
    # The quickest first: most mutants end there.
    timed = []
    for test in found:
        start = time.monotonic()
        if (r := try_tests([test], 0, SLOWEST))[0] != "missed":
            sys.exit(f"the tests fail with no mutant chosen: {r}")
        timed.append((time.monotonic() - start, test))
    tests = [t for _, t in sorted(timed)]
    slowest = max(SLOWEST, 5 * sum(t for t, _ in timed))
    print(f"{time.monotonic() - began:.0f} s: built; the tests take {sum(t for t, _ in timed):.1f} s", flush=True)

    done = 0

    def judge(m):
        nonlocal done
        m.result = m.result or try_tests(tests, m.number, slowest)
        done += 1
        if done % 100 == 0:
            print(f"{done} of {len(woven)}, {time.monotonic() - began:.0f} s", flush=True)
        if m.result[0] not in ("caught", "unviable"):
            print(f"{m.result[0]}: {m.name}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("MUTANT_JOBS", os.cpu_count() or 1))) as pool:
        list(pool.map(judge, woven))
    for m in alone:
        write(TREE / m.file, m.whole())
        marks = {m.file: [(1, 1 << 30, m)]}
        right, found = build(marks)
        m.result = try_tests(found, 0, slowest) if right else ("unviable", "")
        write(TREE / m.file, m.text)
        if m.result[0] != "caught":
            print(f"{m.result[0]}: {m.name}", flush=True)
    out.mkdir(exist_ok=True)
    for result in ("caught", "missed", "timeout", "unviable"):
        names = "".join(f"{m.name}\n" for m in mutants if m.result[0] == result)
        (out / f"{result}.txt").write_text(names)
    (out / "noticed.txt").write_text("".join(f"{m.name}\t{m.result[1]}\n" for m in mutants))
    print(f"{time.monotonic() - began:.0f} s in all", flush=True)


main()
