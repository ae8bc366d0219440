package devstack

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Export makes a setting known to the parts that follow, and to shells by the
// file [Stack.EnvFile].
func (s *Stack) Export(name, value string) { s.env[name] = value }

// Env is what Export was told so far.
func (s *Stack) Env() map[string]string { return maps.Clone(s.env) }

// EnvFile is what `. FILE` reads so that commands in that shell talk to this stack.
func (s *Stack) EnvFile() string { return s.Path("env") }

// writeEnv replaces the file at once: a shell may read it while parts start.
// Only its owner may, as the database's password is in it.
func (s *Stack) writeEnv() error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Points the recoup command at the development stack: . %s\n", s.EnvFile())
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, shellQuote(s.env[name]))
	}
	aside := s.EnvFile() + ".new"
	if err := os.WriteFile(aside, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(aside, s.EnvFile())
}

func shellQuote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
