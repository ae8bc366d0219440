package privatepg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// BinEnv names the environment variable that points to the directory with
// initdb and postgres, and wins over every other place.
const BinEnv = "RECOUP_POSTGRES_BIN"

// minMajor: `drop database … with (force)` and friends begin with 13.
const minMajor = 13

// binaries is a directory with initdb and postgres.
type binaries struct {
	dir   string
	major string
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// findBinaries looks where Postgres usually is, preferring the version that
// made the cluster in dataDir, and downloads it as the last resort.
func findBinaries(ctx context.Context, dataDir string, disposable bool) (binaries, error) {
	if dir := os.Getenv(BinEnv); dir != "" {
		b, err := probe(ctx, dir)
		if err != nil {
			return binaries{}, fmt.Errorf("%w in %s=%s: %w", ErrNoBinaries, BinEnv, dir, err)
		}
		return b, nil
	}
	var found []binaries
	for _, dir := range usualDirs() {
		if b, err := probe(ctx, dir); err == nil {
			found = append(found, b)
		}
	}
	if made, err := clusterMajor(dataDir); err == nil && made != "" && !disposable {
		if i := slices.IndexFunc(found, func(b binaries) bool { return b.major == made }); i >= 0 {
			return found[i], nil
		}
	}
	if len(found) > 0 {
		return found[0], nil
	}
	cache, err := downloadCache()
	if err != nil {
		return binaries{}, err
	}
	b, err := download(ctx, cache, os.Getenv(repositoryEnv))
	if err != nil {
		return binaries{}, fmt.Errorf("%w: install it (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), "+
			"or set %s to the directory with initdb and postgres; downloading it failed: %w", ErrNoBinaries, BinEnv, err)
	}
	return b, nil
}

// usualDirs are PATH's first, then the packages' own directories, newest first.
func usualDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // postgresql.org's RPMs
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew
		"/usr/local/opt/postgresql*/bin",
	} {
		matches, _ := filepath.Glob(pattern)
		slices.SortFunc(matches, func(a, b string) int { return -cmp.Compare(lastNumber(a), lastNumber(b)) })
		dirs = append(dirs, matches...)
	}
	return dirs
}

var numbers = regexp.MustCompile(`\d+`)

func lastNumber(path string) int {
	all := numbers.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1])
	return n
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe accepts dir when it holds initdb and a postgres new enough.
func probe(ctx context.Context, dir string) (binaries, error) {
	b := binaries{dir: dir}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(b.path(name)); err != nil {
			return binaries{}, err
		}
	}
	// A link such as /usr/local/bin/postgres finds its share directory by the link's target.
	out, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output()
	if err != nil {
		return binaries{}, err
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return binaries{}, fmt.Errorf("%s --version says %q", b.path("postgres"), out)
	}
	b.major = string(m[1])
	if n, _ := strconv.Atoi(b.major); n < minMajor {
		return binaries{}, fmt.Errorf("%s is Postgres %s; %d or newer is needed", dir, b.major, minMajor)
	}
	return b, nil
}

// repositoryEnv names a mirror of the library's own repository, for networks that cannot reach that.
const repositoryEnv = "RECOUP_POSTGRES_REPOSITORY"

// downloadCache is where downloaded builds stay. Root's own cache is closed to
// the user who runs the server.
func downloadCache() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/recoup", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "recoup"), err
}

// download fetches a Postgres build into cache, once. The library has no call
// that only downloads: a throwaway start does it, and whatever comes after the
// extraction (as root, initdb's refusal) does not matter.
func download(ctx context.Context, cache, repository string) (binaries, error) {
	version := embeddedpostgres.V17
	root := filepath.Join(cache, "postgres-"+string(version)+"-"+runtime.GOARCH)
	if b, err := probe(ctx, filepath.Join(root, "bin")); err == nil {
		return b, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return binaries{}, err
	}
	scratch, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return binaries{}, err
	}
	defer os.RemoveAll(scratch)
	port, err := freePort()
	if err != nil {
		return binaries{}, err
	}
	unpacked := filepath.Join(scratch, "unpacked")
	config := embeddedpostgres.DefaultConfig()
	if repository != "" {
		config = config.BinaryRepositoryURL(repository)
	}
	throwaway := embeddedpostgres.NewDatabase(config.Version(version).Port(uint32(port)).Logger(io.Discard).
		CachePath(scratch).RuntimePath(filepath.Join(scratch, "run")).BinariesPath(unpacked))
	startErr := throwaway.Start()
	if startErr == nil {
		throwaway.Stop()
	}
	if _, err := probe(ctx, filepath.Join(unpacked, "bin")); err != nil {
		return binaries{}, errors.Join(startErr, err)
	}
	os.RemoveAll(root) // a broken one
	if err := os.Rename(unpacked, root); err != nil {
		return binaries{}, err
	}
	return probe(ctx, filepath.Join(root, "bin"))
}
