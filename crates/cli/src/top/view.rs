//! One frame of `top`, at any size.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::model::{Drop, Listener, Picture, Rate, Run, Sort};

/// What the keys have chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Chosen {
    pub(crate) sort: Sort,
    /// The listener at the top of the list.
    pub(crate) first: usize,
    pub(crate) help: bool,
    pub(crate) paused: bool,
}

const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const TITLE: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().fg(Color::DarkGray);
/// Lines of drops that are always kept.
const DROPS: u16 = 5;

const HELP: &[&str] = &[
    "SYN QUEUE     half-open connections: SYN-ACK sent, ACK awaited (SYN-RECV)",
    "ACCEPT QUEUE  finished connections that the program has not accepted yet",
    "Both have the limit of listen(2)'s backlog, and hold one more than it.",
    "A full accept queue drops SYNs and last ACKs: listen overflows.",
    "A full SYN queue answers with SYN cookies, or drops where they are off.",
    "",
    "q Esc    quit                 s        sort by the next column",
    "Up Down  move in the list     Space    stop the picture, let it go on",
    "h ?      this help            Home     to the top of the list",
];

/// Draws it.
pub(crate) fn draw(frame: &mut Frame<'_>, picture: &Picture, chosen: Chosen) {
    let runs = 1 + picture.runs.len().clamp(1, 5) as u16;
    let drops = 1 + (picture.drops.len() as u16).clamp(1, DROPS);
    let [top, run_area, _, listeners, drop_area, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(runs),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(drops),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    title(frame, top, picture, chosen);
    lines(frame, run_area, run_lines(picture));
    if chosen.help {
        let text = HELP.iter().map(|l| Line::from(*l)).collect();
        lines(frame, listeners, text);
    } else {
        listener_lines(frame, listeners, picture, chosen);
    }
    lines(frame, drop_area, drop_lines(picture));
    let text = " q quit   s sort   \u{2191}\u{2193} move   Space pause   h help";
    lines(frame, keys, vec![Line::styled(text, DIM)]);
}

fn lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

fn title(frame: &mut Frame<'_>, area: Rect, picture: &Picture, chosen: Chosen) {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let line = Line::from(vec![
        Span::styled(" hearken top", TITLE),
        Span::raw(format!(
            "   {}, {}   by {}{}",
            plural(picture.runs.len(), "run"),
            plural(picture.listeners.len(), "listener"),
            chosen.sort.name(),
            if chosen.paused { "   PAUSED" } else { "" }
        )),
    ]);
    lines(frame, area, vec![line]);
}

fn run_lines(picture: &Picture) -> Vec<Line<'static>> {
    let mut out = vec![Line::styled(
        format!(
            " {:<9}{:>7}{:>9}{:>9}{:>10}{:>10}{:>10}{:>12}",
            "RUN", "ESTAB", "SYN/s", "CONN/s", "IN/s", "OUT/s", "RETRANS/s", "OVERFLOWS"
        ),
        HEAD,
    )];
    if picture.runs.is_empty() {
        out.push(Line::styled(" no run of yours is alive", DIM));
    }
    for r in &picture.runs {
        out.push(run_line(r));
    }
    out
}

fn run_line(r: &Run) -> Line<'static> {
    let left = format!(
        " {:<9}{:>7}{:>9}{:>9}{:>10}{:>10}{:>10}",
        r.pid,
        r.established,
        per_second(r.syns),
        per_second(r.connections),
        bytes(r.bytes_in),
        bytes(r.bytes_out),
        per_second(r.retransmits),
    );
    Line::from(vec![
        Span::raw(left),
        Span::styled(format!("{:>12}", r.overflows.total), alarm(r.overflows)),
    ])
}

/// Red while it grows, yellow once it has.
fn alarm(rate: Rate) -> Style {
    if rate.per_second > 0.0 {
        Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
    } else if rate.total > 0 {
        Style::new().fg(Color::Yellow)
    } else {
        Style::new()
    }
}

fn listener_lines(frame: &mut Frame<'_>, area: Rect, picture: &Picture, chosen: Chosen) {
    const NAME: usize = 20;
    const RATES: usize = 21;
    // Two bars, each with its numbers behind it.
    let bars = (usize::from(area.width)).saturating_sub(1 + NAME + RATES) / 2;
    let head = format!(
        " {:<NAME$}{:<bars$}{:<bars$}{:>7}{:>7}{:>7}",
        "LISTENER", "SYN QUEUE", "ACCEPT QUEUE", "SYN/s", "CONN/s", "OVERFL"
    );
    let mut out = vec![Line::styled(head, HEAD)];
    if picture.listeners.is_empty() {
        out.push(Line::styled(" nobody listens", DIM));
    }
    for l in picture.listeners.iter().skip(chosen.first) {
        let mut spans = vec![Span::raw(format!(" {:<NAME$}", name(l, NAME - 1)))];
        spans.extend(bar(l.syn_queue, l.limit, bars));
        spans.extend(bar(l.accept_queue, l.limit, bars));
        spans.push(Span::raw(format!(
            "{:>7}{:>7}",
            per_second(l.syns),
            per_second(l.connections)
        )));
        spans.push(Span::styled(
            format!("{:>7}", short(l.overflows.total as f64)),
            alarm(l.overflows),
        ));
        out.push(Line::from(spans));
    }
    lines(frame, area, out);
}

