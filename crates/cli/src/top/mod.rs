//! `hearken top`: the two queues of every listener, live.

mod model;
mod render;
mod view;

use std::time::{Duration, Instant};

use hearken_run::control::{Get, Request};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::{Failure, args, print, stack};
use model::{Picture, Sample};
use view::Chosen;

/// Shows it until the user has enough, or once.
pub(crate) fn top(options: &args::Top) -> Result<(), Failure> {
    let interval = Duration::from_secs_f64(options.interval);
    if options.once || options.svg {
        let before = sample(options.run)?;
        std::thread::sleep(interval);
        let now = sample(options.run)?;
        let chosen = Chosen::default();
        let picture = model::picture(&before, &now, chosen.sort);
        let buffer = render::buffer(options.width, height(&picture), &picture, chosen)?;
        return print(&if options.svg {
            render::svg(&buffer)
        } else {
            render::text(&buffer)
        });
    }
    let mut terminal = ratatui::try_init()
        .map_err(|e| format!("this is no terminal ({e}); `hearken top --once` needs none"))?;
    let shown = show(&mut terminal, options.run, interval);
    ratatui::restore();
    shown
}

fn sample(run: Option<u32>) -> Result<Sample, Failure> {
    let answers = stack::ask(run, &Request::Get(Get::Top))?;
    Ok(Sample::new(Instant::now(), answers))
}

/// Lines that everything needs.
fn height(picture: &Picture) -> u16 {
    let lines = 24 + picture.listeners.len() + picture.runs.len();
    (lines.saturating_sub(10) as u16).clamp(16, 200)
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    run: Option<u32>,
    interval: Duration,
) -> Result<(), Failure> {
    let mut chosen = Chosen::default();
    let mut before = sample(run)?;
    let mut now = sample(run)?;
    let mut next = Instant::now() + interval;
    loop {
        let picture = model::picture(&before, &now, chosen.sort);
        terminal.draw(|frame| view::draw(frame, &picture, chosen))?;
        if event::poll(next.saturating_duration_since(Instant::now()))? {
            // A new size is an event too: the frame is drawn again.
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
                && !press(&mut chosen, key, picture.listeners.len())
            {
                return Ok(());
            }
        }
        if Instant::now() >= next {
            next = Instant::now() + interval;
            if !chosen.paused {
                before = std::mem::replace(&mut now, sample(run)?);
            }
        }
    }
}

/// False for the key that ends it.
fn press(chosen: &mut Chosen, key: KeyEvent, listeners: usize) -> bool {
    let last = listeners.saturating_sub(1);
    match key.code {
        KeyCode::Char('q') => return false,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
        KeyCode::Esc if chosen.help => chosen.help = false,
        KeyCode::Esc => return false,
        KeyCode::Char('s') => chosen.sort = chosen.sort.next(),
        KeyCode::Char('h' | '?') => chosen.help = !chosen.help,
        KeyCode::Char(' ') => chosen.paused = !chosen.paused,
        KeyCode::Down | KeyCode::Char('j') => chosen.first = (chosen.first + 1).min(last),
        KeyCode::Up | KeyCode::Char('k') => chosen.first = chosen.first.saturating_sub(1),
        KeyCode::Home => chosen.first = 0,
        KeyCode::End => chosen.first = last,
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_move_sort_and_end() {
        let mut c = Chosen::default();
        let key = |c: &mut Chosen, code| press(c, KeyEvent::new(code, KeyModifiers::NONE), 2);
        assert!(key(&mut c, KeyCode::Up) && c.first == 0);
        assert!(key(&mut c, KeyCode::Down) && c.first == 1);
        assert!(key(&mut c, KeyCode::Down) && c.first == 1, "the last stays");
        assert!(key(&mut c, KeyCode::Char('s')) && c.sort == model::Sort::AcceptQueue);
        assert!(key(&mut c, KeyCode::Char(' ')) && c.paused);
        assert!(key(&mut c, KeyCode::Char('h')) && c.help);
        assert!(
            key(&mut c, KeyCode::Esc) && !c.help,
            "Esc leaves the help first"
        );
        assert!(!key(&mut c, KeyCode::Esc));
        assert!(!key(&mut c, KeyCode::Char('q')));
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(!press(&mut c, ctrl_c, 0));
    }
}
