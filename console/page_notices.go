package console

import (
	"fmt"
	"net/http"
	"net/url"

	"recoup/billing"
	"recoup/store"
)

type noticesContent struct {
	Filter store.NoticeFilter
	Rows   []noticeRow
	Unread int
	More   string
	First  string
	All    string // links that take the unread filter off and put it on
	Only   string
}

type noticeRow struct {
	store.NoticeView
	Title  string
	Where  string
	Badge  badge
	Path   string
	Case   string
	At     moment
	Unread bool
	Ways   []noticeWay // what became of it on each channel; only where they are grouped
}

// noticeWay is a notice on one channel.
type noticeWay struct {
	Where, Problem string
	Badge          badge
}

// groupNotices tells of each notice once, with every channel it went out on.
func (c *console) groupNotices(notices []store.NoticeView) []noticeRow {
	place := map[[3]string]int{}
	var rows []noticeRow
	for _, n := range notices {
		row := c.noticeRow(n)
		key := [3]string{string(n.Case), n.Kind, n.Occasion}
		at, seen := place[key]
		if !seen {
			at = len(rows)
			place[key] = at
			rows = append(rows, row)
		}
		if rows[at].Path == "" {
			rows[at].Path = row.Path
		}
		rows[at].Ways = append(rows[at].Ways, noticeWay{row.Where, n.Problem, row.Badge})
	}
	return rows
}

var noticeBadges = map[string]badge{
	"queued": {"Queued", "blue"}, "sending": {"Being sent", "blue"}, "sent": {"Sent", "green"}, "failed": {"Failed", "red"},
	"suppressed": {"Suppressed", "grey"},
}

func (c *console) noticeRow(n store.NoticeView) noticeRow {
	row := noticeRow{NoticeView: n, Title: n.Subject, Badge: noticeBadges[n.State], Case: casePath(n.Case), Where: "Console"}
	if row.Title == "" {
		row.Title = sentence(n.Kind)
	}
	if n.Channel == "email" {
		row.Where = fmt.Sprintf("Mail to contact %d", n.Recipient)
	}
	delivered := n.Channel == "console" && n.State == "sent"
	if delivered {
		row.Path = "/notices/" + n.ID
	}
	row.Unread = delivered && n.ReadAt.IsZero()
	at := n.SentAt
	if at.IsZero() {
		at = n.CreatedAt
	}
	row.At = c.moment(at, n.TimeZone, false)
	return row
}

func (c *console) notices(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.NoticeFilter{Account: billing.AccountID(q.Get("account")), Unread: q.Get("unread") == "1", After: q.Get("after")}
	if f.Account != "" {
		if err := billing.CheckID(string(f.Account)); err != nil {
			return billing.Refuse(billing.RefusedInvalid, "account", "An account's id %v.", err)
		}
	}
	list, err := c.Store.ListNotices(r.Context(), f)
	if err != nil {
		return err
	}
	link := func(unread bool, after string) string {
		v := url.Values{}
		if f.Account != "" {
			v.Set("account", string(f.Account))
		}
		if unread {
			v.Set("unread", "1")
		}
		if after != "" {
			v.Set("after", after)
		}
		if len(v) == 0 {
			return "/notices"
		}
		return "/notices?" + v.Encode()
	}
	content := noticesContent{Filter: f, Unread: list.Unread, All: link(false, ""), Only: link(true, "")}
	for _, n := range list.Notices {
		content.Rows = append(content.Rows, c.noticeRow(n))
	}
	if list.Next != "" {
		content.More = link(f.Unread, list.Next)
	}
	if f.After != "" {
		content.First = link(f.Unread, "")
	}
	c.render(w, r, http.StatusOK, "notices.html", view{
		Title: "Notices", Nav: "notices", Content: content, Summary: fmt.Sprintf("%d unread notices", list.Unread),
	})
	return nil
}

func (c *console) showNotice(w http.ResponseWriter, r *http.Request) error {
	n, err := c.Store.FindNotice(r.Context(), r.PathValue("notice"))
	if err != nil {
		return err
	}
	row := c.noticeRow(n)
	row.At = c.moment(n.SentAt, n.TimeZone, false)
	c.render(w, r, http.StatusOK, "notice.html", view{Title: row.Title, Nav: "notices", Content: row})
	return nil
}
