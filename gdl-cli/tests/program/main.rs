//! The program from outside: real files in; exit codes, messages and files out.
#![allow(clippy::unwrap_used, missing_docs)]

mod bench;
mod check;
mod common;
mod cyclegan;
mod guards;
#[cfg(unix)]
mod interrupt;
mod nst;
mod nst_frames;
mod nst_memory;
mod nst_pictures;
mod nst_recipe;
mod pix2pix;
mod qa;
mod report;
mod scores;
mod seq2seq;
mod text;
mod text_corpora;
mod text_exchange;
mod text_writing;
mod usage;
