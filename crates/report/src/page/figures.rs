//! Figures that are drawn here, as SVG: calibration, spreads, and tables with bars.

use burnrec_record::{CalibrationBin, ScoreHistogram};

use super::escape::{count, number, text};

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 40.0;

/// A frame with axes from (0, 0) to the largest values, or of other ends.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    body: String,
}

/// Ends that are apart, whatever was found in a file.
fn apart((low, high): (f64, f64)) -> (f64, f64) {
    match (high - low).is_finite() {
        true if high > low => (low, high),
        true => (low - low.abs().max(1.0) * 1e-3, low + low.abs().max(1.0) * 1e-3),
        false => (0.0, 1.0),
    }
}

/// Round values between two ends.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    if !(high - low).is_finite() || high <= low || (low / (high - low)).abs() > 1e9 {
        return Vec::new();
    }
    let raw = (high - low) / 4.0;
    let size = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * size).find(|step| *step >= raw * 0.999).unwrap_or(raw);
    let first = (low / step - 1e-9).ceil() as i64;
    (first..first + 12).map(|n| n as f64 * step).take_while(|x| *x <= high + step * 1e-6).collect()
}

/// Where a value lies between two ends; what lies far outside, or nowhere, is at the first.
fn share(x: f64, (low, high): (f64, f64)) -> f64 {
    Some((x - low) / (high - low)).filter(|share| share.is_finite()).unwrap_or(0.0).clamp(-0.1, 1.1)
}

