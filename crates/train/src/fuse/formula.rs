//! Formulas over scores: names, numbers, `+ - * / ^`, parentheses.

/// A formula, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Number(f64),
    /// A score, by its place.
    Score(usize),
    Negative(Box<Node>),
    Both(char, Box<Node>, Box<Node>),
}

/// Characters of a formula at most.
const LONGEST: usize = 2000;

/// How deep parentheses may stand in each other.
const DEPTH: usize = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    names: &'a [String],
    depth: usize,
}

impl Formula {
    /// Reads a formula over scores of these names.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str, names: &[String]) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("is longer than {LONGEST} characters"));
        }
        let mut reader = Reader { text, at: 0, names, depth: 0 };
        let node = reader.sum()?;
        match reader.peek() {
            None => Ok(Self(node)),
            Some(other) => Err(reader.wrong(&format!("`{other}` is not expected"))),
        }
    }

    /// Whether it reads a score.
    pub fn reads(&self, place: usize) -> bool {
        fn of(node: &Node, place: usize) -> bool {
            match node {
                Node::Number(_) => false,
                Node::Score(own) => *own == place,
                Node::Negative(inner) => of(inner, place),
                Node::Both(_, a, b) => of(a, place) || of(b, place),
            }
        }
        of(&self.0, place)
    }

    /// Its value of a row.
    pub fn value(&self, scores: &[f64]) -> f64 {
        fn of(node: &Node, scores: &[f64]) -> f64 {
            match node {
                Node::Number(number) => *number,
                Node::Score(place) => scores.get(*place).copied().unwrap_or(f64::NAN),
                Node::Negative(inner) => -of(inner, scores),
                Node::Both(operator, a, b) => {
                    let (a, b) = (of(a, scores), of(b, scores));
                    match operator {
                        '+' => a + b,
                        '-' => a - b,
                        '*' => a * b,
                        '/' => a / b,
                        _ => a.powf(b),
                    }
                }
            }
        }
        of(&self.0, scores)
    }
}

impl Reader<'_> {
    fn wrong(&self, problem: &str) -> String {
        format!("{problem} at character {} of `{}`", self.text[..self.at].chars().count() + 1, self.text)
    }

    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    /// Parts joined by operators of one rank.
    fn joined(&mut self, operators: &[char], part: &dyn Fn(&mut Self) -> Result<Node, String>) -> Result<Node, String> {
        let mut node = part(self)?;
        while let Some(operator) = self.peek().filter(|c| operators.contains(c)) {
            self.at += 1;
            node = Node::Both(operator, Box::new(node), Box::new(part(self)?));
        }
        Ok(node)
    }

    fn sum(&mut self) -> Result<Node, String> {
        self.joined(&['+', '-'], &|reader| reader.joined(&['*', '/'], &Self::signed))
    }

    fn signed(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.wrong("is nested too deep"));
        }
        let node = match self.peek() {
            Some('-') => {
                self.at += 1;
                Node::Negative(Box::new(self.signed()?))
            }
            _ => self.power()?,
        };
        self.depth -= 1;
        Ok(node)
    }

    fn power(&mut self) -> Result<Node, String> {
        let base = self.one()?;
        match self.peek() {
            Some('^') => {
                self.at += 1;
                Ok(Node::Both('^', Box::new(base), Box::new(self.signed()?)))
            }
            _ => Ok(base),
        }
    }

    fn one(&mut self) -> Result<Node, String> {
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.sum()?;
                if self.peek() != Some(')') {
                    return Err(self.wrong("a parenthesis is not closed"));
                }
                self.at += 1;
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => {
                let rest = &self.text[self.at..];
                let mut end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                // 1e-3
                if let Some(power) = rest[end..].strip_prefix(['e', 'E']) {
                    let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                    let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                    end += if count > 0 { 1 + power.len() - digits.len() + count } else { 0 };
                }
                let number = rest[..end].parse().map_err(|_| self.wrong("is no number"))?;
                self.at += end;
                Ok(Node::Number(number))
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let rest = &self.text[self.at..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let name = &rest[..end];
                let place = self.names.iter().position(|own| own == name);
                let names = self.names.join(", ");
                let place = place.ok_or_else(|| self.wrong(&format!("`{name}` is no score; there are {names};")))?;
                self.at += end;
                Ok(Node::Score(place))
            }
            Some(other) => Err(self.wrong(&format!("`{other}` is not expected"))),
            None => Err(self.wrong("something is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_read_by_the_usual_ranks() {
        let names = ["a".to_string(), "b_2".to_string()];
        let value = |text: &str| Formula::parse(text, &names).unwrap().value(&[2.0, 3.0]);
        for (text, expected) in [
            ("a + b_2 * 4", 14.0),
            ("(a + b_2) * 4", 20.0),
            ("2 - 1 - 1", 0.0),
            ("a ^ b_2 ^ 0 * 10", 20.0),
            ("-a ^ 2", -4.0),
            ("12 / a / b_2", 2.0),
            (".5*a", 1.0),
            ("2e-1 * a + 1E1", 10.4),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        for (text, says) in [
            ("a +", "missing"),
            ("a b_2", "not expected at character 3"),
            ("(a", "closed"),
            ("c", "no score; there are a, b_2"),
            ("1.2.3", "no number"),
            ("", "missing"),
            ("a % 2", "`%`"),
        ] {
            let problem = Formula::parse(text, &names).unwrap_err();
            assert!(problem.contains(says), "{text}: {problem}");
        }
        assert!(Formula::parse(&"(".repeat(1000), &names).unwrap_err().contains("deep"));
        assert!(Formula::parse(&"a+".repeat(100_000), &names).unwrap_err().contains("longer"));
        assert!(Formula::parse(&"-".repeat(1000), &names).unwrap_err().contains("deep"));
    }
}
