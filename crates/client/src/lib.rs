//! A user's vector, kept on the user's own device and moved by every click, without a word to the server in between.
//!
//! The server sends the vectors of the items that it shows, with the rule by which training made users of items
//! (`burnrec export --client`). The client takes in what is clicked, and sends its vector with the next request; the server ranks by it
//! (`burnrec recommend --vectors`), if it is of the items' vectors that the server has now. The library has no dependencies.
//!
//! ```
//! use burnrec_client::{Slate, User};
//!
//! let slate = Slate::read("burnrec-slate 1\nversion a1\nrule decay=1 latest=all\ndim 2\nfilm\t1 0\nbook\t0 1\n")?;
//! let mut user = User::new("ann", &slate);
//! user.click(&slate, "film")?;
//! user.click(&slate, "book")?;
//! assert_eq!(user.vector(), [0.5, 0.5]);
//! # Ok::<(), burnrec_client::Error>(())
//! ```

mod error;
mod message;
mod slate;
mod user;

pub use error::Error;
pub use message::Message;
pub use slate::{Rule, Slate};
pub use user::User;