/// Address and program, as far as they fit.
fn name(l: &Listener, room: usize) -> String {
    let full = format!("{} {}", l.local, l.cmd);
    full.chars().take(room).collect()
}

/// A queue against its limit, which one more than it fits; its numbers behind it.
fn bar(queue: u32, limit: u32, width: usize) -> Vec<Span<'static>> {
    let numbers = format!("{queue}/{limit}");
    let room = width.saturating_sub(numbers.len().max(7) + 2);
    let most = u64::from(limit) + 1;
    let eighths = (u64::from(queue) * room as u64 * 8)
        .div_ceil(most)
        .min(room as u64 * 8) as usize;
    let parts = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let mut full: String = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        full.push(parts[eighths % 8 - 1]);
    }
    let empty = "·".repeat(room - full.chars().count());
    let share = f64::from(queue) / most as f64;
    let colour = match share {
        s if s >= 0.9 => Color::Red,
        s if s >= 0.5 => Color::Yellow,
        _ => Color::Green,
    };
    let rest = width - room;
    vec![
        Span::styled(full, Style::new().fg(colour)),
        Span::styled(empty, DIM),
        Span::raw(format!(" {numbers:<0$}", rest.saturating_sub(1))),
    ]
}

fn drop_lines(picture: &Picture) -> Vec<Line<'static>> {
    let mut out = vec![Line::styled(
        format!(" {:<31}{:>12}{:>12}", "DROPS", "PACKETS", "PER SECOND"),
        HEAD,
    )];
    if picture.drops.is_empty() {
        out.push(Line::styled(" none", DIM));
    }
    let several = picture.runs.len() > 1;
    for d in picture.drops.iter().take(usize::from(DROPS)) {
        out.push(drop_line(d, several));
    }
    out
}

fn drop_line(d: &Drop, several: bool) -> Line<'static> {
    let whose = if several {
        format!("  run {}", d.run)
    } else {
        String::new()
    };
    Line::from(vec![
        Span::raw(format!(" {:<31}", d.reason)),
        Span::styled(
            format!("{:>12}{:>12}", d.packets.total, per_second(d.packets)),
            alarm(d.packets),
        ),
        Span::styled(whose, DIM),
    ])
}

fn per_second(rate: Rate) -> String {
    short(rate.per_second)
}

/// A number in five columns.
fn short(n: f64) -> String {
    match n {
        n if n >= 1e9 => format!("{:.1}G", n / 1e9),
        n if n >= 1e6 => format!("{:.1}M", n / 1e6),
        n if n >= 1e4 => format!("{:.0}k", n / 1e3),
        n if n >= 10.0 || n == 0.0 => format!("{n:.0}"),
        n => format!("{n:.1}"),
    }
}

fn bytes(rate: Rate) -> String {
    format!("{}B", short(rate.per_second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::{self, tests::sample};
    use crate::top::render;
    use std::time::Instant;

    fn frame(width: u16, height: u16, chosen: Chosen) -> String {
        let began = Instant::now();
        let p = model::picture(&sample(began, 1), &sample(began, 3), chosen.sort);
        render::text(&render::buffer(width, height, &p, chosen).expect("memory"))
    }

    #[test]
    fn frame_of_80_by_24_shows_both_queues_against_their_limits() {
        let text = frame(80, 24, Chosen::default());
        let row = |name: &str| {
            let found = text.lines().find(|l| l.contains(name));
            found
                .unwrap_or_else(|| panic!("no {name} in\n{text}"))
                .to_owned()
        };
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        assert!(row("hearken top").contains("1 run, 2 listeners   by address"));
        assert!(row("4711").contains("3.0G"), "{text}");
        let full = row("0.0.0.0:8000");
        assert!(
            full.contains(" 0/127") && full.contains("█ 128/127"),
            "{full}"
        );
        let half = row("[::]:443");
        assert!(
            half.contains(" 64/127") && half.contains(" 3/127"),
            "{half}"
        );
        // Half of the SYN queue's bar is full.
        let bar: Vec<char> = half.chars().skip_while(|c| !"█·".contains(*c)).collect();
        let drawn = bar.iter().take_while(|c| "█·".contains(**c)).count();
        let filled = bar.iter().take_while(|c| **c == '█').count();
        assert_eq!((filled, drawn), (5, 10), "{half}");
        assert!(row("TCP_LISTEN_OVERFLOW").contains("153"), "{text}");
        assert!(row("q quit").contains("h help"));
    }

    #[test]
    fn frame_of_any_size_is_drawn() {
        for (width, height) in [(1, 1), (20, 5), (80, 24), (200, 60), (80, 3), (3, 80)] {
            for help in [false, true] {
                let chosen = Chosen {
                    help,
                    first: 7,
                    ..Chosen::default()
                };
                frame(width, height, chosen);
            }
        }
    }

    #[test]
    fn frame_with_help_explains_the_queues() {
        let text = frame(
            80,
            24,
            Chosen {
                help: true,
                ..Chosen::default()
            },
        );
        assert!(text.contains("finished connections"), "{text}");
    }

    #[test]
    fn frame_without_a_run_says_so() {
        let buffer = render::buffer(80, 24, &Picture::default(), Chosen::default());
        let text = render::text(&buffer.expect("memory"));
        assert!(text.contains("no run of yours is alive") && text.contains("nobody listens"));
    }
}
