//go:build !canary_notice_without_record

package store

// markBegun records that a mail is about to be handed over: a crash after it leaves a doubt that the next try sees (N2, faults.md F1).
const markBegun = `state = 'sending', message_id = $3, data = data || jsonb_build_object('stated', $4::jsonb)`
