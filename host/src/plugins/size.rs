//! How much a plugin's file would take to compile, counted before anything of it is compiled.
//!
//! A compiler takes time and memory for each function and each name, however small they are: a file of 4 MB with 300,000 functions would
//! keep all processors busy for two minutes, in more than a gigabyte.

use wasmparser::{FunctionBody, Operator, Payload};

use super::inspect::Refusal;
use super::limits;

/// What was counted, in all modules and components of a file together.
#[derive(Debug, Default)]
pub(super) struct Size {
    functions: usize,
    /// Exports, imports and aliases.
    names: usize,
    /// The bytes of all functions.
    code: usize,
    /// The bytes of all linear memories, as they begin.
    memory: u64,
    /// The elements of all tables, as they begin.
    elements: u64,
    has_heavy_function: bool,
}

impl Size {
    /// Counts what is in a piece of the file.
    pub(super) fn note(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::FunctionSection(functions) => self.functions += functions.count() as usize,
            // Each is a small function of the compiler's.
            Payload::ComponentCanonicalSection(functions) => self.functions += functions.count() as usize,
            Payload::ExportSection(exports) => self.names += exports.count() as usize,
            Payload::ImportSection(imports) => self.names += imports.count() as usize,
            Payload::ComponentExportSection(exports) => self.names += exports.count() as usize,
            Payload::ComponentImportSection(imports) => self.names += imports.count() as usize,
            Payload::ComponentAliasSection(aliases) => self.names += aliases.count() as usize,
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let memory = memory?;
                    let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    self.memory = self.memory.saturating_add(memory.initial.saturating_mul(page));
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    self.elements = self.elements.saturating_add(table?.ty.initial);
                }
            }
            Payload::CodeSectionEntry(body) => {
                self.code += body.range().len();
                self.has_heavy_function |= is_heavy(body)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it may be compiled.
    pub(super) fn judge(&self) -> Result<(), Refusal> {
        let most = |what: &str, found: usize, most: usize| match found > most {
            true => Err(Refusal::new(format!("it has {found} {what}, and a plugin may have {most}"))),
            false => Ok(()),
        };
        if self.has_heavy_function {
            let help = "split the function, and keep tables in data instead of code";
            let reason = "one of its functions is too large, or branches too much, to be compiled";
            return Err(Refusal::with_help(reason, help));
        }
        most("functions", self.functions, limits::FUNCTIONS)?;
        most("exports, imports and aliases", self.names, limits::NAMES)?;
        most("MiB of code", self.code >> 20, limits::CODE >> 20)?;
        most("MiB of memory from the start", mib(self.memory), limits::MEMORY >> 20)?;
        most("elements in its tables", usize::try_from(self.elements).unwrap_or(usize::MAX), limits::TABLE_ELEMENTS)
    }
}

/// Rounded up: what is a byte more than a limit is over it.
fn mib(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(1 << 20)).unwrap_or(usize::MAX)
}

/// Whether compiling the function would take more memory than a plugin is worth.
fn is_heavy(body: &FunctionBody<'_>) -> wasmparser::Result<bool> {
    if body.range().len() > limits::FUNCTION {
        return Ok(true);
    }
    let mut locals: usize = 0;
    for group in body.get_locals_reader()? {
        locals = locals.saturating_add(group?.0 as usize);
    }
    let mut places: usize = 1;
    for operator in body.get_operators_reader()? {
        let is_place =
            matches!(operator?, Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::Else);
        places += usize::from(is_place);
    }
    Ok(locals.saturating_mul(places) > limits::FUNCTION_STATES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_measure_has_a_limit_of_its_own() {
        let allowed = |size: &Size| size.judge().is_ok();
        let most = Size {
            functions: limits::FUNCTIONS,
            names: limits::NAMES,
            code: limits::CODE,
            memory: limits::MEMORY as u64,
            elements: limits::TABLE_ELEMENTS as u64,
            has_heavy_function: false,
        };
        assert!(allowed(&most));
        assert!(!allowed(&Size { functions: limits::FUNCTIONS + 1, ..Size::default() }));
        assert!(!allowed(&Size { names: limits::NAMES + 1, ..Size::default() }));
        assert!(!allowed(&Size { code: limits::CODE + (1 << 20), ..Size::default() }));
        assert!(!allowed(&Size { memory: limits::MEMORY as u64 + 1, ..Size::default() }));
        assert!(!allowed(&Size { memory: u64::MAX, ..Size::default() }));
        assert!(!allowed(&Size { elements: u64::MAX, ..Size::default() }));
        assert!(!allowed(&Size { has_heavy_function: true, ..Size::default() }));
    }
}
