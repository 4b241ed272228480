//! The part of Python's pickle language that state dicts are written in, as data in an arena: nothing is executed, values that
//! occur twice are shared, and no nesting is deep enough to exhaust the stack.

use std::collections::HashMap;
use std::io::{BufRead, Read};

/// The place of a value in its [`Pickle`].
pub(super) type Id = usize;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name in a module: `torch.FloatStorage`.
    Global(String),
    /// A call that Python would make.
    Call(Id, Id),
    /// What `torch.save` refers to from outside of the pickle: a storage.
    Persistent(Id),
}

/// One pickle, read to its end.
#[derive(Debug)]
pub(super) struct Pickle {
    values: Vec<Value>,
    top: Id,
}

/// No state dict comes near.
const MAX_VALUES: usize = 1 << 24;

impl Pickle {
    /// Reads one pickle, and not a byte more.
    pub(super) fn read(reader: &mut impl BufRead) -> Result<Self, String> {
        let mut machine = Machine::default();
        loop {
            if let Some(top) = machine.step(reader)? {
                return Ok(Self { values: machine.values, top });
            }
        }
    }

    /// The pickled value itself.
    pub(super) fn top(&self) -> &Value {
        self.get(self.top)
    }

    /// Every name of a module's that it refers to.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(|value| match value {
            Value::Global(name) => Some(name.as_str()),
            _ => None,
        })
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    pub(super) fn text(&self, id: Id) -> Result<&str, String> {
        match self.get(id) {
            Value::Text(text) => Ok(text),
            other => Err(format!("expected a text, found {}", kind(other))),
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Result<&[Id], String> {
        match self.get(id) {
            Value::Tuple(items) => Ok(items),
            other => Err(format!("expected a tuple, found {}", kind(other))),
        }
    }

    /// A whole number of 0 or more.
    pub(super) fn count(&self, id: Id) -> Result<usize, String> {
        match self.get(id) {
            Value::Int(n) => usize::try_from(*n).map_err(|_| format!("expected a count, found {n}")),
            other => Err(format!("expected a count, found {}", kind(other))),
        }
    }

    pub(super) fn counts(&self, id: Id) -> Result<Vec<usize>, String> {
        self.tuple(id)?.iter().map(|&id| self.count(id)).collect()
    }
}

/// What a message calls a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::None => "None",
        Value::Bool(_) => "a truth value",
        Value::Int(_) | Value::Float => "a number",
        Value::Text(_) => "a text",
        Value::Tuple(_) => "a tuple",
        Value::List(_) => "a list",
        Value::Dict(_) => "a dict",
        Value::Global(_) => "a name",
        Value::Call(..) => "an object",
        Value::Persistent(_) => "a storage",
    }
}

/// The stack machine that the language is written for.
#[derive(Debug, Default)]
struct Machine {
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Where on the stack the open tuples, lists and dicts begin.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.values.len() >= MAX_VALUES {
            return Err("it holds more values than any state dict".to_string());
        }
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, String> {
        // What lies before an open mark belongs to whoever set it.
        match self.stack.len() > self.marks.last().copied().unwrap_or(0) {
            true => self.stack.pop().ok_or_else(malformed),
            false => Err(malformed()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or_else(malformed)?;
        Ok(self.stack.split_off(mark))
    }

    fn last(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(malformed)
    }

    fn tuple_of(&mut self, count: usize) -> Result<(), String> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Value::Tuple(items))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = self.last()?;
        match &mut self.values[list] {
            Value::List(list) => list.extend(items),
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), String> {
        let dict = self.last()?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.values[dict] {
            Value::Dict(entries) if rest.is_empty() => entries.extend(pairs.iter().map(|&[k, v]| (k, v))),
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let (args, callable) = (self.pop()?, self.pop()?);
        let ordered =
            matches!(&self.values[callable], Value::Global(name) if name == "collections.OrderedDict");
        let empty = matches!(&self.values[args], Value::Tuple(items) if items.is_empty());
        self.push(if ordered && empty { Value::Dict(Vec::new()) } else { Value::Call(callable, args) })
    }

    /// Attributes: only a state dict's, which carry versions of its modules, are of a kind that may be dropped.
    fn build(&mut self) -> Result<(), String> {
        let (_attributes, object) = (self.pop()?, self.last()?);
        match &self.values[object] {
            Value::Dict(_) => Ok(()),
            other => Err(format!("{} with attributes is in it; only tensors are read", kind(other))),
        }
    }

    /// Takes one instruction; gives the result with the last.
    fn step(&mut self, reader: &mut impl BufRead) -> Result<Option<Id>, String> {
        let [op] = bytes(reader)?;
        match op {
            0x80 => {
                let [version] = bytes(reader)?;
                if version > 5 {
                    return Err(format!("its pickle is of protocol {version}, which is not known"));
                }
            }
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b']' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }
            0x85..=0x87 => self.tuple_of(usize::from(op - 0x84))?,
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Bool(op == 0x88))?,
            b'K' | b'M' | b'J' | 0x8a => {
                let number = number(op, reader)?;
                self.push(Value::Int(number))?;
            }
            b'G' => {
                let _: [u8; 8] = bytes(reader)?;
                self.push(Value::Float)?;
            }
            // Texts: of Python 3, and the two of Python 2.
            b'X' | b'T' | b'U' => {
                let length = match op {
                    b'U' => u32::from(bytes::<1>(reader)?[0]),
                    _ => u32::from_le_bytes(bytes(reader)?),
                };
                let text = text(reader, length)?;
                self.push(Value::Text(text))?;
            }
            b'c' => {
                let name = format!("{}.{}", line(reader)?, line(reader)?);
                self.push(Value::Global(name))?;
            }
            b'R' | 0x81 => self.call()?,
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))?;
            }
            b'q' | b'r' => {
                let key = key(op == b'q', reader)?;
                self.memo.insert(key, self.last()?);
            }
            b'h' | b'j' => {
                let key = key(op == b'h', reader)?;
                self.stack.push(*self.memo.get(&key).ok_or_else(malformed)?);
            }
            _ => return Err(format!("its pickle has the instruction {op:#04x}, which no state dict needs")),
        }
        Ok(None)
    }
}

