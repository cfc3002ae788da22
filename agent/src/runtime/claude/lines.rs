//! Lines from a pipe, whole and bounded.
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// A frame with an image in it has more than a mebibyte; one with more than this is not framed any more.
pub(super) const LONGEST: usize = 64 << 20;

/// Reads lines. A call that is dropped while it waits loses nothing.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new() }
    }

    /// The next line without its end, or nothing at the end of the pipe; what has no line end is not a line.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let read = self.reader.fill_buf().await?;
            if read.is_empty() {
                return Ok(None);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(read.len());
            if self.line.len() + taken > LONGEST {
                return Err(io::Error::other(format!("a line is longer than {LONGEST} bytes")));
            }
            self.line.extend_from_slice(&read[..taken]);
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncWriteExt as _, BufReader, duplex};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_is_interrupted_loses_nothing() {
        let (mut writer, reader) = duplex(1 << 10);
        let mut lines = Lines::new(BufReader::new(reader));
        writer.write_all(b"first\nsec").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Some(b"first".to_vec()));
        assert!(tokio::time::timeout(Duration::from_millis(5), lines.next()).await.is_err());
        writer.write_all(b"ond\n\ntorn").await.unwrap();
        drop(writer);
        assert_eq!(lines.next().await.unwrap(), Some(b"second".to_vec()));
        assert_eq!(lines.next().await.unwrap(), Some(b"".to_vec()));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_without_end_is_an_error_before_it_fills_the_memory() {
        let endless = BufReader::new(tokio::io::repeat(b'x'));
        assert!(Lines::new(endless).next().await.is_err());
    }
}
