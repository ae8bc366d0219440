package main

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeFile is what docker-compose.yml says, as far as it can be held against the binary without a container engine.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Build       any               `yaml:"build"`
	Command     []string          `yaml:"command"`
	Restart     string            `yaml:"restart"`
	ReadOnly    bool              `yaml:"read_only"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Healthcheck *struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	data, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var f composeFile
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&f); err != nil {
		t.Fatal(err)
	}
	if len(f.Services) < 8 {
		t.Fatalf("%d services were read: the test has lost its sight", len(f.Services))
	}
	return f
}

// TestComposeRunsCommandsThatExist holds every command and variable of our own services against the binary.
func TestComposeRunsCommandsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, s := range configSections() {
		for _, v := range variables(reflect.TypeOf(s.config)) {
			known[v.name] = true
		}
	}
	for _, v := range temporalVariables {
		known[v.name] = true
	}
	ran := map[string]bool{}
	for name, s := range readCompose(t).Services {
		if s.Image != "recoup:dev" {
			continue
		}
		command, rest, err := rootCommand().Find(s.Command)
		if err != nil || !command.HasParent() || !command.Runnable() {
			t.Errorf("%s runs %v, which is no command: %v", name, s.Command, err)
			continue
		}
		if err := command.Args(command, rest); err != nil {
			t.Errorf("%s runs %v: %v", name, s.Command, err)
		}
		ran[command.Name()] = true
		for variable := range s.Environment {
			if !known[variable] {
				t.Errorf("%s sets %s, which recoup config does not know", name, variable)
			}
		}
	}
	for _, want := range []string{"migrate", "worker", "starter", "console", "webhooks", "simulator"} {
		if !ran[want] {
			t.Errorf("no service runs recoup %s", want)
		}
	}
}

// TestComposeSetsWhatIsRequired: a process with a missing variable would not start.
func TestComposeSetsWhatIsRequired(t *testing.T) {
	needs := map[string][]string{
		"worker": {"worker, starter", "Every process"}, "starter": {"worker, starter", "Every process"},
		"simulator": {"simulator"}, "console": {"console", "Every process"},
		"webhooks": {"webhooks (with RECOUP_STRIPE_…)", "worker, starter", "Every process"},
	}
	services := readCompose(t).Services
	for name, sections := range needs {
		for _, s := range configSections() {
			if !slices.Contains(sections, s.name) {
				continue
			}
			for _, v := range variables(reflect.TypeOf(s.config)) {
				if _, set := services[name].Environment[v.name]; v.fallback == "(required)" && !set {
					t.Errorf("%s does not set %s", name, v.name)
				}
			}
		}
	}
}

var pinned = regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?$`)

// TestComposeHangsTogether: dependencies exist and can be waited for, ports differ and stay on this machine, images are pinned, roots are read-only,
// mounted files exist.
func TestComposeHangsTogether(t *testing.T) {
	f := readCompose(t)
	published := map[string]string{}
	for name, s := range f.Services {
		for other, d := range s.DependsOn {
			if problem := unwaitable(f.Services, other, d.Condition); problem != "" {
				t.Errorf("%s waits for %s: %s", name, other, problem)
			}
		}
		for _, p := range s.Ports {
			parts := strings.Split(p, ":")
			if len(parts) != 3 || parts[0] != "127.0.0.1" {
				t.Errorf("%s publishes %s: want 127.0.0.1:PORT:PORT", name, p)
				continue
			}
			if before := published[parts[1]]; before != "" {
				t.Errorf("%s and %s publish port %s", name, before, parts[1])
			}
			published[parts[1]] = name
		}
		if s.Image != "recoup:dev" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned to a version", name, s.Image)
		}
		if s.Restart == "" || !s.ReadOnly {
			t.Errorf("%s: want a restart policy and a read-only root", name)
		}
		for _, v := range s.Volumes {
			if problem := unmountable(f, v); problem != "" {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
}

func unwaitable(services map[string]composeService, name, condition string) string {
	s, ok := services[name]
	once := strings.HasPrefix(s.Restart, "on-failure")
	switch {
	case !ok:
		return "there is no such service"
	case condition == "service_healthy" && (s.Healthcheck == nil || len(s.Healthcheck.Test) == 0):
		return "it has no health check"
	case condition == "service_completed_successfully" && !once:
		return fmt.Sprintf("it never completes (restart: %s)", s.Restart)
	case condition != "service_healthy" && condition != "service_completed_successfully":
		return "condition " + condition
	}
	return ""
}

func unmountable(f composeFile, volume string) string {
	source, _, _ := strings.Cut(volume, ":")
	if !strings.HasPrefix(source, "./") {
		if _, ok := f.Volumes[source]; !ok {
			return "volume " + source + " is not declared"
		}
		return ""
	}
	if _, err := os.Stat("../../" + source); err != nil {
		return err.Error()
	}
	return ""
}

// TestComposeMistakesAreSeen proves that the checks above can fail.
func TestComposeMistakesAreSeen(t *testing.T) {
	services := map[string]composeService{"once": {Restart: "on-failure:5"}, "always": {Restart: "unless-stopped"}}
	for _, c := range [][2]string{
		{"nobody", "service_healthy"}, {"always", "service_healthy"}, {"always", "service_completed_successfully"}, {"once", "service_started"},
	} {
		if unwaitable(services, c[0], c[1]) == "" {
			t.Errorf("waiting for %s (%s) was taken", c[0], c[1])
		}
	}
	if unmountable(composeFile{}, "data:/x") == "" || unmountable(composeFile{}, "./nowhere:/x") == "" {
		t.Error("a volume that does not exist was taken")
	}
	if pinned.MatchString("postgres:latest") || pinned.MatchString("postgres") {
		t.Error("an image that is not pinned was taken")
	}
}
