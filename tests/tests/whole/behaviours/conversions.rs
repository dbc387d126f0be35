//! Behaviours of growing worth: clicks, what follows them, purchases.

use std::fmt::Write as _;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{ahead, auc, chance, predicted, trained};

const IDS: usize = 200;

/// Of each id of three fields, what it does for clicks and for what follows them, and rows of three ids.
struct Site {
    rng: ChaCha8Rng,
    worth: Vec<(f64, f64)>,
}

impl Site {
    /// `tie`: the correlation of the two.
    fn new(seed: u64, tie: f64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut worth = Vec::with_capacity(3 * IDS);
        for _ in 0..3 * IDS {
            let (a, own) = (normal(), normal());
            worth.push((0.7 * a, 0.7 * (tie * a + (1.0 - tie * tie).sqrt() * own)));
        }
        Self { rng, worth }
    }

    /// The cells of a row's ids, and what they do for clicks and for what follows.
    fn row(&mut self) -> (String, f64, f64) {
        let ids: [usize; 3] = std::array::from_fn(|_| self.rng.random_range(0..IDS));
        let own = ids.iter().enumerate().map(|(field, id)| self.worth[field * IDS + id]);
        let (click, after) = own.fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        (format!("f{},g{},h{}", ids[0], ids[1], ids[2]), click, after)
    }

    fn happens(&mut self, probability: f64) -> bool {
        self.rng.random::<f64>() < probability
    }
}

fn config(seed: u64, tasks: &str, model: &str) -> String {
    format!(
        "[data]\nsource = \"log.csv\"\n[run]\nseed = {seed}\n[features.fields]\nf = \"categorical\"\ng = \"categorical\"\nh = \"categorical\"\n\
         {tasks}\n[model.{model}]\nembedding_dim = 8\nhidden = [16]\n[train]\nbatch_size = 128\nsparse = {{ kind = \"adam\", learning_rate = 0.005, l2 = 1e-4 }}\n"
    )
}

const CLICK: &str = "[tasks.click]\nlabel = \"clicked\"\n";
const BUY: &str = "[tasks.buy]\nlabel = \"bought\"\nparent = \"click\"\n";

/// Clicks and conversions behind them, of ids whose worth for one tells something of their worth for the other; rare clicks.
#[test]
fn esmm_knows_conversions_of_what_was_not_clicked_better_than_learning_from_clicks_does() {
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new(seed, 0.8);
        let mut log = |rows: usize| {
            let (mut text, mut unclicked) = (String::from("f,g,h,clicked,bought\n"), Vec::new());
            for _ in 0..rows {
                let (ids, click, after) = site.row();
                let clicked = site.happens(chance(click - 2.5));
                let bought = clicked && site.happens(chance(after - 1.0));
                writeln!(text, "{ids},{},{}", u8::from(clicked), u8::from(bought)).unwrap();
                unclicked.push((!clicked).then(|| chance(after - 1.0)));
            }
            (text, unclicked)
        };
        let (train, _) = log(20_000);
        let (rows, truth) = log(6000);
        std::fs::write(folder.path().join("log.csv"), train).unwrap();
        std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
        let train = |name: &str, tasks: &str, model: &str| trained(folder.path(), name, &config(seed, tasks, model));
        train("esmm", &format!("{CLICK}{BUY}"), "esmm");
        train("clicks", "[tasks.buy]\nlabel = \"bought\"\nwhere = \"clicked == 1\"", "mlp");
        // The log-loss on what was not clicked.
        let loss = |p: &[f64]| {
            let of = |(p, truth): (&f64, &Option<f64>)| {
                let (p, truth) = (p.clamp(1e-6, 1.0 - 1e-6), (*truth)?);
                Some(-(truth * p.ln() + (1.0 - truth) * (1.0 - p).ln()))
            };
            let all: Vec<f64> = p.iter().zip(&truth).filter_map(of).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let esmm = predicted(folder.path(), "esmm", "prediction_buy_given_click");
        let from_clicks = predicted(folder.path(), "clicks", "prediction");
        // DIVISION: two models, whose quotient is no probability everywhere; a chain's is.
        train("click", CLICK, "mlp");
        train("both", "[tasks.buy]\nlabel = \"bought\"", "mlp");
        let [click, both] = ["click", "both"].map(|run| predicted(folder.path(), run, "prediction"));
        let above = click.iter().zip(&both).filter(|(click, both)| both > click).count();
        eprintln!("seed {seed}: of {} quotients {above} are above 1", click.len());
        assert!(esmm.iter().all(|p| *p <= 1.0));
        (-loss(&esmm), -loss(&from_clicks))
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.0, "{wins} of 3, by {by}");
}

