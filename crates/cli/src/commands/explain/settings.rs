//! Settings, out of the schema of experiment files: what is written where each is declared.

use serde_json::{Map, Value};

/// The schema of a kind of file.
pub(super) struct Settings {
    root: Value,
}

/// A setting that was found.
pub(super) struct Setting<'a> {
    /// Its whole key, with NAME where any name may stand.
    pub(super) key: String,
    /// What is written where it is used; of tables of several kinds once for each that has it.
    owns: Vec<&'a Value>,
    /// What it may be.
    forms: Vec<&'a Value>,
}

/// A key below a setting, with the first sentence of what it means.
pub(super) struct Below {
    pub(super) name: String,
    pub(super) says: String,
}

fn words(value: &Value) -> String {
    // Links of the code's own documentation are plain names here.
    value["description"].as_str().unwrap_or_default().replace('\n', " ").replace("[`", "`").replace("`]", "`")
}

impl Settings {
    pub(super) fn new() -> Self {
        Self::of::<burnrec_train::Experiment>()
    }

    fn of<T: schemars::JsonSchema>() -> Self {
        Self { root: serde_json::to_value(schemars::schema_for!(T)).unwrap_or_default() }
    }

    /// Those of every kind of file: experiments first.
    pub(super) fn of_all_files() -> [Self; 4] {
        use burnrec_rl::{ope::OpeFile, simulate::Simulation};
        [Self::new(), Self::of::<Simulation>(), Self::of::<burnrec_train::fuse::FuseFile>(), Self::of::<OpeFile>()]
    }

    /// What a schema stands for: references followed, alternatives one by one.
    fn forms<'a>(&'a self, schema: &'a Value, depth: usize) -> Vec<&'a Value> {
        if depth > 8 {
            return Vec::new();
        }
        if let Some(place) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/")) {
            return self.root.pointer(&format!("/{place}")).map_or(Vec::new(), |found| self.forms(found, depth + 1));
        }
        let either = ["oneOf", "anyOf", "allOf"].into_iter().find_map(|kind| schema[kind].as_array());
        match either {
            Some(all) => all.iter().flat_map(|one| self.forms(one, depth + 1)).collect(),
            // Files cannot say so.
            None if schema["type"] == "null" => Vec::new(),
            None => vec![schema],
        }
    }

    /// Forms of tables: those of a list are those of its items.
    fn tables<'a>(&'a self, forms: &[&'a Value]) -> Vec<&'a Value> {
        let items = |form: &&'a Value| match form["items"].is_object() {
            true => self.forms(&form["items"], 0),
            false => vec![*form],
        };
        forms.iter().flat_map(items).collect()
    }

    /// The setting at a key.
    pub(super) fn find(&self, key: &str) -> Option<Setting<'_>> {
        let mut owns = vec![&self.root];
        let mut forms = self.forms(&self.root, 0);
        let mut names = Vec::new();
        for part in key.split('.') {
            let tables = self.tables(&forms);
            let mut named: Vec<&Value> = tables.iter().filter_map(|form| form["properties"].get(part)).collect();
            names.push(if named.is_empty() { "NAME".into() } else { part.to_string() });
            if named.is_empty() {
                let any = |form: &&Value| form["additionalProperties"].is_object();
                named.extend(tables.iter().find(|form| any(form)).map(|form| &form["additionalProperties"]));
            }
            if named.is_empty() {
                return None;
            }
            // What a kind means stands beside the word: it is told by the table's forms.
            let kinds = named.iter().all(|own| own["const"].is_string()) && part == "kind";
            (owns, forms) = match kinds {
                true => (owns, tables),
                false => (named.clone(), named.iter().flat_map(|own| self.forms(own, 0)).collect()),
            };
            // Tables of several kinds may share what a key may be.
            let mut seen: Vec<*const Value> = Vec::new();
            forms.retain(|form| {
                !seen.contains(&std::ptr::from_ref(*form)) && {
                    seen.push(*form);
                    true
                }
            });
        }
        Some(Setting { key: names.join("."), owns, forms })
    }

    /// The keys of all settings, those below names that people give included.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.walk(&self.root, String::new(), 0, &mut keys);
        keys
    }

    fn walk(&self, schema: &Value, above: String, depth: usize, keys: &mut Vec<String>) {
        for form in self.forms(schema, 0) {
            let below = |name: &str| if above.is_empty() { name.to_string() } else { format!("{above}.{name}") };
            let properties = form["properties"].as_object();
            for (name, inner) in properties.into_iter().flat_map(Map::iter) {
                let key = below(name);
                if !keys.contains(&key) {
                    keys.push(key.clone());
                }
                if depth < 4 {
                    self.walk(inner, key, depth + 1, keys);
                }
            }
            if form["items"].is_object() && depth < 4 {
                self.walk(&form["items"], above.clone(), depth + 1, keys);
            }
            if form["additionalProperties"].is_object() && depth < 4 {
                self.walk(&form["additionalProperties"], below("NAME"), depth + 1, keys);
            }
        }
    }
}

