package privatepg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ensureCluster makes the cluster in o.DataDir unless there is one that these
// binaries can serve. It reports whether it made one.
func ensureCluster(ctx context.Context, bin binaries, who account, o Options) (fresh bool, err error) {
	major, err := clusterMajor(o.DataDir)
	if err != nil {
		return false, err
	}
	switch {
	case major == bin.major:
		return false, who.own(o.DataDir)
	case major != "" && o.Disposable:
		if err := os.RemoveAll(o.DataDir); err != nil {
			return false, err
		}
	case major != "":
		return false, fmt.Errorf("the data is of Postgres %s, the binaries in %s are of %s; install Postgres %s, or move the directory away to begin anew",
			major, bin.dir, bin.major, major)
	}
	return true, initCluster(ctx, bin, who, o)
}

// clusterMajor is the major version of the cluster in dir, "" when dir is
// missing or empty. Anything else in dir is an error: it is not ours to touch.
func clusterMajor(dir string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s holds other files than Postgres data; name another directory", dir)
	}
	return "", nil
}

// initCluster runs initdb beside the final place and renames, so that a
// cluster that was interrupted half-way is never taken for a whole one.
func initCluster(ctx context.Context, bin binaries, who account, o Options) error {
	building := o.DataDir + ".new"
	if err := os.RemoveAll(building); err != nil {
		return err
	}
	if err := os.Mkdir(building, 0o700); err != nil {
		return err
	}
	passwordFile := o.DataDir + ".password"
	if err := os.WriteFile(passwordFile, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(passwordFile)
	if err := errors.Join(who.own(building), who.own(passwordFile)); err != nil {
		return err
	}
	args := []string{"-D", building, "-U", User, "-E", "UTF8", "--locale=C", "--auth=scram-sha-256", "--pwfile=" + passwordFile}
	if o.Disposable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...)
	cmd.Dir = "/" // ours may be closed to the account
	cmd.Env = childEnv()
	cmd.SysProcAttr = who.attr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", cmd.Path, err, strings.TrimSpace(string(out)))
	}
	if err := os.Rename(passwordFile, filepath.Join(building, passwordName)); err != nil {
		return err
	}
	os.Remove(o.DataDir) // an empty directory may be there
	return os.Rename(building, o.DataDir)
}

const passwordName = "recoup.password"

func readPassword(dataDir string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dataDir, passwordName))
	if err != nil {
		return "", fmt.Errorf("the cluster was not made by this program: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// childEnv keeps PGDATA, PGOPTIONS and the like of the developer's own
// Postgres away from ours.
func childEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
