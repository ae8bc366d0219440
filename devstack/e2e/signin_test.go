package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// signIn goes through the development provider's page as a browser does, and returns that browser.
func (s *stack) signIn(t *testing.T, as string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	asked, _ := fetch(t, func() (*http.Response, error) { return browser.Get(s.env["RECOUP_CONSOLE_URL"] + "/notices") })
	landed, body := fetch(t, func() (*http.Response, error) { //nolint:bodyclose // fetch closes it
		return browser.PostForm(asked.Request.URL.String(), url.Values{"as": {as}})
	})
	if landed.StatusCode != http.StatusOK || landed.Request.URL.Path != "/notices" {
		t.Fatalf("signing in as %s led to %s: %s\n%s", as, landed.Request.URL, landed.Status, text(body))
	}
	return browser
}

// makeToken makes the token by which the tests read the console's JSON, as a person at a shell would.
func (s *stack) makeToken(ctx context.Context) (string, error) {
	bin, err := build()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin.recoup, "token", "create", "--name", "e2e", "--scope", "cases.read,accounts.read", "--expires", "1d")
	cmd.Env = append(cleanEnv(), "DATABASE_URL="+s.env["DATABASE_URL"])
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("recoup token create: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// api reads JSON from the console with the stack's token.
func api[T any](s *stack, path string) (T, error) {
	var v T
	r, err := http.NewRequest(http.MethodGet, s.env["RECOUP_CONSOLE_URL"]+path, nil)
	if err != nil {
		return v, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	res, err := web.Do(r)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return v, err
	}
	if res.StatusCode != http.StatusOK {
		return v, fmt.Errorf("GET %s: %s: %s", path, res.Status, body)
	}
	return v, json.Unmarshal(body, &v)
}