/// A default as a config writes it: floats of 32 bits by their shortest decimal.
fn default(value: &Value, own: &Value) -> String {
    match (value.as_f64(), own["format"].as_str()) {
        (Some(x), Some("float")) => toml::Value::Float(format!("{}", x as f32).parse().unwrap_or(x)).to_string(),
        _ => toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string()),
    }
}

impl Setting<'_> {
    /// What it means.
    pub(super) fn says(&self) -> String {
        let mut own: Vec<String> = self.owns.iter().map(|own| words(own)).filter(|own| !own.is_empty()).collect();
        own.dedup();
        if own.is_empty() { self.forms.first().map(|form| words(form)).unwrap_or_default() } else { own.join(" ") }
    }

    /// What it may be, in a word or two.
    pub(super) fn kind(&self) -> Option<String> {
        let of = |form: &&Value| {
            if self.key.ends_with(".kind") {
                return Some("a word".to_string());
            }
            let kind = match &form["type"] {
                Value::String(kind) => kind.clone(),
                Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|k| *k != "null")?.to_string(),
                _ => return None,
            };
            Some(match kind.as_str() {
                "integer" => "a whole number".to_string(),
                "number" => "a number".into(),
                "boolean" => "true or false".into(),
                "string" if form["const"].is_string() || form["enum"].is_array() => "a word".into(),
                "string" => "text".into(),
                "array" => "a list".into(),
                "object" => "a table".into(),
                other => other.to_string(),
            })
        };
        let mut kinds: Vec<String> = self.forms.iter().filter_map(of).collect();
        kinds.dedup();
        (!kinds.is_empty()).then(|| kinds.join(", or "))
    }

    /// The least and the most.
    pub(super) fn range(&self) -> Option<String> {
        let of = |name: &str| self.owns.iter().chain(&self.forms).find_map(|form| form[name].as_f64());
        let counts = self.forms.iter().any(is_count);
        // That counts are no less than nothing needs no word.
        let least = of("minimum").filter(|least| *least != 0.0 || !counts).map(|least| format!("at least {least}"));
        let least = of("exclusiveMinimum").map(|least| format!("above {least}")).or(least);
        let most = of("maximum").map(|most| format!("at most {most}"));
        let most = of("exclusiveMaximum").map(|most| format!("below {most}")).or(most);
        let both: Vec<String> = least.into_iter().chain(most).collect();
        (!both.is_empty()).then(|| both.join(", "))
    }

    /// What holds where nothing is said; none where that is told in words, or something has to be.
    pub(super) fn default(&self) -> Option<String> {
        let truth = || self.forms.first().is_some_and(|form| form["type"] == "boolean").then_some(&Value::Bool(false));
        // Truths that are left out of files are false.
        let form = self.forms.first().copied().unwrap_or(&Value::Null);
        let given = |own: &&&Value| own.get("default").is_some();
        let mut all: Vec<&Value> = self.owns.iter().filter(given).map(|own| &own["default"]).collect();
        all.extend(if all.is_empty() { truth() } else { None });
        all.retain(|value| !value.is_null() && !value.is_object());
        let mut all: Vec<String> = all.into_iter().map(|value| default(value, form)).collect();
        all.dedup();
        (!all.is_empty()).then(|| all.join(" or "))
    }

    /// The words that it may be, with what each means.
    pub(super) fn words(&self) -> Vec<Below> {
        let mut found = Vec::new();
        for form in &self.forms {
            let kind = form["properties"]["kind"]["const"].as_str();
            let names = form["const"].as_str().or(kind).into_iter().map(String::from);
            let several = form["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(String::from);
            found.extend(names.chain(several).map(|name| Below { name, says: words(form) }));
        }
        found
    }

    /// The keys below it.
    pub(super) fn below(&self) -> Vec<Below> {
        let mut found: Vec<Below> = Vec::new();
        let nested = self.forms.iter().filter(|form| form["additionalProperties"].is_object());
        found.extend(
            nested.map(|_| Below { name: "NAME".into(), says: format!("see `burnrec explain {}.NAME`", self.key) }),
        );
        for form in &self.forms {
            for (name, inner) in form["properties"].as_object().into_iter().flat_map(Map::iter) {
                if !found.iter().any(|below| below.name == *name) && inner["const"].is_null() {
                    found.push(Below { name: name.clone(), says: first_sentence(&words(inner)).to_string() });
                }
            }
        }
        found
    }
}

