//! Patterns of paths to leave out, as `.gitignore` and `.dvcignore` write them.

/// Holds patterns, of which the last that fits decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    /// The folder whose file has it, below the root; empty for the root.
    base: String,
    /// Its parts; one part that is not anchored fits a name in any folder.
    parts: Vec<String>,
    is_anchored: bool,
    only_folders: bool,
    takes_back: bool,
}

impl Ignore {
    /// Adds the patterns of a file in the folder `base`.
    pub(crate) fn add(&mut self, base: &str, text: &str) {
        self.patterns.extend(text.lines().filter_map(|line| Pattern::read(base, line.trim())));
    }

    /// Says whether what lies at a path is left out, by itself; whether a folder above it is, the caller has asked.
    pub(crate) fn leaves_out(&self, path: &str, is_folder: bool) -> bool {
        let fits = |pattern: &&Pattern| pattern.fits(path, is_folder);
        self.patterns.iter().rev().find(fits).is_some_and(|pattern| !pattern.takes_back)
    }

    /// Says whether a path, or a folder above it, is left out.
    pub(crate) fn leaves_out_whole(&self, path: &str, is_folder: bool) -> bool {
        let above = path.match_indices('/').any(|(end, _)| self.leaves_out(&path[..end], true));
        above || self.leaves_out(path, is_folder)
    }
}

impl Pattern {
    fn read(base: &str, line: &str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (takes_back, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (only_folders, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let is_anchored = line.contains('/');
        let parts: Vec<String> = line.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (!parts.is_empty()).then(|| Self { base: base.to_owned(), parts, is_anchored, only_folders, takes_back })
    }

    fn fits(&self, path: &str, is_folder: bool) -> bool {
        if self.only_folders && !is_folder {
            return false;
        }
        let below = if self.base.is_empty() {
            Some(path)
        } else {
            path.strip_prefix(&self.base).and_then(|rest| rest.strip_prefix('/'))
        };
        let Some(below) = below else { return false };
        if self.is_anchored {
            parts_fit(&self.parts, &below.split('/').collect::<Vec<_>>())
        } else {
            let name = below.rsplit('/').next().unwrap_or(below);
            self.parts.first().is_some_and(|part| part_fits(part, name))
        }
    }
}

fn parts_fit(pattern: &[String], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => {
            if rest.is_empty() {
                !path.is_empty()
            } else {
                (0..path.len()).any(|skip| parts_fit(rest, &path[skip..]))
            }
        }
        Some((first, rest)) => {
            path.split_first().is_some_and(|(name, below)| part_fits(first, name) && parts_fit(rest, below))
        }
    }
}

fn part_fits(pattern: &str, name: &str) -> bool {
    if !pattern.contains(['*', '?', '[', '\\']) {
        return pattern == name;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last star was, and what it has taken: only that one is ever tried anew.
    let (mut at, mut of, mut star) = (0, 0, None);
    while of < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, of));
            at += 1;
        } else if let Some(length) = letter_fits(&pattern[at.min(pattern.len())..], name[of]) {
            at += length;
            of += 1;
        } else if let Some((before, taken)) = star {
            (at, of) = (before + 1, taken + 1);
            star = Some((before, taken + 1));
        } else {
            return false;
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|c| *c == '*')
}

/// Says how long the beginning of the pattern is that stands for one letter, where it stands for this one.
fn letter_fits(pattern: &[char], letter: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == letter).then_some(2),
        ['[', rest @ ..] => {
            let negated = matches!(rest.first(), Some('!' | '^'));
            let start = usize::from(negated);
            // A bracket that comes first stands for itself.
            let end = rest.iter().skip(start + 1).position(|c| *c == ']')? + start + 1;
            let set = &rest[start..end];
            let mut found = false;
            let mut at = 0;
            while at < set.len() {
                match set[at..] {
                    [low, '-', high, ..] => {
                        found |= (low..=high).contains(&letter);
                        at += 3;
                    }
                    [one, ..] => {
                        found |= one == letter;
                        at += 1;
                    }
                    [] => {}
                }
            }
            (found != negated).then_some(end + 2)
        }
        [one, ..] => (*one == letter).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    #[test]
    fn patterns_mean_what_git_means() {
        let leaves_out = |patterns: &str, path: &str| {
            let mut ignore = Ignore::default();
            ignore.add("", patterns);
            ignore.leaves_out_whole(path.trim_end_matches('/'), path.ends_with('/'))
        };
        for (patterns, path, expected) in [
            ("*.tmp", "a/b.tmp", true),
            ("*.tmp", "a/b.tmpx", false),
            ("/a", "a", true),
            ("/a", "b/a", false),
            ("a/b", "a/b/c", true),
            ("a/b", "c/a/b", false),
            ("a/", "a", false),
            ("a/", "a/", true),
            ("a/", "x/a/b", true),
            ("**/a", "x/y/a", true),
            ("a/**", "a", false),
            ("a/**", "a/b/c", true),
            ("a/**/d", "a/d", true),
            ("a/**/d", "a/b/c/d", true),
            ("*\n!keep", "keep", false),
            ("*\n!keep", "other", true),
            ("# a\n\n\\#b", "#b", true),
            ("[a-c]?", "bx", true),
            ("[!a-c]?", "bx", false),
            ("[]]", "]", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
        ] {
            assert_eq!(leaves_out(patterns, path), expected, "{patterns:?} {path}");
        }
        let mut ignore = Ignore::default();
        ignore.add("sub", "/x\ny");
        assert!(ignore.leaves_out("sub/x", false) && ignore.leaves_out("sub/d/y", false));
        assert!(
            !ignore.leaves_out("x", false) && !ignore.leaves_out("subx", false) && !ignore.leaves_out("sub/d/x", false)
        );
    }
}
