//! A frame without a terminal: as text, and as an SVG for the README.

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::model::Picture;
use super::view::{self, Chosen};
use crate::Failure;

/// Draws one frame of this size.
pub(crate) fn buffer(
    width: u16,
    height: u16,
    picture: &Picture,
    chosen: Chosen,
) -> Result<Buffer, Failure> {
    let mut terminal = Terminal::new(TestBackend::new(width, height))?;
    terminal.draw(|frame| view::draw(frame, picture, chosen))?;
    Ok(terminal.backend().buffer().clone())
}

/// Its lines, without blanks at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        for x in 0..buffer.area.width {
            line.push_str(buffer[(x, y)].symbol());
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Columns and lines in the SVG's units.
const COLUMN: f64 = 8.4;
const LINE: f64 = 18.0;
const MARGIN: f64 = 12.0;

/// The frame as a picture of a terminal.
pub(crate) fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = f64::from(columns) * COLUMN + 2.0 * MARGIN;
    let height = f64::from(rows) * LINE + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#161b22\"/>\n"
    );
    for y in 0..rows {
        let mut x = 0;
        while x < columns {
            let cell = &buffer[(x, y)];
            let style = (cell.fg, cell.modifier);
            let start = x;
            let mut run = String::new();
            while x < columns && (buffer[(x, y)].fg, buffer[(x, y)].modifier) == style {
                run.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            if run.trim().is_empty() {
                continue;
            }
            let bold = if style.1.contains(Modifier::BOLD) {
                " font-weight=\"bold\""
            } else {
                ""
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                 xml:space=\"preserve\" fill=\"{}\"{bold}>{}</text>",
                MARGIN + f64::from(start) * COLUMN,
                MARGIN + f64::from(y) * LINE + 13.0,
                f64::from(x - start) * COLUMN,
                hex(style.0),
                escaped(&run)
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn hex(colour: Color) -> &'static str {
    match colour {
        Color::Red => "#ff7b72",
        Color::Yellow => "#e3b341",
        Color::Green => "#56d364",
        Color::Cyan => "#76e3ea",
        Color::DarkGray => "#6e7681",
        _ => "#e6edf3",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::{self, tests::sample};
    use std::time::Instant;

    #[test]
    fn svg_holds_every_word_of_the_frame() {
        let began = Instant::now();
        let mut p = model::picture(&sample(began, 1), &sample(began, 2), Chosen::default().sort);
        p.listeners[0].cmd = "a<b&c".into();
        let buffer = buffer(80, 24, &p, Chosen::default()).expect("memory");
        let picture = svg(&buffer);
        assert!(picture.contains("a&lt;b&amp;c"));
        for word in text(&buffer).split_whitespace().filter(|w| w.is_ascii()) {
            assert!(picture.contains(&escaped(word)), "{word}");
        }
        assert!(picture.contains("#ff7b72"), "a full queue is red");
    }
}