/// Whether a form is a whole number.
fn is_count(form: &&Value) -> bool {
    let kind = &form["type"];
    kind == "integer" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "integer"))
}

/// The first sentence of what a setting means.
pub(super) fn first_sentence(says: &str) -> &str {
    let end = says.find(". ").map_or(says.len(), |at| at + 1);
    &says[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_found_by_its_key_and_says_something() {
        let settings = Settings::new();
        let keys = settings.keys();
        assert!(keys.len() > 200, "{}", keys.len());
        for key in &keys {
            assert!(settings.find(key).is_some(), "{key}");
        }
        let rate = settings.find("train.learning_rate").unwrap();
        assert!(rate.says().contains("dense weights"), "{}", rate.says());
        assert_eq!((rate.default().as_deref(), rate.kind().as_deref()), (Some("0.001"), Some("a number")));
        assert_eq!(settings.find("train.sparse.learning_rate").unwrap().default().as_deref(), Some("0.002"));
        assert!(settings.find("train.schedule").unwrap().words().iter().any(|word| word.name == "cosine"));
        assert!(settings.find("features.fields.user.kind").unwrap().words().iter().any(|w| w.name == "categorical"));
        assert!(settings.find("train.learnin_rate").is_none());
        // Tables of several kinds: all their kinds, each with what it means, and keys of more than one of them.
        let mixer = settings.find("train.mixer.kind").unwrap();
        assert!(mixer.words().len() >= 7 && mixer.words().iter().all(|word| !word.says.is_empty()));
        let rate = settings.find("train.mixer.rate").unwrap();
        assert!(rate.says().contains("Uncertainty") && rate.says().contains("Gradnorm"), "{}", rate.says());
        // Lists of tables, and tables of any name.
        assert!(settings.find("data.join.on").is_some() && keys.contains(&"data.join.on".to_string()));
        assert!(settings.find("tasks").unwrap().below().iter().any(|below| below.name == "NAME"));
        assert!(!settings.find("train.evict").unwrap().kind().unwrap().contains("null"));
    }

    /// A sound experiment with one more line.
    fn sound(key: &str, value: &str) -> String {
        let quoted: String = key.split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".");
        format!(
            "features.fields.x = \"categorical\"\ndata.source = \"x.csv\"\ntasks.y.label = \"y\"\n{quoted} = {value}\n{}",
            if key.starts_with("model.") { "" } else { "model.deepfm = {}\n" }
        )
    }

    #[test]
    fn what_lies_outside_a_range_is_refused() {
        let settings = Settings::new();
        let check = |key: &str, value: &str| {
            let experiment: Result<burnrec_train::Experiment, _> = toml::from_str(&sound(key, value));
            experiment.map_err(|e| e.to_string()).and_then(|e| e.check().map(drop).map_err(|e| e.to_string()))
        };
        let mut seen = 0;
        let ours = |key: &&String| {
            key.starts_with("train.") || key.starts_with("model.deepfm") || *key == "features.min_count"
        };
        for key in settings.keys().iter().filter(ours) {
            let setting = settings.find(key).unwrap();
            let of = |name: &str| setting.owns.iter().chain(&setting.forms).find_map(|form| form[name].as_f64());
            let counts = setting.forms.iter().any(is_count);
            let step = if counts { 1.0 } else { 1e-3 };
            let outside = [
                of("minimum").filter(|least| *least > 0.0 || !counts).map(|x| x - step),
                of("exclusiveMinimum"),
                of("maximum").map(|x| x + step),
                of("exclusiveMaximum"),
            ];
            if key.matches('.').count() > 1
                && !key.starts_with("train.sparse")
                && !key.starts_with("train.optimizer")
                && !key.starts_with("model.deepfm")
            {
                continue;
            }
            for value in outside.into_iter().flatten() {
                let text = if counts { format!("{value:.0}") } else { format!("{value:?}") };
                assert!(check(key, &text).is_err(), "{key} = {text} is taken");
                seen += 1;
            }
        }
        assert!(seen > 25, "{seen}");
        assert!(check("train.epochs", "3").is_ok());
    }

    #[test]
    fn what_is_declared_is_documented() {
        let settings = Settings::new();
        let silent: Vec<String> =
            settings.keys().into_iter().filter(|key| settings.find(key).is_some_and(|s| s.says().is_empty())).collect();
        // Kinds of tables whose name says which.
        let silent: Vec<&String> =
            silent.iter().filter(|key| !key.ends_with(".kind") && !key.ends_with("NAME")).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
