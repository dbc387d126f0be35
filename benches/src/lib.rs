//! Figures stand in README.md; `burnrec bench` measures whole steps.
