package console

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"recoup/money"
)

// takeAmount reads and removes an amount.
func (c *console) takeAmount(data eventData, name string) string {
	raw, ok := data[name]
	if !ok {
		return ""
	}
	var a money.Amount
	if json.Unmarshal(raw, &a) != nil || a.Currency().Code() == "" {
		return ""
	}
	delete(data, name)
	return c.money(a)
}

// details shows what is left of an event's data, by name.
func (c *console) details(data eventData, zone string) [][2]string {
	names := make([]string, 0, len(data))
	for name := range data {
		names = append(names, name)
	}
	sort.Strings(names)
	var out [][2]string
	for _, name := range names {
		text := c.takeAmount(data, name)
		if text == "" {
			text = data.text(name)
		}
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			m := c.moment(at, zone, false)
			text = m.Text + " " + m.Zone
		}
		out = append(out, [2]string{sentence(name), text})
	}
	return nonEmpty(out)
}

func nonEmpty(pairs [][2]string) [][2]string {
	var out [][2]string
	for _, p := range pairs {
		if p[1] != "" && p[1] != "null" {
			out = append(out, p)
		}
	}
	return out
}

// eventData is an event's JSON object.
type eventData map[string]json.RawMessage

func readData(raw json.RawMessage) eventData {
	data := eventData{}
	if json.Unmarshal(raw, &data) != nil || data == nil {
		return eventData{} // what isn't an object has no details
	}
	return data
}

// text is a value in words: strings bare, lists joined, everything else as JSON.
func (d eventData) text(name string) string {
	raw, ok := d[name]
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ", ")
	}
	return string(raw)
}

// take reads and removes a value, so that what remains are details.
func (d eventData) take(name string) string {
	text := d.text(name)
	delete(d, name)
	return text
}

// policy reads and removes a policy and its version.
func (d eventData) policy(name string) string {
	var p struct {
		Policy  string
		Version int
	}
	if json.Unmarshal(d[name], &p) != nil {
		return d.take(name)
	}
	delete(d, name)
	return fmt.Sprintf("%s %d", p.Policy, p.Version)
}
