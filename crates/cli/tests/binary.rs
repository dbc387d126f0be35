//! Makes `cargo test` build the binary, which the tests of the whole drive.

#[test]
fn the_binary_is_there() {
    assert!(std::path::Path::new(env!("CARGO_BIN_EXE_burnrec")).is_file());
}
