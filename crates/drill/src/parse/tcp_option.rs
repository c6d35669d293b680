//! `<mss 1460,nop,wscale 7>`.

use super::cursor::{Cursor, Parsed};
use crate::ast::{AccEcnField, Options, TcpOption, TcpOptionKind};

const WHAT: &str = "mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5, ECN or bytes";

pub(crate) fn options(cursor: &mut Cursor<'_>) -> Parsed<Options> {
    cursor.expect("<", "`<`")?;
    cursor.skip_space();
    if cursor.eat("...") {
        cursor.expect(">", "`>` after `<...`")?;
        return Ok(Options::Unchecked);
    }
    let mut list = Vec::new();
    if cursor.eat(">") {
        return Ok(Options::List(list));
    }
    loop {
        list.push(option(cursor)?);
        cursor.skip_space();
        if cursor.eat(">") {
            return Ok(Options::List(list));
        }
        cursor.expect(",", "`,` and another option, or `>`")?;
    }
}

fn option(cursor: &mut Cursor<'_>) -> Parsed<TcpOption> {
    cursor.skip_space();
    let from = cursor.place();
    let word = cursor.run();
    let kind = match word.to_ascii_lowercase().as_str() {
        "nop" => TcpOptionKind::Nop,
        "eol" => TcpOptionKind::Eol,
        "mss" => TcpOptionKind::Mss(cursor.u16("the MSS")?),
        "wscale" => TcpOptionKind::Wscale(cursor.u8("the window scale")?),
        "sackok" => TcpOptionKind::SackOk,
        "sack" => TcpOptionKind::Sack(blocks(cursor)?),
        "ts" => timestamps(cursor)?,
        "fo" | "foexp" => TcpOptionKind::FastOpen {
            experimental: word.len() > 2,
            cookie: cursor.hex("a cookie in hexadecimal")?,
        },
        "md5" if cursor.eat_word("valid") => TcpOptionKind::Md5Valid,
        "md5" => TcpOptionKind::Md5(digest(cursor)?),
        "ecn" => TcpOptionKind::AccEcn(counters(cursor)?),
        "bytes" => TcpOptionKind::Bytes(cursor.hex("the bytes of an option in hexadecimal")?),
        _ => {
            cursor.back_to(from);
            return cursor.expected(WHAT);
        }
    };
    Ok(TcpOption {
        span: cursor.span(from),
        kind,
    })
}

/// `1:1001 2001:3001`.
fn blocks(cursor: &mut Cursor<'_>) -> Parsed<Vec<(u32, u32)>> {
    let mut blocks = Vec::new();
    loop {
        let left = cursor.u32("the left edge of a block")?;
        cursor.expect(":", "`:` and the right edge of the block")?;
        blocks.push((left, cursor.u32("the right edge of the block")?));
        cursor.skip_space();
        if !cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Ok(blocks);
        }
    }
}

fn timestamps(cursor: &mut Cursor<'_>) -> Parsed<TcpOptionKind> {
    if !cursor.eat_word("val") {
        cursor.skip_space();
        return cursor.expected("`val` and the timestamp");
    }
    let val = cursor.u32("the timestamp after `val`")?;
    if !cursor.eat_word("ecr") {
        cursor.skip_space();
        return cursor.expected("`ecr` and the echoed timestamp");
    }
    let ecr = cursor.u32("the echoed timestamp after `ecr`")?;
    Ok(TcpOptionKind::Timestamps { val, ecr })
}

fn digest(cursor: &mut Cursor<'_>) -> Parsed<Option<[u8; 16]>> {
    cursor.skip_space();
    let from = cursor.place();
    let bytes = cursor.hex("sixteen bytes in hexadecimal, or nothing")?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let given = bytes.len();
    match bytes.try_into() {
        Ok(digest) => Ok(Some(digest)),
        Err(_) => Err((
            cursor.span(from),
            format!("an MD5 digest is 16 bytes, here are {given}"),
        )),
    }
}

/// `e0b 1 ceb 0 e1b 1`; perhaps nothing.
fn counters(cursor: &mut Cursor<'_>) -> Parsed<Vec<(AccEcnField, u32)>> {
    let mut counters = Vec::new();
    loop {
        cursor.skip_space();
        let field = match cursor.peek_word().to_ascii_lowercase().as_str() {
            "e0b" => AccEcnField::E0b,
            "ceb" => AccEcnField::Ceb,
            "e1b" => AccEcnField::E1b,
            "" => return Ok(counters),
            _ => return cursor.expected("e0b, ceb or e1b"),
        };
        if counters.len() == 3 {
            return cursor.expected("at most three counters, then `,` or `>`");
        }
        cursor.run();
        // The option's counters have 24 bits (RFC 9768 3.2.3).
        let value = cursor.number("the counter", 0xff_ffff)?;
        counters.push((field, u32::try_from(value).unwrap_or_default()));
    }
}
