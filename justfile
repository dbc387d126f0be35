# One line a recipe, cheapest first.

# List the recipes.
default:
    @just --list

# Format.
fmt:
    cargo fmt --all
    rustfmt --edition 2024 crates/models/src/rankers/*.rs

# Lint.
lint:
    cargo clippy --release --workspace --all-targets -- -D warnings

# Build the documentation.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

# Test, on the CPU and on a software adapter if one is installed.
test *ARGS:
    cargo test --release --workspace {{ARGS}}

# Test what needs an adapter.
test-gpu:
    cargo test --release --workspace -- wgpu

# Check every experiment file.
check-configs:
    cargo run --release -- check configs/*/*.toml

# Everything that must hold before a change lands.
ci:
    bash .ci/run

# Train an experiment: just run ml-100k/wide_deep
run NAME *ARGS:
    cargo run --release -- train configs/{{NAME}}.toml {{ARGS}}

# Measure a workload: just bench wide_deep
bench NAME="wide_deep" *ARGS:
    cargo run --release -- bench --workload {{NAME}} {{ARGS}}

# List the models.
models:
    cargo run --release -- models

# Start a model file from the simplest one: just new-model autoint
new-model NAME:
    cp -n crates/models/src/rankers/mlp.rs crates/models/src/rankers/{{NAME}}.rs && echo "now: crates/models/src/registry.rs, configs/ml-100k/{{NAME}}.toml"
