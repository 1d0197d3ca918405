//! Which releases of the plugin interface this host serves.

use super::inspect::Refusal;
use super::text;

/// The releases of the interface that this host serves, ascending. Within one of them, a plugin may want any patch.
const SUPPORTED: [(u32, u32); 1] = [(0, 1)];

/// The refusal of a plugin for a version that this host does not serve, with what to do about it.
pub(super) fn other_version(version: &str) -> Refusal {
    let serves = SUPPORTED.map(|(major, minor)| format!("{major}.{minor}.x")).join(", ");
    let reason =
        format!("it speaks version {} of the plugin interface; this portkeeper speaks {serves}", text::line(version));
    let [.., (major, minor)] = SUPPORTED;
    let is_newer = release(version).is_some_and(|(release, _)| release > (major, minor));
    let help = if is_newer {
        format!("update portkeeper, or build the plugin with portkeeper-plugin-sdk {major}.{minor}")
    } else {
        format!("get a newer release of the plugin, or build it with portkeeper-plugin-sdk {major}.{minor}")
    };
    Refusal::with_help(reason, help)
}

/// `0.1.0` and `0.1.7` are served by `0.1`.
pub(super) fn is_supported(version: &str) -> bool {
    release(version).is_some_and(|(release, _)| SUPPORTED.contains(&release))
}

/// Major and minor, and the patch, of a version without anything else.
fn release(version: &str) -> Option<((u32, u32), u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    let version = ((numbers.next()??, numbers.next()??), numbers.next()??);
    numbers.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_releases_of_a_supported_version_are_served() {
        assert!(is_supported("0.1.0") && is_supported("0.1.12"));
        for other in ["0.2.0", "1.0.0", "0.1", "0.1.0-rc1", "", "0.1.x"] {
            assert!(!is_supported(other), "{other}");
        }
    }

    #[test]
    fn another_version_is_refused_with_what_to_do() {
        for (version, advice) in
            [("0.2.0", "update portkeeper"), ("1.0.0", "update portkeeper"), ("0.0.9", "newer release")]
        {
            let refusal = other_version(version);
            assert!(refusal.reason.contains(version) && refusal.reason.contains("0.1.x"), "{}", refusal.reason);
            assert!(refusal.help.unwrap().contains(advice), "{version}");
        }
    }
}
