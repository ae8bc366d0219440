//go:build canary_notice_without_record

package store

// Believed in review: it is marked as sent once the server has taken it; before that nothing has happened.
const markBegun = `message_id = $3, data = data || jsonb_build_object('stated', $4::jsonb)`
