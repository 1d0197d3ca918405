//! Plugins written in WebAssembly text: exactly as well- or ill-behaved as a test wants them, and built without any toolchain.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The interface that the host embeds.
const WIT: &str = include_str!("../../host/wit/v0.1/output.wit");

/// A plugin in the making. Out of the box it is an honest one: it writes the expanded map, as it is, to the target.
///
/// Its functions see each other by these names: `$log`, the import, with level and message as address and length; `$realloc`,
/// which makes room in memory; `$text`, with the address of a request, which writes an honest answer and gives back its
/// address. Constants may stand in memory at 4096 to 65535; an answer's record is built at 512, its one file's at 560.
#[derive(Debug, Clone)]
pub struct WatPlugin {
    output_types: Vec<String>,
    version: String,
    describe: Vec<(usize, String)>,
    on_describe: String,
    on_render: String,
    items: String,
    memory: String,
}

/// Where in the record `metadata` each text lies (the canonical ABI's layout: fields in order, 4 bytes each for address and
/// length, an option's tag before them).
mod field {
    pub(super) const NAME: usize = 0;
    pub(super) const VERSION: usize = 8;
    pub(super) const DESCRIPTION: usize = 16;
    pub(super) const DEFAULT_PATH: usize = 36;
    pub(super) const OPTIONS_SCHEMA: usize = 44;
}

impl WatPlugin {
    /// A plugin that says that it renders the type.
    #[must_use]
    pub fn new(output_type: &str) -> Self {
        let describe = [
            (field::NAME, output_type),
            (field::VERSION, "1.0.0"),
            (field::DESCRIPTION, "Made of text"),
            (field::OPTIONS_SCHEMA, "{}"),
        ];
        Self {
            output_types: vec![output_type.into()],
            version: "0.1.0".into(),
            describe: describe.map(|(at, text)| (at, text.to_owned())).to_vec(),
            on_describe: String::new(),
            on_render: "(return (call $text (local.get $request)))".into(),
            items: String::new(),
            memory: "2".into(),
        }
    }

    /// A further type that it says that it renders.
    #[must_use]
    pub fn also(mut self, output_type: &str) -> Self {
        self.output_types.push(output_type.to_owned());
        self
    }

    /// The version of the interface that it is built against.
    #[must_use]
    pub fn interface(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// The instructions of `render`, with the request's address in `$request`. They end by returning the answer's address, or
    /// never.
    #[must_use]
    pub fn on_render(mut self, instructions: &str) -> Self {
        instructions.clone_into(&mut self.on_render);
        self
    }

    /// Instructions that `describe` begins with.
    #[must_use]
    pub fn on_describe(mut self, instructions: &str) -> Self {
        instructions.clone_into(&mut self.on_describe);
        self
    }

    /// Further functions, tables, globals and data of the module.
    #[must_use]
    pub fn items(mut self, items: &str) -> Self {
        items.clone_into(&mut self.items);
        self
    }

    /// The memory's type: its first and its greatest size in pages of 64 KiB, the second optional.
    #[must_use]
    pub fn memory(mut self, memory: &str) -> Self {
        memory.clone_into(&mut self.memory);
        self
    }

    /// The name that it gives itself.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.describing(field::NAME, name)
    }

    /// The version that it gives itself.
    #[must_use]
    pub fn release(self, version: &str) -> Self {
        self.describing(field::VERSION, version)
    }

    /// What it says that it does.
    #[must_use]
    pub fn description(self, description: &str) -> Self {
        self.describing(field::DESCRIPTION, description)
    }

    /// Its schema of options.
    #[must_use]
    pub fn options_schema(self, schema: &str) -> Self {
        self.describing(field::OPTIONS_SCHEMA, schema)
    }

    /// Where it wants to write by default.
    #[must_use]
    pub fn default_path(self, path: &str) -> Self {
        self.describing(field::DEFAULT_PATH, path)
    }

    fn describing(mut self, at: usize, text: &str) -> Self {
        self.describe.retain(|(other, _)| *other != at);
        self.describe.push((at, text.to_owned()));
        self
    }

    /// The component.
    ///
    /// # Panics
    /// The text is not valid.
    #[must_use]
    pub fn component(&self) -> Vec<u8> {
        let encoder =
            ComponentEncoder::default().validate(true).module(&self.module()).expect("a module with its interface");
        { encoder }.encode().expect("a component")
    }

    /// The core module with the section that says which interface it serves, as `cargo build` leaves a plugin.
    ///
    /// # Panics
    /// The text is not valid.
    #[must_use]
    pub fn module(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).expect("valid WebAssembly text");
        let mut resolve = Resolve::default();
        let wit = WIT.replace("@0.1.0;", &format!("@{};", self.version));
        let package = resolve.push_str("output.wit", &wit).expect("valid WIT");
        let world = resolve.select_world(&[package], Some("output-plugin")).expect("the world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("the section");
        module
    }

    fn text(&self) -> String {
        let Self { version, on_describe, on_render, items, memory, .. } = self;
        let metadata = self.metadata();
        let package = "portkeeper:output";
        format!(
            r#"(module
  (import "{package}/log@{version}" "emit" (func $log (param i32 i32 i32 i32)))
  (memory (export "memory") {memory})
  (global $heap (mut i32) (i32.const 65536))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $start i32)
    (local.set $start (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $start) (local.get 3)))
    (block $enough (loop $grow
      (br_if $enough (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.const 1)))
      (br $grow)))
    (local.get $start))
  (func $text (param $request i32) (result i32)
    (i32.store (i32.const 516) (i32.const 560)) (i32.store (i32.const 520) (i32.const 1))
    (i64.store (i32.const 560) (i64.load (i32.add (local.get $request) (i32.const 32))))
    (i64.store (i32.const 568) (i64.load (i32.add (local.get $request) (i32.const 24))))
    (i32.const 512))
  (func (export "{package}/plugin@{version}#describe") (result i32) {on_describe} (i32.const 1024))
  (func (export "{package}/plugin@{version}#render") (param $request i32) (result i32) {on_render} (unreachable))
  {metadata}
  {items})"#
        )
    }

    /// The list of types at 640, the record at 1024, and the texts from 1100 on.
    fn metadata(&self) -> String {
        let mut record = vec![0; 64];
        let mut texts = Vec::new();
        let mut put = |record: &mut [u8], at: usize, text: &str| {
            record[at..at + 4].copy_from_slice(&(1100 + texts.len() as u32).to_le_bytes());
            record[at + 4..at + 8].copy_from_slice(&(text.len() as u32).to_le_bytes());
            texts.extend_from_slice(text.as_bytes());
        };
        let mut types = vec![0; 8 * self.output_types.len()];
        for (index, output_type) in self.output_types.iter().enumerate() {
            put(&mut types, 8 * index, output_type);
        }
        for (at, text) in &self.describe {
            put(&mut record, *at, text);
            if *at == field::DEFAULT_PATH {
                record[field::DEFAULT_PATH - 4] = 1;
            }
        }
        record[24..28].copy_from_slice(&640_u32.to_le_bytes());
        record[28..32].copy_from_slice(&(self.output_types.len() as u32).to_le_bytes());
        format!("{}{}{}", data(1024, &record), data(640, &types), data(1100, &texts))
    }
}

/// Bytes that stand in memory from the start.
#[must_use]
pub(crate) fn data(address: usize, bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    format!("(data (i32.const {address}) \"{escaped}\")")
}
