//! BTF, as far as a map's definition needs it (the kernel's Documentation/bpf/btf.rst): the section `.maps` is a DATASEC
//! of variables, each a struct whose members say in their types what the map is (`__uint(type, ...)`, `__type(key, ...)`).

use crate::map::{MapKind, MapSpec};
use crate::{Unusable, unusable};

/// The kinds that a definition leads through.
const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;
/// Steps through typedefs and arrays of arrays; a file that goes deeper goes in a circle.
const DEEPEST: u32 = 32;

struct Type<'a> {
    name: u32,
    kind: u32,
    /// A size or a type, by the kind.
    of: u32,
    /// What follows, in words.
    rest: Vec<u32>,
    file: &'a [u8],
}

struct Btf<'a> {
    types: Vec<Type<'a>>,
    strings: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_le_bytes)
}

/// How many words follow a type of this kind with so many members.
fn words(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        INT | VAR | DECL_TAG => 1,
        ARRAY => 3,
        STRUCT | UNION | DATASEC | ENUM64 => 3 * members,
        ENUM | FUNC_PROTO => 2 * members,
        PTR | 7..=12 | 16 | TYPE_TAG => 0,
        _ => return None,
    })
}

impl<'a> Btf<'a> {
    fn parse(file: &'a [u8]) -> Option<Self> {
        if file.get(..2)? != [0x9f, 0xeb] {
            return None;
        }
        let header = word(file, 4)? as usize;
        let part = |off: usize, len: usize| {
            let begin = header.checked_add(word(file, off)? as usize)?;
            file.get(begin..begin.checked_add(word(file, len)? as usize)?)
        };
        let (bytes, strings) = (part(8, 12)?, part(16, 20)?);
        // Type 0 is void.
        let mut types = vec![Type {
            name: 0,
            kind: 0,
            of: 0,
            rest: Vec::new(),
            file: &[],
        }];
        let mut at = 0;
        while at < bytes.len() {
            let info = word(bytes, at + 4)?;
            let kind = info >> 24 & 0x1f;
            let n = words(kind, (info & 0xffff) as usize)?;
            let rest = (0..n).map(|i| word(bytes, at + 12 + 4 * i));
            types.push(Type {
                name: word(bytes, at)?,
                kind,
                of: word(bytes, at + 8)?,
                rest: rest.collect::<Option<_>>()?,
                file: bytes,
            });
            at += 12 + 4 * n;
        }
        Some(Btf { types, strings })
    }

    fn get(&self, id: u32) -> Option<&Type<'a>> {
        self.types
            .get(id as usize)
            .filter(|t| t.kind == 0 || !t.file.is_empty())
    }

    fn name(&self, at: u32) -> Option<&'a str> {
        let text = self.strings.get(at as usize..)?;
        let end = text.iter().position(|b| *b == 0)?;
        std::str::from_utf8(&text[..end]).ok()
    }

    /// Through names and qualifiers to what is meant.
    fn plain(&self, mut id: u32) -> Option<&Type<'a>> {
        for _ in 0..DEEPEST {
            let t = self.get(id)?;
            match t.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => id = t.of,
                _ => return Some(t),
            }
        }
        None
    }

    fn size(&self, id: u32, depth: u32) -> Option<u32> {
        let t = self.plain(id).filter(|_| depth < DEEPEST)?;
        match t.kind {
            PTR => Some(8),
            INT | STRUCT | UNION | ENUM | ENUM64 => Some(t.of),
            ARRAY => self.size(t.rest[0], depth + 1)?.checked_mul(t.rest[2]),
            _ => None,
        }
    }

    /// `int (*member)[N]`: N.
    fn number(&self, id: u32) -> Option<u32> {
        let pointer = self.plain(id).filter(|t| t.kind == PTR)?;
        let array = self.plain(pointer.of).filter(|t| t.kind == ARRAY)?;
        Some(array.rest[2])
    }

    /// `T *member`: the size of T.
    fn pointee(&self, id: u32) -> Option<u32> {
        let pointer = self.plain(id).filter(|t| t.kind == PTR)?;
        self.size(pointer.of, 0)
    }

    fn map(&self, var: u32) -> Option<Result<MapSpec, Unusable>> {
        let var = self.get(var).filter(|t| t.kind == VAR)?;
        let name = self.name(var.name)?;
        let def = self.plain(var.of).filter(|t| t.kind == STRUCT)?;
        let (mut kind, mut max, mut key, mut value) = (0, 0, 0, 0);
        for member in def.rest.chunks_exact(3) {
            let id = member[1];
            match self.name(member[0])? {
                "type" => kind = self.number(id)?,
                "max_entries" => max = self.number(id)?,
                "key_size" => key = self.number(id)?,
                "value_size" => value = self.number(id)?,
                "key" => key = self.pointee(id)?,
                "value" => value = self.pointee(id)?,
                // Flags, pinning: nothing that a map here has.
                _ => {}
            }
        }
        Some(MapKind::of_number(kind).map_or_else(
            || {
                unusable(format!(
                    "map `{name}`: type {kind} is not supported; ARRAY (2) and HASH (1) are"
                ))
            },
            |kind| MapSpec::new(name, kind, key, value, max),
        ))
    }
}

/// The maps that the section `.maps` defines.
pub(crate) fn maps(file: &[u8]) -> Result<Vec<MapSpec>, Unusable> {
    let broken = || Unusable("the section .BTF is damaged".to_owned());
    let btf = Btf::parse(file).ok_or_else(broken)?;
    let section = btf
        .types
        .iter()
        .find(|t| t.kind == DATASEC && btf.name(t.name) == Some(".maps"));
    let Some(section) = section else {
        return Ok(Vec::new());
    };
    let vars = section.rest.chunks_exact(3);
    vars.map(|v| btf.map(v[0]).unwrap_or_else(|| Err(broken())))
        .collect()
}
