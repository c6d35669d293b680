//! `icmp unreachable frag_needed mtu 1200 [1:1001(1000)]`.

use super::cursor::{Cursor, Parsed};
use super::packet::sequence;
use crate::ast::{Icmp, IcmpCode, IcmpKind, Quoted};
use crate::error::nearest;

/// After the word `icmp`.
pub(crate) fn icmp(cursor: &mut Cursor<'_>) -> Parsed<Icmp> {
    cursor.skip_space();
    let word = cursor.peek_word();
    let Some(kind) = IcmpKind::ALL.into_iter().find(|k| k.name() == word) else {
        let names: Vec<&str> = IcmpKind::ALL.into_iter().map(IcmpKind::name).collect();
        return cursor.expected(&format!("a type of ICMP message ({})", names.join(", ")));
    };
    cursor.run();
    let mut icmp = Icmp {
        kind,
        code: code(cursor, kind)?,
        mtu: None,
        echo_id: None,
        quoted: None,
    };
    if cursor.eat_word("mtu") {
        icmp.mtu = Some(cursor.u32("the MTU")?);
    }
    if cursor.eat_word("id") {
        icmp.echo_id = Some(cursor.u16("the identifier of the echo")?);
    }
    let place = cursor.place();
    cursor.skip_space();
    if cursor.eat("[") {
        icmp.quoted = Some(quoted(cursor)?);
        cursor.expect("]", "`]`")?;
    } else {
        cursor.back_to(place);
    }
    Ok(icmp)
}

fn code(cursor: &mut Cursor<'_>, kind: IcmpKind) -> Parsed<IcmpCode> {
    let place = cursor.place();
    if cursor.eat_word("code") {
        return Ok(IcmpCode::Number(cursor.u8("the code")?));
    }
    cursor.skip_space();
    let word = cursor.peek_word();
    if matches!(word.as_str(), "" | "mtu" | "id") {
        cursor.back_to(place);
        return Ok(IcmpCode::Default);
    }
    match IcmpCode::named(kind, &word) {
        Some(code) => {
            cursor.run();
            Ok(code)
        }
        None => {
            let names = || IcmpCode::names(kind);
            let hint = match nearest(&word, names()) {
                Some(name) => format!("; did you mean `{name}`?"),
                None if names().next().is_none() => String::new(),
                None => format!(" ({})", names().collect::<Vec<_>>().join(", ")),
            };
            Err((
                cursor.here(),
                format!("`{word}` is no code of `{}`{hint}", kind.name()),
            ))
        }
    }
}

fn quoted(cursor: &mut Cursor<'_>) -> Parsed<Quoted> {
    if cursor.eat_word("udp") {
        cursor.expect("(", "`(` and the bytes of payload")?;
        let len = cursor.u16("the bytes of payload")?;
        cursor.expect(")", "`)`")?;
        return Ok(Quoted::Udp { len });
    }
    Ok(Quoted::Tcp(sequence(cursor)?))
}
