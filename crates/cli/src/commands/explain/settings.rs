//! Settings, out of the schema of experiment files: what is written where each is declared.

use serde_json::{Map, Value};

/// The schema of experiment files.
pub(super) struct Settings {
    root: Value,
}

/// A setting that was found.
pub(super) struct Setting<'a> {
    /// Its whole key, with NAME where any name may stand.
    pub(super) key: String,
    /// What is written where it is used.
    own: &'a Value,
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
        Self { root: serde_json::to_value(schemars::schema_for!(burnrec_train::Experiment)).unwrap_or_default() }
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
            None => vec![schema],
        }
    }

    /// The setting at a key.
    pub(super) fn find(&self, key: &str) -> Option<Setting<'_>> {
        let mut own = &self.root;
        let mut forms = self.forms(own, 0);
        let mut names = Vec::new();
        for part in key.split('.') {
            let named = forms.iter().find_map(|form| form["properties"].get(part));
            let any = || forms.iter().find_map(|form| Some(&form["additionalProperties"]).filter(|a| a.is_object()));
            names.push(if named.is_some() { part.to_string() } else { "NAME".into() });
            own = named.or_else(any)?;
            forms = self.forms(own, 0);
        }
        Some(Setting { key: names.join("."), own, forms })
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
        let own = words(self.own);
        if own.is_empty() { self.forms.first().map(|form| words(form)).unwrap_or_default() } else { own }
    }

    /// What it may be, in a word or two.
    pub(super) fn kind(&self) -> Option<String> {
        let of = |form: &&Value| {
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
        let of = |name: &str| self.forms.iter().find_map(|form| form[name].as_f64());
        match (of("minimum").filter(|least| *least != 0.0), of("maximum")) {
            (Some(least), Some(most)) => Some(format!("from {least} to {most}")),
            (Some(least), None) => Some(format!("at least {least}")),
            (None, Some(most)) => Some(format!("at most {most}")),
            (None, None) => None,
        }
    }

    /// What holds where nothing is said; none where that is told in words, or something has to be.
    pub(super) fn default(&self) -> Option<String> {
        let truth = || self.forms.first().is_some_and(|form| form["type"] == "boolean").then_some(&Value::Bool(false));
        // Truths that are left out of files are false.
        let value = self.own.get("default").or_else(truth).filter(|value| !value.is_null() && !value.is_object())?;
        let form = self.forms.first().copied().unwrap_or(self.own);
        Some(default(value, form))
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
        for form in &self.forms {
            for (name, inner) in form["properties"].as_object().into_iter().flat_map(Map::iter) {
                if !found.iter().any(|below| below.name == *name) && inner["const"].is_null() {
                    let says = words(inner);
                    let end = says.find(". ").map_or(says.len(), |at| at + 1);
                    found.push(Below { name: name.clone(), says: says[..end].to_string() });
                }
            }
        }
        found
    }
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
