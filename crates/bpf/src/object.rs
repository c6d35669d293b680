//! The ELF object: one program of section `sockops`, its maps, and where it names them.

use object::read::elf::ElfFile64;
use object::{
    Endianness, Object as _, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget,
};

use crate::map::MapSpec;
use crate::{Unusable, btf, check, unusable};

/// Where the kernel's own loader looks for a sock_ops program.
const SECTION: &str = "sockops";

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The program's instructions, 8 bytes each. Loads of a map's address hold nothing yet.
    pub code: Vec<u8>,
    /// The maps.
    pub maps: Vec<MapSpec>,
    /// Which instruction loads the address of which map.
    pub uses: Vec<(usize, usize)>,
    /// The section `license`.
    pub license: String,
}

impl Object {
    /// Reads an ELF file that clang made with `-target bpf -O2 -g`.
    ///
    /// # Errors
    /// A sentence that says what is missing or not supported.
    pub fn parse(file: &[u8]) -> Result<Self, Unusable> {
        let elf = ElfFile64::<Endianness>::parse(file)
            .map_err(|e| Unusable(format!("not a 64-bit ELF object: {e}")))?;
        if elf.architecture() != object::Architecture::Bpf {
            return unusable("not an object for BPF: compile it with clang -target bpf -O2 -g");
        }
        let Some(section) = elf.section_by_name(SECTION) else {
            return unusable("no section `sockops`: write SEC(\"sockops\") before the program");
        };
        let code = data(&section)?.to_vec();
        let maps = match elf.section_by_name(".BTF") {
            Some(btf) => btf::maps(data(&btf)?)?,
            None if elf.section_by_name(".maps").is_some() => {
                return unusable("no section .BTF, which describes the maps: compile with -g");
            }
            None => Vec::new(),
        };
        let mut uses = Vec::new();
        for (offset, relocation) in section.relocations() {
            let (RelocationTarget::Symbol(symbol), RelocationFlags::Elf { r_type }) =
                (relocation.target(), relocation.flags())
            else {
                return unusable(format!("a relocation at {offset:#x} names no symbol"));
            };
            let symbol = elf
                .symbol_by_index(symbol)
                .map_err(|e| Unusable(format!("the symbol table is damaged: {e}")))?;
            let name = symbol.name().unwrap_or_default();
            let map = maps.iter().position(|m| m.name == name);
            match map.filter(|_| r_type == object::elf::R_BPF_64_64) {
                // The address in a 16-byte load.
                Some(map) => uses.push(((offset / 8) as usize, map)),
                None => {
                    return unusable(format!(
                        "`{name}` is neither a map nor in this program: global variables and functions that are not \
                         inlined are not supported"
                    ));
                }
            }
        }
        check::check(&code, &uses)?;
        let license = match elf.section_by_name("license") {
            Some(s) => String::from_utf8_lossy(data(&s)?)
                .trim_end_matches('\0')
                .to_owned(),
            None => String::new(),
        };
        Ok(Object {
            code,
            maps,
            uses,
            license,
        })
    }
}

fn data<'a>(section: &impl ObjectSection<'a>) -> Result<&'a [u8], Unusable> {
    section
        .data()
        .map_err(|e| Unusable(format!("the object is damaged: {e}")))
}
