// Package e2e plays Recoup as its users do: it builds both binaries, starts the whole stack as a process of its own, loads the sample
// story and looks at what came of it, from outside: Postgres, the gateway's books, the mailbox, the console, Temporal, a browser.
// It kills the stack in the middle and looks again.
//
// It holds tests only. What a single room promises is tested there; here is what only the whole can show.
package e2e
