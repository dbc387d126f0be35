//! Clicks move a user's vector: `clicks SLATE USER ITEM…` prints the line that is sent with the next request.

use burnrec_client::{Slate, User};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [slate, user, clicked @ ..] = arguments.as_slice() else {
        return Err("give a slate that burnrec export --client wrote, a user, and the items that were clicked".into());
    };
    let slate = Slate::read(&std::fs::read_to_string(slate)?)?;
    let mut user = User::new(user, &slate);
    for item in clicked {
        user.click(&slate, item)?;
    }
    std::io::Write::write_all(&mut std::io::stdout(), format!("{}\n", user.message().line()).as_bytes())?;
    Ok(())
}