fn malformed() -> String {
    "its pickle is malformed".to_string()
}

fn bytes<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(|_| "it is truncated".to_string())?;
    Ok(bytes)
}

fn key(short: bool, reader: &mut impl Read) -> Result<u32, String> {
    Ok(if short { u32::from(bytes::<1>(reader)?[0]) } else { u32::from_le_bytes(bytes(reader)?) })
}

fn number(op: u8, reader: &mut impl Read) -> Result<i64, String> {
    Ok(match op {
        b'K' => i64::from(bytes::<1>(reader)?[0]),
        b'M' => i64::from(u16::from_le_bytes(bytes(reader)?)),
        b'J' => i64::from(i32::from_le_bytes(bytes(reader)?)),
        _ => {
            let [length] = bytes(reader)?;
            let mut digits = [0; 255];
            let digits = &mut digits[..usize::from(length)];
            reader.read_exact(digits).map_err(|_| "it is truncated".to_string())?;
            // Two's complement in as few bytes as do. The magic number of old files needs more than 64 bits.
            let fill = if digits.last().is_some_and(|d| d & 0x80 != 0) { 0xff } else { 0 };
            let mut low = [fill; 8];
            for (low, digit) in low.iter_mut().zip(digits.iter()) {
                *low = *digit;
            }
            if digits.len() > 8 && digits[8..].iter().any(|d| *d != fill) {
                return Err("it holds a number beyond 64 bits".to_string());
            }
            i64::from_le_bytes(low)
        }
    })
}

/// As much as is there, so that a length that lies allocates nothing.
fn text(reader: &mut impl Read, length: u32) -> Result<String, String> {
    let mut text = Vec::new();
    reader.take(u64::from(length)).read_to_end(&mut text).map_err(|e| e.to_string())?;
    if text.len() < length as usize {
        return Err("it is truncated".to_string());
    }
    String::from_utf8(text).map_err(|_| malformed())
}

fn line(reader: &mut impl BufRead) -> Result<String, String> {
    let mut line = Vec::new();
    // No module's name is longer.
    reader.take(256).read_until(b'\n', &mut line).map_err(|e| e.to_string())?;
    if line.pop() != Some(b'\n') {
        return Err(malformed());
    }
    String::from_utf8(line).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Pickle, String> {
        Pickle::read(&mut &*bytes)
    }

    #[test]
    fn what_python_pickles() {
        // pickle.dumps({"a": (1, -2, 70000, 1 << 40), "b": [True, None]}, 2)
        let pickle =
            b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\
            \x00\x00\x00\x01tq\x02X\x01\x00\x00\x00bq\x03]q\x04(\x88Neu.";
        let pickle = read(pickle).unwrap();
        let Value::Dict(entries) = pickle.top() else { panic!("{pickle:?}") };
        let [(a, numbers), (b, list)] = entries[..] else { panic!("{pickle:?}") };
        assert_eq!((pickle.text(a).unwrap(), pickle.text(b).unwrap()), ("a", "b"));
        let numbers: Vec<_> = pickle.tuple(numbers).unwrap().iter().map(|&id| pickle.get(id)).collect();
        assert_eq!(numbers, [1, -2, 70000, 1 << 40].map(Value::Int).each_ref());
        assert!(pickle.count(pickle.tuple(entries[0].1).unwrap()[1]).is_err());
        assert!(matches!(pickle.get(list), Value::List(items) if items.len() == 2));
    }

    #[test]
    fn hostile_pickles_are_errors() {
        for (bytes, says) in [
            (&b"\x80\x02"[..], "truncated"),
            (b"\x80\x02.", "malformed"),
            (b"(t(.", "malformed"),
            (b"a.", "malformed"),
            (b"K\x01(R.", "malformed"),
            (b"h\x07.", "malformed"),
            (b"}(K\x01u.", "malformed"),
            (b"X\xff\xff\xff\xffabc", "truncated"),
            (b"cos\nsystem", "malformed"),
            (b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", "64 bits"),
            (b"\x93.", "0x93"),
            (b"\x80\x09.", "protocol 9"),
            (b"K\x01}b.", "attributes"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(says), "{bytes:?}: {error}");
        }
        // As deep as one likes: an arena has no depth.
        let mut deep = vec![b'N'];
        deep.extend([0x85; 1_000_000]);
        deep.push(b'.');
        assert!(matches!(read(&deep).unwrap().top(), Value::Tuple(_)));
    }
}
