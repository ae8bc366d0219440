package privatepg

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// The repository has zonky's layout; its archive holds scripts that only say
// their version (testdata/pretended.txz).
func TestDownloadIsKept(t *testing.T) {
	archive, err := os.ReadFile("testdata/pretended.txz")
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	f, err := w.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	f.Write(archive)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		asked++
		w.Write(jar.Bytes())
	}))
	defer repository.Close()

	cache := t.TempDir()
	for range 2 {
		b, err := download(t.Context(), cache, repository.URL)
		if err != nil || b.major != "17" || !strings.HasPrefix(b.dir, cache) {
			t.Fatalf("got %+v, %v", b, err)
		}
	}
	if asked != 1 {
		t.Errorf("downloaded %d times, want once", asked)
	}
	entries, err := os.ReadDir(cache)
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, want the build alone (%v)", entries, err)
	}
}

func TestNoBinariesAndNoNetwork(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(repositoryEnv, "http://127.0.0.1:1")
	if len(usualDirs()) > 1 { // packages installed on this machine are found, and that is right
		if b, err := findBinaries(t.Context(), t.TempDir(), false); err != nil || b.dir != usualDirs()[1] {
			t.Errorf("got %+v, %v; want the newest package", b, err)
		}
	}
	if b, err := download(t.Context(), t.TempDir(), os.Getenv(repositoryEnv)); err == nil {
		t.Errorf("got %+v from nowhere", b)
	}
}

func TestNewestPackageFirst(t *testing.T) {
	if lastNumber("/usr/lib/postgresql/9/bin") >= lastNumber("/usr/lib/postgresql/17/bin") {
		t.Error("9 sorts before 17 as text; it must not here")
	}
}
