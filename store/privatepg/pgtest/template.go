package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
)

// ensureTemplate returns the name of the migrated template for these sources,
// making it when it is missing or when its making was interrupted.
func (c *cluster) ensureTemplate(ctx context.Context, migrate func(context.Context, string) error, sources []fs.FS) (string, error) {
	print, err := fingerprint(sources)
	if err != nil {
		return "", err
	}
	name := templatePrefix + print
	c.mu.Lock()
	defer c.mu.Unlock()
	// The owner's session holds the lock: dropped with it, should we be killed.
	if _, err := c.owner.Exec(ctx, "select pg_advisory_lock($1, 0)", int32(lockTemplate)); err != nil {
		return "", err
	}
	defer c.owner.Exec(ctx, "select pg_advisory_unlock($1, 0)", int32(lockTemplate))

	var done bool
	err = c.owner.QueryRow(ctx, "select datistemplate from pg_database where datname = $1", name).Scan(&done)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", err
	}
	if !done {
		if err := c.makeTemplate(ctx, name, migrate); err != nil {
			return "", err
		}
	}
	// The comment carries the time of the last use.
	_, err = c.owner.Exec(ctx, fmt.Sprintf(
		`do $$ begin execute format('comment on database %s is %%L', clock_timestamp()::text); end $$`, name))
	if err != nil {
		return "", err
	}
	return name, c.dropOldTemplates(ctx)
}

func (c *cluster) makeTemplate(ctx context.Context, name string, migrate func(context.Context, string) error) error {
	if err := c.dropDatabase(ctx, name); err != nil {
		return fmt.Errorf("remove the half-made template %s: %w", name, err)
	}
	if _, err := c.owner.Exec(ctx, "create database "+name+" template template0"); err != nil {
		return err
	}
	if err := migrate(ctx, c.urlOf(name)); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	// A connection that the migration forgot to close would fail every copy.
	_, err := c.owner.Exec(ctx, "alter database "+name+" with is_template true allow_connections false")
	if err != nil {
		return err
	}
	_, err = c.owner.Exec(ctx, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", name)
	return err
}

// dropOldTemplates keeps the most recently used ones.
func (c *cluster) dropOldTemplates(ctx context.Context) error {
	rows, err := c.owner.Query(ctx, `
		select datname from pg_database where datname like $1 || '%'
		order by shobj_description(oid, 'pg_database') desc nulls last offset $2`, templatePrefix, templatesKept)
	if err != nil {
		return err
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range old {
		if _, err := c.owner.Exec(ctx, "alter database "+name+" with is_template false"); err != nil {
			return err
		}
		if err := c.dropDatabase(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) urlOf(database string) string {
	config := c.admin.Config().ConnConfig
	u, err := url.Parse(config.ConnString())
	if err != nil || u.Scheme == "" { // "host=… dbname=…": the last one counts
		return config.ConnString() + " dbname=" + database
	}
	u.Path = "/" + database
	return u.String()
}

// fingerprint stands for what the migration does: the content of its files,
// or this very test binary when none are named.
func fingerprint(sources []fs.FS) (string, error) {
	h := sha256.New()
	for _, source := range sources {
		err := fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(source, path)
			fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	if len(sources) == 0 {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		f, err := os.Open(self)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := io.Copy(h, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
