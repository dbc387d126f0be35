//! What metrics and terms of the output mean.

/// A term, and what it means.
pub(super) const TERMS: &[(&str, &str)] = &[
    (
        "auc",
        "The chance that a positive row scores above a negative one, ties counting half: 0.5 is a coin, 1 is perfect. All rows together, weighted by their sample weights. It says how well rows are ranked and nothing about whether probabilities are right: see logloss, pcoc, ece.",
    ),
    (
        "gauc",
        "The AUC within each group (usually a user), averaged over groups with the number of their rows as the weight. Groups whose rows are all of one class have no AUC and are left out of both sums, and so are rows without a group. It is closer than AUC to what a ranked list for one user needs. Sample weights do not count here. Zhou et al., KDD 2018, section 4.1.",
    ),
    (
        "logloss",
        "The mean cross-entropy -(y·ln p + (1-y)·ln(1-p)), weighted by sample weights: 0 is perfect, and a model that always predicts the positive rate r has r's entropy. It judges ranking and calibration together.",
    ),
    (
        "ne",
        "Normalised entropy: the log-loss over the log-loss of always predicting the positive rate of the same rows. 1 is no better than that rate; 0.8 is a fifth better. It compares across data sets of different rates. He et al., ADKDD 2014.",
    ),
    (
        "pcoc",
        "Predicted clicks over observed clicks: the sum of predicted probabilities over the number of positives. 1 is right on average, 1.2 promises a fifth too much. Right on average can still be wrong everywhere: see ece.",
    ),
    (
        "ece",
        "Expected calibration error: rows are put into 20 bins of equal width by their probability, and the gaps between mean prediction and observed rate are averaged, weighted by rows. 0 is perfect.",
    ),
    (
        "accuracy",
        "The share of rows on the right side of one half, or of rows whose class has the largest score. On rare positives it mostly tells how rare they are: look at auc and logloss instead.",
    ),
    ("mse", "Mean squared error of a number."),
    ("rmse", "The root of the mean squared error, in the label's own unit."),
    ("mae", "Mean absolute error of a number, in its own unit."),
    (
        "ndcg",
        "ndcg@K: for each group the gain of relevant rows among the first K of the list, discounted by log2(rank + 1), over the best that any order could have; then the mean over groups that have a relevant row. Labels above 1 count as grades, with gain 2^label - 1. Ties are ranked against the model. Järvelin and Kekäläinen, TOIS 2002.",
    ),
    ("hr", "hr@K, hit rate: the share of groups with a relevant row among the first K."),
    (
        "recall",
        "recall@K: the share of a group's relevant rows among the first K, averaged over groups that have some. Where items are looked for (two-tower models), all items of the catalogue are candidates but those that the user had already in training; a relevant item that training never saw cannot be found and counts as missed.",
    ),
    (
        "mrr",
        "Mean reciprocal rank: one over the rank of the first relevant row of each group, averaged; with mrr@K ranks behind K count 0.",
    ),
    (
        "popularity",
        "What ranking items by how many training rows they have comes to on the same rows: the line that a model of items has to beat.",
    ),
    (
        "unseen",
        "An id that no training row had. It shares one row of its table with all other such ids, unless the table grows (index = \"growing\").",
    ),
    ("vocabulary", "The ids of a field that get a row of their own: those of at least min_count training rows."),
    (
        "best_epoch",
        "The epoch after which train.monitor was best on the validation rows. Its weights are tested, exported and used by predict.",
    ),
    (
        "flex",
        "The CPU backend of Burn, with kernels of our own for what recommenders need. It takes all cores unless backend.threads says less.",
    ),
    (
        "wgpu",
        "GPUs over Vulkan, Metal or DirectX 12. A software adapter such as llvmpipe is taken only by name, since it is slower than flex.",
    ),
    ("placement", "Where tables live: in host memory, or on the GPU. auto puts them on the GPU where they fit."),
    (
        "95%",
        "Intervals in reports: the metric on the same groups (or rows) drawn with replacement 200 times, each counting as often as a Poisson variable of mean 1 says. The draws are the same in every run on the same rows, so that two runs are compared draw by draw; a difference is significant where its interval leaves 0 out.",
    ),
    (
        "importance",
        "Permutation importance: by how much the task is judged worse when a field's values are dealt to other rows. Fields that carry the same information hide each other, so that both may look worthless. Breiman, Machine Learning 2001.",
    ),
];

/// What a term means; `ndcg@10` is `ndcg`.
pub(super) fn find(term: &str) -> Option<(&'static str, &'static str)> {
    let plain = term.to_lowercase();
    let plain = plain.split('@').next().unwrap_or_default();
    TERMS.iter().find(|(name, _)| *name == plain).copied()
}
