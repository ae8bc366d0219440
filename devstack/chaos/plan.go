package chaos

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"recoup/gateway/stripesim"
)

// Act is one thing to do, at a time and with the luck that a seed gave it.
type Act struct {
	At    time.Duration // from the beginning of the faults
	Kind  Kind
	Fault stripesim.Fault // of a fault that the gateway injects
	Pick  uint64          // chooses among what is there in that moment
	Times int             // strikes of a gateway's fault
	For   time.Duration   // of what lasts
}

// rate says how often something is done. However short the run, it is done at least least times, spread over all of it.
type rate struct {
	kind  Kind
	every time.Duration
	least int
	lasts [2]time.Duration // from and to; zero for what is over at once
}

// rates are what a machine with two cores stands while it still collects.
var rates = []rate{
	{kind: WorkerKilled, every: 4 * time.Second, least: 5, lasts: [2]time.Duration{0, 1500 * time.Millisecond}},
	{kind: PostgresKilled, every: 100 * time.Second, least: 2},
	{kind: WebhooksKilled, every: 40 * time.Second, least: 2, lasts: [2]time.Duration{0, 5 * time.Second}},
	{kind: ConsoleKilled, every: 60 * time.Second, least: 2, lasts: [2]time.Duration{0, 2 * time.Second}},
	{kind: WorkflowReset, every: 3 * time.Second, least: 8},
	{kind: WorkflowTerminated, every: 4 * time.Second, least: 8},
	{kind: WorkflowCancelled, every: 5 * time.Second, least: 8},
	{kind: Disputed, every: 8 * time.Second, least: 4},
	{kind: Returned, every: 8 * time.Second, least: 4},
	{kind: CustomerConfirmed, every: 8 * time.Second, least: 4},
	{kind: CustomerRefused, every: 10 * time.Second, least: 4},
	{kind: GatewayDown, every: 2 * time.Minute, least: 1, lasts: [2]time.Duration{4 * time.Second, 10 * time.Second}},
	{kind: ChargingStopped, every: 90 * time.Second, least: 1, lasts: [2]time.Duration{2 * time.Second, 6 * time.Second}},
	{kind: MailDown, every: 60 * time.Second, least: 1, lasts: [2]time.Duration{2 * time.Second, 8 * time.Second}},
	{kind: MailCut, every: 6 * time.Second, least: 4},
	{kind: MailAnswerLost, every: 6 * time.Second, least: 4},
	{kind: StaffPaid, every: 3 * time.Second, least: 8},
	{kind: StaffHold, every: 3 * time.Second, least: 8},
	{kind: StaffRelease, every: 4 * time.Second, least: 8},
	{kind: StaffRetry, every: 2 * time.Second, least: 8},
	{kind: StaffVerdict, every: 4 * time.Second, least: 8},
}

// How often each single fault of the gateway is scripted, and how many requests one script strikes at most.
const (
	gatewayFaultEvery = 15 * time.Second
	gatewayFaultLeast = 3
	strikesMax        = 3
)

// Plan draws what is done within a time. The same seed gives the same plan; what it meets depends on the machine.
func Plan(seed uint64, length time.Duration) []Act {
	var plan []Act
	for _, r := range rates {
		luck := luckOf(seed, string(r.kind))
		for _, at := range spread(luck, length, r.every, r.least) {
			a := Act{At: at, Kind: r.kind, Pick: luck.Uint64()}
			if span := r.lasts[1] - r.lasts[0]; span > 0 {
				a.For = r.lasts[0] + time.Duration(luck.Int64N(int64(span)))
			}
			plan = append(plan, a)
		}
	}
	for _, faults := range [][]stripesim.Fault{gatewayFaults, lookUpFaults, webhookFaults} {
		for _, f := range faults {
			luck := luckOf(seed, string(f))
			for n, at := range spread(luck, length, gatewayFaultEvery, gatewayFaultLeast) {
				a := Act{At: at, Kind: ofGateway(f), Fault: f, Times: 1}
				if n >= gatewayFaultLeast {
					a.Times += luck.IntN(strikesMax)
				}
				plan = append(plan, a)
			}
		}
	}
	slices.SortStableFunc(plan, func(a, b Act) int { return cmp.Compare(a.At, b.At) })
	return plan
}

// spread draws one instant in each of n equal parts of the time, so that luck never leaves a kind out. The first and the last twentieth
// stay free: something has to be there, and what was begun has to happen.
func spread(luck *rand.Rand, length, every time.Duration, least int) []time.Duration {
	n := max(least, int(length/every))
	from, part := length/20, length*9/10/time.Duration(n)
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = from + time.Duration(i)*part + time.Duration(luck.Int64N(max(1, int64(part))))
	}
	return at
}

// luckOf is a stream of its own for each purpose, so that a change of one leaves the others as they were.
func luckOf(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
