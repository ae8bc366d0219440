package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"

	"recoup/store/privatepg"
)

const (
	// historyShards is permanent for a database: a later value is silently
	// ignored. With one shard every hop waits for the last; 8 keep an idle
	// stack fast on two cores.
	historyShards = 8
	// retention of closed workflows: as long as a collection may take.
	retention = 30 * 24 * time.Hour
	// namespaceRefresh bounds how long new search attributes stay unknown (2 s by default).
	namespaceRefresh = 500 * time.Millisecond

	clusterName       = "active"
	temporalLogMax    = 10 << 20 // bytes; a larger log starts over with the server
	temporalReadyWait = 60 * time.Second
	// temporalStopWait leaves Postgres its share of the 15 s in which the stack stops.
	temporalStopWait = 6 * time.Second
)

// TemporalOptions say where the embedded Temporal server keeps its data and listens.
type TemporalOptions struct {
	Postgres  *privatepg.Server
	Port      int    // of the frontend on 127.0.0.1; 0 takes a free one
	LogFile   string // warnings and errors, as JSON lines
	Namespace string // registered when missing
}

// Temporal is a Temporal server in this process, all four services of it.
type Temporal struct {
	server temporal.Server
	addr   string
}

// StartTemporal creates or upgrades the server's two databases, starts its
// services and returns when the namespace can be used. Killing the process at
// any moment is fine: the next start goes on with every workflow.
func StartTemporal(ctx context.Context, o TemporalOptions) (*Temporal, error) {
	logger, err := warningsTo(o.LogFile)
	if err != nil {
		return nil, err
	}
	if err := migrateTemporal(ctx, o.Postgres, logger); err != nil {
		return nil, err
	}
	hosts, err := serviceHosts(o.Port)
	if err != nil {
		return nil, err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(temporalConfig(o, hosts)),
		temporal.ForServices(temporal.DefaultServices),
		// One process needs no gossip; without it nothing waits for members
		// that a killed run left in the membership table.
		temporal.WithStaticHosts(hosts),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient{
			dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
			dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
			dynamicconfig.NamespaceCacheRefreshInterval.Key():       namespaceRefresh,
		}),
		temporal.WithLogger(logger),
	)
	if err != nil {
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start Temporal: %w (its log: %s)", err, o.LogFile)
	}
	t := &Temporal{server: server, addr: hosts[primitives.FrontendService].Self}
	if err := t.ensureNamespace(ctx, o.Namespace); err != nil {
		return nil, errors.Join(err, t.Stop(context.WithoutCancel(ctx)))
	}
	return t, nil
}

// Addr is the frontend's host:port, for TEMPORAL_ADDRESS.
func (t *Temporal) Addr() string { return t.addr }

// Stop lets the services finish what they do, for some seconds. The server
// may then hang on to a long poll; nothing is lost by leaving it.
func (t *Temporal) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, temporalStopWait)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- t.server.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return fmt.Errorf("stop Temporal: %w", ctx.Err())
	}
}

// ensureNamespace also proves that the server works: it needs every service
// but the worker, and both databases.
func (t *Temporal) ensureNamespace(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, temporalReadyWait)
	defer cancel()
	c, err := client.NewNamespaceClient(client.Options{HostPort: t.addr, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		err := c.Register(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace:                        name,
			Description:                      "collection cases of Recoup",
			WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		var exists *serviceerror.NamespaceAlreadyExists
		if err == nil || errors.As(err, &exists) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("register namespace %s: %w", name, err)
		case <-time.After(50 * time.Millisecond): // services come up one after the other
		}
	}
}

func temporalConfig(o TemporalOptions, hosts map[primitives.ServiceName]static.Hosts) *config.Config {
	services := map[string]config.Service{}
	for name, host := range hosts {
		_, port, _ := net.SplitHostPort(host.Self)
		number, _ := strconv.Atoi(port)
		services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: number, BindOnLocalHost: true}}
	}
	frontend := hosts[primitives.FrontendService].Self
	disabled := config.Archival{
		History:    config.HistoryArchival{State: config.ArchivalDisabled},
		Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
	}
	return &config.Config{
		Services: services,
		Persistence: config.Persistence{
			DefaultStore:     temporalDatabase,
			VisibilityStore:  visibilityDatabase,
			NumHistoryShards: historyShards,
			DataStores: map[string]config.DataStore{
				temporalDatabase:   {SQL: sqlConfig(o.Postgres, temporalDatabase)},
				visibilityDatabase: {SQL: sqlConfig(o.Postgres, visibilityDatabase)},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: frontend},
		Archival:            disabled,
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
	}
}

// serviceHosts gives every service a free port of its own, the frontend the wanted one.
func serviceHosts(frontendPort int) (map[primitives.ServiceName]static.Hosts, error) {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for _, name := range temporal.DefaultServices {
		port := frontendPort
		if name != string(primitives.FrontendService) || port == 0 {
			// All stay open until every port is known, so that none is given twice.
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			defer l.Close()
			port = l.Addr().(*net.TCPAddr).Port
		}
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	return hosts, nil
}

func warningsTo(file string) (log.Logger, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if st, err := os.Stat(file); err == nil && st.Size() > temporalLogMax {
		os.Remove(file)
	}
	return log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn", OutputFile: file})), nil
}

// quiet keeps the SDK from printing while the server is not up yet.
type quiet struct{}

var _ sdklog.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