/// A tick's label, without trailing zeros.
pub(super) fn label(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-3 {
        return format!("{x:.1e}");
    }
    let text = format!("{x:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" { "0".into() } else { text.into() }
}

impl Frame {
    fn new(x: (f64, f64), y: (f64, f64), names: (&str, &str)) -> Self {
        let mut frame = Self { x: apart(x), y: apart(y), body: String::new() };
        let (x, y) = (frame.x, frame.y);
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for tick in ticks(x.0, x.1) {
            let at = frame.across(tick);
            frame.add(format!(r#"<line class="grid" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{bottom}"/>"#));
            frame.add(format!(
                r#"<text x="{at:.1}" y="{}" text-anchor="middle">{}</text>"#,
                bottom + 14.0,
                label(tick)
            ));
        }
        for tick in ticks(y.0, y.1) {
            let at = frame.up(tick);
            frame.add(format!(r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1}" y2="{at:.1}"/>"#));
            frame.add(format!(
                r#"<text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
                LEFT - 6.0,
                at + 4.0,
                label(tick)
            ));
        }
        let middle = (TOP + bottom) / 2.0;
        frame.add(format!(
            r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
            (LEFT + right) / 2.0,
            HEIGHT - 8.0,
            text(names.0)
        ));
        frame.add(format!(
            r#"<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{}</text>"#,
            text(names.1)
        ));
        frame
    }

    fn across(&self, x: f64) -> f64 {
        LEFT + share(x, self.x) * (WIDTH - LEFT - RIGHT)
    }

    fn up(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - share(y, self.y) * (HEIGHT - TOP - BOTTOM)
    }

    fn add(&mut self, part: String) {
        self.body.push_str(&part);
    }

    fn finish(self, says: &str) -> String {
        format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">{}</svg>"#, text(says), self.body)
    }
}

/// Predicted and observed rates beside the line on which both are equal.
pub(super) fn calibration(bins: &[CalibrationBin]) -> String {
    let most = bins.iter().map(|bin| bin.predicted.max(bin.observed)).fold(1e-6, f64::max) * 1.08;
    let most = if most > 0.6 { 1.0 } else { most };
    let mut frame = Frame::new((0.0, most), (0.0, most), ("predicted", "observed"));
    let (ends, zero) = ((frame.across(most), frame.up(most)), (frame.across(0.0), frame.up(0.0)));
    frame.add(format!(
        r#"<line class="soft-line" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
        zero.0, zero.1, ends.0, ends.1
    ));
    let place = |frame: &Frame, bin: &CalibrationBin| (frame.across(bin.predicted), frame.up(bin.observed));
    let point = |bin: &CalibrationBin| {
        let (x, y) = place(&frame, bin);
        format!("{x:.1},{y:.1}")
    };
    let line = bins.iter().map(point).collect::<Vec<_>>().join(" ");
    frame.add(format!(r#"<polyline points="{line}" fill="none" stroke="var(--c0)" stroke-width="1.5"/>"#));
    for bin in bins {
        let (x, y) = place(&frame, bin);
        let says = format!(
            "{} rows: predicted {}, observed {}",
            count(bin.rows as i64),
            number(bin.predicted),
            number(bin.observed)
        );
        frame.add(format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="var(--c0)"><title>{says}</title></circle>"#));
    }
    frame.finish("predicted against observed rates")
}

/// Probabilities by class, each as a share of its class.
pub(super) fn histogram(found: &ScoreHistogram) -> String {
    let share = |counts: &[u64]| -> Vec<f64> {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|n| *n as f64 / all).collect()
    };
    let (negatives, positives) = (share(&found.negatives), share(&found.positives));
    let most = negatives.iter().chain(&positives).copied().fold(1e-9, f64::max) * 1.05;
    let mut frame = Frame::new((found.low, found.high), (0.0, most), ("probability", "share of the class"));
    let width = (found.high - found.low) / found.negatives.len().max(1) as f64;
    for (colour, shares, counts) in [(0, &negatives, &found.negatives), (1, &positives, &found.positives)] {
        for (at, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let from = found.low + at as f64 * width;
            let (x, y) = (frame.across(from), frame.up(*share));
            let (across, tall) = (frame.across(from + width) - x, frame.up(0.0) - y);
            let says = format!(
                "{} to {}: {} rows of label {colour}",
                number(from),
                number(from + width),
                count(counts[at] as i64)
            );
            frame.add(format!(
                r#"<rect x="{x:.1}" y="{y:.1}" width="{across:.1}" height="{tall:.1}" fill="var(--c{colour})" fill-opacity=".5"><title>{says}</title></rect>"#
            ));
        }
    }
    frame.finish("probabilities by class")
}

/// A row of a table with bars.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) says: String,
}

/// A table with a bar a row, of values from `zero` on; those below stand out.
pub(super) fn bars(rows: &[Bar], zero: f64) -> String {
    let most = rows.iter().map(|row| (row.value - zero).abs()).fold(1e-12, f64::max);
    let row = |bar: &Bar| {
        let width = Some((bar.value - zero).abs() / most * 100.0).filter(|w| w.is_finite()).unwrap_or(0.0);
        let less = if bar.value < zero { " less" } else { "" };
        format!(
            r#"<tr><td><code>{}</code></td><td><div class="bar{less}" style="width:{width:.1}%"></div></td><td class="n">{}</td></tr>"#,
            text(&bar.name),
            text(&bar.says)
        )
    };
    format!(r#"<table class="bars"><tbody>{}</tbody></table>"#, rows.iter().map(row).collect::<String>())
}

/// A row of small bars.
pub(super) fn spark(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    let bar = |(at, n): (usize, &u64)| {
        let tall = (*n as f64 / most * 22.0).max(if *n > 0 { 1.0 } else { 0.0 });
        format!(r#"<rect x="{}" y="{:.1}" width="3" height="{tall:.1}" fill="var(--c0)"/>"#, at * 4, 22.0 - tall)
    };
    let width = counts.len() * 4;
    let all: String = counts.iter().enumerate().map(bar).collect();
    format!(
        r#"<svg viewBox="0 0 {width} 22" width="{width}" height="22" role="img" aria-label="lengths of vectors">{all}</svg>"#
    )
}

/// A point of a scatter plot.
pub(super) struct Dot {
    pub(super) at: (f64, f64),
    pub(super) colour: usize,
    pub(super) says: String,
}

/// Points in a plane, and a line through some of them.
pub(super) fn scatter(dots: &[Dot], through: &[(f64, f64)], names: (&str, &str)) -> String {
    let ends = |of: fn(&Dot) -> f64| {
        let (low, high) = dots.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        let room = ((high - low) * 0.06).max(low.abs().max(1e-6) * 1e-4);
        (low - room, high + room)
    };
    let mut frame = Frame::new(ends(|dot| dot.at.0), ends(|dot| dot.at.1), names);
    let line: Vec<String> =
        through.iter().map(|(x, y)| format!("{:.1},{:.1}", frame.across(*x), frame.up(*y))).collect();
    frame.add(format!(r#"<polyline class="soft-line" points="{}"/>"#, line.join(" ")));
    for dot in dots {
        let (x, y) = (frame.across(dot.at.0), frame.up(dot.at.1));
        frame.add(format!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="4.5" fill="var(--c{})"><title>{}</title></circle>"#,
            dot.colour % 8,
            text(&dot.says)
        ));
    }
    frame.finish(&format!("{} against {}", names.1, names.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.5, 1.0]);
        let found = ticks(0.031, 0.094);
        assert!(found.iter().all(|x| (0.031..=0.094).contains(x)) && found.len() >= 2, "{found:?}");
        assert_eq!((label(0.5), label(-0.0), label(20.0)), ("0.5".into(), "0".into(), "20".into()));
    }
}