/// Purchases that mostly follow an action behind a click, a hundredth to a thirtieth of the rows.
#[test]
fn actions_between_clicks_and_purchases_rank_rare_purchases_better() {
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new(seed, 0.6);
        let (by_way, otherwise) = (chance(-1.0), chance(-5.0));
        let mut log = |rows: usize| {
            let (mut text, mut truth) = (String::from("f,g,h,clicked,acted,bought\n"), Vec::with_capacity(rows));
            for _ in 0..rows {
                let (ids, click, after) = site.row();
                let (click, act) = (chance(click - 1.5), chance(after - 1.0));
                let clicked = site.happens(click);
                let acted = clicked && site.happens(act);
                let bought = clicked && site.happens(if acted { by_way } else { otherwise });
                writeln!(text, "{ids},{},{},{}", u8::from(clicked), u8::from(acted), u8::from(bought)).unwrap();
                truth.push(click * (act * by_way + (1.0 - act) * otherwise));
            }
            (text, truth)
        };
        let (train, _) = log(20_000);
        let (rows, truth) = log(6000);
        std::fs::write(folder.path().join("log.csv"), train).unwrap();
        std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
        let act = "[tasks.action]\nlabel = \"acted\"\nparent = \"click\"\n";
        trained(folder.path(), "esm2", &config(seed, &format!("{CLICK}{act}{BUY}"), "esm2"));
        trained(folder.path(), "esmm", &config(seed, &format!("{CLICK}{BUY}"), "esmm"));
        let [esm2, esmm] = ["esm2", "esmm"].map(|run| auc(&predicted(folder.path(), run, "prediction_buy"), &truth));
        (esm2, esmm)
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.003, "{wins} of 3, by {by}");
}

/// Views, carts and purchases of one taste, purchases rare: what is viewed tells what is bought.
#[test]
fn a_cascade_of_behaviours_knows_rare_purchases_better_than_a_model_of_them_alone() {
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut vectors = |count: usize| -> Vec<[f64; 4]> {
            (0..count).map(|_| std::array::from_fn(|_| StandardNormal.sample(&mut rng))).collect()
        };
        let (users, items) = (vectors(150), vectors(150));
        let mut text = String::from("user_id,item_id,viewed,carted,bought\n");
        for _ in 0..20_000 {
            let (u, i) = (rng.random_range(0..150usize), rng.random_range(0..150usize));
            let taste: f64 = users[u].iter().zip(&items[i]).map(|(a, b)| a * b).sum();
            let mut past = |bar: f64| u8::from(rng.random::<f64>() < chance(1.5 * taste - bar));
            let viewed = past(0.0);
            let carted = viewed * past(3.0);
            writeln!(text, "u{u},i{i},{viewed},{carted},{}", carted * past(4.0)).unwrap();
        }
        std::fs::write(folder.path().join("log.csv"), text).unwrap();
        let config = |tasks: &str, model: &str| {
            format!(
                "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"random\", valid = 0.1, test = 0.4 }}\n[run]\nseed = {seed}\n[features.fields]\n\
                 user_id = \"categorical\"\nitem_id = \"categorical\"\n{tasks}[model.{model}]\n[train]\nbatch_size = 256\n\
                 sparse = {{ kind = \"adam\", learning_rate = 0.005, l2 = 1e-5 }}\n"
            )
        };
        let buy = "[tasks.buy]\nlabel = \"bought\"\n";
        let all = format!("[tasks.view]\nlabel = \"viewed\"\n[tasks.cart]\nlabel = \"carted\"\n{buy}");
        let cascade = trained(folder.path(), "cascade", &config(&all, "nmtr")).get("buy", "auc").unwrap();
        let alone = trained(folder.path(), "alone", &config(buy, "neumf")).get("buy", "auc").unwrap();
        (cascade, alone)
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.005, "{wins} of 3, by {by}");
}
