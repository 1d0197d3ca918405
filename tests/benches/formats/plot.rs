//! The measurements as a picture: one panel for each format, both axes logarithmic.

use std::fmt::Write;

use crate::Measured;
use crate::files::{KEYS, LINES, TYPES};

const PANEL: (f64, f64) = (250.0, 190.0);
const MARGIN: (f64, f64) = (62.0, 46.0);
/// Milliseconds, as powers of ten.
const TIMES: (f64, f64) = (-2.0, 4.5);
const COLORS: [&str; 3] = ["#1b7f5c", "#2b5fa8", "#b5502a"];

pub(crate) fn svg(all: &[Measured]) -> String {
    let columns = 2.0;
    let (width, height) = (columns * (PANEL.0 + MARGIN.0) + 20.0, 2.0 * (PANEL.1 + MARGIN.1) + 44.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, format) in TYPES.iter().enumerate() {
        let (column, row) = ((index % 2) as f64, (index / 2) as f64);
        let origin = (MARGIN.0 + column * (PANEL.0 + MARGIN.0), 26.0 + row * (PANEL.1 + MARGIN.1));
        panel(&mut text, format, origin, all);
    }
    for (index, keys) in KEYS.iter().enumerate() {
        let x = MARGIN.0 + index as f64 * 90.0;
        let y = height - 12.0;
        let _ = writeln!(
            text,
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{keys} {}</text>",
            x + 18.0,
            COLORS[index],
            x + 23.0,
            y + 4.0,
            if *keys == 1 { "key" } else { "keys" }
        );
    }
    text + "</svg>\n"
}

fn panel(text: &mut String, format: &str, (left, top): (f64, f64), all: &[Measured]) {
    let smallest = (LINES[0] as f64).log10();
    let largest = (LINES[LINES.len() - 1] as f64).log10();
    let x = |lines: usize| left + ((lines as f64).log10() - smallest) / (largest - smallest) * PANEL.0;
    let y = |milliseconds: f64| {
        let at = (milliseconds.log10() - TIMES.0) / (TIMES.1 - TIMES.0);
        top + PANEL.1 * (1.0 - at.clamp(0.0, 1.0))
    };
    let _ = writeln!(
        text,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{format}</text>\n\
         <rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>",
        top - 7.0,
        PANEL.0,
        PANEL.1
    );
    for (milliseconds, label) in
        [(0.1, "0.1 ms"), (1.0, "1 ms"), (10.0, "10 ms"), (100.0, "0.1 s"), (1e3, "1 s"), (1e4, "10 s")]
    {
        let at = y(milliseconds);
        let _ = writeln!(
            text,
            "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            left + PANEL.0,
            left - 5.0,
            at + 4.0
        );
    }
    for lines in LINES {
        let (at, below) = (x(lines), top + PANEL.1 + 14.0);
        let _ = writeln!(text, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{lines}</text>");
    }
    for (keys, color) in KEYS.iter().zip(COLORS) {
        let taken = all.iter().filter(|one| one.format == format && one.keys == *keys);
        let points: Vec<_> = taken
            .filter_map(|one| Some((x(one.lines), y(one.result.as_ref().ok()?.time.as_secs_f64() * 1e3))))
            .collect();
        let line: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{color}\"/>");
        }
    }
}
