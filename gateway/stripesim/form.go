package stripesim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is a request's parameters in Stripe's form encoding: nested names in brackets, lists as name[] or name[0].
type form struct{ url.Values }

// readForm parses query and body. The body is small by nature: 64 kB.
func readForm(w http.ResponseWriter, r *http.Request) (form, *apiError) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return form{}, invalidRequest("", "", "Invalid request: unable to parse the form-encoded body.")
	}
	return form{r.Form}, nil
}

// only refuses parameters whose first name is not known, as Stripe does.
func (f form) only(known ...string) *apiError {
	for name := range f.Values {
		first, _, _ := strings.Cut(name, "[")
		if first != "expand" && !slices.Contains(known, first) {
			return invalidRequest("parameter_unknown", name, fmt.Sprintf("Received unknown parameter: %s", name))
		}
	}
	return nil
}

func (f form) str(name string) string { return strings.TrimSpace(f.Get(name)) }

func (f form) yes(name string) bool { return f.Get(name) == "true" }

// positive reads a required whole number above zero.
func (f form) positive(name string) (int64, *apiError) {
	raw := f.str(name)
	if raw == "" {
		return 0, invalidRequest("parameter_missing", name, fmt.Sprintf("Missing required param: %s.", name))
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return 0, invalidRequest("parameter_invalid_integer", name, fmt.Sprintf("Invalid integer: %s", raw))
	}
	if n <= 0 {
		return 0, invalidRequest("parameter_invalid_integer", name, "This value must be greater than or equal to 1.")
	}
	return n, nil
}

// limit reads a list's page size: 10 unless told, at most 100.
func (f form) limit() (int, *apiError) {
	if f.str("limit") == "" {
		return 10, nil
	}
	n, err := strconv.Atoi(f.str("limit"))
	if err != nil || n < 1 || n > 100 {
		return 0, invalidRequest("parameter_invalid_integer", "limit", "This value must be between 1 and 100.")
	}
	return n, nil
}

// metadata reads metadata[key]=value; Stripe's limits are 50 keys, 40 and 500 characters.
func (f form) metadata() (map[string]string, *apiError) {
	out := map[string]string{}
	for name, values := range f.Values {
		key, ok := strings.CutPrefix(name, "metadata[")
		if !ok || !strings.HasSuffix(key, "]") || len(values) == 0 || values[0] == "" {
			continue
		}
		key = strings.TrimSuffix(key, "]")
		if len(key) > 40 || len(values[0]) > 500 || len(out) == 50 {
			return nil, invalidRequest("", "metadata", "Metadata can have up to 50 keys of 40 characters with values of 500 characters.")
		}
		out[key] = values[0]
	}
	return out, nil
}

// list reads name[]=a&name[]=b or name[0]=a&name[1]=b, in order.
func (f form) list(name string) []string {
	out := slices.Clone(f.Values[name+"[]"])
	for i := 0; ; i++ {
		v, ok := f.Values[name+"["+strconv.Itoa(i)+"]"]
		if !ok {
			return out
		}
		out = append(out, v...)
	}
}

func (f form) expands(field string) bool {
	return slices.Contains(f.list("expand"), field) || slices.Contains(f.list("expand"), "data."+field)
}

// created reads created=N or created[gte]=N and the like into bounds; zero times are open ends.
func (f form) created() (from, before time.Time, bad *apiError) {
	for op, shift := range map[string]int64{"gte": 0, "gt": 1, "lte": 1, "lt": 0} {
		raw := f.str("created[" + op + "]")
		if raw == "" {
			continue
		}
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			return from, before, invalidRequest("parameter_invalid_integer", "created", fmt.Sprintf("Invalid integer: %s", raw))
		}
		if op[0] == 'g' {
			from = time.Unix(n+shift, 0)
		} else {
			before = time.Unix(n+shift, 0)
		}
	}
	return from, before, nil
}

// canonical is what the idempotency layer compares: all parameters in a fixed order.
func (f form) canonical() string { return f.Encode() }
