package devstack

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	v12 "go.temporal.io/server/schema/postgresql/v12"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"

	"recoup/store/privatepg"
)

const (
	temporalDatabase   = "temporal"
	visibilityDatabase = "temporal_visibility"

	// Four services have a pool each; the private server takes 200 connections.
	temporalConns     = 20
	temporalIdleConns = 5
)

// migrateTemporal brings the server's two databases to the schema that this
// version of the server embeds.
func migrateTemporal(ctx context.Context, pg *privatepg.Server, logger log.Logger) error {
	for _, d := range []struct{ database, schema, version string }{
		{temporalDatabase, "postgresql/v12/temporal", v12.Version},
		{visibilityDatabase, "postgresql/v12/visibility", v12.VisibilityVersion},
	} {
		if err := migrateDatabase(ctx, pg, logger, d.database, d.schema, d.version); err != nil {
			return fmt.Errorf("migrate Temporal's database %s: %w", d.database, err)
		}
	}
	return nil
}

// migrateDatabase upgrades an existing database version by version. A new one
// is set up under another name and renamed when whole: the set-up is many
// statements and cannot be repeated after a kill half-way.
func migrateDatabase(ctx context.Context, pg *privatepg.Server, logger log.Logger, database, schemaName, version string) error {
	admin, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		return err
	}
	defer admin.Close(ctx)
	var exists bool
	err = admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&exists)
	if err != nil {
		return err
	}
	if exists {
		return onDatabase(pg, logger, database, func(conn *sql.Connection) error {
			return schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{SchemaName: schemaName}, logger).Run()
		})
	}
	building := database + "_new"
	if _, err := admin.Exec(ctx, "drop database if exists "+building+" with (force)"); err != nil {
		return err
	}
	if _, err := admin.Exec(ctx, "create database "+building); err != nil {
		return err
	}
	err = onDatabase(pg, logger, building, func(conn *sql.Connection) error {
		setup := &schema.SetupConfig{SchemaName: schemaName, InitialVersion: version}
		if err := schema.NewSetupSchemaTask(conn, setup, logger).Run(); err != nil {
			return err
		}
		// The version row names the database it is of.
		return conn.Exec("update schema_version set db_name = $1", database)
	})
	if err != nil {
		return err
	}
	_, err = admin.Exec(ctx, "alter database "+building+" rename to "+database)
	return err
}

func onDatabase(pg *privatepg.Server, logger log.Logger, database string, do func(*sql.Connection) error) error {
	conn, err := sql.NewConnection(sqlConfig(pg, database), logger)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

func sqlConfig(pg *privatepg.Server, database string) *config.SQL {
	return &config.SQL{
		PluginName:      postgresql.PluginNamePGX,
		DatabaseName:    database,
		ConnectAddr:     pg.Addr(),
		ConnectProtocol: "tcp",
		User:            privatepg.User,
		Password:        pg.Password(),
		MaxConns:        temporalConns,
		MaxIdleConns:    temporalIdleConns,
	}
}
